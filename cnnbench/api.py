"""cnnbench in Python, for notebooks: what `import cnnbench` offers. docs/python.md has examples.

Images are made, and answers counted, as by the commands of the same names. A mistake raises
`cnnbench.runtime.errors.UserError`, one sentence with the fix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from cnnbench.archs.facts import facts
from cnnbench.archs.forward_pass import in_inference
from cnnbench.archs.from_config import build_network
from cnnbench.archs.layer_names import layer_names
from cnnbench.archs.registry import names
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import config_of
from cnnbench.config.data import SourceConfig, check_source
from cnnbench.config.evaluate import EvalConfig
from cnnbench.config.features import ALL
from cnnbench.config.fields import check_fields
from cnnbench.config.image_size import input_size
from cnnbench.config.predict import PICTURES, as_eval
from cnnbench.config.protocols import PROTOCOLS
from cnnbench.config.weights import WeightsChoice
from cnnbench.data.decode.engines import choose_engine, make_engine
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.images import Images, split_of
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.evaluation.command import predictions_by
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members, split_and_targets
from cnnbench.evaluation.errors import Evaluation, evaluation_of
from cnnbench.evaluation.features import Extractor, find_points
from cnnbench.evaluation.member import member_network, transform_of
from cnnbench.evaluation.predict import Answered, answers_of, classes_of
from cnnbench.runs.trained_model import TrainedModel
from cnnbench.runtime.devices import choose_device, device_of
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError, nearest

FEW = 64  # images for which no worker processes are started
SPLITS = ("val", "train")


@dataclass(frozen=True, repr=False)
class Model:
    """A network with the images that it takes and the names of its classes.

    `network`: a torch module in inference mode on `device`; train it, change it or call it as any other: the functions
    below use it as it is, in inference mode, and leave it in the mode that it had. It has `forward_features`,
    `get_classifier`, `num_classes`, `num_features` and `reset_classifier`. `classes`: in the order of its logits.
    """

    network: nn.Module
    classes: tuple[str, ...]
    device: torch.device
    member: EnsembleMember

    def __repr__(self) -> str:
        return f"<{self.title}; {len(self.classes)} classes, images of {self.image_size} pixels, on {self.device}>"

    @property
    def title(self) -> str:
        """What it is, in words."""
        return self.member.trained_model.title

    @property
    def image_size(self) -> int:
        """Side of the images that the network takes, pixels."""
        return input_size(self.member.settings)

    def layers(self) -> list[str]:
        """The names of its layers, in the order of the forward pass: those that `features` takes."""
        return list(layer_names(self.network, self.image_size, self.member.arch.in_channels))

    def to(self, device: str | torch.device) -> Model:
        """The same network, moved to `device`, as the key `device` or as torch names it, "cuda:1". Raises UserError."""
        if isinstance(device, str):
            kind, _, number = device.partition(":")
            check_fields(replace(self.member.settings, device=kind))
            chosen = choose_device(kind)
            where = torch.device(device) if number else device_of(0, chosen)
        else:
            where = device
        return replace(self, network=self.network.to(where), device=where)

    def preprocess(self, images: Any) -> torch.Tensor:
        """The centre crop of each image, normalised, (N, C, H, W) on `device` and of the type of the weights: what
        `network` takes.

        `images` as `predict` takes them. Raises UserError for one that cannot be decoded."""
        split = split_of(images)
        transform, data = transform_of(self.member), self.member.settings.data
        open_ = make_engine(choose_engine(data.engine), seconds=data.max_seconds)
        slots = np.empty((len(split), transform.size, transform.size, self.member.arch.in_channels), np.uint8)
        for index, slot in enumerate(slots):
            picture = open_picture(split.read(index), split.name(index), open_, split.max_megapixels)
            transform(picture, 0, index, slot, np.empty(0))
        batch = Batch(torch.from_numpy(slots), torch.zeros(len(split)), torch.zeros(len(split), 0))
        prepared = Normalise(self.member.arch, self.device, self.member.settings.channels_last)(batch)
        return prepared.to(_type_of(self.network))

    def predict(self, images: Any, top: int = 5) -> list[Answered]:
        """As the function `predict`."""
        return predict(self, images, top)

    def features(self, images: Any, layer: str | Sequence[str], average: bool = False) -> Any:
        """As the function `features`."""
        return features(self, images, layer, average)

    def evaluate(self, data: str | Path | Images | None = None, protocol: str = "center") -> Evaluation:
        """As the function `evaluate`."""
        return evaluate(self, data, protocol)


def load(
    arch: str,
    weights: str | Path | None = None,
    num_classes: int | None = None,
    device: str = "auto",
    overrides: Sequence[str] = (),
) -> Model:
    """The network `arch`, a key of `cnnbench zoo`, with `weights`: a file, "torchvision", or None for its paper's first
    weights, drawn from torch's generator, and `num_classes` (default: the paper's).

    `overrides`: keys of `cnnbench predict` as on its command line, such as "arch.options.lrn=caffe"; without weights
    those of `arch` alone. Raises UserError.
    """
    if arch not in names():
        raise UserError(f"unknown network '{arch}'{nearest(arch, names())}; `cnnbench zoo` lists them")
    words = [f"arch={arch}", *overrides]
    if weights is not None:
        if num_classes is not None:
            raise UserError("num_classes is for a network without weights: those of a file are as many as it has")
        return _model([*words, f"weights={_quoted(weights)}", f"device={device}"], PICTURES)
    words += [] if num_classes is None else [f"num_classes={num_classes}"]
    described = config_of(COMMANDS["describe"], words)
    arch_config = described.arch
    count = described.num_classes or facts(arch)["num_classes"] or len(class_names())
    classes = tuple(class_names()) if count == len(class_names()) else tuple(map(str, range(count)))
    trained = TrainedModel(f"{arch}, untrained", arch_config, WeightsChoice("none"), None, None)
    settings = EvalConfig(arch=arch_config, device=device, data=replace(EvalConfig().data, path=PICTURES))
    check_fields(settings)
    where = device_of(0, choose_device(device))
    network = build_network(arch_config, count, arch_config.image_size).to(where).eval()
    return Model(network, classes, where, EnsembleMember(trained, arch_config, settings))


def load_run(
    run: str | Path,
    checkpoint: Literal["last", "best"] = "last",
    weights_kind: Literal["raw", "averaged"] = "raw",
    device: str = "auto",
    overrides: Sequence[str] = (),
) -> Model:
    """The network of a run, a folder or a name in runs/, with its images and classes. Raises UserError."""
    words = [f"run={_quoted(run)}", f"checkpoint={checkpoint}", f"weights_kind={weights_kind}", f"device={device}"]
    return _model([*words, *overrides], None)


def open_data(data: str | Path = "sample", split: str = "val", classes: str | Path | None = None) -> Images:
    """The images of `split`, "val" or "train", of a data set in any layout that `data=` takes. `classes`: a file with
    the names of those to use, one on each line. Raises UserError."""
    if split not in SPLITS:
        raise UserError(f"split={split} is unknown{nearest(split, SPLITS)}; choose one of {', '.join(SPLITS)}")
    source = SourceConfig(path=str(data), classes=None if classes is None else str(classes))
    check_source(source)
    return Images(read_split(source, split))


def predict(model: Model, images: Any, top: int = 5) -> list[Answered]:
    """The `top` (1 to 5) most probable classes of each image, as `cnnbench predict`.

    `images`: one image or a sequence of them, each a path, the bytes of a file, a picture of Pillow, or an array uint8
    (H, W, 3); a folder; or Images. One that cannot be decoded has no answers and says why, in `broken`.
    """
    if not 1 <= top <= 5:
        raise UserError(f"top={top} is out of range: it must be at least 1 and at most 5")
    split = replace(split_of(images), classes=model.classes)
    broken: dict[int, str] = {}
    nothing = np.zeros((len(split), 1), np.int64)
    _check_classes(model)
    pair = (_for_few(model.member, len(split)), model.network)
    with _used(model.network):
        found = predictions_by(
            [pair], split, nothing, Process(), model.device, lambda loader: broken.update(loader.broken)
        )
    return list(answers_of(found, split, broken, top))


def features(model: Model, images: Any, layer: str | Sequence[str], average: bool = False) -> Any:
    """What passes at `layer` for each image, float32 `(N, *shape)`, as `cnnbench features`; of several layers, or of
    "all", a dict by their names. `images` as `predict` takes them; `average`: of maps the mean over all places.

    Raises UserError for a layer that is not there, with the nearest names, and for an image that cannot be decoded.
    """
    layers = [layer] if isinstance(layer, str) else list(layer)
    if not layers:
        raise UserError("no layer is given: name one of model.layers(), or several in a list")
    split = split_of(images)
    points = find_points(model.network, model.member, layers)
    member = _for_few(model.member, len(split))
    extractor = Extractor(member, model.network, points, model.device, average)
    values = {name: np.empty((len(split), *shape), np.float32) for name, shape in extractor.shapes().items()}
    with _used(model.network):
        for batch in extractor.batches(split):
            for why in batch.broken.values():
                raise UserError(why)
            for name, value in batch.values.items():
                values[name][batch.start : batch.start + len(value)] = value
    return values[layer] if isinstance(layer, str) and layer != ALL else values


def evaluate(model: Model, data: str | Path | Images | None = None, protocol: str = "center") -> Evaluation:
    """The errors of `model` on the val split of a data set (default: the run's), or on Images, by a protocol of
    docs/evaluation.md, as `cnnbench eval` counts them, in this process. Raises UserError."""
    if protocol not in PROTOCOLS:
        raise UserError(f"protocol={protocol} is unknown{nearest(protocol, PROTOCOLS)}")
    settings = replace(model.member.settings, protocol=protocol)
    member = replace(model.member, settings=settings)
    if isinstance(data, Images):
        split = data.split.counted_in(model.classes) if set(data.classes) <= set(model.classes) else data.split
        targets = split.labels[:, None]
    else:
        if data is None and model.member.trained_model.trained is None:
            raise UserError("no images are given: evaluate(model, DATA), a path or what open_data gives")
        source = settings.data if data is None else replace(settings.data, path=str(data), classes=None)
        check_source(source)
        split, targets = split_and_targets(replace(member, settings=replace(settings, data=source)))
    if len(split.classes) != len(model.classes):
        raise UserError(f"the images have {len(split.classes)} classes, and the network gives {len(model.classes)}")
    _check_classes(model)
    pair = (_for_few(member, len(split)), model.network)
    with _used(model.network):
        found = predictions_by([pair], split, targets, Process(), model.device)
    return evaluation_of(found, member.protocol)


def _model(words: list[str], data: str | None) -> Model:
    """The model that `words` of `cnnbench predict` name; `data`: what its images are called, None: those of its run."""
    config = config_of(COMMANDS["predict"], [*words, f"files=[{_quoted(PICTURES)}]"])
    (member,) = ensemble_members(as_eval(config, data))
    device = device_of(0, choose_device(config.device))
    classes = classes_of(member.trained_model, config.data.classes)
    return Model(member_network(member, len(classes), device, print).eval(), classes, device, member)


def _type_of(network: nn.Module) -> torch.dtype:
    """Of the weights, float32 unless somebody changed it."""
    return next((each.dtype for each in network.parameters() if each.is_floating_point()), torch.float32)


@contextmanager
def _used(network: nn.Module) -> Iterator[None]:
    """`network` in inference mode, its images of the type of its weights; afterwards in the mode that it had."""
    dtype = _type_of(network)
    hook = network.register_forward_pre_hook(lambda _, inputs: tuple(each.to(dtype) for each in inputs))
    try:
        with in_inference(network):
            yield
    finally:
        hook.remove()


def _check_classes(model: Model) -> None:
    """Raise UserError for a network whose classifier was replaced by one of another number of classes."""
    count = getattr(model.network, "num_classes", len(model.classes))
    if count != len(model.classes):
        raise UserError(
            f"the network gives {count} logits, and the model names {len(model.classes)} classes: name them, as in "
            "dataclasses.replace(model, classes=(...))"
        )


def _for_few(member: EnsembleMember, images: int) -> EnsembleMember:
    """`member`, whose loader starts no processes for a few images."""
    if images > FEW:
        return member
    data = replace(member.settings.data, workers=0)
    return replace(member, settings=replace(member.settings, data=data))


def _quoted(path: str | Path) -> str:
    """A path as a value of the command line."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
