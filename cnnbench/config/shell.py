"""`cnnbench template` and `cnnbench completion`: their keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnbench.config.fields import Kind, check_fields, given, key, require

TEMPLATES = {
    "slurm": Kind("batch files: one node, several nodes, a sweep"),
    "torchrun": Kind("a batch file that starts torchrun on each node, and dead processes again"),
    "docker": Kind("a Dockerfile"),
    "apptainer": Kind("a definition file, for clusters without root"),
    "conda": Kind("an environment file"),
}
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class TemplateConfig:
    name: str | None = key(
        "what to write; `template NAME` is short for `template name=NAME`; null: list them", None, kinds=TEMPLATES
    )
    output: str = key("folder to write into", ".")


@dataclass(frozen=True)
class CompletionConfig:
    shell: str | None = key("the shell; `completion bash` is short for `completion shell=bash`", None, choices=SHELLS)


def check_template(config: TemplateConfig) -> None:
    """Raise UserError for a template that there is not, or a file in the place of the folder."""
    check_fields(config)
    output = Path(config.output).expanduser()
    require(not output.exists() or output.is_dir(), f"output={config.output} is a file: give output=FOLDER")


def check_completion(config: CompletionConfig) -> None:
    """Raise UserError for another shell."""
    check_fields(config)
    given(config.shell, f"no shell is given: `cnnbench completion SHELL`, one of {', '.join(SHELLS)}")
