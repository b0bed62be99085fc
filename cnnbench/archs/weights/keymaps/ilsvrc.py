"""Names in public files of networks for ILSVRC, of torch.

timm's names are the same as ours for ResNet, ResNeXt, Wide ResNet, DenseNet, Inception-v3, Inception-v4,
Inception-ResNet-v2 and Xception (there legacy_xception), so that these need no table.
"""

from __future__ import annotations

from cnnbench.archs.weights.keymaps.keymap import Keymap, Replacement

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


ILSVRC: dict[str, tuple[Keymap, ...]] = {
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
