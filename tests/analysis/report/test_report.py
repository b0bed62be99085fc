"""Reports of hand-made runs: what they say, what they leave unsaid, and that the page needs nothing but itself."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from composing import composed

from cnnbench.analysis.report import plots
from cnnbench.analysis.report.build import build_report, results_csv
from cnnbench.analysis.report.content import Section
from cnnbench.analysis.report.cost import clock, time_table
from cnnbench.analysis.report.html import page
from cnnbench.analysis.report.latex import latex
from cnnbench.analysis.report.markdown import markdown
from cnnbench.analysis.report.picture import COMPARISONS, CURVES, ReportPicture
from cnnbench.analysis.report.results import results_of, run_error_table
from cnnbench.analysis.report.run import find_runs, read_folder
from cnnbench.analysis.report.run_section import confused_pairs, worst_classes
from cnnbench.analysis.report.settings import settings
from cnnbench.analysis.tables import Table
from cnnbench.cli import main as cli
from cnnbench.config.train import TrainConfig
from cnnbench.runs.paths import RUNS
from cnnbench.runtime.errors import UserError

DOT = base64.b64decode(  # a PNG of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
ODD = "a <b>|&'\"` é"


@pytest.fixture(scope="module")
def resnet20() -> TrainConfig:
    return composed("arch=resnet20")


def make_run(folder: Path, config: TrainConfig, result: dict | None = None, **files: object) -> Path:
    """A run folder as training leaves it: config.yaml, result.json unless `result` is None, and JSON `files`."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(dataclasses.asdict(config)))
    for name, content in (files | ({"result": result} if result is not None else {})).items():
        (folder / f"{name.replace('_', '-')}.json").write_text(json.dumps(content))
    return folder


def ended(config: TrainConfig, **more: object) -> dict:
    """result.json of a run on CIFAR-10 whose top-1 error is 9 %."""
    counts = {"wrong_top1": 900, "wrong_top5": 40, "n": 10_000, "protocol": "center", "classes": 10}
    seconds = {"training_seconds": 3600.0, "waiting_seconds": 360.0, "evaluation_seconds": 300.0, "saving_seconds": 100}
    return counts | seconds | {"training_images": 50_000, "epoch": config.epochs, "params": 272_474} | more


def rows(table: Table) -> list[dict]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_measured_beside_published_with_interval_and_deviation(tmp_path, resnet20):
    """ResNet-20: 8.75 % published; 9.00 % on 10,000 images is 0.25 points, and 0.6 standard errors, above."""
    run = read_folder(make_run(tmp_path / "run", resnet20, ended(resnet20)))
    top1, top5 = (rows(table)[0] for table in (run_error_table(results_of(run), top) for top in (1, 5)))
    assert (top1["error %"], top1["published %"], top1["95 % interval"]) == (9.0, 8.75, "8.45 to 9.58")
    assert top1["difference"] == pytest.approx(0.25)
    assert top1["standard errors"] == pytest.approx(0.25 / (2 * (0.0875 * 0.9125 + 0.09 * 0.91) / 2) ** 0.5, rel=1e-6)
    assert "Table 6" in top1["compared with"]
    assert top5["published %"] is None
    assert "no top-5 error published" in top5["compared with"]
    assert f"recipe {resnet20.recipe}" in top1["compared with"]
    assert "another" not in top1["compared with"]


def test_an_error_by_another_recipe_is_compared_and_said_to_be(tmp_path):
    modern = composed("arch=resnet20", "recipe=modern")
    run = read_folder(make_run(tmp_path / "run", modern, ended(modern)))
    (top1,) = rows(run_error_table(results_of(run), 1))
    assert top1["published %"] == 8.75
    assert f"recipe {composed('arch=resnet20').recipe}, another" in top1["compared with"]


