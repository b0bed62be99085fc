"""`cnnbench probe`: its solver against Newton's method, its held-out images, and the command."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from cnnbench.analysis.probe.choose import Settings, choose, hold_out
from cnnbench.analysis.probe.classifier import Rows, fit, no_weights
from cnnbench.analysis.probe.features import ROWS, standardise
from cnnbench.analysis.probe.table import Probed, interval_of
from cnnbench.archs.registry import build
from cnnbench.runtime.errors import UserError

CPU = torch.device("cpu")
NETWORK = ("arch=resnet20", "weights=w.pt", "device=cpu", "data.workers=0", "batch=16", "data=data")


def drawn(n: int, width: int = 5, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(n, width)).astype(np.float32)
    labels = (values[:, :classes] + draw.normal(size=(n, classes))).argmax(1)
    return values, labels


def by_newton(values: np.ndarray, labels: np.ndarray, classes: int, penalty: float) -> np.ndarray:
    """(classes, D + 1) in float64, by whole Newton steps; a direction that changes nothing is left alone."""
    x = np.c_[values.astype(float), np.ones(len(values))]
    n, width = x.shape
    weights, decay = np.zeros((classes, width)), np.tile(np.r_[np.full(width - 1, penalty), 0], classes)
    for _ in range(30):
        p = np.exp(x @ weights.T)
        p /= p.sum(1, keepdims=True)
        gradient = ((p - np.eye(classes)[labels]).T @ x / n).ravel() + decay * weights.ravel()
        hessian = np.diag(decay)
        for i in range(classes):
            for j in range(classes):
                share = p[:, i] * ((i == j) - p[:, j])
                block = np.s_[i * width : (i + 1) * width, j * width : (j + 1) * width]
                hessian[block] += (x * share[:, None]).T @ x / n
        weights -= (np.linalg.pinv(hessian) @ gradient).reshape(classes, width)
    assert np.abs(gradient).max() < 1e-12
    return weights


@pytest.mark.parametrize("penalty", [0.3, 0.01])
def test_the_classifier_is_newtons(penalty):
    values, labels = drawn(ROWS + 300)  # in two parts
    rows = np.arange(len(labels))[::-1].copy()
    found = fit(Rows(values, labels, rows), penalty, 100, no_weights(3, 5, CPU))
    expected = by_newton(values, labels, 3, penalty)
    assert found.converged
    np.testing.assert_allclose(found.weights[:, :-1], expected[:, :-1], atol=2e-3)
    biases = found.weights[:, -1].numpy()
    np.testing.assert_allclose(biases - biases.mean(), expected[:, -1] - expected[:, -1].mean(), atol=2e-3)
    answers = (values @ expected[:, :-1].T + expected[:, -1]).argmax(1)
    assert abs(found.wrong(Rows(values, labels, rows)) - (answers != labels).sum()) <= 2


def test_too_few_iterations_are_told():
    values, labels = drawn(200)
    assert not fit(Rows(values, labels, np.arange(200)), 0.01, 1, no_weights(3, 5, CPU)).converged


def test_held_out_images_are_a_share_of_each_class():
    labels = np.repeat([0, 1, 2, 4], [10, 21, 1, 2])
    within, out = hold_out(labels, 0.4, 7)
    assert sorted([*within, *out]) == list(range(len(labels)))
    assert np.bincount(labels[out], minlength=5).tolist() == [4, 8, 0, 0, 1]
    assert np.array_equal(out, hold_out(labels, 0.4, 7)[1])
    assert not np.array_equal(out, hold_out(labels, 0.4, 8)[1])
    with pytest.raises(UserError, match=r"held_out=0\.2 .* is none"):
        hold_out(np.arange(5), 0.2, 0)


def test_the_penalty_is_the_one_that_serves_unseen_images():
    """30 columns of noise beside one that tells: without a penalty the fit learns the noise."""
    draw = np.random.default_rng(3)
    values, labels = draw.normal(size=(80, 31)).astype(np.float32), np.arange(80) % 2
    values[:, 0] = labels + 0.4 * draw.normal(size=80)
    settings = Settings(2, [1e-5, 0.3, 1e-5], 100, CPU)
    found = choose(values, labels, hold_out(labels, 0.5, 0), settings)
    assert [tried.penalty for tried in found.tried] == [0.3, 1e-5]
    assert found.penalty == 0.3
    assert found.held_out_error == found.tried[0].error < found.tried[1].error
    assert found.at_end
    whole = by_newton(values, labels, 2, 0.3)
    np.testing.assert_allclose(found.fit.weights[:, :-1], whole[:, :-1], atol=2e-3)


def test_columns_are_standardised_by_the_training_images():
    train, val = drawn(ROWS + 10)[0] * 3 + 1000, drawn(7)[0]
    train[:, 2] = 5
    mean, deviation = train.astype(float).mean(0), train.astype(float).std(0)
    expected = (val - mean) / np.where(deviation > 1e-3, deviation, np.inf)
    standardise(train, [val])
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(train.std(0), [1, 1, 0, 1, 1], atol=1e-4)
    np.testing.assert_allclose(val, expected, rtol=1e-4)
    train[0, 0] = np.nan
    with pytest.raises(UserError, match="not finite"):
        standardise(train, [])


def test_the_command(place, command):
    sorted((place / "data/val/bag").iterdir())[1].write_text("text")
    sorted((place / "data/train/bag").iterdir())[3].write_text("text")
    words = ("layer=[all,pixels,layer1.1]", "most_values=300", "penalties=[0.1,0.001]", "output=p.json", "curve=p.svg")
    done = command("probe", *NETWORK, *words)
    assert done.returncode == 0, done.stderr
    found = json.loads((place / "p.json").read_text())
    assert (found["train_images"], {each["n"] for each in found["layers"]}) == (60, {23})
    layers = {each["layer"]: each for each in found["layers"]}
    widths = {name: each["values"] for name, each in layers.items()}
    assert widths == {
        "pixels": 3 * 10**2,
        "layer1.1": 16 * 4**2,
        "conv2_x": 16 * 4**2,
        "conv3_x": 32 * 3**2,
        "conv4_x": 64 * 2**2,
        "pre_logits": 64,
        "logits": 7,
    }
    assert all(1 <= each["wrong"] <= 12 for each in layers.values())  # the broken one is; of three classes 15 by chance
    assert "1 training images were left out, which could not be decoded" in done.stdout
    assert "1 validation images count as wrong" in done.stdout
    drawing = (place / "p.svg").read_text()
    assert "<svg" in drawing
    again = command("probe", *NETWORK, *words[:3], "output=again.json")
    assert again.returncode == 0
    assert (place / "again.json").read_text() == (place / "p.json").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("layer=fc9",), "the network has no layer 'fc9'"),
        ((), "no layer is given"),
        (("layer=[fc,fc]",), "layer= names fc twice"),
        (("layer=fc", "penalties=[]"), "penalties=[] leaves nothing to try"),
        (("layer=fc", "held_out=1"), "held_out=1.0 is out of range"),
        (("layer=fc", "curve=p.jpg"), "curve=p.jpg needs the ending .png or .svg"),
        (("layer=fc", "weights=null"), "no network is given"),
        (("layer=fc", "data.path=null"), "no data set is given"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(place, command, words, said):
    done = command("probe", *NETWORK, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_data_that_cannot_serve(place, command):
    for name in ("sandal", "trouser"):
        for split in ("train", "val"):
            shutil.rmtree(place / "data" / split / name)
    done = command("probe", *NETWORK, "layer=fc")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "training images of one class alone, bag" in done.stderr
    shutil.rmtree(place / "data/train")
    done = command("probe", *NETWORK, "layer=fc")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "train" in done.stderr


def probed(error: float, layer: str = "fc") -> Probed:
    return Probed(layer, layer, 4, 0.1, error, 0.0, error, error - 1, error + 1, 5, 20, [[0.1, error]], True, True)


def test_the_interval_of_several_trainings_is_of_their_mean():
    mean, low, high = interval_of([probed(10.0), probed(12.0), probed(14.0)])
    assert (mean, low, high) == pytest.approx((12.0, 12 - 4.968, 12 + 4.968), abs=1e-3)  # t = 4.303, sd = 2
    assert interval_of([probed(10.0)]) == (10.0, 9.0, 11.0)
    assert interval_of([probed(10.0, "pixels")] * 3) == (10.0, 9.0, 11.0)  # no seed changes them


def test_several_runs_are_read_alone_and_make_a_mean_by_seed(place, command):
    words = (
        "train",
        "arch=lenet",
        "recipe=quick",
        "data=data",
        "device=cpu",
        "data.workers=0",
        "epochs=1",
        "logger=[]",
    )
    for name, more in (("one-0", ("seed=0",)), ("one-1", ("seed=1",)), ("other", ("seed=0", "optimizer.lr=0.02"))):
        assert command(*words, *more, f"run={name}", "batch=20").returncode == 0
    plain = ("layer=[conv2,fc4]", "penalties=[0.1]", "data.workers=0", "device=cpu")
    done = command("probe", "runs=[one-0,other,one-1]", *plain, "output=p.json", "curve=p.svg")
    assert done.returncode == 0, done.stderr
    found = json.loads((place / "p.json").read_text())
    assert [each["network"] for each in found["networks"]] == [
        f"lenet after epoch 1 of runs/{name}" for name in ("one-0", "other", "one-1")
    ]
    means = {(each["network"], each["layer"]): each for each in found["means"]}
    assert list(means) == [("one (2)", "conv2"), ("one (2)", "fc4"), ("other", "conv2"), ("other", "fc4")]
    errors = [found["networks"][i]["layers"][1]["top1_error"] for i in (0, 2)]
    assert means["one (2)", "fc4"]["top1_error"] == pytest.approx(sum(errors) / 2)
    assert means["one (2)", "fc4"]["trainings"] == 2
    alone = command("probe", "run=one-1", *plain, "output=alone.json")
    assert json.loads((place / "alone.json").read_text())["layers"] == found["networks"][2]["layers"], alone.stderr
    drawing = (place / "p.svg").read_text()
    assert drawing.count("<!-- one (2) -->") == drawing.count("<!-- other -->") == 1


def test_several_networks_by_their_weights(place, command):
    torch.save(build("resnet32", 10).state_dict(), place / "deep.pt")
    torch.save(build("resnet20", 10).state_dict(), place / "flat.pt")
    words = ("data=data", "device=cpu", "data.workers=0", "layer=avgpool", "penalties=[0.1]")
    done = command("probe", "archs=[resnet20,resnet32]", "weights=[flat.pt,deep.pt]", *words, "output=p.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((place / "p.json").read_text())
    for one, (arch, file) in zip(found["networks"], (("resnet20", "flat.pt"), ("resnet32", "deep.pt")), strict=True):
        assert command("probe", f"arch={arch}", f"weights={file}", *words, "output=one.json").returncode == 0
        assert json.loads((place / "one.json").read_text())["layers"] == one["layers"]
    for words, said in (
        (("archs=[resnet20,resnet32]", "weights=flat.pt"), "archs= names 2 networks, and weights= 1 files"),
        (("arch=resnet20", "weights=[flat.pt,deep.pt]"), "weights= names several files: name their networks"),
        (("runs=[a,a]",), "runs= names a twice"),
        (("runs=[a,b]", "run=c"), "run= and runs= exclude each other: give one of them"),
    ):
        done = command("probe", *words, "layer=fc", "data=data")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr
