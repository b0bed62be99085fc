"""`cnnbench report`: runs beside each other and beside what is published, as a page, Markdown, CSV and plots."""

from __future__ import annotations

from pathlib import Path

from cnnbench import __version__
from cnnbench.analysis.bench.read import read_bench
from cnnbench.analysis.report.build import build_report, results_csv
from cnnbench.analysis.report.html import page
from cnnbench.analysis.report.latex import latex
from cnnbench.analysis.report.markdown import markdown
from cnnbench.analysis.report.results import results_of, summary_table
from cnnbench.analysis.report.run import Run, find_runs
from cnnbench.analysis.tables import render
from cnnbench.config.analyse import ReportConfig
from cnnbench.runtime.files import write_text, writing
from cnnbench.runtime.foreign import foreign
from cnnbench.runtime.provenance import now

BESIDE = ("report.md", "results.csv", "tables.tex", "plots/")  # what lies beside the page
MOST_NAMES = 4  # runs that a heading names; more are counted


def report_command(config: ReportConfig) -> None:
    """Write the report, print the errors and where it lies."""
    found, unread = write_report(config)
    print(render(summary_table([result for run in found for result in results_of(run)])))
    print(f"\nreport      {Path(config.output).expanduser() / 'report.html'}, {', '.join(BESIDE)}")
    for sentence in unread:
        print(f"left out    {sentence}")


def write_report(config: ReportConfig) -> tuple[list[Run], list[str]]:
    """Write the report; its runs, and a sentence for each that was left out. Raises UserError."""
    found, unread = find_runs(config.runs)
    measured = read_bench(config.bench)
    from cnnbench.analysis.report.plots import draw_plots, file_names
    from cnnbench.analysis.report.sheets import draw_sheets

    names = [run.name for run in found]
    title = config.title or (f"cnnbench: {', '.join(names) if len(names) <= MOST_NAMES else f'{len(names)} runs'}")
    foot = f"Written by cnnbench {__version__} at {now()}."
    folder = Path(config.output).expanduser()
    with writing(folder):
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        with foreign(f"what the runs {', '.join(names)} have written", passing=(OSError,)):
            pictures = draw_plots(found, folder / "plots", measured["rows"])
            pictures += draw_sheets(found, file_names(found), folder / "plots")
            report = build_report(found, measured["tables"], pictures, title, unread)
            lines = results_csv(found)
            texts = {
                "report.html": page(report, foot),
                "report.md": markdown(report, folder, foot),
                "results.csv": lines,
                "tables.tex": latex(report, foot),
            }
        for name, text in texts.items():
            write_text(folder / name, text)
    return found, unread
