"""Networks of other people's code, with random weights that their code saved, against ours with the files loaded.

    python tools/compare_public_weights.py [WORD ...]

prints a line per network: whose, which, and the largest difference of two logits as a share of the largest logit. With
WORDs only lines that contain one. The packages are keras with h5py (any backend), timm, pretrainedmodels, torch-lucent,
transformers, and a checkout of pycls with yacs and iopath on the path; those that are not installed are left out, and
said. Exit status 1 where a difference is above 1e-5. The networks of repositories for CIFAR are functions written from
their code, tests/support/public_cifar.py.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
os.environ.setdefault("KERAS_BACKEND", "torch")

import public_cifar

from cnnbench.archs.registry import build
from cnnbench.archs.weights.load import load_weights
from cnnbench.archs.weights.publisher import expected_by

BOUND = 1e-5  # of a difference, as a share of the largest logit

Written = tuple[Path, torch.Tensor, torch.Tensor]  # file, images as ours take them, logits of theirs


@dataclass(frozen=True)
class Case:
    """A network of other code. `write`: draws its weights, saves them into a folder and computes. `label`: the
    publisher, as weights_from= names it, where the file does not tell. `told`: whether either of them tells."""

    source: str
    arch: str
    write: Callable[[Path], list[Written]]
    label: str | None = None
    classes: int = 1000
    needs: str = "torch"
    told: bool = True


def difference(case: Case, file: Path, images: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference of two logits, as a share of the largest, with `file` loaded by cnnbench's own means."""
    expected = expected_by(case.arch, str(file), case.label)
    assert (expected is not None) == case.told, f"{case.source} was not recognised by its file"
    start = "arch.options."
    keys = expected.keys if expected is not None else {}
    options = {key.removeprefix(start): value for key, value in keys.items() if key.startswith(start)}
    ours = build(case.arch, case.classes, **options).to(images.dtype).eval()
    load_weights(ours, file, classifier="keep")
    with torch.no_grad():
        off = ((ours(images) - theirs).abs().max() / theirs.abs().max()).item()
    assert math.isfinite(off), f"{case.source}: logits are not finite, so that nothing is compared"
    return off


def draw(network: nn.Module) -> None:
    """Random weights, and statistics of normalisations, that keep the scale of what goes through."""
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if value.dim() > 1:
            value.copy_(torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5)
        elif "running_var" in name:
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            around = 0.8 if name.endswith("weight") else 0.0
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1 + around)


def of_torch(make: Callable[[], nn.Module], size: int, bgr: bool = False) -> Callable[[Path], list[Written]]:
    """`write` of a Case whose network `make` builds. `bgr`: it takes the channels the other way round. Its logits are
    what its last fully connected layer gives."""

    def write(folder: Path) -> list[Written]:
        network, logits = make().eval(), []
        draw(network)
        last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
        last.register_forward_hook(lambda _, __, output: logits.append(output))
        images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            network(images.flip(1) if bgr else images)
        torch.save(network.state_dict(), folder / "w.pth")
        return [(folder / "w.pth", images, logits[0])]

    return write


def of_function(source: public_cifar.Source) -> Callable[[Path], list[Written]]:
    def write(folder: Path) -> list[Written]:
        drawn = public_cifar.Drawn()
        images = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        logits = source.function(drawn, images)
        torch.save(source.saved(drawn.tensors), folder / "w.pth")
        return [(folder / "w.pth", images, logits)]

    return write


