"""How many classes a file of weights is for."""

from __future__ import annotations

from cnnbench.archs.classifiers import classifier_of
from cnnbench.archs.from_config import build_on_meta, weights_file
from cnnbench.archs.weights.keymaps.tables import BACKGROUND_FIRST
from cnnbench.archs.weights.read import read_weights
from cnnbench.archs.weights.sets import choose_set
from cnnbench.config.arch import ArchConfig
from cnnbench.config.weights import WeightsChoice

ILSVRC = 1000


def classes_of_weights(arch: ArchConfig, weights: WeightsChoice) -> tuple[int, tuple[str, ...] | None]:
    """How many classes the weights are for: those of their classifier, without a background that comes first; 1000
    where they have none by its name. And the names of so many that a file of ours has, else None.

    Raises ValueError and UserError for a file that cannot be read."""
    model = build_on_meta(arch, ILSVRC, arch.image_size)
    file = read_weights(weights_file(arch.name, weights.name))
    found, _ = choose_set(file, model, weights.set)
    weight = found.weights.get(f"{classifier_of(model)}.weight")
    classes = ILSVRC if weight is None else len(weight)
    if classes == ILSVRC + 1 and type(model).__name__ in BACKGROUND_FIRST:
        classes = ILSVRC
    return classes, file.classes if len(file.classes or ()) == classes else None
