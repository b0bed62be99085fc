"""Weights from a public or own checkpoint file into a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from cnnbench.archs.classifiers import auxiliary_of, classifier_of
from cnnbench.archs.weights.identify import identify
from cnnbench.archs.weights.keymaps.tables import BACKGROUND_FIRST
from cnnbench.archs.weights.match import match_shapes
from cnnbench.archs.weights.numbers import as_numbers
from cnnbench.archs.weights.read import COUNTER, Weights, WeightsFile, read_weights
from cnnbench.archs.weights.sets import WeightsSet, choose_set, is_counter, largest
from cnnbench.config.fields import AUTO
from cnnbench.config.weights import KEEP
from cnnbench.runtime.errors import printable

LONGEST = 80  # letters of a tensor's name in a message


def load_weights(
    model: nn.Module,
    path: str | Path,
    wanted: str | None = None,
    match: str = "names",
    classifier: str = AUTO,
    classes: Sequence[str] = (),
) -> list[str]:
    """Load the weights in `path` into `model`, in place; what was done besides, a sentence each, for the user.

    Takes every form of forms.py, with names as ours, torchvision's or timm's (keymaps/), in whatever nesting and
    below whatever prefix they lie; of several sets of weights the one called `wanted` (sets.py). Every tensor has to
    fit, except: auxiliary heads may be in the file alone (left out) or in the network alone (they keep their start),
    counters of batches may be missing, and counters that no network has are left out. With `classifier` "new" the
    network's keeps its start, with "keep" the file's has to fit; "auto": the start where the classes are others, in
    number or, as far as both are known, by name. `classes`: the names of the network's, () if they are not known.

    A file cannot tell a ResNet with the stride in the 3x3 convolution ("v1.5", as all of torchvision's are) from one
    with the stride in the 1x1 ("v1"), nor where a parameterless shortcut puts its zeros, nor whether average pools
    count their padding (as those of Inception-v3 by torchvision do): the caller has to know.

    With `match` "shapes", tensors of unknown names are paired by their order and shapes (match.py).

    Raises ValueError, in one sentence, for a file that cannot be read (nothing in it is executed), does not fit or
    holds numbers that are not finite; then `model` is as it was.
    """
    file = read_weights(path)
    own, kind = model.state_dict(), type(model).__name__
    found, notes = choose_set(file, model, wanted)
    weights = dict(found.weights)
    if match == "shapes" and not found.whole:
        weights, paired = match_shapes(largest(file), own)
        notes += paired
    notes += _tell_names(found)
    notes += _match_heads_beside(weights, own, model, file, found) if found.whole else []
    notes += _match_auxiliary(weights, own, model)
    if found.whole:
        notes += _replace_missing_classifier(weights, own, model, path, classifier)
    notes += _match_classifiers(weights, own, model, path, classifier)
    notes += _replace_of_others(weights, own, model, file, classifier, tuple(classes))
    notes += _leave_out_counters(weights, own)
    absent = [key for key in own if key.endswith(f".{COUNTER}") and key not in weights]
    if problem := _misfit({**weights, **{key: own[key] for key in absent}}, own):
        raise ValueError(f"{path} does not fit {kind}: {problem}; {identify(file, model, found)}")
    if absent:
        weights.update({key: own[key] for key in absent})
        notes.append(f"its batch normalisations have no {COUNTER}, as before torch 0.4.1: counted from 0")
    plain, changed = as_numbers({key: value for key, value in weights.items() if value is not own[key]}, own, path)
    weights |= plain
    notes += changed
    if found.keymap and found.keymap.centred_zeros:
        weights = _old_channels_first(weights)
        notes.append("channels reordered: its shortcuts put zeros on both sides of the old channels, here on one")
    model.load_state_dict(weights)
    return notes


def _tell_names(found: WeightsSet) -> list[str]:
    notes = [f"names without their prefix {found.stripped}"] if found.stripped and found.whole else []
    if found.keymap is None:
        return notes
    turned = "; its first convolution takes BGR: turned to RGB" if found.keymap.bgr else ""
    return [*notes, f"renamed from {found.keymap.source} names{turned}"]


def _match_heads_beside(
    weights: Weights, own: Weights, model: nn.Module, file: WeightsFile, found: WeightsSet
) -> list[str]:
    """Add to `weights` a classifier that the file has beside the prefix of the rest, as mmpretrain's do, and say what
    else lies there."""
    beside = {
        name: value
        for name, value in file.tensors.items()
        if name.startswith(found.holder) and not name.startswith(found.prefix)
    }
    notes = []
    if classifier := classifier_of(model):
        missing = [key for key in own if key.startswith(f"{classifier}.") and key not in weights]
        pairs = {key: [name for name in beside if name.endswith(f".{key}")] for key in missing}
        if missing and all(len(names) == 1 for names in pairs.values()):
            taken = {key: names[0] for key, names in pairs.items()}
            weights.update({key: beside.pop(name) for key, name in taken.items()})
            notes.append(f"its classifier {classifier} is {taken[missing[0]].removeprefix(found.holder)}")
    if beside:
        notes.append(f"left out what lies beside it: {_some([name.removeprefix(found.holder) for name in beside])}")
    return notes


def _leave_out_counters(weights: Weights, own: Weights) -> list[str]:
    """Drop from `weights` single numbers and buffers that no network has; a note."""
    extra = [key for key in weights if key not in own and is_counter(key, weights[key])]
    for key in extra:
        del weights[key]
    return [f"left out counters that no network has: {_some(extra)}"] if extra else []


def _match_auxiliary(weights: Weights, own: Weights, model: nn.Module) -> list[str]:
    """Drop from `weights` the auxiliary heads that the network lacks, add those that it has alone; notes."""
    notes = []
    for head in auxiliary_of(model):
        theirs, ours = _below(head, weights), _below(head, own)
        if theirs and not ours:
            for key in theirs:
                del weights[key]
            notes.append(f"left out its auxiliary head {head}: the network is built without")
        elif ours and not theirs:
            weights.update({key: own[key] for key in ours})
            notes.append(f"it has no auxiliary head {head}: the network's is untrained")
    return notes


def _replace_missing_classifier(
    weights: Weights, own: Weights, model: nn.Module, path: str | Path, classifier: str
) -> list[str]:
    """Put the network's own start for a classifier in `weights` that have none, or another kind of head; a note."""
    layer = classifier_of(model)
    if not layer or all(key in weights for key in _below(layer, own)):
        return []
    theirs = _below(layer, weights)
    if classifier == KEEP:
        head = f"its head is {_some(theirs)}" if theirs else "it has none"
        raise ValueError(f"{path} has no classifier {layer}: {head}; such weights are for training to start from")
    for key in theirs:
        del weights[key]
    weights.update({key: own[key] for key in _below(layer, own)})
    return [f"new classifier {layer}: {f'left out {_some(theirs)}' if theirs else 'the file has none'}"]


def _match_classifiers(
    weights: Weights, own: Weights, model: nn.Module, path: str | Path, classifier: str
) -> list[str]:
    """Put the network's own start for classifiers in `weights` that are for another number of classes; notes."""
    notes, kind = [], type(model).__name__
    for layer in (classifier_of(model), *auxiliary_of(model).values()):
        keys = [key for key in _below(layer, own) if key in weights and own[key].dim()] if layer else []
        if all(weights[key].shape == own[key].shape for key in keys):
            continue
        if any(weights[key].shape[1:] != own[key].shape[1:] for key in keys):
            continue  # not only the classes differ: another network
        theirs, ours = len(weights[keys[0]]), len(own[keys[0]])
        if (theirs, ours) == (1001, 1000) and kind in BACKGROUND_FIRST:
            weights.update({key: weights[key][1:] for key in keys})
            notes.append(f"dropped the background, first of the 1001 classes of its {layer}")
        elif classifier != KEEP:
            weights.update({key: own[key] for key in keys})
            notes.append(f"new classifier {layer}: {theirs} classes in the file, {ours} in the network")
        else:
            raise ValueError(
                f"{path} does not fit {kind}: its classifier {layer} has {theirs} classes in the file and {ours} in "
                "the network"
            )
    return notes


def _replace_of_others(
    weights: Weights, own: Weights, model: nn.Module, file: WeightsFile, classifier: str, classes: tuple[str, ...]
) -> list[str]:
    """Put the network's own start for classifiers in `weights` that are of as many classes but of others, or are not
    wanted; a note, also where nobody knows whether they are."""
    layers = [layer for layer in (classifier_of(model), *auxiliary_of(model).values()) if layer]
    keys = {layer: [key for key in _below(layer, own) if weights.get(key) is not own[key]] for layer in layers}
    kept = [layer for layer in layers if keys[layer]]
    if classifier == KEEP or not kept:
        return []
    if classifier == AUTO and classes and file.classes is None:
        return [f"its classifier {kept[0]} is kept, of classes that it does not name; weights_classifier=new draws one"]
    if classifier == AUTO and (not classes or file.classes == classes):
        return []
    weights.update({key: own[key] for layer in kept for key in keys[layer]})
    others = [printable(name) for name in file.classes or ()]
    why = f"the file's is of other classes, {_some(others)}; weights_classifier=keep takes it"
    return [f"new classifier {', '.join(kept)}: {why if classifier == AUTO else 'by weights_classifier=new'}"]


def _misfit(weights: Weights, own: Weights) -> str | None:
    """What keeps `weights` from being loaded, or None."""
    missing, unknown = [key for key in own if key not in weights], [key for key in weights if key not in own]
    if missing or unknown:
        parts = [f"lacks {_some(missing)}"] if missing else []
        parts += [f"has {_some(unknown)} too many"] if unknown else []
        return f"it {' and '.join(parts)}"
    for key, value in own.items():
        if weights[key].shape != value.shape:
            return f"{key} is {tuple(weights[key].shape)} in the file and {tuple(value.shape)} in the network"
    return None


def _old_channels_first(weights: Weights) -> Weights:
    """The same function for shortcuts that put new channels after the old ones instead of half of them before.

    `weights`: of a network of basic blocks whose every stage after the first doubles the channels. Each stage's
    residual stream is permuted: the channels that come from the stage before to the front.
    """
    result = dict(weights)
    order = torch.arange(len(weights["bn1.weight"]))
    for stage in sorted({key.partition(".")[0] for key in weights if key.startswith("layer")}):
        for block in range(len({key.split(".")[1] for key in _below(stage, weights)})):
            unit = f"{stage}.{block}"
            result[f"{unit}.conv1.weight"] = weights[f"{unit}.conv1.weight"][:, order]
            width, old = len(weights[f"{unit}.conv2.weight"]), len(order)
            if width > old:
                before = (width - old) // 2
                order = torch.cat([order + before, torch.arange(before + old, width), torch.arange(before)])
            for name in (
                "conv2.weight",
                *(f"bn2.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
            ):
                result[f"{unit}.{name}"] = weights[f"{unit}.{name}"][order]
    result["fc.weight"] = weights["fc.weight"][:, order]
    return result


def _below(module: str, weights: Weights) -> list[str]:
    return [key for key in weights if key.startswith(f"{module}.")]


def _some(names: list[str]) -> str:
    shown = [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
