"""Sampling: looking at the machine, when the node is awake anyway.

To wake up for a look costs more than the look, so it is taken in a turn of the driver that is due for another reason,
a little before its own time. How late the driver comes to its turns is the lag of the event loop.
"""

import math
from collections.abc import Callable

from pnode.profilers.resources import Sampler
from pnode.protocol.events import LoadSampled
from pnode.protocol.load import LOAD_MARGIN_LAG_S

SAMPLE_S = 1.0
"""How often the machine is looked at while there is work: the period at which load figures are gossiped."""

REST_S = 3.0
"""The same where there is none, and nothing has been late. What others do to the machine is told every five seconds
at most (`load.LOAD_QUIET_S`)."""

EARLY_SHARE = 0.2
"""Of the period: so much sooner it is done with something else. A node that has company wakes once a second."""


class Sampling:
    """When the machine is looked at, and what was seen."""

    def __init__(self, is_busy: Callable[[], bool], sampler: Sampler | None = None) -> None:
        """`is_busy` says whether there is work for this node."""
        self._is_busy = is_busy
        self._sampler = sampler or Sampler()
        self._at = -math.inf
        self._was_restless = False
        """At the last look."""
        self._lag_s = 0.0
        """The most since the last look."""
        self.deadline = -math.inf
        """When to call `look` at the latest."""

    def look(self, now: float, due: float) -> LoadSampled | None:
        """Call in every turn, with when the core was due; None if it is too soon for another look."""
        for instant in (due, self.deadline):
            if instant > -math.inf:  # which is at once, or nobody knows since when
                self._lag_s = max(self._lag_s, now - instant)
        is_restless = self._is_busy() or self._lag_s > LOAD_MARGIN_LAG_S
        period_s = SAMPLE_S if is_restless or self._was_restless else REST_S
        if now < self._at + (1.0 - EARLY_SHARE) * period_s:
            self.deadline = self._at + period_s
            return None
        sample = self._sampler.sample()
        seen = LoadSampled(sample.cpu_percent, sample.memory_percent, self._lag_s)
        self._at, self._was_restless, self._lag_s = now, is_restless, 0.0
        self.deadline = now + (SAMPLE_S if is_restless else REST_S)
        return seen