def test_protocols_and_averaged_weights_have_lines_of_their_own(tmp_path, resnet20):
    result = ended(resnet20, averaged_wrong_top1=850, averaged_wrong_top5=39)
    same = {"wrong_top1": 900, "wrong_top5": 40, "n": 10_000, "protocol": "center", "protocol_in_words": "one crop"}
    ten = same | {"protocol": "ten_crop", "wrong_top1": 800}
    real = same | {"labels": "real.json", "wrong_top1": 700}
    run = read_folder(
        make_run(tmp_path / "run", resnet20, result, eval_center=same, eval_ten_crop=ten, eval_center_real=real)
    )
    found = [(r.protocol, r.weights, r.wrong1, r.published is not None) for r in results_of(run)]
    assert found == [
        ("center", "averaged", 850, True),
        ("center", "as trained", 700, False),
        ("center", "as trained", 900, True),
        ("ten_crop", "as trained", 800, False),
    ], "what training counted at its end stands once, also if it was counted again"
    assert "labels of real.json" in results_of(run)[1].remark
    assert "nothing published by protocol ten_crop" in results_of(run)[3].remark


def test_other_data_are_not_compared(tmp_path, resnet20):
    small = dataclasses.replace(resnet20, data=dataclasses.replace(resnet20.data, path="sample"))
    run = read_folder(make_run(tmp_path / "run", small, ended(small, n=2000, wrong_top1=550, training_images=10_000)))
    line = rows(run_error_table(results_of(run), 1))[0]
    assert line["compared with"] == "not comparable: trained on sample (10 classes)"
    assert (line["error %"], line["published %"], line["difference"]) == (27.5, None, None)


def test_what_a_run_lacks_is_said(tmp_path, resnet20):
    """One run that failed, after an epoch, and one of which there is the config only; damaged files are none."""
    failed = make_run(tmp_path / "failed", resnet20, status={"state": "failed", "why": "disk full", "time": "noon"})
    epoch = {"epoch": 1, "top1_error": 40.0, "top5_error": 5.0, "n": 1000, "training_seconds": 8.0, "data_wait": 0.25}
    (failed / "metrics.jsonl").write_text(json.dumps(epoch) + '\n{"epoch": 2, "to')
    bare = make_run(tmp_path / "bare", resnet20)
    (bare / "result.json").write_text("{")
    (bare / "eval-center.json").write_text('{"wrong_top1": 3}')
    (bare / "environment.json").write_text('{"time": "now"}')
    found, _ = find_runs([str(failed), str(bare)])
    text = markdown(build_report(found, [], [], "R", []), tmp_path, "")
    assert "failed (disk full): 1 of" in text
    assert "not compared: after epoch 1 of" in text
    assert f"Without any error counted so far: {bare}" in text
    assert "the run has no environment.json" in text
    assert f"cnnbench eval run={failed} details={failed}/details" in text
    times = {line["part"]: line["seconds"] for line in rows(time_table(found[0]))}
    assert times == {
        "computing: steps of training": 6.0,
        "waiting for data": 2.0,
        "evaluation": 0.0,
        "saving at the ends of epochs": None,
    }
    lines = list(csv.DictReader(io.StringIO(results_csv(found))))
    assert [(line["top1_measured"], line["images"]) for line in lines] == [("40.0", "1000"), ("", "")]


def test_where_the_time_went_and_where_a_run_is_wrong(tmp_path, resnet20):
    folder = make_run(tmp_path / "run", resnet20, ended(resnet20))
    (folder / "details").mkdir()
    (folder / "details" / "confusion.csv").write_text("class,x,y,n01440764\nx,6,3,1\ny,0,10,0\nn01440764,4,0,6\n")
    (folder / "details" / "per_class.csv").write_text(
        "class,name,n,wrong_top1,top1_error,top1_low,top1_high,wrong_top5,top5_error,top5_low,top5_high\n"
        "x,,10,4,40.000,16.8,68.7,0,0.000,0.0,27.8\nn01440764,tench,10,4,40.000,16.8,68.7,0,0.000,0.0,27.8\n"
    )
    run = read_folder(folder)
    assert [line["%"] for line in rows(time_table(run))] == [81.0, 9.0, 7.5, 2.5]
    assert [tuple(row)[:3] for row in confused_pairs(run).rows] == [
        ("n01440764 (tench)", "x", 4),
        ("x", "y", 3),
        ("x", "n01440764 (tench)", 1),
    ]
    assert [row[0] for row in worst_classes(run).rows] == ["x", "n01440764 (tench)"]
    assert (clock(None), clock(59.6), clock(36_061)) == (None, "0:01:00", "10:01:01")


