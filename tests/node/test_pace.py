"""Pace: the best speed that a machine has ever shown."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from pnode.node import pace
from pnode.node.journal import Journal, JournalFile
from pnode.node.pace import best_speed


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(JournalFile(tmp_path / "journal.db"))
    yield opened
    trio.run(opened.aclose)


def best(journal: Journal, found: float) -> float:
    """After a start at which so much was measured."""
    return trio.run(partial(best_speed, journal, measure=lambda: found))


def test_the_best_of_all_starts_counts(journal: Journal) -> None:
    assert [best(journal, found) for found in (0.7, 1.0, 0.6, 1.005)] == [0.7, 1.0, 1.0, 1.0]


def test_another_processor_begins_anew(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    best(journal, 2.0)
    monkeypatch.setattr(pace, "machine_key", lambda: b"another")

    assert best(journal, 0.5) == 0.5
    assert [key for key, _ in journal.rows(pace.TABLE)] == [b"another"]


def test_a_machine_is_the_same_from_one_start_to_the_next() -> None:
    assert pace.machine_key() == pace.machine_key()
