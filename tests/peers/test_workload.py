"""Figures compare as people do: twice as fast is twice as good, and so is half as long."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from .workload import WORKLOADS, Figure

SPEED = Figure("speed", "speed", "tasks/s", more_is_better=True)
TIME = Figure("time", "time", "s")

some = st.floats(min_value=1e-6, max_value=1e6)


def test_twice_the_speed_and_half_the_time_are_the_same_advantage() -> None:
    assert SPEED.advantage(2000.0, 1000.0) == 2.0
    assert TIME.advantage(0.5, 1.0) == 2.0


@given(some, some)
def test_the_others_advantage_is_the_reciprocal(ours: float, theirs: float) -> None:
    for figure in (SPEED, TIME):
        assert math.isclose(figure.advantage(ours, theirs) * figure.advantage(theirs, ours), 1.0)


def test_nothing_against_nothing_is_even_and_against_something_beyond_measure() -> None:
    assert TIME.advantage(0.0, 0.0) == 1.0
    assert TIME.advantage(0.0, 3.0) == math.inf
    assert TIME.advantage(3.0, 0.0) == 0.0


def test_no_two_figures_are_called_the_same() -> None:
    keys = Counter(figure.key for workload in WORKLOADS for figure in workload.figures)

    assert [key for key, count in keys.items() if count > 1] == []
