"""GoogLeNet, BN-Inception, Inception-v2 to v4 and Inception-ResNet against the papers' tables and torchvision."""

from __future__ import annotations

import pytest
import torch
from checks import assert_trains, build_meta, multiply_adds, parameters
from inspection import check_same_outputs, stage_shapes
from meta import on_meta
from torch import nn
from torchvision import models

from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow

# Key: parameters without auxiliary heads, with them, multiply-adds without them at the native size, that size.
GOLDENS = {
    "googlenet": (6_998_552, 13_378_280, 1_582_671_872, 224),
    "googlenet_tv": (6_624_904, 13_004_888, 1_498_376_192, 224),
    "bn_inception": (11_285_224, None, 2_032_600_064, 224),
    "inception_v2": (25_769_544, 25_769_544 + 3_325_928, 6_299_294_304, 299),  # plain head: see test_inception_v2_head
    "inception_v3": (23_834_568, 27_161_264, 5_713_216_096, 299),
    "inception_v4": (42_679_816, None, 12_253_974_624, 299),
    "inception_resnet_v1": (22_756_328, None, 6_206_361_696, 299),
    "inception_resnet_v2": (55_843_464, None, 13_155_794_016, 299),
    "inception_resnet_v2_paper": (32_433_928, None, 9_257_953_632, 299),
}
WITH_AUX = {"googlenet": (0.3, 0.3), "googlenet_tv": (0.3, 0.3), "inception_v2": (0.4,), "inception_v3": (0.4,)}


def without_aux(key: str) -> dict[str, bool]:
    return {"aux_heads": False} if key in WITH_AUX else {}


@pytest.mark.parametrize("key", GOLDENS)
def test_counts(key):
    params, params_with_aux, macs, size = GOLDENS[key]
    network = build_meta(key, **without_aux(key))
    assert parameters(network) == params
    assert multiply_adds(network, size) == macs
    if params_with_aux is not None:
        assert parameters(build_meta(key)) == params_with_aux


@pytest.mark.parametrize(
    ("key", "options", "params", "macs"),
    [
        # BN-GoogLeNet: googlenet_tv with the paper's 5x5.
        ("googlenet", {"batch_norm": True, "aux_heads": False}, 7_005_832, 1_582_671_872),
        ("googlenet", {"batch_norm": True}, 13_385_816, None),
        ("bn_inception", {"filters": "slim"}, 11_194_984, 2_018_851_840),
        ("bn_inception", {"separable_conv1": True}, 11_278_528, 1_948_605_440),
        ("bn_inception", {"filters": "slim", "separable_conv1": True}, 11_188_288, 1_934_857_216),
        ("bn_inception", {"count_padding": False}, 11_285_224, 2_032_600_064),
        ("inception_v2", {"modules_17": 4, "aux_heads": False}, 24_078_536, 5_811_591_776),
        (
            "inception_v2",
            {"modules_17": 4, "reduction_b": "released", "aux_heads": False},
            24_263_240,
            5_864_860_256,
        ),
        ("inception_v2", {"reduction_b": "released", "aux_heads": False}, 25_954_248, 6_352_562_784),
        ("inception_v2", {"stem": "7x7", "modules_17": 4, "aux_heads": False}, 24_059_304, 5_398_261_952),
        ("inception_v2", {"stem": "7x7", "aux_heads": False}, 25_750_312, 5_885_964_480),
        ("inception_v4", {"kernel_order": "released"}, 42_679_816, 12_253_974_624),
        ("inception_resnet_v1", {"depths": (5, 10, 6)}, 24_357_096, 6_308_597_856),
        ("inception_resnet_v2_paper", {"depths": (10, 20, 10)}, 55_284_488, 14_142_011_232),
    ],
)
def test_variants(key, options, params, macs):
    network = build_meta(key, **options)
    assert parameters(network) == params
    if macs is not None:
        assert multiply_adds(network, GOLDENS[key][3]) == macs


def test_googlenet_parts():
    network = build_meta("googlenet")
    weights = {
        name: sum(p.numel() for p in network.get_submodule(f"inception{name}").parameters() if p.dim() == 4)
        for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    }
    assert weights == {
        "3a": 163_328,
        "3b": 388_096,
        "4a": 375_552,
        "4b": 448_512,
        "4c": 509_440,
        "4d": 604_672,
        "4e": 867_328,
        "5a": 1_042_432,
        "5b": 1_442_816,
    }
    assert [parameters(network.aux1), parameters(network.aux2)] == [3_188_840, 3_190_888]


