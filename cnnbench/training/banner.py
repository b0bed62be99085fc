"""What will happen, told before it does: network, data, and the arithmetic of batch and rate."""

from __future__ import annotations

import torch

from cnnbench import __version__
from cnnbench.config import AugmentConfig, TrainConfig, side
from cnnbench.data.layouts import Split
from cnnbench.training.optim import scaled_rate
from cnnbench.training.state import Position, Training


def banner(training: Training, position: Position, train: Split, val: Split) -> str:
    """Several lines of plain text."""
    config = training.config
    rows = {
        "run": f"{training.folder} ({_state(config, position)})",
        "network": _network(training),
        "data": _data(config, train, val),
        "recipe": _recipe(training, train),
        "batch": _batch(config, training.process.world),
        "rate": _rate(config),
        "optimiser": _optimizer(config),
        "augment": describe_augment(config.augment),
        "device": _device(training),
    }
    return f"cnnbench {__version__} train\n" + "\n".join(f"  {name:<10}{text}" for name, text in rows.items())


def _state(config: TrainConfig, position: Position) -> str:
    if position.epoch == config.epochs:
        return "trained; only the result is missing"
    if position.epoch or position.step:
        return f"continues after epoch {position.epoch}, step {position.step} of the next"
    return f"new; weights from {config.weights}" if config.weights else "new"


def _network(training: Training) -> str:
    config, size = training.config, side(training.config)
    count = sum(parameter.numel() for parameter in training.model.parameters())
    native = "" if size == config.arch.image_size else f" (native: {config.arch.image_size})"
    options = "".join(f", {name}={value}" for name, value in config.arch.options.items())
    dropout = "" if config.arch.dropout is None else f", dropout {config.arch.dropout:g}"
    return (
        f"{config.arch.name}, {count:,} parameters, input {config.arch.in_channels} x {size} x {size}{native}"
        f"{dropout}{options}"
    )


def _data(config: TrainConfig, train: Split, val: Split) -> str:
    note = (
        "bundled sample, part of Fashion-MNIST (no data= given)" if config.data.path == "sample" else config.data.path
    )
    return f"{note}: {len(train.classes)} classes, {len(train):,} training and {len(val):,} validation images"


def _recipe(training: Training, train: Split) -> str:
    config, steps = training.config, training.steps_per_epoch
    dropped = len(train) - steps * config.batch
    rest = f"; the last {dropped} images of each epoch's order are left out" if dropped else ""
    return f"{config.recipe}: {config.epochs} epochs of {steps} steps{rest}"


def _batch(config: TrainConfig, world: int) -> str:
    share = config.batch // world // config.accumulate
    return f"global {config.batch} = {world} process{'es' * (world > 1)} x {share} x accumulate {config.accumulate}"


def _rate(config: TrainConfig) -> str:
    optimizer, schedule = config.optimizer, config.schedule
    rate = scaled_rate(optimizer, config.batch)
    warmup = f", warm-up over {schedule.warmup_epochs:g} epochs" if schedule.warmup_epochs else ""
    return f"{rate:g} = {optimizer.lr:g} x {config.batch}/{optimizer.base_batch}, {schedule.kind}{warmup}"


def _optimizer(config: TrainConfig) -> str:
    optimizer = config.optimizer
    parts = [f"{optimizer.kind}, momentum {optimizer.momentum:g}{' (Nesterov)' * optimizer.nesterov}"]
    spared = [name for name in ("norms", "biases") if not getattr(optimizer, f"decay_{name}")]
    parts.append(f"weight decay {optimizer.weight_decay:g}" + (f" (not on {' and '.join(spared)})" if spared else ""))
    parts.append(f"label smoothing {config.label_smoothing:g}")
    parts += [f"gradients clipped at norm {config.clip_norm:g}"] if config.clip_norm is not None else []
    return ", ".join(parts)


def describe_augment(augment: AugmentConfig) -> str:
    """The operations that act, in their order: 'crop(random_resized) -> flip(p=0.5)'."""
    parts = []
    for name in augment.order:
        operation = getattr(augment, name)
        if name == "crop":
            parts.append(f"crop({operation.kind})")
        elif operation.p > 0:
            parts.append(f"{name}({', '.join(f'{key}={value:g}' for key, value in vars(operation).items())})")
    return " -> ".join(parts)


def _device(training: Training) -> str:
    device = training.normalise.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    layout = "channels last" if training.config.channels_last else "channels first"
    compiled = ", compiled" if training.config.compile else ""
    return f"{name} per process, {training.precision.name}, {layout}{compiled}"
