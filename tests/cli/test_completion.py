"""What the shell is offered: commands, keys, groups and values; and bash itself, with the script."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cnnbench.cli import main as cli
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.completion import SCRIPTS, completions
from cnnbench.config.shell import SHELLS


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("cnnbench tra", ["train"]),
        ("cnnbench data pa", ["pack"]),
        ("cnnbench train ar", ["arch=", "arch."]),
        ("cnnbench train optimizer.k", ["optimizer.kind="]),
        ("cnnbench train optimizer.kind=la", ["optimizer.kind=lars", "optimizer.kind=lamb"]),
        ("cnnbench train epochs=3 schedule=co", ["schedule=constant", "schedule=cosine"]),
        ("cnnbench train compile=", ["compile=true", "compile=false"]),
        ("cnnbench train logger=", ["logger=[tensorboard", "logger=[wandb", "logger=[trace"]),
        ("cnnbench train logger=[trace,t", ["logger=[trace,tensorboard", "logger=[trace,trace"]),
        ("cnnbench train data=s", ["data=sample", "data=synthetic"]),
        ("cnnbench train --m", ["--multirun"]),
        ("cnnbench eval v", ["vgg16"]),
        ("cnnbench eval run=", ["run=vgg16"]),
        ("cnnbench report runs=[", ["runs=[vgg16"]),
        ("cnnbench lecture small_filters_", ["small_filters_trained"]),
        ("cnnbench completion b", ["bash"]),
        ("cnnbench train 'run=a", []),
        ("cnnbench nothing x", []),
        ("cnnbench train weights=", []),
        ("cnn", []),
    ],
)
def test_what_is_offered(line, offered, tmp_path, monkeypatch):
    (tmp_path / "runs/vgg16").mkdir(parents=True)
    (tmp_path / "runs/vgg16/config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert completions(line) == offered


def test_every_command_is_offered(monkeypatch):
    assert {*completions("cnnbench ")} == {name.split()[0] for name in COMMANDS}
    for name in COMMANDS:
        assert completions(f"cnnbench {name} "), name


def test_the_command_line_answers_without_hydra_or_torch():
    code = (
        "import os, sys; os.environ['_CNNBENCH_COMPLETE'] = 'cnnbench train arch=vgg1'\n"
        "from cnnbench.cli.main import main; main([])\n"
        "assert not {'torch', 'hydra', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[0]) == (0, "arch=vgg11"), done.stderr


def test_bash_completes_the_word_at_the_cursor(tmp_path):
    script = f"""
        cnnbench() {{ {sys.executable} -m cnnbench "$@"; }}
        compopt() {{ :; }}
        {SCRIPTS["bash"]}
        COMP_LINE="cnnbench train optimizer.kind=la"; COMP_POINT=${{#COMP_LINE}}
        _cnnbench
        echo "${{COMPREPLY[@]}}"
    """
    root = Path(cli.__file__).parents[2]
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=root)
    assert done.stdout.split() == ["lars", "lamb"], done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_completes_the_word_at_the_cursor():
    words = f'function cnnbench; {sys.executable} -m cnnbench $argv; end; {SCRIPTS["fish"]}; complete -C "cnnbench ev"'
    root = Path(cli.__file__).parents[2]
    done = subprocess.run(["fish", "-N", "-c", words], capture_output=True, text=True, cwd=root)
    assert done.stdout.split() == ["eval"], done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_takes_its_script(command, tmp_path, shell):
    done = command("completion", shell)
    assert done.stdout == SCRIPTS[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    (tmp_path / "script").write_text(done.stdout)
    assert subprocess.run([shell, "-n", tmp_path / "script"], capture_output=True).returncode == 0


def test_a_shell_is_needed(command):
    assert "no shell is given" in command("completion").stderr
    assert "did you mean bash" in command("completion", "bsh").stderr
