"""What torch says of a step that cannot be made, in a sentence that says what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cnnbench.config.train import TrainConfig
from cnnbench.runtime.devices import is_out_of_memory, without_deterministic_kernel
from cnnbench.runtime.errors import UserError
from cnnbench.training.context import TrainContext

ONE_VALUE = "Expected more than 1 value per channel"  # torch/nn/functional.py, _verify_batch_size


@contextmanager
def explained(context: TrainContext, world: int) -> Iterator[None]:
    """Within this block, in which one of `world` processes trains, a lack of the device's memory, of a deterministic
    kernel, or of values to normalise becomes a UserError that says what to do, without changing the run."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise UserError(_out_of_memory(context, world)) from error
        if (operation := without_deterministic_kernel(error)) is None:
            raise
        raise UserError(
            f"{context.config.arch.name} needs {operation}, of which torch has no deterministic form on "
            f"{context.device.type}: leave deterministic=true out"
        ) from error
    except ValueError as error:
        if not str(error).startswith(ONE_VALUE):
            raise
        raise UserError(
            f"one image at a time leaves one value to batch normalisation of {context.config.arch.name}, which takes a "
            "variance: give a larger batch or image_size, or fewer processes or parts"
        ) from error


def _out_of_memory(context: TrainContext, world: int) -> str:
    config, evaluating = context.config, not context.model.training
    share = config.chosen_batch // world
    images = config.eval_batch if evaluating else config.images_at_once(world)
    means = f"set eval_batch={max(1, images // 2)}" if evaluating else _smaller_parts(config, share)
    where = " in evaluation" if evaluating else ""
    return f"{images} images at a time do not fit into memory{where}: {means}"


def _smaller_parts(config: TrainConfig, share: int) -> str:
    """What makes a step on a process's `share` of the batch take less memory, with the same batch and rate."""
    more = next((parts for parts in range(2 * config.accumulate, share + 1) if share % parts == 0), None)
    means = []
    if more is not None:
        way = f"set accumulate={more} (the same batch and rate, {share // more} images at a time)"
        means.append(f"{way} or accumulate=auto (the fewest parts that fit)")
    means += ["memory=save (activations are computed again)"] if config.memory == "keep" else []
    return " or ".join(means) or "use more processes or a smaller image_size"
