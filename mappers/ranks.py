"""Ranks: how far each task of an instance is from the end and from the beginning, by mean costs.

Upward and downward rank as Topcuoglu, Hariri and Wu 2002 define them (section 4.1), with the means of scheduling.md
2.1. For the ranks of a job that a node knows by its own view see `rank`.
"""

import heapq
import math
from collections.abc import Sequence

import numpy as np

from .instance import Floats, Instance
from .links import Links


def upward(
    instance: Instance, *, mean_s: Sequence[float] | None = None, communication: float = 1.0
) -> tuple[float, ...]:
    """Seconds from each task's start to the end along its longest way.

    Perturbed ranks come from other means than the true ones, and from another factor on communication.
    """
    run_s = means(instance) if mean_s is None else mean_s
    latency, inverse, inverse2 = (communication * term for term in instance.mean_link)
    rank = [0.0] * instance.tasks
    children = instance.children
    for task in reversed(instance.order):
        # Spelled out, since a call would take as long as the rest, at every edge.
        below = [latency + size * (inverse + size * inverse2) + rank[child] for child, size in children[task]]
        rank[task] = run_s[task] + (max(below) if below else 0.0)
    return tuple(rank)


def downward(
    instance: Instance, *, mean_s: Sequence[float] | None = None, communication: float = 1.0
) -> tuple[float, ...]:
    """Seconds from the beginning to each task's start along its longest way; 0 for entries."""
    run_s = means(instance) if mean_s is None else mean_s
    rank = [0.0] * instance.tasks
    for task in instance.order:
        above = [
            rank[parent] + run_s[parent] + communication * instance.mean_transfer_s(size)
            for parent, size in instance.parents[task]
        ]
        rank[task] = max(above, default=0.0)
    return tuple(rank)


def upward_of_jupiter(instance: Instance) -> tuple[float, ...]:
    """The upward rank as Jupiter's HEFT has it (jupiter.md 2.3), to all digits.

    Costs are whole numbers (milliseconds) and their mean is floored: Python 2 divides integers that way. A mean
    transfer is taken over the pairs' own times, which may be negative, as fitted polynomials are.
    """
    links = Links(instance)
    talking = ~instance.apart & ~np.eye(instance.nodes, dtype=np.bool_)
    run_s = [math.floor(mean) for mean in means(instance)]

    def transfer_s(size_bytes: float) -> float:
        # Source by source, rounding after each addition as Python 2 did: since 3.12 sum() is more exact.
        times = np.cumsum(links.matrix_s(size_bytes)[talking])
        return float(times[-1]) / len(times) if len(times) else 0.0

    rank = [0.0] * instance.tasks
    for task in reversed(instance.order):
        below = [transfer_s(size) + rank[child] for child, size in instance.children[task]]
        rank[task] = run_s[task] + max(below, default=0.0)
    return tuple(rank)


def descending(instance: Instance, ranks: Sequence[float]) -> tuple[int, ...]:
    """All tasks, the highest rank first; equal ones as in `instance.order`, a parent before its child (tasks that
    take no time and send nothing rank as high as their children).

    A child that ranks above its parent waits for it: fitted polynomials predict less than no time for sizes beyond
    what was measured (jupiter.md 3.4).
    """
    if any(ranks[edge.parent] < ranks[edge.child] for edge in instance.edges):
        return tuple(by_priority(instance, ranks))
    return tuple(sorted(instance.order, key=lambda task: -ranks[task]))


def by_priority(instance: Instance, priority: Sequence[float]) -> list[int]:
    """All tasks, the one of highest priority first among those whose parents are all before it."""
    place = {task: at for at, task in enumerate(instance.order)}
    missing = [len(row) for row in instance.parents]
    ready = [(-priority[task], place[task], task) for task in instance.order if not missing[task]]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        *_, task = heapq.heappop(ready)
        order.append(task)
        for child, _ in instance.children[task]:
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(ready, (-priority[child], place[child], child))
    return order


def means(instance: Instance) -> list[float]:
    """Mean seconds of each task over the nodes that can run it."""
    able = np.isfinite(instance.cost)
    sums: Floats = np.where(able, instance.cost, 0.0).sum(axis=1)
    found: list[float] = (sums / able.sum(axis=1)).tolist()
    return found
