"""Capacity: whether several that share something ever take more of it than there is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Load(NamedTuple):
    """An amount that is taken from one instant to another."""

    start_s: float
    finish_s: float
    amount: float


def overloaded(loads: Sequence[Load], capacity: float, slack_s: float) -> tuple[float, float] | None:
    """The first instant at which more than the capacity is in use, and how much.

    What ends within `slack_s` of another's start has made room for it.
    """
    changes = sorted(
        change
        for load in loads
        if load.finish_s - load.start_s > slack_s
        for change in ((load.start_s, 1, load.amount), (load.finish_s - slack_s, 0, -load.amount))
    )
    used = 0.0
    for at_s, _, change in changes:
        used += change
        if used > capacity * (1.0 + 1e-12):  # sums of bytes round
            return at_s, used
    return None


def overdrawn(loads: Sequence[Load], rate: float, slack_s: float) -> tuple[float, float] | None:
    """A window in which more was moved than can be at that rate, if there is one.

    Whatever moves all its bytes inside a window counts; windows from every start to every end are looked at.
    """
    ordered = sorted(loads, key=lambda load: load.finish_s)
    starts = np.array([load.start_s for load in ordered])
    ends = np.array([load.finish_s for load in ordered])
    amounts = np.array([load.amount for load in ordered])
    for start in dict.fromkeys(starts.tolist()):
        moved = np.where(starts >= start, amounts, 0.0).cumsum()
        too_much = np.flatnonzero((moved > (ends - start + slack_s) * rate) & (starts >= start))
        if len(too_much):
            return start, ends.item(too_much[0])
    return None
