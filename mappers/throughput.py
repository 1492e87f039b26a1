"""TPHEFT: tasks in HEFT's order, so that the busiest node or link has as little to do per item as it can.

JupiterTP's throughput mapper (jupiter.md 2.5): when a stream of items flows through the graph, its rate is one over
the largest load of any node or link.
"""

from collections.abc import Sequence

from pnode.protocol.values import dataclass

from .draft import Draft
from .instance import Instance
from .plan import Plan
from .ranks import descending, upward


@dataclass(frozen=True, slots=True)
class Loads:
    """What one item costs each node and each link, in seconds."""

    node_s: tuple[float, ...]
    link_s: tuple[tuple[float, ...], ...]
    """Source by target."""

    @property
    def bottleneck_s(self) -> float:
        """Between two items, once the pipeline is full."""
        return max(*self.node_s, *map(max, self.link_s))


def tpheft(instance: Instance, *, ranks: Sequence[float] | None = None) -> Plan:
    """Each task where the largest load that it would add to is smallest: of the node, or of a link from a parent.

    As in JupiterTP, two parents on the same node are weighed one by one, not together. Times are those of the first
    item, with insertion. Tasks by falling `ranks`, upward ones unless given. Raises StrandedError.
    """
    draft = Draft(instance)
    node_s = [0.0] * instance.nodes
    link_s = [[0.0] * instance.nodes for _ in range(instance.nodes)]
    for task in descending(instance, upward(instance) if ranks is None else ranks):
        inputs = [
            (draft.node[parent], draft.links.arrivals_s(draft.node[parent], size_bytes, 0.0))
            for parent, size_bytes in instance.parents[task]
        ]
        worst = [load + seconds for load, seconds in zip(node_s, instance.cost_s[task], strict=True)]
        for source, times in inputs:
            loads = [load + seconds for load, seconds in zip(link_s[source], times, strict=True)]
            worst = [max(one, other) for one, other in zip(worst, loads, strict=True)]
        node = draft.settle(task, draft.starts_s(task), worst)
        node_s[node] += instance.cost_s[task][node]
        for source, times in inputs:
            link_s[source][node] += times[node]
    return draft.plan()


def loads(instance: Instance, node: Sequence[int]) -> Loads:
    """The loads of a mapping: `node` says where each task runs."""
    node_s = [0.0] * instance.nodes
    link_s = [[0.0] * instance.nodes for _ in range(instance.nodes)]
    for task, where in enumerate(node):
        node_s[where] += instance.cost_s[task][where]
        for parent, size_bytes in instance.parents[task]:
            link_s[node[parent]][where] += instance.transfer_s(node[parent], where, size_bytes)
    return Loads(tuple(node_s), tuple(map(tuple, link_s)))
