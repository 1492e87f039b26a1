"""Imagination: the mapping that WAVE would make now, without running anything.

The wave is walked as it would run through the cluster: tasks whose parents are placed are decided in order of upward
rank, entry tasks by the node that asks, every other task by the node that was chosen for its controlling parent. The
deciders share the asker's beliefs about speeds, links and queues, and see what was placed so far as occupied time on
the nodes. A mapper that plans is asked for its plan first, and every decider has it, as it would in a job. Real
deciders know more of themselves, and less, later, of the others.
"""

import heapq
from collections.abc import Mapping
from random import Random

from pnode.protocol.controller import controllers_of
from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass, field, replace
from pnode.protocol.view import (
    Choice,
    Mapper,
    Parent,
    PeerView,
    Phase,
    Planned,
    Planner,
    Progress,
    Question,
    View,
)

from .finish import arrivals_s
from .load import queues_s
from .rank import rank_order, upward_ranks


class UnplaceableError(LookupError):
    """A mapper finds nobody for a task: too few nodes, or none that may compute. Wait, or ask another mapper."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a task would go, and what would be expected of it, in seconds from now."""

    node: NodeId
    choice: Choice
    decider: NodeId
    start_s: float
    finish_s: float


def imagine(
    dag: Dag,
    view: View,
    mapper: Mapper,
    rng: Random,
    items: int = 1,
    input_bytes: float = 0.0,
    controllers: Mapping[str, str] | None = None,
) -> dict[str, Placement]:
    """The placement of every task, in the order of the decisions.

    A stream is imagined as one item that is `items` times as large. `input_bytes` is what each entry task gets per
    item from the asking node. `controllers` defaults to `controllers_of(dag)`.

    Raises UnplaceableError when the mapper finds nobody for a task.
    """
    appointed = controllers_of(dag) if controllers is None else controllers
    plan = mapper.plan(dag, view, rng, items) if isinstance(mapper, Planner) else {}
    return _Wave(dag, _settled(view, items), mapper, rng, items, input_bytes, appointed, plan).run()


def _settled(view: View, items: int) -> View:
    """The view with queues as they are believed to be, and run times for all items.

    Once believed, a queue counts as fresh: otherwise what the wave itself puts there would be mistrusted with it.
    """
    believed = queues_s(view.peers, refresh_s=view.refresh_s)
    peers = tuple(replace(peer, free_in_s=believed[peer.node], age_s=0.0) for peer in view.peers)
    return replace(view, peers=peers, run_s=lambda task, node: items * view.run_s(task, node))


@dataclass(slots=True)
class _Wave:
    """One walk. Owns the nodes' imagined calendars."""

    dag: Dag
    view: View
    mapper: Mapper
    rng: Random
    items: int
    input_bytes: float
    controllers: Mapping[str, str]
    plan: Mapping[str, Planned]
    ranks: Mapping[str, float] = field(init=False)
    peers: dict[NodeId, PeerView] = field(init=False)
    cores: dict[NodeId, list[float]] = field(init=False)
    """When each core of a node is free, ascending."""
    used: dict[NodeId, dict[NodeId, None]] = field(default_factory=dict)
    """The nodes that each decider has chosen so far."""
    placed: dict[str, Placement] = field(default_factory=dict)
    bound: dict[str, Progress] = field(default_factory=dict)
    """The same as a decider sees it."""

    def __post_init__(self) -> None:
        self.ranks = upward_ranks(self.dag, self.view)
        self.peers = {peer.node: peer for peer in self.view.peers}
        self.cores = {peer.node: [peer.free_in_s] * max(1, peer.cores) for peer in self.view.peers}

    def run(self) -> dict[str, Placement]:
        turn = {name: place for place, name in enumerate(rank_order(self.dag, self.ranks))}
        missing = {name: len(parents) for name, parents in self.dag.parents.items()}
        free = [(turn[name], name) for name in self.dag.entries]
        heapq.heapify(free)
        while free:
            name = heapq.heappop(free)[1]
            self.placed[name] = self._place(name)
            for child in dict.fromkeys(self.dag.by_name[name].children):
                missing[child] -= 1
                if not missing[child]:
                    heapq.heappush(free, (turn[child], child))
        return self.placed

    def _place(self, name: str) -> Placement:
        controller = self.controllers.get(name)
        decider = self.view.me if controller is None else self.placed[controller].node
        used = self.used.setdefault(decider, {})
        # What this decider has bound is in the queues already: zero seconds on top, but it knows whom it has used.
        mine = tuple((node, 0.0) for node in sorted(used))
        question = Question(self.dag, name, self._parents(name), frozenset(), mine, self.bound, self.ranks, self.plan)
        view = replace(self.view, me=decider, peers=tuple(self.peers.values()))
        choice = self.mapper.choose(question, view, self.rng)
        if not choice.ranking:
            raise UnplaceableError(
                f"{self.mapper.name} finds no node for task {name!r} among {len(self.peers)} peers"
            )
        node = choice.ranking[0].node
        used[node] = None
        start_s, finish_s = self._occupy(node, question)
        self.bound[name] = Progress(node, Phase.BOUND, start_s, finish_s)
        return Placement(node, choice, decider, start_s, finish_s)

    def _parents(self, name: str) -> tuple[Parent, ...]:
        names = self.dag.parents[name]
        if not names:
            return (Parent("", self.view.me, 0.0, self.items * self.input_bytes),) if self.input_bytes else ()
        return tuple(
            Parent(
                parent,
                self.placed[parent].node,
                self.placed[parent].finish_s,
                self.items * self.dag.edge_bytes(parent, name),
            )
            for parent in names
        )

    def _occupy(self, node: NodeId, question: Question) -> tuple[float, float]:
        """Take the cores that are free first, as many as the task wants and the node has."""
        cores = self.cores[node]
        wanted = min(max(1, self.dag.by_name[question.task].cores), len(cores))
        [arrival_s] = arrivals_s(question.parents, [node], self.view.link)
        start_s = max(arrival_s, cores[wanted - 1])
        finish_s = start_s + self.view.run_s(question.task, node)
        cores[:wanted] = [finish_s] * wanted
        cores.sort()
        self.peers[node] = replace(self.peers[node], free_in_s=cores[0])
        return start_s, finish_s
