"""LeNet, AlexNet, ZFNet and VGG against the papers' tables and torchvision."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from checks import assert_trains, build_meta, drawn_state, multiply_adds, parameters
from inspection import check_same_outputs, stage_shapes
from torch import nn
from torchvision import models

from cnnbench.archs.registry import build
from cnnbench.archs.zfnet import renormalise_filters

pytestmark = pytest.mark.slow

# Key: parameters, multiply-adds at the native size, that size; 1000 classes.
GOLDENS = {
    "lenet": (146_156, 734_880, 32),
    "alexnet": (60_965_224, 724_406_816, 224),
    "alexnet_tv": (61_100_840, 714_188_480, 224),
    "zfnet": (62_357_608, 1_168_032_896, 224),
    "vgg11": (132_863_336, 7_609_090_048, 224),
    "vgg11_bn": (132_868_840, 7_609_090_048, 224),
    "vgg13": (133_047_848, 11_308_466_176, 224),
    "vgg13_bn": (133_053_736, 11_308_466_176, 224),
    "vgg16": (138_357_544, 15_470_264_320, 224),
    "vgg16_bn": (138_365_992, 15_470_264_320, 224),
    "vgg19": (143_667_240, 19_632_062_464, 224),
    "vgg19_bn": (143_678_248, 19_632_062_464, 224),
}
VGG = [key for key in GOLDENS if key.startswith("vgg")]
SMALLEST = {"lenet": 32, "alexnet": 63, "alexnet_tv": 63, "zfnet": 63}  # pixels; VGG 32


@pytest.mark.parametrize("key", GOLDENS)
def test_counts(key):
    params, macs, size = GOLDENS[key]
    network = build_meta(key)
    assert parameters(network) == params
    assert multiply_adds(network, size) == macs


@pytest.mark.parametrize(
    ("options", "params"),
    [
        ({"in_channels": 1}, 61_706),
        ({"in_channels": 3}, 62_006),
        ({"in_channels": 1, "sparse_c3": True}, 60_806),  # C3: 1516 instead of 2416
        ({"in_channels": 1, "trainable_pooling": True}, 61_750),  # S2: 12, S4: 32
        # The paper's 60,000 leave out the output layer (RBF units with fixed codes), here linear: 84 x 10 + 10.
        ({"in_channels": 1, "sparse_c3": True, "trainable_pooling": True}, 60_000 + 850),
    ],
)
def test_lenet_parameters(options, params):
    assert parameters(build_meta("lenet", num_classes=10, **options)) == params


def test_lenet_multiply_adds():
    assert multiply_adds(build_meta("lenet", num_classes=10, in_channels=1), 32, channels=1) == 416_520


def test_lenet_sparse_c3_is_the_full_c3_with_the_missing_connections_zero():
    torch.manual_seed(0)
    sparse = build("lenet", num_classes=10, sparse_c3=True)
    full = build("lenet", num_classes=10)
    table = ["012", "123", "234", "345", "450", "501", "0123", "1234", "2345"]
    table += ["3450", "4501", "5012", "0134", "1245", "0235", "012345"]
    state = {key: tensor for key, tensor in sparse.state_dict().items() if not key.startswith("c3.")}
    state |= {"c3.weight": torch.zeros(16, 6, 5, 5), "c3.bias": sparse.state_dict()["c3.bias"]}
    filters = iter(sparse.state_dict()["c3.weight"])
    for i, row in enumerate(table):
        for source in sorted(map(int, row)):
            state["c3.weight"][i, source] = next(filters)
    full.load_state_dict(state)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(sparse(images), full(images))


def test_lenet_sparse_c3_starts_by_the_fan_in_of_each_map():
    torch.manual_seed(0)
    filters = torch.cat([build("lenet", sparse_c3=True).c3.weight.data[None] for _ in range(200)])
    assert filters[:, :18].std().item() == pytest.approx((3 * 25) ** -0.5, rel=0.02)  # maps of three inputs
    assert filters[:, -6:].std().item() == pytest.approx((6 * 25) ** -0.5, rel=0.02)


def test_lenet_trainable_pooling_is_the_squashed_scaled_sum():
    network = build("lenet", num_classes=10, trainable_pooling=True)
    nn.init.constant_(network.s2.coefficient, 0.1)
    nn.init.constant_(network.s2.bias, 0.2)
    maps = torch.arange(4.0).reshape(1, 1, 2, 2).expand(1, 6, 2, 2)  # sum 6
    expected = 1.7159 * torch.tanh(torch.tensor(2 / 3 * (0.1 * 6 + 0.2)))
    torch.testing.assert_close(network.s2(maps), expected.expand(1, 6, 1, 1))


def test_zfnet_stage_shapes():
    stages = {  # Figure 3: output of each convolution and pooling
        "features.0": (96, 110, 110),
        "features.2": (96, 55, 55),
        "features.4": (256, 26, 26),
        "features.6": (256, 13, 13),
        "features.8": (384, 13, 13),
        "features.10": (384, 13, 13),
        "features.12": (256, 13, 13),
        "features.14": (256, 6, 6),
        "classifier.0": (4096,),
    }
    assert stage_shapes(build_meta("zfnet"), 224, list(stages)) == stages


def test_zfnet_variant_b():
    network = build_meta("zfnet", variant="b")
    assert parameters(network) == 107_627_624
    assert multiply_adds(network, 224) == 2_476_704_896


def test_zfnet_normalises_after_pooling():
    order = [type(layer).__name__ for layer in build_meta("zfnet").features[:4]]
    assert order == ["Conv2d", "ReLU", "MaxPool2d", "LocalResponseNorm"]


def test_renormalise_filters():
    weight = torch.stack([torch.full((3, 7, 7), 0.5), torch.full((3, 7, 7), -0.05), torch.zeros(3, 7, 7)])
    before = weight.clone()
    expected = torch.stack([torch.full((3, 7, 7), 0.1), torch.full((3, 7, 7), -0.05), torch.zeros(3, 7, 7)])
    torch.testing.assert_close(renormalise_filters(weight), expected)
    torch.testing.assert_close(renormalise_filters(weight, radius=1.0), before)
    assert torch.equal(weight, before)  # a new tensor; the argument stays
    random = torch.randn(8, 3, 7, 7)
    torch.testing.assert_close(renormalise_filters(random).square().mean((1, 2, 3)).sqrt(), torch.full((8,), 0.1))


def test_vgg_column_c():
    # C is D with a 1x1 as the third convolution of blocks 3, 4 and 5: eight of nine weights of those fewer.
    fewer = 8 * (256**2 + 512**2 + 512**2)
    network = build_meta("vgg16", column="C")
    assert parameters(network) == 138_357_544 - fewer
    stages = {"features.14": (256, 56, 56), "features.21": (512, 28, 28), "features.28": (512, 14, 14)}
    assert stage_shapes(network, 224, list(stages)) == stages
    assert all(network.get_submodule(stage).kernel_size == (1, 1) for stage in stages)


def test_vgg_column_a_lrn():
    network = build_meta("vgg11", column="A-LRN")
    assert parameters(network) == 132_863_336
    assert [type(layer).__name__ for layer in network.features[:4]] == [
        "Conv2d",
        "ReLU",
        "LocalResponseNorm",
        "MaxPool2d",
    ]


def test_vgg_b_with_5x5_filters_has_one_for_each_pair_of_3x3():
    """Section 4.1; the same maps, as two 3x3 see what one 5x5 sees."""
    network, small = build_meta("vgg13", column="B-5x5"), build_meta("vgg13")
    convolutions = [layer for layer in network.features if isinstance(layer, nn.Conv2d)]
    assert [layer.kernel_size for layer in convolutions] == [(5, 5)] * 5
    widths = [3, 64, 128, 256, 512, 512]
    pairs = [(a, b) for a, b in pairwise(widths)]
    assert parameters(network) - parameters(small) == sum(25 * a * b - 9 * (a * b + b * b) - b for a, b in pairs)
    assert network.features(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 512, 7, 7)


@pytest.mark.parametrize("key", ["lenet", "alexnet", "vgg11"])
def test_the_activation_is_one_word(key):
    """The same weights; relu is what AlexNet and VGG have without it, the scaled tanh what LeNet has."""
    size = SMALLEST.get(key, 32)
    options = {"num_classes": 4, "image_size": size, "dropout": 0.0}
    words = ("relu", "tanh", "sigmoid", "leaky_relu", *(["scaled_tanh"] if key == "lenet" else []))
    network = build(key, **options)
    images, outputs = torch.randn(2, 3, size, size), {}
    for word in words:
        twin = build(key, **options, activation=word)
        twin.load_state_dict(network.state_dict())
        outputs[word] = twin(images)
    default = "scaled_tanh" if key == "lenet" else "relu"
    assert [word for word in words if torch.equal(outputs[word], network(images))] == [default]
    assert len({tuple(output.flatten().tolist()) for output in outputs.values()}) == len(words)


def test_alexnet_with_plain_pooling_and_without_normalisation_has_the_same_weights():
    network = build_meta("alexnet", pooling="plain", lrn="none")
    assert parameters(network) == GOLDENS["alexnet"][0]
    pools = [layer for layer in network.features if isinstance(layer, nn.MaxPool2d)]
    assert [(pool.kernel_size, pool.stride) for pool in pools] == [(2, 2)] * 3
    stages = {"features.3": (96, 27, 27), "features.7": (256, 13, 13), "features.14": (256, 6, 6)}
    assert stage_shapes(network, 224, list(stages)) == stages


@pytest.mark.parametrize("key", ["alexnet", "zfnet"])
def test_without_local_response_normalisation(key):
    assert not any(isinstance(layer, nn.LocalResponseNorm) for layer in build_meta(key, lrn="none").modules())
    assert build_meta(key, lrn="none").state_dict().keys() == build_meta(key).state_dict().keys()


def test_vgg_bn_keeps_the_biases():
    # Scale and shift of 4,224 channels, and no bias lost.
    assert parameters(build_meta("vgg16_bn")) - parameters(build_meta("vgg16")) == 2 * 4_224


@pytest.mark.parametrize("key", ["alexnet_tv", "vgg11"])
def test_same_as_torchvision(key):
    with torch.device("meta"):
        reference = getattr(models, key.removesuffix("_tv"))(num_classes=10, dropout=0.0)
    check_same_outputs(key, reference, 224, num_classes=10, dropout=0.0)


@pytest.mark.parametrize("key", VGG)
def test_same_as_torchvision_for_images_of_64_pixels(key):
    """torchvision resizes every last map to 7x7; without that it is the network of our image_size=64."""
    with torch.device("meta"):
        reference = getattr(models, key)(num_classes=10, dropout=0.0)
        reference.avgpool, reference.classifier[0] = nn.Identity(), nn.Linear(512 * 2 * 2, 4096)
    check_same_outputs(key, reference, 64, num_classes=10, dropout=0.0, image_size=64)


def test_dropout_stands_where_torchvision_has_it():
    for key in ("alexnet_tv", "vgg11"):
        with torch.device("meta"):
            reference = getattr(models, key.removesuffix("_tv"))()
        ours = [(type(layer), getattr(layer, "p", None)) for layer in build_meta(key).classifier]
        assert ours == [(type(layer), getattr(layer, "p", None)) for layer in reference.classifier]


@pytest.mark.parametrize("key", GOLDENS)
def test_gradients(key):
    options = {} if key == "alexnet_tv" else {"image_size": SMALLEST.get(key, 32)}
    assert_trains(build(key, num_classes=4, **options), SMALLEST.get(key, 32))


@pytest.mark.parametrize("options", [{"sparse_c3": True}, {"trainable_pooling": True}])
def test_lenet_gradients(options):
    assert_trains(build("lenet", num_classes=4, **options), 32)


@pytest.mark.parametrize("key", ["lenet", "alexnet", "zfnet", "vgg16"])
def test_too_small_an_image(key):
    smallest = SMALLEST.get(key, 32)
    build_meta(key, image_size=smallest)
    with pytest.raises(ValueError, match=f"image size {smallest - 1} is too small .* at least {smallest}"):
        build_meta(key, image_size=smallest - 1)


@pytest.mark.parametrize(
    ("key", "options", "message"),
    [
        ("zfnet", {"variant": "c"}, "zfnet has no variant 'c': choose one of a, b"),
        ("zfnet", {"lrn": "x"}, "zfnet has no LRN form 'x': choose one of paper, cuda_convnet, caffe"),
        ("vgg16", {"column": "F"}, "vgg has no column 'F': choose one of A, A-LRN, B, B-5x5, C, D, E"),
        (
            "vgg16",
            {"activation": "gelu"},
            "vgg has no activation 'gelu': choose one of relu, tanh, sigmoid, leaky_relu",
        ),
        ("lenet", {"activation": "gelu"}, "lenet has no activation 'gelu': choose one of scaled_tanh, relu, tanh, sig"),
        ("alexnet", {"pooling": "2x2"}, "alexnet has no pooling '2x2': choose one of overlapping, plain"),
        ("vgg16", {"init": "he"}, "vgg has no initialisation 'he': choose one of glorot, paper"),
    ],
)
def test_impossible_options(key, options, message):
    with pytest.raises(ValueError, match=message):
        build_meta(key, **options)


def test_local_response_norm_is_the_formula_of_the_paper():
    # Section 3.3 of the AlexNet paper, written out; alpha multiplies the sum.
    norm = build_meta("zfnet").features[3]
    a = torch.randn(2, 7, 3, 3, dtype=torch.float64).float()
    expected = torch.empty_like(a)
    for i in range(7):
        window = a[:, max(0, i - 2) : i + 3].square().sum(1)
        expected[:, i] = a[:, i] / (2 + 1e-4 * window) ** 0.75
    torch.testing.assert_close(norm(a), expected)


def test_random_state_covers_every_tensor():
    reference = build_meta("vgg11_bn", num_classes=2)
    assert drawn_state(reference).keys() == reference.state_dict().keys()