def test_inception_v2_head():
    bn, plain = build_meta("inception_v2", aux_batch_norm=True), build_meta("inception_v2")
    assert parameters(bn.aux) == 3_326_696  # the head of inception_v3
    assert parameters(plain.aux) == 3_326_696 - 2 * 768 + 768  # a bias for scale and shift


GOOGLENET_STAGES = {  # Table 1
    "conv1": (64, 112, 112),
    "maxpool1": (64, 56, 56),
    "conv3": (192, 56, 56),
    "maxpool2": (192, 28, 28),
    "inception3a": (256, 28, 28),
    "inception3b": (480, 28, 28),
    "maxpool3": (480, 14, 14),
    "inception4a": (512, 14, 14),
    "inception4b": (512, 14, 14),
    "inception4c": (512, 14, 14),
    "inception4d": (528, 14, 14),
    "inception4e": (832, 14, 14),
    "maxpool4": (832, 7, 7),
    "inception5a": (832, 7, 7),
    "inception5b": (1024, 7, 7),
    "dropout": (1024,),
}
BN_INCEPTION_STAGES = {  # Figure 5
    "conv1": (64, 112, 112),
    "maxpool1": (64, 56, 56),
    "conv3": (192, 56, 56),
    "maxpool2": (192, 28, 28),
    "inception.3a": (256, 28, 28),
    "inception.3b": (320, 28, 28),
    "inception.3c": (576, 14, 14),
    "inception.4a": (576, 14, 14),
    "inception.4b": (576, 14, 14),
    "inception.4c": (608, 14, 14),
    "inception.4d": (608, 14, 14),
    "inception.4e": (1056, 7, 7),
    "inception.5a": (1024, 7, 7),
    "inception.5b": (1024, 7, 7),
}
SLIM = {"inception.4c": (576, 14, 14), "inception.4d": (576, 14, 14), "inception.4e": (1024, 7, 7)}
INCEPTION_V2_STAGES = {  # Table 1
    "stem.0": (32, 149, 149),
    "stem.1": (32, 147, 147),
    "stem.2": (64, 147, 147),
    "stem.3": (64, 73, 73),
    "stem.4": (80, 71, 71),
    "stem.5": (192, 35, 35),
    "stem.6": (288, 35, 35),
    "mixed_35": (288, 35, 35),
    "reduction_a": (768, 17, 17),
    "mixed_17": (768, 17, 17),
    "reduction_b": (1280, 8, 8),
    "mixed_8": (2048, 8, 8),
}
INCEPTION_V3_STAGES = {
    "Conv2d_1a_3x3": (32, 149, 149),
    "Conv2d_2a_3x3": (32, 147, 147),
    "Conv2d_2b_3x3": (64, 147, 147),
    "maxpool1": (64, 73, 73),
    "Conv2d_3b_1x1": (80, 73, 73),
    "Conv2d_4a_3x3": (192, 71, 71),
    "maxpool2": (192, 35, 35),
    "Mixed_5b": (256, 35, 35),
    "Mixed_5d": (288, 35, 35),
    "Mixed_6a": (768, 17, 17),
    "Mixed_6e": (768, 17, 17),
    "Mixed_7a": (1280, 8, 8),
    "Mixed_7c": (2048, 8, 8),
}
STEM_V4 = [(32, 149, 149), (32, 147, 147), (64, 147, 147), (160, 73, 73), (192, 71, 71), (384, 35, 35)]
INCEPTION_V4_STAGES = {  # Figures 3 and 9
    **{f"features.{i}": shape for i, shape in enumerate(STEM_V4)},
    **{f"features.{i}": (384, 35, 35) for i in range(6, 10)},
    **{f"features.{i}": (1024, 17, 17) for i in range(10, 18)},
    **{f"features.{i}": (1536, 8, 8) for i in range(18, 22)},
    "dropout": (1536,),
}
INCEPTION_RESNET_V1_STAGES = {  # Figures 14 and 15
    "stem.0": (32, 149, 149),
    "stem.1": (32, 147, 147),
    "stem.2": (64, 147, 147),
    "stem.3": (64, 73, 73),
    "stem.4": (80, 73, 73),
    "stem.5": (192, 71, 71),
    "stem.6": (256, 35, 35),
    "block_a": (256, 35, 35),
    "reduction_a": (896, 17, 17),
    "block_b": (896, 17, 17),
    "reduction_b": (1792, 8, 8),
    "block_c": (1792, 8, 8),
}
INCEPTION_RESNET_V2_STAGES = {
    "conv2d_2b": (64, 147, 147),
    "maxpool_3a": (64, 73, 73),
    "conv2d_4a": (192, 71, 71),
    "maxpool_5a": (192, 35, 35),
    "mixed_5b": (320, 35, 35),
    "repeat": (320, 35, 35),
    "mixed_6a": (1088, 17, 17),
    "repeat_1": (1088, 17, 17),
    "mixed_7a": (2080, 8, 8),
    "repeat_2": (2080, 8, 8),
    "block8": (2080, 8, 8),
    "conv2d_7b": (1536, 8, 8),
}
INCEPTION_RESNET_V2_PAPER_STAGES = {  # Figure 15, with the widths that add up
    **{f"stem.{i}": shape for i, shape in enumerate(STEM_V4)},
    "block_a": (384, 35, 35),
    "reduction_a": (1152, 17, 17),
    "block_b": (1152, 17, 17),
    "reduction_b": (2144, 8, 8),
    "block_c": (2144, 8, 8),
}


