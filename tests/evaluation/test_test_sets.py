"""Named test sets on stand-ins in their own layouts: which classes compete, what is right, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnbench.archs.registry import build
from cnnbench.config.data import DataConfig
from cnnbench.data.decode.picture import from_pixels
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.objectnet import right_answers
from cnnbench.data.layouts.read import find_layout, read_split
from cnnbench.data.layouts.test_sets import TABLE, competing
from cnnbench.data.loading.around import within
from cnnbench.evaluation.competing import among_competing
from cnnbench.evaluation.counts import rank_of_target
from cnnbench.runtime.errors import UserError

IDS = list(class_names())
RED = (255, 0, 0)


def ids_of(letter: str) -> list[str]:
    return [line.split("\t")[0] for line in TABLE.read_text().splitlines() if letter in line.split("\t")[1]]


def fill(root: Path, folders, pixel=(9, 99, 9)) -> Path:
    """An image in each of the class folders."""
    for name in folders:
        (root / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), pixel).save(root / name / "1.png")
    return root


def make_objectnet(root: Path) -> Path:
    """Four folders, of which two are of ILSVRC's classes, with the four files of mappings as they are published."""
    fill(root / "images", ("alarm_clock", "bench", "air_freshener", "tennis_racket"))
    (root / "mappings").mkdir()
    names = [words.strip() for words in class_names().values()]
    order = list(reversed(range(1000)))  # the lines of the labels are in an order of their own
    files = {
        "imagenet_to_label_2012_v2": "".join(f"{names[number]}\n" for number in order),
        "pytorch_to_imagenet_2012_id.json": json.dumps({str(number): line for line, number in enumerate(order)}),
        "folder_to_objectnet_label.json": json.dumps(
            {
                "alarm_clock": "Alarm clock",
                "bench": "Bench",
                "air_freshener": "Air freshener",
                "tennis_racket": "Racket",
            }
        ),
        "objectnet_to_imagenet_1k.json": json.dumps(
            {"Alarm clock": f"{names[409]}; {names[530]}", "Bench": names[703]}
        ),
    }
    for name, text in files.items():
        (root / "mappings" / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A network of 1000 classes whose answer is always the same: the higher the number, the surer."""
    network = build("lenet", 1000)
    state = network.state_dict()
    last = [name for name in state if name.endswith("bias")][-1]
    state = {name: torch.zeros_like(value) for name, value in state.items()}
    state[last] = torch.arange(1000.0)
    path = tmp_path_factory.mktemp("weights") / "w.pt"
    torch.save(state, path)
    return path


def errors(command, weights: Path, data: Path, *words: str) -> tuple[int, int, int | None]:
    done = command(
        *("eval", "arch=lenet", f"weights={weights}", f"data={data}", "device=cpu", "data.workers=0", "batch=64"),
        *("output=result.json", *words),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(Path("result.json").read_text() if Path("result.json").exists() else done.stdout)
    return result["wrong_top1"], result["wrong_top5"], result["competing"]


def test_the_lists_are_200_classes_each_in_the_order_of_ilsvrc():
    for letter, first in (("a", "n01498041"), ("r", "n01443537")):
        names = ids_of(letter)
        assert (len(names), names[0]) == (200, first)
        assert names == sorted(names, key=IDS.index)
    assert len(set(ids_of("a")) & set(ids_of("r"))) == 86


@pytest.mark.parametrize("letter", ["a", "r"])
def test_of_imagenet_a_and_r_200_classes_compete(letter, command, weights, tmp_path, monkeypatch):
    """The network prefers class 999, then 998, ...: among the 200 its first answer is the last of them."""
    monkeypatch.chdir(tmp_path)
    names = ids_of(letter)
    fill(tmp_path / "set", names)
    assert errors(command, weights, tmp_path / "set") == (199, 195, 200)
    among_all = sum(name in IDS[-5:] for name in names)
    assert errors(command, weights, tmp_path / "set", "competing=all") == (
        200 - (IDS[999] in names),
        200 - among_all,
        None,
    )
    done = command("eval", "arch=lenet", f"weights={weights}", "data=set", "device=cpu", "data.workers=0")
    assert f"ImageNet-{letter.upper()}: 200 of 1,000 classes compete" in done.stdout


def test_other_classes_compete_only_if_that_is_asked_for(command, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "set", IDS[10:20])
    assert errors(command, weights, tmp_path / "set") == (10, 10, None)
    assert errors(command, weights, tmp_path / "set", "competing=present") == (9, 5, 10)


def test_the_folders_of_imagenet_v2_are_class_numbers_also_without_val(tmp_path):
    root = fill(tmp_path / "imagenetv2-matched-frequency-format-val", map(str, range(1000)))
    assert find_layout(root) == "ImageNet-V2"
    split = read_split(DataConfig(path=str(root)), "val", IDS)
    assert [int(Path(split.name(row)).parent.name) for row in range(1000)] == split.labels.tolist()
    assert "folders 0 to 999 are ILSVRC's classes by number" in split.account.in_words(1000)
    with pytest.raises(UserError, match="has ImageNet-V2's test images, and none to train on"):
        read_split(DataConfig(path=str(root)), "train")
    assert find_layout(fill(tmp_path / "few", map(str, range(10)))) == "class folders", (
        "ten numbered folders are not it"
    )


def test_the_classes_of_imagenet_sketch_lie_bare_and_all_compete(command, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "sketch", IDS)
    assert errors(command, weights, tmp_path / "sketch") == (999, 995, None)


def test_objectnet_is_mapped_masked_and_without_its_border(command, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = make_objectnet(tmp_path / "objectnet-1.0")
    assert right_answers(root) == {"alarm_clock": (IDS[409], IDS[530]), "bench": (IDS[703],)}
    # Three classes compete as two answers: the network prefers 703 to 530 to 409.
    assert errors(command, weights, root) == (1, 0, 3)
    done = command("eval", "arch=lenet", f"weights={weights}", f"data={root}", "device=cpu", "data.workers=0")
    assert "2 images used, left out: images of classes that ILSVRC lacks 2" in done.stdout
    assert "ObjectNet: 3 of 1,000 classes compete as 2 answers" in done.stdout
    whole = command("eval", "arch=lenet", f"weights={weights}", f"data={root}", "device=cpu", "protocol=dense")
    assert "takes whole images, and these have a border" in whole.stderr
    (root / "mappings/objectnet_to_imagenet_1k.json").write_text('{"Bench": "park bank"}')
    torn = command("eval", "arch=lenet", f"weights={weights}", f"data={root}", "device=cpu", "data.workers=0")
    assert (torn.returncode, "'park bank' is not in the others" in torn.stderr) == (2, True)
    with pytest.raises(UserError, match="on which its licence forbids to train"):
        read_split(DataConfig(path=str(root)), "train")


def test_classes_that_are_one_answer_count_once():
    """By hand: answers {0, 2} and {1} of four classes; the third class of the network takes no part."""
    groups = competing([("a", "c"), ("b",)], ["a", "b", "c", "d"])
    assert groups.tolist() == [0, 1, 0, -1]
    logits = torch.tensor([[1.0, 2.0, 3.0, 9.0], [5.0, 6.0, 4.0, 9.0]])
    masked = among_competing(logits, groups)
    inf = float("inf")
    assert masked.tolist() == [[-inf, 2.0, 3.0, -inf], [5.0, 6.0, -inf, -inf]]
    assert rank_of_target(masked, torch.tensor([1, 1])).tolist() == [1, 0]
    assert among_competing(logits, None) is logits


def test_a_border_is_cut_off():
    pixels = np.zeros((7, 9, 3), np.uint8)
    pixels[:] = RED
    pixels[2:-2, 2:-2] = np.arange(15).reshape(3, 5, 1)
    inner = within(from_pixels(pixels), 2)
    assert (inner.width, inner.height) == (5, 3)
    assert inner.region(1, 1, 3, 2)[..., 0].tolist() == [[6, 7, 8], [11, 12, 13]]
    assert within(from_pixels(pixels[:4]), 2).height == 4, "what is smaller than its border is whole"
