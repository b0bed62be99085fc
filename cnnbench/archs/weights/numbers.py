"""The numbers of weights: half, quantised and sparse ones made plain, and those that are not finite refused."""

from __future__ import annotations

from pathlib import Path

import torch

from cnnbench.archs.weights.read import Weights
from cnnbench.runtime.errors import first_sentence

WIDER = (torch.float32, torch.float64)


def as_numbers(weights: Weights, own: Weights, path: str | Path) -> tuple[Weights, list[str]]:
    """`weights` as dense tensors of plain numbers, and what was done for it, a sentence each.

    Raises ValueError, in one sentence, for a tensor without numbers, of complex ones, of whole ones where the network,
    whose state dict is `own`, has none, or with one that is not finite.
    """
    result = {}
    for name, value in weights.items():
        if value.is_meta or value.is_complex():
            without = "no numbers" if value.is_meta else "complex numbers"
            raise ValueError(f"{path} cannot be used: its {name} has {without}")
        if value.layout not in (torch.strided, torch.sparse_coo):
            raise ValueError(f"{path} cannot be used: its {name} is a {value.layout} tensor; store dense ones")
        try:
            plain = _plain(value)
        except RuntimeError as error:
            raise ValueError(f"{path} is damaged: its {name} is no sparse tensor: {first_sentence(error)}") from error
        if own[name].is_floating_point() and not plain.is_floating_point():
            kind = str(plain.dtype).removeprefix("torch.")
            raise ValueError(f"{path} cannot be used: its {name} holds whole numbers ({kind}) without their scale")
        if plain.is_floating_point() and (wrong := _unfinite(plain)):
            raise ValueError(
                f"{name} of {path} is not finite: {wrong:,} of its {plain.numel():,} numbers are nan or infinite; the "
                "run that made it diverged, or it was converted badly"
            )
        result[name] = plain
    notes = []
    for what, count in (
        ("quantised: taken as the numbers that they stand for", sum(v.is_quantized for v in weights.values())),
        ("sparse: taken as dense ones", sum(v.layout != torch.strided for v in weights.values())),
        (
            "of less than 32 bits: computed with in 32",
            sum(v.is_floating_point() and v.dtype not in WIDER for v in weights.values()),
        ),
    ):
        if count:
            notes.append(f"{count} of its tensors are {what}")
    return result, notes


def _unfinite(value: torch.Tensor) -> int:
    """How many of the numbers are not finite; their sum tells, several times as fast, that all are."""
    value = value if value.dtype in WIDER else value.float()  # not all is defined for numbers of 8 bits
    return 0 if value.sum(dtype=torch.float64).isfinite() else int((~value.isfinite()).sum())


def _plain(value: torch.Tensor) -> torch.Tensor:
    if value.is_quantized:
        return value.dequantize()
    if value.layout == torch.strided:
        return value
    indices, numbers = value._indices(), value._values()
    return torch.sparse_coo_tensor(indices, numbers, value.shape, check_invariants=True).to_dense()
