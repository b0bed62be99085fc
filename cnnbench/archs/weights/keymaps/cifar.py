"""Names in the public repositories of networks for CIFAR."""

from __future__ import annotations

from cnnbench.archs.weights.keymaps.keymap import Keymap, Replacement, counted


def _densenet(block: str, last: str) -> dict[str, Replacement]:
    """Names of a DenseNet whose dense blocks are called `block` and whose last normalisation `last`."""
    return {
        rf"^{block}(\d+)\.(?:layer\.)?(\d+)\.bn": counted("features.denseblock{0}.denselayer{1}.norm", 0, 1),
        rf"^{block}(\d+)\.(?:layer\.)?(\d+)\.conv": counted("features.denseblock{0}.denselayer{1}.conv", 0, 1),
        r"^trans(\d+)\.bn1\.": r"features.transition\1.norm.",
        r"^trans(\d+)\.conv1\.": r"features.transition\1.conv.",
        r"^conv1\.": "features.conv0.",
        rf"^{last}\.": "features.norm5.",
        r"^fc\.": "classifier.",
    }


CIFAR: dict[str, tuple[Keymap, ...]] = {
    "ResNet": (
        Keymap(
            "pytorch-cifar's",
            "kuangliu",
            {r"\bshortcut\.([01])\.": r"downsample.\1.", r"^linear\.": "fc."},
            marks=(r"^linear\.", r"^layer4\.0\.shortcut\.1\."),
        ),
        # It has three stages, and shortcuts without parameters.
        Keymap("pytorch_resnet_cifar10's", "akamaster", {r"^linear\.": "fc."}, centred_zeros=True),
    ),
    "PreActResNet": (
        Keymap(
            "pytorch-cifar's",
            "kuangliu",
            {r"\bshortcut\.0\.": "downsample.", r"^linear\.": "fc."},
            marks=(r"^linear\.", r"^layer4\.0\.shortcut\.0\."),
        ),
        Keymap(
            "WideResNet-pytorch's",
            "xternalz",
            {r"^block(\d+)\.layer\.": r"layer\1.", r"\bconvShortcut\.": "downsample.", r"^bn1\.": "bn."},
            marks=(r"^block1\.layer\.0\.conv1\.", r"^bn1\."),
        ),
        Keymap(
            "wide-resnet.pytorch's",
            "meliketoy",
            {r"\bshortcut\.0\.": "downsample.", r"^bn1\.": "bn.", r"^linear\.": "fc."},
            marks=(r"^linear\.", r"^bn1\.", r"\bshortcut\.0\.bias$"),
        ),
        Keymap(
            "pytorch-classification's",
            "bearpaw",
            {r"\bdownsample\.0\.": "downsample."},
            marks=(r"^layer1\.0\.downsample\.0\.weight$", r"^bn\."),
        ),
    ),
    "DenseNet": (
        Keymap(
            "densenet-pytorch's",
            "andreasveit",
            _densenet("block", "bn1"),
            marks=(r"^block1\.layer\.0\.conv2\.", "^bn1"),
        ),
        Keymap(
            "pytorch-classification's",
            "bearpaw",
            _densenet("dense", "bn"),
            marks=(r"^dense1\.0\.conv2\.", r"^trans1\."),
        ),
    ),
}
