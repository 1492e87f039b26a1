"""The workbench: what runs next, and when a core is free."""

import pytest

from pnode.protocol.effects import Unit
from pnode.protocol.ids import JobId
from pnode.protocol.workbench import COUNTED_EACH_TIME, OVERDUE_SHARE, RECOUNT_S, Workbench


def unit(number: int) -> Unit:
    return Unit(JobId(b"j" * 16), "task", number, 1)


def bench(cores: int, *pieces: tuple[int, float, float]) -> Workbench:
    """Units 0, 1, ... as (cores, expected seconds, priority), all ready."""
    made = Workbench(cores)
    for number, (wanted, expected_s, priority) in enumerate(pieces):
        made.accept(unit(number), wanted, expected_s, priority)
        made.make_ready(unit(number))
    return made


def test_the_longest_way_to_the_end_goes_first_then_first_come() -> None:
    made = bench(4, (1, 1.0, 1.0), (1, 1.0, 5.0), (1, 1.0, 5.0), (1, 1.0, 9.0))

    assert made.take(0.0) == [unit(3), unit(1), unit(2), unit(0)]


def test_no_more_run_than_there_are_cores() -> None:
    made = bench(2, (1, 1.0, 0.0), (1, 1.0, 0.0), (1, 1.0, 0.0))

    assert len(made.take(0.0)) == 2
    assert made.take(0.0) == []
    assert (made.running, made.queued) == (2, 1)
    assert made.remove(unit(0))
    assert made.take(0.0) == [unit(2)]


def test_a_unit_that_is_not_ready_is_not_taken() -> None:
    made = Workbench(1)
    made.accept(unit(0), 1, 1.0, 0.0)

    assert made.take(0.0) == []
    assert not made.is_running(unit(0))
    made.make_ready(unit(0))
    made.make_ready(unit(0))
    assert made.take(0.0) == [unit(0)]
    assert made.is_running(unit(0))


def test_a_unit_that_is_ready_no_more_is_not_taken_until_it_is_again() -> None:
    made = bench(2, (1, 1.0, 0.0))

    made.make_unready(unit(0))

    assert made.take(0.0) == []
    made.make_ready(unit(0))
    made.make_unready(unit(0))
    made.make_ready(unit(0))
    assert made.take(0.0) == [unit(0)]
    assert made.take(0.0) == []


def test_a_large_unit_does_not_hold_up_small_ones() -> None:
    made = bench(2, (1, 1.0, 9.0), (2, 1.0, 5.0), (1, 1.0, 1.0))

    assert made.take(0.0) == [unit(0), unit(2)]
    made.remove(unit(0))
    made.remove(unit(2))
    assert made.take(0.0) == [unit(1)]


def test_a_dropped_unit_is_never_taken() -> None:
    made = bench(1, (1, 1.0, 0.0))

    assert not made.remove(unit(0))
    assert not made.remove(unit(0))
    assert made.take(0.0) == []
    assert unit(0) not in made


def test_free_time_counts_what_runs_and_what_waits() -> None:
    made = bench(2, (1, 10.0, 9.0), (1, 4.0, 5.0), (1, 3.0, 1.0))
    assert made.free_in_s(0.0) == pytest.approx(min(10.0, 4.0 + 3.0))
    made.take(0.0)

    assert made.free_in_s(1.0) == pytest.approx(min(9.0, 3.0 + 3.0))


def test_an_idle_bench_is_free_now_and_an_overdue_unit_needs_a_little_more() -> None:
    assert Workbench(3).free_in_s(5.0) == 0.0
    made = bench(1, (1, 10.0, 0.0))
    made.take(0.0)

    assert made.free_in_s(1000.0) == pytest.approx(10.0 * OVERDUE_SHARE)


def test_a_unit_of_several_cores_occupies_them_together() -> None:
    made = bench(2, (2, 5.0, 0.0))

    assert made.free_in_s(0.0) == 5.0


def test_a_long_queue_is_counted_as_exactly_when_it_grows() -> None:
    made = bench(4, *((1, 1.0, 0.0) for _ in range(3 * COUNTED_EACH_TIME)))
    before = made.free_in_s(100.0)
    made.accept(unit(999), 1, 1.0, 0.0)

    assert before == pytest.approx(3 * COUNTED_EACH_TIME / 4)
    assert made.free_in_s(100.0) == pytest.approx(3 * COUNTED_EACH_TIME / 4)
    for number in range(1000, 1004):
        made.accept(unit(number), 1, 1.0, 0.0)
    assert made.free_in_s(100.0) == pytest.approx(3 * COUNTED_EACH_TIME / 4 + 1.0)


def test_a_long_queue_that_shrinks_is_counted_anew_after_a_while() -> None:
    size = 3 * COUNTED_EACH_TIME
    made = bench(1, *((1, 1.0, 0.0) for _ in range(size)))
    made.free_in_s(0.0)
    made.remove(unit(0))

    assert made.free_in_s(0.0) == pytest.approx(size)
    assert made.free_in_s(RECOUNT_S) == pytest.approx(size - 1)
    for number in range(1, size // 2):
        made.remove(unit(number))
    assert made.free_in_s(RECOUNT_S) == pytest.approx(size - size // 2)


def test_a_full_queue_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.workbench.QUEUE_MAX", 1)

    assert not Workbench(1).full
    assert bench(1, (1, 1.0, 0.0)).full
