"""`cnnbench template` and `cnnbench completion`: their keys."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.fields import Kind, check_fields, given, key
from cnnbench.config.written import FOLDER, check_written

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
    if config.name is not None:
        check_written("output", config.output, FOLDER)


def check_completion(config: CompletionConfig) -> None:
    """Raise UserError for another shell."""
    check_fields(config)
    given(config.shell, f"no shell is given: `cnnbench completion SHELL`, one of {', '.join(SHELLS)}")
