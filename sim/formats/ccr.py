"""CCR: links made faster or slower until communication and computation stand in the ratio that is asked for.

Real traces hardly communicate at 100 MB/s (data README 1.2), so that a study says nothing about communication unless
the network is scaled to the graphs: mean(size) * mean(1 / bandwidth) = CCR * mean(cost) (scheduling.md 2.3, set B).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from pnode.mappers.instance import Edge
from pnode.mappers.networks import communication_ratio
from pnode.sim.schedule.scenario import Graph, Network, ScenarioError, Vertex, instance_of


def scaled(network: Network, graphs: Sequence[Graph], ccr: float) -> Network:
    """The network with all bandwidths, cards included, multiplied by one factor; latencies stay.

    All graphs count together, task by task and edge by edge. Raises ScenarioError where no factor does it.
    """
    if network.seconds_per_byte2 is not None:
        raise ScenarioError("links with a quadratic term cannot be scaled to a CCR")
    now = communication_ratio(instance_of(_together(graphs), network))
    factor = now / ccr if ccr else math.inf
    if not 0 < factor < math.inf:
        raise ScenarioError(
            f"the ratio of communication to computation is {now}: no faster or slower links make it {ccr}; expected "
            "edges with sizes, tasks with costs and links of finite bandwidth"
        )
    machines = tuple(
        replace(
            machine,
            up_bytes_per_s=machine.up_bytes_per_s * factor,
            down_bytes_per_s=machine.down_bytes_per_s * factor,
        )
        for machine in network.machines
    )
    bandwidth = tuple(tuple(rate * factor for rate in row) for row in network.bandwidth_bytes_per_s)
    return replace(network, machines=machines, bandwidth_bytes_per_s=bandwidth)


def _together(graphs: Sequence[Graph]) -> Graph:
    tasks: list[Vertex] = []
    edges: list[Edge] = []
    for graph in graphs:
        first = len(tasks)
        tasks += graph.tasks
        edges += [Edge(first + edge.parent, first + edge.child, edge.size_bytes) for edge in graph.edges]
    return Graph("all", tuple(tasks), tuple(edges))
