"""A short form of tools/two_users.py: what another user tries against a run of two processes, and one closed folder."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import two_users

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not two_users.able(), reason="only root can be two users, and setpriv has to be there"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folder, which is closed to others: nothing within it would be looked at."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_another_user_opens_changes_and_stops_nothing_of_a_run(folder):
    run = two_users.start(folder, "train", *two_users.RUN, "epochs=1000", "run=attacked")
    try:
        rows = list(two_users.attempts(folder, run))
        assert len(rows) == 5
        assert [(what, wrong) for what, _, wrong in rows if wrong] == []
        assert run.poll() is None
    finally:
        run.terminate()
        run.communicate()
    open_to_all = folder / "open"
    open_to_all.touch()
    open_to_all.chmod(0o666)
    assert two_users.as_other(two_users.changed, [str(open_to_all)]) == [f"write {open_to_all}"], "it would be seen"


def test_a_data_folder_that_another_user_has_closed_is_one_sentence(folder):
    (folder / "data/train").mkdir(parents=True)
    with two_users.owned(folder / "data", 0o700):
        done = two_users.ours(folder, "data", "check", "data=data", "workers=0")
    assert two_users.unlike_a_refusal(done) == []
