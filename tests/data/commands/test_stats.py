"""`cnnbench data stats`: what it prints of a set whose pixels are known."""

from __future__ import annotations

from PIL import Image

from cnnbench.config.data import SourceConfig
from cnnbench.config.data_commands import StatsConfig
from cnnbench.data.commands.stats import stats


def test_the_sizes_and_the_mean_of_all_pixels(tmp_path, cache, capsys):
    for name, size, colour in (
        ("a/1.png", (4, 6), (255, 0, 51)),
        ("a/2.png", (8, 6), (0, 0, 51)),
        ("b/3.png", (8, 3), (0, 0, 51)),
    ):
        file = tmp_path / "train" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(file)
    stats(StatsConfig(data=SourceConfig(path=str(tmp_path)), split="train", area="whole", workers=0))
    assert capsys.readouterr().out.splitlines() == [
        f"train: 3 images of {tmp_path} (files)",
        "  classes     2, 1 to 2 images in each",
        "  width       4 to 8 pixels, mean 6.7",
        "  height      3 to 6 pixels, mean 5.0",
        "over whole images, 96 pixels:",
        "  arch.mean=[0.25000,0.00000,0.20000]",
        "  arch.std=[0.43301,0.00000,0.00000]",
    ]
