"""How public weight files name what the networks here have, as tables.

Keys of the tables are the names of the networks' classes. timm's names are the same as ours for ResNet, ResNeXt, Wide
ResNet, DenseNet, Inception-v3, Inception-v4, Inception-ResNet-v2 and Xception (there legacy_xception), so that these
need no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cnnbench.archs.weights.read import Weights


@dataclass(frozen=True)
class Keymap:
    """Names of one publisher. `profile`: its label in profiles.py, if it alone uses them.

    `renames`: regular expression -> its replacement; none matches a name of ours. `flattened`: convolutions over a
    whole map that are fully connected layers here, by our names. `centred_zeros`: new channels of a parameterless
    shortcut stand before and after the old ones, not only after them.
    """

    source: str
    profile: str | None
    renames: dict[str, str]
    flattened: tuple[str, ...] = ()
    centred_zeros: bool = False


KEYMAPS: dict[str, tuple[Keymap, ...]] = {
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
    "ResNet": (Keymap("pytorch_resnet_cifar10's", "akamaster", {r"^linear\.": "fc."}, centred_zeros=True),),
}

# Trained by TensorFlow-slim, whose first of 1001 classes is the background; some files still have it.
BACKGROUND_FIRST = ("InceptionV3", "InceptionV4", "InceptionResNetV2")


def renamings(weights: Weights, kind: str) -> Iterator[tuple[Weights, Keymap | None]]:
    """`weights` as they are, and by the names of the class `kind` if they have those that one of its tables knows."""
    yield dict(weights), None
    for keymap in KEYMAPS.get(kind, ()):
        if any(re.search(pattern, key) for pattern in keymap.renames for key in weights):
            yield _renamed(weights, keymap), keymap


def _renamed(weights: Weights, keymap: Keymap) -> Weights:
    result = {}
    for key, value in weights.items():
        for pattern, replacement in keymap.renames.items():
            key = re.sub(pattern, replacement, key)
        result[key] = value.flatten(1) if key in keymap.flattened else value
    return result
