"""Localisation by class activation maps: against a slow, obvious form of each part, and on Kaggle's layout."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
import torch
from PIL import Image
from torch.nn import functional

from cnnbench.archs.from_config import build_network
from cnnbench.archs.layer_names import layer_names
from cnnbench.archs.registry import build
from cnnbench.data.decode.region import central_window
from cnnbench.evaluation import member
from cnnbench.evaluation.boxes import Box, box_of_map, in_image, read_boxes
from cnnbench.evaluation.class_maps import find_averaged_map
from cnnbench.runs.results import load_evaluations
from cnnbench.runtime.errors import UserError


def slow_box(values: torch.Tensor, size: int) -> tuple[int, int, int, int]:
    """By flooding from every pixel above a fifth of the maximum."""
    whole = functional.interpolate(values[None, None], (size, size), mode="bilinear")[0, 0].tolist()
    most = max(map(max, whole))
    bright = {(y, x) for y in range(size) for x in range(size) if whole[y][x] > 0.2 * most}
    parts = []
    for start in sorted(bright):
        if any(start in part for part in parts):
            continue
        part, edge = set(), [start]
        while edge:
            y, x = edge.pop()
            if (y, x) in bright and (y, x) not in part:
                part.add((y, x))
                edge += [(y + down, x + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        parts.append(part)
    largest = max(parts, key=len)
    rows, columns = [y for y, _ in largest], [x for _, x in largest]
    return min(columns), min(rows), max(columns), max(rows)


def pixels(box: Box) -> set[tuple[int, int]]:
    return {(y, x) for y in range(int(box.top), int(box.bottom) + 1) for x in range(int(box.left), int(box.right) + 1)}


def test_the_box_is_around_the_largest_part():
    draw = torch.Generator().manual_seed(0)
    found = set()
    for side in (1, 3, 5, 7):
        for _ in range(8):
            values = torch.randn(side, side, generator=draw) + 0.2
            box = box_of_map(values, 30)
            if values.max() > 0:
                assert (box.left, box.top, box.right, box.bottom) == slow_box(values, 30)
                found.add(box)
    assert len(found) > 12
    assert box_of_map(-torch.rand(4, 4), 30) == Box(0, 0, 29, 29)
    corners = torch.zeros(30, 30)
    corners[3:5, 3:5] = corners[5:8, 5:9] = 1  # which touch at a corner
    assert box_of_map(corners, 30) == Box(3, 3, 8, 7)


def test_overlap_is_a_share_of_pixels():
    draw = torch.Generator().manual_seed(1)
    for _ in range(40):
        sides = torch.randint(0, 9, (2, 4), generator=draw).tolist()
        one, other = (Box(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in sides)
        expected = len(pixels(one) & pixels(other)) / len(pixels(one) | pixels(other))
        assert one.overlap(other) == other.overlap(one) == pytest.approx(expected)


def test_a_box_of_the_crop_is_one_of_the_image():
    """The whole crop is the middle square of the image that the crop was cut from."""
    window = central_window(300, 200, 80, 0.8)  # resized to 150 x 100, the crop at (35, 10)
    assert in_image(Box(0, 0, 79, 79), window, 300, 200) == Box(70, 20, 229, 179)
    assert in_image(Box(10, 0, 10, 0), window, 300, 200) == Box(90, 20, 91, 21)


@pytest.mark.parametrize(("name", "size"), [("resnet20", 32), ("cifar_nin", 32), ("densenet_bc100_12", 32)])
def test_the_mean_of_a_classs_map_is_its_logit(name, size):
    torch.manual_seed(0)
    network, image = build(name, 7).eval(), torch.rand(1, 3, size, size)
    averaged = find_averaged_map(network, layer_names(network, size), image)
    kept = []
    module = network.get_submodule(averaged.point.path)
    module.register_forward_hook(lambda _, inputs, output: kept.append(output))
    with torch.no_grad():
        logits = network(image)[0]
        means = averaged.of_classes(kept[0][0], torch.tensor([2, 5])).mean((1, 2))
    bias = 0 if averaged.weight is None else network.get_classifier().bias[[2, 5]]
    torch.testing.assert_close(means + bias, logits[[2, 5]], rtol=1e-4, atol=1e-5)
    assert find_averaged_map(build("lenet", 7).eval(), layer_names(build("lenet", 7), 32), image) is None


IDS = {"bag": "n02769748", "sandal": "n04133789", "trouser": "n03594734"}


@pytest.fixture
def kaggle(tmp_path, small_data):
    """Kaggle's layout, of images of three sizes: val flat, with a list of boxes."""
    base = tmp_path / "data/ILSVRC/Data/CLS-LOC"
    (base / "val").mkdir(parents=True)
    for name, wordnet_id in IDS.items():
        shutil.copytree(small_data / "train" / name, base / "train" / wordnet_id)
    (tmp_path / "classes").write_text("\n".join(IDS.values()) + "\n")
    lines = ["ImageId,PredictionString"]
    for number, path in enumerate(sorted((small_data / "val").glob("*/*"))):
        width, height = ((40, 30), (30, 44), (28, 28))[number % 3]
        with Image.open(path) as picture:
            picture.convert("RGB").resize((width, height)).save(base / f"val/image{number}.png")
        box = f"0 0 {width - 1} {height - 1}" if number % 4 else f"5 2 {width - 9} {height - 5}"
        boxes = [f"{IDS[path.parent.name]} {box}"] * (1 + number % 2)
        lines.append(f"image{number},{' '.join([*boxes, ''])}")
    (tmp_path / "data/LOC_val_solution.csv").write_text("\n".join(lines) + "\n")
    torch.manual_seed(3)
    network = build("resnet20", 3)
    network.fc.weight.data.abs_()  # so that maps are bright at more than a corner
    torch.save(network.state_dict(), tmp_path / "w.pt")
    return tmp_path