def test_only_keys_that_differ_are_set_beside_each_other(tmp_path, resnet20):
    other = dataclasses.replace(resnet20, seed=7, optimizer=dataclasses.replace(resnet20.optimizer, lr=0.5))
    runs = [read_folder(make_run(tmp_path / name, config)) for name, config in (("a", resnet20), ("b", other))]
    (table,) = settings(runs)
    assert [tuple(row) for row in table.rows] == [("optimizer.lr", "0.1", "0.5"), ("seed", "0", "7")]
    assert settings(runs[:1] * 2) == ("The configs are the same.",)


class Tags(HTMLParser):
    """The tags of a page in order, with their attributes, and whether each is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def odd_report(tmp_path, resnet20) -> Section:
    """A report of a run, a class and a picture with odd names, and of a table of speed."""
    folder = make_run(tmp_path / ODD, resnet20, ended(resnet20), environment=[{"command": ["x", ODD], "versions": {}}])
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "a b.png").write_bytes(DOT)
    run = read_folder(folder)
    pictures = [
        ReportPicture("a b", "Error", "falls", tmp_path / "plots" / "a b.png", CURVES),
        ReportPicture("c", "Ladder", "rises", None, COMPARISONS, "no <run> of it"),
        ReportPicture("d", "Filters", "of the first layer", tmp_path / "plots" / "a b.png", run.name),
    ]
    bench = [{"title": "speed", "rows": [{"what": "train", "images/s": 1234.56}], "notes": ["two <cores>"]}]
    return build_report([run, run], bench, pictures, ODD, [])


def test_the_page_needs_nothing_but_itself(odd_report):
    text = page(odd_report, "<foot>")
    tags = Tags(text).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "b"}, "nor a name taken for a tag"
    references = [value for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")]
    assert {re.match(r"#|data:image/png;base64,", reference) is not None for reference in references} == {True}
    assert "url(" not in text
    assert "@import" not in text
    assert text.index("In short") < text.index("Contents"), "it opens with what people look for"
    assert "position: sticky" in text, "names of runs stay in sight on a phone"
    anchors = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(set(anchors)) == len(anchors), "two runs of one name have their own places"
    assert {reference[1:] for reference in references if reference.startswith("#")} <= set(anchors)
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert [image["alt"] for image in images] == ["Error: falls", *["Filters: of the first layer"] * 2]
    assert base64.b64decode(images[0]["src"].partition(",")[2]) == DOT
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), "no level left out"
    for said in ("Not drawn: Ladder (no &lt;run&gt; of it).", "two &lt;cores&gt;", "1,235", "&lt;foot&gt;"):
        assert said in text
    for needed in ("@media print", "prefers-color-scheme: dark", 'name="viewport"'):
        assert needed in text


def test_markdown_says_the_same_beside_its_pictures(odd_report, tmp_path):
    text = markdown(odd_report, tmp_path, "foot")
    assert "![Error](plots/a%20b.png)" in text
    assert "Not drawn: Ladder (no \\<run> of it)." in text
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert not any(re.search(r"(?<!\\)<b>", line) for line in prose)
    lengths = {}
    for line in text.splitlines():
        if line.startswith("|"):
            lengths.setdefault(line.replace("\\|", "").count("|"), []).append(line)
    assert all(len(lines) >= 2 for lines in lengths.values()), "a bar in a name does not add a cell"


def test_tables_are_latex_that_takes_any_name(odd_report):
    text = latex(odd_report, "<foot>")
    assert text.startswith("% <foot>\n")
    assert text.count("\\begin{table}") == text.count("\\end{table}") == text.count("\\toprule") > 4
    assert r"\caption{Top-1 error}" in text
    assert "a <b>|\\&'\"\\textasciigrave{} é" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    bare = [re.sub(r"\\[&%$#_{}]", "", row.removesuffix(r"\\")) for row in rows]
    assert not any(re.search(r"[%$#_]|(?<!\\)~", row) for row in bare), (
        "nothing that LaTeX would take for more than text"
    )


def test_the_command_writes_all_and_reads_names_as_they_are(tmp_path, resnet20, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    drawn = []
    monkeypatch.setattr(plots, "draw_plots", lambda runs, folder, bench: drawn.append(bench) or [])
    table = {"title": "networks alone", "rows": [{"network": "resnet20", "ms": 1.25}], "notes": ["two cores"]}
    Path("bench.json").write_text(json.dumps({"machine": {}, "tables": [table], "rows": [{"arch": "resnet20"}]}))
    for name in ("first", ODD):
        make_run(RUNS / name, resnet20, ended(resnet20))
    for number in ("0", "2", "10"):
        make_run(RUNS / "sweep" / number, resnet20)
    (RUNS / "empty").mkdir()
    make_run(RUNS / "old", resnet20)
    (RUNS / "old" / "config.yaml").write_text("epochs: [")
    cli.main(["report", ODD, "runs/first", "first", "output=mine"])
    lines = list(csv.DictReader(io.StringIO(Path("mine/results.csv").read_text())))
    assert [line["run"] for line in lines] == [ODD, "first"], "a run named twice is reported once"
    assert {path.name for path in Path("mine").iterdir()} == {
        "report.html",
        "report.md",
        "results.csv",
        "tables.tex",
        "plots",
    }
    capsys.readouterr()
    cli.main(["report"])
    lines = list(csv.DictReader(io.StringIO(Path("report/results.csv").read_text())))
    assert [line["run"] for line in lines] == [ODD, "first", "runs/sweep/0", "runs/sweep/2", "runs/sweep/10"]
    assert "left out    runs/old/config.yaml is damaged" in capsys.readouterr().out
    cli.main(["report", "runs=[first]", "output=third", "bench=bench.json", "title=Speed"])
    text = Path("third/report.md").read_text()
    assert text.startswith("# Speed\n")
    assert "**networks alone**\n\n| network | ms |" in text
    assert drawn == [[], [], [{"arch": "resnet20"}]]


def test_mistakes_are_answered_in_a_sentence(tmp_path, resnet20, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_run(RUNS / "resnet20", resnet20)
    (RUNS / "notes").mkdir()
    (tmp_path / "bench.json").write_text('{"rows": []}')
    for words, said in {
        ("resnet2",): "there is no run in runs/resnet2, did you mean resnet20?",
        ("notes",): "runs/notes is not a run: it has no config.yaml",
        ("resnet20", "runs=[resnet20]"): "give either runs=[resnet20] or the names alone",
        ("resnet20", "outptu=x"): "unknown key 'outptu', did you mean output?",
        ("resnet20", "output=bench.json"): "output=bench.json is a file",
        ("resnet20", "output=runs/resnet20"): "output=runs/resnet20 is a run",
        ("resnet20", "bench=bnech.json"): "bench=bnech.json: there is no such file, did you mean bench.json?",
        ("resnet20", "bench=bench.json"): "bench=bench.json is not a file that `cnnbench bench output=FILE` wrote",
    }.items():
        with pytest.raises(SystemExit) as left:
            cli.main(["report", *words])
        assert left.value.code == 2
        assert said in capsys.readouterr().err
    monkeypatch.chdir(tmp_path / "runs")
    with pytest.raises(UserError, match="there are no runs in runs/"):
        find_runs([])


def test_nothing_but_filters_needs_torch():
    """Help, mistakes and reading runs are quick: neither torch nor matplotlib is imported for them."""
    modules = ("command", "build", "html", "markdown", "run")
    imports = "; ".join(f"import cnnbench.analysis.report.{name}" for name in modules)
    code = (
        f"import sys, cnnbench.cli.compose; {imports}; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
