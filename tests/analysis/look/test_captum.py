"""Grad-CAM, deconvolution and occlusion against captum's figures: support/captum_figures.py, which keeps them."""

import json

import pytest
import torch
from captum_figures import DECONVOLUTION, FILE, GRAD_CAM, OCCLUSION, TARGET, answer, figures, summary
from small_networks import small_images, small_network

from cnnbench.analysis.look.class_maps import grad_cam
from cnnbench.analysis.look.deconvolution import deconvolve
from cnnbench.analysis.look.occlusion import Square, occlude

KEPT = json.loads(FILE.read_text())


@pytest.mark.parametrize("name", GRAD_CAM)
def test_grad_cam_is_captums(name):
    network, image = small_network(name), small_images(name)
    found = grad_cam(network, image, network.find(GRAD_CAM[name]), TARGET)
    assert summary(found) == pytest.approx(KEPT["grad_cam"][name], rel=1e-3)
    assert found.max() > 0


@pytest.mark.parametrize("name", DECONVOLUTION)
def test_deconvolution_is_captums(name):
    network, image = small_network(name), small_images(name)
    target = answer(network, image)
    value = network.model(image)[0, target]
    assert value > 0
    found = deconvolve(network, image, network.names["logits"], target)[0] / value  # captum passes 1 down
    expected = KEPT["deconvolution"][name]
    assert summary(found)[1] == pytest.approx(expected[1], rel=1e-2)
    assert summary(found) == pytest.approx(expected, rel=1e-2, abs=1e-4 * expected[1] ** 0.5)


@pytest.mark.parametrize("name", OCCLUSION)
def test_occlusion_is_captums(name):
    network, image, side = small_network(name), small_images(name), OCCLUSION[name]
    found = occlude(network, image, TARGET, (network.last_map, 0), Square(side, side))
    whole = network.model(image).softmax(1)[0, TARGET].item()
    assert summary(whole - torch.from_numpy(found.probability)) == pytest.approx(
        KEPT["occlusion"][name], rel=1e-2, abs=1e-6
    )


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_the_figures_are_those_of_the_captum_that_is_here():
    pytest.importorskip("captum", reason="captum is not installed: its figures are taken from captum.json")
    for method, networks in figures().items():
        for name, numbers in networks.items():
            assert numbers == pytest.approx(KEPT[method][name], rel=1e-3, abs=1e-6), (method, name)
