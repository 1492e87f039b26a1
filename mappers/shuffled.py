"""Shuffled: every task on a node drawn at random, which is what a mapper has to beat at the very least."""

from random import Random

from .draft import Draft
from .instance import Instance
from .plan import Plan


def shuffled(instance: Instance, rng: Random) -> Plan:
    """Each of the nodes that can run the task and that its inputs can reach is as likely; with insertion.

    Raises StrandedError.
    """
    draft = Draft(instance)
    for task in instance.order:
        draft.settle(task, draft.starts_s(task), [rng.random() for _ in range(instance.nodes)])
    return draft.plan()
