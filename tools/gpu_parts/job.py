"""What a part of the proof is given, and the sizes of the real run and of its rehearsal."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cnnbench.runtime.device_memory import drop_cache
from cnnbench.runtime.devices import is_out_of_memory, on_cpu
from gpu_parts.record import add


@dataclass(frozen=True)
class Sizes:
    """How much is measured. `device`: a key of the commands; `chosen`: networks that take steps in each of
    `precisions`, `compiled`: also compiled, `every`: all, in bf16; `turn`: seconds of a loop before the next one's."""

    device: str
    chosen: tuple[str, ...]
    precisions: tuple[str, ...]
    compiled: tuple[str, ...]
    every: tuple[str, ...]  # (): all of the zoo
    augments: tuple[str, ...]  # operations
    batches: int  # of the loader, for each of them
    recipe_network: str
    recipe_batch: int
    recipe_side: int
    compile: bool
    alone: tuple[str, ...]  # networks whose speed is measured
    alone_batch: int
    alone_side: int | None
    turn: float
    rounds: int
    pictures: int
    picture_side: int
    loader_images: int
    matrix: int | None  # side of the product that utilisation is measured against; None: bench's own


REAL = Sizes(
    device="cuda",
    chosen=(
        *("lenet", "alexnet", "vgg16", "googlenet", "inception_v3", "resnet50", "preact_resnet18", "densenet121"),
        *("resnext50_32x4d", "xception"),
    ),
    precisions=("bf16", "float32", "fp16"),
    compiled=("lenet", "resnet18", "vgg11"),
    every=(),
    augments=("none", "flip", "rotate", "shift", "contrast", "equalize", "clahe", "jitter", "pca", "erase"),
    batches=4,
    recipe_network="resnet50",
    recipe_batch=256,
    recipe_side=224,
    compile=True,
    alone=("resnet50", "alexnet", "vgg16", "inception_v3", "densenet121"),
    alone_batch=128,
    alone_side=None,
    turn=1.5,
    rounds=5,
    pictures=384,
    picture_side=500,
    loader_images=6144,
    matrix=None,
)
REHEARSED = Sizes(
    device="cpu",
    chosen=("lenet",),
    precisions=("bf16", "float32"),
    compiled=(),
    every=("lenet", "resnet20"),
    augments=("rotate",),
    batches=2,
    recipe_network="resnet18",
    recipe_batch=2,
    recipe_side=32,
    compile=False,
    alone=("lenet",),
    alone_batch=4,
    alone_side=32,
    turn=0.02,
    rounds=1,
    pictures=8,
    picture_side=64,
    loader_images=8,
    matrix=64,
)


@dataclass(frozen=True)
class Job:
    """One part's work. `file`: the results; `done`: keys that stand in it; `work`: a folder for what is kept between
    calls; `cifar`: the folder of CIFAR-10; `end`: of its time, by time.monotonic()."""

    part: str
    sizes: Sizes
    file: Path
    done: frozenset[str]
    work: Path
    cifar: Path | None
    end: float

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def each(self, keys: Iterable[str], measure: Callable[[str], dict[str, Any]]) -> None:
        """Record what `measure` finds for each key that is not done, or its error: the others go on."""
        for key in keys:
            if key in self.done:
                continue
            try:
                self.add(key, measure(key))
                continue
            except (Exception, SystemExit) as error:  # whatever a GPU that nobody has seen may say
                traceback.print_exc()
                add(self.file, {"part": self.part, "key": key, "error": one_line(error)})
                if _spoilt(error):
                    raise
            drop_memory()  # which the error held

    def add(self, key: str, values: dict[str, Any]) -> None:
        """Record `values`."""
        add(self.file, {"part": self.part, "key": key, "values": values})


def one_line(error: BaseException) -> str:
    """What an error says, in one line without its advice."""
    text = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def drop_memory() -> None:
    """Give back what an accelerator's allocator keeps."""
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is not None:
        drop_cache(found)


def fitting(batch: int, work: Callable[[int], object], device: torch.device) -> int:
    """The largest of `batch`, its half, quarter ... for which `work` does not run out of memory."""
    while True:
        try:
            work(batch)
            return batch
        except RuntimeError as error:
            if not is_out_of_memory(error) or batch == 1 or on_cpu(device):
                raise
        drop_memory()
        batch //= 2


def _spoilt(error: BaseException) -> bool:
    """Whether nothing more can be had of the GPU in this process, as after an illegal access."""
    return "CUDA error" in str(error) and not is_out_of_memory(error)
