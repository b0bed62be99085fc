"""The lines at the start of a run: what it will do, with the arithmetic of batch and rate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from cnnbench import __version__
from cnnbench.archs.norms import about_norms, batch_norms
from cnnbench.config.augment import POLICIES, AugmentConfig
from cnnbench.config.average import AVERAGES, AverageConfig
from cnnbench.config.batch import nearest_multiple
from cnnbench.config.fields import AUTO, Kind
from cnnbench.config.image_size import input_size, keeps_to_one_size, training_image_sizes
from cnnbench.config.optimizer import OPTIMIZERS, OptimizerConfig
from cnnbench.config.schedule import SCHEDULES, ScheduleConfig
from cnnbench.config.train import TrainConfig
from cnnbench.data.decode.engines import what_is_missing
from cnnbench.data.layouts.ilsvrc import classes_in_words
from cnnbench.data.loading.loader import Loader
from cnnbench.runtime.devices import device_name, memory_format, on_cpu
from cnnbench.runtime.shell import counted
from cnnbench.runtime.terminal import BOLD, coloured, row
from cnnbench.training.averages import of_run
from cnnbench.training.context import TrainContext
from cnnbench.training.optimizers.build import scaled_learning_rate
from cnnbench.training.splits import Splits
from cnnbench.training.state import TrainState
from cnnbench.training.trial import trial_of

COLUMN = 14  # at which the texts begin
SETTLED = 3  # times its memory after which a running mean has forgotten its start but for 5 %


def banner(context: TrainContext, state: TrainState, splits: Splits, loader: Loader) -> str:
    """Several lines of text, for a terminal in its width; `loader`: of the training images."""
    about = _loader(loader, context.data.about, context.config.data.workers == AUTO)
    return in_lines("train", rows_of(context, state, splits) | {"loader": about, "device": _device(context)})


def in_lines(command: str, rows: dict[str, str | None]) -> str:
    """The version and the command, and `rows` below, a line for each that is not None."""
    lines = [row(name, text, COLUMN, sys.stdout) for name, text in rows.items() if text is not None]
    return "\n".join([coloured(f"cnnbench {__version__} {command}", BOLD, sys.stdout), *lines])


def rows_of(context: TrainContext, state: TrainState, splits: Splits) -> dict[str, str | None]:
    """What a run does and on what, each by a word for it; None: nothing to be said."""
    config = context.config
    return {
        "run": f"{context.folder} ({_state(context, state)})",
        "trial": trial_of(config, context.steps_per_epoch),
        "network": _network(context),
        "data": _data(context, splits),
        "files": context.data.files,
        "recipe": _recipe(context),
        "batch": _batch(config, context.process.world) + _otherwise(context),
        "rate": _rate(config),
        "frozen": _frozen(context),
        "optimiser": _optimizer(config),
        "loss": _loss(config),
        "norms": _norms(context),
        "average": _average(config),
        "augment": describe_augment(config.augment),
        "resolution": _resolution(config),
    }


def _state(context: TrainContext, state: TrainState) -> str:
    config = context.config
    if state.epoch == context.epochs:
        return "trained; only the result is missing"
    if state.epoch or state.step:
        return f"continues after epoch {state.epoch}, step {state.step} of the next"
    return f"new; weights from {config.weights}" if config.weights else "new"


def _network(context: TrainContext) -> str:
    config, size = context.config, input_size(context.config)
    count = sum(parameter.numel() for parameter in context.model.parameters())
    native = "" if size == config.arch.image_size else f" (native: {config.arch.image_size})"
    options = "".join(f", {name}={value}" for name, value in config.arch.options.items())
    dropout = "" if config.arch.dropout is None else f", dropout {config.arch.dropout:g}"
    dropout += f", stochastic depth {config.arch.stochastic_depth:g}" if config.arch.stochastic_depth else ""
    return (
        f"{config.arch.name}, {count:,} parameters, input {config.arch.in_channels} x {size} x {size}{native}"
        f"{dropout}{options}"
    )


def _data(context: TrainContext, splits: Splits) -> str:
    config, data = context.config, context.data
    note = (
        "bundled sample, part of Fashion-MNIST (no data= given)" if config.data.path == "sample" else config.data.path
    )
    fraction = config.data.train_fraction
    share = f", {fraction:.4g} of each class's training images" if fraction < 1 else ""
    held = "" if splits.holdout is None else f", {len(splits.holdout):,} held-out (they choose)"
    return (
        f"{note}: {classes_in_words(data.classes)}{share}, {data.images:,} training{held} and {len(splits.val):,} "
        "validation images"
    )


def _recipe(context: TrainContext) -> str:
    config, steps = context.config, context.steps_per_epoch
    dropped = context.data.images - steps * config.chosen_batch
    rest = f"; the last {dropped} images of each epoch's order are left out" if dropped else ""
    own = "paper = " * (config.recipe == config.arch.recipe)
    source = f" ({config.recipe_source})" * bool(config.recipe_source)
    ladder = f", ladder {config.ladder}" if config.ladder else ""
    return f"{own}{config.recipe}{source}{ladder}: {counted(config.epochs, 'epoch')} of {counted(steps, 'step')}{rest}"


def _resolution(config: TrainConfig) -> str | None:
    """The sides of training images with the epochs they begin at, where they are, or were to be, others than in
    evaluation."""
    sides = training_image_sizes(config)
    if {*sides} == {input_size(config)}:
        said = f"trained and tested at {input_size(config)}, the one side that {config.arch.name} takes"
        return said if keeps_to_one_size(config) else None
    starts = [epoch for epoch, here in enumerate(sides) if epoch == 0 or here != sides[epoch - 1]]
    trained = ", ".join(f"{sides[epoch]}" + f" from epoch {epoch + 1}" * (epoch > 0) for epoch in starts)
    return f"trained at {trained}; tested at {input_size(config)}"


def _batch(config: TrainConfig, world: int) -> str:
    parts = f"{world} process{'es' * (world > 1)} x {config.images_at_once(world)}"
    note = ""
    if config.recipe_batch is not None and config.recipe_batch != config.batch:
        chosen = nearest_multiple(config.recipe_batch, world * config.accumulate) == config.batch
        why = "the nearest to it that splits evenly" if chosen else "as the run began"
        note = f"; the recipe's is {config.recipe_batch}, {why}"
    return f"global {config.batch} = {parts} x accumulate {config.accumulate}{note}"


def _otherwise(context: TrainContext) -> str:
    """That parts of a step are other arithmetic than the whole, where they are."""
    config, model = context.config, context.model
    share, part = config.chosen_batch // context.process.world, config.images_at_once(context.process.world)
    norms = bool(batch_norms(model)) and not (config.bn_group or share) <= part
    dropout = any(isinstance(each, nn.Dropout) and each.p > 0 for each in model.modules())
    which = " and ".join(["batch normalisation"] * norms + ["dropout"] * dropout)
    if config.accumulate == 1 or not which:
        return ""
    return f"; {which} in parts of {part} images: other arithmetic than {share} at once"


def _rate(config: TrainConfig) -> str:
    optimizer, schedule = config.optimizer, config.schedule
    ratio = f"{config.batch}/{optimizer.base_batch}"
    factor = {"linear": f" x {ratio}", "sqrt": f" x sqrt({ratio})", "none": ", at any batch"}[optimizer.scaling]
    way = {"linear": "from", "constant": "at"}[schedule.warmup]
    length = f"{schedule.warmup_epochs:g} epoch{'s' * (schedule.warmup_epochs != 1)}"
    warmup = f", warm-up {way} {schedule.warmup_start:g} over {length}"
    form = _acting(schedule, SCHEDULES) + warmup * (schedule.warmup_epochs > 0)
    return f"{scaled_learning_rate(optimizer, config.chosen_batch):g} = {optimizer.lr:g}{factor}; {form}"


def _optimizer(config: TrainConfig) -> str:
    optimizer = config.optimizer
    parts = [_acting(optimizer, OPTIMIZERS)]
    without_decay = [name for name in ("norms", "biases") if not getattr(optimizer, f"decay_{name}")]
    exceptions = f" (not on {' and '.join(without_decay)})" if without_decay else ""
    parts.append(f"weight decay {optimizer.weight_decay:g}{exceptions}")
    parts += [f"biases at {optimizer.bias_lr:g} times the rate"] if optimizer.bias_lr != 1 else []
    parts += [f"the classifier at {optimizer.classifier_lr:g} times the rate"] if optimizer.classifier_lr != 1 else []
    parts += (
        [f"each block at {optimizer.layer_decay:g} times the rate of the next"] if optimizer.layer_decay != 1 else []
    )
    parts += [f"gradients clipped at norm {config.clip_norm:g}"] if config.clip_norm is not None else []
    parts += [f"filters held at RMS {config.filter_radius:g}"] if config.filter_radius is not None else []
    return ", ".join(parts)


def _frozen(context: TrainContext) -> str | None:
    """What `freeze` leaves as it is."""
    layer = context.config.freeze
    if layer is None:
        return None
    parameters = [*context.model.parameters()]
    fixed = sum(each.numel() for each in parameters if not each.requires_grad)
    trained = sum(each.numel() for each in parameters if each.requires_grad)
    random = "; these are random: no weights= is given" if context.config.weights is None else ""
    return f"{fixed:,} parameters up to {layer}, run as in evaluation; {trained:,} are trained{random}"


def _norms(context: TrainContext) -> str | None:
    """Batch normalisation: what its statistics are of, and whether the run is long enough for running ones."""
    config, text = context.config, about_norms(context.model)
    if text is None:
        return None
    norms = batch_norms(context.model)
    moving = {name: norm for name, norm in norms.items() if not context.frozen.holds(f"{name}.weight")}
    if not moving:
        return f"{len(norms)}, all of them frozen: statistics, scales and shifts stay as they begin"
    text += f"; {len(norms) - len(moving)} of them frozen" if len(moving) < len(norms) else ""
    text += f"; over at most {config.bn_group} images" if config.bn_group is not None else ""
    if config.precise_bn is not None:
        images = min(config.precise_bn, context.data.images)
        text += f"; computed anew over {images:,} training images for the last evaluation"
    steps = config.epochs * context.steps_per_epoch * config.accumulate
    memory = max(1 / (norm.momentum or 1) for norm in moving.values())
    if steps < SETTLED * memory:
        text += (
            f"; warning: running statistics remember {memory:,.0f} batches, and the run has {steps:,}: errors by them "
            f"say little (arch.bn_momentum={min(1.0, SETTLED / steps):.2g}"
            + (" or precise_bn=8192)" if config.precise_bn is None else ")")
        )
    return text


def _average(config: TrainConfig) -> str | None:
    average = of_run(config.average, config.chosen_batch, config.epochs)
    if average.kind == "none":
        return None
    text = _acting(average, AVERAGES)
    return text + f" (decay: {config.average.decay:g} stated for a run)" * (average != config.average)


def _loss(config: TrainConfig) -> str:
    parts = {"cross_entropy": "cross-entropy", "bce": "binary cross-entropy, mean over images and classes"}[config.loss]
    threshold = "" if config.bce_threshold is None else f", shares above {config.bce_threshold:g} in full"
    return f"{parts}{threshold}, label smoothing {config.label_smoothing:g}"


def _acting(group: OptimizerConfig | ScheduleConfig | AverageConfig, kinds: Mapping[str, Kind]) -> str:
    """A kind and those of its keys that act, as they are written: 'sgd(momentum=0.9, nesterov=True)'."""
    values = {name: getattr(group, name) for name in kinds[group.kind].keys}
    shown = [f"{name}={value}" for name, value in values.items() if value is not False and value is not None]
    return f"{group.kind}({', '.join(shown)})" if shown else group.kind


def describe_augment(augment: AugmentConfig) -> str:
    """The operations that act, in their order: 'crop(random_resized) -> flip(p=0.5)'."""
    parts = []
    for name in augment.order:
        operation = getattr(augment, name)
        if name == "crop":
            parts.append(f"crop({operation.kind})")
        elif operation.p > 0:
            parts.append(_operation(name, operation))
    text = " -> ".join(parts) + " (after the crop: on the training device)" * (augment.device == "gpu")
    mixing = [_operation(name, getattr(augment, name)) for name in ("mixup", "cutmix") if getattr(augment, name).p > 0]
    text += f" -> batches: {' or '.join(mixing)}" if mixing else ""
    return text + (f"; every image {augment.repeats} times in a batch" if augment.repeats > 1 else "")


def _operation(name: str, operation: Any) -> str:
    """An operation of augmentation with its values: 'rotate(p=0.5, degrees=15)'."""
    keys = ("kind", "p", *POLICIES[operation.kind].keys) if name == "policy" else tuple(vars(operation))
    return f"{name}({', '.join(f'{key}={_short(getattr(operation, key))}' for key in keys)})"


def _short(value: float | str | list[float]) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_short, value))}]"
    return value if isinstance(value, str) else f"{value:g}"


def _loader(loader: Loader, about: dict[str, str], automatic: bool) -> str:
    workers = loader.workers_in_words + " per training process" * (loader.workers > 0)
    workers += " (auto: the fewest that supply the most here)" * (automatic and loader.workers > 0)
    return f"{workers}, decoder {about['engine']}{what_is_missing()}, {about['pixels']} pixels from {about['form']}"


def _device(context: TrainContext) -> str:
    device = context.device
    name = f"cpu, {torch.get_num_threads()} threads" if on_cpu(device) else device_name(device)
    last = memory_format(context.config.channels_last, device) == torch.channels_last
    layout = "channels last" if last else "channels first"
    layout += f" (all that {device.type} has)" if context.config.channels_last and not last else ""
    mode = context.config.compile_mode
    compiled = f", compiled{'' if mode == 'default' else f' ({mode})'}" if context.config.compile else ""
    saving = ", activations recomputed" if context.config.memory == "save" else ""
    return f"{name} per process, {context.precision.name}, {layout}{compiled}{saving}"
