"""Public weights: torchvision's, timm's and CIFAR files by their own names, and every file that does not fit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from checks import build_meta
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from cnnbench.archs.classifiers import auxiliary_of, classifier_of
from cnnbench.archs.facts import all_facts
from cnnbench.archs.registry import build, names, options_of
from cnnbench.archs.weights.keymaps.tables import KEYMAPS
from cnnbench.archs.weights.load import load_weights
from cnnbench.archs.weights.torchvision import fetch_weights, published_weights
from cnnbench.runs import checkpoint

pytestmark = pytest.mark.slow

TIMM = json.loads((Path(__file__).parent / "timm_names.json").read_text())  # of timm 1.0

meta = pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")


def thin(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """A state dict of these shapes with a single number behind each tensor."""
    return {key: torch.zeros(1).expand(shape) if shape else torch.tensor(0) for key, shape in shapes.items()}


def shapes_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def theirs(name: str) -> nn.Module:
    with torch.device("meta"):
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(name, **options)


def timm_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """timm's whole state dict from its layers: weights, which of these have biases, widths of normalisations."""
    layers, shapes = TIMM[name], {}
    for layer, shape in layers["weights"].items():
        shapes[f"{layer}.weight"] = tuple(shape)
    for layer in layers["biases"]:
        shapes[f"{layer}.bias"] = tuple(layers["weights"][layer][:1])
    for layer, width in layers["batch_norms"].items():
        shapes |= {f"{layer}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{layer}.num_batches_tracked"] = ()
    return shapes


@pytest.fixture
def file(tmp_path: Path):
    """Save content as a file of weights."""

    def save(content: object, name: str = "w.pth") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


# Our key of each network that torchvision publishes weights of -> its own.
TORCHVISION = {
    entry["key"]: published[0].partition("_Weights")[0].lower()
    for entry in all_facts()
    if (published := published_weights(entry["key"]))
}

# ---- torchvision ----


@meta
@pytest.mark.parametrize("name", TORCHVISION)
def test_every_torchvision_network_loads_as_it_is(file, name):
    path = file(thin(shapes_of(theirs(TORCHVISION[name]))))
    assert load_weights(build_meta(name), path) == []


def test_torchvision_table_is_all_that_torchvision_has():
    models = torchvision.models
    same = {name for name in names() if name in models.list_models(models)}
    assert set(TORCHVISION) == same - {"alexnet", "googlenet"} | {"alexnet_tv", "googlenet_tv"}
    for name, theirs in TORCHVISION.items():
        enum = models.get_model_weights(theirs)
        assert published_weights(name) == [str(weights) for weights in enum if "IMAGENET1K_V" in weights.name]


@pytest.mark.parametrize(("name", "size"), [("resnet18", 64), ("densenet121", 64), ("googlenet_tv", 64)])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_values_arrive(tmp_path, name, size, suffix):
    torch.manual_seed(0)
    options = {"init_weights": False} if name == "googlenet_tv" else {}
    reference = torchvision.models.get_model(TORCHVISION[name], num_classes=10, **options).eval()
    for buffer in reference.buffers():
        if buffer.dim():
            nn.init.uniform_(buffer, 0.5, 1.5)
    save = save_file if suffix == ".safetensors" else torch.save
    save(reference.state_dict(), tmp_path / f"w{suffix}")
    ours = build(name, 10).eval()
    load_weights(ours, tmp_path / f"w{suffix}")
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference(images))


def test_old_densenet_names(file):
    state = build("densenet_bc100_12", 10).state_dict()
    old = {}
    for key, value in state.items():
        if "denselayer" in key:
            for part in ("norm1", "norm2", "conv1", "conv2"):
                key = key.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
        if "num_batches" not in key:
            old[key] = value
    assert "features.denseblock2.denselayer3.norm.1.weight" in old
    model = build("densenet_bc100_12", 10)
    notes = load_weights(model, file(old))
    assert notes == [
        "renamed from torchvision's first names",
        "its batch normalisations have no num_batches_tracked, as before torch 0.4.1: counted from 0",
    ]
    assert_state(model, state)


def assert_state(model: nn.Module, expected: dict[str, torch.Tensor]) -> None:
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=0, msg=key)


