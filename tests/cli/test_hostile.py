"""Nothing that is read, a config or an override, can run code."""

from __future__ import annotations

import pytest

from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import run
from cnnbench.runs.config import load_config
from cnnbench.runtime.errors import UserError


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir [{ran}]",
        "run: !!python/object/apply:os.mkdir [{ran}]",
        "run: !!python/name:os.mkdir",
        "- 1",
        "42",
        "",
    ],
)
def test_a_config_file_cannot_run_code(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text.format(ran=tmp_path / "ran"))
    with pytest.raises(UserError, match=r"config\.yaml is"):
        load_config(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "word",
    [
        "+hydra.callbacks.evil={{_target_:os.mkdir,path:{ran}}}",
        "+hydra.callbacks.evil._target_=os.mkdir",
        "hydra.launcher._target_=os.mkdir",
        "arch.options={{_target_:os.mkdir}}",
    ],
)
def test_an_override_cannot_run_code(tmp_path, word):
    with pytest.raises(UserError, match="never code"):
        run(COMMANDS["train"], [word.format(ran=tmp_path / "ran")])
    assert not (tmp_path / "ran").exists()
