"""Names in public files of networks for ILSVRC, of torch.

timm's names are the same as ours for ResNet, ResNeXt, Wide ResNet, DenseNet, Inception-v3, Inception-v4,
Inception-ResNet-v2 and Xception (there legacy_xception), so that these need no table.
"""

from __future__ import annotations

from cnnbench.archs.weights.keymaps.keymap import Keymap, Replacement, counted

# Layers of a module, as Caffe's model and its copy in pretrained-models.pytorch call them -> ours.
BN_INCEPTION_LAYERS = {
    "1x1": "branch1",
    "3x3_reduce": "branch2.0",
    "3x3": "branch2.1",
    "double_3x3_reduce": "branch3.0",
    "double_3x3_1": "branch3.1",
    "double_3x3_2": "branch3.2",
    "pool_proj": "branch4.1",
}
BN_INCEPTION_STEM = {"conv1_7x7_s2": "conv1", "conv2_3x3_reduce": "conv2", "conv2_3x3": "conv3"}

# The same of the GoogLeNet that Google released in 2015 (inception5h), as torch-lucent calls them.
INCEPTION5H_LAYERS = {
    "1x1": "branch1",
    "3x3_bottleneck": "branch2.0",
    "3x3": "branch2.1",
    "5x5_bottleneck": "branch3.0",
    "5x5": "branch3.1",
    "pool_reduce": "branch4.1",
}


def _bn_inception() -> dict[str, Replacement]:
    names: dict[str, Replacement] = {r"^last_linear\.": "fc."}
    for theirs, ours in BN_INCEPTION_STEM.items():
        names |= {rf"^{theirs}\.": f"{ours}.conv.", rf"^{theirs}_bn\.": f"{ours}.bn."}
    for theirs, ours in BN_INCEPTION_LAYERS.items():
        names |= {
            rf"^inception_(\w\w)_{theirs}\.": rf"inception.\1.{ours}.conv.",
            rf"^inception_(\w\w)_{theirs}_bn\.": rf"inception.\1.{ours}.bn.",
        }
    return names


def _inception5h() -> dict[str, Replacement]:
    names: dict[str, Replacement] = {
        rf"^conv2d{number}_pre_relu_conv\.": f"conv{number + 1}.conv." for number in range(3)
    }
    for theirs, ours in INCEPTION5H_LAYERS.items():
        names[rf"^mixed(\w\w)_{theirs}_pre_relu_conv\."] = rf"inception\1.{ours}.conv."
    return names | {r"^softmax2_pre_activation_matmul\.": "fc."}


# pycls: the convolutions of a block are a, b, c; its stages s1 to s4 and their blocks are counted from 1.
PYCLS: dict[str, Replacement] = {
    r"^stem\.conv\.": "conv1.",
    r"^stem\.bn\.": "bn1.",
    r"^s(\d)\.b(\d+)\.proj\.": counted("layer{0}.{1}.downsample.0.", 0, -1),
    r"^s(\d)\.b(\d+)\.bn\.": counted("layer{0}.{1}.downsample.1.", 0, -1),
    **{
        rf"^s(\d)\.b(\d+)\.f\.{letter}{theirs}\.": counted(f"layer{{0}}.{{1}}.{ours}{number}.", 0, -1)
        for number, letter in enumerate("abc", 1)
        for theirs, ours in (("", "conv"), ("_bn", "bn"))
    },
    r"^head\.fc\.": "fc.",
}

# Hugging Face's transformers: stages, blocks and the layers of a block are counted from 0.
TRANSFORMERS: dict[str, Replacement] = {
    r"^(?:resnet\.)?embedder\.embedder\.convolution\.": "conv1.",
    r"^(?:resnet\.)?embedder\.embedder\.normalization\.": "bn1.",
    r"^(?:resnet\.)?encoder\.stages\.(\d)\.layers\.(\d+)\.shortcut\.convolution\.": counted(
        "layer{0}.{1}.downsample.0.", 1, 0
    ),
    r"^(?:resnet\.)?encoder\.stages\.(\d)\.layers\.(\d+)\.shortcut\.normalization\.": counted(
        "layer{0}.{1}.downsample.1.", 1, 0
    ),
    r"^(?:resnet\.)?encoder\.stages\.(\d)\.layers\.(\d+)\.layer\.(\d)\.convolution\.": counted(
        "layer{0}.{1}.conv{2}.", 1, 0, 1
    ),
    r"^(?:resnet\.)?encoder\.stages\.(\d)\.layers\.(\d+)\.layer\.(\d)\.normalization\.": counted(
        "layer{0}.{1}.bn{2}.", 1, 0, 1
    ),
    r"^classifier\.1\.": "fc.",
}

ILSVRC: dict[str, tuple[Keymap, ...]] = {
    "ResNet": (
        Keymap("pycls's", "pycls", PYCLS, marks=(r"^s1\.b1\.f\.a\.weight$",), bgr=("conv1.weight",)),
        Keymap("transformers'", None, TRANSFORMERS, marks=(r"embedder\.embedder\.convolution\.weight$",)),
    ),
    "VGG": (
        Keymap(
            "timm's",
            "timm:tv_in1k",
            {
                r"^pre_logits\.fc1\.": "classifier.0.",
                r"^pre_logits\.fc2\.": "classifier.3.",
                r"^head\.fc\.": "classifier.6.",
            },
            flattened=("classifier.0.weight", "classifier.3.weight"),
        ),
    ),
    # torchvision's published files are older than its own names: denselayer1.norm.1.weight
    "DenseNet": (Keymap("torchvision's first", None, {r"(\.denselayer\d+\.(?:norm|conv))\.([12])\.": r"\1\2."}),),
    "InceptionResNetV2": (Keymap("pretrained-models.pytorch's", "cadene", {r"^last_linear\.": "classif."}),),
    "Xception": (Keymap("pretrained-models.pytorch's", "cadene", {r"^last_linear\.": "fc."}),),
    "BNInception": (Keymap("pretrained-models.pytorch's", "cadene", _bn_inception(), bgr=("conv1.conv.weight",)),),
    "GoogLeNet": (Keymap("torch-lucent's", "lucent", _inception5h()),),
}
