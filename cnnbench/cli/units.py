"""Values as other harnesses write them, brought into the form that they have here; ValueError where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable

from cnnbench.cli.options import options_of_group
from cnnbench.config.devices import DEVICES

PRECISIONS = {
    **dict.fromkeys(("16", "16-mixed", "16-true", "half", "float16", "fp16-mixed", "amp", "amp_fp16", "mixed"), "fp16"),
    **dict.fromkeys(("bf16-mixed", "bf16-true", "bfloat16", "amp_bf16"), "bf16"),
    **dict.fromkeys(("32", "fp32", "32-true", "full", "single", "float", "no"), "float32"),
}
POLICIES = {
    "rand": "randaugment",
    "ra": "randaugment",
    "randaug": "randaugment",
    "augmix": "augmix",
    "aa": "autoaugment",
}
POLICIES |= dict.fromkeys(("ta_wide", "ta", "trivial", "trivialaugment", "trivial_augment"), "trivialaugment")
POLICIES |= dict.fromkeys(("imagenet", "original", "v0", "autoaugment", "auto_augment", "originalr"), "autoaugment")


def _switch(value: str, _: str) -> str:
    return {"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false"}.get(value.lower(), value.lower())


def _duration(value: str, _: str) -> str:
    """Epochs, of 10ep too; composer's other units are no whole passes."""
    if match := re.fullmatch(r"(\d+(?:\.\d*)?)(?:ep)?", value):
        return match[1]
    raise ValueError("it is given in epochs here")


def _hours(value: str, _: str) -> str:
    """Of Lightning's DD:HH:MM:SS, or a number of hours as it is."""
    parts = [float(part) for part in value.split(":")]
    if len(parts) == 1:
        return value
    days, hours, minutes, seconds = [0.0] * (4 - len(parts)) + parts
    return f"{24 * days + hours + minutes / 60 + seconds / 3600:g}"


def _list(value: str, _: str) -> str:
    return "[" + ",".join(re.findall(r"[^\s,()\[\]]+", value)) + "]"


def _name(value: str, _: str) -> str:
    return normal(value.rpartition(".")[2])


def _network(value: str, _: str) -> str:
    """The key whose letters and digits are those of `value`, less a package in front and timm's tag behind."""
    bare = re.sub(r"^(torchvision\.models\.|models\.|timm/|timm\.|tv_)", "", value).partition(".")[0]
    same = [known for known in options_of_group("arch") if _letters(known) == _letters(bare)]
    return value if value in same or not same else same[0]


def _policy(value: str, word: str) -> str:
    """Of timm's rand-m9-mstd0.5 the strength too; of a switch the policy that the `word` itself names."""
    kind, *details = value.lower().split("-")
    name = POLICIES.get(kind) or POLICIES.get(word.lower(), "randaugment")
    found = dict(re.findall(r"(mstd|m|n)(\d+(?:\.\d+)?)", "-".join(details)))
    keys = {"m": "magnitude", "mstd": "magnitude_std", "n": "count"}
    return name + "".join(f" augment.policy.{keys[short]}={number}" for short, number in found.items())


def _how_many(value: str, _: str) -> str:
    """The number of items of 0,1,2,3, and a number as it is."""
    items = re.findall(r"\d+", value)
    return str(len(items)) if len(items) > 1 or value.startswith("[") else value


def _side(value: str, _: str) -> str:
    """The last of 3,224,224 or 224x224."""
    numbers = re.findall(r"\d+", value)
    return numbers[-1] if len(numbers) > 1 or value.startswith("[") else value


def _recipe(value: str, _: str) -> str:
    return re.sub(r"\.ya?ml$", "", value.rpartition("/")[2])


def _device(value: str, _: str) -> str:
    """auto takes the accelerator that there is; of a kind with a number the kind, for each process takes its own."""
    kind = value.lower().partition(":")[0]
    return kind if kind in DEVICES else "auto" if re.fullmatch(r"gpus?|\d+", kind) else value


UNITS: dict[str, Callable[[str, str], str]] = {
    "as it is": lambda value, _: value,
    "switch": _switch,
    "duration": _duration,
    "hours": _hours,
    "list": _list,
    "name": _name,
    "data set": lambda value, _: value,
    "network": _network,
    "precision": lambda value, _: PRECISIONS.get(value.lower(), value),
    "policy": _policy,
    "how many": _how_many,
    "side": _side,
    "recipe": _recipe,
    "device": _device,
    "fill": lambda value, _: {"const": "mean", "pixel": "noise", "rand": "noise"}.get(value, value),
}


def normal(word: str) -> str:
    """A word in lower case, with _ for -."""
    return word.lower().replace("-", "_")


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
