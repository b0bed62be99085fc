"""data.engine=auto: measured on the data's own files, once, and remembered for this machine."""

from __future__ import annotations

import faulthandler
import os
import signal
from dataclasses import replace
from pathlib import Path

import odd_pictures
import pytest

from cnnbench.config.data import DataConfig
from cnnbench.data.decode.entry_index import Place
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading import fastest
from cnnbench.runtime import measured
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import read_json, write_json

ENGINES = ["native", "simplejpeg"]


def split_of(folder: Path, content: bytes) -> Split:
    (folder / "train/a").mkdir(parents=True)
    for name in ("a.JPEG", "b.JPEG"):
        (folder / "train/a" / name).write_bytes(content)
    return read_split(DataConfig(path=str(folder)), "train")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fastest, "ROUNDS", 1)
    for kind in fastest.ENGINES.values():
        if not kind.is_here():
            pytest.skip("there is but one engine here")
    return tmp_path / "cache"


def test_it_is_measured_once_and_the_fastest_is_taken(tmp_path, cache, monkeypatch):
    split = split_of(tmp_path / "data", odd_pictures.saved())
    chosen = fastest.engine_for(split, "auto")
    (times,) = read_json(cache / "engines.json").values()
    assert sorted(times) == ENGINES
    assert chosen == min(times, key=times.get)
    monkeypatch.setattr(fastest, "measured", lambda *_: pytest.fail("measured again"))
    for slow, quick in ((ENGINES), (ENGINES[::-1])):
        write_json(cache / "engines.json", {fastest.machine(): {slow: 2.0, quick: 1.0}})
        assert fastest.engine_for(split, "auto") == quick
    assert fastest.engine_for(split, "pillow") == "pillow"
    indexed = replace(split, side_indices=(Place(tmp_path),))
    assert fastest.engine_in_words(indexed, DataConfig(engine="native")) == "native with a side index"
    grows = DataConfig(engine="native", decoder_index=True)
    assert fastest.engine_in_words(split, grows) == "native with a side index, which grows"
    pillow = DataConfig(engine="pillow", decoder_index=True)
    assert fastest.engine_in_words(indexed, pillow) == fastest.engine_in_words(split, pillow) == "pillow"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', '{"MACHINE": {"native": "fast", "simplejpeg": 1.0}}'])
def test_a_damaged_note_is_measured_anew(tmp_path, cache, text):
    split = split_of(tmp_path / "data", odd_pictures.saved())
    cache.mkdir(mode=0o700, exist_ok=True)
    (cache / "engines.json").write_text(text.replace("MACHINE", fastest.machine()))
    assert fastest.remembered(ENGINES) is None
    assert fastest.engine_for(split, "auto") in ENGINES
    assert fastest.remembered(ENGINES) is not None


def test_without_jpeg_files_or_a_cache_the_usual_order_holds(tmp_path, cache, monkeypatch):
    assert fastest.engine_for(split_of(tmp_path / "png", odd_pictures.saved("PNG")), "auto") == "native"
    assert not (cache / "engines.json").exists()

    def none() -> Path:
        raise UserError("no home")

    split = split_of(tmp_path / "jpeg", odd_pictures.saved())
    monkeypatch.setattr(measured, "cache_folder", none)
    monkeypatch.setattr(measured, "own_cache_folder", none)
    assert fastest.engine_for(split, "auto") in ENGINES


@pytest.mark.parametrize("how", ["crash", "no end"])
def test_a_file_that_no_decoder_survives_leaves_the_usual_order(tmp_path, cache, monkeypatch, how):
    def end(*_: object) -> None:
        while how == "no end":
            pass
        faulthandler.disable()  # pytest's, which would print where it was
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(fastest, "MOST", 0.1)
    monkeypatch.setattr(fastest, "cut", end)
    assert fastest.engine_for(split_of(tmp_path / "data", odd_pictures.saved()), "auto") == "native"
    assert not (cache / "engines.json").exists()
