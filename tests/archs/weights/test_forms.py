"""Files of weights as other programs write them: in whatever form, nesting and company, they load or are refused in one
sentence, and nothing in them is executed."""

from __future__ import annotations

import argparse
import datetime
import enum
import json
import os
import pathlib
import pickle
import re
import subprocess
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from cnnbench.archs.registry import build
from cnnbench.archs.weights.load import load_weights
from cnnbench.runs import checkpoint
from cnnbench.runtime.sealed import FORMAT

pytestmark = pytest.mark.slow

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return {name: value.clone() for name, value in build("resnet20", 10).state_dict().items()}


def loaded(path: Path, state: State, **options: Any) -> list[str]:
    """What is said of the file, which has to bring the weights `state`."""
    model = build("resnet20", 10)
    notes = load_weights(model, path, **options)
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    return notes


def below(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


def zeros(state: State) -> State:
    return {name: torch.zeros_like(value) for name, value in state.items()}


class Metric(enum.Enum):
    TOP1 = 1


class Attributes(dict):
    """As Lightning's AttributeDict and yacs' CfgNode: a dictionary of a class of their own."""


def averaged(state: State) -> State:
    """As torchvision's references save their averaged model."""
    model = build("resnet20", 10)
    model.load_state_dict(state)
    return AveragedModel(nn.DataParallel(model), use_buffers=True).state_dict()


OPTIMIZER = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}

# Program -> what it saves, and the notes that loading gives.
PROGRAMS: dict[str, tuple[Callable[[State], Any], list[str]]] = {
    "pytorch/examples": (
        lambda state: {
            "epoch": 90, "arch": "resnet20", "state_dict": below("module.", state), "best_acc1": torch.tensor(91.2),
            "optimizer": OPTIMIZER, "scheduler": {"gamma": 0.1, "_step_count": 91, "milestones": Counter([3, 5])},
        },
        [],
    ),
    "torchvision": (
        lambda state: {
            "model": state, "optimizer": OPTIMIZER, "lr_scheduler": {}, "epoch": 89,
            "args": argparse.Namespace(model="resnet20", data_path=pathlib.PosixPath("/imagenet")),
        },
        [],
    ),
    "timm": (
        lambda state: {
            "epoch": 5, "arch": "resnet20", "state_dict": below("_orig_mod.", state), "optimizer": OPTIMIZER,
            "version": 2, "args": argparse.Namespace(lr=0.1), "amp_scaler": {}, "metric": np.float64(91.2),
        },
        [],
    ),
    "Lightning": (
        lambda state: {
            "state_dict": {
                **below("model.", state), "criterion.weight": torch.ones(10), "val_acc.total": torch.tensor(3),
            },
            "hyper_parameters": Attributes(lr=0.1, conf=OmegaConf.create({"a": [1]})), "callbacks": {}, "loops": {},
            "pytorch-lightning_version": "2.5", "when": datetime.datetime(2026, 1, 1), "best": Metric.TOP1,
        },
        ["names without their prefix model.", "left out what lies beside it: criterion.weight, val_acc.total"],
    ),
    "lightning-hydra-template, compiled": (
        lambda state: {"state_dict": below("net._orig_mod.", state)},
        ["names without their prefix net."],
    ),
    "mmpretrain": (
        lambda state: {
            "meta": {"epoch": 100, "time": "now"}, "message_hub": {"log": Attributes(a=np.arange(3))},
            "state_dict": {
                **{f"backbone.{name}": value for name, value in state.items() if not name.startswith("fc.")},
                **{f"head.{name}": value for name, value in state.items() if name.startswith("fc.")},
                "data_preprocessor.mean": torch.ones(3, 1, 1),
            },
        },
        [
            "names without their prefix backbone.", "its classifier fc is head.fc.weight",
            "left out what lies beside it: data_preprocessor.mean",
        ],
    ),
    "composer": (lambda state: {"state": {"model": below("module.", state)}, "rng": [np.arange(4)]}, []),
    "pycls": (lambda state: {"epoch": 99, "test_err": 8.1, "model_state": state, "cfg": "A: 1"}, []),
    "kuangliu": (lambda state: {"net": below("module.", state), "acc": 93.0, "epoch": 200}, []),
    "an averaged model": (averaged, ["left out what lies beside it: n_averaged"]),
    "FSDP and activation checkpoints": (
        lambda state: {
            "model": {
                re.sub(r"^(layer\d\.\d)\.", r"_fsdp_wrapped_module.\1._checkpoint_wrapped_module.", name): value
                for name, value in state.items()
            }
        },
        [],
    ),
    "a backbone in a deep tree": (
        lambda state: {"a": {"b": [{"student": {"backbone": below("encoder.", state)}}, 7]}},
        ["names without their prefix encoder."],
    ),
    "thop": (
        lambda state: {**state, "total_ops": torch.zeros(1), "conv1.total_params": torch.zeros(1)},
        ["left out counters that no network has: total_ops, conv1.total_params"],
    ),
    "defaultdict": (lambda state: defaultdict(int, {"weights": OrderedDict(state)}), []),
    "a network within an object": (lambda state: Holder(state), ["names without their prefix net."]),
}  # fmt: skip


