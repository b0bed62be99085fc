"""Numbers of the papers and of their authors' code that change no shape and no count: every network's, in one table."""

from __future__ import annotations

import pytest
import torch
from checks import build_meta
from torch import nn

from cnnbench.archs.layers import LRN_FORMS, LocalResponseNorm, lrn_form
from cnnbench.archs.registry import names

# Epsilon 1e-3: the Inception papers' code (TensorFlow-slim) and torchvision's networks of that family, and Keras, in
# which Xception was written. All others 1e-5: Caffe's and Torch's, in which their authors wrote them.
EPSILON = dict.fromkeys(
    [
        *("googlenet_tv", "inception_v2", "inception_v3", "inception_v4"),
        *("inception_resnet_v1", "inception_resnet_v2", "inception_resnet_v2_paper", "xception"),
    ],
    1e-3,
)

# Probability of dropping a unit, in the order of the layers. 0: no dropout in the paper.
DROPOUT = {
    "alexnet": [0.5, 0.5],  # section 4.2: the first two fully connected layers
    "alexnet_tv": [0.5, 0.5],
    "zfnet": [0.5, 0.5],  # section 3
    **{f"vgg{depth}{bn}": [0.5, 0.5] for depth in (11, 13, 16, 19) for bn in ("", "_bn")},  # section 3.1
    "googlenet": [0.7, 0.7, 0.4],  # section 5: auxiliary heads 70 %, Table 1: 40 %
    "googlenet_tv": [0.7, 0.7, 0.2],
    "inception_v3": [0.5],  # torchvision's, and the authors' code before it
    "inception_v4": [0.2],  # Figure 9: keep 0.8
    "inception_resnet_v1": [0.2],  # Figure 15
    "inception_resnet_v2": [0.2],
    "inception_resnet_v2_paper": [0.2],
    "xception": [0.5],  # section 4.4
    "nin": [0.5],  # nin_imagenet/train_val.prototxt
    "cifar_nin": [0.5, 0.5],  # NIN/cifar-10_def
}

# Weights of the losses of the auxiliary heads: GoogLeNet, section 5; Inception-v2 and v3, the authors' code.
AUXILIARY = {"googlenet": (0.3, 0.3), "googlenet_tv": (0.3, 0.3), "inception_v2": (0.4,), "inception_v3": (0.4,)}


@pytest.mark.parametrize("name", names())
def test_the_constants_of_a_network_are_the_papers(name):
    network = build_meta(name, num_classes=10)
    norms = {(m.eps, m.momentum) for m in network.modules() if isinstance(m, nn.BatchNorm2d)}
    assert norms <= {(EPSILON.get(name, 1e-5), 0.1)}
    rates = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    assert [rate for rate in rates if rate] == DROPOUT.get(name, [])
    assert getattr(network, "aux_weights", ()) == AUXILIARY.get(name, ())


@pytest.mark.parametrize("options", [{"filters": "slim"}, {"separable_conv1": True}, {"count_padding": False}])
def test_every_form_of_bn_inception_has_the_epsilon_of_its_caffe_port(options):
    network = build_meta("bn_inception", num_classes=10, **options)
    assert {m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-5}


@pytest.mark.parametrize(
    ("form", "alpha", "k"),
    [
        ("paper", 1e-4, 2),  # Krizhevsky et al. 2012, section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75
        ("cuda_convnet", 1e-4 / 5, 2),  # whose alpha is divided by the size of the window
        ("caffe", 1e-4 / 5, 1),  # likewise, with its default k
    ],
)
def test_each_form_of_local_response_normalisation(form, alpha, k):
    a = 50 * torch.randn(1, 9, 2, 2, generator=torch.Generator().manual_seed(0))  # large, or k is all there is
    windows = [a[:, max(0, i - 2) : i + 3].square().sum(1) for i in range(9)]
    expected = a / (k + alpha * torch.stack(windows, 1)) ** 0.75
    torch.testing.assert_close(LocalResponseNorm(**LRN_FORMS[form])(a), expected)


@pytest.mark.parametrize("name", ["alexnet", "zfnet", "googlenet"])
def test_local_response_normalisation_by_numbers_is_tensorflows_whose_alpha_is_of_each_element(name):
    numbers = {"size": 11, "alpha": 1.1e-3, "beta": 0.5, "k": 2}
    norms = [m for m in build_meta(name, lrn=numbers).modules() if isinstance(m, LocalResponseNorm)]
    assert len(norms) == 2
    a = 50 * torch.randn(1, 16, 2, 2, generator=torch.Generator().manual_seed(0))
    windows = [a[:, max(0, i - 5) : i + 6].square().sum(1) for i in range(16)]  # depth_radius=5
    expected = a / (2 + 1e-4 * torch.stack(windows, 1)).sqrt()
    for norm in norms:
        torch.testing.assert_close(norm(a), expected)


@pytest.mark.parametrize(
    ("lrn", "message"),
    [
        ("papr", "no LRN form 'papr': choose one of paper, "),
        ([5], "no LRN form '\\[5\\]'"),
        ({"size": 5}, "lacks alpha: give a number for each of size, alpha, beta, k"),
        ({"size": 5, "alpa": 1e-4}, "has no 'alpa', did you mean alpha"),
        ({"size": 4, "alpha": 1e-4, "beta": 0.75, "k": 1}, "size=4: it is an odd number"),
        ({"size": 0, "alpha": 1e-4, "beta": 0.75, "k": 1}, "size=0: it is an odd number"),
        ({"size": 5, "alpha": "x", "beta": 0.75, "k": 1}, "alpha=x, which is not a number"),
        ({"size": 5, "alpha": float("inf"), "beta": 0.75, "k": 1}, "alpha=inf, which is not a number"),
        ({"size": 5, "alpha": 1e-4, "beta": True, "k": 1}, "beta=True, which is not a number"),
        ({"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 0}, "k=0: at least 0, and k above 0"),
    ],
)
def test_local_response_normalisation_that_cannot_be_is_refused(lrn, message):
    with pytest.raises(ValueError, match=message):
        lrn_form("alexnet", lrn)


def test_the_numbers_come_through_the_command_line(command):
    good, bad = (
        command("describe", "arch=zfnet", f"arch.options.lrn={{size: {size}, alpha: 1.1e-3, beta: 0.5, k: 2}}")
        for size in (11, 4)
    )
    assert (good.returncode, bad.returncode) == (0, 2)
    assert bad.stderr == "cnnbench: lrn of zfnet has size=4: it is an odd number of channels, of at least 1\n"
