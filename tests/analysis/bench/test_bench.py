"""`cnnbench bench`: the arithmetic exactly, the commands on small networks, in this process."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from statistics import median

import pytest
import torch

from cnnbench.analysis.bench import loader as bench_loader
from cnnbench.analysis.bench import memory as bench_memory
from cnnbench.analysis.bench import model as bench_model
from cnnbench.analysis.bench import timing as bench_time
from cnnbench.analysis.bench.memory import largest, largest_on_cpu, largest_on_gpu, peak_bytes
from cnnbench.analysis.bench.timing import interval, time_rounds
from cnnbench.cli.command import Command
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import run
from cnnbench.config.bench import BenchConfig
from cnnbench.config.checks.bench import check_bench
from cnnbench.config.data import DataConfig
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.machine import usable_cores

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], cache: Path):
    """Run `cnnbench bench WORDS` in this process, one short round of each pass; what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_time.time_rounds, "__defaults__", (0,))
    monkeypatch.setattr(bench_model, "MATRIX", 64)

    def measured(*words: str) -> str:
        what = next((word for word in words if word.startswith("what=")), "what=model")
        acting = ["device=cpu"] * (what != "what=loader") + ["data.workers=0"] * (what != "what=model")
        run(COMMANDS["bench"], ["rounds=1", *acting, *words])
        return capsys.readouterr().out

    return measured


def test_interval_is_that_of_the_binomial_distribution():
    few = interval([5, 1, 3, 2, 4])
    assert (few.median, few.low, few.high) == (3, 1, 5)
    assert few.confidence == pytest.approx(1 - 2 / 2**5)
    many = interval(range(20, 0, -1))  # tables of the sign test: 6th and 15th of 20, 95.9 %
    assert (many.median, many.low, many.high) == (10.5, 6, 15)
    assert many.confidence == pytest.approx(0.9586, abs=1e-4)
    assert interval([7]) == bench_time.MedianInterval(7, 7, 7, 0)


def test_interval_covers_the_median_as_often_as_it_says():
    draw = torch.Generator().manual_seed(0)
    samples = torch.rand(4000, 9, generator=draw).tolist()
    covered = sum(found.low <= 0.5 <= found.high for found in map(interval, samples)) / len(samples)
    said = interval(samples[0]).confidence
    assert covered == pytest.approx(said, abs=4 * math.sqrt(said * (1 - said) / len(samples)))


def test_works_take_turns_in_every_round():
    said: list[str] = []
    works = {name: (lambda name=name: said.append(name)) for name in "ab"}
    times = time_rounds(works, 3, CPU, least=0)
    assert "".join(said) == "ab" + 3 * "ab"
    assert [len(times[name]) for name in "ab"] == [3, 3]


def test_a_short_work_is_repeated():
    passes: list[int] = []
    time_rounds({"short": lambda: passes.append(0)}, 1, CPU, least=0.01)
    assert len(passes) > 100


@pytest.mark.parametrize("most", [2, 3, 8, 1000, 1023, 1025])
def test_largest_finds_the_last_number_that_fits_with_few_tries(most):
    tried: list[int] = []

    def fits(number: int) -> bool:
        tried.append(number)
        return number <= most

    assert largest(fits, 2) == most
    assert len(tried) <= 2 * most.bit_length() + 1
    assert largest(fits, most + 1) is None


def test_largest_batch_on_a_cpu_keeps_within_the_available_memory(monkeypatch):
    monkeypatch.setattr(bench_memory, "available_memory", lambda: 10_000_000)
    batch, note = largest_on_cpu(lambda number: 500_000 + 100_000 * number)
    assert batch == 85  # 0.5 + 0.1 x 85 = 9 million, nine tenths of what there is
    assert "predicted" in note
    with pytest.raises(UserError, match="not even 2 images"):
        largest_on_cpu(lambda number: 20_000_000)
    monkeypatch.setattr(bench_memory, "available_memory", lambda: None)
    with pytest.raises(UserError, match="batch=NUMBER"):
        largest_on_cpu(lambda number: number)


def test_largest_batch_on_a_gpu_is_the_last_that_does_not_run_out_of_memory(accelerator):
    kept, device = [], accelerator.torch_device

    def step(batch: int) -> None:
        kept[:] = []  # a step gives back what it took
        kept.append(torch.zeros(batch, 128, device=device))

    accelerator.memory.limit = 37 * 512
    assert largest_on_gpu(step, device)[0] == 37
    accelerator.memory.limit = 512
    kept.clear()
    with pytest.raises(UserError, match="not even 2 images fit into the GPU's memory"):
        largest_on_gpu(step, device)


