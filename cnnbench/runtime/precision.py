"""Arithmetic of the forward and backward pass: float32, or autocast to bf16 or fp16."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnnbench.runtime.backends import CPU, backend_of
from cnnbench.runtime.errors import UserError

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """`name` is a key of DTYPES. Weights stay float32; below float32, torch's autocast chooses per operation."""

    name: str
    device: str

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device, DTYPES[self.name], enabled=self.name != "float32")

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss so that small gradients survive fp16; does nothing for the other two."""
        return torch.amp.GradScaler(self.device, enabled=self.name == "fp16")


def choose_precision(name: str, device: str) -> Precision:
    """The Precision for a configured name: "auto" is bf16 on a GPU that has it, else float32.

    Raises UserError for fp16 on a CPU, and bf16 on a GPU that lacks it.
    """
    backend = backend_of(device)
    if name == "auto":
        name = "bf16" if backend.half_by_itself and backend.bf16() else "float32"
    if name == "fp16" and not backend.fp16:
        raise UserError("precision=fp16 needs a GPU: use precision=bf16 or precision=float32")
    if name == "bf16" and device != CPU and not backend.bf16():
        raise UserError("this GPU has no bf16 arithmetic: use precision=fp16 or precision=float32")
    return Precision(name, device)