class Holder:
    """An object with a network in an attribute."""

    def __init__(self, state: State) -> None:
        self.net = build("resnet20", 10)
        self.net.load_state_dict(state)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_programs_save(tmp_path, state, program, zipped):
    content, notes = PROGRAMS[program]
    torch.save(content(state), tmp_path / "w.bin", _use_new_zipfile_serialization=zipped)
    assert loaded(tmp_path / "w.bin", state) == notes


# ---- several sets of weights ----

SEVERAL = [
    (lambda state: {"state_dict_ema": state, "state_dict": zeros(state)}, "state_dict", "state_dict_ema"),
    (
        lambda state: {"model": below("module.", zeros(state)), "model_ema": below("module.", state)},
        "model",
        "model_ema",
    ),
    (
        lambda state: {"state_dict": below("model.", zeros(state)) | below("ema_model.module.", state)},
        "state_dict.model",
        "state_dict.ema_model",
    ),
    (lambda state: {"student": zeros(state), "teacher": state}, "student", "teacher"),
    (
        lambda state: {
            "state_dict": {**zeros(state), **{f"ema_{name.replace('.', '_')}": value for name, value in state.items()}}
        },
        "state_dict",
        "state_dict_ema",
    ),
    (
        lambda state: {"student": zeros(state), "other": build("resnet32", 10).state_dict(), "ema": state},
        "student",
        "ema",
    ),
]


@pytest.mark.parametrize(("content", "plain", "average"), SEVERAL)
def test_of_several_sets_the_averaged_one_is_taken_or_the_one_that_is_named(tmp_path, state, content, plain, average):
    path = tmp_path / "w.pth"
    torch.save(content(state), path)
    said = loaded(path, state)[0]
    assert f": this is {average}; else weights_set={plain}" in said
    loaded(path, state, wanted=average)
    loaded(path, zeros(state), wanted=plain)
    with pytest.raises(ValueError, match=rf"weights_set={plain}x is not a set .*, did you mean .*: it has .*{average}"):
        loaded(path, state, wanted=f"{plain}x")


def test_of_a_file_of_ours_the_weights_are_taken_that_are_not_averaged(tmp_path, state):
    content = {"model": state, "averaged": zeros(state), "arch": "resnet20", "config": {}}
    checkpoint.save(tmp_path, content)
    assert loaded(tmp_path / "last.pt", state)[0].endswith(": this is model; else weights_set=averaged")


# ---- other forms ----


def test_an_ending_means_nothing(tmp_path, state):
    save_file(state, tmp_path / "a.pth")
    torch.save(state, tmp_path / "b.safetensors")
    np.savez(tmp_path / "c.npz", **{name: value.numpy() for name, value in state.items()})
    (tmp_path / "d").write_bytes(pickle.dumps({"model": {name: value.numpy() for name, value in state.items()}}))
    (tmp_path / "e.pkl").write_bytes(pickle.dumps(state))
    for path in tmp_path.iterdir():
        assert loaded(path, state) == []


def test_shards_of_safetensors(tmp_path, state):
    names = list(state)
    parts = {"m-1.safetensors": names[:50], "m-2.safetensors": names[50:]}
    for file, part in parts.items():
        save_file({name: state[name] for name in part}, tmp_path / file)
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, part in parts.items() for name in part}}))
    assert loaded(index, state) == []
    (tmp_path / "m-2.safetensors").unlink()
    with pytest.raises(ValueError, match=r"m-2.safetensors, a part of it, is not beside it"):
        loaded(index, state)
    index.write_text(json.dumps({"weight_map": {"conv1.weight": "../m-1.safetensors"}}))
    with pytest.raises(ValueError, match="names a file of another folder"):
        loaded(index, state)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "run `git lfs pull`"),
        (b"\x1f\x8b\x08\x00", "it is packed"),
        (b'{"a": 1}', "it is JSON, but not the index"),
        (b"conv1 0.3 0.1", "it is not a file of torch.save"),
    ],
)
def test_what_lies_in_the_place_of_weights_is_named(tmp_path, state, content, said):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/w.pth cannot be read as weights.*{said}"):
        loaded(tmp_path / "w.pth", state)