def test_peak_memory_on_a_gpu_is_its_allocators_above_what_was_there(accelerator):
    resident, before = torch.zeros(1000, device="sim"), torch.zeros(256, device="sim")
    del before

    def step() -> None:
        x = torch.zeros(512, device="sim")
        x = x + 1  # twice at a time
        torch.zeros(1, device="sim")

    given = torch.empty(10, device="sim")
    assert peak_bytes(step, [given], torch.device("sim")) == given.untyped_storage().nbytes() + 2 * 2048
    assert accelerator.memory.allocated == 4096 + 512
    del resident


def test_peak_memory_counts_what_lives_at_the_same_time():
    kept = torch.empty(1000)

    def work() -> None:
        a = torch.empty(1_000_000)
        b = torch.empty(500_000)
        del a
        torch.empty(250_000)
        b.zero_()

    def leave() -> None:
        left.append(torch.empty(300_000))

    left: list[torch.Tensor] = []
    for _ in range(2):  # what an earlier measurement left behind, and was freed since, does not count
        assert peak_bytes(leave, [], CPU) == 4 * 300_000
        left.clear()
    assert peak_bytes(work, [kept, kept[:10]], CPU) == 4 * (1000 + 1_500_000)


def test_model_of_several_networks(bench, tmp_path):
    printed = bench(
        *("archs=[lenet,resnet20]", "batch=2", "image_size=32", "profile=true", "trace=traces/t.json", "output=o")
    )
    assert "forward + backward of 16" in printed
    written = json.loads((tmp_path / "o" / "bench.json").read_text())
    assert written["machine"]["versions"]["torch"] == version("torch")
    assert written["config"]["batch"] == 2
    rows = {(row["arch"], row["pass"]): row for row in written["rows"]}
    assert len(rows) == 2 * 4
    for (name, kind), row in rows.items():
        images = 16 if "16" in kind else 2
        assert row["batch"] == images
        (seconds,), (product,) = row["seconds"][kind], row["seconds"]["matrix product"]
        operations = 2 * row["macs"] * images * (1 if kind == "forward" else 3)
        assert row["images_per_second"] == pytest.approx(images / seconds)
        assert row["utilisation"] == pytest.approx(operations / seconds / (2 * 64**3 / product)), name
    for name in ("lenet", "resnet20"):
        assert f" {rows[name, 'step']['macs'] / 1e9:,.3f} " in printed, "G of the table are billions"
    weights = 4 * rows["resnet20", "step"]["params"]
    assert weights == 4 * 269_722
    peak = rows["resnet20", "step"]["peak_bytes"]
    first_map = 4 * 2 * 16 * 32 * 32
    assert peak > 3 * weights + 19 * first_map / 2, "weights, gradients, momentum, and the maps of 19 convolutions"
    with open(tmp_path / "o" / "bench.csv") as file:
        assert [row["arch"] for row in csv.DictReader(file)] == 4 * ["lenet"] + 4 * ["resnet20"]
    for name in ("lenet", "resnet20"):
        assert json.loads((tmp_path / f"traces/t-{name}.json").read_text())["traceEvents"]


def test_model_measures_the_papers_batch_by_itself(bench):
    (times, memory) = json.loads(bench("arch=lenet", "format=json"))
    assert [row["images"] for row in times["rows"]] == 3 * [16]
    assert memory["rows"][0]["pixels"] == 32


def test_the_largest_batch_that_is_predicted_fits(bench, monkeypatch):
    monkeypatch.setattr(bench_memory, "available_memory", lambda: 20 * 2**20)
    times, memory = json.loads(bench("arch=lenet", "batch=max", "format=json"))
    (row,) = memory["rows"]
    assert row["batch"] == times["rows"][0]["images"] > 16
    assert 0.9 < row["peak memory (MiB)"] / (0.9 * 20) < 1.1
    assert "predicted" in memory["notes"][0]


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_loader_by_stage_and_as_a_whole(bench, small_data, tmp_path, device):
    words = f"what=loader arch=lenet data={small_data} images=5 loader_images=5 augment.device={device} output=out"
    bench(*words.split(), "data.workers=1")
    kinds: dict[str, list[dict]] = {"loader": [], "engine": [], "workers": []}
    for row in json.loads((tmp_path / "out" / "bench.json").read_text())["rows"]:
        kinds[row["what"]].append(row)
    rows = kinds["loader"]
    assert not kinds["engine"], "these are no JPEG files: there is no choice"
    assert {"1 workers", f"{usable_cores()} workers"} <= {row["name"] for row in kinds["workers"]}
    assert {row["prefetch"] for row in kinds["workers"]} == {1, 2, 4, 8}
    assert all(row["images_per_second"] > 0 for row in kinds["workers"])
    names = [row["name"] for row in rows]
    for stage in ("read", "open and decode", "crop and resize", "augment", "normalise", "whole, training"):
        assert names.count(stage) == 1
    assert "ours, 1 processes" in names
    assert all(len(row["seconds"]["cpu_per_image"]) == 1 for row in rows)
    assert all(row["images_per_second"] is None or row["images_per_second"] > 0 for row in rows)