def test_torchvision_by_its_enum_from_the_hub_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    cached = tmp_path / "hub/checkpoints" / url.rpartition("/")[2]
    torch.save(thin(shapes_of(theirs("resnet18"))), cached)
    assert fetch_weights("resnet18", "torchvision") == cached
    assert fetch_weights("resnet18", "torchvision:IMAGENET1K_V1") == cached
    with pytest.raises(ValueError, match=r"no weights IMAGENET1K_V9 of resnet18: choose one of IMAGENET1K_V1$"):
        fetch_weights("resnet18", "torchvision:IMAGENET1K_V9")
    with pytest.raises(ValueError, match="no weights of zfnet; it has those of alexnet_tv"):
        fetch_weights("zfnet", "torchvision")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(ValueError, match=r"^cannot fetch https://\S+resnet34\S+: "):
        fetch_weights("resnet34", "torchvision")


# ---- timm ----


@meta
@pytest.mark.parametrize(
    ("name", "timm", "options"),
    [
        ("inception_v4", "inception_v4", {"kernel_order": "released"}),
        ("inception_resnet_v2", "inception_resnet_v2", {}),
        ("xception", "legacy_xception", {}),
    ],
)
def test_timm_inception_files(file, name, timm, options):
    shapes = timm_shapes(timm)
    assert load_weights(build_meta(name, **options), file(thin(shapes))) == []
    assert shapes == shapes_of(build_meta(name, **options))  # in every key: nothing was forgiven


@meta
@pytest.mark.parametrize("name", ["vgg11", "vgg16_bn"])
def test_timm_vgg(file, name):
    shapes = {key: shape for key, shape in shapes_of(theirs(name)).items() if key.startswith("features.")}
    shapes |= {"pre_logits.fc1.weight": (4096, 512, 7, 7), "pre_logits.fc1.bias": (4096,)}
    shapes |= {"pre_logits.fc2.weight": (4096, 4096, 1, 1), "pre_logits.fc2.bias": (4096,)}
    shapes |= {"head.fc.weight": (1000, 4096), "head.fc.bias": (1000,)}
    assert load_weights(build_meta(name), file(thin(shapes))) == ["renamed from timm's names"]


