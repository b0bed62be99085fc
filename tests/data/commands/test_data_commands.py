"""data check, stats and show, on trees with one broken or odd file of each kind."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AugmentConfig, CropConfig, FlipConfig
from cnnbench.config.data import DataConfig, SourceConfig
from cnnbench.config.data_commands import CheckConfig, ShowConfig, StatsConfig
from cnnbench.data.commands import fenced, findings
from cnnbench.data.commands.check import check
from cnnbench.data.commands.findings import PROBLEMS, REMARKS, Checked, find_duplicates, wrong_counts
from cnnbench.data.commands.inspection import inspect_file
from cnnbench.data.commands.show import show
from cnnbench.data.commands.stats import image_sums, mean_and_std
from cnnbench.data.decode.reference import evaluation_image
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.files import Files, pack_names
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.parallel import map_images

pytestmark = pytest.mark.usefixtures("cache")  # check notes there how far it is


def image_file(seed: int = 0, mode: str = "RGB", kind: str = "JPEG", size: tuple[int, int] = (40, 30), **keys) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    image, content = Image.fromarray(pixels).resize(size, Image.BICUBIC), io.BytesIO()
    image = (
        Image.fromarray(np.asarray(image)[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    )
    image.save(content, kind, **keys)
    return content.getvalue()


def rotated(seed: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return image_file(seed, exif=exif)


def bomb() -> bytes:
    """A PNG file of few bytes that says it has 20000 x 20000 pixels."""
    content = image_file(1, kind="PNG")
    header = struct.pack(">4sIIBBBBB", b"IHDR", 20000, 20000, 8, 2, 0, 0, 0)
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def scratched(seed: int) -> bytes:
    """A JPEG file with zeros in the middle of its picture: it decodes, with a warning that Pillow does not pass on."""
    content = image_file(seed, size=(200, 200))
    middle = len(content) // 2
    return content[:middle] + bytes(100) + content[middle + 100 :]


# File -> kind and content, in a class folder where everything else is as it should be.
ODD_FILES = {
    "empty.JPEG": ("empty", b""),
    "text.JPEG": ("corrupt", b"no image at all"),
    "cut.JPEG": ("corrupt", image_file(2)[:500]),
    "cut_header.JPEG": ("corrupt", image_file(2)[:40]),
    "scratched.JPEG": ("damaged", scratched(3)),
    "bomb.png": ("huge", bomb()),
    "thin.png": ("thin", image_file(4, kind="PNG", size=(1, 30))),
    "n01443537_7.JPEG": ("misplaced", image_file(5)),
    "grey.JPEG": ("grey", image_file(6, "L")),
    "cmyk.JPEG": ("cmyk", image_file(7, "CMYK")),
    "deep.png": ("deep", image_file(8, "I;16", "PNG")),
    "palette.png": ("palette", image_file(9, "P", "PNG")),
    "rotated.JPEG": ("rotated", rotated(10)),
    "png.JPEG": ("wrong_type", image_file(11, kind="PNG")),
}


def tree(root: Path) -> Path:
    """Two classes, clean."""
    for number, place in enumerate(("train/n01440764", "train/n01443537", "val/n01440764", "val/n01443537")):
        (root / place).mkdir(parents=True)
        (root / place / "ILSVRC_1.JPEG").write_bytes(image_file(100 + number))
        (root / place / f"{place[-9:]}_2.JPEG").write_bytes(image_file(200 + number))
    return root


def checked(root: Path, workers: int = 0) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit status of a check, and by kind what was found: file or class, and detail."""
    report, status = root.parent / "report.json", 0
    try:
        check(CheckConfig(data=SourceConfig(path=str(root)), report=str(report), workers=workers))
    except SystemExit as left:
        status = left.code
    content = json.loads(report.read_text())
    found = content["problems"] | content["remarks"]
    return status, {kind: {os.path.basename(i["name"]): i["detail"] for i in items} for kind, items in found.items()}


def test_a_clean_tree_has_nothing(tmp_path, capsys):
    assert checked(tree(tmp_path / "data")) == (0, {})
    out = capsys.readouterr().out
    assert "no problems" in out
    assert "2 (WordNet ids, not all of ILSVRC's), 2 to 2 images in each" in out
    report = json.loads((tmp_path / "report.json").read_text())
    for measures in (split["percentiles"] for split in report["splits"].values()):
        assert all([*values] == ["0", "5", "25", "50", "75", "95", "100"] for values in measures.values())


@pytest.mark.parametrize("workers", [0, 2])
def test_each_kind_of_broken_and_odd_file_is_found_and_nothing_else(tmp_path, workers):
    root = tree(tmp_path / "data")
    for name, (_, content) in ODD_FILES.items():
        (root / "train/n01440764" / name).write_bytes(content)
    status, found = checked(root, workers)
    assert status == 1
    expected: dict[str, set[str]] = {}
    for name, (kind, _) in ODD_FILES.items():
        expected.setdefault(kind, set()).add(name)
    assert {kind: set(items) for kind, items in found.items()} == expected
    assert found["misplaced"]["n01443537_7.JPEG"] == "it lies in n01440764"
    assert found["wrong_type"]["png.JPEG"] == "PNG behind .jpeg"


