"""All key maps, by the names of the networks' classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cnnbench.archs.weights.keymaps.cifar import CIFAR
from cnnbench.archs.weights.keymaps.ilsvrc import ILSVRC
from cnnbench.archs.weights.keymaps.keras import KERAS
from cnnbench.archs.weights.keymaps.keymap import Keymap
from cnnbench.archs.weights.read import Weights

KEYMAPS: dict[str, tuple[Keymap, ...]] = {
    kind: tuple(keymap for table in (ILSVRC, CIFAR, KERAS) for keymap in table.get(kind, ()))
    for kind in sorted({*ILSVRC, *CIFAR, *KERAS})
}

# Trained by TensorFlow-slim, whose first of 1001 classes is the background; some files still have it.
BACKGROUND_FIRST = ("InceptionV3", "InceptionV4", "InceptionResNetV2")


def renamings(weights: Weights, kind: str, own: Iterable[str] = ()) -> Iterator[tuple[Weights, Keymap | None]]:
    """`weights` as they are, and by the names of the class `kind` if they have those that one of its tables knows.

    `own`: the names of the network's tensors.
    """
    yield dict(weights), None
    for keymap in KEYMAPS.get(kind, ()):
        if keymap.knows(weights):
            yield keymap.apply(weights, own), keymap
