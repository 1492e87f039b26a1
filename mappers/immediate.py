"""Immediate mode: mappers that take tasks as they come and give each a node by one simple rule.

The rules of Armstrong, Hensgen and Kidd 1998 and Braun et al. 2001 (JPDC 61:6) for independent tasks. Tasks come in
`instance.order`, each after its parents, and go behind all that their node has, as in saga. Nodes that cannot run a
task, or that its inputs cannot reach, are left out; the lowest wins among equals. All raise StrandedError.
"""

import math

from .draft import Draft
from .instance import Instance
from .plan import Plan


def mct(instance: Instance) -> Plan:
    """Minimum Completion Time: where the task ends first."""
    draft = Draft(instance, insertion=False)
    for task in instance.order:
        draft.place(task, *draft.earliest(task))
    return draft.plan()


def met(instance: Instance) -> Plan:
    """Minimum Execution Time: where the task runs fastest, whatever waits there."""
    draft = Draft(instance, insertion=False)
    for task in instance.order:
        draft.settle(task, draft.starts_s(task), instance.cost_s[task])
    return draft.plan()


def olb(instance: Instance) -> Plan:
    """Opportunistic Load Balancing: on the node that is free first, however slow it is and far its inputs are."""
    draft = Draft(instance, insertion=False)
    for task in instance.order:
        draft.settle(task, draft.starts_s(task), [calendar.tail_s for calendar in draft.calendars])
    return draft.plan()


def fastest(instance: Instance) -> Plan:
    """Everything on the fastest node: the one that runs all tasks in the shortest time.

    What it cannot run goes to the next fastest; a node is the faster the fewer tasks it cannot run.
    """
    columns = zip(*instance.cost_s, strict=True)
    totals = [(column.count(math.inf), math.fsum(one for one in column if one < math.inf)) for column in columns]
    place = {node: at for at, node in enumerate(sorted(range(instance.nodes), key=totals.__getitem__))}
    draft = Draft(instance, insertion=False)
    for task in instance.order:
        draft.settle(task, draft.starts_s(task), [place[node] for node in range(instance.nodes)])
    return draft.plan()
