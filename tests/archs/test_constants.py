"""Numbers of the papers and of their authors' code that change no shape and no count: every network's, in one table."""

from __future__ import annotations

import pytest
import torch
from checks import build_meta
from torch import nn

from cnnbench.archs.layers import LRN_FORMS, LocalResponseNorm
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