def test_timm_vgg_convolution_is_our_linear_layer(file):
    torch.manual_seed(0)
    model = build("vgg11", 3, image_size=64)
    state = dict(model.state_dict())
    theirs = {key: value for key, value in state.items() if key.startswith("features.")}
    for name, layer, side in (("pre_logits.fc1", "classifier.0", 2), ("pre_logits.fc2", "classifier.3", 1)):
        theirs[f"{name}.weight"] = torch.randn(4096, state[f"{layer}.weight"].shape[1] // side**2, side, side) / 100
        theirs[f"{name}.bias"] = torch.randn(4096)
    theirs |= {f"head.fc.{part}": state[f"classifier.6.{part}"] for part in ("weight", "bias")}
    load_weights(model, file(theirs))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        x = model.features(images)
        for name in ("pre_logits.fc1", "pre_logits.fc2"):
            x = functional.conv2d(x, theirs[f"{name}.weight"], theirs[f"{name}.bias"]).relu()
        x = functional.linear(x.flatten(1), theirs["head.fc.weight"], theirs["head.fc.bias"])
        torch.testing.assert_close(model.eval()(images), x, rtol=1e-4, atol=1e-4)


def test_background_class_is_dropped(file):
    shapes = shapes_of(build_meta("inception_v3", 1001, aux_heads=False))
    weights = thin(shapes)
    weights["fc.weight"] = torch.arange(1001.0)[:, None].expand(1001, 2048)
    weights["fc.bias"] = torch.arange(1001.0)
    model = build_meta("inception_v3", aux_heads=False).to_empty(device="cpu")
    assert load_weights(model, file(weights)) == ["dropped the background, first of the 1001 classes of its fc"]
    assert model.fc.bias.tolist() == list(range(1, 1001))
    assert model.fc.weight[:, 7].tolist() == list(range(1, 1001))


# ---- pycls and transformers ----


def pycls_name(name: str) -> str:
    """Ours as pycls's: stages and blocks from 1, convolutions a, b, c."""
    name = re.sub(r"^(conv1|bn1)\.", lambda found: f"stem.{found[1][:-1]}.", name)
    name = re.sub(r"^fc\.", "head.fc.", name)
    name = re.sub(r"^layer(\d)\.(\d+)\.", lambda found: f"s{found[1]}.b{int(found[2]) + 1}.", name)
    name = re.sub(r"\.downsample\.([01])\.", lambda found: (".proj.", ".bn.")[int(found[1])], name)
    return re.sub(r"\.(conv|bn)(\d)\.", lambda f: f".f.{'abc'[int(f[2]) - 1]}{'_bn' * (f[1] == 'bn')}.", name)


def transformers_name(name: str) -> str:
    """Ours as those of Hugging Face's transformers: everything from 0."""
    name = re.sub(r"^(conv|bn)1\.", r"resnet.embedder.embedder.\1.", name)
    name = re.sub(r"^fc\.", "classifier.1.", name)
    name = re.sub(r"^layer(\d)\.", lambda found: f"resnet.encoder.stages.{int(found[1]) - 1}.layers.", name)
    name = re.sub(r"\.downsample\.([01])\.", lambda found: f".shortcut.{('conv', 'bn')[int(found[1])]}.", name)
    name = re.sub(r"\.(conv|bn)(\d)\.", lambda found: f".layer.{int(found[2]) - 1}.{found[1]}.", name)
    return re.sub(r"\.(conv|bn)\.", lambda f: f".{'convolution' if f[1] == 'conv' else 'normalization'}.", name)


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
@pytest.mark.parametrize(
    ("rename", "notes"),
    [
        (pycls_name, ["renamed from pycls's names; its first convolution takes BGR: turned to RGB"]),
        (transformers_name, ["renamed from transformers' names"]),
    ],
)
def test_names_of_pycls_and_of_transformers(file, arch, rename, notes):
    torch.manual_seed(0)
    source, model = build(arch, 10), build(arch, 10)
    theirs = {rename(name): value for name, value in source.state_dict().items()}
    expected = source.state_dict()
    if rename is pycls_name:
        expected = {**expected, "conv1.weight": expected["conv1.weight"].flip(1)}
    assert load_weights(model, file({"model_state": theirs})) == notes
    assert_state(model, expected)


# ---- CIFAR ----


def pytorch_resnet_cifar10(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The function of that repository's networks: shortcuts with a quarter of the channels in zeros on either side."""

    def conv_norm(x: torch.Tensor, unit: str, i: int, stride: int = 1) -> torch.Tensor:
        x = functional.conv2d(x, weights[f"{unit}conv{i}.weight"], stride=stride, padding=1)
        parts = (weights[f"{unit}bn{i}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *parts)

    x = conv_norm(x, "", 1).relu()
    for stage in (1, 2, 3):
        for block in range(3):
            unit, stride = f"layer{stage}.{block}.", 2 if stage > 1 and block == 0 else 1
            y = conv_norm(conv_norm(x, unit, 1, stride).relu(), unit, 2)
            if stride == 2:
                new = x.shape[1] // 2
                x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, new, new))
            x = (x + y).relu()
    return functional.linear(x.mean((2, 3)), weights["linear.weight"], weights["linear.bias"])


def test_pytorch_resnet_cifar10(file):
    torch.manual_seed(0)
    reference = {}
    for key, value in build("resnet20", 10).state_dict().items():
        if "num_batches" not in key:
            drawn = torch.rand_like(value) + 0.5 if "running_var" in key or "bn" in key else value
            reference[key.replace("fc.", "linear.")] = drawn
    wrapped = {"state_dict": {f"module.{key}": value for key, value in reference.items()}, "best_prec1": 91.7}
    model = build("resnet20", 10).eval()
    notes = load_weights(model, file(wrapped))
    assert notes[0] == "renamed from pytorch_resnet_cifar10's names"
    assert notes[-1].startswith("channels reordered")
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(images), pytorch_resnet_cifar10(reference, images), rtol=1e-4, atol=1e-4)


# ---- wrappers, classifiers, auxiliary heads ----


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict", "model_state", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_and_prefixes(file, wrapper, prefix):
    source, model = build("lenet", 10), build("lenet", 10)
    state = {prefix + key: value for key, value in source.state_dict().items()}
    content = {wrapper: state, "epoch": 3, "optimizer": {"lr": 0.1}} if wrapper else state
    assert load_weights(model, file(content)) == []
    assert_state(model, source.state_dict())


def test_half_precision_file(file):
    source, model = build("lenet", 10), build("lenet", 10)
    load_weights(model, file({key: value.half() for key, value in source.state_dict().items()}))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    torch.testing.assert_close(dict(model.state_dict()), dict(source.state_dict()), atol=1e-3, rtol=1e-3)


def test_a_classifier_for_other_classes_starts_anew(file):
    source, model = build("resnet20", 100), build("resnet20", 10)
    start = model.fc.weight.clone()
    path = file(source.state_dict())
    assert load_weights(model, path) == ["new classifier fc: 100 classes in the file, 10 in the network"]
    assert torch.equal(model.fc.weight, start)
    assert_state(model, {**source.state_dict(), "fc.weight": start, "fc.bias": model.fc.bias})
    with pytest.raises(ValueError, match=r"its classifier fc has 100 classes in the file and 10 in the network$"):
        load_weights(build("resnet20", 10), path, classifier="keep")


OTHERS = "new classifier fc: the file's is of other classes, bag, cat, dog; weights_classifier=keep takes it"
UNKNOWN = "its classifier fc is kept, of classes that it does not name; weights_classifier=new draws one"


@pytest.mark.parametrize(
    ("stated", "classes", "choice", "notes"),
    [
        (("bag", "cat", "dog"), ("bag", "cat", "dog"), "auto", []),
        (("bag", "cat", "dog"), ("bag", "dog", "cat"), "auto", [OTHERS]),
        (("bag", "cat", "dog"), ("bag", "dog", "cat"), "keep", []),
        (("bag", "cat", "dog"), ("bag", "cat", "dog"), "new", ["new classifier fc: by weights_classifier=new"]),
        (None, ("bag", "cat", "dog"), "auto", [UNKNOWN]),
        (None, ("bag", "cat", "dog"), "keep", []),
        (None, (), "auto", []),
    ],
)
def test_a_classifier_of_as_many_classes_is_kept_if_they_are_the_same(file, stated, classes, choice, notes):
    source, model = build("resnet20", 3), build("resnet20", 3)
    start = model.fc.weight.clone()
    about = {"arch": "resnet20", "config": {}, "classes": list(stated)} if stated else {}
    path = file({"model": source.state_dict(), **about})
    assert load_weights(model, path, classifier=choice, classes=classes) == notes
    assert torch.equal(model.fc.weight, start if notes and notes != [UNKNOWN] else source.fc.weight)
    assert torch.equal(model.conv1.weight, source.conv1.weight)


@meta
def test_auxiliary_heads_of_other_classes_start_anew_in_one_line(file):
    path = file(
        {"model": build("googlenet", 3).state_dict(), "arch": "googlenet", "config": {}, "classes": ["a", "b", "c"]}
    )
    (note,) = load_weights(build("googlenet", 3), path, classes=("d", "e", "f"))
    assert note.startswith("new classifier fc, aux1.fc2, aux2.fc2: ")


@meta
def test_classifiers_of_auxiliary_heads_start_anew(file):
    path = file(thin(shapes_of(theirs("inception_v3"))))
    notes = load_weights(build_meta("inception_v3", 7), path)
    assert [note.split(":")[0] for note in notes[:2]] == ["new classifier fc", "new classifier AuxLogits.fc"]


@meta
def test_auxiliary_heads_on_one_side_only(file):
    path = file(thin(shapes_of(theirs("googlenet"))))
    notes = load_weights(build_meta("googlenet_tv", aux_heads=False), path)
    assert notes == [*(f"left out its auxiliary head aux{i}: the network is built without" for i in (1, 2))]
    path = file(thin(shapes_of(build_meta("googlenet_tv", aux_heads=False))))
    notes = load_weights(build_meta("googlenet_tv"), path)
    assert notes == [*(f"it has no auxiliary head aux{i}: the network's is untrained" for i in (1, 2))]


@pytest.mark.parametrize("name", names())
def test_tables_are_of_the_networks(name):
    model = build_meta(name, 77, **({"aux_heads": True} if "aux_heads" in options_of(name) else {}))
    kind, layers = type(model).__name__, dict(model.named_modules())
    wide = {
        key for key, layer in layers.items() if 77 in (vars(layer).get("out_features"), vars(layer).get("out_channels"))
    }
    assert {classifier_of(model), *auxiliary_of(model).values()} == wide
    for naming in KEYMAPS.get(kind, ()):
        assert not [key for key in model.state_dict() for pattern in naming.renames if re.search(pattern, key)]


# ---- files that do not fit ----


@meta
@pytest.mark.parametrize(
    ("name", "other", "options", "sentence"),
    [
        ("resnet18", "resnet34", {}, "it looks like resnet34$"),
        ("resnet18", "resnet50", {}, "it looks like resnet50 or resnet50_v1$"),
        ("vgg16", "vgg16_bn", {}, "it looks like vgg16_bn$"),
        ("vgg16", "vgg19", {"num_classes": 10}, "it looks like vgg19$"),
        ("googlenet", "googlenet_tv", {}, "it looks like googlenet_tv$"),
        ("googlenet", "googlenet_tv", {"aux_heads": False}, "it looks like googlenet_tv$"),
        ("inception_v4", "inception_v4", {"kernel_order": "released"}, "inception_v4 with kernel_order=released$"),
        ("resnet20", "resnet20", {"shortcut": "B"}, "it looks like resnet20 with shortcut=B$"),
        ("lenet", "resnet20", {}, "it looks like resnet20 or plain20$"),
        ("densenet121", "densenet161", {}, "it looks like densenet161$"),
    ],
)
def test_a_misfit_says_which_network_it_looks_like(file, name, other, options, sentence):
    path = file(thin(shapes_of(build_meta(other, **options))))
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} does not fit .*{sentence}"):
        load_weights(build_meta(name), path)


