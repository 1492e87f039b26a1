"""Batch mode: mappers that look at all ready tasks together and choose which of them goes next.

The rules of Ibarra and Kim 1977 and Maheswaran et al. 1999 (JPDC 59:2) for independent tasks. A task is ready when
all its parents have a place. Tasks go behind all that their node has, as in saga. Among equals the task that was
ready first wins, then the lowest node. All raise StrandedError.
"""

import math
from collections.abc import Callable

import numpy as np

from .draft import Draft, stranded
from .instance import Floats, Instance
from .plan import Plan

Choice = Callable[[Floats], int]
"""From the finishes of the ready tasks (tasks by nodes) the row of the one to place."""


def min_min(instance: Instance) -> Plan:
    """The task that ends first, there; in rounds: tasks that get ready meanwhile wait until the others are placed."""
    return _planned(instance, lambda finishes: int(finishes.min(axis=1).argmin()), rounds=True)


def max_min(instance: Instance) -> Plan:
    """The task that ends last even where it ends first, there; in rounds as MinMin: long tasks do not come last."""
    return _planned(instance, lambda finishes: int(finishes.min(axis=1).argmax()), rounds=True)


def sufferage(instance: Instance) -> Plan:
    """The task that would lose most if it got its second best node, on its best. Without rounds: a task that gets
    ready is looked at with the next choice. One that can go to a single node only suffers most."""
    return _planned(instance, _most_suffering, rounds=False)


def _most_suffering(finishes: Floats) -> int:
    if finishes.shape[1] == 1:
        return 0
    best, second = np.partition(finishes, 1, axis=1)[:, :2].T
    return int(np.subtract(second, best, where=best < math.inf, out=np.zeros(len(best))).argmax())


def _planned(instance: Instance, choose: Choice, *, rounds: bool) -> Plan:
    draft = Draft(instance, insertion=False)
    missing = [len(row) for row in instance.parents]
    fresh = [task for task in instance.order if not missing[task]]
    pool = _Pool(draft)
    while fresh or pool.tasks:
        if fresh and not (rounds and pool.tasks):
            pool.add(fresh)
            fresh = []
        task = pool.place(choose)
        for child, _ in instance.children[task]:
            missing[child] -= 1
            if not missing[child]:
                fresh.append(child)
    return draft.plan()


class _Pool:
    """Ready tasks, with what their choice depends on as arrays: one row per task, one column per node."""

    def __init__(self, draft: Draft) -> None:
        self.tasks: list[int] = []
        self._draft = draft
        self._tail = np.zeros(draft.instance.nodes)
        self._ready = np.empty((0, draft.instance.nodes))
        self._cost = self._ready

    def add(self, tasks: list[int]) -> None:
        self.tasks += tasks
        self._ready = np.concatenate([self._ready, [self._draft.ready_s(task) for task in tasks]])
        self._cost = np.concatenate([self._cost, self._draft.instance.cost.take(tasks, 0)])

    def place(self, choose: Choice) -> int:
        """Take one task out and give it the node where it ends first."""
        starts: Floats = np.maximum(self._ready, self._tail)
        finishes = starts + self._cost
        row = choose(finishes)
        node = int(finishes[row].argmin())
        task = self.tasks.pop(row)
        if finishes[row, node] == math.inf:
            raise stranded(task)
        self._draft.place(task, node, starts.item(row, node))
        self._tail[node] = self._draft.calendars[node].tail_s
        self._ready = np.delete(self._ready, row, axis=0)
        self._cost = np.delete(self._cost, row, axis=0)
        return task
