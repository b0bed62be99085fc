"""What captum says of the small networks, as figures that are kept:

    python tests/support/captum_figures.py          # writes tests/analysis/look/captum.json; needs captum

tests/analysis/look/test_captum.py holds ours against them, with or without captum.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from small_networks import small_images, small_network

from cnnbench.analysis.look.network import Network

FILE = Path(__file__).parents[1] / "analysis/look/captum.json"
GRAD_CAM = {"alexnet": "conv5", "vgg11": "conv5_2", "resnet20": "layer3", "densenet121": "feature_map"}
DECONVOLUTION = ("vgg11", "resnet20", "densenet121")  # captum has no rule for local response normalisation
OCCLUSION = {"lenet": 8, "resnet20": 8}  # side and step of the square
TARGET = 0


def figures() -> dict[str, dict[str, list[float]]]:
    """By method and network: the first numbers of what captum gives, and what tells all others: sum and square sum."""
    from captum.attr import Deconvolution, LayerGradCam, Occlusion

    found: dict[str, dict[str, list[float]]] = {"grad_cam": {}, "deconvolution": {}, "occlusion": {}}
    for name, layer in GRAD_CAM.items():
        network, image = small_network(name), small_images(name)
        module = network.model.get_submodule(network.find(layer).path)
        given = LayerGradCam(network.model, module).attribute(image, target=TARGET, relu_attributions=True)
        found["grad_cam"][name] = summary(given[0, 0])
    for name in DECONVOLUTION:
        network, image = small_network(name), small_images(name)
        given = Deconvolution(network.model).attribute(image.requires_grad_(), target=answer(network, image))
        found["deconvolution"][name] = summary(given[0])
    for name, side in OCCLUSION.items():
        network, image = small_network(name), small_images(name)
        probability = Softmax(network.model)
        given = Occlusion(probability).attribute(image, (3, side, side), (3, side, side), 0, TARGET)
        found["occlusion"][name] = summary(given[0, 0, ::side, ::side])
    return found


def answer(network: Network, image: torch.Tensor) -> int:
    """The class that the network gives: one whose logit is above zero, as ReLU asks for on the way down."""
    with torch.no_grad():
        return int(network.model(image).argmax())


class Softmax(torch.nn.Module):
    """The probabilities of a network."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).softmax(1)


def summary(values: torch.Tensor) -> list[float]:
    """Sum, sum of squares, and the first eight numbers that are not zero."""
    flat = values.detach().double().flatten()
    few = flat[flat != 0][:8]
    return [float(f"{number:.5g}") for number in (flat.sum(), flat.square().sum(), *few)]


if __name__ == "__main__":
    FILE.write_text(json.dumps(figures(), indent=2) + "\n")
