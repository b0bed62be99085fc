"""`cnnbench bench`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cnnbench.config.analyse import FORMATS
from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AugmentConfig
from cnnbench.config.data import DataConfig
from cnnbench.config.devices import COMPILE_MODES, DEVICES, MEMORY, PRECISIONS
from cnnbench.config.fields import Range, group, key
from cnnbench.config.image_size import input_size

WHATS = ("loader", "model", "train", "eval")


@dataclass(frozen=True)
class BenchConfig:
    what: str = key(
        "what is measured: the input pipeline, the network on images in the device's memory, training as a whole, "
        "evaluation as a whole, or all four",
        "model",
        choices=(*WHATS, "all"),
    )
    arch: ArchConfig = group(ArchConfig, "the network")
    archs: dict[str, Any] = key("several networks instead, as in archs=[resnet18,resnet50]; {}: arch", {})
    data: DataConfig = group(DataConfig, "the images of loader, train and eval")
    augment: AugmentConfig = group(AugmentConfig, "augmentation of training images")
    image_size: int | None = key(
        "side of the images, pixels; null: the network's (model), or that for the data",
        None,
        range=Range(at_least=1),
    )
    batch: Any = key(
        "images in a batch; max: the largest that fits into memory (model); null: 100 for the loader, else 16, as in "
        "the Wide ResNet paper's table",
        None,
    )
    rounds: int = key("repetitions, of which the median counts", 5, range=Range(at_least=1))
    images: int = key(
        "loader, train, eval: different images that are used, evenly spaced over the split",
        200,
        range=Range(at_least=1),
    )
    loader_images: int = key(
        "loader, train, eval: images that whole loaders make in a round",
        600,
        range=Range(at_least=1),
    )
    device: str = key("model, train, eval: where", "auto", choices=DEVICES)
    precision: str = key(
        "model, train, eval: arithmetic; auto: bf16 on a GPU that has it, else float32",
        "auto",
        choices=PRECISIONS,
    )
    channels_last: bool = key("model, train, eval: memory format N, H, W, C for images and weights", True)
    memory: str = key(
        "model: save: activations within blocks are computed again in the backward pass, as in training",
        "keep",
        choices=MEMORY,
    )
    compile: bool = key("model, train, eval: compile the network with torch.compile", False)
    compile_mode: str = key(
        "compile: torch's mode; reduce-overhead: kernels are launched as CUDA graphs", "default", choices=COMPILE_MODES
    )
    profile: bool = key("model: write a trace of one step, and list its ten costliest operators", False)
    trace: str = key("profile: file for the trace, which chrome://tracing and Perfetto read", "bench-trace.json")
    format: str = key("form of the output", "table", choices=FORMATS)
    output: str | None = key(
        "file NAME.json for all that was measured, round by round, with NAME.csv beside it; or a folder for "
        "bench.json and bench.csv",
        None,
    )


def one_for_each_network(config: BenchConfig) -> list[BenchConfig]:
    """One config for each network to measure, named by its `arch` alone."""
    return [replace(config, arch=arch, archs={}) for arch in config.archs.values()] or [config]


def bench_size(config: BenchConfig) -> int:
    """Side of the images in pixels; without data (what=model) the network's own where none is given."""
    return config.image_size or config.arch.image_size if config.what == "model" else input_size(config)
