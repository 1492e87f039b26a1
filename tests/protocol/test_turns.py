"""Turns: what is held back, for whom, and that it is never held back for longer than an estimate has said."""

import math

from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.effects import Unit
from pnode.protocol.ids import JobId
from pnode.protocol.turns import READY_MAX, Piece, Turns


def unit(number: int) -> Unit:
    return Unit(JobId(b"j" * 16), "task", number, 1)


class Bench:
    """A line of pieces that are due in the order of their numbers, at cores that a test frees."""

    def __init__(self, idle: int = 1, busy_until_s: tuple[float, ...] = ()) -> None:
        self.inputs_s: dict[int, float] = {}
        """When the inputs of a piece are expected."""
        self.turns = Turns(lambda awaited, now: self.inputs_s.get(awaited.item, math.inf))
        self.idle = idle
        self.busy_until_s = list(busy_until_s)
        self.pieces: dict[int, Piece] = {}

    def add(self, number: int, run_s: float, *, ready: bool = True, is_guess: bool = False, cores: int = 1) -> None:
        piece = Piece(unit(number), cores, run_s, float(number), number, is_guess, ready=ready)
        self.pieces[number] = piece
        self.turns.add(piece)

    def make_ready(self, number: int) -> None:
        self.turns.drop(self.pieces[number])
        self.pieces[number].ready = True
        self.turns.add(self.pieces[number])

    def next(self, now: float) -> int | None:
        """The number of what starts now."""
        piece = self.turns.next(self.idle, lambda: self.busy_until_s, now)
        return None if piece is None else piece.order


def test_a_ready_piece_lets_the_core_idle_for_one_that_is_due_before_it() -> None:
    bench = Bench()
    bench.add(1, 2.0, ready=False)
    bench.add(2, 10.0)
    bench.inputs_s[1] = 4.0

    assert bench.next(0.0) is None
    assert bench.turns.wake_s == 4.0
    bench.make_ready(1)
    assert bench.next(4.0) == 1
    assert bench.next(6.0) == 2


def test_a_piece_that_ends_before_fills_the_gap() -> None:
    bench = Bench()
    bench.add(1, 2.0, ready=False)
    bench.add(2, 10.0)
    bench.add(3, 3.0)
    bench.inputs_s[1] = 4.0

    assert bench.next(0.0) == 3
    assert bench.next(3.0) is None


def test_what_is_due_later_keeps_nobody_waiting() -> None:
    bench = Bench()
    bench.add(1, 10.0)
    bench.add(2, 2.0, ready=False)
    bench.inputs_s[2] = 4.0

    assert bench.next(0.0) == 1


def test_nobody_waits_for_what_nobody_knows_the_arrival_of() -> None:
    bench = Bench()
    bench.add(1, 2.0, ready=False)
    bench.add(2, 10.0)

    assert bench.next(0.0) == 2


def test_a_piece_of_which_nobody_knows_how_long_it_runs_does_not_wait() -> None:
    bench = Bench()
    bench.add(1, 2.0, ready=False)
    bench.add(2, 10.0, is_guess=True)
    bench.inputs_s[1] = 4.0

    assert bench.next(0.0) == 2


def test_an_estimate_that_has_passed_counts_no_more() -> None:
    bench = Bench()
    bench.add(1, 2.0, ready=False)
    bench.add(2, 10.0)
    bench.inputs_s[1] = 4.0
    bench.next(0.0)

    assert bench.next(3.9) is None
    assert bench.next(4.0) == 2


def test_new_estimates_hold_a_piece_back_for_no_longer_than_it_runs() -> None:
    bench = Bench()
    bench.add(1, 2.0, ready=False)
    bench.add(2, 10.0)
    for now in range(10):
        bench.inputs_s[1] = now + 5.0

        assert bench.next(float(now)) is None
        assert now < bench.turns.wake_s <= 10.0

    assert bench.next(10.0) == 2


def test_patience_begins_anew_when_what_was_waited_for_has_come() -> None:
    bench = Bench()
    bench.add(1, 2.0, ready=False)
    bench.add(2, 2.0, ready=False)
    bench.add(3, 10.0)
    bench.inputs_s = {1: 8.0, 2: 14.0}
    bench.next(0.0)
    bench.make_ready(1)
    bench.next(8.0)

    assert bench.next(10.0) is None
    assert bench.next(13.9) is None
    assert bench.next(14.0) == 3


def test_a_node_with_cores_to_spare_holds_nothing_back() -> None:
    bench = Bench(idle=2)
    bench.add(1, 2.0, ready=False)
    bench.add(2, 10.0)
    bench.inputs_s[1] = 4.0

    assert bench.next(0.0) == 2
    bench.idle = 1
    bench.busy_until_s = [10.0]
    bench.add(3, 10.0)
    assert bench.next(0.0) is None


def test_nothing_starts_without_a_core_and_nothing_wakes_anybody() -> None:
    bench = Bench(idle=0, busy_until_s=(9.0,))
    bench.add(1, 1.0)

    assert bench.next(0.0) is None
    assert bench.turns.wake_s == math.inf


def test_a_gap_that_none_of_many_fits_is_left_empty() -> None:
    bench = Bench()
    bench.add(0, 2.0, ready=False)
    bench.inputs_s[0] = 4.0
    for number in range(1, READY_MAX + 1):
        bench.add(number, 10.0)
    bench.add(READY_MAX + 1, 1.0)

    assert bench.next(0.0) is None


times = st.floats(0.0, 20.0)


@given(st.lists(st.tuples(times, times, st.booleans()), min_size=1, max_size=8))
def test_every_ready_piece_starts_at_last_though_nothing_that_is_awaited_ever_comes(
    drawn: list[tuple[float, float, bool]],
) -> None:
    bench = Bench()
    for number, (run_s, inputs_s, is_ready) in enumerate(drawn):
        bench.add(number, run_s, ready=is_ready)
        bench.inputs_s[number] = inputs_s
    now, idle_s, left = 0.0, 0.0, sum(is_ready for _, _, is_ready in drawn)
    while left:
        if bench.next(now) is not None:
            left -= 1
            continue
        assert now < bench.turns.wake_s < math.inf
        idle_s += bench.turns.wake_s - now
        now = bench.turns.wake_s

    assert idle_s <= max(inputs_s for _, inputs_s, _ in drawn)
