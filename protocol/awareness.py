"""Awareness: how far a node mistrusts its own eyes (Lifeguard, arXiv 1707.00788, local health multiplier).

A node that misses answers it should have had, has to refute a suspicion or runs late is likely to be the slow one
itself; it then probes less often and waits longer before it accuses anybody.
"""


class Awareness:
    """A score from 0 (well) to `levels - 1` (as slow as we can tell)."""

    __slots__ = ("_levels", "score")

    def __init__(self, levels: int) -> None:
        self._levels = levels
        self.score = 0

    def add(self, delta: int) -> None:
        """Probe answered -1; probe failed + missing nacks, or +1 if nobody could have sent one; refuting +1; late
        event loop +1."""
        self.score = max(0, min(self._levels - 1, self.score + delta))

    def scale(self, seconds: float) -> float:
        return seconds * (self.score + 1)
