"""What files say of themselves, of files that Pillow wrote."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.ilsvrc import class_names, first_of_groups
from cnnbench.data.layouts.read import read_split
from cnnbench.data.traits import Traits, bands, jpeg_quality, read_traits


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 90, 95, 99, 100])
def test_the_quality_is_what_the_file_was_written_with(quality):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", quality=quality)
    assert jpeg_quality(list(Image.open(file).quantization[0])) == quality


def test_size_colour_and_quality_of_each_file(tmp_path):
    folder = tmp_path / "val/bag"
    folder.mkdir(parents=True)
    colour = np.zeros((300, 400, 3), np.uint8)
    colour[:150] = (200, 30, 90)
    Image.fromarray(colour).save(folder / "a.jpg", quality=80)
    Image.fromarray(np.repeat(colour[..., :1], 3, 2)).save(folder / "b.jpg", quality=97)
    Image.fromarray(colour[:100, :, 0]).save(folder / "c.png")
    (folder / "d.jpg").write_bytes(b"\xff\xd8\xff nothing")
    found = read_traits(read_split(DataConfig(path=str(tmp_path)), "val"))
    assert found == [Traits(300, False, 80), Traits(300, True, 97), Traits(100, True, None), None]
    assert bands(found) == {
        "size": ["short side 256 to 374 px"] * 2 + ["short side below 256 px", "not read"],
        "colour": ["colour", "grey", "grey", "not read"],
        "quality": ["quality 75 to 84", "quality 95 and more", "no JPEG file", "not read"],
    }


def test_the_kinds_of_ilsvrcs_classes_begin_and_end_where_they_should():
    names = [name.partition(",")[0] for name in class_names().values()]
    first = first_of_groups()
    starts = list(first)
    kind = {name: first[max(start for start in starts if start <= number)] for number, name in enumerate(names)}
    for name, expected in {
        "tench": "fish", "stingray": "fish", "cock": "bird", "great grey owl": "bird", "tailed frog": "amphibian",
        "sidewinder": "reptile", "trilobite": "invertebrate", "black swan": "bird", "wombat": "mammal, other",
        "isopod": "invertebrate", "albatross": "bird", "sea lion": "mammal, other", "Chihuahua": "dog",
        "Mexican hairless": "dog", "timber wolf": "carnivore, other", "tabby": "cat", "Egyptian cat": "cat",
        "cheetah": "cat", "brown bear": "carnivore, other", "lycaenid": "insect", "sea cucumber": "invertebrate",
        "llama": "hoofed mammal", "badger": "carnivore, other", "indri": "primate", "African elephant": "mammal, other",
        "giant panda": "carnivore, other", "puffer": "fish", "abacus": "artefact", "menu": "artefact", "eggnog": "food",
        "alp": "landscape", "volcano": "landscape", "scuba diver": "person", "ear": "plant and fungus",
        "toilet tissue": "artefact",
    }.items():  # fmt: skip
        assert kind[name] == expected, name
    assert len([name for name in names if kind[name] == "dog"]) == 118
