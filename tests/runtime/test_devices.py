"""What of its machine a process uses."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch

import cnnbench
from cnnbench.config.devices import DEVICES
from cnnbench.runtime import devices
from cnnbench.runtime.accelerator_facts import parsed
from cnnbench.runtime.backends import BACKENDS
from cnnbench.runtime.devices import (
    choose_device,
    choose_processes,
    choose_workers,
    device_name,
    device_of,
    exact,
    is_out_of_memory,
    memory_format,
    pinned,
)
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.precision import choose_precision

PACKAGE = Path(cnnbench.__file__).parent


def test_no_accelerator_is_named_outside_runtime():
    """What a kind of device has is asked of one table; the schema has the names that users give."""
    named = re.compile(r"torch\.(cuda|mps|xpu)\b|[\"'](cuda|mps|xpu|nccl)[\"']")
    found = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if named.search(file.read_text())}
    elsewhere = {file for file in found if not file.startswith("runtime/")}
    assert elsewhere == {"config/devices.py"}
    assert "runtime/backends.py" in found, "the pattern finds them"


def test_the_table_has_every_device_that_a_user_can_name():
    assert {*BACKENDS} == {*DEVICES} - {"auto"}


def test_the_device_that_torch_finds_is_taken(accelerator):
    assert choose_device("auto") == "sim"
    assert choose_device("cpu") == "cpu"
    with pytest.raises(UserError, match=r"device=cuda, .*: use device=cpu or device=sim, or a torch built for it"):
        choose_device("cuda")
    with mock.patch.dict(BACKENDS):
        del BACKENDS["sim"]  # one that the table does not know
        assert choose_device("auto") == "cpu"
        with pytest.raises(UserError, match=r"device=mps, .*: use device=cpu, or a torch built"):
            choose_device("mps")


def test_processes_need_a_device_that_can_speak_to_others(accelerator):
    assert choose_processes(None, "sim") == 1
    with pytest.raises(UserError, match=r"processes=2, but torch trains in one process on device=sim: leave it out"):
        choose_processes(2, "sim")
    assert choose_processes(3, "cpu") == 3
    with mock.patch.dict(BACKENDS, sim=dataclasses.replace(BACKENDS["sim"], collectives="nccl")):
        assert choose_processes(2, "sim") == 2


def test_what_a_device_lacks_is_done_another_way(accelerator):
    values = torch.tensor([1 / 3], device="sim")
    lacking = dataclasses.replace(BACKENDS["mps"], bf16=lambda: False)
    assert exact(values).device.type == "sim"
    with mock.patch.dict(BACKENDS, sim=lacking):
        accelerator.forbidden = {torch.float64}
        assert (exact(values).device.type, exact(values).dtype) == ("cpu", torch.float64)
        assert memory_format(True, "sim") == torch.contiguous_format
        assert pinned(torch.zeros(3)) is None
        assert choose_precision("auto", "sim").name == "float32"
        with pytest.raises(UserError, match="no bf16 arithmetic"):
            choose_precision("bf16", "sim")
    assert choose_precision("auto", "sim").name == "bf16"
    assert choose_precision("auto", "cpu").name == "float32"


@pytest.mark.parametrize(("answer", "locked"), [(0, True), (1, False)])
def test_memory_is_taken_for_pinned_only_if_the_gpus_driver_says_so(answer, locked, monkeypatch):
    asked, ended = [], []
    driver = SimpleNamespace(
        cudaHostRegister=lambda *words: asked.append(words) or answer, cudaHostUnregister=ended.append
    )
    monkeypatch.setattr(torch.cuda, "cudart", lambda: driver)
    monkeypatch.setattr(devices, "choose_device", lambda _: "cuda")
    memory = torch.zeros(3, 5, dtype=torch.uint8)
    unpin = pinned(memory)
    assert (unpin is not None) == locked
    assert asked == [(memory.data_ptr(), 15, 0)]
    if unpin is not None:
        unpin()
        assert ended == [memory.data_ptr()]


def test_a_lack_of_memory_is_known_by_its_words_where_torch_has_no_class_for_it():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 1.0 GB, other allocations: 0)"))
    assert is_out_of_memory(RuntimeError("alloc_cpu.cpp: DefaultCPUAllocator: can't allocate memory: you tried to"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_names_of_devices(accelerator):
    assert device_name(torch.device("sim")) == "simulated accelerator"
    with mock.patch.object(torch.sim, "get_device_name", None):
        assert device_name(torch.device("sim")).endswith(" (sim)")


def test_what_the_driver_says_is_numbers_where_it_knows_them():
    line = "NVIDIA H200, 570.86.15, 143771, 345, 1980, 3201, [N/A]"
    assert parsed(line) == {
        "name": "NVIDIA H200",
        "driver": "570.86.15",
        "memory_mib": 143771.0,
        "sm_mhz": 345.0,
        "most_sm_mhz": 1980.0,
        "memory_mhz": 3201.0,
        "power_limit_w": None,
    }


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = [device_of(rank, "cuda") for rank in (0, 1)]
    assert chosen == [torch.device("cuda", 0), torch.device("cuda", 1)]
    with pytest.raises(UserError, match="process 2 of this machine has no GPU: the machine has 2, so start at most 2 "):
        device_of(2, "cuda")


def test_a_launcher_may_show_each_process_its_own_gpu_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_of(5, "cuda") == torch.device("cuda", 0)


def test_cores_are_shared_with_processes_on_this_machine(monkeypatch):
    monkeypatch.setattr(devices, "usable_cores", lambda: 16)
    group = {"RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "node1", "MASTER_PORT": "7", "LOCAL_WORLD_SIZE": "4"}
    for name, value in group.items():
        monkeypatch.setenv(name, value)
    assert choose_workers(None, 8) == 4
    assert choose_workers(3, 8) == 3
    monkeypatch.delenv("RANK")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert choose_workers(None, 1) == 16, "what is left over of a group does not count"


@pytest.mark.parametrize(("bound", "workers"), [(16, 8), (8, 8), (1, 1)])
def test_a_task_of_slurm_counts_its_own_cores_bound_or_not(monkeypatch, bound, workers):
    """Four tasks of eight cores on a node: bound to its own, a task shares them with nobody."""
    monkeypatch.setattr(devices, "usable_cores", lambda: bound)
    group = {"RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "node1", "MASTER_PORT": "7", "LOCAL_WORLD_SIZE": "4"}
    task = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "1", "SLURM_CPUS_PER_TASK": "8"}
    for name, value in (group | task).items():
        monkeypatch.setenv(name, value)
    assert choose_workers(None, 8) == workers
