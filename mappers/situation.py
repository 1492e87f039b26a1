"""A situation: a job and one node's view of its peers, as the numbers that planners work on.

An instance runs one task at a time on a node, so a peer with several cores becomes several nodes of the instance,
with nothing between them. A task that wants several cores is planned on one of them; whoever carries the plan out
knows better. What cannot be told in numbers is left out: the plan is a hint.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from pnode.protocol.dag import Dag, Task
from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass
from pnode.protocol.view import PeerView, Planned, View

from .draft import StrandedError
from .instance import Edge, Instance, Matrix
from .load import queues_s
from .plan import Plan

CELLS_MAX = 400_000
"""Tasks times nodes of an instance: asking for so many run times takes about half a second, once per job. A graph of
20,000 tasks is planned on 20 cores, one of 1000 on 400."""


@dataclass(frozen=True, slots=True)
class Situation:
    """An instance, and what its numbers stand for."""

    instance: Instance
    """Tasks are those of the graph, in its order."""
    names: tuple[str, ...]
    """Of the tasks."""
    nodes: tuple[NodeId, ...]
    """The peer of each node of the instance, in ascending order."""
    free_from_s: tuple[float, ...]
    """When each node is free, seconds from now."""

    def planned(self, plan: Plan) -> dict[str, Planned]:
        """The plan by names."""
        rows = zip(self.names, plan.node, plan.start_s, plan.finish_s, strict=True)
        return {name: Planned(self.nodes[node], start_s, finish_s) for name, node, start_s, finish_s in rows}


def situation_of(dag: Dag, view: View, items: int = 1) -> Situation | None:
    """None when there is nobody to plan for.

    A stream counts as one item that is `items` times as large.
    """
    lanes = _lanes(view.peers, max(1, CELLS_MAX // len(dag.tasks)))
    if not lanes:
        return None
    peers = [view.peers[at] for at in lanes]
    number = {task.name: at for at, task in enumerate(dag.tasks)}
    edges = tuple(
        Edge(number[task.name], number[child], items * dag.edge_bytes(task.name, child))
        for task in dag.tasks
        for child in dict.fromkeys(task.children)
    )
    costs = tuple(_costs_s(task, view, peers, items) for task in dag.tasks)
    latency, inverse = _links(view, peers)
    queues = queues_s(view.peers, refresh_s=view.refresh_s)
    free_from_s = tuple(queues[peer.node] for peer in peers)
    nodes = tuple(peer.node for peer in peers)
    return Situation(Instance(costs, edges, latency, inverse), tuple(number), nodes, free_from_s)


def planned_by(planner: Callable[[Situation], Plan], dag: Dag, view: View, items: int = 1) -> Mapping[str, Planned]:
    """What a planner makes of it, by names. Empty when there is nobody to plan for, or when the planner finds no way
    to bring somebody's inputs along: whoever places the tasks will know more."""
    situation = situation_of(dag, view, items)
    if situation is None:
        return {}
    try:
        return situation.planned(planner(situation))
    except StrandedError:
        return {}


def _lanes(peers: Sequence[PeerView], count: int) -> list[int]:
    """Which peer each node of the instance stands for. When there are more cores than may be planned for, the fastest
    are taken, one of each peer before a second of any."""
    cores = [(core, -peer.speed, at) for at, peer in enumerate(peers) for core in range(max(1, peer.cores))]
    return sorted(at for _, _, at in sorted(cores)[:count])


def _costs_s(task: Task, view: View, peers: Sequence[PeerView], items: int) -> tuple[float, ...]:
    """`inf` on nodes that cannot run the task, and on all but those it asks for; unless that leaves nobody."""
    known: dict[NodeId, float] = {}
    for peer in peers:
        if peer.node not in known:
            known[peer.node] = items * view.run_s(task.name, peer.node)
    every = [known[peer.node] for peer in peers]
    able = [_if(_fits(task, peer), seconds) for peer, seconds in zip(peers, every, strict=True)]
    wished = [_if(peer.name in task.hint, seconds) for peer, seconds in zip(peers, able, strict=True)]
    return tuple(next((row for row in (wished, able) if min(row) < math.inf), every))


def _if(condition: bool, seconds: float) -> float:
    return seconds if condition else math.inf


def _fits(task: Task, peer: PeerView) -> bool:
    """Whether a peer has the cores and the memory that the task asks for."""
    return task.cores <= max(1, peer.cores) and task.memory_bytes <= peer.memory_bytes


def _links(view: View, peers: Sequence[PeerView]) -> tuple[Matrix, Matrix]:
    """Latency and seconds per byte between all nodes; a peer's own cores reach each other at once."""
    nodes = [peer.node for peer in peers]
    places = dict.fromkeys(nodes)
    latency: dict[NodeId, tuple[float, ...]] = {}
    inverse: dict[NodeId, tuple[float, ...]] = {}
    for source in places:
        links = {target: view.link(source, target) for target in places}
        latency[source] = tuple(links[target].latency_s for target in nodes)
        inverse[source] = tuple(1.0 / links[target].bandwidth_bytes_per_s for target in nodes)
    return tuple(latency[node] for node in nodes), tuple(inverse[node] for node in nodes)
