"""HEFT: the most urgent task first, each where it ends first.

Heterogeneous Earliest Finish Time of Topcuoglu, Hariri and Wu 2002, section 4.2. It is the yardstick of everything
else here, and candidate 0 of every portfolio.
"""

import math
from collections.abc import Sequence

from .draft import Draft
from .instance import Instance
from .plan import Plan
from .ranks import descending, upward
from .sweep import FEW_NODES, Sweep

TASKS_PER_NODE_MAX = 90
"""MAX_TASK_ALLOWED of Jupiter's modified HEFT (jupiter.md 2.4)."""


def heft(
    instance: Instance,
    *,
    ranks: Sequence[float] | None = None,
    insertion: bool = True,
    communication: float = 1.0,
    free_from_s: Sequence[float] = (),
    tasks_per_node_max: int | None = None,
) -> Plan:
    """Tasks by falling rank; each takes the slot with the earliest finish, on the lowest node among equals.

    `ranks` are upward ranks unless given; by any ranks a parent comes before its child. Without `insertion` a task
    comes after all that its node has. With a `communication` other than 1 transfers are planned to take so much
    longer: the plan is then good as a mapping and an order, but no forecast. `free_from_s` says per node when it is
    free at first. Raises StrandedError.
    """
    draft = Draft(instance, insertion=insertion, communication=communication, free_from_s=free_from_s)
    order = descending(instance, upward(instance, communication=communication) if ranks is None else ranks)
    search = draft if instance.nodes <= FEW_NODES else Sweep(draft, order)
    room = [math.inf if tasks_per_node_max is None else tasks_per_node_max] * instance.nodes
    for task in order:
        node, start_s = search.earliest(task)
        search.place(task, node, start_s)
        room[node] -= 1
        if not room[node]:
            search.close(node)
    return draft.plan()


def heft_modified(instance: Instance) -> Plan:
    """HEFT with Jupiter's cap on the tasks of a node, raised where there are too few nodes for it.

    Meant against nodes that are packed with more containers than they can hold. Jupiter's code counts every tentative
    improvement against the cap; here, as was meant, only the node that is chosen counts.
    """
    even = math.ceil(instance.tasks / instance.nodes)
    return heft(instance, tasks_per_node_max=max(TASKS_PER_NODE_MAX, even))
