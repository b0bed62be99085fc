"""`cnnbench template`: the cluster's and the containers' files, as they lie in this package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from cnnbench.config.fields import require
from cnnbench.config.shell import TEMPLATES, TemplateConfig
from cnnbench.runtime.files import writing

FILES = {
    "slurm": ("one_node.sbatch", "several_nodes.sbatch", "sweep.sbatch"),
    "torchrun": ("elastic.sbatch",),
    "docker": ("Dockerfile",),
    "apptainer": ("apptainer.def",),
    "conda": ("environment.yml",),
}


def write_template(config: TemplateConfig) -> None:
    """Write the files of a template, and print what each is for; or list the templates. Raises UserError where one of
    the files is there already."""
    if config.name is None:
        for name, about in TEMPLATES.items():
            print(f"{name:<12}{about.help}: {', '.join(FILES[name])}")
        print("cnnbench template NAME writes one into this folder, or into output=FOLDER")
        return
    folder = Path(config.output).expanduser()
    for name in FILES[config.name]:
        require(not (folder / name).exists(), f"{folder / name} is there already: give output=FOLDER")
    for name in FILES[config.name]:
        text = files("cnnbench.cli.templates").joinpath(name).read_text(encoding="utf-8")
        with writing(folder / name):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        first = next(line for line in text.splitlines() if line.startswith("# "))
        print(f"{folder / name}: {first.removeprefix('# ')}")