def of_keras(name: str, size: int, bgr: bool = False) -> Callable[[Path], list[Written]]:
    """`write` of the network `name` of Keras Applications, in both layouts of its files."""

    def write(folder: Path) -> list[Written]:
        import keras
        import numpy as np

        keras.backend.clear_session()
        network = getattr(keras.applications, name)(
            weights=None, classifier_activation=None, input_shape=(size, size, 3)
        )
        generator = np.random.default_rng(0)
        for variable in network.weights:
            shape, kind = tuple(variable.shape), variable.path.rpartition("/")[2]
            low, high = {"gamma": (0.5, 1.0), "moving_variance": (0.02, 1.5)}.get(kind, (-0.2, 0.2))
            fan_in = np.prod(shape[:2] if kind == "depthwise_kernel" else shape[:-1])
            kernel = kind.endswith("kernel")
            value = generator.normal(0, (2 / fan_in) ** 0.5, shape) if kernel else generator.uniform(low, high, shape)
            variable.assign(value.astype("float32"))
        images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
        seen = (images.flip(1) if bgr else images).permute(0, 2, 3, 1).contiguous().numpy()
        with torch.no_grad():
            logits = torch.as_tensor(np.array(keras.ops.convert_to_numpy(network(seen, training=False))))
        network.save(folder / "w.h5")
        network.save_weights(folder / "w.weights.h5")
        return [(folder / file, images, logits) for file in ("w.h5", "w.weights.h5")]

    return write


@cache
def folder_of(package: str) -> Path:
    """Where `package`, which is installed, lies; asked once, since what module_of leaves in its place does not tell."""
    spec = find_spec(package)
    assert spec is not None
    return Path(next(iter(spec.submodule_search_locations or ())))


def module_of(package: str, *parts: str) -> ModuleType:
    """The module package.parts..., without what the packages above it import, which may not be installed."""
    folder, name = folder_of(package), package
    for part in parts:
        stand_in = sys.modules[name] = ModuleType(name)
        stand_in.__path__ = [str(folder)]
        folder, name = folder / part, f"{name}.{part}"
    return import_module(name)


def torchvision_network(name: str) -> nn.Module:
    from torchvision import models

    own = {"init_weights": False, "transform_input": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, weights=None, **own)


def timm_network(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False)


def pretrained_network(name: str) -> nn.Module:
    return getattr(module_of("pretrainedmodels", "models", name), name)(1000, pretrained=None)


def lucent_network() -> nn.Module:
    return module_of("lucent", "modelzoo", "inceptionv1", "InceptionV1").InceptionV1()


def transformers_network(name: str) -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    return ResNetForImageClassification(ResNetConfig(num_labels=1000, **TRANSFORMERS[name]))


def pycls_network(groups: int, width: int) -> nn.Module:
    config = module_of("pycls", "core", "config").cfg
    config.TRAIN.DATASET = config.TEST.DATASET = "imagenet"
    config.MODEL.NUM_CLASSES, config.MODEL.DEPTH = 1000, 50
    config.RESNET.TRANS_FUN, config.RESNET.STRIDE_1X1 = "bottleneck_transform", False
    config.RESNET.NUM_GROUPS, config.RESNET.WIDTH_PER_GROUP = groups, width
    return module_of("pycls", "models", "resnet").ResNet()


