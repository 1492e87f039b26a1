"""A plan: for every task of an instance a node and a time, made before anything runs."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .instance import Instance


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

    def queues(self, nodes: int) -> tuple[tuple[int, ...], ...]:
        """Per node: its tasks in the order of their planned starts ("strict plan order", scheduling.md 2.2)."""
        turn = {task: place for place, task in enumerate(self.order)}
        rows: list[list[int]] = [[] for _ in range(nodes)]
        for task in sorted(self.order, key=lambda task: (self.start_s[task], turn[task])):
            rows[self.node[task]].append(task)
        return tuple(map(tuple, rows))


Planner = Callable[[Instance], Plan]
"""A static mapper: the same instance always gives the same plan."""


def lower_bound_s(instance: Instance) -> float:
    """No schedule is shorter: the longest way at each task's fastest, or all work shared out evenly.

    On related machines the second is the total cost over the total speed (scheduling.md 4.1); in general, every task
    takes at least its smallest cost, and m nodes do at most m seconds of that in a second.
    """
    fastest = [min(row) for row in instance.cost_s]
    below = [0.0] * instance.tasks
    for task in reversed(instance.order):
        below[task] = fastest[task] + max((below[child] for child, _ in instance.children[task]), default=0.0)
    return max(*below, math.fsum(fastest) / instance.nodes, 0.0)
