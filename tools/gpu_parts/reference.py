"""The recipe of torchvision's references/classification/train.py as a bare script: its step, line by line.

    image, target = image.to(device), target.to(device)
    with autocast: output = model(image); loss = criterion(output, target)
    zero_grad, scaler.scale(loss).backward(), scaler.step(optimizer), scaler.update()
    accuracy at top 1 and 5, and loss.item() for its log: each step waits for the GPU

`--amp` of it is fp16 with a scaler, images are channels first, and nothing is compiled; `tuned` has bf16 and
channels last, and may be compiled, as one writes it today.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torchvision
from torch import nn


@dataclass(frozen=True)
class Script:
    """A network with what the script's loop has; `images` float32 (N, 3, H, W), `target` int64 (N,), on the device."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    dtype: torch.dtype | None
    images: torch.Tensor
    target: torch.Tensor

    def run(self, steps: int) -> None:
        """So many steps of train_one_epoch."""
        criterion, device = nn.CrossEntropyLoss(label_smoothing=0.0), self.images.device
        for _ in range(steps):
            image, target = self.images.to(device), self.target.to(device)
            with torch.autocast(device.type, self.dtype, enabled=self.dtype is not None):
                output = self.model(image)
                loss = criterion(output, target)
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            first, fifth = accuracy(output, target)
            for figure in (loss, first, fifth):
                figure.item()


def script(network: str, batch: int, side: int, device: torch.device, tuned: bool, compiled: bool) -> Script:
    """The script for a network of torchvision on one batch of noise; on a CPU, which has no fp16, in float32."""
    layout = torch.channels_last if tuned else torch.contiguous_format
    model = torchvision.models.get_model(network, num_classes=1000).to(device).to(memory_format=layout).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    half = device.type != "cpu"
    dtype = torch.bfloat16 if tuned else torch.float16 if half else None
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    images = torch.randn(batch, 3, side, side, device=device).contiguous(memory_format=layout)
    target = torch.zeros(batch, dtype=torch.int64, device=device)
    called = torch.compile(model) if tuned and compiled else model
    return Script(called, optimizer, scaler, dtype, images, target)  # type: ignore[arg-type]


def accuracy(output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Percent right at top 1 and at top 5, as references/classification/utils.py counts them."""
    with torch.inference_mode():
        _, answers = output.topk(5, 1, True, True)
        right = answers.t().eq(target[None])
        first, fifth = (right[:k].flatten().sum(dtype=torch.float32) * (100.0 / len(target)) for k in (1, 5))
        return first, fifth
