"""What `cnnbench look` looks at: a trained network, one picture, and images of a split."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from cnnbench.analysis.look.network import Network, network_of, require_unit
from cnnbench.analysis.look.units import Survey, survey
from cnnbench.archs.capture import capture
from cnnbench.archs.forward_pass import Point
from cnnbench.config.image_size import input_size
from cnnbench.config.look import LookConfig, check_patch
from cnnbench.config.predict import as_eval
from cnnbench.data.layouts.ilsvrc import class_in_words
from cnnbench.data.layouts.pictures import pictures
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.loader import BROKEN_LABEL, loader_of
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import Transform
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members, split_and_targets
from cnnbench.evaluation.member import member_network, transform_of
from cnnbench.evaluation.predict import classes_of
from cnnbench.runtime.devices import choose_device, choose_workers, device_of
from cnnbench.runtime.errors import UserError, nearest
from cnnbench.runtime.progress import tqdm


@dataclass(frozen=True)
class SplitImages:
    """Images of a split, as evaluation sees them. `numbers`: those that are looked through."""

    split: Split
    numbers: tuple[int, ...]
    transform: Transform
    normalise: Normalise
    config: LookConfig

    def batches(
        self, numbers: tuple[int, ...], title: str
    ) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor, np.ndarray]]:
        """Of the images `numbers`, config.batch at a time: numbers, float (N, C, H, W), labels int64 (N,) and pixels
        uint8 (N, H, W, C). Images that cannot be decoded are left out."""
        size, data = self.config.batch, self.config.data
        order = [
            [SampleKey(0, number) for number in numbers[first : first + size]] for first in range(0, len(numbers), size)
        ]
        workers = choose_workers(data.workers, 1) if len(numbers) > size else 0
        with loader_of(self.split, self.transform, data, order, workers, False) as loader:
            bar = tqdm(loader, title, len(order), leave=False, delay=2, disable=None, unit="batch")
            for keys, batch in zip(order, bar, strict=True):
                whole = (batch.labels != BROKEN_LABEL).numpy()
                some = [key.image for key, good in zip(keys, whole, strict=True) if good]
                if some:
                    device = self.normalise.device
                    kept = torch.from_numpy(whole)
                    images, labels = self.normalise(batch)[kept.to(device)], batch.labels[kept].to(device)
                    yield some, images, labels, batch.images.numpy()[whole].copy()
        self._tell(loader.broken, len(numbers))

    def _tell(self, broken: dict[int, str], asked: int) -> None:
        """Name the images that could not be decoded. UserError if that is all of them."""
        if len(broken) == asked:
            raise UserError(next(iter(broken.values())))
        for why in broken.values():
            print(f"left out: {why}", file=sys.stderr)

    def all(self, title: str) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Numbers and images of all that are looked through."""
        for some, images, _, _ in self.batches(self.numbers, title):
            yield some, images

    def first(self, most: int) -> tuple[int, ...]:
        """At most `most` of `numbers`, evenly over them."""
        return tuple(self.numbers[i] for i in np.unique(np.linspace(0, len(self.numbers) - 1, most, dtype=int)))


