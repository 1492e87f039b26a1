"""Windows: between which moments a task can run on a node at all, whatever is done with the others."""

import numpy as np

from pnode.protocol.values import dataclass

from .instance import Floats, Instance
from .links import Links


@dataclass(frozen=True, slots=True)
class Windows:
    """Two bounds per task and node (arrays of tasks by nodes); `inf` where the task cannot run."""

    head_s: Floats
    """It starts no sooner: its ancestors have to run, each where that is best, and their outputs to arrive."""
    tail_s: Floats
    """From its end, the whole graph takes at least so long."""


def windows(instance: Instance) -> Windows:
    """By the longest ways, as if every node could do everything at once."""
    links, cost = Links(instance), instance.cost
    able = np.isfinite(cost)
    head, tail = np.zeros(able.shape), np.zeros(able.shape)
    for task in instance.order:
        for parent, size_bytes in instance.parents[task]:
            ends = head[parent] + cost[parent]
            head[task] = np.maximum(head[task], (ends[:, np.newaxis] + links.matrix_s(size_bytes)).min(axis=0))
    for task in reversed(instance.order):
        for child, size_bytes in instance.children[task]:
            rest = tail[child] + cost[child]
            tail[task] = np.maximum(tail[task], (links.matrix_s(size_bytes) + rest).min(axis=1))
    return Windows(np.where(able, head, np.inf), np.where(able, tail, np.inf))
