"""Memory counted on tensors without values, against what torch's allocator for CPUs hands out in a real step."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cnnbench.analysis.bench.memory import peak_bytes
from cnnbench.analysis.dry_run.step_memory import StepMemory, step_memory
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.runtime.distributed import Process
from cnnbench.training.context import build_context
from cnnbench.training.data import TrainData
from cnnbench.training.process import build_model
from cnnbench.training.train_step import train_step
from tests.support.composing import composed

CLASSES, CLOSE = 10, 0.15


def network_of(config: TrainConfig, device: str) -> nn.Module:
    with torch.device(device):
        return build_model(config, CLASSES, Process(), torch.device(device))


def counted(config: TrainConfig, world: int = 1, precision: str = "float32") -> StepMemory:
    return step_memory(config, network_of(config, "meta"), CLASSES, world, precision)


def measured(config: TrainConfig, tmp_path) -> int:
    """Most bytes of a real step, by torch's own record of its allocator."""
    model = network_of(config, "cpu")
    data = TrainData([str(number) for number in range(CLASSES)], config.chosen_batch, None, None, {})
    context = build_context(config, model, data, tmp_path)
    size = config.image_size or config.arch.image_size
    images = torch.zeros(config.chosen_batch, size, size, 3, dtype=torch.uint8)

    def step() -> None:
        batch = Batch(images.clone(), torch.zeros(len(images), dtype=torch.int64), torch.empty(len(images), 0))
        train_step(context, DevicePrefetcher([batch], context.normalise), 0, 0.01)

    step()  # makes the optimiser's state
    averaged = [] if context.averaged is None else [*context.averaged.module.parameters()]
    state = [each for values in context.optimizer.state.values() for each in values.values() if each is not None]
    resident = [*model.parameters(), *model.buffers(), *averaged, *state]
    return peak_bytes(step, resident, torch.device("cpu"))


@pytest.mark.parametrize(
    "words",
    [
        "arch=lenet batch=64",
        "arch=resnet18 image_size=64 batch=16",
        "arch=lenet batch=64 average.kind=ema",
        "arch=resnet18 image_size=64 batch=32 memory=save",
        "arch=resnet18 image_size=64 batch=16 optimizer=adamw",
    ],
)
def test_the_count_is_what_the_allocator_hands_out(words, tmp_path):
    config = composed(*words.split())
    assert counted(config).step == pytest.approx(measured(config, tmp_path), rel=CLOSE)


def test_each_part_is_what_it_is_made_of():
    config = composed("arch=lenet", "batch=64")
    plain = counted(config)
    count = sum(parameter.numel() for parameter in network_of(config, "meta").parameters())
    assert plain.weights == pytest.approx(4 * count, rel=0.02)  # each tensor in whole grains
    assert plain.gradients == plain.optimizer == plain.weights
    assert plain.average == 0
    adam = counted(composed("arch=lenet", "batch=64", "optimizer=adamw"))
    assert adam.optimizer == pytest.approx(2 * plain.optimizer, rel=0.03)
    averaged = counted(composed("arch=lenet", "batch=64", "average.kind=ema"))
    assert averaged.average == plain.weights
    assert averaged.step == plain.step + plain.weights


def test_more_images_smaller_parts_and_recomputation_change_what_is_kept():
    config = composed("arch=resnet18", "image_size=64", "batch=64")
    whole = counted(config)
    half = counted(replace(config, accumulate=2))
    kept = whole.step - whole.weights - whole.gradients - whole.optimizer
    assert half.step - half.weights - half.gradients - half.optimizer < 0.7 * kept
    assert counted(config, world=2).step < whole.step
    assert counted(replace(config, memory="save")).step < whole.step - 0.1 * kept
    assert counted(config, precision="bf16").step < whole.step - 0.2 * kept
    twice = counted(replace(config, eval_batch=2 * config.eval_batch))
    resident = whole.weights + whole.optimizer
    assert twice.evaluation - resident == pytest.approx(2 * (whole.evaluation - resident), rel=0.02)


def test_what_is_frozen_needs_no_gradients():
    config = composed("arch=resnet18", "image_size=64", "batch=16")
    frozen = counted(replace(config, freeze="layer4"))
    assert frozen.gradients == frozen.optimizer < 0.01 * frozen.weights
    assert frozen.step < counted(config).step


@pytest.mark.parametrize(
    ("arch", "precision", "more"),
    [
        ("resnet20", "bf16", ()),
        ("lenet", "fp16", ("augment=lecture", "augment.device=gpu")),  # done before the step's activations are there
    ],
)
def test_the_count_is_that_of_a_device_with_its_own_memory(arch, precision, more, command, small_data, accelerator):
    words = (f"arch={arch}", "recipe=quick", "batch=20", "eval_batch=2", "image_size=32", "epochs=1", *more)
    least = (f"data={small_data}", f"precision={precision}", "data.workers=0", "logger=[]", "run=one")
    done = command("train", *words, *least)
    assert done.returncode == 0, done.stderr
    assert counted(composed(*words), precision=precision).peak == pytest.approx(accelerator.memory.peak, rel=CLOSE)
