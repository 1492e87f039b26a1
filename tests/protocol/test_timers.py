import math

from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.timers import Timers, growing_s


def test_nothing_is_due_when_nothing_is_set() -> None:
    timers: Timers[str] = Timers()

    assert timers.deadline == math.inf
    assert timers.due(1e9) == []


def test_setting_again_replaces_and_cancelling_forgets() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("b", 2.0)
    timers.set("a", 3.0)
    timers.set("c", 0.5)
    timers.cancel("c")
    timers.cancel("never set")

    assert timers.deadline == 2.0
    assert "a" in timers
    assert "c" not in timers
    assert timers.due(1.9) == []
    assert timers.due(5.0) == ["b", "a"]
    assert len(timers) == 0


def test_equal_deadlines_come_up_in_the_order_in_which_they_were_set() -> None:
    timers: Timers[object] = Timers()
    keys = [object() for _ in range(5)]  # not comparable with each other
    for key in keys:
        timers.set(key, 1.0)

    assert timers.due(1.0) == keys


def test_postponing_moves_all() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("b", 2.0)
    timers.set("a", 0.5)
    timers.postpone(10.0)

    assert timers.deadline == 10.5
    assert timers.due(12.0) == ["a", "b"]
    assert timers.deadline == math.inf


def test_no_more_come_up_than_were_asked_for_and_the_others_are_due_then() -> None:
    timers: Timers[str] = Timers()
    for key in "abc":
        timers.set(key, 1.0)

    assert timers.due(2.0, 2) == ["a", "b"]
    assert timers.deadline == 1.0
    assert timers.due(2.0, 2) == ["c"]


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 20)))))
def test_timers_do_what_a_sorted_list_does(steps: list[tuple[int, int | None]]) -> None:
    timers: Timers[int] = Timers()
    model: dict[int, int] = {}
    for key, when in steps:
        if when is None:
            timers.cancel(key)
            model.pop(key, None)
        else:
            timers.set(key, when)
            model[key] = when

    assert timers.deadline == min(model.values(), default=math.inf)
    assert sorted(timers.due(10)) == sorted(key for key, when in model.items() if when <= 10)


def test_a_pause_doubles_up_to_its_bound_however_often() -> None:
    assert [growing_s(0.5, times, 3.0) for times in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert growing_s(0.5, 10**9, 3.0) == 3.0
