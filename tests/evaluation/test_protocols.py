"""Every protocol against a slow, obvious implementation; whatever the number of processes, the same predictions."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from composing import composed
from photos import mosaic
from PIL import Image
from torchvision.transforms import v2

from cnnbench.archs import registry
from cnnbench.archs.fully_convolutional import FullyConvolutional
from cnnbench.archs.registry import build
from cnnbench.config.arch import ArchConfig
from cnnbench.config.checks.evaluate import check_eval
from cnnbench.config.data import DataConfig
from cnnbench.config.evaluate import EvalConfig
from cnnbench.config.protocols import PROTOCOLS, protocol_in_words, short_sides
from cnnbench.config.weights import WeightsChoice
from cnnbench.data.decode.picture import from_pixels
from cnnbench.data.decode.region import resized, scaled
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.transform import CropsTransform
from cnnbench.evaluation.command import predictions_by
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members, split_and_targets
from cnnbench.evaluation.member import member_networks
from cnnbench.runs.trained_model import TrainedModel
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError

pytestmark = pytest.mark.slow

SIZE, CLASSES = 32, 7
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
ARCH = ArchConfig(
    name="lenet",
    image_size=SIZE,
    smallest_image=16,
    sample_image_size=SIZE,
    crop_ratio=0.8,
    interpolation="bilinear",
    mean=MEAN,
    std=STD,
)


def test_scales_are_the_papers_at_224_and_in_proportion_elsewhere():
    assert short_sides(PROTOCOLS["ten_crop"], 224, 0.875, []) == [256]
    assert short_sides(PROTOCOLS["crops144"], 224, 0.875, []) == [256, 288, 320, 352]
    assert short_sides(PROTOCOLS["crops144"], 112, 1.0, []) == [128, 144, 160, 176]
    assert short_sides(PROTOCOLS["multiscale_dense"], 224, 0.875, []) == [256, 384, 512]
    assert short_sides(PROTOCOLS["multiscale_dense_resnet"], 224, 0.875, []) == [224, 256, 384, 480, 640]
    assert short_sides(PROTOCOLS["dense"], 224, 0.875, [384]) == [384]


def test_words():
    words = protocol_in_words(PROTOCOLS["center"], 224, [256], 0.875, "bilinear")
    assert words == "one centre crop of 224 from short side 256, bilinear, antialiased"
    words = protocol_in_words(PROTOCOLS["ten_crop_square"], 224, [256], 0.875, "bicubic")
    assert words == (
        "of the central square the four corner crops and the centre crop of 224 from short side 256, bicubic, "
        "antialiased, each also mirrored, probabilities averaged"
    )
    words = protocol_in_words(PROTOCOLS["inception"], 299, [342], 0.875, "bicubic")
    assert words == "one crop, the centre of both sides: 0.875 of each, resized to 299 x 299, bilinear, not antialiased"
    words = protocol_in_words(PROTOCOLS["inception"], 32, [28], 1.143, "bicubic")  # a field is for centre crops
    assert words == "one crop, the centre of both sides: 1 of each, resized to 32 x 32, bilinear, not antialiased"


def photo(width: int, height: int, seed: int) -> np.ndarray:
    """A picture with detail at several sizes, uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    layers = [
        Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8)).resize((width, height), Image.BICUBIC)
        for side in (3, 8, 20)
    ]
    return np.mean([np.asarray(layer) for layer in layers], 0).astype(np.uint8)


def googlenet_by_pillow(image: Image.Image, size: int, scales: list[int]) -> list[Image.Image]:
    """The 72 crops as the paper says them: scale after scale, square after square."""
    found = []
    for scale in scales:
        whole = v2.Resize(scale)(image)
        across, down = whole.width > whole.height, whole.width < whole.height
        extra = abs(whole.width - whole.height)
        for offset in (0, round(extra / 2), extra):
            left, top = offset * across, offset * down
            square = whole.crop((left, top, left + scale, top + scale))
            found += [*v2.FiveCrop(size)(square), square.resize((size, size), Image.BILINEAR)]
    return found


