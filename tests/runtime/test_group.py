"""What the environment says of a group, whole, in part, and in contradiction."""

from __future__ import annotations

import pytest

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import Place, leads, place_in_group, speaks_for_machine

WHOLE = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
LOCAL = {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in WHOLE.items() if name not in names}


def test_a_launcher_says_all():
    assert place_in_group(WHOLE | LOCAL) == Place(1, 4, 1, 2)
    assert place_in_group(WHOLE) == Place(1, 4, 0, 4)
    assert place_in_group(WHOLE | {"LOCAL_WORLD_SIZE": "4"}) == Place(1, 4, 0, 4, one_machine=True)
    assert place_in_group(WHOLE | {"RANK": "1".zfill(5000)}) == Place(1, 4, 0, 4)
    assert place_in_group(WHOLE | {"RANK": "0", "WORLD_SIZE": "1"}) == Place(0, 1, 0, 1), "torchrun with one process"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        LOCAL,
        {"MASTER_ADDR": "node1", "MASTER_PORT": "29500"},
        {"RANK": "", "WORLD_SIZE": ""},
        {"WORLD_SIZE": "1"},
        {"RANK": "0", "WORLD_SIZE": "1"},
        {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost"},
    ],
)
def test_a_process_is_alone(environment):
    assert place_in_group(environment) is None
    assert leads(environment)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"RANK": "1"}, "RANK is set, but WORLD_SIZE and MASTER_ADDR and MASTER_PORT are not"),
        (
            {"RANK": "0"},
            "RANK is set, but WORLD_SIZE and MASTER_ADDR and MASTER_PORT are not: to run alone, `unset RANK`",
        ),
        ({"WORLD_SIZE": "4"}, "WORLD_SIZE is set, but RANK and MASTER_ADDR and MASTER_PORT are not"),
        (
            without("MASTER_ADDR"),
            "RANK and WORLD_SIZE and MASTER_PORT are set, but MASTER_ADDR is not: .*`unset RANK WORLD_SIZE M",
        ),
        (without("MASTER_PORT"), "but MASTER_PORT is not"),
        (without("RANK"), "but RANK is not"),
        (without("WORLD_SIZE"), "but WORLD_SIZE is not"),
        (WHOLE | {"RANK": "4"}, "RANK=4 is not below WORLD_SIZE=4"),
        ({"RANK": "1", "WORLD_SIZE": "1"}, "RANK=1 is not below WORLD_SIZE=1"),
        (WHOLE | {"WORLD_SIZE": "0"}, "RANK=1 is not below WORLD_SIZE=0"),
        (WHOLE | {"RANK": "-1"}, "RANK=-1 is out of range, 0 to 4294967295"),
        (WHOLE | {"RANK": "one"}, "RANK=one is not a whole number"),
        (WHOLE | {"WORLD_SIZE": "4.0"}, r"WORLD_SIZE=4\.0 is not a whole number"),
        (WHOLE | {"MASTER_PORT": "tcp"}, "MASTER_PORT=tcp is not a whole number"),
        (WHOLE | {"LOCAL_RANK": "x"}, "LOCAL_RANK=x is not a whole number"),
        (WHOLE | {"LOCAL_WORLD_SIZE": "0"}, "LOCAL_WORLD_SIZE=0 is less than 1"),
        (WHOLE | {"LOCAL_WORLD_SIZE": "5"}, "LOCAL_WORLD_SIZE=5 is more than WORLD_SIZE=4"),
        (WHOLE | {"LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "2"}, "LOCAL_RANK=2 is not below LOCAL_WORLD_SIZE=2"),
        (WHOLE | {"MASTER_PORT": "0"}, "MASTER_PORT=0 is out of range, 1 to 65535"),
        (WHOLE | {"MASTER_PORT": "65536"}, "MASTER_PORT=65536 is out of range, 1 to 65535"),
        *(
            (WHOLE | {name: "9" * 20}, f"{name}=9{{20}} is out of range, 0 to 4294967295: unset it")
            for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        ),
        (WHOLE | {"RANK": "9" * 5000}, r"RANK=9{18}\.\.\. is out of range"),
        (WHOLE | {"LOCAL_WORLD_SIZE": "²"}, "LOCAL_WORLD_SIZE=² is not a whole number"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_somebody_says_it(environment, words):
    with pytest.raises(UserError, match=words):
        place_in_group(environment)
    assert leads(environment), "nobody else would"


def test_one_of_a_group_speaks():
    assert [leads(WHOLE | {"RANK": str(rank)}) for rank in range(4)] == [True, False, False, False]


def test_a_group_of_one_machine_needs_no_address():
    file = {"CNNBENCH_GROUP": "/proc/self/fd/7", "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}
    assert place_in_group(file) == Place(1, 2, 1, 2, "/proc/self/fd/7", one_machine=True)


def test_before_the_group_has_met_one_process_of_each_machine_speaks():
    started = WHOLE | {"TORCHELASTIC_RUN_ID": "job", "LOCAL_WORLD_SIZE": "2"}
    places = [{"RANK": str(rank), "LOCAL_RANK": str(rank % 2)} for rank in range(4)]
    assert [speaks_for_machine(started | place) for place in places] == [True, False, True, False]
    assert speaks_for_machine(WHOLE | {"LOCAL_RANK": "1"}), "left in the environment by somebody: nobody else is there"
    assert speaks_for_machine(WHOLE | {"RANK": "x"})
