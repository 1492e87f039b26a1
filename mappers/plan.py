"""A plan: for every task of an instance a node and a time, made before anything runs."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pnode.protocol.values import dataclass

from .instance import Floats, Instance


@dataclass(frozen=True, slots=True)
class Plan:
    """Three numbers per task, by the task's number."""

    node: tuple[int, ...]
    start_s: tuple[float, ...]
    finish_s: tuple[float, ...]
    order: tuple[int, ...]
    """The tasks as they were placed: it decides between equal starts (a task may take no time)."""

    @property
    def makespan_s(self) -> float:
        return max(self.finish_s)

    @property
    def by_start(self) -> tuple[int, ...]:
        """The tasks in the order of their planned starts.

        Of two with the same start the one that takes no time goes first; of two such, the one that was placed first.
        """
        return tuple(sorted(self.order, key=lambda task: (self.start_s[task], self.finish_s[task])))

    def queues(self, nodes: int) -> tuple[tuple[int, ...], ...]:
        """Per node: its tasks in the order of their planned starts ("strict plan order", scheduling.md 2.2)."""
        rows: list[list[int]] = [[] for _ in range(nodes)]
        for task in self.by_start:
            rows[self.node[task]].append(task)
        return tuple(map(tuple, rows))


Planner = Callable[[Instance], Plan]
"""A static mapper: the same instance always gives the same plan."""


def lower_bound_s(instance: Instance) -> float:
    """No schedule is shorter, but for rounding: the longest way at each task's fastest, or all work shared out.

    True where no transfer takes less than no time, as a fitted polynomial may have it.
    """
    fastest = instance.cost.min(axis=1)
    below = [0.0] * instance.tasks
    for task in reversed(instance.order):
        below[task] = fastest.item(task) + max((below[child] for child, _ in instance.children[task]), default=0.0)
    able = np.isfinite(instance.cost)
    return max(*below, _shared_out_s(instance, able.any(axis=0)), _shared_out_s(instance, _speeds(instance)))


def _speeds(instance: Instance) -> Floats:
    """How fast nodes are for what they can run, each compared with the fastest for the task: 1 for as fast.

    On related machines these are the speeds, up to a factor.
    """
    counts = np.isfinite(instance.cost) & (instance.cost > 0)
    ratios = np.divide(
        instance.cost.min(axis=1, keepdims=True), instance.cost, where=counts, out=np.zeros(counts.shape)
    )
    speeds: Floats = ratios.sum(axis=0) / np.maximum(1, counts.sum(axis=0))
    return speeds


def _shared_out_s(instance: Instance, weights: npt.ArrayLike) -> float:
    """A bound for any weights of the nodes that are not negative.

    A node v that is busy for at most T seconds does at most `weight(v) * T` of weighted work; a task t adds at least
    the smallest `weight(v) * w(t,v)`; so T is at least the sum of these over the sum of the weights. It is the dual
    of sharing tasks out in fractions. With the speeds of related machines for weights it is the total cost over the
    total speed (scheduling.md 4.1).
    """
    able = np.isfinite(instance.cost)
    weighted = np.multiply(instance.cost, weights, where=able, out=np.full(able.shape, math.inf))
    total = float(np.sum(weights))
    return float(weighted.min(axis=1).sum()) / total if total else 0.0
