"""The pictures of a report: what they draw is what runs hold, and what cannot be drawn is said."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from composing import composed
from matplotlib.text import Text
from PIL import Image

from cnnbench.analysis.report import (
    bubbles,
    confusion,
    curves,
    first_filters,
    intervals,
    labels,
    ladders,
    plots,
    style,
    times,
)
from cnnbench.analysis.report.milestones import milestones
from cnnbench.analysis.report.run import Run
from cnnbench.archs.facts import facts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config():
    return composed("arch=resnet18", "recipe=quick")


@pytest.fixture
def run(config, tmp_path):
    """Makes runs of ResNet-18 with these metrics and other fields."""

    def make(name: str, metrics: list[dict] = (), **fields) -> Run:
        rest = dict(result=None, status=None, starts=[], evaluations=[], per_class=[], classes=[], confusion=[])
        return Run(name, tmp_path / name, fields.pop("config", config), list(metrics), **(rest | fields))

    return make


def epochs(*errors: float) -> list[dict]:
    """Metrics of an epoch for each error."""
    return [
        {
            "epoch": number,
            "train_loss": error / 10,
            "train_top1_error": error / 2,
            "val_loss": error / 9,
            "top1_error": error,
            "top5_error": error / 4,
            "rate": 0.1 / number,
            "training_seconds": 70.0,
            "data_wait": 0.1,
            "evaluation_seconds": 20.0,
            "elapsed_seconds": 100.0 * number,
        }
        for number, error in enumerate(errors, 1)
    ]


def result(n: int = 50_000, wrong: int = 15_000, **more) -> dict:
    counts = {"wrong_top1": wrong, "wrong_top5": wrong // 3, "n": n, "protocol": "center", "arch": "resnet18"}
    return counts | {"classes": 1000, "training_images": 1_281_167} | more


def drawn(figure, panel: int = 0) -> dict[str, list[tuple]]:
    """The points of each named line."""
    lines = figure.axes[panel].get_lines()
    return {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in lines if line.get_label()[0] != "_"}


def test_pictures_are_written_and_missing_ones_say_why(run, tmp_path, monkeypatch):
    monkeypatch.setattr(bubbles, "place_names", lambda *_: None)  # slow, and tested below
    made = run("made", epochs(50, 40), result=result(), classes=["a", "b"], confusion=[[3, 1], [0, 4]])
    (made.folder / "checkpoints").mkdir(parents=True)
    torch.save({"model": {"conv1.weight": torch.randn(4, 3, 5, 5)}}, made.folder / "checkpoints" / "last.pt")
    pictures = {picture.name: picture for picture in plots.draw_plots([made, run("empty", epochs(50))], tmp_path, [])}
    missing = {name for name, picture in pictures.items() if picture.file is None}
    assert missing == {"error-against-cost", "error-by-speed", "filters-2-empty", "confusion-2-empty"}
    assert "inception-ladder" not in pictures, "no run is of such a network"
    assert all(pictures[name].missing for name in missing)
    for name, picture in pictures.items():
        if name not in missing:
            assert picture.missing is None
            assert picture.file.with_suffix(".pdf").read_bytes().startswith(b"%PDF"), "for a paper"
            if name.startswith(("filters", "confusion")):
                with Image.open(picture.file) as image:
                    assert image.format == "PNG", "made of pixels"
                    assert image.width >= 4 * style.DPI, name
            else:
                assert 'width="' in picture.file.read_text().partition("<svg")[2][:400], name
            assert picture.caption.endswith("."), name
    assert f'width="{style.PAGE_WIDTH * 72:g}pt"' in pictures["errors-by-epoch"].file.read_text()
    assert pictures["confusion-1-made"].section == "made"
    assert "Without curve, for want of two epochs with these figures: empty." in pictures["errors-by-epoch"].caption


def test_curves_hold_the_metrics(run):
    runs = [run("runs/one", epochs(50, 40, 35)), run("two", epochs(60, 45))]
    figure, _ = curves.errors_by_epoch(runs)
    assert drawn(figure)["one"] == [(1, 25), (2, 20), (3, 17.5)]
    assert drawn(figure, 1) == {"one": [(1, 50), (2, 40), (3, 35)], "two": [(1, 60), (2, 45)]}
    assert drawn(figure, 2)["one"] == [(1, 12.5), (2, 10), (3, 8.75)]
    training, validation, top5 = (ax.get_ylim() for ax in figure.axes)
    assert training == validation != top5, "training and validation error are compared"
    figure, _ = curves.errors_by_time(runs)
    assert figure.axes[0].get_xlabel() == "time (min)"
    assert drawn(figure, 1)["two"] == [(100 / 60, 60), (200 / 60, 45)]
    figure, _ = curves.losses_by_epoch(runs)
    assert drawn(figure)["two"] == [(1, 6), (2, 4.5)]
    figure, _ = curves.rates(runs)
    assert drawn(figure)["two"] == [(1, 0.1), (2, 0.05)]


def test_epochs_until_an_error(run):
    (table,) = milestones([run("runs/one", epochs(50, 40, 19)), run("two", epochs(60, 45)), run("short", epochs(5))])
    assert list(table.columns) == [
        "run", "training 50 %", "training 30 %", "training 25 %", "training 20 %", "training 10 %",
        "validation 50 %", "validation 30 %", "validation 25 %", "validation 20 %",
    ]  # fmt: skip
    assert table.rows == [
        ("runs/one", 1, 1, 1, 2, 3, 1, 3, 3, 3),
        ("two", 1, 1, 2, None, None, 2, None, None, None),
    ]
    assert milestones([run("short", epochs(5))]) == milestones([]) == []


def test_epochs_until_an_error_have_a_mean_over_seeds(run, config):
    seeds = [
        run(f"s{seed}", epochs(*errors), config=replace(config, seed=seed))
        for seed, errors in enumerate([(50, 40, 29), (60, 45, 28), (55, 29, 31)])
    ]
    (table,) = milestones([*seeds, run("alone", epochs(9, 8), config=replace(config, epochs=7))])
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert list(rows) == ["s0", "s1", "s2", "alone", "mean of 3: s0, s1, s2"]
    assert rows["mean of 3: s0, s1, s2"]["validation 30 %"] == pytest.approx((3 + 3 + 2) / 3)
    assert rows["mean of 3: s0, s1, s2"]["validation 25 %"] is None, "none of them has reached it"


def test_no_two_epochs_no_curve(run):
    figure, why = curves.errors_by_epoch([run("one", epochs(50))])
    assert figure is None
    assert "two epochs" in why


def test_values_that_are_not_finite_are_left_out_and_named(run):
    metrics = epochs(50, 40, 30, 20)
    metrics[1] |= {"train_loss": math.nan, "val_loss": math.inf, "top1_error": None}
    figure, caption = curves.losses_by_epoch([run("broken", metrics)])
    assert [x for x, _ in drawn(figure)["broken"]] == [1, 3, 4]
    assert "Not finite and left out: broken in epoch 2." in caption
    figure, _ = curves.errors_by_epoch([run("broken", metrics)])
    assert [x for x, _ in drawn(figure, 1)["broken"]] == [1, 3, 4]


def test_neighbouring_runs_differ_in_colour_marker_and_line():
    styles = [tuple(style.line_style(index).values()) for index in range(56)]
    assert len(set(styles)) == 56
    assert all(a[part] != b[part] for a, b in pairwise(styles) for part in range(3))


def test_names_of_runs_are_short_where_they_can_be(run):
    assert style.labels([run("runs/a"), run("x/b"), run("y/b")]) == ["a", "x/b", "y/b"]


def test_any_name_of_a_run_can_be_drawn(run):
    with style.styled():
        figure, _ = curves.errors_by_epoch([run("_a", epochs(50, 40)), run("$b^{$", epochs(50, 40))])
        figure.draw_without_rendering()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [" _a", "$b^{$"]


def test_shares_of_time_come_from_the_metrics(run):
    assert times.spent_in(run("a", epochs(50, 40))) == pytest.approx((126, 14, 40, 20))
    long = result(training_seconds=100, waiting_seconds=25, evaluation_seconds=10, saving_seconds=5)
    assert times.spent_in(run("b", epochs(50), result=long)) == (75, 25, 10, 5)
    waited = result(training_seconds=100, waiting_seconds=100.1, evaluation_seconds=10, saving_seconds=5)
    assert times.spent_in(run("d", epochs(50), result=waited))[0] == 0, "nothing but waiting"
    assert times.spent_in(run("c")) is None
    figure, _ = times.time_shares([run("a", epochs(50, 40))])
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([63, 7, 20, 10])


def test_published_errors_stand_beside_those_measured_on_the_same_images(run):
    found = intervals.main_result(run("a", result=result()))
    assert found.published.top1 == 30.43
    assert found.error(1).measured == 30
    assert intervals.spread(found, 1)[1][0] == pytest.approx(0.40, abs=0.005)
    other = run("b", result=result(n=2000, wrong=500), evaluations=[result(n=2000, protocol="flip")])
    assert intervals.main_result(other).protocol == "center"
    figure, caption = intervals.published_beside_measured([run("a", result=result()), other])
    assert [text.get_text() for text in figure.axes[0].texts] == ["other data"]
    assert "cannot be compared" in caption
    assert intervals.published_beside_measured([run("c")])[0] is None


def test_every_family_with_a_published_error_has_a_marker_of_its_own():
    assert {network.family for network in bubbles.published_bubbles()} == set(bubbles.FAMILY_MARKERS)
    assert len(set(bubbles.FAMILY_MARKERS.values())) == len(bubbles.FAMILY_MARKERS)


def test_bubbles_are_single_crop_errors_of_the_network_itself(run):
    errors = {network.key: network.error for network in bubbles.published_bubbles()}
    assert errors["resnet50"] == 24.01
    assert errors["densenet201"] == 22.58
    assert not {"lenet", "resnet20", "zfnet", "vgg19", "plain34"} & errors.keys()  # other data, other protocols
    rows = [{"arch": name, "what": "train", "images_per_second": speed} for name, speed in (("resnet18", 90), ("x", 1))]
    assert bubbles.error_by_speed([], rows)[0] is None
    rows.append({"arch": "resnet50", "what": "train", "images_per_second": 30})
    figure, caption = bubbles.error_by_speed([run("a", result=result())], rows)
    axes = figure.axes[0]
    points = {tuple(point) for dots in axes.collections for point in dots.get_offsets().tolist()}
    assert {(90, 30.43), (30, 24.01), (90, 30.0)} <= points
    assert {text.get_text() for text in axes.texts} == {"resnet18", "resnet50"}
    assert "measured by runs here" in caption


def test_names_in_the_bubble_chart_do_not_overlap():
    figure, _ = bubbles.error_by_macs([])
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]
    assert len(boxes) == len(bubbles.published_bubbles())
    covering = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert not covering
    inside = figure.axes[0].get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def test_a_name_takes_the_free_side():
    figure = style.new_figure(3)
    axes = figure.subplots()
    axes.set(xlim=(0, 100), ylim=(0, 100))
    labels.place_names(axes, [(50, 50), (53, 50)], ["name"], [3, 3])
    (label,) = axes.texts
    (right, _), (centre, _) = Text.get_window_extent(label).max, axes.transData.transform((50, 50))
    assert right < centre - 3
    assert not label.arrow_patch.get_visible()


def test_ladders_show_the_published_steps(run):
    step = composed("ladder=inception_v3/rmsprop", "recipe=inception_v3")
    exact = result(n=48_238, wrong=11_577, arch="inception_v2", exclude="blacklist", protocol="inception")
    figure, caption = ladders.inception_ladder([run("step", config=step, evaluations=[exact])])
    measured = [bar.lines[0].get_xydata().tolist() for bar in figure.axes[0].containers]
    assert measured == [[[pytest.approx(24, abs=0.01), 2]]]
    assert "measured by runs here" in caption
    assert [x for x, _ in drawn(figure)["published"]] == [25.2, 23.4, 23.1, 22.8, 21.6, 21.2, 21.3, 20.0, 19.9]
    figure, _ = ladders.densenet_and_resnet()
    assert drawn(figure)["ResNet"][1] == (facts("resnet50")["params"]["total"] / 1e6, 24.01)
    figure, caption = ladders.plain_and_residual([run("mine", epochs(50, 40))])
    assert [list(line.get_ydata()) for line in figure.axes[0].get_lines()] == [[27.94, 28.54], [27.88, 25.03]]
    assert drawn(figure, 2)["mine"] == [(1, 50), (2, 40)]
    assert "runs here" in caption


def test_confusion_is_shares_of_the_true_class(run):
    figure, caption = confusion.confusion_plot(
        run("a", classes=["x", "y", "z"], confusion=[[3, 1, 0], [0, 4, 0], [0] * 3])
    )
    assert figure.axes[0].images[0].get_array().tolist() == [[75, 25, 0], [0, 100, 0], [0, 0, 0]]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["x", "y", "z"]
    assert "1 without images" in caption


def test_weights_that_cannot_be_read_are_missing(run):
    damaged = run("a")
    (damaged.folder / "checkpoints").mkdir(parents=True)
    (damaged.folder / "checkpoints" / "last.pt").write_bytes(b"not a checkpoint")
    figure, why = first_filters.first_filters(damaged)
    assert figure is None
    assert "cannot be read" in why


class Harmful:
    """What is pickled of it runs when it is read without care."""

    def __reduce__(self) -> tuple:
        return open, ("harm", "w")


def test_a_report_runs_nothing_of_a_strangers_checkpoint(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strange = run("a")
    (strange.folder / "checkpoints").mkdir(parents=True)
    torch.save(
        {"model": {"conv.weight": torch.zeros(4, 3, 3, 3)}, "more": Harmful()}, strange.folder / "checkpoints/last.pt"
    )
    assert first_filters.first_filters(strange)[0] is None
    assert not (tmp_path / "harm").exists()