WORDS = (
    "eval",
    "arch=resnet20",
    "weights=w.pt",
    "data=data",
    "data.classes=classes",
    "device=cpu",
    "data.workers=0",
    "details=d",
)


def test_the_errors_are_those_of_the_boxes(kaggle, command):
    done = command(*WORDS, "boxes=data/LOC_val_solution.csv", "output=r.json")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((kaggle / "d/localisation.csv").open()))
    truth = read_boxes(kaggle / "data/LOC_val_solution.csv", {f"image{number}" for number in range(23)})
    assert (len(rows), len(truth)) == (4 * 23, 23)  # the class, and the three answers
    wrong = {"top-1": 0, "top-5": 0, "GT-known": 0}
    for start in range(0, len(rows), 4):
        own, *answers = rows[start : start + 4]
        boxes = truth[own["image"].rpartition("/")[2].removesuffix(".png")]
        right = []
        for row in (own, *answers):
            found = Box(*(float(row[side]) for side in ("left", "top", "right", "bottom")))
            overlap = max(found.overlap(box) for box in boxes)
            assert float(row["overlap"]) == pytest.approx(overlap, abs=0.02)  # sides are written to a tenth
            right.append(row["class"] == own["class"] and float(row["overlap"]) >= 0.5)
        wrong["GT-known"] += not right[0]
        wrong["top-1"] += not right[1]
        wrong["top-5"] += not any(right[1:])
    for name, count in wrong.items():
        assert f"  {name:<8} {100 * count / 23:>6.2f} %  {f'{count}/23':>12}" in done.stdout
    assert 0 < wrong["GT-known"] < wrong["top-1"] < 23
    assert wrong["top-5"] < wrong["top-1"]
    result = json.loads((kaggle / "r.json").read_text())
    assert wrong["top-1"] >= result["wrong_top1"]
    keys = {"wrong_top1": "top-1", "wrong_top5": "top-5", "wrong_known": "GT-known"}
    assert result["localisation"] == {**{key: wrong[name] for key, name in keys.items()}, "n": 23}
    assert result["boxes"] == str(kaggle / "data/LOC_val_solution.csv")
    assert "mistakes.png, localisation.csv in d" in done.stdout


def test_localisation_is_in_the_result_that_reports_read(kaggle, command):
    data = ("data=data", "data.classes=classes", "data.workers=0")
    for words in (
        ("train", "arch=resnet20", "recipe=quick", "batch=8", "epochs=1", "run=r", *data),
        ("eval", "run=r", "boxes=data/LOC_val_solution.csv"),
        ("report", "r"),
    ):
        assert (done := command(*words)).returncode == 0, done.stderr
    found = load_evaluations(kaggle / "runs/r")["eval-center.json"]
    assert found is not None
    assert found["localisation"]["n"] == found["n"] == 23
    assert "| r | resnet20 |" in (kaggle / "report/report.md").read_text()


