"""Crowd: the entries of a large job are given out as others of it end, and none is left behind."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.crowd import OPEN_PER_CORE, STALE_S, Crowd
from pnode.protocol.events import CancelJob
from pnode.protocol.ids import JobId
from pnode.protocol.jobstate import Phase, UnitKey

from .partners import Circle, spec, task

JOB = JobId(b"j" * 16)


def come(crowd: Crowd, *numbers: int, cores: int = 1, now: float = 0.0) -> list[int]:
    """Which of these entries may be given out."""
    return [number for number in numbers if crowd.admits(JOB, (number, 0), cores, now)]


def test_so_many_are_given_out_that_every_core_has_enough() -> None:
    crowd = Crowd()

    assert come(crowd, *range(1000), cores=2) == list(range(2 * OPEN_PER_CORE))


def test_others_follow_several_at_a_time_when_some_have_ended() -> None:
    crowd = Crowd()
    come(crowd, *range(1000))

    batches = [crowd.ended(JOB, (number, 0), 0.0) for number in range(OPEN_PER_CORE)]

    let_in = [batch for batch in batches if batch]
    assert all(len(batch) >= OPEN_PER_CORE // 4 for batch in let_in)
    assert [key for batch in let_in for key in batch] == [
        (OPEN_PER_CORE + number, 0) for number in range(sum(map(len, let_in)))
    ]


def test_what_was_never_given_out_here_lets_nobody_in() -> None:
    crowd = Crowd()
    come(crowd, *range(1000))

    assert [crowd.ended(JOB, (number, 0), 0.0) for number in range(500, 1000)] == [[]] * 500
    assert crowd.ended(JobId(b"k" * 16), (0, 0), 0.0) == []


def test_when_nothing_is_heard_all_are_given_out_and_those_that_come_later_too() -> None:
    crowd = Crowd()
    come(crowd, *range(200), now=5.0)

    assert crowd.deadline == 5.0 + STALE_S
    assert crowd.stale(5.0 + STALE_S / 2) == []
    assert crowd.stale(5.0 + STALE_S) == [(JOB, [(number, 0) for number in range(OPEN_PER_CORE, 200)])]
    assert crowd.deadline == math.inf
    assert come(crowd, *range(200, 1000)) == list(range(200, 1000))


def test_as_long_as_some_end_the_others_wait() -> None:
    crowd = Crowd()
    come(crowd, *range(200))
    crowd.ended(JOB, (0, 0), 1.0)

    assert crowd.deadline == 1.0 + STALE_S


def test_of_a_job_that_is_over_nobody_waits() -> None:
    crowd = Crowd()
    come(crowd, *range(200))

    crowd.over(JOB)

    assert crowd.deadline == math.inf
    assert crowd.ended(JOB, (0, 0), 0.0) == []


@given(st.integers(1, 400), st.integers(1, 3), st.randoms(use_true_random=False))
def test_all_are_given_out_in_the_end_in_whatever_order_they_end(count: int, cores: int, rng: object) -> None:
    crowd = Crowd()
    under_way: list[UnitKey] = [(number, 0) for number in come(crowd, *range(count), cores=cores)]
    through = 0

    while under_way:
        ended = under_way.pop(rng.randrange(len(under_way)))  # type: ignore[attr-defined]
        through += 1
        due = crowd.ended(JOB, ended, 0.0)
        under_way += [(number, 0) for number in come(crowd, *(number for number, _ in due), cores=cores)]

    assert through == count
    assert crowd.deadline == math.inf


@pytest.mark.parametrize("seconds", [0.001, 10.0])
def test_a_large_job_is_done_whether_its_tasks_are_short_or_long(seconds: float) -> None:
    circle = Circle("ann", "bob")
    count = 3 * OPEN_PER_CORE
    circle.submit("ann", spec(*(task(f"t{number}", final=False) for number in range(count)), task("last")))

    first = [sum(len(partner.held) for partner in circle.partners.values())]
    while any(partner.running for partner in circle.partners.values()):
        for name, partner in circle.partners.items():
            if partner.running:
                circle.end(name, next(iter(partner.running)).task)
        circle.run(seconds)

    assert first == [2 * OPEN_PER_CORE]
    assert circle["ann"].job.state.phase is Phase.DONE


def test_entries_that_have_waited_are_put_away_with_their_job() -> None:
    circle = Circle("ann")
    circle.submit("ann", spec(*(task(f"t{number}") for number in range(2 * OPEN_PER_CORE))))

    circle.ask("ann", lambda number: CancelJob(number, circle["ann"].job.id))

    assert circle["ann"].jobs.placing.deadline == math.inf
    assert circle["ann"].held == []
