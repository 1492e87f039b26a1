"""Pace: the best speed that a machine has ever shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from pnode.node import pace
from pnode.node.journal import Journal, JournalFile
from pnode.node.pace import SETTLED_S, UNKNOWN, Pace, measured
from pnode.protocol.events import SpeedMeasured


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(JournalFile(tmp_path / "journal.db"))
    yield opened
    trio.run(opened.aclose)


def news(journal: Journal, found: float) -> float | None:
    """What a start at which so much is measured has to tell."""

    async def measure() -> float:
        return found

    return trio.run(Pace(journal).improve, measure)


def best(journal: Journal, found: float) -> float:
    """What is known after such a start."""
    news(journal, found)
    return Pace(journal).best


def test_the_best_of_all_starts_counts(journal: Journal) -> None:
    assert [best(journal, found) for found in (0.7, 1.0, 0.6, 1.005)] == [0.7, 1.0, 1.0, 1.0]


def test_another_processor_begins_anew(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    best(journal, 2.0)
    monkeypatch.setattr(pace, "machine_key", lambda: b"another")

    assert best(journal, 0.5) == 0.5
    assert [key for key, _ in journal.rows(pace.TABLE)] == [b"another"]


def test_a_machine_is_the_same_from_one_start_to_the_next() -> None:
    assert pace.machine_key() == pace.machine_key()


def test_nothing_is_known_before_the_first_measurement(journal: Journal) -> None:
    assert Pace(journal).best == UNKNOWN


def test_what_is_no_better_is_no_news_except_for_the_first(journal: Journal) -> None:
    assert [news(journal, found) for found in (0.7, 0.6, 0.705, 0.9)] == [0.7, None, None, 0.9]


def test_the_core_is_told_once_the_start_is_over(journal: Journal, autojump_clock: trio.testing.MockClock) -> None:
    told: list[tuple[float, SpeedMeasured]] = []

    async def found() -> float:
        return 2.0

    async def start() -> None:
        await Pace(journal).tell(lambda event: told.append((trio.current_time(), event)), 0.5, found)

    trio.run(start, clock=autojump_clock)

    assert [(at >= SETTLED_S, event) for at, event in told] == [(True, SpeedMeasured(1.0))]


def test_a_speed_that_cannot_be_measured_changes_nothing(
    journal: Journal, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[SpeedMeasured] = []

    async def broken() -> float:
        raise OSError("no more processes")

    trio.run(Pace(journal).tell, told.append, 1.0, broken, clock=autojump_clock)

    assert told == []
    assert "no more processes" in caplog.text


def test_a_process_of_its_own_measures() -> None:
    assert 1e-3 < trio.run(measured) < 1e3
