"""Crowd: the entry units of a large job, which are given out as others of it end.

To hand over thousands of short tasks at once takes longer than the first of them run, and whom they are given to then
is guessed: who turns out to be slower, or has other things to do, is what everybody waits for in the end. So a node
gives out so many that every core has enough for a while, and more when it hears that some are through. When it has
heard of none for STALE_S, tasks take longer than that; then a few hundred decisions are nothing to them, and all that
wait are given out.

    due --fewer than enough are open--> open --ended--> gone
     \\--else--> waiting --a quarter of those open have ended, or nothing was heard for STALE_S--> due
"""

import math
from collections import deque

from .ids import JobId
from .jobstate import UnitKey
from .values import dataclass, field

OPEN_PER_CORE = 96
"""Commands of two milliseconds for a fifth of a second: four times what it takes to hear of their ends and to hand
others over (`desk.UNHURRIED_S`)."""

STALE_S = 2.0


@dataclass(slots=True)
class _Line:
    """The entries of one job."""

    heard_s: float
    """When the last of them ended, or the first was held back."""
    most: int = 0
    open: dict[UnitKey, None] = field(default_factory=dict)
    waiting: deque[UnitKey] = field(default_factory=deque)
    is_free: bool = False
    """Whether they take so long that none need wait."""


class Crowd:
    """The entries of all jobs that this node gives out."""

    def __init__(self) -> None:
        self._lines: dict[JobId, _Line] = {}

    @property
    def deadline(self) -> float:
        """When some may be due though nothing was heard."""
        return min((line.heard_s + STALE_S for line in self._lines.values() if line.waiting), default=math.inf)

    def admits(self, job: JobId, key: UnitKey, cores: int, now: float) -> bool:
        """Whether an entry may be given out now; else it is told when it may (`ended`, `stale`)."""
        line = self._lines.setdefault(job, _Line(now))
        line.most = OPEN_PER_CORE * max(1, cores)
        if line.is_free or key in line.open or len(line.open) < line.most:
            line.open[key] = None
            return True
        if not line.waiting:
            line.heard_s = now
        line.waiting.append(key)
        return False

    def ended(self, job: JobId, key: UnitKey, now: float) -> list[UnitKey]:
        """An entry is through, or was given back. Those that are due by that: several at a time, which costs less."""
        line = self._lines.get(job)
        if line is None or line.open.pop(key, key) is not None:
            return []
        line.heard_s = now
        if not line.waiting or 4 * len(line.open) > 3 * line.most:
            return []
        due = [line.waiting.popleft() for _ in range(min(len(line.waiting), line.most - len(line.open)))]
        line.open.update(dict.fromkeys(due))
        return due

    def stale(self, now: float) -> list[tuple[JobId, list[UnitKey]]]:
        """Those that have waited for nothing."""
        found: list[tuple[JobId, list[UnitKey]]] = []
        for job, line in self._lines.items():
            if line.waiting and now >= line.heard_s + STALE_S:
                line.is_free = True
                found.append((job, list(line.waiting)))
                line.waiting.clear()
        return found

    def over(self, job: JobId) -> None:
        """Nothing of it is given out any more."""
        self._lines.pop(job, None)
