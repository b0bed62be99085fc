"""What an evaluation found, printed and written: the table, the result as JSON, and the details if asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.config.evaluate import EvalConfig
from cnnbench.config.fields import plain
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.details import write_details, write_predictions
from cnnbench.evaluation.ensemble import EnsembleMember
from cnnbench.evaluation.error_table import error_table
from cnnbench.evaluation.localise import Located, counts_of, localisation_table, write_located
from cnnbench.evaluation.predictions import Predictions
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runs import checkpoint
from cnnbench.runs.absolute import absolute, absolute_if_given, typed
from cnnbench.runs.paths import run_folder
from cnnbench.runs.results import EvaluationResult
from cnnbench.runtime.files import write_json, writing
from cnnbench.runtime.shell import counted


@dataclass(frozen=True)
class Evaluated:
    """What the networks of `group`, together, answered to the images of `split`. `targets` int64 (n, answers): the
    right answers for each image, its class first. `located`: where they found it, if `config` has boxes."""

    group: list[EnsembleMember]
    config: EvalConfig
    predictions: Predictions
    split: Split
    targets: np.ndarray
    located: list[Located] | None = None


Report = Callable[[Evaluated], None]


def report_evaluation(found: Evaluated) -> None:
    """Print the tables and write the result as JSON, and the details if they are asked for."""
    config, predictions, split, located = found.config, found.predictions, found.split, found.located
    result = _result(found)
    images = _images(found.group, config, result["n"])
    print(f"{_title(found.group)}, {images}, {result['protocol_in_words']}:\n{error_table(predictions.counts())}")
    if unfinite := int((np.isnan(predictions.loss) & ~predictions.broken).sum()):
        print(f"warning: the outputs for {unfinite:,} images are not numbers: these count as wrong", file=sys.stderr)
    if located is not None:
        left_out = f", {counted(rest, 'image')} without a box left out" if (rest := len(split) - len(located)) else ""
        print(f"\nlocalisation by class activation maps, boxes of {config.boxes}{left_out}:")
        print(localisation_table(located))
    output = config.output or (str(result_file(config, config.run)) if config.run is not None else None)
    if output is not None:
        with writing(output):
            write_json(Path(output).expanduser(), result)
        if config.output is None:  # what `cnnbench compare` reads, beside the run's own results
            with writing(answers := Path(output).with_suffix(".csv")):
                write_predictions(answers, predictions, split)
        print(f"\nresult      {output}")
    if config.details is not None:
        written = write_details(Path(config.details).expanduser(), predictions, split)
        if located is not None:
            written.append(write_located(Path(config.details).expanduser(), located, split))
        print(f"details     {', '.join(written)} in {config.details}")


def write_result(path: Path, found: Evaluated) -> None:
    """Write the result to `path` as JSON, and print nothing: for commands that say it in another form."""
    write_json(path, _result(found))


def _result(found: Evaluated) -> EvaluationResult:
    group, config, predictions, split = found.group, found.config, found.predictions, found.split
    counts, seen, first, ensemble = predictions.counts(), ~predictions.broken, group[0], len(group) > 1
    given, paths = _paths(group, config)
    return {
        "arch": [member.arch.name for member in group] if ensemble else first.arch.name,
        "top1_error": counts.top1_error,
        "top5_error": counts.top5_error,
        "top1_interval": wilson_interval(counts.wrong1, counts.n),
        "top5_interval": wilson_interval(counts.wrong5, counts.n),
        "wrong_top1": counts.wrong1,
        "wrong_top5": counts.wrong5,
        "n": counts.n,
        # With several right answers there is no one class whose probability it could be.
        "loss": float(predictions.loss[seen].mean()) if found.targets.shape[1] == 1 and seen.any() else None,
        "protocol": config.protocol,
        "protocol_in_words": "; ".join(dict.fromkeys(member.protocol for member in group)),
        "weights": paths["weights"],
        "weights_kind": config.weights_kind,
        "checkpoint": checkpoint.in_full(config.checkpoint) if config.run is not None or config.runs else None,
        "data": paths["data"],
        "data_form": split.storage.form,
        "labels": paths["labels"],
        "exclude": paths["exclude"],
        "boxes": paths["boxes"],
        "localisation": None if found.located is None else counts_of(found.located),
        "competing": None if split.competing is None else int((split.competing >= 0).sum()),
        "typed": typed(given, paths),
        "changed": _changed(config),
    }


def _title(group: list[EnsembleMember]) -> str:
    titles = [member.trained_model.title for member in group]
    return titles[0] if len(group) == 1 else f"{len(group)} networks, probabilities averaged ({'; '.join(titles)})"


def _paths(group: list[EnsembleMember], config: EvalConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """The files of the evaluation, as they were typed and absolute."""
    names = [member.trained_model.weights.name for member in group]
    given = {"data": group[0].data, "labels": config.labels, "exclude": config.exclude, "boxes": config.boxes}
    found = {name: absolute_if_given(path) for name, path in given.items()}
    several = len(group) > 1
    weights = {"weights": names if several else names[0]}
    return weights | given, {"weights": [*map(absolute, names)] if several else absolute(names[0])} | found


def _images(group: list[EnsembleMember], config: EvalConfig, count: int) -> str:
    parts = [f"{counted(count, 'image')} of {group[0].data}"]
    if config.labels:
        parts.append(f"labels of {config.labels}")
    if config.exclude:
        parts.append(f"without those of {config.exclude}")
    return ", ".join(parts)


def _changed(config: EvalConfig) -> dict[str, Any]:
    """What this evaluation does otherwise than its protocol on images like the run's."""
    names = ("image_size", "crop_ratio", "interpolation", "scales")
    changed = {name: value for name in names if (value := getattr(config, name)) not in (None, [])}
    return changed | ({} if config.competing == "auto" else {"competing": config.competing})


def result_file(config: EvalConfig, run: str) -> Path:
    """In the run's folder: one for each protocol, kind of weights, and choice of settings, labels and images."""
    parts = ["eval", config.protocol, *(["averaged"] if config.weights_kind == "averaged" else [])]
    parts += [checkpoint.in_full(config.checkpoint)] * (config.checkpoint != "last")
    parts += [f"{name}-{plain(value).strip('[]').replace(',', '-')}" for name, value in _changed(config).items()]
    parts += [Path(name).stem for name in (config.data.path, config.labels, config.exclude) if name is not None]
    return run_folder(run) / f"{'-'.join(parts)}.json"