def test_evaluation_beside_its_halves(bench, small_data, tmp_path):
    words = f"what=eval arch=lenet data={small_data} batch=10 images=20 loader_images=25 rounds=3 output=eval.json"
    table = json.loads(bench(*words.split(), "format=json"))
    rows = {row["pass"]: row for row in json.loads((tmp_path / "eval.json").read_text())["rows"]}
    loader, network, both = (rows[name]["seconds"][name] for name in ("loader alone", "network alone", "end to end"))
    assert rows["end to end"]["images"] == 25
    assert rows["loader alone"]["images_per_second"] == pytest.approx(25 / median(loader))
    slower = [max(pair) for pair in zip(loader, network, strict=True)]
    shares = [most / whole for most, whole in zip(slower, both, strict=True)]
    assert rows["end to end"]["of_the_smaller"] == pytest.approx(median(shares))
    assert rows["network alone"]["of_the_smaller"] is None
    shares = [rows["end to end"][name] for name in ("of_the_smaller", "of_one_after_the_other")]
    percents = next(row for row in table["rows"] if "end to end" in row.values())
    assert [percents[f"{name.replace('_', ' ')} (%)"] for name in ("of_the_smaller", "of_one_after_the_other")] == [
        pytest.approx(100 * share) for share in shares
    ]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("archs=[resnet18,resnt50]", "did you mean resnet50"),
        ("archs=[lenet] arch=resnet18", "archs=[lenet] and arch=resnet18 exclude each other"),
        ("archs=[lenet] +archs.lenet.dropot=1", "dropot"),
        ("+archs.lenet=3", "as in archs=[lenet]"),
        ("arch=resnet18 image_size=32 batch=1", "resnet18 at batch=1: Expected more than 1 value per channel"),
    ],
)
def test_networks_that_cannot_be_measured(bench, words, hint):
    with pytest.raises(UserError) as caught:
        bench(*words.split())
    assert hint in str(caught.value)


@pytest.fixture(scope="module")
def resnet18() -> BenchConfig:
    composed: list[BenchConfig] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Command, "run", lambda _, config: composed.append(config))
        run(COMMANDS["bench"], ["arch=resnet18"])
    return composed[0]


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({"what": "modl"}, "did you mean model"),
        ({"batch": 0}, "batch=0 is not possible: give a number of images from 1 on, or max"),
        ({"batch": 1.5}, "batch=1.5 is not possible"),
        ({"batch": True}, "batch=true is not possible"),
        ({"batch": "most"}, "batch=most is not possible"),
        ({"batch": "max", "what": "loader"}, "batch=max is for what=model"),
        ({"image_size": 3}, "at least 17 pixels"),
        ({"what": "loader", "data": DataConfig("synthetic")}, "data=synthetic has no files"),
        ({"what": "all", "data": DataConfig("synthetic:3x9")}, "data=synthetic:3x9 has no files"),
        ({"what": "loader", "data": DataConfig(None)}, "data is missing"),
        ({"profile": True, "what": "loader"}, "use what=model"),
        ({"output": "bench.txt"}, "needs the ending .json"),
        ({"precision": "fp16", "device": "cpu"}, "needs a GPU"),
        ({"rounds": 0}, "rounds=0 is out of range"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(resnet18, keys, hint):
    check_bench(resnet18)
    with pytest.raises(UserError) as caught:
        check_bench(replace(resnet18, **keys))
    assert hint in str(caught.value)


def test_memory_that_is_saved_shows(bench, tmp_path):
    peaks = {}
    for memory in ("keep", "save"):
        bench("arch=resnet20", "batch=8", "image_size=32", f"memory={memory}", f"output={memory}.json")
        rows = json.loads((tmp_path / f"{memory}.json").read_text())["rows"]
        (peaks[memory],) = [row["peak_bytes"] for row in rows if row["pass"] == "step"]
    assert peaks["save"] < 0.6 * peaks["keep"]


def test_stages_are_timed_over_every_image_once_in_a_round():
    seen: dict[str, list[int]] = {"read": [], "decode": []}
    works = {name: its.extend for name, its in seen.items()}
    times = bench_loader._cpu_times(works, list(range(2 * bench_loader.TURN_IMAGES + 3)), rounds=2)
    first, whole = list(range(bench_loader.TURN_IMAGES)), list(range(2 * bench_loader.TURN_IMAGES + 3))
    assert seen == {name: [*first, *whole, *whole] for name in works}, "once more at the start, to warm up"
    assert {name: len(its) for name, its in times.items()} == {"read": 2, "decode": 2}