def alexnet_by_pillow(image: Image.Image, size: int, short: int) -> list[Image.Image]:
    """Krizhevsky et al. 2012: the shorter side rescaled, "the central 256x256 patch" cut out of it (section 2), of that
    "the four corner patches and the center patch" (section 4.1)."""
    longer = int(short * max(image.size) / min(image.size))
    across, down = (longer, short) if image.width > image.height else (short, longer)
    left, top = round((across - short) / 2), round((down - short) / 2)
    patch = image.resize((across, down), Image.BILINEAR).crop((left, top, left + short, top + short))
    end, middle = short - size, round((short - size) / 2)
    corners = [(0, 0), (end, 0), (0, end), (end, end), (middle, middle)]
    return [patch.crop((x, y, x + size, y + size)) for x, y in corners]


@pytest.mark.parametrize("shape", [(301, 203), (150, 260)])
def test_crops_are_pillows_and_torchvisions(sample, shape):
    image, size = mosaic(sample, *shape), 112
    pixels = np.asarray(image)
    for crops, scales, expected in (
        ("corners", [128], v2.FiveCrop(size)(v2.Resize(128)(image))),
        ("square_corners", [128], alexnet_by_pillow(image, size, 128)),
        ("squares", [128, 144, 160, 176], googlenet_by_pillow(image, size, [128, 144, 160, 176])),
    ):
        transform = CropsTransform(ARCH, size, crops, tuple(scales))
        slot = np.zeros((transform.views, size, size, 3), np.uint8)
        transform(from_pixels(pixels), 0, 0, slot, np.zeros(0))
        assert transform.views == len(expected) == {"squares": 72}.get(crops, 5)
        for view, wanted in zip(slot, expected, strict=True):  # each resizing rounds, Pillow's between its two passes
            difference = np.abs(view.astype(int) - np.asarray(wanted))
            assert difference.max() <= 2
            assert difference.mean() < 0.4


class Memory:
    """Pictures of several shapes, one of them broken; as a storage."""

    form = "pixels"
    pictures = tuple(
        photo(*shape, 1) for shape in ((40, 40), (57, 40), (40, 71), (90, 61), (33, 47), (200, 50), (64, 64))
    )

    def __len__(self) -> int:
        return len(self.pictures) + 1

    def read(self, number: int) -> np.ndarray:
        if number == 3:
            raise UserError("picture 3 is broken")
        return self.pictures[number - (number > 3)]

    def name(self, number: int) -> str:
        return f"class/{number}.png"


SPLIT = Split(tuple("abcdefg"), np.arange(8) % CLASSES, np.arange(8), Memory())


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> list[Path]:
    """Two networks with weights so large that they have opinions."""
    folder = tmp_path_factory.mktemp("networks")
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = build("lenet", CLASSES, image_size=SIZE)
        network.output.weight.data *= 4
        torch.save(network.state_dict(), folder / f"{seed}.pt")
    return [folder / "0.pt", folder / "1.pt"]


def member(file: Path, **keys) -> EnsembleMember:
    settings = EvalConfig(
        **{**dict(arch=ARCH, data=DataConfig(path="none", workers=0), image_size=SIZE, precision="float32"), **keys}
    )
    return EnsembleMember(TrainedModel("lenet", ARCH, WeightsChoice(str(file)), None, None), ARCH, settings)


def predictions(group: list[EnsembleMember], rank: int = 0, world: int = 1) -> dict[str, np.ndarray]:
    targets = SPLIT.labels[:, None]
    networks = member_networks(group, CLASSES, torch.device("cpu"))
    return vars(predictions_by(networks, SPLIT, targets, Process(rank, world), torch.device("cpu")))


def network(file: Path) -> torch.nn.Module:
    model = build("lenet", CLASSES, image_size=SIZE).eval()
    model.load_state_dict(torch.load(file, weights_only=True))
    return model


WHOLE = {"dense": [40], "multiscale_dense": [37, 55, 73], "multiscale_dense_resnet": [32, 37, 55, 69, 91]}


def slowly(model: torch.nn.Module, pixels: np.ndarray, protocol: str) -> np.ndarray:
    """Probabilities (classes,) by the words of the protocol, a view at a time."""
    if protocol in WHOLE:
        views, answer = [at(pixels, short) for short in WHOLE[protocol]], windows
    elif protocol == "crops144":
        views, answer = views144(pixels), logits
    elif protocol == "inception":
        return logits(model, both_sides(pixels)).softmax(0).numpy()
    else:
        views, answer = crops(pixels, protocol), logits
    sides = [side for view in views for side in (view, view[:, ::-1])[: 1 + (protocol != "center")]]
    return torch.stack([answer(model, side) for side in sides]).softmax(1).mean(0).numpy()