def test_other_misfits(file):
    state = build("lenet", 10).state_dict()
    unknown = {key.replace(".", "_"): value for key, value in state.items()}
    with pytest.raises(ValueError, match=r"and has c1_weight, .* too many; .* of this very network, under names"):
        load_weights(build("lenet", 10), file(unknown))
    with pytest.raises(ValueError, match=r"it looks like none of the networks here$"):
        load_weights(build("lenet", 10), file({"a": torch.zeros(3)}))
    with pytest.raises(ValueError, match=r"c1\.weight is \(6, 3, 5, 5\) in the file and \(6, 1, 5, 5\) in the network"):
        load_weights(build("lenet", 10, in_channels=1), file(state))
    lacking = {key: value for key, value in state.items() if key != "c1.bias"}
    model = build("lenet", 10)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"does not fit LeNet: it lacks c1\.bias; "):
        load_weights(model, file(lacking))
    assert_state(model, before)
    own = {"model": state, "arch": "lenet", "config": {}}
    with pytest.raises(ValueError, match=r"; cnnbench wrote it for lenet$"):
        load_weights(build_meta("resnet18"), file(own))


class Harmful:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_pickle_is_executed(tmp_path, zipped):
    trap = tmp_path / "trap"
    torch.save({"weight": Harmful(trap)}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"^\S+w.pth holds Python objects \(posix.mkdir\), not only tensors, and "):
        load_weights(build("lenet"), tmp_path / "w.pth")
    assert not trap.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_whole_network_that_was_pickled_is_read_as_its_tensors(tmp_path, zipped, wrapped):
    source, model = build("resnet20", 10), build("resnet20", 10)
    whole = nn.DataParallel(source) if wrapped else source
    torch.save({"net": whole, "acc": 91.0}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert load_weights(model, tmp_path / "w.pth") == ["names without their prefix net."]
    assert_state(model, source.state_dict())


@pytest.mark.parametrize("keep", [0, 10, 100, -100])
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_a_truncated_file(tmp_path, form, keep):
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    state = build("lenet").state_dict()
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"^\S+ cannot be read as weights") as caught:
        load_weights(build("lenet"), path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1, 2], "holds no state dict"),
        ({"a": 1}, "holds no state dict"),
        ({"model": {"a": "text"}}, "holds no state dict"),
        ({}, "holds an empty state dict"),
    ],
)
def test_a_file_without_a_state_dict(file, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_weights(build("lenet"), file(content))


def test_no_file(tmp_path):
    for name in ("w.pth", "w.safetensors"):
        with pytest.raises(ValueError, match=f"^there is no weights file {tmp_path}/{name}$"):
            load_weights(build("lenet"), tmp_path / name)


# ---- ours elsewhere ----


def test_a_checkpoint_of_cnnbench_loads_into_plain_torch(tmp_path):
    model = build("resnet18", 10)
    record = {"model": model.state_dict(), "arch": "resnet18", "classes": ["a"] * 10, "config": {"seed": 0}}
    checkpoint.save(tmp_path, record)
    plain = torchvision.models.resnet18(num_classes=10)
    plain.load_state_dict(torch.load(tmp_path / "last.pt", weights_only=True)["model"])
    assert_state(plain, model.state_dict())
    assert load_weights(build("resnet18", 10), tmp_path / "last.pt") == []


def test_the_registry_imports_torch_only_when_asked():
    script = "import sys; from cnnbench.archs.registry import build; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