def test_odd_files_alone_are_no_problem(tmp_path):
    root = tree(tmp_path / "data")
    for name, (kind, content) in ODD_FILES.items():
        if kind in REMARKS:
            (root / "train/n01440764" / name).write_bytes(content)
    status, found = checked(root)
    assert status == 0
    assert set(found) == {"grey", "cmyk", "deep", "palette", "rotated", "wrong_type"}


def test_duplicates_and_classes_of_one_split(tmp_path):
    root = tree(tmp_path / "data")
    first = (root / "train/n01440764/ILSVRC_1.JPEG").read_bytes()
    (root / "train/n01440764/again.JPEG").write_bytes(first)
    (root / "train/n01443537/other.JPEG").write_bytes(first)
    (root / "val/n01443537/both.JPEG").write_bytes(first)
    (root / "val/extra").mkdir()
    (root / "val/extra/a.JPEG").write_bytes(image_file(50))
    (root / "train/none").mkdir()
    status, found = checked(root)
    assert status == 1
    assert {kind: list(items) for kind, items in found.items()} == {
        "same": ["again.JPEG"],
        "same_in_classes": ["other.JPEG"],
        "same_in_splits": ["both.JPEG"],
        "classes": ["extra"],
        "counts": ["train, none"],
    }
    assert found["same_in_splits"]["both.JPEG"].endswith("train/n01440764/ILSVRC_1.JPEG")


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    root = tree(tmp_path / "data")
    (root / "train/n01440764/gone.JPEG").symlink_to(tmp_path / "nowhere")
    status, found = checked(root)
    assert status == 1
    assert "No such file" in found["unreadable"]["gone.JPEG"]


def ilsvrc(counts: list[int]) -> Split:
    names = tuple(f"n{number:08d}" for number in range(1000))
    labels = np.repeat(np.arange(1000), counts)
    return Split(names, labels, np.arange(len(labels)), Files("", pack_names(["x"])))


def test_numbers_are_compared_with_those_of_ilsvrc():
    assert wrong_counts("val", ilsvrc([50] * 1000)) == []
    assert wrong_counts("val", ilsvrc([50] * 999 + [49])) == [
        ("val, n00000999", "49 images, not 50 to 50"),
        ("val, all", "49,999 images, not ILSVRC's 50,000"),
    ]
    counts = [1300] * 895 + [732] + [1124] * 103 + [1163]
    assert wrong_counts("train", ilsvrc(counts)) == []
    counts[0], counts[1] = 1301, 1299
    assert wrong_counts("train", ilsvrc(counts)) == [("train, n00000000", "1,301 images, not 732 to 1300")]


def test_many_digests_are_grouped_right():
    draw, count = np.random.default_rng(0), 3000
    digests = draw.integers(0, 40, (count, 2)).astype(np.uint64)
    labels = draw.integers(0, 2, count)
    split = Split(("a", "b"), labels, np.arange(count), Files("", pack_names([str(i) for i in range(count)])))
    found = {kind: [] for kind in [*PROBLEMS, *REMARKS]}
    find_duplicates({"train": Checked(split, digests, *[np.zeros(count)] * 3)}, found)
    first: dict[tuple, int] = {}
    expected = {"same": [], "same_in_classes": []}
    for index, digest in enumerate(map(tuple, digests.tolist())):
        earlier = first.setdefault(digest, index)
        if earlier != index and any(digest):
            kind = "same" if labels[earlier] == labels[index] else "same_in_classes"
            expected[kind].append((str(index), f"the same as {earlier}"))
    assert {kind: items for kind, items in found.items() if items} == expected


