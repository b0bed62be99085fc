"""The keys that follow from the weights: their publisher's images and switches, where the command line says nothing."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from cnnbench.archs.weights.profiles import same
from cnnbench.config.fields import plain as written
from cnnbench.runtime.errors import UserError

# Keys of the command line that say the same as one of `arch`.
OTHER_NAMES = {f"arch.{name}": name for name in ("image_size", "crop_ratio", "interpolation")}


def set_keys_of_weights(composed: DictConfig, words: list[str]) -> list[str]:
    """Set in `composed` what its weights expect, but for what the overrides `words` say; sentences for the user.

    A wish that contradicts the weights is kept, and said. Raises UserError for a publisher or a file that is not known.
    """
    files = composed.get("weights")
    if files is None or "weights_from" not in composed:
        return []
    files = [str(name) for name in files] if isinstance(files, ListConfig) else [str(files)]
    if archs := list(composed.get("archs") or {}):
        files = files * len(archs) if len(files) == 1 else files
        pairs = zip(archs, files, strict=False)  # the command says where they are not as many
        return [
            f"{name}: {note}"
            for name, file in pairs
            for note in _set_keys(composed, name, [file], words, f"archs.{name}")
        ]
    arch = composed.get("arch")
    if arch is None or OmegaConf.is_missing(arch, "name"):
        return []
    return _set_keys(composed, arch.name, files, words, "arch")


def _set_keys(composed: DictConfig, name: str, files: list[str], words: list[str], place: str) -> list[str]:
    """As `set_keys_of_weights`, of the network `name` whose keys stand at `place`."""
    found = [_expected(composed, name, file) for file in files]
    first = found[0]
    if any(each != first for each in found):
        return [f"of several publishers: images are those of arch={name} for all of them"]
    if first is None:
        return [
            f"the file does not tell whose they are: images are those of arch={name}; weights_from=NAME "
            "takes a publisher's (cnnbench zoo weights=true lists them)"
        ]
    typed = {word.lstrip("+~").partition("=")[0] for word in words}
    if place == "arch":
        composed.weights_from = first.label
    notes, changed = [], {}
    if first.arch not in (None, name):
        notes.append(f"cnnbench wrote them for {first.arch}, and here they are of arch={name}")
    for of_arch, value in first.keys.items():
        key = re.sub(r"^arch\.", f"{place}.", of_arch)
        present = _plain(OmegaConf.select(composed, key))
        wish = _wish(composed, key, present, typed)
        if wish is None:
            OmegaConf.update(composed, key, value, force_add=True)
            if not same(present, value):
                changed[key] = value
        elif not same(wish, value):
            notes.append(f"{key}={_text(wish)} is kept as given; weights of {first.label} expect {_text(value)}")
    follow = ", ".join(f"{key}={_text(value)}" for key, value in changed.items())
    said = f"{follow} {'follows' if len(changed) == 1 else 'follow'} from it" if changed else "expected as they are"
    images = "images and switches of the network are " if not changed else ""
    return [f"from {first.label}: {images}{said}", *notes]


def _expected(composed: DictConfig, arch: str, file: str) -> Any:
    from cnnbench.archs.weights.publisher import expected_by  # which imports torch

    try:
        return expected_by(arch, file, composed.weights_from)
    except OSError:
        return None  # the checks of the command say what is wrong with the file
    except ValueError as error:
        raise UserError(str(error)) from error


def _wish(composed: DictConfig, key: str, present: Any, typed: set[str]) -> Any:
    """What the command line says of `key`, itself or by its other name; None where it says nothing."""
    if key in typed or (key.startswith("arch.options.") and "arch.options" in typed):
        return present
    other = OTHER_NAMES.get(key)
    return _plain(composed[other]) if other in typed and other in composed else None


def _plain(value: Any) -> Any:
    return OmegaConf.to_object(value) if OmegaConf.is_config(value) else value


def _text(value: Any) -> str:
    """A value as it is written on the command line, its numbers to six digits."""
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else written(value)
