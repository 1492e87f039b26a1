"""Cores: the calendars of one node's cores, asked as one."""

import math

from .calendar import Calendar


class Cores:
    """A node that runs as many tasks at a time as it has cores."""

    __slots__ = ("calendars",)

    def __init__(self, count: int, free_from_s: float = 0.0) -> None:
        self.calendars = [Calendar(free_from_s) for _ in range(max(1, count))]

    def __len__(self) -> int:
        return len(self.calendars)

    @property
    def free_s(self) -> float:
        """When nothing is planned any more."""
        return max([calendar.tail_s for calendar in self.calendars])

    def quote(self, wanted: int, ready_s: float, seconds: float) -> float:
        """The earliest start, not before `ready_s`, of a task of so many cores; of all of them if there are fewer.

        A task of several cores starts where so many end, and leaves the gaps to others.
        """
        calendars = self.calendars
        if len(calendars) == 1:
            return calendars[0].quote(ready_s, seconds)
        if wanted > 1:
            tails = sorted([calendar.tail_s for calendar in calendars])
            return max(ready_s, tails[min(wanted, len(tails)) - 1])
        best_s = math.inf
        for calendar in calendars:
            start_s = calendar.quote(ready_s, seconds)
            if start_s < best_s:
                best_s = start_s
                if start_s <= ready_s:
                    break
        return best_s

    def commit(self, wanted: int, start_s: float, seconds: float) -> float:
        """Take what was quoted, and say when it ends. A wide task leaves the cores that are free first to others."""
        calendars = self.calendars
        if len(calendars) == 1:
            return calendars[0].commit(start_s, seconds)
        if wanted > 1:
            free = [calendar for calendar in calendars if calendar.tail_s <= start_s]
            free.sort(key=_tail, reverse=True)
            for calendar in free[:wanted]:
                calendar.commit(start_s, seconds)
        else:
            next(one for one in calendars if one.quote(start_s, seconds) <= start_s).commit(start_s, seconds)
        return start_s + seconds

    def run(self, wanted: int, seconds: float) -> None:
        """What runs already, for so long yet, on the cores that are free first."""
        calendars = self.calendars
        busy = calendars if len(calendars) <= wanted else sorted(calendars, key=_tail)[:wanted]
        for calendar in busy:
            calendar.commit(calendar.tail_s, seconds)

    def block(self, seconds: float) -> None:
        """Every core is busy so much longer."""
        if seconds > 0.0:
            for calendar in self.calendars:
                calendar.commit(calendar.tail_s, seconds)


def _tail(calendar: Calendar) -> float:
    return calendar.tail_s
