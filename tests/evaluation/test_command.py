"""`cnnbench eval`: how many processes it starts."""

from __future__ import annotations

import pytest

from cnnbench.config.evaluate import EvalConfig
from cnnbench.evaluation import command
from cnnbench.runtime.distributed import Process


@pytest.mark.parametrize(("processes", "started"), [(1, []), (2, [2]), (3, [3])])
def test_as_many_processes_as_are_chosen_and_none_more_for_one(processes, started, monkeypatch):
    launched, alone = [], []
    monkeypatch.setattr(command, "ensemble_members", lambda config: [])
    monkeypatch.setattr(command.distributed, "choose_processes", lambda *_: processes)
    monkeypatch.setattr(command, "launch", lambda function, count, *_: launched.append(count))
    monkeypatch.setattr(command, "_evaluate", lambda config, process, device: alone.append(process))
    command.evaluate_command(EvalConfig(device="cpu"))
    assert launched == started
    assert alone == ([Process()] if processes == 1 else [])