# Our names -> the settings of transformers.
TRANSFORMERS = {
    "resnet18": {"depths": [2, 2, 2, 2], "layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]},
    "resnet50": {"depths": [3, 4, 6, 3], "layer_type": "bottleneck"},
}
# Our names -> groups, and width of each, of pycls.
PYCLS = {"resnet50": (1, 64), "resnext50_32x4d": (32, 4)}
# Names of torchvision -> ours, and the side of the images.
TORCHVISION = {
    "alexnet": ("alexnet_tv", 224), "vgg11": ("vgg11", 224), "vgg16_bn": ("vgg16_bn", 224),
    "resnet18": ("resnet18", 224), "resnet50": ("resnet50", 224), "wide_resnet50_2": ("wide_resnet50_2", 128),
    "resnext50_32x4d": ("resnext50_32x4d", 128), "densenet121": ("densenet121", 128),
    "googlenet": ("googlenet_tv", 224), "inception_v3": ("inception_v3", 299),
}  # fmt: skip
# Names of timm -> ours, the label of its images, and the side.
TIMM = {
    "vgg11": ("vgg11", "timm:tv_in1k", 224), "resnet50": ("resnet50", "timm:a1_in1k", 224),
    "inception_v3": ("inception_v3", "timm:tf_in1k", 299), "inception_v4": ("inception_v4", "timm:tf_in1k", 299),
    "inception_resnet_v2": ("inception_resnet_v2", "timm:tf_in1k", 299),
    "legacy_xception": ("xception", "timm:tf_in1k", 299), "densenet121": ("densenet121", "timm:ra_in1k", 128),
}  # fmt: skip
# Names of pretrained-models.pytorch -> ours, and the side.
PRETRAINED = {
    "bninception": ("bn_inception", 224), "inceptionv4": ("inception_v4", 299),
    "inceptionresnetv2": ("inception_resnet_v2", 299), "xception": ("xception", 299),
}  # fmt: skip
# Names of Keras Applications -> ours, and the side.
KERAS = {
    "VGG16": ("vgg16", 224), "VGG19": ("vgg19", 224), "ResNet50": ("resnet50_v1", 128),
    "ResNet101": ("resnet101_v1", 128), "ResNet152": ("resnet152_v1", 128), "InceptionV3": ("inception_v3", 299),
    "InceptionResNetV2": ("inception_resnet_v2", 299), "Xception": ("xception", 299),
    "DenseNet121": ("densenet121", 128), "DenseNet169": ("densenet169", 128), "DenseNet201": ("densenet201", 128),
}  # fmt: skip
BGR = ("VGG", "ResNet", "bninception")


def cases() -> Iterator[Case]:
    for name, (arch, size) in TORCHVISION.items():
        write = of_torch(partial(torchvision_network, name), size)
        yield Case(f"torchvision {name}", arch, write, "torchvision:IMAGENET1K_V1", needs="torchvision")
    for name, (arch, label, size) in TIMM.items():
        yield Case(f"timm {name}", arch, of_torch(partial(timm_network, name), size), label, needs="timm")
    for name, (arch, size) in PRETRAINED.items():
        write = of_torch(partial(pretrained_network, name), size, name in BGR)
        yield Case(f"pretrainedmodels {name}", arch, write, "cadene", needs="pretrainedmodels")
    yield Case("torch-lucent InceptionV1", "googlenet", of_torch(lucent_network, 224), classes=1008, needs="lucent")
    for name in TRANSFORMERS:
        write = of_torch(partial(transformers_network, name), 128)
        yield Case(f"transformers {name}", name, write, needs="transformers", told=False)
    for name, shape in PYCLS.items():
        yield Case(f"pycls {name}", name, of_torch(partial(pycls_network, *shape), 128, bgr=True), needs="pycls")
    for name, (arch, size) in KERAS.items():
        yield Case(f"Keras {name}", arch, of_keras(name, size, name.startswith(BGR)), needs="keras")
    for source in public_cifar.SOURCES:
        yield Case(f"{source.label} {source.arch}", source.arch, of_function(source), classes=10)


def main(words: list[str]) -> int:
    """Compare what `words` choose; 1 if a difference is above BOUND."""
    wanted = [case for case in cases() if not words or any(word in case.source for word in words)]
    for package in dict.fromkeys(case.needs for case in wanted):
        if find_spec(package) is None:
            print(f"left out: {package} is not installed", file=sys.stderr)
            wanted = [case for case in wanted if case.needs != package]
    print("| source | network | file | largest relative difference |\n|---|---|---|---|")
    worst = 0.0
    for case in wanted:
        with tempfile.TemporaryDirectory() as folder:
            written = case.write(Path(folder))
            off = max(difference(case, *each) for each in written)
        worst = max(worst, off)
        files = ", ".join(file.name.partition(".")[2] for file, _, _ in written)
        print(f"| {case.source} | `{case.arch}` | {files} | {off:.1e} |", flush=True)
    print(f"{len(wanted)} networks, at most {worst:.1e}; torch {torch.__version__}", file=sys.stderr)
    return int(worst > BOUND)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