@pytest.mark.parametrize(
    ("key", "options", "stages"),
    [
        ("googlenet", {}, GOOGLENET_STAGES),
        ("googlenet_tv", {}, GOOGLENET_STAGES),
        ("bn_inception", {}, BN_INCEPTION_STAGES),
        ("bn_inception", {"filters": "slim"}, BN_INCEPTION_STAGES | SLIM),
        ("inception_v2", {}, INCEPTION_V2_STAGES),
        ("inception_v3", {}, INCEPTION_V3_STAGES),
        ("inception_v4", {}, INCEPTION_V4_STAGES),
        ("inception_v4", {"kernel_order": "released"}, INCEPTION_V4_STAGES),
        ("inception_resnet_v1", {}, INCEPTION_RESNET_V1_STAGES),
        ("inception_resnet_v2", {}, INCEPTION_RESNET_V2_STAGES),
        ("inception_resnet_v2_paper", {}, INCEPTION_RESNET_V2_PAPER_STAGES),
    ],
)
def test_stage_shapes(key, options, stages):
    assert stage_shapes(build_meta(key, **options), GOLDENS[key][3], list(stages)) == stages


def test_auxiliary_heads_see_the_papers_maps():
    stages = {"aux1.pool": (512, 4, 4), "aux2.pool": (528, 4, 4), "aux1.fc1": (1024,), "aux2.fc2": (1000,)}
    assert stage_shapes(build_meta("googlenet").train(), 224, list(stages)) == stages
    stages = {"aux.pool": (768, 5, 5), "aux.conv0": (128, 5, 5), "aux.conv1": (768, 1, 1)}
    assert stage_shapes(build_meta("inception_v2").train(), 299, list(stages)) == stages


@pytest.mark.parametrize("key", WITH_AUX)
def test_auxiliary_interface(key):
    size, weights = GOLDENS[key][3], WITH_AUX[key]
    network = build_meta(key, num_classes=7)
    assert network.aux_weights == weights
    assert on_meta(network, size, images=2).shape == (2, 7)
    outputs = on_meta(network.train(), size, images=2)
    assert isinstance(outputs, tuple)
    assert [output.shape for output in outputs] == [(2, 7)] * (1 + len(weights))
    bare = build_meta(key, num_classes=7, aux_heads=False)
    assert bare.aux_weights == ()
    assert on_meta(bare.train(), size, images=2).shape == (2, 7)


def test_same_as_torchvision_googlenet():
    with torch.device("meta"):
        reference = models.GoogLeNet(num_classes=10, init_weights=False, dropout=0.0, dropout_aux=0.0)
    check_same_outputs("googlenet_tv", reference, 80, num_classes=10, dropout=0.0, aux_dropout=0.0)


