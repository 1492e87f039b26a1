"""A task costs the same, or it does not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .cost import FIGURES, Cost, is_flat, per_task, ratio

TIME, NODES, CLIENT, PEAK, ORIGIN, OTHERS, JOURNALS = FIGURES

some = st.floats(min_value=1e-6, max_value=1e6)


def cost(tasks: int, scale: float = 1.0) -> Cost:
    """Of tasks that take 1 ms, 2 ms and 3 ms, and 4 to 7 kB, times the scale."""
    seconds = (1e-3 * tasks * scale * number for number in (1, 2, 3))
    sizes = (1e3 * tasks * scale * number for number in (4, 5, 6, 7))
    return Cost(tasks, *seconds, *sizes)


@pytest.mark.parametrize("tasks", [100, 100_000])
def test_each_figure_is_that_of_one_task(tasks: int) -> None:
    assert [per_task(figure, [cost(tasks)]) for figure in FIGURES] == pytest.approx([1, 2, 3, 4, 5, 6, 7])


def test_one_slow_turn_of_three_does_not_count() -> None:
    assert per_task(TIME, [cost(10), cost(10, 9.0), cost(10, 1.1)]) == pytest.approx(1.1)


@pytest.mark.parametrize(("value", "flat"), [(1.0, True), (1.2, True), (1.21, False), (0.1, True), (-1.0, True)])
def test_flat_is_a_fifth_more_at_most(value: float, flat: bool) -> None:
    assert is_flat(value, 1.0) is flat


@given(some, st.floats(min_value=-1e6, max_value=0.0))
def test_something_against_nothing_is_beyond_measure_and_nothing_is_nothing(value: float, nothing: float) -> None:
    assert ratio(value, nothing) == math.inf
    assert ratio(nothing, value) == ratio(nothing, nothing) == 0.0
    assert not is_flat(value, nothing)


def test_what_is_left_after_the_release_need_not_stay_the_same() -> None:
    assert [figure for figure in FIGURES if not figure.asked] == [ORIGIN, OTHERS]
