"""`cnnbench data check`: what is wrong, and what is odd, with a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.config.data_commands import CheckConfig
from cnnbench.data.commands.findings import (
    PROBLEMS,
    REMARKS,
    WORDNET_ID,
    Checked,
    Found,
    check_files,
    compare_classes,
    find_duplicates,
    is_ilsvrc,
    wrong_counts,
)
from cnnbench.data.layouts.read import read_split
from cnnbench.runtime.errors import printable
from cnnbench.runtime.files import write_json, writing
from cnnbench.runtime.shell import counted

SHOWN = 5  # examples of each kind on the terminal
PERCENTILES = (0, 5, 25, 50, 75, 95, 100)


def check(config: CheckConfig) -> None:
    """Print a report, and write it as JSON to config.report; leave with exit status 1 if there are problems.

    An interrupted check goes on where it was, if the same command is given again.
    """
    found: Found = {kind: [] for kind in [*PROBLEMS, *REMARKS]}
    checked: dict[str, Checked] = {}
    for name in config.splits:
        split = read_split(config.data, name, anew=True)
        checked[name] = check_files(name, split, config.workers, found)
        found["counts"] += wrong_counts(name, split)
    compare_classes(checked, found)
    find_duplicates(checked, found)
    summaries = {name: _summary(name, result) for name, result in checked.items()}
    for name, summary in summaries.items():
        print(_in_words(name, config.data.given_path, summary))
    for title, kinds in (("problems", PROBLEMS), ("remarks", REMARKS)):
        if any(found[kind] for kind in kinds):
            print(_listed(title, kinds, found, config.report))
    problems = sum(len(found[kind]) for kind in PROBLEMS)
    if config.report is not None:
        _write_report(config, config.report, summaries, found, problems)
    print(f"{problems:,} problems" if problems else "no problems")
    if problems:
        raise SystemExit(1)


def _summary(name: str, result: Checked) -> dict[str, Any]:
    """The figures of one split, for the report."""
    counts = np.bincount(result.split.labels, minlength=len(result.split.classes))
    known = result.widths > 0
    measures = {
        "width": result.widths[known],
        "height": result.heights[known],
        "kilobytes": result.sizes[result.sizes > 0] / 1000,
        "megapixels": result.widths[known] * result.heights[known] / 1e6,
    }
    return {
        "images": len(result.split),
        "account": result.split.account.in_words(len(result.split)),
        "bytes": int(result.sizes.sum()),
        "looks_like_ilsvrc": is_ilsvrc(result.split),
        "wordnet_ids": all(map(WORDNET_ID.match, result.split.classes)),
        "per_class": dict(zip(result.split.classes, counts.tolist(), strict=True)),
        "formats": dict(result.formats.most_common()),
        "modes": dict(result.modes.most_common()),
        "percentiles": {
            measure: {str(p): float(np.percentile(values, p)) for p in PERCENTILES}
            for measure, values in measures.items()
            if len(values)
        },
    }


def _in_words(name: str, path: str, summary: dict[str, Any]) -> str:
    counts = list(summary["per_class"].values())
    if summary["looks_like_ilsvrc"]:
        kind = "as many as ILSVRC's"
    else:
        kind = "WordNet ids, not all of ILSVRC's" if summary["wordnet_ids"] else "own classes, not WordNet ids"
    lines = [
        f"{name}: {counted(summary['images'], 'image')} of {printable(path)}, {summary['bytes'] / 1e9:,.3f} GB",
        f"  files       {printable(summary['account'])}",
        f"  classes     {len(counts):,} ({kind}), {min(counts):,} to {max(counts):,} images in each",
    ]
    for title in ("formats", "modes"):
        lines.append(f"  {title:<12}" + ", ".join(f"{word} {count:,}" for word, count in summary[title].items()))
    lines.append(" " * 14 + "".join(f"{_percentile(p):>10}" for p in PERCENTILES))
    for measure, values in summary["percentiles"].items():
        lines.append(f"  {measure:<12}" + "".join(f"{value:>10,.4g}" for value in values.values()))
    return "\n".join([*lines, ""])


def _percentile(p: int) -> str:
    return {0: "least", 50: "median", 100: "most"}.get(p, f"{p} %")


def _listed(title: str, kinds: dict[str, str], found: Found, report: str | None) -> str:
    """What was found of `kinds`, some examples of each."""
    lines = []
    for kind, sentence in kinds.items():
        if items := found[kind]:
            lines.append(f"  {len(items):,} {sentence}")
            lines += [f"    {printable(name)}: {printable(detail)}" for name, detail in items[:SHOWN]]
            if len(items) > SHOWN:
                lines.append(f"    and {len(items) - SHOWN:,} more" + ("" if report else ": report=FILE lists them"))
    return "\n".join([f"{title}:", *lines, ""])


def _write_report(
    config: CheckConfig,
    report: str,
    summaries: dict[str, dict[str, Any]],
    found: Found,
    problems: int,
) -> None:
    def listed(kinds: dict[str, str]) -> dict[str, list[dict[str, str]]]:
        return {k: [{"name": name, "detail": detail} for name, detail in found[k]] for k in kinds if found[k]}

    content = {
        "data": config.data.path,
        "count_of_problems": problems,
        "splits": summaries,
        "problems": listed(PROBLEMS),
        "remarks": listed(REMARKS),
    }
    with writing(report):
        write_json(Path(report).expanduser(), content)
    print(f"report: {report}")