def test_images_without_a_box_are_left_out_and_said(kaggle, command):
    path = kaggle / "data/LOC_val_solution.csv"
    shutil.copy(path, kaggle / "boxes.csv")
    (kaggle / "boxes.csv").write_text("\n".join(path.read_text().splitlines()[:10]) + "\n")
    done = command(*WORDS, "boxes=boxes.csv")
    assert done.returncode == 0, done.stderr
    assert "boxes of boxes.csv, 14 images without a box left out" in done.stdout


def test_one_network_answers_and_gives_the_maps(kaggle, command, monkeypatch):
    built = []
    monkeypatch.setattr(member, "build_network", lambda *args, **kw: built.append(1) or build_network(*args, **kw))
    assert command(*WORDS, "boxes=data/LOC_val_solution.csv").returncode == 0
    assert built == [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("boxes=none.csv",), "boxes=none.csv"),
        (("boxes=w.pt",), "w.pt"),
        (("boxes=bad.csv",), "bad.csv has no boxes of image1: it should be ImageId,PredictionString with `class xmin"),
        (("boxes=other.csv",), "none of the 23 images has a box: image0 is not in other.csv, for one"),
        (("boxes=data/LOC_val_solution.csv", "protocol=ten_crop"), "boxes= needs protocol=center"),
        (("boxes=data/LOC_val_solution.csv", "processes=2"), "boxes= is computed in one process, not 2"),
        (("boxes=data/LOC_val_solution.csv", "arch=lenet", "weights=l.pt"), "boxes= needs a network that averages"),
    ],
)
def test_bad_input_is_one_sentence(kaggle, command, words, said):
    torch.save(build("lenet", 3).state_dict(), kaggle / "l.pt")
    (kaggle / "bad.csv").write_text("ImageId,PredictionString\nimage1,bag 1 2 3\n")
    (kaggle / "other.csv").write_text("ImageId,PredictionString\nelsewhere,bag 1 2 3 4\n")
    given = [word for word in WORDS if word.partition("=")[0] not in {each.partition("=")[0] for each in words}]
    done = command(*given, *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert said in done.stderr
    assert "error" not in done.stdout  # nothing was counted first


@pytest.mark.parametrize(
    "line",
    ["a,bag 5 1 4 2", "a,bag 1 2 x 4", "a,bag nan 1 2 3", "a,", "a,bag 1 2 3 4 bag", "a,bag,1,2,3,4", "a,1,2,3,4"],
)
def test_a_box_that_is_none_is_refused(tmp_path, line):
    (tmp_path / "b.csv").write_text(f"{line}\nb,bag 1 2 3 4\n")
    with pytest.raises(UserError, match="it should be ImageId,PredictionString with"):
        read_boxes(tmp_path / "b.csv", {"a", "b"})


LISTS = {
    "comma": "ImageId,PredictionString\nval/a.JPEG,bag 1 2 3 4 bag 5 6 7 8 \nb c,bag 1 2 3 4\nelsewhere,bag 0 0 1 1\n",
    "semicolon": "ImageId;PredictionString\na;bag 1 2 3 4 bag 5 6 7 8\nb c;bag 1 2 3 4\nelsewhere;bag 0 0 1 1\n",
    "tab": "ImageId\tPredictionString\na\tbag 1 2 3 4 bag 5 6 7 8\nb c\tbag 1 2 3 4\nelsewhere\tbag 0 0 1 1\n",
    "quoted, numbered": '"","ImageId","PredictionString"\n"0","a","bag 1 2 3 4 bag 5 6 7 8"\n"1","b c","bag 1 2 3 4"\n'
    '"2","elsewhere","bag 0 0 1 1"\n',
    "turned round": "PredictionString,ImageId\nbag 1 2 3 4 bag 5 6 7 8,a\nbag 1 2 3 4,b c\nbag 0 0 1 1,elsewhere\n",
    "no header": "a,bag 1 2 3 4 bag 5 6 7 8\nb c,bag 1 2 3 4\n\nelsewhere,bag 0 0 1 1\n",
    "blanks": "a bag 1 2 3 4 bag 5 6 7 8\nb c bag 1 2 3 4\nelsewhere bag 0 0 1 1\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("form", LISTS)
def test_boxes_are_listed_as_images_may_be(tmp_path, form, end, encoding):
    (tmp_path / "b.csv").write_bytes(LISTS[form].replace("\n", end).encode(encoding))
    found = read_boxes(tmp_path / "b.csv", {"a", "b c", "d"})
    first = Box(1, 2, 3, 4)
    assert found == {"a": [first, Box(5, 6, 7, 8)], "b c": [first], "elsewhere": [Box(0, 0, 1, 1)]}
