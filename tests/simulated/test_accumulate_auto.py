"""accumulate=auto on the simulated accelerator, whose memory has an end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import config_of
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.devices import device_of
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.training import accumulation
from cnnbench.training import command as command_module
from cnnbench.training.accumulation import MARGIN, smallest
from tests.conftest import Run
from tests.simulated.device import SimulatedDevice

SHORT = ("recipe=quick", "epochs=1", "precision=float32", "data.workers=0", "schedule.warmup_epochs=0", "batch=60")
AUTO = (*SHORT, "accumulate=auto", "optimizer.fused=true")
MIB = 1 << 20

in_processes = accumulation._in_processes


@pytest.fixture(autouse=True)
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Trials are made in this process, which alone has the device; the parts that were tried."""
    seen: list[int] = []
    fits = accumulation._fits

    def here(config: TrainConfig, classes: int, world: int, device: str, ranks: Any) -> list[int]:
        return [accumulation.fewest_parts(config, classes, world, device_of(0, device)) for _ in ranks]

    def noted(config: TrainConfig, *given: Any) -> bool:
        seen.append(config.accumulate)
        return fits(config, *given)

    monkeypatch.setattr(accumulation, "_in_processes", here)
    monkeypatch.setattr(accumulation, "_fits", noted)
    return seen


def _config(folder: Path, name: str = "one") -> dict[str, Any]:
    return yaml.safe_load((folder / "runs" / name / "config.yaml").read_text())


def test_the_fewest_parts_that_fit_are_found_and_kept(
    command: Run, accelerator: SimulatedDevice, small_data: Path, tmp_path: Path, tried: list[int]
) -> None:
    """The run fits with them and not with fewer; a run that is continued does not try again, and says where it was."""
    accelerator.memory.limit = 5 * MIB
    words = ("train", *AUTO, f"data={small_data}", "run=one")
    done = command(*words, "max_hours=0.0000001")
    assert done.returncode == 75, done.stderr
    parts = _config(tmp_path)["accumulate"]
    assert 1 < parts < 60
    assert tried[0] == 1
    assert tried.count(parts) == 1
    line = (
        f"accumulate=auto: each process computes its 60 images in {parts} parts of {60 // parts}, the fewest that fit"
    )
    assert f"{line} into simulated accelerator\n" in done.stdout
    assert f"global 60 = 1 process x {60 // parts} x accumulate {parts}\n" in done.stdout, (
        "LeNet has no norms, no dropout"
    )
    fewer = max(n for n in range(1, parts) if 60 % n == 0)
    accelerator.memory.limit = round((1 - MARGIN) * 5 * MIB)
    lost = command("train", *SHORT, f"accumulate={fewer}", f"data={small_data}", "run=fewer")
    assert lost.returncode == 2
    assert "accumulate=auto (the fewest parts that fit)" in lost.stderr
    accelerator.memory.limit = 5 * MIB

    starts = tmp_path / "runs/one/environment.json"
    for before, note in (
        ("sim", None),
        ("cuda", "as it was found on cuda when the run began, and not tried anew on sim"),
    ):
        kept = json.loads(starts.read_text())
        kept[0]["accelerator"]["kind"] = before
        starts.write_text(json.dumps(kept))
        count = len(tried)
        again = command(*words, "max_hours=0.0000001")
        assert again.returncode == 75, again.stderr
        assert len(tried) == count, "no new trial"
        assert _config(tmp_path)["accumulate"] == parts
        assert (note or "accumulate=auto") in again.stdout or note is None
        assert note is not None or "accumulate=auto" not in again.stdout
    assert command(*words).returncode == 0


