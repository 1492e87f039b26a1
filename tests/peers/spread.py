"""Spread: several measurements of one figure, and how far those of two contestants lie apart."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What measurements have in common, and what the machine did to them."""

    median: float
    least: float
    most: float
    count: int


def spread(samples: Sequence[float]) -> Spread:
    """Raises StatisticsError for no samples."""
    return Spread(statistics.median(samples), min(samples), max(samples), len(samples))


def advantage(ours: float, theirs: float, *, more_is_better: bool) -> float:
    """How many times as good as theirs ours is: 2 is twice as fast, or half as long; 1 is the same."""
    better, worse = (ours, theirs) if more_is_better else (theirs, ours)
    if worse:
        return better / worse
    return math.inf if better else 1.0