def logits(model: torch.nn.Module, view: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(view.copy()).permute(2, 0, 1).float() / 255
    x = ((x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1))[None]
    return model(x)[0]


def windows(model: torch.nn.Module, view: np.ndarray) -> torch.Tensor:
    """Mean logits over each place where the network, which halves its maps twice, fits."""
    height, width = view.shape[:2]
    corners = itertools.product(range(0, height - SIZE + 1, 4), range(0, width - SIZE + 1, 4))
    return torch.stack([logits(model, view[top : top + SIZE, left : left + SIZE]) for top, left in corners]).mean(0)


def at(pixels: np.ndarray, short: int) -> np.ndarray:
    return resized(pixels, *scaled(pixels.shape[1], pixels.shape[0], short), ARCH.interpolation)


def views144(pixels: np.ndarray) -> list[np.ndarray]:
    """Of four scales the squares at both ends and in the middle, of each five crops and itself, not mirrored yet."""
    views = []
    for short in (37, 41, 46, 50):
        image = at(pixels, short)
        spare = [image.shape[1] - short, image.shape[0] - short]
        for part in (0, 0.5, 1):
            left, top = (round(length * part) for length in spare)
            square = Image.fromarray(image[top : top + short, left : left + short])
            views += [np.asarray(view) for view in v2.FiveCrop(SIZE)(square)]
            views.append(resized(np.asarray(square), SIZE, SIZE, ARCH.interpolation))
    assert len(views) * 2 == 144
    return views


def both_sides(pixels: np.ndarray) -> np.ndarray:
    """The centre of both sides, squashed by the colours between pixels."""
    height, width = pixels.shape[:2]
    top, left = int(height * 0.1), int(width * 0.1)  # of both ends: crop_ratio is 0.8
    down, across = (height - 2 * top) / SIZE, (width - 2 * left) / SIZE
    center = pixels[top : height - top, left : width - left]
    return np.round([[between(center, row * down, column * across) for column in range(SIZE)] for row in range(SIZE)])


def between(pixels: np.ndarray, row: float, column: float) -> np.ndarray:
    """The colour of `pixels` at a place between four of them, which beyond the last are repeated."""
    height, width = pixels.shape[:2]
    found = np.zeros(3)
    for y, x in itertools.product((int(row), int(row) + 1), (int(column), int(column) + 1)):
        share = (1 - abs(row - y)) * (1 - abs(column - x))
        found += share * pixels[min(y, height - 1), min(x, width - 1)]
    return found


def crops(pixels: np.ndarray, protocol: str) -> list[np.ndarray]:
    """Corners and centre, or the centre alone. Not TenCrop: it mirrors the image, not the crops, which shifts the
    central one where a margin is odd."""
    image = Image.fromarray(at(pixels, 40))
    if protocol == "ten_crop_square":
        left, top = round((image.width - 40) / 2), round((image.height - 40) / 2)
        image = image.crop((left, top, left + 40, top + 40))
    views = [np.asarray(view) for view in v2.FiveCrop(SIZE)(image)]
    return views if protocol.startswith("ten_crop") else views[4:]


VIEWS = [name for name, protocol in PROTOCOLS.items() if not protocol.draws]  # test_sampled_dropout.py has the other


@pytest.mark.parametrize("protocol", VIEWS)
@torch.inference_mode()
def test_a_protocol_is_what_its_words_say(networks, protocol):
    got = predictions([member(networks[0], protocol=protocol)])
    assert got["broken"].tolist() == [number == 3 for number in range(8)]
    assert got["rank"][3] == CLASSES
    model = network(networks[0])
    for place in (0, 1, 2, 4, 5) if "dense" in protocol else (0, 1, 2, 4, 5, 6, 7):
        expected = slowly(model, SPLIT.read(place), protocol)
        order = np.argsort(-expected)
        assert got["first"][place].tolist() == order[:5].tolist()
        np.testing.assert_allclose(got["probability"][place], expected[order[:5]], atol=2e-6)
        assert got["rank"][place] == np.flatnonzero(order == SPLIT.labels[place])
        assert got["loss"][place] == pytest.approx(-np.log(expected[SPLIT.labels[place]]), abs=1e-4)


def test_inception_has_its_own_share_but_what_is_asked_for(networks):
    asked = dict(arch=ARCH, weights=str(networks[0]), data=DataConfig(path="sample"), image_size=SIZE)
    for keys, ratio in (
        ({}, 0.8),
        ({"protocol": "inception"}, 0.875),
        ({"protocol": "inception", "crop_ratio": 1.0}, 1.0),
    ):
        [one] = ensemble_members(EvalConfig(**asked, **keys))
        assert one.arch.crop_ratio == ratio
        assert (f": {ratio:g} of each" in one.protocol) == ("protocol" in keys)


def test_protocols_differ(networks):
    """Else the test above would hold for one that does nothing."""
    seen = [predictions([member(networks[0], protocol=name)])["loss"].tolist() for name in VIEWS]
    assert len({tuple(np.round(loss, 5)) for loss in seen}) == len(VIEWS)


@pytest.mark.parametrize("protocol", ["center", "ten_crop", "multiscale_dense"])
def test_three_processes_find_what_one_finds(networks, protocol):
    """8 images, of which the processes get 3, 3 and 2, in batches of one to three images."""
    expected = predictions([member(networks[0], protocol=protocol)])
    parts = [predictions([member(networks[0], protocol=protocol, batch=13)], rank, 3) for rank in range(3)]
    assert sorted(np.concatenate([part["index"] for part in parts])) == list(range(8))
    for part in parts:
        for name in ("rank", "first", "broken"):
            assert np.array_equal(part[name], expected[name][part["index"]])
    more = predictions([member(networks[0], protocol=protocol)], 9, 10)  # a process without images
    assert len(more["index"]) == len(more["rank"]) == 0


def test_an_ensemble_averages_probabilities(networks):
    """Networks with preprocessing of their own, each under its protocol."""
    other = dataclasses.replace(ARCH, crop_ratio=1.0, mean=[0.0] * 3)
    group = [member(networks[0], protocol="ten_crop"), member(networks[1], protocol="ten_crop", arch=other)]
    alone = [predictions([one]) for one in group]
    mean = np.mean([table(one) for one in alone], 0)
    got = table(predictions(group))
    seen = np.isfinite(got)
    assert seen[3].sum() == 5
    checked = seen & np.isfinite(mean)
    assert checked.sum() > 20
    np.testing.assert_allclose(got[checked], mean[checked], atol=2e-6)
    assert not np.allclose(table(alone[0])[checked], got[checked], atol=1e-3)


def table(found: dict[str, np.ndarray]) -> np.ndarray:
    """(images, classes): the probabilities of the first five, else nan."""
    values = np.full((8, CLASSES), np.nan)
    np.put_along_axis(values, found["first"], found["probability"], 1)
    return values


@torch.inference_mode()
def test_a_classifier_on_a_map_is_the_classifier_at_each_place():
    model = build("vgg11", 3, image_size=64).eval()
    features = model.features(torch.rand(2, 3, 128, 96))
    assert features.shape[2:] == (4, 3)
    places = [
        model.classifier(features[:, :, top : top + 2, left : left + 2].flatten(1))
        for top in range(3)
        for left in (0, 1)
    ]
    torch.manual_seed(0)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(FullyConvolutional(model)(images), model(images), rtol=1e-4, atol=1e-5)
    model.features = torch.nn.Identity()
    torch.testing.assert_close(FullyConvolutional(model)(features), torch.stack(places).mean(0), rtol=1e-4, atol=1e-5)


def test_every_network_can_be_run_on_whole_images_but_those_named():
    for name in {network: name for name, (network, _) in registry.networks().items()}.values():  # one of each class
        with torch.device("meta"):
            network = build(name, 5).eval()
            adaptive = any(
                "ux" not in part and isinstance(layer, torch.nn.AdaptiveAvgPool2d)
                for part, layer in network.named_modules()
            )
            refused = composed(f"arch={name}", "recipe=simple90").arch.not_whole is not None
            assert adaptive == refused, name
            if not adaptive:
                assert FullyConvolutional(network)(torch.empty(1, 3, 400, 333)).shape == (1, 5)


REFUSED = [
    (
        dict(protocol="dense", arch=dataclasses.replace(ARCH, name="alexnet_tv", not_whole="its pooling")),
        "protocol=dense cannot be done with alexnet_tv: its pooling; use protocol=ten_crop",
    ),
    (dict(protocol="flip", scales=[40]), "scales=[40] does nothing with protocol=flip: set crop_ratio"),
    (dict(protocol="inception", scales=[40]), "scales=[40] does nothing with protocol=inception: set crop_ratio"),
    (
        dict(protocol="inception", interpolation="bicubic"),
        "interpolation=bicubic does nothing with protocol=inception, which is bilinear without antialiasing: leave it",
    ),
    (dict(protocol="ten_crop", scales=[40, 31]), "scales=31 is out of range: it must be at least 32"),
    (dict(protocol="denses"), "did you mean dense"),
    (dict(crop_ratio=2.5), "crop_ratio=2.5 is out of range"),
    (dict(interpolation="nearest"), "choose one of bilinear, bicubic"),
    (dict(labels="nowhere.txt"), "labels=nowhere.txt: there is no such file"),
    (dict(exclude="nowhere.txt"), "exclude=nowhere.txt: there is no such file"),
    (dict(weights=["nowhere.pt", "nowhere.pt"]), "weights=nowhere.pt: there is no such file"),
    (dict(runs=["a", "b"]), "exclude each other"),
    (dict(runs=["a", "a"], arch=None, weights=None), "runs names a twice"),
    (dict(runs=["a"], run="b", arch=None, weights=None), "run= and runs= exclude each other"),
    (dict(weights=[]), "nothing to evaluate"),
]


@pytest.mark.parametrize(("keys", "sentence"), REFUSED)
def test_what_cannot_be_done_is_refused(networks, keys, sentence):
    whole = dict(arch=ARCH, weights=str(networks[0]), data=DataConfig(path="sample"), image_size=SIZE)
    check_eval(EvalConfig(**whole))
    with pytest.raises(UserError) as refusal:
        check_eval(EvalConfig(**{**whole, **keys}))
    assert sentence in str(refusal.value)


def test_the_folders_of_imagenet_v2_are_class_numbers(sample, tmp_path):
    """'10' comes before '2' in a listing; with a network of ILSVRC's classes it is still class 10."""
    image = next((sample / "val").rglob("*.png")).read_bytes()
    for number in range(1000):
        folder = tmp_path / "val" / str(number)
        folder.mkdir(parents=True)
        (folder / "image.png").write_bytes(image)
    split, targets = split_and_targets(member(tmp_path, data=DataConfig(path=str(tmp_path))))
    assert [int(Path(split.name(row)).parent.name) for row in range(1000)] == targets[:, 0].tolist()
    assert split.classes[10] == "n01530575"


def test_the_command(command, tmp_path, small_data):
    """An ensemble in three real processes, with all its files; the figures of the files fit each other."""
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(build("lenet", 3, image_size=32).state_dict(), tmp_path / f"{seed}.pt")
    done = command(
        "eval", "arch=lenet", "weights=[0.pt,1.pt]", f"data={small_data}", "image_size=32", "crop_ratio=0.9",
        "batch=50", "protocol=ten_crop", "processes=3", "data.workers=1", "output=result.json", "details=details",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert "2 networks, probabilities averaged" in done.stdout
    assert "four corner crops and the centre crop of 32 from short side 36" in result["protocol_in_words"]
    assert (result["n"], result["data_form"], result["wrong_top5"]) == (23, "files", 0)
    lines = {
        name: [line.split(",") for line in (tmp_path / "details" / name).read_text().splitlines()]
        for name in ("per_class.csv", "confusion.csv", "predictions.csv")
    }
    matrix = np.array([line[1:] for line in lines["confusion.csv"][1:]], int)
    assert matrix.sum(1).tolist() == [8, 8, 7]
    assert matrix.sum() - matrix.trace() == result["wrong_top1"]
    assert sum(int(line[3]) for line in lines["per_class.csv"][1:]) == result["wrong_top1"]
    assert sum(line[2] != "0" for line in lines["predictions.csv"][1:]) == result["wrong_top1"]
    assert [line[1] for line in lines["predictions.csv"][1:]] == ["bag"] * 8 + ["sandal"] * 8 + ["trouser"] * 7
    for name in ("confusion.png", "mistakes.png"):
        with Image.open(tmp_path / "details" / name) as picture:
            assert min(picture.size) > 100
