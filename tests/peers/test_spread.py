"""Several measurements: what they have in common."""

import statistics

import pytest

from .spread import Spread, spread


def test_a_spread_is_the_median_between_the_least_and_the_most() -> None:
    assert spread([3.0, 1.0, 100.0]) == Spread(3.0, 1.0, 100.0, 3)


def test_nothing_measured_has_no_spread() -> None:
    with pytest.raises(statistics.StatisticsError):
        spread([])
