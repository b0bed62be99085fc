"""What passes at named layers of a trained network, for all images of a split, in their order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cnnbench.archs.capture import capture, distinct
from cnnbench.archs.forward_pass import Point, Shape
from cnnbench.archs.layer_names import Names, find_layer, layer_names, peoples_names
from cnnbench.config.features import ALL
from cnnbench.config.image_size import input_size
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import BROKEN_LABEL, loader_of
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import evaluation_batches
from cnnbench.evaluation.ensemble import EnsembleMember
from cnnbench.evaluation.member import member_network, transform_of
from cnnbench.runtime.devices import choose_workers, pins
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.precision import choose_precision
from cnnbench.runtime.progress import tqdm


@dataclass(frozen=True)
class FeatureBatch:
    """Of the images `start` ... of a split: each layer's values, float32 (N, *shape), NaN for an image that could not
    be decoded; `broken`: the number in the split of each of those -> why."""

    start: int
    values: dict[str, np.ndarray]
    broken: dict[int, str]


@dataclass(frozen=True)
class Extractor:
    """A network in inference mode, the points of its layers by the names that they were asked for, and whether maps are
    averaged over their places, or over the cells of the finest square grid that leaves at most `most` values."""

    member: EnsembleMember
    network: nn.Module
    points: dict[str, Point]
    device: torch.device
    average: bool = False
    most: int | None = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each layer's values for one image: (C, H, W), or (C,)."""
        return {
            name: point.shape[:1] if self.average and len(point.shape) == 3 else self._cut(point.shape)
            for name, point in self.points.items()
        }

    def batches(self, split: Split) -> Iterator[FeatureBatch]:
        """The values for all images of `split`, in its order, as `cnnbench eval` makes the images."""
        settings = self.member.settings
        order = list(evaluation_batches(len(split), settings.batch, 0, 1))
        workers = choose_workers(settings.data.workers, 1)
        transform, pin = transform_of(self.member, split.border), pins(self.device)
        normalise = Normalise(self.member.arch, self.device, settings.channels_last)
        precision = choose_precision(settings.precision, self.device.type)
        with (
            loader_of(split, transform, settings.data, order, workers, pin) as loader,
            capture(self.network, self.points) as run,
        ):
            start, bar = 0, tqdm(loader, "features", len(order), leave=False, unit="batch", disable=None)
            for images, labels in DevicePrefetcher(bar, normalise):
                with torch.inference_mode(), precision.autocast():
                    values = run(images)
                bad = (labels == BROKEN_LABEL).cpu().numpy()
                broken = {start + int(i): loader.broken[start + int(i)] for i in np.flatnonzero(bad)}
                yield FeatureBatch(start, {name: self._kept(value, bad) for name, value in values.items()}, broken)
                start += len(images)

    def _cut(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a map of `shape` over the cells of its grid; of anything else, `shape`."""
        if self.most is None or len(shape) != 3 or math.prod(shape) <= self.most:
            return shape
        side = max(1, math.isqrt(self.most // shape[0]))
        return (shape[0], *(min(side, places) for places in shape[1:]))

    def _kept(self, value: torch.Tensor, bad: np.ndarray) -> np.ndarray:
        value = value.float()
        cut = self._cut(tuple(value.shape[1:]))
        if self.average and value.dim() == 4:
            value = value.mean((2, 3))
        elif cut != value.shape[1:]:
            value = nn.functional.adaptive_avg_pool2d(value, (cut[1], cut[2]))
        array = value.cpu().numpy()
        if bad.any():
            array = array.copy()
            array[bad] = np.nan
        return array


def extractor_of(
    member: EnsembleMember, classes: int, layers: Sequence[str], device: torch.device, average: bool = False
) -> Extractor:
    """The network of `member`, for so many `classes`, ready to give the values at `layers`.

    Raises UserError for a layer that is not there, with the nearest names, and for weights that do not fit."""
    network = member_network(member, classes, device, print).eval()
    return Extractor(member, network, find_points(network, member, layers), device, average)


def find_points(network: nn.Module, member: EnsembleMember, layers: Sequence[str]) -> dict[str, Point]:
    """The points of `layers` in the `network` of `member`, by their names. Raises UserError for one that is not there,
    and for images that the network cannot take."""
    size, channels = input_size(member.settings), member.arch.in_channels
    try:
        names = layer_names(network, size, channels)
    except ValueError as error:
        raise UserError(str(error)) from error
    points: dict[str, Point] = {}
    for layer in layers:
        if layer == ALL:
            points |= _all_points(network, names, (channels, size, size))
        else:
            points[layer] = find_layer(names, layer)
    return points


def _all_points(network: nn.Module, names: Names, shape: Shape) -> dict[str, Point]:
    """Each layer that people have a name for, once: in inference mode several may have the same values."""
    named = {people[0]: point for point, people in peoples_names(names).items() if people}
    noise = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    return distinct(network, named, noise.to(next(network.parameters())))
