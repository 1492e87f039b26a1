"""Rank: the order of urgency in which a wave places tasks."""

import math
from collections.abc import Mapping
from itertools import permutations

from pnode.protocol.dag import Dag
from pnode.protocol.view import View

SAMPLE_MAX = 16
"""Means are taken over this many peers. Ids are random keys, so the first in the view are a fair sample; all pairs of
a large cluster would make a decision wait (20,000 tasks by 256 nodes are five million estimates)."""


def upward_ranks(dag: Dag, view: View) -> dict[str, float]:
    """Seconds from each task's start to the end of the job along its longest way, by mean costs.

    Run times are means over nodes; a transfer takes the mean latency plus the size times the mean of the inverse
    bandwidths over ordered pairs of different nodes (scheduling.md 2.1).
    """
    nodes = [peer.node for peer in view.peers[:SAMPLE_MAX]]
    links = [view.link(source, target) for source, target in permutations(nodes, 2)]
    latency_s = _mean([link.latency_s for link in links])
    seconds_per_byte = _mean([1.0 / link.bandwidth_bytes_per_s for link in links])

    def run_s(task: str) -> float:
        return _mean([view.run_s(task, node) for node in nodes])

    def transfer_s(parent: str, child: str) -> float:
        return latency_s + seconds_per_byte * dag.edge_bytes(parent, child)

    return dag.upward_ranks(run_s, transfer_s)


def rank_order(dag: Dag, ranks: Mapping[str, float]) -> tuple[str, ...]:
    """All tasks, the most urgent first; among equals a parent before its child.

    The children of one controller are placed in this order: decisions in order of urgency gain 9 % at the median over
    topological order (scheduling.md 1.5).
    """
    return tuple(sorted(dag.order, key=lambda name: -ranks[name]))


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
