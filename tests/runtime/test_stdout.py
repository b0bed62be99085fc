"""Output that cannot be written ends a command in a sentence, and training not at all."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from cnnbench.runtime import stdout
from cnnbench.runtime.errors import UserError


class Full(io.StringIO):
    """A stream that takes ten letters."""

    def write(self, text: str) -> int:
        if len(self.getvalue()) + len(text) > 10:
            raise OSError(28, "No space left on device")
        return super().write(text)


def say(text: str, times: int = 1, name: str = "stdout") -> list[int]:
    """Print `text` so often; how often it was gone on after."""
    done = []
    for number in range(times):
        print(text, file=getattr(sys, name), flush=True)
        done.append(number)
    return done


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_block_whose_output_may_be_lost_goes_on_and_says_so_at_its_end(monkeypatch, name):
    full = Full()
    monkeypatch.setattr(sys, name, full)
    done: list[int] = []
    said = r"^the work is done, but standard \w+ could not be written: No space left on device"
    with pytest.raises(UserError, match=said), stdout.may_be_lost("the work"):
        done += say("four", 5, name)
    assert done == [*range(5)]
    assert full.getvalue() == "four\nfour\n"
    assert getattr(sys, name) is full
    with pytest.raises(ZeroDivisionError), stdout.may_be_lost("the work"):
        1 / len(say("four", 0, name))
    with pytest.raises(UserError, match="is done, but"), stdout.watched(), stdout.may_be_lost("the work"):
        say("more than ten letters", 1, name)


def test_a_block_that_is_watched_ends_with_standard_output_and_not_with_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Full())
    done: list[int] = []
    with pytest.raises(stdout.OutputLost, match="No space left"), stdout.watched():
        done += say("more than ten letters")
    assert done == []
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", Full())
    with stdout.watched():
        done += say("more than ten letters", 1, "stderr")
    assert done == [0]


@pytest.mark.parametrize("how", ["full", "closed"])
def test_a_command_without_output_is_one_sentence(how):
    """Also where no stream is open: a file of the command must not get the number of one."""
    code = (
        "import os; from cnnbench.cli.main import main; from cnnbench.cli import main as module\n"
        "module._run = lambda words: (print('x' * 100_000), os._exit(9))\n"
        "main([])"
    )
    redirect = {"full": ">/dev/full", "closed": ">&- <&-"}[how]
    words = ["sh", "-c", f'"$0" -c "$1" {redirect}', sys.executable, code]
    done = subprocess.run(words, capture_output=True, text=True)
    why = {"full": "No space left on device", "closed": "Bad file descriptor"}[how]
    assert (done.returncode, done.stderr) == (2, f"cnnbench: cannot write to standard output: {why}\n")


def test_what_has_its_result_in_a_file_goes_on_without_output(command, small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(stdout, "open_closed", lambda: setattr(sys, "stdout", Full()))
    words = f"train data={small_data} arch=lenet recipe=quick batch=20 epochs=1 data.workers=0 logger=[] run=r"
    done = command(*words.split())
    said = "cnnbench: the training is done, but standard output could not be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert '"state": "complete"' in (tmp_path / "runs/r/status.json").read_text()
    assert command("eval", "run=r").stderr == said.replace("training", "evaluation")
    assert '"wrong_top1"' in (tmp_path / "runs/r/eval-center.json").read_text()
    done = command("eval", "arch=lenet", f"data={small_data}", "weights=runs/r/checkpoints/last.pt")
    assert done.stderr == "cnnbench: cannot write to standard output: No space left on device\n"
