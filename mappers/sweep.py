"""A sweep: the question to a draft, where a task would end first, put to many nodes at once, task after task."""

import math
from collections.abc import Sequence

import numpy as np

from .draft import Draft, stranded
from .instance import Floats
from .stretches import stretches

FEW_NODES = 12
"""Up to here a draft's own lists are faster than arrays: a NumPy call costs as much as a dozen steps of a list."""


class Sweep:
    """A draft that tasks are placed on in a known order, with everything that calendars say laid out as vectors.

    All tasks of a stretch learn together when their inputs are where. Gaps are searched only where they can win: on
    nodes where the task, starting as soon as it is ready, would end before the best end after all tails, and within
    the last gap (scheduling.md 9.1). So the cost of a task hardly grows with the number of nodes.
    """

    def __init__(self, draft: Draft, order: Sequence[int]) -> None:
        """The draft is the sweep's from now on: place and close through here only."""
        self._draft = draft
        self._tail = np.array([calendar.tail_s for calendar in draft.calendars])
        self._last_gap = np.full(len(self._tail), -math.inf)
        self._node = np.zeros(draft.instance.tasks, dtype=np.intp)
        self._finish = np.zeros(draft.instance.tasks)
        self._stretches = stretches(draft.instance, order)
        # By task of the present stretch, the next one last: when it is ready where, how soon it could end, its costs.
        self._ready: list[Floats] = []
        self._soonest: list[Floats] = []
        self._cost: list[Floats] = []

    def earliest(self, task: int) -> tuple[int, float]:
        """As the draft's, for the next task of the order."""
        if not self._ready:
            self._look_ahead()
        ready, soonest, cost = self._ready.pop(), self._soonest.pop(), self._cost.pop()
        ends = self._tail + cost
        np.maximum(ends, soonest, out=ends)
        best = int(ends.argmin())
        best_s = ends.item(best)
        start_s = max(ready.item(best), self._tail.item(best))
        if self._draft.insertion:
            for node in (soonest <= self._last_gap).nonzero()[0].tolist():
                if soonest.item(node) <= best_s:
                    seconds = cost.item(node)
                    start = self._draft.calendars[node].gap(ready.item(node), seconds, best_s)
                    if start + seconds < best_s or (start + seconds == best_s and node < best):
                        best, best_s, start_s = node, start + seconds, start
        if best_s == math.inf:
            raise stranded(task)
        return best, start_s

    def place(self, task: int, node: int, start_s: float) -> None:
        """Take the slot."""
        self._draft.place(task, node, start_s)
        self._node[task] = node
        self._finish[task] = self._draft.finish_s[task]
        self._look_up(node)

    def close(self, node: int) -> None:
        """Nothing more goes there."""
        self._draft.close(node)
        self._look_up(node)

    def _look_up(self, node: int) -> None:
        calendar = self._draft.calendars[node]
        self._tail[node] = calendar.tail_s
        self._last_gap[node] = calendar.last_gap_s

    def _look_ahead(self) -> None:
        """Go on to the next stretch, whose parents are all placed by now."""
        stretch = next(self._stretches)
        arrivals = self._draft.links.times_s(self._node.take(stretch.parents), stretch.sizes_bytes)
        arrivals += self._finish.take(stretch.parents)[:, np.newaxis]
        ready = stretch.latest(arrivals)
        cost = self._draft.instance.cost.take(stretch.tasks, 0)
        soonest = ready + cost
        backwards = stretch.rows[::-1]
        self._ready = [ready[row] for row in backwards]
        self._soonest = [soonest[row] for row in backwards]
        self._cost = [cost[row] for row in backwards]
