"""A network of which nothing is published, as another package may add one, is described, timed and reported."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from composing import composed

from cnnbench.archs import facts as module
from cnnbench.cli import main as cli


@pytest.fixture(autouse=True)
def unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    """LeNet without its facts."""
    content = module._load()
    networks = {name: entry for name, entry in content["networks"].items() if name != "lenet"}
    monkeypatch.setattr(module, "_load", lambda: {**content, "networks": networks})
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_it_is_described(capsys: pytest.CaptureFixture[str], form: str):
    cli.main(["describe", "arch=lenet", f"format={form}"])
    assert "output" in capsys.readouterr().out


def test_it_is_described_without_totals_to_compare_with(capsys: pytest.CaptureFixture[str]):
    cli.main(["describe", "arch=lenet"])
    assert "nothing is published of this network here" in capsys.readouterr().out


@pytest.mark.slow
def test_it_is_timed(capsys: pytest.CaptureFixture[str]):
    cli.main(["bench", "arch=lenet", "batch=2", "rounds=1", "device=cpu", "output=bench.json"])
    assert {row["arch"] for row in json.loads(Path("bench.json").read_text())["rows"]} == {"lenet"}


@pytest.mark.slow
@pytest.mark.parametrize("ended", [True, False])
def test_its_runs_are_reported_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str], ended: bool):
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    config = composed("arch=lenet", "recipe=quick")
    (run / "config.yaml").write_text(yaml.safe_dump(dataclasses.asdict(config)))
    if ended:
        counts = {"wrong_top1": 900, "wrong_top5": 40, "n": 10_000, "protocol": "center", "classes": 10}
        (run / "result.json").write_text(json.dumps(counts | {"epoch": config.epochs}))
    cli.main(["report", "mine"])
    assert "lenet" in Path("report/report.md").read_text()
    with pytest.raises(SystemExit) as left:
        cli.main(["verify", "run=mine"])
    assert left.value.code == (1 if ended else 2)


def test_the_zoo_leaves_it_out(capsys: pytest.CaptureFixture[str]):
    cli.main(["zoo"])
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("lenet ")]
