"""Images and switches follow the weights; what the command line says otherwise is kept, and said."""

from __future__ import annotations

import pytest
import torch
from omegaconf import DictConfig

from cnnbench.archs.registry import build
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import compose, composing
from cnnbench.cli.weights_keys import set_keys_of_weights
from cnnbench.runs import checkpoint
from cnnbench.runtime.errors import UserError


def composed(*words: str, command: str = "eval") -> tuple[DictConfig, list[str]]:
    """The config of `words` after its weights have had their say, and what is said of that."""
    with composing(COMMANDS[command]):
        config = compose(COMMANDS[command], [*words])
        return config, set_keys_of_weights(config, [*words])


@pytest.mark.parametrize("command", ["eval", "train", "export"])
def test_images_follow_the_weights(command):
    config, said = composed("arch=resnet50", "weights=torchvision:IMAGENET1K_V2", command=command)
    assert round(224 / config.arch.crop_ratio) == 232
    assert config.weights_from == "torchvision:IMAGENET1K_V2"
    assert said == ["from torchvision:IMAGENET1K_V2: arch.crop_ratio=0.965517 follows from it"]
    config, said = composed("arch=inception_v3", "weights=torchvision", command=command)
    assert (round(299 / config.arch.crop_ratio), config.arch.interpolation) == (342, "bilinear")
    assert said == ["from torchvision:IMAGENET1K_V1: images and switches of the network are expected as they are"]
    config, said = composed("arch=inception_v3", "weights=w.pth", "weights_from=timm:gluon_in1k", command=command)
    assert said[0].startswith("from timm:gluon_in1k: arch.crop_ratio=0.876833, arch.interpolation=bicubic")
    config, said = composed("arch=resnet50", "weights=torchvision", command=command)
    assert said == ["from torchvision:IMAGENET1K_V1: images and switches of the network are expected as they are"]


def test_torchvisions_weights_keep_their_images_under_a_recipe_that_has_others():
    """fb.resnet.torch resamples bicubically, by whose recipe DenseNet trains; torchvision's weights are bilinear."""
    config, _ = composed("arch=densenet121", command="train")
    assert (config.recipe, config.arch.interpolation) == ("fb_resnet", "bicubic")
    config, said = composed("arch=densenet121", "weights=torchvision", command="train")
    assert (config.recipe, config.arch.interpolation) == ("fb_resnet", "bilinear")
    assert said == ["from torchvision:IMAGENET1K_V1: arch.interpolation=bilinear follows from it"]


def test_switches_follow_the_weights():
    config, said = composed("arch=inception_v4", "weights=w.pth", "weights_from=cadene")
    assert config.arch.options.kernel_order == "released"
    assert "arch.options.kernel_order=released" in said[0]


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ([], False),  # TensorFlow's, in which the authors trained it
        (["weights=torchvision"], True),
        (["weights=w.pth", "weights_from=timm:tf_in1k"], True),
        (["weights=w.pth", "weights_from=keras"], False),
        (["weights=w.pth"], True),  # of an unknown publisher: the network's names are torchvision's
        (["weights=w.pth", "arch.options.count_padding=false"], False),
    ],
)
def test_a_fresh_inception_v3_pools_as_its_authors_and_public_weights_as_their_publisher(words, counts):
    config, _ = composed("arch=inception_v3", *words)
    assert config.arch.options.count_padding is counts


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (
            ["arch.mean=[0.4,0.4,0.4]"],
            "arch.mean=[0.4,0.4,0.4] is kept as given; weights of timm:a1_in1k expect [",
        ),
        (["crop_ratio=0.5"], "arch.crop_ratio=0.5 is kept as given; weights of timm:a1_in1k expect 0.953191"),
        (["arch.crop_ratio=0.5"], "arch.crop_ratio=0.5 is kept as given"),
        (
            ["interpolation=bilinear"],
            "arch.interpolation=bilinear is kept as given; weights of timm:a1_in1k",
        ),
        (["image_size=160"], "arch.image_size=160 is kept as given; weights of timm:a1_in1k expect 224"),
    ],
)
def test_a_wish_is_kept_and_said(words, kept):
    config, said = composed("arch=resnet50", "weights=w.pth", "weights_from=timm:a1_in1k", *words)
    assert len(said) == 2
    assert said[1].startswith(kept)
    assert (config.arch.mean == [0.4, 0.4, 0.4]) == (words[0].startswith("arch.mean"))
    assert (config.arch.crop_ratio == 0.5) == ("arch.crop_ratio=0.5" in words)


def test_a_wish_that_is_what_the_weights_expect_is_not_worth_a_word():
    _, said = composed("arch=resnet50", "weights=w.pth", "weights_from=timm:a1_in1k", "interpolation=bicubic")
    assert len(said) == 1


def test_a_file_that_does_not_tell_is_said_not_to(tmp_path):
    torch.save(build("resnet20", 10).state_dict(), tmp_path / "w.pth")
    config, said = composed("arch=resnet20", f"weights={tmp_path}/w.pth")
    assert config.weights_from is None
    assert said[0].startswith("the file does not tell whose they are: images are those of arch=resnet20; weights_from=")
    _, said = composed("arch=resnet20", f"weights=[{tmp_path}/w.pth,{tmp_path}/w.pth]", "weights_from=akamaster")
    assert said[0].startswith("from akamaster: arch.mean=[0.485,0.456,0.406], arch.std=[0.229,0.224,0.225] follow from")


def test_a_file_of_ours_for_another_network_is_said_to_be(tmp_path):
    checkpoint.save(tmp_path, {"model": build("resnet20", 10).state_dict(), "arch": "resnet20", "config": {}})
    _, said = composed("arch=plain20", f"weights={tmp_path}/last.pt")
    assert said[1] == "cnnbench wrote them for resnet20, and here they are of arch=plain20"


def test_a_publisher_that_is_not_known_is_refused():
    with pytest.raises(UserError, match="weights_from=nobody has no weights of resnet50; known of resnet50: "):
        composed("arch=resnet50", "weights=w.pth", "weights_from=nobody")


def test_nothing_is_said_without_weights():
    assert composed("arch=resnet50")[1] == []
    assert composed()[1] == []


def test_each_of_several_networks_has_the_images_of_its_own_weights():
    config, said = composed(
        "+arch@archs.inception_v3=inception_v3", "+arch@archs.resnet50=resnet50", "weights=torchvision", command="probe"
    )
    assert said == [
        "inception_v3: from torchvision:IMAGENET1K_V1: images and switches of the network are expected as they are",
        "resnet50: from torchvision:IMAGENET1K_V1: images and switches of the network are expected as they are",
    ]
    assert (round(299 / config.archs.inception_v3.crop_ratio), config.archs.inception_v3.interpolation) == (
        342,
        "bilinear",
    )
    config, said = composed(
        "+arch@archs.resnet50=resnet50",
        "+arch@archs.vgg16=vgg16",
        "weights=[torchvision:IMAGENET1K_V2,torchvision]",
        command="probe",
    )
    assert said[0] == "resnet50: from torchvision:IMAGENET1K_V2: archs.resnet50.crop_ratio=0.965517 follows from it"
    assert round(224 / config.archs.resnet50.crop_ratio) == 232
    assert config.weights_from is None
