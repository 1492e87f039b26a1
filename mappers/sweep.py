"""A sweep: the question to a draft, where a task would end first, put to many nodes at once, task after task."""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from .draft import Draft, stranded
from .instance import Floats

FEW_NODES = 12
"""Up to here a draft's own lists are faster than arrays: a NumPy call costs as much as a dozen steps of a list."""

EDGES_OF_STRETCH_MAX = 2048
"""Inputs looked at together, by 128 nodes 2 MB: more would leave the processor's cache and win nothing."""


class Sweep:
    """A draft that tasks are placed on in a known order, with everything that calendars say laid out as vectors.

    The tasks of a *stretch* of the order, none of which waits for another of it, learn together when their inputs are
    where. Gaps are searched only where they can win: on nodes where the task, starting as soon as it is ready, would
    end before the best end after all tails, and within the last gap (scheduling.md 9.1). So the cost of a task hardly
    grows with the number of nodes.
    """

    def __init__(self, draft: Draft, order: Sequence[int]) -> None:
        """The draft is the sweep's from now on: place and close through here only."""
        instance = draft.instance
        self._draft = draft
        self._order = np.array(order, dtype=np.intp)
        self._tail = np.array([calendar.tail_s for calendar in draft.calendars])
        self._last_gap = np.full(instance.nodes, -math.inf)
        self._node = np.zeros(instance.tasks, dtype=np.intp)
        self._finish = np.zeros((instance.tasks, 1))
        # Inputs in the order of the tasks; those of the task at place i lie between bounds i and i + 1.
        rows = [instance.parents[task] for task in order]
        self._parents = np.array([parent for row in rows for parent, _ in row], dtype=np.intp)
        self._sizes = np.array([size for row in rows for _, size in row]).reshape(-1, 1)
        self._bounds = list(accumulate(map(len, rows), initial=0))
        self._latest = self._latest_parents()
        self._done = 0  # tasks before the present stretch
        self._ready: list[Floats] = []  # by task of the present stretch, the next one last
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

    def _latest_parents(self) -> list[int]:
        """By place in the order: the place of the last parent, -1 without parents."""
        turn = np.empty(len(self._order), dtype=np.intp)
        turn[self._order] = np.arange(len(self._order))
        turns = turn[self._parents].tolist()
        bounds = self._bounds
        return [max(turns[bounds[at] : bounds[at + 1]], default=-1) for at in range(len(bounds) - 1)]

    def _look_ahead(self) -> None:
        """Go on to the next stretch: the longest whose parents are all placed."""
        begin = self._done
        end = begin + 1
        edges_max = self._bounds[begin] + EDGES_OF_STRETCH_MAX
        while end < len(self._order) and self._latest[end] < begin and self._bounds[end + 1] <= edges_max:
            end += 1
        ready = self._ready_s(begin, end)
        cost = self._draft.instance.cost.take(self._order[begin:end], 0)
        self._done = end
        self._ready = list(ready)[::-1]
        self._soonest = list(ready + cost)[::-1]
        self._cost = list(cost)[::-1]

    def _ready_s(self, begin: int, end: int) -> Floats:
        """Per task of a stretch and node: when the last input is there."""
        first, last = self._bounds[begin], self._bounds[end]
        ready = np.zeros((end - begin, len(self._tail)))
        if first < last:
            parents = self._parents[first:last]
            arrivals = self._draft.links.times_s(self._node.take(parents), self._sizes[first:last])
            arrivals += self._finish.take(parents, 0)
            fed = [at for at in range(begin, end) if self._bounds[at] < self._bounds[at + 1]]
            inputs = [self._bounds[at] - first for at in fed]
            ready[[at - begin for at in fed]] = np.maximum.reduceat(arrivals, inputs)
        return ready
