"""`cnnbench predict`: the most probable classes of pictures, as a table, CSV, JSON lines and a contact sheet."""

from __future__ import annotations

import sys
from pathlib import Path

from cnnbench.analysis.predict.forms import FORMS
from cnnbench.analysis.predict.sheet import draw_answers
from cnnbench.config.predict import PredictConfig
from cnnbench.data.contact_sheet import save_contact_sheet
from cnnbench.evaluation.predict import Prediction, predict_pictures
from cnnbench.runtime.files import write_text, writing


def predict_command(config: PredictConfig) -> int:
    """Print or write what the network of `config` says of its pictures; how many of them it has an answer for."""
    alone = config.format == "table" or config.output is not None  # else nothing but the answers is on standard output
    prediction = predict_pictures(config, lambda line: print(line, file=sys.stdout if alone else sys.stderr))
    for one in prediction.pictures:
        if one.broken is not None:
            print(f"left out: {one.broken}", file=sys.stderr)
    if config.output is None:
        print(FORMS[config.format](prediction))
    else:
        with writing(config.output):
            form = FORMS[Path(config.output).suffix.removeprefix(".")]
            write_text(Path(config.output).expanduser(), form(prediction) + "\n")
        print(f"answers     {_count(prediction)} in {config.output}")
    if config.sheet is not None:
        sheet, drawn = draw_answers(prediction)
        save_contact_sheet(sheet, config.sheet)
        first = f", the first {drawn:,} of {len(prediction.pictures):,}" if drawn < len(prediction.pictures) else ""
        print(f"sheet       {config.sheet}{first}", file=sys.stdout if alone else sys.stderr)
    return sum(one.broken is None for one in prediction.pictures)


def _count(prediction: Prediction) -> str:
    broken = sum(one.broken is not None for one in prediction.pictures)
    left_out = f", {broken:,} left out" if broken else ""
    return f"{len(prediction.pictures) - broken:,} pictures{left_out}"
