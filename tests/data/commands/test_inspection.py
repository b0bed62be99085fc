"""What is said of one file."""

from __future__ import annotations

from random import Random

import odd_pictures
import pytest
from PIL.PngImagePlugin import PngImageFile

from cnnbench.data.commands.findings import PROBLEMS
from cnnbench.data.commands.inspection import inspect_file
from cnnbench.data.decode import engines
from cnnbench.data.decode.picture import open_picture
from cnnbench.runtime.errors import UserError


@pytest.mark.parametrize(("content", "kind"), [(b"", "empty"), (b"no image", "corrupt")])
def test_a_file_without_pixels_has_no_size(content, kind):
    found = inspect_file(content, "a.jpg")
    assert [*found.kinds] == [kind]
    assert (found.size, found.width, found.height) == (len(content), 0, 0), "so it counts in no distribution of sizes"


@pytest.mark.parametrize("group", ["samplings", "kinds_of_jpeg", "containers", "sizes"])
def test_whole_files_of_every_kind_are_no_problem(group):
    for kind, content in getattr(odd_pictures, group)().items():
        found = inspect_file(content, "a")
        assert not set(found.kinds) & {*PROBLEMS} - {"thin"}, kind
        assert min(found.width, found.height) > 0, kind


def trained_on(content: bytes) -> bool:
    """Whether training can use the file."""
    try:
        picture = open_picture(content, "x", engines.make_engine(engines.choose_engine("auto")))
        return picture.region(0, 0, 1, 1).shape[:2] == (1, 1)
    except UserError:
        return False


def test_a_file_is_called_broken_just_if_training_cannot_use_it():
    random = Random(0)
    files = [*odd_pictures.not_pictures().values(), *odd_pictures.frames().values()]
    whole = [odd_pictures.saved(), *odd_pictures.kinds_of_jpeg().values(), odd_pictures.saved("PNG")]
    files += [spoil(content, random) for spoil in odd_pictures.DAMAGES.values() for content in whole]
    broken = [bool({"corrupt", "huge", "empty"} & set(inspect_file(content, "a").kinds)) for content in files]
    assert broken == [not trained_on(content) for content in files]
    assert 0.3 < sum(broken) / len(broken) < 0.8


@pytest.mark.parametrize(("behind", "damaged"), [(bytes(9), False), (bytes(4) + b"picture", True)])
def test_zeros_before_the_end_are_not_damage(behind, damaged):
    content = odd_pictures.saved()
    found = inspect_file(content[:-2] + behind + content[-2:], "a.JPEG")
    assert [*found.kinds] == ["damaged"] * damaged


def test_a_jpeg_file_with_several_pictures_is_of_the_type_that_its_name_says():
    assert inspect_file(odd_pictures.kinds_of_jpeg()["several pictures (MPO)"], "a.jpg").kinds == {}


def test_nothing_is_decoded_of_a_picture_that_is_too_large(monkeypatch):
    """Pillow decodes all of a PNG file when it is asked for its EXIF: 900 megapixels took a gigabyte of memory."""
    content = odd_pictures.saved("PNG")
    decoded: list[object] = []
    load = PngImageFile.load
    monkeypatch.setattr(PngImageFile, "load", lambda self: decoded.append(self) or load(self))
    assert "huge" in inspect_file(content, "a.png", megapixels=0.001).kinds
    assert not decoded
    assert not inspect_file(content, "a.png").kinds
    assert decoded
