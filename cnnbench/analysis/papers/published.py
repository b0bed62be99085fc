"""The published error that a run is to reach, by its network, recipe, protocol and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnbench.analysis.papers.measured import MeasuredErrors
from cnnbench.archs.facts import facts
from cnnbench.config.fields import plain
from cnnbench.config.protocols import PROTOCOLS
from cnnbench.config.train import TrainConfig

# Our protocols in the words of facts.json: what a paper's word for its test means, where OF_FAMILY says nothing else.
IN_WORDS = {
    "center": ("single crop", "whole image"),
    "ten_crop": ("10 crops",),
    "crops144": ("144 crops",),
    "dense": ("dense",),
    "multiscale_dense": ("multi-scale dense",),
    "multiscale_dense_resnet": ("multi-scale dense",),
}

# (family, word of facts.json) -> the protocol that these papers mean by the word.
OF_FAMILY = {
    ("alexnet", "10 crops"): "ten_crop_square",  # Krizhevsky et al. 2012, sections 2 and 4.1
    ("zfnet", "not stated"): "ten_crop_square",  # the ten crops of its training: Zeiler, Fergus 2014, section 3
    ("inception", "single crop"): "inception",  # the released code, as the next
    ("xception", "single crop"): "inception",
}

# Split of facts.json -> images tested, classes, training images (None: not asked for).
PUBLISHED_SPLITS = {
    "val": (50_000, 1000, None),
    "val_non_blacklisted": (48_238, 1000, None),
    "cifar10_test": (10_000, 10, 50_000),
    "cifar100_test": (10_000, 100, 50_000),
    "mnist_test": (10_000, 10, 60_000),
}

# Row of a ladder -> network of facts.json whose result it is, and the entries that tell it from the others.
LADDERS: dict[str, tuple[str, dict[str, str]]] = {
    "inception_v3/inception_v2": ("inception_v2", {"detail": "base"}),
    "inception_v3/rmsprop": ("inception_v2", {"detail": "+ RMSProp"}),
    "inception_v3/label_smoothing": ("inception_v2", {"detail": "+ label smoothing"}),
    "inception_v3/factorised_7x7": ("inception_v2", {"detail": "+ factorised 7x7 stem"}),
    "inception_v3/bn_auxiliary": ("inception_v2", {"detail": "+ BN-auxiliary"}),
    "plain_residual/resnet18": ("resnet18", {"of": "resnet18 with option A shortcuts"}),
    "plain_residual/resnet34": ("resnet34", {"of": "resnet34 with option A shortcuts", "where": "Tables 2 and 3"}),
}

# Recipes whose errors stand with torchvision's weights, by the end of their name.
TORCHVISION = {"simple90": "IMAGENET1K_V1", "modern": "IMAGENET1K_V2"}

# Top-1 error at 224 pixels, single crop (Wightman et al. 2021, Table 1).
STRIKES_BACK = {("a1", "resnet50"): 19.6, ("a2", "resnet50"): 20.2, ("a3", "resnet50"): 21.9}


@dataclass(frozen=True)
class Published:
    """Errors in percent, None where not stated, on `images` images of `split`; `recipe` is what it was trained by;
    `note`: what is not certain of the published network."""

    top1: float | None
    top5: float | None
    split: str
    images: int
    recipe: str
    source: str
    note: str | None = None

    def error(self, top: int) -> float | None:
        """The top-1 or the top-5 error."""
        return self.top1 if top == 1 else self.top5


def split_of(config: TrainConfig, measured: MeasuredErrors) -> str | None:
    """The published split that `measured` was counted on, or None: then nothing published is comparable."""
    for split, (images, classes, training) in PUBLISHED_SPLITS.items():
        same = measured.n == images and measured.classes in (classes, None)
        fitting = training is None or measured.training_images in (training, None)
        if same and fitting and (split != "mnist_test" or _is_mnist(config.data.path)):
            return split
    return None


def changed_keys(measured: MeasuredErrors, split: str) -> list[str]:
    """What makes `measured` the errors of another test than any published one, as on the command line."""
    changed = {name: value for name, value in measured.changed.items() if name != "scales"}
    return [
        *(f"{name}={plain(value)}" for name, value in changed.items()),
        # best is an epoch chosen on the same images, an earlier one not the run's end
        *([f"checkpoint={measured.checkpoint}"] if measured.checkpoint != "last" else []),
        *([f"labels={measured.labels}"] if measured.labels else []),
        *([f"exclude={measured.exclude}"] if measured.exclude and split != "val_non_blacklisted" else []),
    ]


def published_of(config: TrainConfig, measured: MeasuredErrors, split: str) -> Published | None:
    """The published error that `measured`, counted on `split`, can be held against, if there is one."""
    if changed_keys(measured, split):
        return None
    return published_for(config, measured.protocol, split, measured.changed.get("scales", ()))


def published_for(config: TrainConfig, protocol: str, split: str, scales: Sequence[int] = ()) -> Published | None:
    """What was published for the run's ladder row or network and recipe; a recipe without a figure of its own is held
    against that of the network's paper. `scales`: short sides other than the protocol's own."""
    name = config.arch.name
    if (config.recipe, name) in STRIKES_BACK and protocol == "center":
        error = STRIKES_BACK[config.recipe, name]
        return Published(error, None, "val", PUBLISHED_SPLITS["val"][0], config.recipe, "Wightman et al. 2021, Table 1")
    if config.recipe in TORCHVISION:
        for weights in facts(name)["weights"]:
            if weights["name"].endswith(TORCHVISION[config.recipe]) and protocol == "center":
                source = f"{weights['publisher']}, {weights['name']}"
                return _of(weights | {"split": "val"}, config.recipe, source)
    name, wanted = LADDERS.get(config.ladder or "", (name, {}))
    results = [
        result
        for result in facts(name)["results"]
        if _is_by(name, result, protocol, scales) and result["split"] in PUBLISHED_SPLITS
        if all(result.get(key) == value for key, value in wanted.items()) and (wanted or _is_own(result))
    ]
    results.sort(key=lambda result: result["split"] != split)  # of the same images first; stable
    recipe = config.recipe if config.ladder else config.arch.recipe or "unknown"
    if results and _related(results[0]["split"], split):
        return _of(results[0], recipe, results[0]["where"])
    return None


def held_against_nothing(config: TrainConfig, protocol: str) -> list[str]:
    """What is published by `protocol` under the network's name, and is of a network that differs; a sentence each."""
    name = config.arch.name
    results = [result for result in facts(name)["results"] if "differs" in result and _is_by(name, result, protocol)]
    return [f"{result['top1_err']} ({result['where']}) is of a network with {result['differs']}" for result in results]


