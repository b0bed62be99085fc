"""`cnnbench features`: the values of layers for all images of a split, and the nearest neighbours of pictures."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from cnnbench.analysis.features.files import feature_file
from cnnbench.analysis.features.neighbours import Neighbours, as_rows
from cnnbench.analysis.features.sheet import draw_neighbours
from cnnbench.analysis.tables import Cell, Table, as_csv, render
from cnnbench.config.features import FeaturesConfig, layers_of
from cnnbench.config.predict import PICTURES, as_eval
from cnnbench.data.contact_sheet import save_contact_sheet
from cnnbench.data.layouts.names import plain
from cnnbench.data.layouts.pictures import pictures
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.relabel import image_name
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.ensemble import EnsembleMember, ensemble_members
from cnnbench.evaluation.features import Extractor, extractor_of
from cnnbench.evaluation.predict import classes_of
from cnnbench.runtime.devices import choose_device, device_of, share_cores
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_text, writing
from cnnbench.runtime.shell import counted


def features_command(config: FeaturesConfig) -> int:
    """Write the features that `config` asks for, and show the neighbours of its queries; the number of images."""
    (member,) = ensemble_members(as_eval(config, PICTURES if config.files else None))
    split = _split(config, member)
    print(
        f"files       {'pictures' if config.files else config.split}: {split.account.in_words(len(split))}", flush=True
    )
    device = choose_device(config.device)
    share_cores(1, device)
    classes = len(classes_of(member.trained_model, None))
    layers = layers_of(config)
    extractor = extractor_of(member, classes, layers, device_of(0, device), config.pool == "average")
    for name, shape in extractor.shapes().items():
        print(f"layer       {name}: {extractor.points[name]}, {'x'.join(map(str, shape))} for each image")
    neighbours = _neighbours(config, extractor) if config.query else None
    broken = _extract(config, extractor, split, neighbours)
    if neighbours is not None:
        _show(config, split, neighbours)
    if broken:
        print(f"left out    {len(broken):,} images that could not be decoded: their features are NaN")
    return len(split)


def _split(config: FeaturesConfig, member: EnsembleMember) -> Split:
    """The images: pictures by name, or a split of the data set, in the order and with the classes of its own."""
    if config.files:
        return pictures(config.files, ("",), config.data.max_megapixels)
    data = config.data if config.data.path is not None else member.settings.data
    return read_split(data, config.split)


def _extract(
    config: FeaturesConfig, extractor: Extractor, split: Split, neighbours: Neighbours | None
) -> dict[int, str]:
    """Go through all images once, for the file and for the neighbours; the broken ones, and why."""
    path = None if config.output is None else Path(config.output).expanduser()
    broken: dict[int, str] = {}
    destination: AbstractContextManager[dict[str, np.ndarray]] = nullcontext({})
    if path is not None:
        destination = feature_file(path, extractor.shapes(), len(split))
    with destination as arrays:
        for batch in extractor.batches(split):
            for name, array in arrays.items():
                array[batch.start : batch.start + len(batch.values[name])] = batch.values[name]
            if neighbours is not None:
                (values,) = batch.values.values()
                neighbours.look(batch.start, as_rows([values]))
            for why in batch.broken.values():
                print(f"left out: {why}", file=sys.stderr)
            broken |= batch.broken
        if len(broken) == len(split):
            raise UserError(f"none of the {len(split):,} images can be decoded: {next(iter(broken.values()))}")
    if path is not None:
        beside = path.with_name(f"{path.name}.csv")
        with writing(beside):
            write_text(beside, _ids(split, broken, bool(config.files)) + "\n")
        images = counted(len(split), "image")
        print(f"features    {images} in {config.output}; {config.output}.csv has the name of each row")
    return broken


def _ids(split: Split, broken: dict[int, str], by_name: bool) -> str:
    """The row of each image in the arrays, its name, its class where it has one, and why it was left out."""
    rows = [
        (str(i), _name(split, i, by_name), None if by_name else split.classes[split.labels[i]], broken.get(i))
        for i in range(len(split))
    ]
    return as_csv(["row", "image", "class", "left_out"], rows)


def _name(split: Split, index: int, by_name: bool) -> str:
    name = split.name(index) if by_name else image_name(split, index)
    return name if name.isprintable() else plain(name)


def _neighbours(config: FeaturesConfig, extractor: Extractor) -> Neighbours:
    """For the queries of `config`, which are features of pictures. UserError for a query that cannot be decoded."""
    queries = pictures(config.query, ("",), config.data.max_megapixels)
    # One query or a few: a batch and workers of their size.
    data = dataclasses.replace(extractor.member.settings.data, workers=0)
    member = dataclasses.replace(
        extractor.member, settings=dataclasses.replace(extractor.member.settings, batch=len(queries), data=data)
    )
    (batch,) = dataclasses.replace(extractor, member=member).batches(queries)
    for why in batch.broken.values():
        raise UserError(f"query: {why}")
    (values,) = batch.values.values()
    return Neighbours(as_rows([values]), config.neighbours, config.distance)


def _show(config: FeaturesConfig, split: Split, neighbours: Neighbours) -> None:
    queries = pictures(config.query, ("",), config.data.max_megapixels)
    rows: list[tuple[Cell, ...]] = []
    for number, found in enumerate(neighbours.found):
        for rank, (distance, index) in enumerate(found, 1):
            name = split.classes[split.labels[index]] or None
            rows.append(("" if rank > 1 else queries.name(number), rank, distance, _name(split, index, not name), name))
    title = f"Nearest images in layer {layers_of(config)[0]}, {config.distance} distance"
    columns = {"query": "", "rank": "", "distance": ".4g", "image": "", "class": ""}
    print(f"\n{render(Table(title, columns, rows))}")
    if config.sheet is not None:
        save_contact_sheet(draw_neighbours(queries, split, neighbours.found), config.sheet)
        print(f"\nsheet       {config.sheet}")
