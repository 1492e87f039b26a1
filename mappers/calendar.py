"""A calendar: when a node is free, as far as is planned.

A tail, from which on nothing is planned, and the idle gaps before it (scheduling.md 4.1). Starts are asked for by
`quote` and taken by `commit`; what was quoted stays free until something else is committed.
"""

import math
from bisect import bisect_left, bisect_right


class Calendar:
    """One node that runs one task at a time. Made free from an instant on; to block it until later, commit that."""

    __slots__ = ("_ends", "_starts", "last_gap_s", "tail_s")

    def __init__(self, free_from_s: float = 0.0) -> None:
        self.tail_s = free_from_s
        """Nothing is planned from here on."""
        self.last_gap_s = -math.inf
        """The end of the last gap: what ends later fits into none. `-inf` without gaps."""
        # Two sorted lists, not one of pairs: bisection looks at one end of the gaps only.
        self._starts: list[float] = []
        self._ends: list[float] = []

    @property
    def gaps(self) -> tuple[tuple[float, float], ...]:
        """Idle stretches before the tail, in order; none is empty."""
        return tuple(zip(self._starts, self._ends, strict=True))

    def copy(self) -> "Calendar":
        """Another calendar that says the same."""
        other = Calendar(self.tail_s)
        other.last_gap_s = self.last_gap_s
        other._starts = self._starts.copy()
        other._ends = self._ends.copy()
        return other

    def quote(self, ready_s: float, seconds: float) -> float:
        """The earliest start, not before `ready_s`, of a slot of that length."""
        start = self.gap(ready_s, seconds)
        return start if start < math.inf else max(ready_s, self.tail_s)

    def gap(self, ready_s: float, seconds: float, by_s: float = math.inf) -> float:
        """The earliest start inside a gap, or `inf` when no slot in a gap ends by `by_s`."""
        starts, ends = self._starts, self._ends
        for at in range(bisect_left(ends, ready_s + seconds), len(ends)):
            start = max(ready_s, starts[at])
            finish = start + seconds
            if finish > by_s:
                break
            if finish <= ends[at]:
                return start
        return math.inf

    def commit(self, start_s: float, seconds: float) -> float:
        """Take the slot, which is free, and say when it ends."""
        finish_s = start_s + seconds
        if start_s >= self.tail_s:
            if start_s > self.tail_s:
                self._starts.append(self.tail_s)
                self._ends.append(start_s)
                self.last_gap_s = start_s
            self.tail_s = finish_s
        else:
            self._split(start_s, finish_s)
        return finish_s

    def _split(self, start_s: float, finish_s: float) -> None:
        """Leave of the gap around this slot what is not empty: nothing, one end, or both."""
        starts, ends = self._starts, self._ends
        at = bisect_right(starts, start_s) - 1
        assert at >= 0, f"{start_s} s is before every gap"
        assert finish_s <= ends[at], f"the slot {start_s} s to {finish_s} s is taken"
        if starts[at] < start_s:
            if finish_s < ends[at]:
                starts.insert(at + 1, finish_s)
                ends.insert(at, start_s)
            else:
                ends[at] = start_s
        elif finish_s < ends[at]:
            starts[at] = finish_s
        else:
            del starts[at], ends[at]
        self.last_gap_s = ends[-1] if ends else -math.inf
