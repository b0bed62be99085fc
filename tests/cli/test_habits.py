"""Words of other harnesses: each is answered, and what is suggested is accepted by the real composition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import composing
from cnnbench.cli.habits import answer_to
from cnnbench.cli.run import refusal
from cnnbench.cli.synonyms import COMMANDS as COMMANDS_OF_OTHERS
from cnnbench.cli.synonyms import SYNONYMS
from cnnbench.cli.units import UNITS, normal
from cnnbench.config.fields import entries

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
TRAIN = COMMANDS["train"]
BASE = ["recipe=quick", "arch=resnet50", "batch=64"]  # with pretrained weights, batch normalisation and residual blocks

NEEDED = {"optimizer.betas": ["optimizer=adam"]}  # of an optimiser that the word does not name


def suggestions() -> Iterator[str]:
    """What the table suggests, for the sample value of each row and for each value of its own, once."""
    found = set()
    for synonym in SYNONYMS:
        for word in synonym.words.split():
            for value in (synonym.sample, *synonym.cases):
                answer = answer_to(TRAIN, word, value)
                found.add(answer.here if answer is not None else "")
    return iter(sorted(found - {""}))


def refused(texts: list[str]) -> str | None:
    """Why a command line with all of `texts` is refused; None if it is accepted."""
    words = [word for text in texts for word in (*NEEDED.get(text.partition("=")[0], []), *text.split())]
    chosen = {word.partition("=")[0] for word in words}
    return refusal(TRAIN, [*(word for word in BASE if word.partition("=")[0] not in chosen), *words])


def test_every_suggestion_is_accepted_by_the_real_composition(monkeypatch):
    """Several at once, which takes a third of the time; where they do not go together, each by itself."""
    monkeypatch.setattr("cnnbench.config.loggers.find_spec", lambda name: object())  # wandb need not be installed
    texts = list(suggestions())
    count = len(texts) // 4
    with composing(TRAIN):
        unsure = [text for pack in range(count) if refused(texts[pack::count]) for text in texts[pack::count]]
        assert {text: why for text in unsure if (why := refused([text]))} == {}
    assert len(texts) > 100


@pytest.mark.parametrize("synonym", SYNONYMS, ids=lambda synonym: synonym.words.split()[0])
def test_each_row_answers_and_says_something_of_its_own(synonym):
    known, answers = entries(TRAIN.schema), []
    for word in synonym.words.split():
        assert word == normal(word)
        answer = answer_to(TRAIN, word, synonym.sample)
        assert answer is not None or word in known, f"{word}={synonym.sample} is not answered"
        answers.append(answer)
    assert any(answers)
    assert synonym.unit in UNITS
    assert "{}" not in synonym.here or synonym.sample


def test_no_word_has_two_rows():
    words = [word for synonym in SYNONYMS for word in synonym.words.split()]
    assert sorted(words) == sorted({*words})


def test_a_command_of_others_names_one_of_ours():
    for ours in COMMANDS_OF_OTHERS.values():
        assert ours.split()[0].rstrip(":") in COMMANDS or ours.startswith("data=")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train lr=0.1 recipe=quick", "unknown key 'lr', did you mean optimizer.lr=0.1? (it is stated at"),
        ("train --lr 0.1 recipe=quick", "unknown option '--lr', did you mean optimizer.lr=0.1?"),
        ("train -b 64 -j 4 recipe=quick", "in all: cnnbench train batch=64 data.workers=4 recipe=quick"),
        ("train --amp recipe=quick", "unknown option '--amp', did you mean precision=auto?"),
        ("train --no-amp recipe=quick", "did you mean precision=float32?"),
        ("train --epochs 3 recipe=quick", "unknown option '--epochs', did you mean epochs=3?"),
        ("train -cn train", "unknown option '-cn': each command has its own config"),
        ("train +experiment=quick", "did you mean recipe=quick?"),
        ("train trainer.precision=16 recipe=quick", "did you mean precision=fp16?"),
        ("train trainer.precision=bf16 recipe=quick", "did you mean precision=bf16?"),
        ("train model.optimizer.lr=0.1 recipe=quick", "did you mean optimizer.lr=0.1?"),
        ("train precision=16-mixed recipe=quick", "precision=16-mixed is unknown, did you mean precision=fp16?"),
        ("train max_duration=10ep recipe=quick", "did you mean epochs=10?"),
        ("train max_duration=100ba recipe=quick", "unknown key 'max_duration': it is given in epochs here"),
        ("train max_time=01:12:30:00 recipe=quick", "did you mean max_hours=36.5?"),
        ("train arch=ResNet-50", "arch=ResNet-50 is unknown, did you mean arch=resnet50?"),
        ("train model=resnet50.a1_in1k", "unknown key 'model', did you mean arch=resnet50?"),
        ("train model=vit_b_16", "unknown key 'model': here it is arch=vit_b_16, but arch has no option"),
        ("train pretrained=true", "here it is weights=torchvision, but weights=torchvision: torchvision has"),
        ("train momentum=0.9 optimizer=adam recipe=quick", "here it is optimizer.momentum=0.9, but optimizer.momentum"),
        ("train auto_augment=rand-m9-mstd0.5 recipe=quick", "augment.policy.magnitude=9 augment.policy.magnitude_std"),
        ("train autoaugment=true recipe=quick", "augment.policy.kind=autoaugment?"),
        ("train lr_scheduler=onecycle recipe=quick", "did you mean schedule=one_cycle?"),
        ("train dataset=cifar10 recipe=quick", "unknown key 'dataset': give data=FOLDER with the data set's own files"),
        ("train gpus=[0,1] recipe=quick", "did you mean processes=2?"),
        ("train input_size=[3,64,64] recipe=quick", "did you mean image_size=64?"),
        ("train lr=0.1,0.2 -m recipe=quick", "did you mean optimizer.lr=0.1,0.2?"),
        ("train resume=auto", "unknown key 'resume': the same command with the same run=NAME continues"),
        ("train resnet50", "cannot read 'resnet50', did you mean arch=resnet50?"),
        ("data check /tmp", "cannot read '/tmp', did you mean data=/tmp?"),
        ("eval lr=0.1", "unknown key 'lr': `cnnbench eval` has none, and in `cnnbench train` it is optimizer.lr=0.1"),
        ("describe model=resnet50", "unknown key 'model', did you mean arch=resnet50?"),
        ("fit recipe=quick", "'fit' is no command here, did you mean cnnbench train?"),
    ],
)  # fmt: skip
def test_what_is_said(command, words, said):
    done = command(*words.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


@pytest.mark.parametrize("page", sorted(DOCS.glob("coming-from-*.md")), ids=lambda page: page.stem)
def test_the_pages_for_those_who_come_from_elsewhere_say_what_is_said(page, command):
    block = page.read_text().rpartition("```\n$ ")[2].partition("\n```")[0]
    answers = [part.partition("\n") for part in block.split("\n$ ")]
    assert len(answers) == 3
    for line, _, said in answers:
        assert command(*line.removeprefix("cnnbench ").split()).stderr.split() == said.split()
