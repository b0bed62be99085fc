"""The networks of public repositories for CIFAR as functions, written from their code, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional


@dataclass
class Drawn:
    """Tensors that are drawn when a layer first asks for them, by name."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    def conv(
        self, x: torch.Tensor, name: str, out: int, kernel: int = 3, stride: int = 1, bias: bool = False
    ) -> torch.Tensor:
        fan_in = x.shape[1] * kernel**2
        weight = self._get(f"{name}.weight", (out, x.shape[1], kernel, kernel), 0, (2 / fan_in) ** 0.5)
        shift = self._get(f"{name}.bias", (out,), 0, 0.1) if bias else None
        return functional.conv2d(x, weight.to(x), None if shift is None else shift.to(x), stride, kernel // 2)

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        parts = {"running_mean": (0.0, 0.1), "running_var": (1.0, 0.1), "weight": (0.7, 0.1), "bias": (0.0, 0.1)}
        drawn = [
            self._get(f"{name}.{part}", (x.shape[1],), mean, spread).to(x) for part, (mean, spread) in parts.items()
        ]
        self.tensors.setdefault(f"{name}.num_batches_tracked", torch.tensor(7))
        return functional.batch_norm(x, *drawn)

    def linear(self, x: torch.Tensor, name: str, out: int) -> torch.Tensor:
        weight = self._get(f"{name}.weight", (out, x.shape[1]), 0, 0.1)
        return functional.linear(x, weight.to(x), self._get(f"{name}.bias", (out,), 0, 0.1).to(x))

    def _get(self, name: str, shape: tuple[int, ...], mean: float, spread: float) -> torch.Tensor:
        if name not in self.tensors:
            self.tensors[name] = mean + spread * torch.randn(shape, generator=self.generator)
        assert self.tensors[name].shape == shape
        return self.tensors[name]


def kuangliu_resnet(w: Drawn, x: torch.Tensor, depths: tuple[int, ...], bottleneck: bool) -> torch.Tensor:
    """pytorch-cifar, models/resnet.py."""
    x = w.norm(w.conv(x, "conv1", 64), "bn1").relu()
    for stage, depth in enumerate(depths, 1):
        width = 64 * 2 ** (stage - 1)
        for block in range(depth):
            unit, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            if bottleneck:
                y = w.norm(w.conv(x, f"{unit}.conv1", width, 1), f"{unit}.bn1").relu()
                y = w.norm(w.conv(y, f"{unit}.conv2", width, 3, stride), f"{unit}.bn2").relu()
                y = w.norm(w.conv(y, f"{unit}.conv3", 4 * width, 1), f"{unit}.bn3")
            else:
                y = w.norm(w.conv(x, f"{unit}.conv1", width, 3, stride), f"{unit}.bn1").relu()
                y = w.norm(w.conv(y, f"{unit}.conv2", width), f"{unit}.bn2")
            if stride != 1 or x.shape[1] != y.shape[1]:
                x = w.norm(w.conv(x, f"{unit}.shortcut.0", y.shape[1], 1, stride), f"{unit}.shortcut.1")
            x = (y + x).relu()
    return w.linear(functional.avg_pool2d(x, 4).flatten(1), "linear", 10)


def kuangliu_preact_resnet18(w: Drawn, x: torch.Tensor) -> torch.Tensor:
    """pytorch-cifar, models/preact_resnet.py."""
    x = w.conv(x, "conv1", 64)
    for stage in (1, 2, 3, 4):
        width = 64 * 2 ** (stage - 1)
        for block in (0, 1):
            unit, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = w.norm(x, f"{unit}.bn1").relu()
            if stride != 1 or x.shape[1] != width:
                x = w.conv(y, f"{unit}.shortcut.0", width, 1, stride)
            y = w.conv(y, f"{unit}.conv1", width, 3, stride)
            x = w.conv(w.norm(y, f"{unit}.bn2").relu(), f"{unit}.conv2", width) + x
    return w.linear(functional.avg_pool2d(x, 4).flatten(1), "linear", 10)


def xternalz_wrn16_4(w: Drawn, x: torch.Tensor) -> torch.Tensor:
    """WideResNet-pytorch, wideresnet.py."""
    x = w.conv(x, "conv1", 16)
    for stage, width in enumerate((64, 128, 256), 1):
        for block in (0, 1):
            unit, stride = f"block{stage}.layer.{block}", 2 if stage > 1 and block == 0 else 1
            y = w.norm(x, f"{unit}.bn1").relu()
            if x.shape[1] != width:
                x = w.conv(y, f"{unit}.convShortcut", width, 1, stride)
            y = w.conv(y, f"{unit}.conv1", width, 3, stride)
            x = x + w.conv(w.norm(y, f"{unit}.bn2").relu(), f"{unit}.conv2", width)
    return w.linear(functional.avg_pool2d(w.norm(x, "bn1").relu(), 8).flatten(1), "fc", 10)


def meliketoy_wrn16_4(w: Drawn, x: torch.Tensor) -> torch.Tensor:
    """wide-resnet.pytorch, networks/wide_resnet.py."""
    x = w.conv(x, "conv1", 16, bias=True)
    for stage, width in enumerate((64, 128, 256), 1):
        for block in (0, 1):
            unit, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = w.conv(w.norm(x, f"{unit}.bn1").relu(), f"{unit}.conv1", width, bias=True)
            y = w.conv(w.norm(y, f"{unit}.bn2").relu(), f"{unit}.conv2", width, 3, stride, bias=True)
            if stride != 1 or x.shape[1] != width:
                x = w.conv(x, f"{unit}.shortcut.0", width, 1, stride, bias=True)
            x = y + x
    return w.linear(functional.avg_pool2d(w.norm(x, "bn1").relu(), 8).flatten(1), "linear", 10)


def densenet_bc100_12(w: Drawn, x: torch.Tensor, layer: str, last: str) -> torch.Tensor:
    """densenet-pytorch, densenet.py, and pytorch-classification, models/cifar/densenet.py; `layer` is how each calls a
    dense layer, of {0} the block and {1} the layer, `last` the last normalisation."""
    x = w.conv(x, "conv1", 24)
    for block in (1, 2, 3):
        for number in range(16):
            unit = layer.format(block, number)
            y = w.conv(w.norm(x, f"{unit}.bn1").relu(), f"{unit}.conv1", 48, 1)
            x = torch.cat([x, w.conv(w.norm(y, f"{unit}.bn2").relu(), f"{unit}.conv2", 12)], 1)
        if block < 3:
            unit = f"trans{block}"
            x = functional.avg_pool2d(w.conv(w.norm(x, f"{unit}.bn1").relu(), f"{unit}.conv1", x.shape[1] // 2, 1), 2)
    return w.linear(functional.avg_pool2d(w.norm(x, last).relu(), 8).flatten(1), "fc", 10)


def bearpaw_preresnet110(w: Drawn, x: torch.Tensor) -> torch.Tensor:
    """pytorch-classification, models/cifar/preresnet.py: from 44 layers on its blocks are bottlenecks."""
    x = w.conv(x, "conv1", 16)
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(18):
            unit, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = w.conv(w.norm(x, f"{unit}.bn1").relu(), f"{unit}.conv1", width, 1)
            y = w.conv(w.norm(y, f"{unit}.bn2").relu(), f"{unit}.conv2", width, 3, stride)
            y = w.conv(w.norm(y, f"{unit}.bn3").relu(), f"{unit}.conv3", 4 * width, 1)
            if stride != 1 or x.shape[1] != 4 * width:
                x = w.conv(x, f"{unit}.downsample.0", 4 * width, 1, stride)
            x = y + x
    return w.linear(functional.avg_pool2d(w.norm(x, "bn").relu(), 8).flatten(1), "fc", 10)


def akamaster_resnet20(w: Drawn, x: torch.Tensor) -> torch.Tensor:
    """pytorch_resnet_cifar10, resnet.py: a shortcut that widens puts half of the new channels before the old ones."""
    x = w.norm(w.conv(x, "conv1", 16), "bn1").relu()
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(3):
            unit, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = w.norm(w.conv(x, f"{unit}.conv1", width, 3, stride), f"{unit}.bn1").relu()
            y = w.norm(w.conv(y, f"{unit}.conv2", width), f"{unit}.bn2")
            if stride != 1:
                x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, width // 4, width // 4))
            x = (y + x).relu()
    return w.linear(functional.avg_pool2d(x, 8).flatten(1), "linear", 10)


@dataclass(frozen=True)
class Source:
    """A public network: whose, which of ours, its function, and how its repository saves a state dict."""

    label: str
    arch: str
    function: Callable[[Drawn, torch.Tensor], torch.Tensor]
    saved: Callable[[dict[str, torch.Tensor]], Any]


def _parallel(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"module.{name}": value for name, value in state.items()}


def _net(state: dict[str, torch.Tensor]) -> Any:
    return {"net": _parallel(state), "acc": 95.1, "epoch": 7}


def _state_dict(state: dict[str, torch.Tensor]) -> Any:
    return {"epoch": 300, "state_dict": state, "best_prec1": 95.4}


SOURCES = (
    Source(
        "akamaster", "resnet20", akamaster_resnet20, lambda state: {"state_dict": _parallel(state), "best_prec1": 91}
    ),
    Source("kuangliu", "cifar_resnet18", lambda w, x: kuangliu_resnet(w, x, (2, 2, 2, 2), False), _net),
    Source("kuangliu", "cifar_resnet34", lambda w, x: kuangliu_resnet(w, x, (3, 4, 6, 3), False), _net),
    Source("kuangliu", "cifar_resnet50", lambda w, x: kuangliu_resnet(w, x, (3, 4, 6, 3), True), _net),
    Source("kuangliu", "cifar_preact_resnet18", kuangliu_preact_resnet18, _net),
    Source("xternalz", "wrn16_4", xternalz_wrn16_4, _state_dict),
    Source("meliketoy", "wrn16_4", meliketoy_wrn16_4, lambda state: {"net": _parallel(state), "acc": 96.2}),
    Source(
        "andreasveit",
        "densenet_bc100_12",
        lambda w, x: densenet_bc100_12(w, x, "block{0}.layer.{1}", "bn1"),
        _state_dict,
    ),
    Source(
        "bearpaw",
        "densenet_bc100_12",
        lambda w, x: densenet_bc100_12(w, x, "dense{0}.{1}", "bn"),
        lambda state: _state_dict(_parallel(state)),
    ),
    Source("bearpaw", "preact_resnet164", bearpaw_preresnet110, lambda state: _state_dict(_parallel(state))),
)
