"""Spread: several measurements of one figure, and how far they lie apart."""

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
