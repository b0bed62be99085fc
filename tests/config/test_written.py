"""Where something is to be written: what cannot be is refused before anything is computed."""

from __future__ import annotations

import os

import pytest

from cnnbench.config.written import FILE, FOLDER, PNG, check_written
from cnnbench.runtime.errors import UserError


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A file, a folder and a pipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *(("new", FILE), ("file", FILE), ("folder/new", FILE), ("folder/../new", FILE), ("gone", FILE), ("a.png", PNG)),
        *(("new", FOLDER), ("folder", FOLDER), ("new/new/new", FOLDER), (".", FOLDER)),
    ],
)
def test_what_can_be_written(name, written):
    check_written("output", name, written)


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("folder", FILE, " is a folder: give output=FILE"),
        ("", FILE, " is a folder: give output=FILE"),
        ("no/new", FILE, " cannot be written: there is no folder {here}/no; make it first"),
        ("file/new", FILE, " cannot be written: there is no folder {here}/file; make it first"),
        ("~nobody-here/a", FILE, " cannot be written: there is no folder {here}/~nobody-here; make it first"),
        ("pipe", FILE, " is a device or a pipe, which a file would replace: give output=FILE"),
        ("/dev/null", FILE, " is a device or a pipe, which a file would replace: give output=FILE"),
        ("/dev/stdout", FILE, " is a device or a pipe, which a file would replace: give output=FILE"),
        ("a.jpg", PNG, " needs the ending .png"),
        ("file", FOLDER, " is a file: give output=FOLDER"),
        ("gone", FOLDER, " is a file: give output=FOLDER"),
        ("file/new", FOLDER, " cannot be made: {here}/file is no folder"),
    ],
)
def test_what_cannot_be_written(name, written, said, place):
    with pytest.raises(UserError) as refusal:
        check_written("output", name, written)
    assert str(refusal.value) == f"output={name}{said.format(here=place)}"


@pytest.mark.parametrize(("name", "written"), [("folder/new", FILE), ("folder/new", FOLDER), ("folder", FOLDER)])
def test_a_folder_without_permission_is_named(name, written, place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != place / "folder")  # root may write everywhere
    with pytest.raises(UserError, match=f"cannot be written: there is no permission to write to {place}/folder$"):
        check_written("output", name, written)