def test_same_as_torchvision_inception_v3():
    with torch.device("meta"):
        reference = models.Inception3(num_classes=10, init_weights=False, dropout=0.0)
    options = dict(num_classes=10, dropout=0.0, count_padding=True)
    check_same_outputs("inception_v3", reference, 299, eval_size=107, **options)


@pytest.mark.parametrize(
    ("key", "reference"),
    [
        ("googlenet_tv", lambda: models.GoogLeNet(init_weights=False)),
        ("inception_v3", lambda: models.Inception3(init_weights=False)),
    ],
)
def test_dropout_and_normalisation_as_in_torchvision(key, reference):
    def settings(network: nn.Module) -> list[tuple[str, float]]:
        found = {name: m.p for name, m in network.named_modules() if isinstance(m, nn.Dropout)}
        found |= {name: (m.eps, m.momentum) for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)}
        return sorted(found.items())

    with torch.device("meta"):
        expected = settings(reference())
    assert settings(build_meta(key)) == expected


# Smallest images: the auxiliary heads of googlenet, inception_v2 and inception_v3 need a 5x5 map.
SMALLEST = {
    "googlenet": ({"image_size": 79}, 79),
    "googlenet_tv": ({}, 31),
    "bn_inception": ({}, 23),
    "inception_v2": ({"image_size": 107}, 107),
    "inception_v3": ({"image_size": 107}, 107),
    "inception_v4": ({}, 75),
    "inception_resnet_v1": ({}, 75),
    "inception_resnet_v2": ({}, 75),
    "inception_resnet_v2_paper": ({}, 75),
}


@pytest.mark.parametrize("key", GOLDENS)
def test_gradients(key):
    options, size = SMALLEST[key]
    assert_trains(build(key, num_classes=4, **options), size)


@pytest.mark.parametrize(
    ("key", "options", "size"),
    [
        ("googlenet", {"batch_norm": True, "image_size": 79}, 79),
        ("googlenet", {"aux_heads": False, "image_size": 32}, 32),
        ("googlenet", {"pool_branch": False, "image_size": 79}, 79),
        ("bn_inception", {"filters": "slim", "separable_conv1": True, "count_padding": False}, 32),
        ("inception_v2", {"stem": "7x7", "reduction_b": "released", "aux_heads": False, "image_size": 75}, 75),
        ("inception_v4", {"kernel_order": "released"}, 75),
    ],
)
def test_gradients_of_variants(key, options, size):
    assert_trains(build(key, num_classes=4, **options), size)


# The head that the authors' code has beside the paper's network: 1x1, 128; 5x5, 768; fully connected.
ADDED_HEADS = {"inception_v4": 1024, "inception_resnet_v2": 1088}  # channels of the map that it sees


@pytest.mark.parametrize("key", ADDED_HEADS)
def test_the_auxiliary_head_of_the_authors_code_is_an_option(key):
    plain, network = build_meta(key), build_meta(key, aux_heads=True)
    head = ADDED_HEADS[key] * 128 + 2 * 128 + 25 * 128 * 768 + 2 * 768 + 768 * 1000 + 1000
    assert parameters(network) == parameters(plain) + head
    assert (plain.aux_weights, network.aux_weights) == ((), (0.4,))
    assert [tuple(logits.shape) for logits in on_meta(network.train(), 299, images=2)] == [(2, 1000)] * 2
    assert on_meta(network.eval(), 299).shape == (1, 1000)


def test_the_auxiliary_head_of_inception_v4_sees_the_last_map_of_17():
    network = build_meta("inception_v4", aux_heads=True).train()
    seen = []
    network.AuxLogits.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.features[17].register_forward_hook(lambda _, __, output: seen.append(output))
    on_meta(network, 299, images=2)
    assert seen[0] is seen[1]
    assert seen[0].shape == (2, 1024, 17, 17)


@pytest.mark.parametrize(
    ("key", "smallest"),
    [("googlenet", 79), ("inception_v2", 107), ("inception_v3", 107), *((key, 107) for key in ADDED_HEADS)],
)
def test_too_small_an_image_for_auxiliary_heads(key, smallest):
    build_meta(key, image_size=smallest, aux_heads=True)
    build_meta(key, image_size=smallest - 1, aux_heads=False)
    with pytest.raises(ValueError, match=f"too small for {key} with .* at least {smallest}"):
        build_meta(key, image_size=smallest - 1, aux_heads=True)


