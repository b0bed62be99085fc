"""What is compared: the answers of runs and of files, each read where it lies, or evaluated where it does not."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

from cnnbench.analysis.compare.groups import Compared
from cnnbench.analysis.papers.measured import errors_of_evaluation
from cnnbench.config.compare import CompareConfig
from cnnbench.config.evaluate import EvalConfig
from cnnbench.evaluation.answers import read_answers
from cnnbench.evaluation.command import evaluate_and_report
from cnnbench.evaluation.result import report_evaluation, result_file
from cnnbench.runs import checkpoint
from cnnbench.runs.absolute import absolute
from cnnbench.runs.config import load_config
from cnnbench.runs.paths import CHECKPOINTS, CONFIG, folders_of_runs, run_folder, run_name, runs_in
from cnnbench.runs.results import EvaluationResult, load_evaluation, load_result
from cnnbench.runtime.errors import UserError, nearest


def find_inputs(config: CompareConfig) -> list[list[Compared]]:
    """For each word of `config.runs` what it stands for: one training, or those of a+b or of a folder of runs."""
    return [[one for name in _names(word) for one in _find(name, config)] for word in config.runs]


def _names(word: str) -> list[str]:
    return [word] if Path(word).expanduser().exists() or run_folder(word).exists() else word.split("+")


def _find(name: str, config: CompareConfig) -> list[Compared]:
    file, folder = Path(name).expanduser(), run_folder(name)
    if file.suffix == ".json" and file.is_file():
        return [_counts(name, file)]
    if file.is_file() or (file / "predictions.csv").is_file():
        return [Compared(name, read_answers(file), None)]
    if (folder / CONFIG).exists() or runs_in(folder):
        return [_run(one, config) for one in folders_of_runs(folder)]
    near = nearest(name, runs_in(folder.parent))
    raise UserError(f"{name} is neither a run nor a file that `cnnbench eval` wrote{near}")


def _saved(folder: Path, name: str, needed: bool) -> float:
    """When the checkpoint was written; 0 for one that is gone and not `needed`, since its answers are there."""
    try:
        return checkpoint.asked_for(folder / CHECKPOINTS, name).stat().st_mtime
    except UserError:
        if needed:
            raise
        return 0.0


def _run(folder: Path, config: CompareConfig) -> Compared:
    """The answers of a run by the protocol of `config`: those that are there, if they are of its present weights."""
    trained, settings = load_config(folder), _settings(folder, config)
    file = result_file(settings, str(settings.run))
    answers, result = file.with_suffix(".csv"), load_evaluation(file)
    images = config.data.path or trained.data.path
    fresh = answers.exists() and answers.stat().st_mtime >= _saved(folder, config.checkpoint, result is None)
    if result is None or not fresh or images is None or result.get("data") != absolute(images):
        print(f"evaluating {run_name(folder)} first", file=sys.stderr)
        with redirect_stdout(sys.stderr):
            evaluate_and_report(settings, report_evaluation)
        result = load_evaluation(file)
    assert result is not None  # just written
    ended, name = load_result(folder), run_name(folder)
    remark = f"{name} has not ended: the same train command continues it" if ended is None else None
    if ended is not None and "trial" in ended:
        remark = f"{name} is a trial ({ended['trial']})"
    return Compared(name, read_answers(answers), errors_of_evaluation(result, ended), trained, remark)


def _settings(folder: Path, config: CompareConfig) -> EvalConfig:
    names = ("protocol", "checkpoint", "weights_kind", "data", "batch", "device")
    return EvalConfig(run=_as_typed(folder), **{name: getattr(config, name) for name in names})


def _as_typed(folder: Path) -> str:
    return str(folder) if len(folder.parts) > 1 else f"./{folder}"


def _counts(name: str, file: Path) -> Compared:
    """A result without single answers: those beside it, if there are any, else its counts alone."""
    if (beside := file.with_suffix(".csv")).exists():
        return Compared(name, read_answers(beside), None)
    found: EvaluationResult | None = load_evaluation(file)
    if found is None:
        raise UserError(f"{name} is not a result of `cnnbench eval`, or it is damaged")
    return Compared(name, None, errors_of_evaluation(found, None))
