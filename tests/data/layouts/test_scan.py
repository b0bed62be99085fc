"""What is an image and what is a class is decided by what lies there, and what is not taken is said."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from cnnbench.config.data import DataConfig
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.pillow_engine import known_formats, pillow
from cnnbench.data.layouts import scan
from cnnbench.data.layouts.account import Account, LeftOut
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.files import Files, pack_names
from cnnbench.runtime.errors import UserError

WNIDS = ("n01484850", "n01514668")


def put(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def root(tmp_path: Path, cache: Path) -> Path:
    """Two classes of two images in each split; a few bytes stand for an image."""
    for split in ("train", "val"):
        for name in WNIDS:
            for number in "12":
                put(tmp_path / "d" / split / name / f"{number}.JPEG")
    return tmp_path / "d"


def read(root: Path, split: str = "train") -> Split:
    return read_split(DataConfig(path=str(root)), split)


def left_out(split: Split) -> dict[str, int]:
    return {one.reason: one.count for one in split.account.left_out}


@pytest.mark.parametrize(
    "name",
    [
        *("__MACOSX", "@eaDir", "@EADIR", "lost+found", "$RECYCLE.BIN", "System Volume Information", "#recycle"),
        *(".Trashes", ".ipynb_checkpoints", "#snapshot", "@Recycle"),
    ],
)
def test_folders_of_systems_are_no_classes_even_with_images(root, name):
    put(root / "train" / name / "1.JPEG")
    split = read(root)
    assert (split.classes, len(split), left_out(split)) == (WNIDS, 4, {scan.NO_CLASS: 1})
    assert name in split.account.in_words(4)


def test_a_folder_without_any_image_is_no_class(root):
    (root / "train/n09999999").mkdir()
    put(root / "train/notes/readme.md")
    split = read(root)
    assert split.classes == WNIDS
    assert split.account.names(scan.EMPTY) == ("n09999999", "notes")


def test_only_regular_files_and_links_to_them_are_images(root):
    folder = root / "train" / WNIDS[0]
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to("nowhere")
    (folder / "itself.jpg").symlink_to("itself.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "link.jpg").symlink_to("1.JPEG")
    (folder / "to_folder.jpg").symlink_to(root / "val")
    (folder / "linked").symlink_to(root / "val")
    here = Path.cwd()
    os.chdir(folder)  # the address of a socket has a length that a test's folder passes
    try:
        socket.socket(socket.AF_UNIX).bind("socket.jpg")
    finally:
        os.chdir(here)
    split = read(root)
    assert [os.path.basename(split.name(i)) for i in range(3)] == ["1.JPEG", "2.JPEG", "link.jpg"]
    assert left_out(split) == {scan.SPECIAL: 3, scan.DANGLING: 2, scan.NAMED_AS_IMAGE: 2, scan.LINKED: 1}
    (root / "train/class").symlink_to("nowhere")
    assert read(root).account.names(scan.DANGLING)[0] == "class"


def test_a_pipe_that_takes_the_place_of_an_image_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "1.jpg")
    with pytest.raises(UserError, match="is not a file"):
        Files(str(tmp_path), pack_names(["1.jpg"])).read(0)


def test_what_is_left_out_is_said_in_one_line(root):
    folder = root / "train" / WNIDS[0]
    for name in (
        "a.txt",
        "b.heic",
        "c.txt",
        "._1.JPEG",
        "Thumbs.db",
        "deep/3.JPEG",
        "deep/a/4.JPEG",
        "deep/x.txt",
    ):
        put(folder / name)
    put(root / "train/stray.jpg")
    put(root / "train/line\nbreak/readme")
    words = read(root).account.in_words(4)
    assert words == (
        "4 images used, left out: class folders without images 1 (line\\nbreak), endings not taken 4 "
        "(.txt, none, .heic), files below a class folder 2 (n01484850/deep/3.JPEG, n01484850/deep/a/4.JPEG), files "
        "beside the class folders 1 (stray.jpg), hidden and system files 2 (n01484850/._1.JPEG, n01484850/Thumbs.db)"
    )
    assert read(root, "val").account.in_words(4) == "4 images used, nothing left out"


def test_accounts_add_up():
    one, other = Account((LeftOut("a", 1),), ("guessed",)), Account((LeftOut("b", 2, ("x",)),), ("guessed",))
    assert (one + other).in_words(0) == "0 images used, left out: a 1, b 2 (x); guessed"


def test_nothing_but_deeper_folders_is_refused_with_what_there_is(tmp_path, cache):
    put(tmp_path / "train/animals/cat/1.JPEG")
    with pytest.raises(UserError, match=r"no images in its class folders: .*files below .* 1 \(animals/cat/1.JPEG\)"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["@eaDir", "folder.jpg", "deep", ".hidden"])
def test_a_flat_folder_stays_flat_beside_folders_without_images(tmp_path, cache, name):
    put(tmp_path / "train/cat/1.jpg")
    put(tmp_path / "val/a.jpg")
    put(tmp_path / "val/labels.csv", b"a.jpg,cat\n")
    put(tmp_path / "val" / name / "notes.txt")
    split = read(tmp_path, "val")
    assert (split.classes, len(split)) == (("cat",), 1)
    assert sum(left_out(split).values()) == (name != "deep")


def test_stray_images_beside_class_folders_do_not_make_a_folder_flat(root):
    put(root / "val/stray.jpg")
    assert len(read(root, "val")) == 4


def test_every_ending_of_the_formats_that_are_decoded_is_taken(tmp_path):
    formats = {*known_formats(), "MPO"}  # which Pillow reads as JPEG
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in formats}
    assert endings - {".pfm"} == set(scan.IMAGE_ENDINGS)
    for kind in formats:
        path = tmp_path / "x"
        Image.new("RGB", (32, 24), "red").save(path, kind)
        assert open_picture(path.read_bytes(), kind, pillow).region(0, 0, 32, 24).shape == (24, 32, 3), kind
    assert scan.is_image("X.JPEG")
    assert scan.is_image("x.Tif")
