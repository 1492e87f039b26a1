"""CPoP: the critical path goes to one node, the one that runs it fastest; everything else where it ends first.

Critical Path on a Processor of Topcuoglu, Hariri and Wu 2002, section 4.3.
"""

import math
from collections.abc import Sequence

from .draft import Draft
from .instance import Instance
from .plan import Plan
from .ranks import by_priority, downward, upward

EQUAL = 1e-6
"""Priorities this close, as a share of the larger, lie on the same path: they are sums of the same numbers in another
order."""


def cpop(instance: Instance) -> Plan:
    """Ready tasks by falling upward plus downward rank, the first in `instance.order` among equals; with insertion.

    When no node can run the whole critical path, it is treated like everything else; and so is a task on it whose
    inputs cannot come to the path's node. Raises StrandedError.
    """
    priority = [up + down for up, down in zip(upward(instance), downward(instance), strict=True)]
    path = critical_path(instance, priority)
    chosen, seconds = fastest_for(instance, path)
    together = dict.fromkeys(path if seconds < math.inf else ())
    draft = Draft(instance)
    for task in by_priority(instance, priority):
        starts = draft.starts_s(task) if task in together else ()
        if starts and starts[chosen] < math.inf:
            draft.place(task, chosen, starts[chosen])
        else:
            draft.place(task, *draft.earliest(task))
    return draft.plan()


def critical_path(instance: Instance, priority: Sequence[float]) -> tuple[int, ...]:
    """From the entry of highest priority, always on to the first child of equal priority, to an exit."""
    task = max((task for task in instance.order if not instance.parents[task]), key=priority.__getitem__)
    path = [task]
    while instance.children[task]:
        highest = max(priority[child] for child, _ in instance.children[task])
        task = next(
            child for child, _ in instance.children[task] if priority[child] >= highest - EQUAL * abs(highest)
        )
        path.append(task)
    return tuple(path)


def fastest_for(instance: Instance, tasks: Sequence[int]) -> tuple[int, float]:
    """The node that runs all of them in the shortest time, the lowest among equals, and that time."""
    totals = [math.fsum(column) for column in zip(*(instance.cost_s[task] for task in tasks), strict=True)]
    return totals.index(min(totals)), min(totals)
