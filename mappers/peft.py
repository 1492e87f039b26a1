"""PEFT: HEFT with foresight, which adds to a task's finish what its node will cost its descendants.

Predict Earliest Finish Time of Arabnejad and Barbosa 2014 (IEEE TPDS 25:3, sections 4.1 and 4.2).
"""

import math

from .draft import Draft
from .instance import Instance
from .plan import Plan
from .ranks import by_priority


def peft(instance: Instance, *, communication: float = 1.0) -> Plan:
    """Ready tasks by falling mean optimistic cost, each where its finish plus its optimistic cost there is smallest.

    With insertion; the first in `instance.order` and the lowest node among equals. `communication` as for HEFT.
    Raises StrandedError.
    """
    table = optimistic_costs(instance, communication)
    draft = Draft(instance, communication=communication)
    for task in by_priority(instance, [math.fsum(row) / len(row) for row in table]):
        starts = draft.starts_s(task)
        rows = zip(starts, instance.cost_s[task], table[task], strict=True)
        draft.settle(task, starts, [start + seconds + below for start, seconds, below in rows])
    return draft.plan()


def optimistic_costs(instance: Instance, communication: float = 1.0) -> list[list[float]]:
    """Per task and node: the shortest time from the task's end there to the end, if nothing else had to run.

    The longest over the children, each on its best node; a transfer to another node takes its mean time.
    """
    transfer_s = instance.mean_transfer_s
    table: list[list[float]] = [[] for _ in range(instance.tasks)]
    for task in reversed(instance.order):
        costs = [0.0] * instance.nodes
        for child, size_bytes in instance.children[task]:
            away = communication * transfer_s(size_bytes)
            rest = [below + seconds for below, seconds in zip(table[child], instance.cost_s[child], strict=True)]
            costs = [max(one, other) for one, other in zip(costs, _from_each(rest, away), strict=True)]
        table[task] = costs
    return table


def _from_each(rest: list[float], away: float) -> list[float]:
    """Per node: the smallest of what is left there, and of what is left on any other node plus the way there."""
    best = min(rest)
    at = rest.index(best)
    second = min(rest[:at] + rest[at + 1 :], default=math.inf)
    return [min(own, (second if node == at else best) + away) for node, own in enumerate(rest)]
