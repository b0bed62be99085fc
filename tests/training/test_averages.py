"""Averages of weights against slow loops that keep the whole history."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.config.average import AverageConfig
from cnnbench.training.averages import AveragedWeights, of_run, share_of_new

STEPS_PER_EPOCH = 5


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)


def train_step(model: nn.Module, step: int) -> None:
    """Any change of parameters and buffers, by the step alone."""
    torch.manual_seed(step)
    model.train()(torch.randn(4, 1, 2, 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)


def history(steps: int) -> list[dict[str, torch.Tensor]]:
    """The state before the first step, and after each."""
    model = network()
    states = [{name: value.clone() for name, value in model.state_dict().items()}]
    for step in range(steps):
        train_step(model, step)
        states.append({name: value.clone() for name, value in model.state_dict().items()})
    return states


def averaged(config: AverageConfig, steps: int) -> dict[str, torch.Tensor]:
    model = network()
    average = AveragedWeights(model, config)
    for step in range(steps):
        train_step(model, step)
        average.update(step, STEPS_PER_EPOCH)
    return average.module.state_dict()


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("warmup", [True, False])
@pytest.mark.parametrize("start_epoch", [0, 1])
def test_ema_by_a_slow_loop(warmup, start_epoch, every):
    found = averaged(AverageConfig("ema", decay=0.6, warmup=warmup, start_epoch=start_epoch, every=every), 20)
    states, first = history(20), start_epoch * STEPS_PER_EPOCH
    taken = [state for i, state in enumerate(states) if i > first and i % every == 0]
    start = [state for i, state in enumerate(states) if i <= first and i % every == 0][-1]
    for name, value in start.items():
        if name.endswith("num_batches_tracked"):
            assert found[name] == taken[-1][name]
            continue
        average = value.double()
        for n, state in enumerate(taken, start=1):
            decay = min(0.6, (1 + n) / (10 + n)) if warmup else 0.6
            average = decay * average + (1 - decay) * state[name]
        torch.testing.assert_close(found[name].double(), average, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("every", [1, 4])
def test_polyak_is_the_mean_of_all_weights_since_its_start(every):
    found = averaged(AverageConfig("polyak", start_epoch=2, every=every), 20)
    taken = [state for i, state in enumerate(history(20)) if i > 10 and i % every == 0]
    for name in ("0.weight", "0.bias", "1.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(found[name], torch.stack([state[name] for state in taken]).mean(0))


def test_before_its_start_the_average_is_the_weights():
    found = averaged(AverageConfig("polyak", start_epoch=3), 12)
    assert all(torch.equal(found[name], value) for name, value in history(12)[-1].items())


def test_the_share_of_new_weights_falls_to_that_of_the_decay():
    config = AverageConfig("ema", decay=0.9)
    shares = [share_of_new(config, step, STEPS_PER_EPOCH) for step in range(200)]
    assert shares[0] == pytest.approx(9 / 11)
    assert shares == sorted(shares, reverse=True)
    assert shares[79] == pytest.approx(9 / 90) == pytest.approx(shares[-1])
    assert share_of_new(AverageConfig("ema", decay=0.9, warmup=False), 0, STEPS_PER_EPOCH) == pytest.approx(0.1)


def test_averaged_weights_are_a_copy_that_does_not_train():
    model = network()
    average = AveragedWeights(model, AverageConfig("ema"))
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert not average.module.training
    assert model.training
    assert average.module[0].weight.data_ptr() != model[0].weight.data_ptr()


def test_statistics_that_are_computed_anew_are_copied_not_averaged():
    found = averaged(AverageConfig("polyak", precise_bn=8), 12)
    states = history(12)
    for name in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert torch.equal(found[name], states[-1][name])
    torch.testing.assert_close(found["0.weight"], torch.stack([state["0.weight"] for state in states[1:]]).mean(0))


def torchvisions_decay(world_size: int, batch_size: int, epochs: int) -> float:
    """references/classification/train.py, main, with --model-ema-steps 32 --model-ema-decay 0.99998."""
    adjust = world_size * batch_size * 32 / epochs
    alpha = 1.0 - 0.99998
    alpha = min(1.0, alpha * adjust)
    return 1.0 - alpha


@pytest.mark.parametrize(("batch", "epochs"), [(1024, 600), (256, 600), (1024, 100), (64, 8), (100_000, 1)])
def test_a_decay_of_a_run_follows_batch_and_epochs_as_torchvisions(batch, epochs):
    config = AverageConfig("ema", decay=0.99998, follows="run", every=32, warmup=False)
    assert of_run(config, batch, epochs).decay == torchvisions_decay(1, batch, epochs)
    assert of_run(of_run(config, batch, epochs), batch, epochs) == of_run(config, batch, epochs)
    step = AverageConfig("ema", decay=0.9)
    assert of_run(step, batch, epochs) is step