@dataclass(frozen=True)
class Subject:
    """All that the pictures are drawn from.

    `pixels` uint8 (side, side, C) and `image` float (1, C, side, side): the part of the picture that the network sees.
    `ids`: of the classes, as the network has them. `split`: None where there is no data.
    """

    config: LookConfig
    title: str
    network: Network
    pixels: np.ndarray
    image: torch.Tensor
    ids: tuple[str, ...]
    split: SplitImages | None

    @property
    def side(self) -> int:
        return self.image.shape[3]

    @cached_property
    def probabilities(self) -> np.ndarray:
        """What the network answers to the picture: float (classes,)."""
        with torch.inference_mode():
            return self.network.model(self.image).softmax(1)[0].cpu().numpy()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes as people read them."""
        return tuple(map(class_in_words, self.ids))

    @cached_property
    def target(self) -> int:
        """The class that is asked for: config.target, else the network's answer. UserError for one it does not have."""
        wish, last = self.config.target, len(self.ids) - 1
        if wish is None:
            return int(self.probabilities.argmax())
        found = [number for number, names in enumerate(zip(self.ids, self.classes, strict=True)) if wish in names]
        if not found and wish.isdigit() and int(wish) <= last:
            return int(wish)
        if len(found) != 1:
            many = f"has the numbers {', '.join(map(str, found))}: give one of them"
            none = f"is not a class{nearest(wish, self.classes)}; give a name, or a number from 0 to {last}"
            raise UserError(f"target={wish} {many if found else none}")
        return found[0]

    @cached_property
    def survey(self) -> Survey:
        """What is seen over the images of the split. UserError without data."""
        return survey(self.network, self.layer, self.images.all("looking through"))

    @property
    def images(self) -> SplitImages:
        """The images of the split. UserError without data."""
        if self.split is None:
            raise UserError("images of a split are needed: give data=PATH")
        return self.split

    @cached_property
    def layer(self) -> Point:
        """The layer that is looked at."""
        return self.network.last_map if self.config.layer is None else self.network.find(self.config.layer)

    @cached_property
    def values(self) -> torch.Tensor:
        """What the layer gives for the picture: (C, H, W) or (C,)."""
        with torch.inference_mode(), capture(self.network.model, {"layer": self.layer}) as run:
            return run(self.image)["layer"][0]

    @cached_property
    def units(self) -> list[int]:
        """The channels of the layer, the one that answers most to the picture first."""
        return self.values.reshape(len(self.values), -1).amax(1).argsort(descending=True, stable=True).tolist()

    @cached_property
    def unit(self) -> int:
        """The channel that is looked at. UserError if the layer has none of that number."""
        if self.config.unit is None:
            return self.units[0]
        require_unit(self.network, self.layer, self.config.unit)
        return self.config.unit

    @cached_property
    def place(self) -> tuple[int, int]:
        """Where in its map that channel answers most: row and column."""
        row, column = divmod(int(self.values[self.unit].argmax()), self.values.shape[2])
        return row, column

    @property
    def layer_name(self) -> str:
        return self.config.layer or self.network.called(self.layer)


def find_subject(config: LookConfig) -> Subject:
    """What `config` names. UserError for a run, a picture or data that cannot be read, or a patch larger than it."""
    (member,) = ensemble_members(as_eval(config, None))
    check_patch(config, input_size(member.settings))
    device = device_of(0, choose_device(config.device))
    split, ids = _split_and_classes(config, member)
    size, channels = input_size(member.settings), member.arch.in_channels
    model = member_network(member, len(ids), device, print)
    network = network_of(member.arch.name, model, size, channels)
    normalise = Normalise(member.arch, device, member.settings.channels_last)
    picture = pictures([str(config.image)], ids, config.data.max_megapixels)
    one = SplitImages(picture, (0,), transform_of(member), normalise, config)
    ((_, image, _, pixels),) = one.batches((0,), "the picture")
    images = None if split is None else replace(one, split=split, numbers=_evenly(len(split), config.images))
    subject = Subject(config, member.trained_model.title, network, pixels[0], image, ids, images)
    if not np.isfinite(subject.probabilities).all():
        raise UserError(f"{subject.title} answers with what are no numbers: its weights, or the picture, are broken")
    return subject


def _split_and_classes(config: LookConfig, member: EnsembleMember) -> tuple[Split | None, tuple[str, ...]]:
    """The images that are looked through, if there are any, and the classes in the order of the logits."""
    if member.settings.data.path is None:
        return None, classes_of(member.trained_model, config.data.classes)
    split, _ = split_and_targets(member, config.split)
    return split, split.classes


def _evenly(images: int, most: int) -> tuple[int, ...]:
    """At most `most` of the numbers of so many images, at even distances."""
    return tuple(np.linspace(0, images - 1, min(most, images), dtype=int).tolist())
