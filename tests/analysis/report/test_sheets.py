"""Sheets of mistakes and of augmentation, of runs whose images are there and of others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from composing import composed
from PIL import Image

from cnnbench.analysis.report.run import Run
from cnnbench.analysis.report.sheets import draw_sheets
from cnnbench.config.batch import with_batch

pytestmark = pytest.mark.slow


def make(folder, config) -> Run:
    (folder / "details").mkdir(parents=True)
    return Run(folder.name, folder, config, [], None, None, [], [], [], [], [])


def test_mistakes_are_taken_over_and_each_augmentation_is_drawn_once(tmp_path, small_data):
    config = with_batch(composed("arch=lenet", "recipe=quick", f"data={small_data}"), 1)
    runs = [make(tmp_path / name, config) for name in ("a", "b")]
    gone = replace(config, data=replace(config.data, path=str(tmp_path / "gone")))
    away = replace(config, data=replace(config.data, path="https://example.org/{0..9}.tar"))
    runs += [make(tmp_path / "c", gone), make(tmp_path / "d", away)]
    Image.new("RGB", (30, 20), (9, 200, 9)).save(tmp_path / "b/details/mistakes.png")
    found = {picture.name: picture for picture in draw_sheets(runs, ["1-a", "2-b", "3-c", "4-d"], tmp_path)}
    assert set(found) == {"mistakes-2-b", "augmentation-1-a", "augmentation-3-c", "augmentation-4-d"}
    assert found["mistakes-2-b"].section == "b"
    assert Image.open(found["mistakes-2-b"].file).size == (30, 20)
    assert Image.open(found["augmentation-1-a"].file).width > 7 * 96, "the image and six draws"
    assert "there is no such folder" in found["augmentation-3-c"].missing
    assert found["augmentation-4-d"].missing.endswith("is not here"), "nothing is fetched"
    (tmp_path / "b/details/mistakes.png").write_text("no picture")
    torn, _ = draw_sheets(runs[1:2], ["2-b"], tmp_path)
    assert "mistakes.png" in torn.missing, "a damaged picture is none, and no end of the report"
