"""The workbench: what runs next, and when a core is free."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.effects import Unit
from pnode.protocol.ids import JobId
from pnode.protocol.turns import Piece
from pnode.protocol.workbench import COUNTED_EACH_TIME, LINE_MAX, OVERDUE_SHARE, RECOUNT_S, STALL_S, Workbench


def unit(number: int) -> Unit:
    return Unit(JobId(b"j" * 16), "task", number, 1)


def bench(cores: int, *pieces: tuple[int, float, float]) -> Workbench:
    """Units 0, 1, ... as (cores, expected seconds, due), all ready."""
    made = Workbench(cores)
    for number, (wanted, expected_s, due_s) in enumerate(pieces):
        made.accept(unit(number), wanted, expected_s, due_s)
        made.make_ready(unit(number))
    return made


def test_what_is_due_first_goes_first_then_first_come() -> None:
    made = bench(4, (1, 1.0, 9.0), (1, 1.0, 5.0), (1, 1.0, 5.0), (1, 1.0, 1.0))

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


def test_a_large_unit_does_not_hold_up_small_ones_that_end_before_its_cores_are_free() -> None:
    made = bench(2, (1, 1.0, 1.0), (2, 1.0, 5.0), (1, 1.0, 9.0))

    assert made.take(0.0) == [unit(0), unit(2)]
    made.remove(unit(0))
    made.remove(unit(2))
    assert made.take(0.0) == [unit(1)]


def test_a_large_unit_gets_its_cores_before_small_ones_that_run_for_long() -> None:
    made = bench(2, (1, 1.0, 1.0), (2, 1.0, 5.0), (1, 8.0, 9.0))

    assert made.take(0.0) == [unit(0)]
    assert made.deadline == 1.0
    made.remove(unit(0))
    assert made.take(1.0) == [unit(1)]


def test_a_large_unit_has_no_claim_on_cores_of_which_nobody_knows_when_they_will_be_free() -> None:
    made = Workbench(2)
    made.accept(unit(0), 1, 1.0, 1.0, is_guess=True)
    made.accept(unit(1), 2, 1.0, 5.0)
    made.accept(unit(2), 1, 8.0, 9.0)
    for number in range(3):
        made.make_ready(unit(number))

    assert made.take(0.0) == [unit(0), unit(2)]


def test_what_is_expected_to_be_bound_here_is_no_queue_yet_and_ends_with_the_expectation() -> None:
    made = Workbench(1, lambda awaited, now: 3.0)
    made.accept(unit(1), 1, 8.0, 9.0)
    made.make_ready(unit(1))
    made.expect(unit(0), 1, 2.0)
    made.expect(unit(0), 1, 2.0)

    assert (made.queued, made.free_in_s(0.0)) == (1, 8.0)
    assert made.take(0.0) == []
    assert made.deadline == 3.0
    made.expect_no_more(unit(0))
    made.expect_no_more(unit(0))
    assert made.take(0.0) == [unit(1)]
    assert made.deadline == math.inf


def test_no_more_is_expected_than_could_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.workbench.QUEUE_MAX", 1)
    made = Workbench(1, lambda awaited, now: 1.0 if awaited == unit(0) else 5.0)
    made.expect(unit(0), 1, 2.0)
    made.expect(unit(1), 1, 3.0)
    made.accept(unit(2), 1, 8.0, 9.0)
    made.make_ready(unit(2))

    made.take(0.0)

    assert made.deadline == 1.0
    made.expect_no_more(unit(0))
    assert made.take(0.0) == [unit(2)]


def test_a_dropped_unit_is_never_taken() -> None:
    made = bench(1, (1, 1.0, 0.0))

    assert not made.remove(unit(0))
    assert not made.remove(unit(0))
    assert made.take(0.0) == []
    assert unit(0) not in made


def test_free_time_counts_what_runs_and_what_waits() -> None:
    made = bench(2, (1, 10.0, 1.0), (1, 4.0, 5.0), (1, 3.0, 9.0))
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


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 4), st.floats(0.0, 100.0), st.just(0.0)), max_size=20),
)
def test_pieces_are_laid_out_one_after_another_on_the_cores_that_are_free_first(
    cores: int, pieces: list[tuple[int, float, float]]
) -> None:
    free_s = [0.0] * cores
    for wanted, expected_s, _ in pieces:
        free_s.sort()
        count = min(wanted, cores)
        free_s[:count] = [free_s[count - 1] + expected_s] * count

    assert bench(cores, *pieces).free_in_s(0.0) == min(free_s)


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


# -- lanes: brief units behind each other


def brief(count: int, cores: int = 1) -> Workbench:
    return bench(cores, *((1, 0.001, 0.0) for _ in range(count)))


def everything(piece: Piece) -> bool:
    del piece
    return True


def test_brief_units_are_lined_up_behind_one_that_runs() -> None:
    made = brief(100)
    made.take(0.0)

    lined = made.line_up(everything)

    assert lined == [(unit(number), unit(number - 1)) for number in range(1, LINE_MAX + 1)]
    assert made.is_running(unit(1))
    assert (made.running, made.queued) == (1, 99)
    assert made.take(0.0) == []


def test_nothing_is_lined_up_while_a_core_is_free() -> None:
    made = brief(100)

    assert made.line_up(everything) == []


def test_only_what_is_brief_is_lined_up_and_only_behind_what_is_brief() -> None:
    made = brief(100)
    made.take(0.0)

    assert made.line_up(lambda piece: piece.unit != unit(0)) == []
    assert made.line_up(lambda piece: piece.unit in (unit(0), unit(1), unit(3))) == [(unit(1), unit(0))]


def test_what_is_due_before_what_is_brief_is_not_overtaken() -> None:
    made = brief(100)
    made.take(0.0)
    made.accept(unit(1000), 1, 1.0, -1.0)
    made.make_ready(unit(1000))

    assert made.line_up(lambda piece: piece.unit != unit(1000)) == []


def test_lines_get_shorter_towards_the_end_so_that_no_core_is_left_without() -> None:
    made = brief(8, cores=2)
    made.take(0.0)

    lined = made.line_up(everything)

    assert len(lined) < 6
    assert made.remove(lined[0][1])
    assert made.take(0.0) == []


def test_a_line_is_filled_up_several_at_a_time() -> None:
    made = brief(100)
    made.take(0.0)
    made.line_up(everything)

    added = []
    for number in range(LINE_MAX):
        made.remove(unit(number))
        made.take(0.0)
        added.append(len(made.line_up(everything)))

    assert sorted(each for each in added if each) == [each for each in added if each]
    assert 0 < sum(each > 0 for each in added) <= 3


def test_the_next_in_line_runs_when_the_one_before_it_has_ended_and_the_core_stays_busy() -> None:
    made = brief(3)
    made.take(0.0)
    made.line_up(everything)

    assert made.remove(unit(0))

    assert made.take(1.0) == []
    assert made.running == 1
    assert made.remove(unit(1))
    assert made.take(1.0) == [unit(2)]


def test_what_takes_longer_than_was_thought_is_told_once_with_what_waits_behind_it() -> None:
    made = brief(100)
    made.take(0.0)
    behind = [one for one, _ in made.line_up(everything)]

    assert made.stalled(STALL_S / 2) == []
    assert made.deadline == STALL_S
    assert made.stalled(STALL_S) == [(unit(0), None, behind)]
    assert made.stalled(1.0) == []
    assert made.deadline == math.inf


def test_since_when_it_runs_is_told_of_what_began_behind_another() -> None:
    made = brief(5)
    made.take(0.0)
    (first, *_) = (one for one, _ in made.line_up(everything))
    made.remove(unit(0))
    made.take(3.0)

    assert not made.was_told(first)
    assert made.stalled(3.0 + STALL_S)[0][:2] == (first, 3.0)
    assert made.was_told(first)


def test_what_was_called_back_waits_for_its_turn_again() -> None:
    made = brief(100)
    made.take(0.0)
    behind = [one for one, _ in made.line_up(everything)]

    for one in behind:
        made.put_back(one)

    assert not any(made.is_running(one) for one in behind)
    assert made.remove(unit(0))
    assert made.take(1.0) == [unit(1)]


def test_what_was_to_begin_and_did_not_leaves_its_core() -> None:
    made = brief(5)
    made.take(0.0)
    ((first, _), *_) = made.line_up(everything)
    made.remove(unit(0))
    made.put_back(first)

    assert made.take(1.0) in ([first], [])  # another in the line may have moved up


def test_what_is_dropped_from_the_middle_of_a_line_leaves_the_rest_of_it() -> None:
    made = brief(100)
    made.take(0.0)
    made.line_up(everything)

    assert made.remove(unit(1))
    made.remove(unit(0))
    made.take(1.0)

    assert made.running == 1
    assert made.stalled(1.0 + STALL_S)[0][0] == unit(2)