def test_programs_and_folders_are_named(tmp_path, state):
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "w.pt")
    with pytest.raises(ValueError, match="it is a TorchScript program"):
        loaded(tmp_path / "w.pt", state)
    with pytest.raises(ValueError, match="it is a folder: name a file in it"):
        loaded(tmp_path, state)
    (tmp_path / ".metadata").touch()
    with pytest.raises(ValueError, match=r"format_utils dcp_to_torch"):
        loaded(tmp_path, state)


class Call:
    """A pickle that calls `function` when it is loaded."""

    def __init__(self, function: Callable, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


HARM: list[tuple[Callable, tuple, bool]] = [  # what is called, with which words, and whether it is refused
    (os.system, ("touch trap",), True),
    (os.mkdir, ("trap",), True),
    (subprocess.call, (["touch", "trap"],), True),
    (eval, ("open('trap', 'w')",), True),
    (exec, ("open('trap', 'w')",), True),
    (pickle.loads, (b"",), True),
    (open, ("trap", "w"), True),
    (getattr, ("x", "Path"), False),
    (bytearray, (1 << 40,), False),
    (np.save, ("trap", 1), False),
    (torch.save, (1, "trap"), False),
    (json.dump, (1, 2), False),
]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("function", "words", "refused"), HARM, ids=[harm[0].__name__ for harm in HARM])
def test_nothing_is_called_however_it_is_hidden(tmp_path, state, function, words, refused, zipped, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({**state, "x": [Call(function, *words)]}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    if refused:
        with pytest.raises(ValueError, match=r"w.pth holds Python objects \(\S+\), not only tensors"):
            loaded(tmp_path / "w.pth", state)
    else:
        assert loaded(tmp_path / "w.pth", state) == []
    assert not list(tmp_path.glob("trap*"))


def test_a_pickle_that_holds_itself_ends(tmp_path, state):
    content: dict[str, Any] = {"state_dict": state}
    content["self"] = content
    torch.save(content, tmp_path / "w.pth")
    assert loaded(tmp_path / "w.pth", state) == []


def test_what_is_held_many_times_is_gone_through_once(tmp_path, state):
    """Each list holds the one before twice: 2^60 ways to the last."""
    content: Any = [torch.zeros(1)]
    for _ in range(30):
        content = [content, content]
    torch.save({"state_dict": state, "laughs": content}, tmp_path / "w.pth")
    assert loaded(tmp_path / "w.pth", state) == []


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path, state):
    short = {**state, "fc.weight": Short()}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(short, 2))
    with pytest.raises(ValueError, match="a tensor is larger than what is stored of it"):
        loaded(tmp_path / "w.pkl", state)


class Short:
    """A tensor of 640 numbers with a storage of three."""

    def __reduce__(self) -> tuple:
        storage = torch.zeros(3).storage()
        return torch._utils._rebuild_tensor_v2, (storage, 0, (10, 64), (64, 1), False, OrderedDict())


def test_a_file_does_not_change_what_is_read_later(tmp_path, state):
    content = pickle.dumps({**state, "x": Counter}, 2)
    poisoned = content.replace(b"ccollections\nCounter\n", b"ccollections\nCounter\nN}U\x06updateK\x01s\x86b")
    assert poisoned != content
    (tmp_path / "w.pkl").write_bytes(poisoned)
    before = Counter.update
    loaded(tmp_path / "w.pkl", state)
    assert Counter.update is before


def test_arrays_that_are_no_numbers_are_left_alone(tmp_path, state):
    names = np.array(["a", "b"])
    torch.save({**state, "names": names, "objects": np.array([{}], dtype=object)}, tmp_path / "w.pth")
    assert loaded(tmp_path / "w.pth", state) == []
    torch.save(names, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="holds no state dict: it has no tensors with names"):
        loaded(tmp_path / "w.pth", state)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_binary_protocol_of_pickles(tmp_path, state, protocol):
    arrays = {name: value.numpy() for name, value in state.items()}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(arrays, protocol))
    assert loaded(tmp_path / "w.pkl", state) == []


def test_a_changed_byte_of_an_archive_is_noticed(tmp_path, state):
    torch.save(state, tmp_path / "w.pth")
    content = bytearray((tmp_path / "w.pth").read_bytes())
    at = content.index(state["fc.weight"].numpy().tobytes()[:64])
    content[at] ^= 1
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"it is damaged: its part \S+ has changed since it was written"):
        loaded(tmp_path / "w.pth", state)


# ---- classifiers ----


