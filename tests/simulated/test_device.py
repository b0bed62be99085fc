"""The simulated device itself: it must go wrong where a GPU does."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.simulated.device import SimulatedDevice, simulated_device


def _small_network() -> nn.Module:
    torch.manual_seed(3)
    layers = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    return nn.Sequential(*layers)


def _train(model: nn.Module, device: str) -> list[torch.Tensor]:
    """The weights after three steps, and the statistics, on the CPU."""
    images, labels = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2] * 2)
    images, labels = images.to(device), labels.to(device)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-3)
    for _ in range(3):
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    return [tensor.cpu() for tensor in model.state_dict().values()]


def test_training_gives_the_bits_of_the_cpu(accelerator: SimulatedDevice) -> None:
    on_cpu, model = _train(_small_network(), "cpu"), _small_network().to("sim")
    assert {parameter.device.type for parameter in model.parameters()} == {"sim"}
    assert all(map(torch.equal, on_cpu, _train(model, "sim")))


def test_nothing_is_waited_for_by_a_step_itself(accelerator: SimulatedDevice) -> None:
    model, images = _small_network().to("sim"), torch.zeros(2, 1, 8, 8, device="sim")
    labels = torch.zeros(2, dtype=torch.int64, device="sim")
    accelerator.waits.clear()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    assert not accelerator.waits
    assert loss.item() > 0
    assert accelerator.waits == {"value": 1}


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.item(),
        lambda x: x.tolist(),
        bool,
        lambda x: x.cpu(),
        lambda x: torch.empty(()).copy_(x),
        lambda x: x.view(1)[x.view(1) > 0],
        torch.nonzero,
        lambda x: torch.tensor(1.0, device=x.device),
    ],
)
def test_what_needs_a_value_is_counted(read, accelerator: SimulatedDevice) -> None:
    x = torch.ones((), device="sim")
    read(x)
    assert accelerator.waits["value"] == 1


def test_tensors_of_two_devices_do_not_mix(accelerator: SimulatedDevice) -> None:
    x = torch.ones(2, device="sim")
    assert (x * torch.tensor(3.0)).tolist() == [3.0, 3.0]  # a single number may
    with pytest.raises(RuntimeError, match=r"at least two devices, sim:0 and cpu! \(aten::add"):
        x + torch.ones(2)


def test_a_copy_that_does_not_block_reads_its_source_later() -> None:
    seen = set()
    for seed in range(20):
        with simulated_device(seed) as device:
            source = torch.zeros(1).pin_memory()
            copy = source.to("sim", non_blocking=True)
            for _ in range(4):
                torch.zeros(1, device="sim")  # launches: the device may get on
            source.fill_(1)  # too early
            seen.add(copy.item())
            copy = source.to("sim", non_blocking=True)
            device.schedule.current.record_event().synchronize()
            source.fill_(2)
            assert copy.item() == 1
    assert seen == {0.0, 1.0}


def test_a_copy_of_memory_that_is_not_pinned_reads_it_at_once(accelerator: SimulatedDevice) -> None:
    source = torch.zeros(1)
    copy = source.to("sim", non_blocking=True)
    source.fill_(1)
    assert copy.item() == 0


def test_a_copy_to_the_host_is_garbage_until_it_is_waited_for() -> None:
    with simulated_device() as device:
        device.schedule.sooner = 0.0
        copy = torch.ones(1, device="sim").to("cpu", non_blocking=True)
        assert copy.item() != 1
        torch.sim.synchronize()
        assert copy.item() == 1


def test_a_stream_that_does_not_wait_for_another_reads_nothing() -> None:
    with simulated_device() as device:
        device.schedule.sooner = 0.0
        other = torch.sim.Stream()
        with torch.sim.stream(other):
            made = torch.ones(1, device="sim") * 2
        with pytest.raises(AssertionError, match="has not waited for another one"):
            (made + 1).item()
        torch.sim.current_stream().wait_stream(other)
        assert (made + 1).item() == 3


def test_memory_is_counted_and_has_an_end(accelerator: SimulatedDevice) -> None:
    x = torch.zeros(1000, device="sim")
    assert accelerator.memory.allocated == 4096
    y = x[10:].view(-1, 2) + 1
    assert (accelerator.memory.allocated, accelerator.memory.peak) == (8192, 8192)
    del x
    assert accelerator.memory.allocated == 4096
    y.add_(1)
    accelerator.memory.limit = 8000
    with pytest.raises(torch.OutOfMemoryError, match=r"out of memory. Tried to allocate 4,096 bytes"):
        y + 1
    del y
    assert accelerator.memory.allocated == 0


def test_autocast_goes_by_the_table(accelerator: SimulatedDevice) -> None:
    model, images = _small_network().to("sim"), torch.zeros(2, 1, 8, 8, device="sim")
    with torch.autocast("sim", torch.bfloat16):
        out = model(images)
        assert out.dtype == torch.bfloat16
        assert F.cross_entropy(out, torch.zeros(2, dtype=torch.int64, device="sim")).dtype == torch.float32
    assert model(images).dtype == torch.float32


def test_memory_that_nobody_has_written_to_is_garbage(accelerator: SimulatedDevice) -> None:
    assert torch.empty(3, device="sim").isnan().all()
    assert torch.empty_like(torch.ones(3, device="sim")).isnan().all()


def test_a_type_can_be_forbidden(accelerator: SimulatedDevice) -> None:
    accelerator.forbidden = {torch.float64}
    with pytest.raises(TypeError, match=r"float64 on sim"):
        torch.zeros(1, device="sim").double()


def test_random_numbers_follow_the_seed_and_not_the_moment() -> None:
    drawn = []
    for seed in (1, 2):
        with simulated_device(seed):
            torch.manual_seed(5)
            first = torch.empty(4, device="sim").bernoulli_(0.5)
            torch.manual_seed(6)
            drawn.append((first.tolist(), torch.rand(4, device="sim").tolist()))
    assert drawn[0] == drawn[1]


def test_there_is_no_device_outside_the_fixture() -> None:
    with simulated_device():
        assert torch.accelerator.current_accelerator(check_available=True) == torch.device("sim")
    assert torch.accelerator.current_accelerator(check_available=True) is None
