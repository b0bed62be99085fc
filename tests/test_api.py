"""cnnbench from Python: the examples of docs/python.md, what is imported when, and mistakes."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnnbench
from cnnbench.archs.registry import build
from cnnbench.data.storage.given import as_given
from cnnbench.runtime.errors import UserError

PAGE = Path(__file__).parents[1] / "docs/python.md"
ANSWER = re.compile(r"^(?P<code>.*?)\s+# -> (?P<answer>.*)$")


def run_example(block: str, names: dict) -> int:
    """Run a block of the page; a line with `# -> VALUE` has to have that value. How many such lines there were."""
    compared, lines = 0, []
    for line in [*block.splitlines(), ""]:
        found = ANSWER.match(line)
        if found is None:
            lines.append(line)
            continue
        exec("\n".join(lines), names)
        lines = []
        assert eval(found["code"], names) == ast.literal_eval(found["answer"]), line
        compared += 1
    exec("\n".join(lines), names)
    return compared


@pytest.mark.slow
def test_every_example_of_the_page(command, sample, tmp_path, monkeypatch):
    words = ("arch=lenet", "recipe=quick", "epochs=1", "run=demo", "device=cpu", "data.workers=0", "eval_batch=500")
    trained = command("train", *words, "data.train_fraction=0.02", "batch=20", "logger=[]")
    assert trained.returncode == 0, trained.stderr
    picture = next((sample / "val").glob("bag/*"))
    for name in ("cat.jpg", "dog.jpg"):
        shutil.copy(picture, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict = {}
    compared = sum(run_example(block, names) for block in blocks)
    assert (len(blocks), compared) == (PAGE.read_text().count("```python"), PAGE.read_text().count("# -> "))
    assert len(blocks) >= 7


def test_a_wrong_answer_on_the_page_fails():
    with pytest.raises(AssertionError, match="2"):
        run_example("x = 1\nx + 1    # -> 3\n", {})


def test_the_import_is_light():
    code = "import cnnbench, sys; print({'torch', 'numpy', 'hydra', 'PIL'} & set(sys.modules), cnnbench.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert done.stdout.startswith("set() "), done.stdout + done.stderr
    assert {"load", "predict", "__version__"} <= set(dir(cnnbench))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = cnnbench.lod


@pytest.fixture
def model(tmp_path) -> cnnbench.Model:
    torch.manual_seed(2)
    torch.save(build("resnet20", 3).state_dict(), tmp_path / "w.pt")
    return cnnbench.load("resnet20", tmp_path / "w.pt", device="cpu")


def test_forms_of_an_image_have_one_answer(model, small_data):
    path = next((small_data / "val").glob("sandal/*"))
    with Image.open(path) as picture:
        picture.load()
        forms = [path, str(path), path.read_bytes(), picture, picture.convert("RGB"), np.asarray(picture)]
    found = model.features(forms, "avgpool")
    np.testing.assert_allclose(found, np.broadcast_to(found[:1], found.shape), rtol=1e-4, atol=1e-5)
    answers = model.predict(forms, top=2)
    assert len({tuple(each.name for each in one.answers) for one in answers}) == 1
    with torch.no_grad():
        logits = model.network(model.preprocess(path))
    assert answers[0].answers[0].probability == pytest.approx(float(logits.softmax(1).max()), rel=1e-4)


def test_what_is_changed_in_the_network_counts(model, small_data):
    data = cnnbench.open_data(small_data)
    before = model.evaluate(data)
    with torch.no_grad():
        model.network.fc.bias[:] = torch.tensor([0.0, 100.0, 0.0])
    after = model.evaluate(str(small_data))
    assert (before.n, after.wrong_top1, after.top5_error) == (23, 15, 0.0)
    assert after.top1_interval[0] < after.top1_error < after.top1_interval[1]


def test_a_picture_that_is_none_has_no_answers(model, tmp_path, small_data):
    (tmp_path / "bad.png").write_text("text")
    bad, gone, good = model.predict([tmp_path / "bad.png", "none.png", next((small_data / "val").glob("*/*"))])
    assert gone.broken == "none.png cannot be read: No such file or directory"
    assert bad.answers == ()
    assert bad.broken == f"{tmp_path}/bad.png is not an image"
    assert len(good.answers) == 3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda model: cnnbench.load("resnet200"), "unknown network 'resnet200', did you mean resnet20"),
        (lambda model: cnnbench.load("resnet20", "none.pt"), "weights=none.pt: there is no such file"),
        (lambda model: cnnbench.load("resnet20", device="tpu"), "device=tpu is unknown"),
        (lambda model: cnnbench.load("resnet20", overrides=["arch.options.shortcut=X"]), "no shortcut 'X'"),
        (lambda model: cnnbench.load_run("none"), "there is no run in runs/none"),
        (lambda model: cnnbench.open_data("none"), "data=none: there is no such folder"),
        (lambda model: cnnbench.open_data("sample", "vall"), "split=vall is unknown, did you mean val?"),
        (lambda model: model.predict([]), "no images are given"),
        (lambda model: model.predict([3]), "image 0 is int: give a path"),
        (lambda model: model.predict("x.png", top=0), "top=0 is out of range"),
        (lambda model: model.to("gpu"), "device=gpu is unknown"),
        (lambda model: model.to("xpu:1"), "device=xpu, but torch sees no GPU of that kind here"),
        (lambda model: cnnbench.load("lenet", num_classes=0), "num_classes=0 is out of range: it must be at least 1"),
        (lambda model: cnnbench.load("lenet", num_classes=-1), "num_classes=-1 is out of range: it must be at least 1"),
        (lambda model: model.features("none.png", "layer9"), "no layer 'layer9', did you mean layer"),
        (lambda model: model.features("none.png", "fc"), "none.png cannot be read"),
        (lambda model: model.features("none.png", []), "no layer is given: name one of model.layers()"),
        (lambda model: model.evaluate(), "no images are given: evaluate(model, DATA)"),
        (lambda model: model.evaluate("sample"), "the images have 10 classes, and the network gives 3"),
        (lambda model: model.evaluate("sample", "tencrop"), "protocol=tencrop is unknown, did you mean ten_crop"),
    ],
)
def test_a_mistake_is_one_sentence(model, call, said, tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as mistake:
        call(model)
    assert said in str(mistake.value)


def test_the_network_is_used_as_it_is_and_left_so(model, small_data):
    paths = sorted((small_data / "val").glob("*/*"))[:3]
    first = [one.answers[0] for one in model.predict(paths)]
    model.network.train()
    model.network.bn1.eval()
    assert [one.answers[0] for one in model.predict(paths)] == first  # by the running statistics
    model.features(paths, "fc")
    model.evaluate(cnnbench.open_data(small_data))
    assert [model.network.training, model.network.bn1.training, model.network.fc.training] == [True, False, True]
    model.network.double()
    found = [one.answers[0] for one in model.predict(paths)]
    assert [one.name for one in found] == [one.name for one in first]
    np.testing.assert_allclose([one.probability for one in found], [one.probability for one in first], rtol=1e-4)
    assert model.preprocess(paths).dtype == torch.float64
    assert model.features(paths, "fc").dtype == np.float32
    assert list(model.features(paths, "all")) == ["conv2_x", "conv3_x", "conv4_x", "pre_logits", "logits"]
    assert model.to("cpu").predict(paths)[0].answers[0] == model.to("cpu:0").predict(paths)[0].answers[0] == found[0]
    model.network.reset_classifier(2)
    with pytest.raises(UserError, match="the network gives 2 logits, and the model names 3 classes: name them"):
        model.predict(paths)
    renamed = replace(model, classes=("a", "b"))
    assert {each.name for each in renamed.predict(paths)[0].answers} == {"a", "b"}


def test_images_of_a_data_set_are_taken_in_parts(model, small_data):
    data = cnnbench.open_data(small_data)
    part = data[-3:]
    assert repr(part) == "<3 images of 3 classes>"
    assert [label for _, label in part] == data.labels[-3:].tolist()
    assert model.evaluate(data[:7]).n == 7
    with pytest.raises(IndexError, match="image 23 of 23"):
        data[23]
    pixels = np.stack([np.asarray(data[i][0]) for i in range(2)])
    assert model.predict(pixels)[1].answers == model.predict(list(pixels))[1].answers
    with pytest.raises(UserError, match="image 0 is a tensor: give "):
        model.predict([torch.zeros(3, 4, 4)])


def test_arrays_that_are_no_images_are_refused():
    for array in (np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(UserError, match="image 5 is an array"):
            as_given(array, 5)