@pytest.mark.parametrize(
    ("key", "smallest"), [("googlenet", 31), ("googlenet_tv", 31), ("inception_v2", 75), ("inception_v3", 75)]
)
def test_too_small_an_image(key, smallest):
    on_meta(build_meta(key, image_size=smallest, aux_heads=False), smallest)
    message = f"image size {smallest - 1} is too small for {key.removesuffix('_tv')}: it needs at least {smallest}"
    with pytest.raises(ValueError, match=message):
        build_meta(key, image_size=smallest - 1, aux_heads=False)


@pytest.mark.parametrize(("key", "head"), [("inception_v2", "aux"), ("inception_v3", "AuxLogits")])
@pytest.mark.parametrize(
    ("size", "kernel"), [(107, 1), (154, 1), (155, 2), (202, 2), (203, 3), (298, 4), (299, 5), (400, 5)]
)
def test_auxiliary_head_of_small_images(key, head, size, kernel):
    network = build_meta(key, image_size=size).train()
    assert network.get_submodule(head).conv1.conv.kernel_size == (kernel, kernel)
    logits, aux = on_meta(network, size, images=2)
    assert logits.shape == aux.shape


def test_bn_inception_takes_maps_of_an_odd_side():
    # At an even side the pooling is the paper's; at an odd one it gives as many pixels as the convolutions beside it.
    network = build_meta("bn_inception")
    pool = network.inception.get_submodule("3c").branch4
    maps = torch.rand(2, 3, 28, 28)
    torch.testing.assert_close(pool(maps), nn.functional.max_pool2d(maps, 3, stride=2, ceil_mode=True))
    sides = {size: stage_shapes(network, size, ["inception.3c"])["inception.3c"] for size in (224, 72)}
    assert sides == {224: (576, 14, 14), 72: (576, 5, 5)}


@pytest.mark.parametrize(
    ("key", "options", "message"),
    [
        ("googlenet", {"lrn": "x"}, "no LRN form 'x': choose one of paper, cuda_convnet, caffe"),
        ("googlenet", {"init": "x"}, "no initialisation 'x': choose one of caffe, torchvision"),
        ("bn_inception", {"filters": "x"}, "no filters 'x': choose one of literal, slim"),
        ("inception_v2", {"modules_17": 3}, "no number of 17x17 modules '3': choose one of 4, 5"),
        ("inception_v2", {"stem": "x"}, "no stem 'x': choose one of factorised, 7x7"),
        ("inception_v2", {"reduction_b": "x"}, "no second reduction 'x': choose one of figure10, released"),
        ("inception_v4", {"kernel_order": "x"}, "no kernel order 'x': choose one of paper, released"),
        ("inception_resnet_v1", {"version": "v3"}, "no version 'v3': choose one of v1, v2"),
        ("inception_resnet_v1", {"depths": (5, 10)}, "three depths of at least 1"),
    ],
)
def test_impossible_options(key, options, message):
    with pytest.raises(ValueError, match=message):
        build_meta(key, **options)


@pytest.mark.parametrize("key", ["googlenet", "googlenet_tv"])
def test_googlenet_without_its_pool_branches(key):
    network = build_meta(key, pool_branch=False)
    maps = {"inception3a": (224, 28, 28), "inception4e": (704, 14, 14), "inception5b": (896, 7, 7), "fc": (1000,)}
    assert stage_shapes(network, 224, list(maps)) == maps
    heads = (network.aux1.conv.conv.in_channels, network.aux2.conv.conv.in_channels)
    assert heads == (192 + 208 + 48, 112 + 288 + 64)
    assert not any("branch4" in name for name, _ in network.named_modules())


def test_googlenet_normalises_only_without_batch_norm():
    def kinds(**options: object) -> tuple[type, type, bool]:
        network = build_meta("googlenet", **options)
        norms = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        return type(network.norm1).__name__, type(network.norm2).__name__, norms

    assert kinds() == ("LocalResponseNorm", "LocalResponseNorm", False)
    assert kinds(batch_norm=True) == ("Identity", "Identity", True)


