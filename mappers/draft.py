"""A draft: a plan in the making, which knows where the next task could go and when it would end there."""

import math
from collections.abc import Sequence

from .calendar import Calendar
from .instance import Instance, InstanceError
from .links import Links
from .plan import Plan


class StrandedError(InstanceError):
    """A task has nowhere to go: its parents sit where no link leads from to any node that can run it and is open.

    Only missing links and closed nodes bring that about. Another mapper may find a way.
    """


def stranded(task: int) -> StrandedError:
    return StrandedError(f"task {task} can run on no node that is open and that its inputs can reach")


class Draft:
    """Tasks are placed one by one, each after its parents; those that are placed never move."""

    def __init__(
        self,
        instance: Instance,
        *,
        insertion: bool = True,
        communication: float = 1.0,
        free_from_s: Sequence[float] = (),
    ) -> None:
        """`insertion` lets tasks into gaps between others; `communication` scales every transfer; `free_from_s` says
        when each node is free at first, at once unless it is given (`inf`: never)."""
        self.instance = instance
        self.links = Links(instance, communication)
        self.insertion = insertion
        self.calendars = [Calendar(from_s) for from_s in free_from_s or [0.0] * instance.nodes]
        self.node = [-1] * instance.tasks
        self.finish_s = [math.inf] * instance.tasks
        self._start_s = [math.inf] * instance.tasks
        self._order: list[int] = []

    def ready_s(self, task: int) -> list[float]:
        """Per node: when the task's last input is there."""
        ready: list[float] = []
        for parent, size_bytes in self.instance.parents[task]:
            arrivals = self.links.arrivals_s(self.node[parent], size_bytes, self.finish_s[parent])
            ready = _later(ready, arrivals) if ready else arrivals
        return ready or [0.0] * self.instance.nodes

    def starts_s(self, task: int) -> list[float]:
        """Per node: the task's earliest start there; `inf` where its inputs cannot come."""
        rows = zip(self.ready_s(task), self.instance.cost_s[task], self.calendars, strict=True)
        if self.insertion:
            return [calendar.quote(ready, seconds) for ready, seconds, calendar in rows]
        return [max(ready, calendar.tail_s) for ready, _, calendar in rows]

    def earliest(self, task: int) -> tuple[int, float]:
        """The node where the task would end first, the lowest among equals, and its start there.

        Raises StrandedError.
        """
        best, best_s, best_start_s = -1, math.inf, math.inf
        rows = zip(self.ready_s(task), self.instance.cost_s[task], self.calendars, strict=True)
        for node, (ready, seconds, calendar) in enumerate(rows):
            soonest = ready + seconds
            if soonest >= best_s:  # before any look at the calendar: most nodes end here
                continue
            start = calendar.tail_s
            if ready >= start:
                start = ready
            elif self.insertion and soonest <= calendar.last_gap_s:
                gap = calendar.gap(ready, seconds, best_s)
                start = min(start, gap)
            if start + seconds < best_s:
                best, best_s, best_start_s = node, start + seconds, start
        if best < 0:
            raise stranded(task)
        return best, best_start_s

    def settle(self, task: int, starts_s: Sequence[float], cost: Sequence[float]) -> int:
        """Place the task where that costs least, the lowest node among equals, of those where it can run at all.

        `starts_s` is what `starts_s(task)` gave, `cost` the caller's measure. Raises StrandedError.
        """
        able = [
            node
            for node, (start, seconds) in enumerate(zip(starts_s, self.instance.cost_s[task], strict=True))
            if start + seconds < math.inf
        ]
        if not able:
            raise stranded(task)
        node = min(able, key=cost.__getitem__)
        self.place(task, node, starts_s[node])
        return node

    def place(self, task: int, node: int, start_s: float) -> None:
        """Take the slot."""
        self.node[task] = node
        self._start_s[task] = start_s
        self.finish_s[task] = self.calendars[node].commit(start_s, self.instance.cost_s[task][node])
        self._order.append(task)

    def close(self, node: int) -> None:
        """Nothing more goes there."""
        self.calendars[node] = Calendar(math.inf)

    def plan(self) -> Plan:
        return Plan(tuple(self.node), tuple(self._start_s), tuple(self.finish_s), tuple(self._order))


def _later(ready: list[float], arrivals: list[float]) -> list[float]:
    # Here for every edge and every node; max() would take twice as long.
    pairs = zip(ready, arrivals, strict=True)
    return [one if one > other else other for one, other in pairs]  # noqa: FURB136  # for speed
