"""The global batch of a run: as given, or the recipe's, brought to what the processes can share evenly.

A batch that somebody asked for is kept or refused, never changed. A recipe's batch is of the paper's machine: where the
run's processes and accumulated parts do not divide it, the nearest batch that they do divide takes its place, and the
learning rate follows by `optimizer.scaling`. A run that has begun keeps its batch on whatever hardware it continues.
"""

from __future__ import annotations

from dataclasses import replace

from cnnbench.config.fields import AUTO, given, plain
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError


def stated_batch(config: TrainConfig) -> int | None:
    """The batch of `config`, images, before the hardware is known."""
    return config.recipe_batch if config.batch is None else config.batch


def expected_batch(config: TrainConfig) -> int:
    """The batch of a new run, images, as far as `processes` says how many there will be (one, if it does not)."""
    return choose_batch(config, config.processes or 1)


def recipe_batch_of(config: TrainConfig) -> int:
    """The recipe's batch, images; UserError if the recipe states none."""
    return given(config.recipe_batch, f"recipe={config.recipe} has no recipe_batch: give batch=N")


def choose_batch(config: TrainConfig, processes: int) -> int:
    """The batch, images, of a new run on `processes` processes.

    Raises UserError if it was given and does not split evenly, or leaves no two images to be mixed.
    """
    parts = processes * _accumulate(config)
    batch = nearest_multiple(recipe_batch_of(config), parts) if config.batch is None else config.batch
    over = _parts(config, processes)
    if batch % parts:
        raise UserError(f"batch={batch} does not split evenly over {over}: use batch={nearest_multiple(batch, parts)}")
    if batch == parts and (config.augment.mixup.p > 0 or config.augment.cutmix.p > 0):
        raise UserError(
            f"batch={batch} over {over} leaves parts of one image, which mixup and cutmix would mix with itself: use "
            f"batch={2 * batch}, or augment.mixup.p=0 augment.cutmix.p=0"
        )
    return batch


def with_batch(config: TrainConfig, processes: int) -> TrainConfig:
    """`config` of a new run with its batch chosen; `recipe_batch` stays only where the batch came of it."""
    recipe_batch = config.recipe_batch if config.batch is None else None
    return replace(config, batch=choose_batch(config, processes), recipe_batch=recipe_batch)


def with_batch_of(before: TrainConfig, config: TrainConfig) -> TrainConfig:
    """`config`, which is to continue the run of `before`; where it gives no batch, with the one chosen for that run,
    and for accumulate=auto and channels_last=auto with what was found for it."""
    same = config.batch is None and config.recipe_batch == before.recipe_batch
    batch = before.batch if same else stated_batch(config)
    accumulate = before.accumulate if config.accumulate == AUTO else config.accumulate
    last = before.channels_last if config.channels_last == AUTO else config.channels_last
    return replace(config, batch=batch, recipe_batch=before.recipe_batch, accumulate=accumulate, channels_last=last)


def check_accumulate(config: TrainConfig) -> None:
    """Raise UserError for an `accumulate` that cannot be."""
    parts = config.accumulate
    if parts == AUTO:
        if config.device == "cpu":
            raise UserError(
                "accumulate=auto looks for what fits into a GPU's memory: give accumulate=N with device=cpu"
            )
    elif not isinstance(parts, int) or isinstance(parts, bool) or parts < 1:
        raise UserError(f"accumulate={plain(parts)} is out of range: it must be a whole number, at least 1, or auto")


def _accumulate(config: TrainConfig) -> int:
    """The parts as far as they are known: one where they are still to be found, as each number divides a share."""
    return 1 if config.accumulate == AUTO else int(config.accumulate)


def check_continued(config: TrainConfig, processes: int, run: str) -> None:
    """Raise UserError unless the batch that `run` began with splits evenly over `processes`."""
    if config.chosen_batch % (processes * _accumulate(config)):
        shares = config.chosen_batch // _accumulate(config)
        near = max(n for n in range(1, processes + 1) if shares % n == 0)
        raise UserError(
            f"{run} began with a batch of {config.batch}, which does not split evenly over "
            f"{_parts(config, processes)}: continue it on {near} process{'es' * (near > 1)}"
        )


def nearest_multiple(number: int, parts: int) -> int:
    """Of `parts`, at least `parts` itself; the larger of two that are equally near."""
    return max(parts, (number + parts // 2) // parts * parts)


def _parts(config: TrainConfig, processes: int) -> str:
    return f"{processes} process{'es' * (processes > 1)} x accumulate {config.accumulate}"
