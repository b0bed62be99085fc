"""`cnnbench convert`: a file of weights in any form that is read, as safetensors."""

from __future__ import annotations

from pathlib import Path

import torch

from cnnbench.analysis.export.record import record
from cnnbench.archs.from_config import build_network
from cnnbench.archs.weights.numbers import as_numbers
from cnnbench.archs.weights.read import Weights, read_weights
from cnnbench.archs.weights_classes import classes_of_weights
from cnnbench.config.analyse import ConvertConfig
from cnnbench.config.arch import ArchConfig
from cnnbench.config.checks.analyse import NOTHING_TO_CONVERT
from cnnbench.config.fields import given
from cnnbench.config.weights import chosen_weights
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import replacing, writing


def convert_command(config: ConvertConfig) -> int:
    """Write the file that `config` names and print what was done; the number of tensors in it."""
    output = Path(str(config.output)).expanduser()
    try:
        weights, about, notes = _as_they_are(config) if config.arch is None else _of_network(config, config.arch)
    except ValueError as error:
        raise UserError(str(error)) from error
    _write(output, weights, about)
    under = "their own names" if config.arch is None else f"the names of {config.arch.name}"
    size = output.stat().st_size / 1e6
    done = [f"{config.weights}: {len(weights)} tensors under {under} -> {output}, {size:,.1f} MB", *notes]
    print("; ".join(done))
    return len(weights)


def _as_they_are(config: ConvertConfig) -> tuple[Weights, dict[str, str], list[str]]:
    file = read_weights(Path(str(config.weights)).expanduser())
    weights, notes = as_numbers(file.tensors, file.tensors, str(config.weights))
    return weights, {}, [*notes, "arch=NAME makes it a file of a network, with its images and switches"]


def _of_network(config: ConvertConfig, arch: ArchConfig) -> tuple[Weights, dict[str, str], list[str]]:
    """The tensors by the names of the network, what the file says of it, and what loading did besides."""
    notes: list[str] = []
    weights = given(chosen_weights(config), NOTHING_TO_CONVERT)
    classes = config.num_classes or classes_of_weights(arch, weights)[0]
    model = build_network(arch, classes, arch.image_size, weights, tell=notes.append)
    about = record(arch, arch.image_size, classes, None)
    return dict(model.state_dict()), about, [note.partition(" ")[2].strip() for note in notes]


def _write(output: Path, weights: Weights, about: dict[str, str]) -> None:
    """Raises UserError if it cannot be written; then what was there before still is."""
    from safetensors.torch import save

    whole = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in weights.items()}
    content = save(whole, metadata={"format": "pt", **about})
    with writing(output), replacing(output) as scratch:
        scratch.write_bytes(content)