def test_the_same_weights_as_with_the_number_given(
    command: Run, accelerator: SimulatedDevice, small_data: Path, tmp_path: Path
) -> None:
    """A trial leaves nothing behind: no random number drawn, no memory taken."""
    accelerator.memory.limit = 5 * MIB
    found = command("train", *AUTO, f"data={small_data}", "run=found")
    assert found.returncode == 0, found.stderr
    parts = _config(tmp_path, "found")["accumulate"]
    given = command("train", *AUTO, f"accumulate={parts}", f"data={small_data}", "run=given")
    assert given.returncode == 0, given.stderr
    ours, theirs = (
        torch.load(tmp_path / "runs" / name / "checkpoints/last.pt", weights_only=True)["model"]
        for name in ("found", "given")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_what_fits_at_once_is_not_cut(
    command: Run, accelerator: SimulatedDevice, small_data: Path, tmp_path: Path, tried: list[int]
) -> None:
    accelerator.memory.limit = 512 * MIB
    done = command("train", *AUTO, f"data={small_data}", "run=one", "max_steps=1")
    assert done.returncode == 0, done.stderr
    assert tried == [1]
    assert "each process computes its 60 images at once: they fit into simulated accelerator" in done.stdout
    assert _config(tmp_path)["accumulate"] == 1


def test_a_margin_is_kept_free(command: Run, accelerator: SimulatedDevice, small_data: Path, tmp_path: Path) -> None:
    """What just fits into an empty memory is not taken: fragments and kernels need some of it."""
    few = (f"data={small_data}", "eval_batch=2", "epochs=2", "optimizer.fused=true")
    assert command("train", *SHORT, *few, "accumulate=2", "run=given").returncode == 0
    accelerator.memory.limit = round(1.03 * accelerator.memory.peak)
    done = command("train", *AUTO, *few, "run=auto")
    assert done.returncode == 0, done.stderr
    assert _config(tmp_path, "auto")["accumulate"] == 3


def test_the_banner_says_that_parts_are_other_arithmetic(
    command: Run, accelerator: SimulatedDevice, small_data: Path
) -> None:
    """Where there is batch normalisation, or dropout."""
    words = ("train", *SHORT, f"data={small_data}", "max_steps=1", "max_eval_images=4")
    done = command(*words, "arch=resnet20", "arch.dropout=null", "accumulate=4")
    assert done.returncode == 0, done.stderr
    said = "batch normalisation in parts of 15 images: other arithmetic than 60 at once"
    assert said in " ".join(done.stdout.split())
    done = command(*words, "accumulate=2", "arch.dropout=0.5")
    assert "dropout in parts of 30 images: other arithmetic than 60 at once" in " ".join(done.stdout.split())


def test_a_network_that_does_not_fit_at_all(command: Run, accelerator: SimulatedDevice, small_data: Path) -> None:
    accelerator.memory.limit = MIB // 2
    lost = command("train", *AUTO, f"data={small_data}", "run=one")
    assert lost.returncode == 2
    assert lost.stderr == (
        "cnnbench: not even 1 image at a time fit into the GPU's memory: use memory=save, a smaller image_size or a "
        "smaller network\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("accumulate=atuo",), "accumulate=atuo is out of range: it must be a whole number, at least 1, or auto"),
        (("accumulate=0",), "accumulate=0 is out of range: it must be a whole number, at least 1, or auto"),
        (("accumulate=2.5",), "accumulate=2.5 is out of range"),
        (("accumulate=true",), "accumulate=true is out of range"),
        (("accumulate=auto", "device=cpu"), "accumulate=auto looks for what fits into a GPU's memory"),
        (
            ("accumulate=auto", "device=auto"),
            "accumulate=auto looks for what fits into a GPU's memory, and this run is",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], said: str, command: Run, small_data: Path, tmp_path: Path
) -> None:
    lost = command("train", *SHORT, *words, f"data={small_data}", "run=one")
    assert lost.returncode == 2
    assert said in lost.stderr
    assert lost.stderr.count("\n") == 1
    assert not (tmp_path / "runs/one").exists()


def test_dry_run(command: Run, accelerator: SimulatedDevice, small_data: Path) -> None:
    done = command("train", "--dry-run", *AUTO, f"data={small_data}", "world=3")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "global 60 = 3 processes x 20 x accumulate 1; accumulate=auto is found by trial as the run begins" in text


@pytest.mark.slow
def test_each_accelerator_is_tried_in_a_process_of_its_own(small_data: Path) -> None:
    """Here on the CPU, where all fits, in a new process."""
    config: TrainConfig = config_of(COMMANDS["train"], [*SHORT, f"data={small_data}", "batch=4"])
    assert in_processes(config, 3, 1, "cpu", [0]) == [1]


def test_a_group_takes_the_most_parts_of_all_and_says_once_that_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    config: TrainConfig = config_of(COMMANDS["train"], [*SHORT, "data=sample", "accumulate=auto"])
    monkeypatch.setattr(command_module, "largest_over_group", lambda own, *_: max(own, 4))
    assert command_module._agreed(config, 2, Process(1, 2, 0), "cpu").accumulate == 4
    assert command_module._agreed(config, None, Process(1, 2, 0), "cpu") is config
    with pytest.raises(UserError, match="nothing fits"):
        command_module._agreed(config, UserError("nothing fits"), Process(1, 2, 0), "cpu")


@pytest.mark.parametrize("fitting", [*range(1, 13), 99])
def test_the_first_that_fits(fitting: int) -> None:
    candidates, tried = [1, 2, 3, 4, 6, 12], []

    def fits(parts: int) -> bool:
        tried.append(parts)
        return parts >= fitting

    assert smallest(candidates, fits) == next((each for each in candidates if each >= fitting), None)
    assert len(tried) == len({*tried}) <= 5