@pytest.mark.parametrize("head", [{}, {"fc.0.weight": torch.zeros(8, 64), "fc.2.weight": torch.zeros(10, 8)}])
def test_an_encoder_without_a_classifier_is_for_training_to_start_from(tmp_path, state, head):
    body = {name: value for name, value in state.items() if not name.startswith("fc.")}
    torch.save({**body, **head}, tmp_path / "w.pth")
    model = build("resnet20", 10)
    (note,) = load_weights(model, tmp_path / "w.pth")
    assert note.startswith("new classifier fc: " + ("left out fc.0.weight" if head else "the file has none"))
    assert torch.equal(model.conv1.weight, state["conv1.weight"])
    with pytest.raises(ValueError, match=r"has no classifier fc: .*such weights are for training to start from"):
        load_weights(model, tmp_path / "w.pth", classifier="keep")


def test_a_file_that_nearly_fits_is_said_to(tmp_path, state):
    torch.save({**state, "class_weights": torch.ones(10)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"has class_weights too many; 116 of the network's 116 tensors are there"):
        loaded(tmp_path / "w.pth", state)


# ---- numbers ----


def test_whole_numbers_and_impossible_sparse_tensors_are_refused(tmp_path, state):
    torch.save({**state, "conv1.weight": (state["conv1.weight"] * 127).to(torch.int8)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"its conv1.weight holds whole numbers \(int8\) without their scale"):
        loaded(tmp_path / "w.pth", state)
    outside = torch.sparse_coo_tensor(torch.tensor([[0], [10**9]]), torch.ones(1), (10, 64), check_invariants=False)
    torch.save({**state, "fc.weight": outside}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"is damaged: its fc.weight is no sparse tensor"):
        loaded(tmp_path / "w.pth", state)
    torch.save({**state, "fc.weight": state["fc.weight"].to_sparse_csr()}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"its fc.weight is a torch.sparse_csr tensor; store dense ones"):
        loaded(tmp_path / "w.pth", state)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["layer1.0.conv1.weight", "bn1.running_var"])
def test_weights_that_are_not_finite_are_refused(tmp_path, state, name, wrong):
    broken = {key: value.clone() for key, value in state.items()}
    broken[name].view(-1)[:2] = wrong
    torch.save(broken, tmp_path / "w.pth")
    with pytest.raises(
        ValueError, match=rf"^{re.escape(name)} of {tmp_path}/w.pth is not finite: 2 of its [\d,]+ numbers"
    ):
        loaded(tmp_path / "w.pth", state)


def test_numbers_of_other_kinds_are_taken_as_plain_ones_and_said(tmp_path, state):
    name = "layer1.0.conv1.weight"
    quantised = torch.quantize_per_tensor(state[name], 0.01, 0, torch.qint8)
    eighth = state["layer1.1.conv1.weight"].to(torch.float8_e4m3fn)
    expected = {
        **state,
        name: quantised.dequantize(),
        "conv1.weight": state["conv1.weight"].half().float(),
        "layer1.1.conv1.weight": eighth.float(),
    }
    torch.save(
        {
            **state,
            name: quantised,
            "fc.weight": state["fc.weight"].to_sparse(),
            "conv1.weight": state["conv1.weight"].half(),
            "layer1.1.conv1.weight": eighth,
            "fc.bias": state["fc.bias"].double(),
        },
        tmp_path / "w.pth",
    )
    assert loaded(tmp_path / "w.pth", expected) == [
        "1 of its tensors are quantised: taken as the numbers that they stand for",
        "1 of its tensors are sparse: taken as dense ones",
        "2 of its tensors are of less than 32 bits: computed with in 32",
    ]
    torch.save({**state, name: state[name].to(torch.complex64)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=f"its {name} has complex numbers"):
        loaded(tmp_path / "w.pth", state)


# ---- the seal of our own files ----


@pytest.mark.parametrize("at", [1000, -200, -5])
def test_a_changed_byte_of_a_checkpoint_of_ours_is_noticed(tmp_path, state, at):
    checkpoint.save(tmp_path, {"model": state, "arch": "resnet20", "config": {}})
    path = tmp_path / "last.pt"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"last.pt is damaged: its checksum is not that of its content"):
        loaded(path, state)


def test_a_checkpoint_of_a_newer_format_is_refused(tmp_path, state):
    newer = {"format": FORMAT + 1, "version": "9.9"}
    checkpoint.save(tmp_path, {"model": state, "arch": "resnet20", "config": {}, **newer})
    said = rf"last.pt was written by cnnbench 9.9 in format {FORMAT + 1}, and cnnbench \S+ reads format {FORMAT}"
    with pytest.raises(ValueError, match=said):
        loaded(tmp_path / "last.pt", state)