def protocols_of(config: TrainConfig) -> list[str]:
    """The protocols by which the network has a published error."""
    name = config.arch.name
    results = [result for result in facts(name)["results"] if _is_own(result)]
    return [protocol for protocol in PROTOCOLS if any(_is_by(name, result, protocol) for result in results)]


def _is_own(result: dict[str, Any]) -> bool:
    """Whether an entry of facts.json is of the network whose entry it is."""
    return "of" not in result and "differs" not in result


def _is_by(name: str, result: dict[str, Any], protocol: str, scales: Sequence[int] = ()) -> bool:
    """Whether an entry of facts.json, of the network `name`, was counted by our `protocol`, at `scales` if there are
    any."""
    tested = result.get("detail", "").rpartition("Q")[2]  # VGG's tests: "=256", "=384" or " in {256, 384, 512}"
    if scales and (len(scales) > 1 or tested != f"={scales[0]}"):
        return False
    if protocol == "dense" and not scales and tested not in ("", "=256"):
        return False
    word = result["protocol"]
    if word == "multi-scale dense" and bool(tested) != (protocol == "multiscale_dense"):
        return False  # VGG's scales, not ResNet's, or the other way about
    meant = OF_FAMILY.get((facts(name)["family"], word))
    return protocol == meant if meant else word in IN_WORDS.get(protocol, ())


def _of(result: dict[str, Any], recipe: str, source: str) -> Published:
    split, mean = result["split"], result.get("mean_top1_err")
    if mean is not None:  # of several runs, the best of which is printed: a run is held against their mean
        result, source = result | {"top1_err": mean}, f"{source}, mean of its runs"
    recipe = "fb_resnet" if source == "fb.resnet.torch" else recipe
    images, note = PUBLISHED_SPLITS[split][0], result.get("note")
    return Published(result["top1_err"], result["top5_err"], split, images, recipe, source, note)


def _related(published: str, measured: str) -> bool:
    """Whether two splits are the same images, or one a part of the other."""
    return published == measured or {published, measured} == {"val", "val_non_blacklisted"}


def _is_mnist(path: str | None) -> bool:
    return path is not None and "mnist" in path.lower() and "fashion" not in path.lower()