def test_damaged_bytes_never_raise():
    whole, draw = image_file(1, size=(80, 60)), random.Random(0)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(draw.randrange(1, 30)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        finding = inspect_file(bytes(content[: draw.randrange(len(content) + 1)]), "a.JPEG")
        assert len(finding.digest) == 16


def test_an_interrupted_check_goes_on_and_looks_again_at_what_changed(tmp_path, cache, monkeypatch):
    root = tree(tmp_path / "data")
    for name in ("a.JPEG", "b.JPEG", "z.JPEG"):
        (root / "train/n01440764" / name).write_bytes(b"")
    looked: list[str] = []
    inspect = findings.inspect_file

    def stopping(content: bytes, name: str, megapixels: float):
        looked.append(os.path.basename(name))
        if name.endswith("z.JPEG") and len(looked) < 8:
            raise KeyboardInterrupt
        return inspect(content, name, megapixels)

    monkeypatch.setattr(findings, "inspect_file", stopping)
    monkeypatch.setattr(fenced, "forks", lambda: False)  # one after the other, in this process
    with pytest.raises(KeyboardInterrupt):
        checked(root)
    train = ["ILSVRC_1.JPEG", "a.JPEG", "b.JPEG", "n01440764_2.JPEG", "z.JPEG"]
    assert looked == train
    (root / "train/n01440764/b.JPEG").write_bytes(image_file(30))
    looked[:] = [""] * 8
    status, found = checked(root)
    assert looked[8:12] == ["b.JPEG", "n01440764_2.JPEG", "z.JPEG", "ILSVRC_1.JPEG"]
    assert (status, set(found["empty"])) == (1, {"a.JPEG", "z.JPEG"})
    assert not list(cache.glob("check-*")), "a check that ended is forgotten"
    looked[:] = [""] * 8
    assert checked(root)[1] == found
    assert len(looked) == 8 + 11


def test_exit_statuses_of_the_command(cnnbench, command, tmp_path):
    root = tree(tmp_path / "data")
    (root / "val/n01440764/a.JPEG").write_bytes(b"")
    done = cnnbench("data", "check", f"data={root}", "workers=1")
    assert (done.returncode, done.stderr) == (1, "")
    assert "1 files without content" in done.stdout
    done = command("data", "check", f"data={root}", "splits=[vall]")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "did you mean val" in done.stderr


def test_statistics_are_exact(tmp_path):
    root = tree(tmp_path / "data")
    (root / "train/n01440764/grey.png").write_bytes(image_file(1, "L", "PNG", (50, 20)))
    split = read_split(DataConfig(path=str(root)), "train")
    config = StatsConfig(area="whole")
    mean, std = mean_and_std([image_sums(split, config, index) for index in range(len(split))])
    files = [Image.open(split.name(index)).convert("RGB") for index in range(len(split))]
    pixels = np.concatenate([np.asarray(file, np.float64).reshape(-1, 3) for file in files]) / 255
    assert mean == pytest.approx(pixels.mean(0), abs=1e-12)
    assert std == pytest.approx(pixels.std(0), abs=1e-12)
    centre = [image_sums(split, StatsConfig(image_size=16), index) for index in range(len(split))]
    assert {pixels for pixels, *_ in centre} == {16 * 16}


def test_a_sheet_shows_the_chosen_classes(tmp_path):
    root = tree(tmp_path / "data")
    (root / "train/n01443537/broken.JPEG").write_bytes(b"broken")
    output = tmp_path / "sheet.png"
    source = SourceConfig(path=str(root))
    show(ShowConfig(data=source, output=str(output), side=64))
    with Image.open(output) as sheet:
        assert sheet.size[0] == 8 + 3 * (64 + 8)
        two = sheet.height
    show(ShowConfig(data=source, output=str(output), side=64, classes=["n01440764"]))
    with Image.open(output) as sheet, Image.open(root / "train/n01440764/ILSVRC_1.JPEG") as image:
        assert sheet.height == (two - 8) // 2 + 8
        expected = np.asarray(image.resize((64, 48), Image.LANCZOS))
        assert (np.asarray(sheet)[8 + 21 + 8 :, 8:][:48, :64] == expected).all()
    with pytest.raises(UserError, match="no class 'n0144076', did you mean n01440764"):
        show(ShowConfig(data=source, output=str(output), classes=["n0144076"]))
    with pytest.raises(UserError, match="cannot write"):
        show(ShowConfig(data=source, output=str(tmp_path / "nowhere/sheet.png")))


def test_a_sheet_of_draws_shows_each_image_before_and_after(tmp_path):
    root, output = tree(tmp_path / "data"), tmp_path / "sheet.png"
    (root / "train/n01443537/broken.JPEG").write_bytes(b"broken")
    arch = ArchConfig(name="lenet", image_size=32, in_channels=3, crop_ratio=1.0, interpolation="bilinear")
    augment = AugmentConfig(crop=CropConfig(kind="center"), flip=FlipConfig(p=1.0))
    config = ShowConfig(
        data=SourceConfig(path=str(root)), arch=arch, augment=augment, draws=3, count=1, side=32, output=str(output)
    )
    show(config)
    with Image.open(output) as sheet:
        assert sheet.size[0] == 8 + 4 * (32 + 8)
        first, second, last = (np.asarray(sheet)[8 + 21 :, 8 + 40 * n :][:32, :32] for n in (1, 2, 3))
    split = read_split(SourceConfig(path=str(root)), "train")
    image = Image.open(split.name(int(np.flatnonzero(split.labels == 0)[0]))).convert("RGB")
    expected = np.asarray(evaluation_image(image, 32, 1.0, "bilinear"))[:, ::-1].astype(int)
    assert np.abs(first - expected).max() <= 2  # the crop is Pillow's to within rounding
    assert (first == second).all()
    assert (second == last).all()


def square(index: int) -> int:
    if index == 1000:
        raise UserError("one thousand")
    if index == 2000:
        os.kill(os.getpid(), 9)
    return index**2


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_from_any_number_of_workers(workers):
    assert list(map_images(square, range(5, 105), workers, "squares")) == [index**2 for index in range(5, 105)]
    assert list(map_images(square, range(0), workers, "squares")) == []
    with pytest.raises(UserError, match="one thousand"):
        list(map_images(square, range(990, 1010), workers, "squares"))


def test_a_worker_that_dies_is_reported_with_its_cause():
    with pytest.raises(UserError, match="was killed, most likely because memory ran out"):
        list(map_images(square, range(1990, 2100), 2, "squares"))
