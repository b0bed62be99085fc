"""tools/gpu_proof.py, rehearsed on the CPU: the same code at small sizes, and what becomes of what fails or hangs."""

from __future__ import annotations

import os
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import gpu_proof
import pytest
import torch
from gpu_parts import cifar, exact, speed, steps
from gpu_parts.job import REHEARSED, Job, fitting
from gpu_parts.page import NONE, page
from gpu_parts.parts import PARTS
from gpu_parts.record import DONE, Results, add, read

from cnnbench.analysis.bench import timing
from tests.conftest import _forked_groups
from tests.simulated.device import SimulatedDevice


@pytest.mark.slow
def test_rehearsal(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    """Every part runs and is judged right, and the page says that these are no results."""
    monkeypatch.chdir(tmp_path)
    with _forked_groups():
        status = gpu_proof.main(["--rehearse"])
    text = capfd.readouterr().out.partition("# The proof on a GPU")[2].partition("## Rehearsal")[2]
    assert status == 0, text
    assert text.startswith(" on the CPU: these are no results")
    for part in PARTS:
        assert f"| {part} | done |" in text
    for title in ("Stopped and continued", "A group of one", "a level", "in each precision", "cnnbench over it"):
        assert title in text
    for title in ("every network", "over bare (%)", "from JPEG", "peak memory", "no CIFAR-10 was given"):
        assert title in text
    assert "| NO |" not in text
    assert "with an error" not in text


@pytest.mark.slow
def test_parts_on_an_accelerator(
    accelerator: SimulatedDevice, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a CPU has not: loss scaling, pinned slots, a flag that holds back steps, counted memory."""
    monkeypatch.setattr(timing.time_rounds, "__defaults__", (0,))
    sizes = replace(REHEARSED, device="auto", precisions=("bf16", "fp16", "float32"), augments=("rotate",))
    job = replace(_job(tmp_path / "r.jsonl"), sizes=sizes)
    for name, part in {"precisions": steps.precisions, "pictures": exact.pictures, "alone": speed.alone}.items():
        part(replace(job, part=name))
    results = read(job.file)
    assert not results.faults()
    assert [line["values"]["ok"] for line in results.of("precisions").values()] == [True] * 3
    assert results.of("pictures")["rotate"]["values"]["pinned"]
    assert results.of("alone")["lenet"]["values"]["peak_memory"] > 1 << 20


def _job(file: Path, done: frozenset[str] = frozenset()) -> Job:
    return Job("networks", REHEARSED, file, done, file.parent, None, time.monotonic() + 60)


@pytest.mark.parametrize(("factor", "ok"), [(1.15, True), (1.3, False)])
def test_a_loss_that_is_not_the_cpus_is_out_of_bounds(
    factor: float, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(name: str, device: torch.device, precision: str, **_: Any) -> steps.Steps:
        return steps.Steps([2.3, 2.2 * (factor if precision == "bf16" else 1)], torch.ones(3))

    monkeypatch.setattr(steps, "steps_of", two)
    steps._on_the_cpu.cache_clear()
    monkeypatch.setattr(steps, "_on_the_cpu", steps._on_the_cpu.__wrapped__)
    steps.networks(_job(tmp_path / "r.jsonl"))
    results = read(tmp_path / "r.jsonl")
    assert [line["values"]["ok"] for line in results.of("networks").values()] == [ok, ok]


def test_one_that_fails_is_told_and_the_next_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A later call measures again what failed, and that alone."""
    file, asked = tmp_path / "deep/r.jsonl", []

    def measure(key: str) -> dict[str, Any]:
        asked.append(key)
        if asked.count(key) == 1 and key == "b":
            raise torch.OutOfMemoryError("out of memory. Tried to allocate\nadvice")
        if asked.count(key) == 1 and key == "c":
            raise SystemExit(3)
        return {"ok": True}

    _job(file).each("abcd", measure)
    add(file, {"part": "networks", "end": DONE})
    lines = read(file).of("networks")
    assert lines["b"]["error"] == "OutOfMemoryError: out of memory. Tried to allocate"
    assert lines["c"]["error"] == "SystemExit: 3"
    assert not read(file).complete("networks")
    _job(file, read(file).done("networks")).each("abcd", measure)
    assert asked == [*"abcd", *"bc"]
    add(file, {"part": "networks", "end": DONE})
    assert read(file).complete("networks")


def test_nothing_more_is_asked_of_a_gpu_that_has_failed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def measure(key: str) -> dict[str, Any]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError):
        _job(tmp_path / "r.jsonl").each("ab", measure)
    assert read(tmp_path / "r.jsonl").of("networks").keys() == {"a"}


def test_a_batch_that_does_not_fit_is_halved() -> None:
    tried = []

    def work(images: int) -> None:
        tried.append(images)
        if images > 20:
            raise torch.OutOfMemoryError("out of memory")

    assert fitting(64, work, torch.device("cuda")) == 16
    assert tried == [64, 32, 16]


def test_a_run_that_is_not_at_its_end_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a later call; and one that was left out is begun, once its files are given."""
    file, epochs = tmp_path / "r.jsonl", iter((3, 164))
    job = replace(_job(file), part="cifar")

    def trained(_: Job) -> dict[str, Any]:
        done = next(epochs)
        return {"epochs": done, "complete": done == 164}

    monkeypatch.setattr(cifar, "_trained", trained)
    for folder, complete in ((None, False), (tmp_path, False), (tmp_path, True)):
        cifar.train(replace(job, cifar=folder, done=read(file).done("cifar")))
        add(file, {"part": "cifar", "end": DONE})
        assert read(file).complete("cifar") is complete
    assert read(file).of("cifar")["resnet20"]["values"]["epochs"] == 164


def test_what_went_wrong_is_told_and_what_the_time_cut_off_is_not(capsys: pytest.CaptureFixture) -> None:
    lines: list[dict[str, Any]] = [
        {"part": "alone", "key": "vgg16", "error": "OutOfMemoryError: out of memory"},
        {"part": "alone", "end": "cut off after 60 s"},
        {"part": "networks", "key": "lenet bf16", "error": "RuntimeError: before it was repaired"},
        {"part": "networks", "key": "lenet bf16", "values": {"ok": True}},
        {"part": "networks", "key": "nin bf16", "values": {"ok": False}},
        {"part": "recipe", "end": "failed: exit status -9, nothing said"},
    ]
    assert gpu_proof._told(Results(lines)) == 1
    assert capsys.readouterr().err.splitlines() == [
        "gpu_proof: alone, vgg16: OutOfMemoryError: out of memory",
        "gpu_proof: networks, nin bf16: out of bounds",
        "gpu_proof: recipe failed: exit status -9, nothing said",
    ]
    assert gpu_proof._told(Results(lines[1:4])) == 0


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    add(file, {"part": "loop", "key": "a", "values": {}})
    with file.open("a") as out:
        out.write('{"part": "loop", "key": "b", "val')
    add(file, {"part": "loop", "key": "c", "values": {}})
    assert read(file).done("loop") == {"a", "c"}


HANGS = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"


def test_a_part_is_ended_with_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert gpu_proof.within([sys.executable, "-c", HANGS], 1, log, dict(os.environ)) == "cut off after 1 s"
    child = Path(f"/proc/{int(log.read_text())}/stat")
    for _ in range(50):
        if not child.exists() or child.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError("a child is still running")


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("print('words'); print('the part ended: done')", "done"),
        ("print('torch: no such kernel'); raise SystemExit(7)", "failed: exit status 7, torch: no such kernel"),
        ("import os; os.kill(os.getpid(), 9)", "failed: exit status -9, nothing said"),
    ],
)
def test_how_a_part_ended(code: str, ended: str, tmp_path: Path) -> None:
    assert gpu_proof.within([sys.executable, "-c", code], 20, tmp_path / "log", dict(os.environ)) == ended


def test_the_order_and_the_time(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """No part gets more than is left; what was cut off or left out is done by a later call, what is done is not."""
    file, given = tmp_path / "r.jsonl", dict[str, float]()

    def launch(part: str, limit: float) -> str:
        given[part] = limit
        return "cut off after 1 s" if part == "group" and len(given) < 20 else DONE

    gpu_proof.run_parts(file, 45, launch)
    assert [*given] == [*PARTS]
    assert all(limit <= min(40, PARTS[part].limit) for part, limit in given.items())
    given.clear()
    gpu_proof.run_parts(file, 10, launch)
    assert not given
    assert read(file).end("machine")["end"] == "left out: the time is over"
    add(file, {"part": "resume", "end": DONE})
    gpu_proof.run_parts(file, 45, launch)
    assert "group" in given
    assert "resume" not in given


def test_a_call_that_is_stopped_keeps_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "r.jsonl"

    def launch(part: str, limit: float) -> str:
        add(file, {"part": part, "key": "one", "values": {}})
        if part == "group":
            gpu_proof._cut()
        return DONE

    gpu_proof.run_parts(file, 540, launch)
    assert read(file).end("group")["end"] == "cut off from outside"
    assert read(file).done("group") == {"one"}
    assert read(file).end("pictures") is None


def test_without_a_machine_nothing_is_begun(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    gpu_proof.run_parts(tmp_path / "r.jsonl", 540, lambda part, limit: f"failed: {part}")
    assert [line["part"] for line in read(tmp_path / "r.jsonl").lines] == ["machine"]


def test_wheels_and_the_tree_serve_without_an_installation(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("one.py", "")
    paths = gpu_proof._with_wheels(tmp_path, tmp_path / "work")["PYTHONPATH"].split(os.pathsep)
    assert any(Path(path, "one.py").exists() for path in paths)
    assert all(Path(paths[0], "cnnbench", name).exists() for name in ("conf/train.yaml", "cli/main.py"))


def test_an_error_stands_in_its_table() -> None:
    machine = {"part": "machine", "key": "machine", "values": {"device": "cuda", "versions": {}, "time": "now"}}
    machine["values"] |= dict.fromkeys(("processor", "cores", "native_decoder", "python"))
    line = {"part": "alone", "key": "vgg16", "error": "OutOfMemoryError: out | of memory"}
    text = page(Results([machine, line]))
    assert "## Results" in text
    assert "| vgg16 | OutOfMemoryError: out \\| of memory |" in text
    assert "| b | alone | was not reached | 1, 1 with an error |  |" in text


def test_the_page_of_the_tree_is_of_no_rehearsal() -> None:
    """docs/gpu.md is what the results in docs/gpu.jsonl make, of a GPU if there are any."""
    results = read(gpu_proof.RESULTS)
    assert gpu_proof.PAGE.read_text() == page(results), "run `python tools/gpu_proof.py --render`"
    machines = results.of("machine").values()
    assert all(line["values"]["device"] == "cuda" for line in machines)
    assert bool(machines) != page(results).endswith(NONE)
