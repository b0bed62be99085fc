"""A file is written whole and durably, or the one before stays."""

from __future__ import annotations

import errno
import math
import os
import threading
from pathlib import Path

import pytest

from cnnbench.runtime import files
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import (
    create_text,
    filling,
    json_text,
    open_plain,
    read_json,
    read_text,
    remove_scratch,
    replacing,
    write_bytes,
    write_json,
    write_text,
    writing,
)


@pytest.mark.parametrize(
    ("write", "content", "expected"),
    [
        (write_text, "grün\n", "grün\n".encode()),
        (write_text, os.fsdecode(b"caf\xe9"), b"caf\xe9"),  # the name of a file
        (write_bytes, b"\x00\xff", b"\x00\xff"),
        (write_json, {"a": [1, None]}, b'{\n  "a": [\n    1,\n    null\n  ]\n}\n'),
    ],
)
def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path, disk_calls, write, content, expected
):
    path = tmp_path / "file.txt"
    path.write_text("before")
    write(path, content)
    assert path.read_bytes() == expected
    scratch = f".file.{os.getpid()}.txt"
    assert disk_calls == [("sync", scratch), ("name", "file.txt"), ("sync", tmp_path.name)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_what_fails_leaves_the_file_before_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")

    def fail_half_way() -> None:
        with replacing(path) as scratch:
            scratch.write_text("af")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        fail_half_way()
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_refuses_is_one_sentence_with_its_cure(tmp_path):
    with pytest.raises(UserError) as refusal, writing("the file x", "set Y"):
        write_text(tmp_path / "no" / "x", "")
    assert str(refusal.value) == "cannot write the file x: No such file or directory; set Y"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_to_be_emptied(tmp_path, code):
    with pytest.raises(UserError, match="is full: make room and repeat the command"), filling(tmp_path):
        raise OSError(code, os.strerror(code))
    with pytest.raises(UserError, match=f"cannot write {tmp_path}: "), filling(tmp_path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_json_has_no_number_that_is_not_finite():
    assert (
        json_text({"a": [math.nan, (math.inf, 1.5)], "b": {"c": -math.inf}})
        == '{"a": [null, [null, 1.5]], "b": {"c": null}}'
    )


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 20000, b"1" * 5000, None])
def test_what_is_no_json_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    assert read_json(tmp_path / "a.json") is None
    assert read_json(tmp_path) is None
    assert read_text(tmp_path) is None


def test_a_file_is_made_once_and_whole(tmp_path, disk_calls):
    path = tmp_path / "a.json"
    assert create_text(path, "one")
    assert disk_calls == [("sync", f".a.{os.getpid()}.json"), ("sync", tmp_path.name)]
    assert not create_text(path, "two")
    assert path.read_text() == "one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_name_as_long_as_a_file_system_takes_can_be_written(tmp_path):
    write_text(tmp_path / f"{'x' * 250}.json", "1")


def test_what_killed_writes_have_left_is_removed_and_nothing_else(tmp_path):
    for name in (".a.17.json", ".b.17", ".a.json", ".a.x.json", ".c.17.json", "a.17.json"):
        (tmp_path / name).touch()
    remove_scratch(tmp_path, ("a.json", "b"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".a.json", ".a.x.json", ".c.17.json", "a.17.json"]


def test_a_disk_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(files, "ANSWER", 0.05)
    back = threading.Event()
    assert not files.answered(lambda: back.wait(10))
    back.set()
    assert files.answered(lambda: None)

    def refuses() -> None:
        raise OSError(errno.EIO, "Input/output error")

    assert files.answered(refuses), "that is an answer"


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a device"])
def test_what_is_no_plain_file_is_not_read_and_not_waited_for(tmp_path, kind):
    """In a run's folder anybody may have put one: a pipe has no writer, and /dev/zero no end."""
    path = tmp_path / "status.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    else:
        path = Path("/dev/zero")
    assert read_text(path) is None
    assert read_json(path) is None
    with pytest.raises(OSError, match="Is a directory" if kind == "folder" else "it is not a plain file"):
        open_plain(path)