def test_bn_inception_padding_in_the_mean():
    # A map of ones: with the padding counted, a corner averages 4 ones of 9.
    ones = torch.ones(1, 1, 4, 4)
    pools = [build_meta("bn_inception", count_padding=count).inception[0].branch4[0] for count in (True, False)]
    corners = [pool(ones)[0, 0, 0, 0].item() for pool in pools]
    assert corners == pytest.approx([4 / 9, 1])


def mean_of_the_image(pooled: torch.Tensor) -> torch.Tensor:
    """A 3x3 / 1 average that counted the zeros of the padding, without them: divided by the share of pixels within."""
    return pooled / nn.functional.avg_pool2d(torch.ones_like(pooled), 3, stride=1, padding=1)


def test_inception_v3_without_the_padding_in_the_mean_is_torchvisions_with_other_pools():
    with torch.device("meta"):
        reference = models.Inception3(num_classes=10, init_weights=False, dropout=0.0, aux_logits=False)
    for name, module in reference.named_modules():
        if name.endswith("branch_pool"):  # what torchvision's modules pool goes into it
            module.register_forward_pre_hook(lambda _, pooled: mean_of_the_image(*pooled))
    options = dict(num_classes=10, dropout=0.0, aux_heads=False)
    check_same_outputs("inception_v3", reference, 107, **options)


@pytest.mark.parametrize("count_padding", [True, False])
def test_inception_v2_padding_in_the_mean(count_padding):
    torch.manual_seed(0)
    network = build("inception_v2", num_classes=4, image_size=75, aux_heads=False, count_padding=count_padding).eval()
    maps, pooled = [], []
    for module in (*network.mixed_35, *network.mixed_17, *network.mixed_8):
        module.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0]))
        module.branch_pool.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    network(torch.randn(1, 3, 75, 75))
    assert len(maps) == len(pooled) == 10
    for x, y in zip(maps, pooled, strict=True):
        counted = nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
        torch.testing.assert_close(y, counted if count_padding else mean_of_the_image(counted))


def test_inception_resnet_scales_the_residual():
    torch.manual_seed(0)
    network = build("inception_resnet_v1", num_classes=4, scales=(0.0, 0.1, 0.2)).eval()
    maps = torch.rand(1, 256, 4, 4)
    torch.testing.assert_close(network.block_a(maps), maps)  # scale 0: ReLU of the identity, maps are positive
    block = network.block_b[0]
    maps = torch.rand(1, 896, 4, 4)
    residual = block.conv2d(torch.cat([block.branch0(maps), block.branch1(maps)], 1))
    torch.testing.assert_close(block(maps), torch.relu(maps + 0.1 * residual))


def test_inception_resnet_v2_ends_in_an_unscaled_block_without_relu():
    network = build_meta("inception_resnet_v2")
    scales = {
        name: {block.scale for block in network.get_submodule(name)} for name in ("repeat", "repeat_1", "repeat_2")
    }
    assert scales == {"repeat": {0.17}, "repeat_1": {0.10}, "repeat_2": {0.20}}
    assert network.block8.scale == 1.0
    assert not any(isinstance(module, nn.ReLU) for module in [network.block8.relu])


def test_inception_v4_kernel_orders_differ_where_the_figures_and_the_code_do():
    networks = {order: build_meta("inception_v4", kernel_order=order) for order in ("paper", "released")}

    def kernels(order: str, block: str) -> list[tuple[int, int]]:
        convs = networks[order].get_submodule(block).modules()
        return [m.kernel_size for m in convs if isinstance(m, nn.Conv2d) and m.kernel_size[0] != m.kernel_size[1]]

    assert kernels("paper", "features.4.branch1") == [(7, 1), (1, 7)]
    assert kernels("released", "features.4.branch1") == [(1, 7), (7, 1)]
    assert kernels("paper", "features.11.branch2") == [(1, 7), (7, 1), (1, 7), (7, 1)]
    assert kernels("released", "features.11.branch2") == [(7, 1), (1, 7), (7, 1), (1, 7)]
    for order in ("paper", "released"):
        assert kernels(order, "features.11.branch1") == [(1, 7), (7, 1)]
        assert kernels(order, "features.17") == kernels(order, "features.16")
    assert kernels("paper", "features.19.branch2_1") == [(1, 3)]
    assert kernels("released", "features.19.branch2_1") == [(3, 1)]
