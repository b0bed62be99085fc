"""Whole, uncropped images at one short side, one per batch, since each has its own shape."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from cnnbench.config.arch import ArchConfig
from cnnbench.config.data import DataConfig
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.jpeg_engines import by_index
from cnnbench.data.decode.picture import Undecided, open_picture
from cnnbench.data.decode.region import resized, scaled
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.fastest import engine_for
from cnnbench.data.loading.loader import BROKEN_LABEL, Batch
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import in_channels
from cnnbench.runtime.errors import Lost, UserError


class FullImages:
    """Iterates over batches of one image, in the order of `order`, made ahead by threads; no slots: they stay valid.

    Each has its short side resized to `scale` pixels. One that cannot be decoded is a black square with the label
    BROKEN_LABEL, and comes into `broken`, number -> reason.
    """

    def __init__(
        self, split: Split, arch: ArchConfig, scale: int, data: DataConfig, order: list[list[SampleKey]], workers: int
    ) -> None:
        self.split, self.arch, self.scale = split, arch, scale
        self.order = [[image] for batch in order for image in batch]
        self.workers = max(1, workers)
        self.broken: dict[int, str] = {}
        looks = by_index(split.side_indices)
        self._open = make_engine(engine_for(split, data.engine), False, looks, data.max_seconds)

    def __enter__(self) -> FullImages:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open between two iterations."""

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(self.workers) as pool:
            ahead: deque[Future[Batch]] = deque()
            for [(_, index)] in self.order:
                ahead.append(pool.submit(self._make, index))
                if len(ahead) > 2 * self.workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _make(self, index: int) -> Batch:
        label = int(self.split.labels[index])
        try:
            content, name = self.split.read(index), self.split.name(index)
            picture = open_picture(content, name, self._open, self.split.max_megapixels)
            pixels = picture.region(0, 0, picture.width, picture.height)
            size = scaled(picture.width, picture.height, self.scale)
            pixels = in_channels(resized(pixels, *size, self.arch.interpolation), self.arch.in_channels)
        except Lost:  # no fault of the image
            raise
        except Undecided as error:
            raise UserError(f"{error}{error.advice}") from error
        except UserError as error:
            self.broken[index], label = str(error), BROKEN_LABEL
            pixels = np.zeros((self.scale, self.scale, 1), np.uint8)
        images = torch.empty((1, *pixels.shape[:2], self.arch.in_channels), dtype=torch.uint8)
        images.numpy()[0] = pixels
        return Batch(images, torch.tensor([label]), torch.zeros(1, 0, dtype=torch.float64))
