"""Re-planning: what the node where something unexpected has happened makes of the rest of a job.

It lays out, on its beliefs (`Board`), all tasks that have not started, in upward-rank order, and moves those that are
its business to where they would end clearly earlier (scheduling.md 4.7). Every other task stays where it is, in the
imagined plan as well. Started tasks never move.

A task is the business of the node that it is queued on and of those that hold one of its parents; entry tasks are
everybody's, and so is what a dead node had. That many hands may act at once is what bids and the margin are for
(`bid`). To leave a task to the holder of its controlling parent alone, as the reference does, is no better.

Where a task would end first is not all that counts: its outputs have to reach children that wait elsewhere. HEFT has
no need to look at that, since it places the children afterwards; here they stay unless somebody moves them, too. So a
quote is the finish and, because the child may follow, half the longest way on to a child. Measured on 16 layered
graphs and 14 traces under two seeds, medians: 0.88 and 0.87 of static HEFT's makespan where node speeds and durations
are off by 50 % (0.94 and 0.85 without), 0.93 and 1.00 under noise alone (1.00 and 1.00). The whole way, a third of
it, or the way to the end of the job behind it do about as well.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .bid import asked, winner
from .cores import Cores
from .instance import Instance

NOWHERE = -1
"""The node of a task that has none."""

DEVIATION_SHARE = 0.05
"""Of the expected duration, before any factor: a task that ends so much earlier or later than expected is a reason to
re-plan, a smaller deviation is not."""

FOLLOW_SHARE = 0.5
"""Of the longest way on to a child: how much of it counts when its parent is to be moved."""

PARENTS_ASKED = 2
"""Parents whose nodes are asked for a slot: the inputs are there already."""


def deviates(finish_s: float, due_s: float, expected_s: float) -> bool:
    """Whether a task ended far enough from its expected end to re-plan."""
    return abs(finish_s - due_s) > DEVIATION_SHARE * expected_s


def is_responsible(me: int, node: int, above: Iterable[int], *, node_is_dead: bool) -> bool:
    """Whether node `me` may move a task that is on `node`; `above` are the nodes of its parents."""
    nodes = list(above)
    return node_is_dead or not nodes or me == node or me in nodes


class Ways:
    """The links of an instance, ready to be asked for all targets at once."""

    def __init__(self, instance: Instance) -> None:
        nodes = range(instance.nodes)
        self._instance = instance
        # What cannot be reached is infinitely far, for no bytes as well: inf times 0 would be no number.
        self._rows = [
            [
                (math.inf, 0.0) if instance.apart[source, target] else (instance.latency_s[source][target], inverse)
                for target, inverse in zip(nodes, instance.seconds_per_byte[source], strict=True)
            ]
            for source in nodes
        ]
        for node in nodes:
            self._rows[node][node] = (0.0, 0.0)

    def seconds(self, source: int, size_bytes: float) -> list[float]:
        """To every node, on an empty network."""
        if self._instance.seconds_per_byte2 is not None:
            transfer_s = self._instance.transfer_s
            return [transfer_s(source, target, size_bytes) for target in range(self._instance.nodes)]
        return [latency_s + size_bytes * inverse for latency_s, inverse in self._rows[source]]


@dataclass(slots=True)
class Board:
    """What one node believes of one job and of the nodes, by number. Times are instants."""

    instance: Instance
    ways: Ways
    now: float
    nodes: Sequence[Cores | None]
    """Free from now on, but for what runs and for other jobs; None for a dead node."""
    factor: Sequence[float]
    """What a task takes on each node, over the profile."""
    wanted: Sequence[int]
    """Cores per task."""
    place: list[int]
    """Per task: the node where it ran, runs or waits, or NOWHERE."""
    finish_s: list[float]
    """Per task that has started: when it ended or is expected to."""

    def run_s(self, task: int, node: int) -> float:
        return self.instance.cost_s[task][node] * self.factor[node]

    def ready_at_s(self, task: int, node: int) -> float:
        """When the last input could be there.

        Ended parents have sent theirs to the task's present node; to any other node they would set out now.
        """
        now, place, finish_s, transfer_s = self.now, self.place, self.finish_s, self.instance.transfer_s
        earliest = -math.inf if node == place[task] else now
        ready = now
        for parent, size_bytes in self.instance.parents[task]:
            source, leaves = place[parent], finish_s[parent]
            if source == NOWHERE:
                return math.inf
            if leaves < earliest:
                leaves = earliest
            if source != node:
                leaves += transfer_s(source, node, size_bytes)
            if leaves > ready:
                ready = leaves
        return ready

    def ready_s(self, task: int) -> list[float]:
        """The same for every node."""
        now, here, place, finish_s, seconds = self.now, self.place[task], self.place, self.finish_s, self.ways.seconds
        ready = [now] * len(self.nodes)
        # A pass goes through the edges of the job, times the nodes: plain loops.
        for parent, size_bytes in self.instance.parents[task]:
            if place[parent] == NOWHERE:
                return [math.inf] * len(self.nodes)
            leaves = finish_s[parent]
            if leaves < now:
                leaves = now
            for node, way in enumerate(seconds(place[parent], size_bytes)):
                if leaves + way > ready[node]:
                    ready[node] = leaves + way
        if here != NOWHERE:
            ready[here] = self.ready_at_s(task, here)
        return ready

    def put(self, task: int, node: int, start_s: float) -> float:
        """Take the slot, and say when it ends."""
        cores = self.nodes[node]
        assert cores is not None, f"node {node} is dead"
        self.place[task] = node
        end = self.finish_s[task] = cores.commit(self.wanted[task], start_s, self.run_s(task, node))
        return end


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a task that has not started."""

    task: int
    node: int
    start_s: float
    finish_s: float
    before: int = NOWHERE
    """The node that it was believed to be on."""


Ask = Callable[[int, Sequence[int]], dict[int, float]]
"""Asks nodes when they would have ended a task; those that answer, with their bids."""


def replan(
    board: Board, order: Iterable[int], may_move: Callable[[int], bool], margin_share: float, ask: Ask | None = None
) -> Iterator[Step]:
    """What becomes of these tasks, none of which has started, each of which comes after its parents. One after
    another: who carries out a step before taking the next gets bids that know of it.

    Tasks that have no node get one in any case, where they end first; so this is HEFT on calendars that are not
    empty. Without `ask` the beliefs themselves decide.
    """
    for task in order:
        here = board.place[task]
        if here != NOWHERE and board.nodes[here] is not None and not may_move(task):
            starts = _quotes(board, task, {here: board.ready_at_s(task, here)})
        else:
            starts = _quotes(board, task, dict(enumerate(board.ready_s(task))))
        node = _destination(board, task, starts, margin_share, ask)
        if node != NOWHERE:
            yield Step(task, node, starts[node], board.put(task, node, starts[node]), here)


def _quotes(board: Board, task: int, ready_s: Mapping[int, float]) -> dict[int, float]:
    """The earliest start on each of these nodes that lives, can run the task and can be reached."""
    costs, wanted, factor, nodes = board.instance.cost_s[task], board.wanted[task], board.factor, board.nodes
    quotes: dict[int, float] = {}
    for node, ready in ready_s.items():
        cores = nodes[node]
        if cores is not None and costs[node] < math.inf and ready < math.inf:
            quotes[node] = cores.quote(wanted, ready, costs[node] * factor[node])
    return quotes


def _destination(board: Board, task: int, starts: Mapping[int, float], margin_share: float, ask: Ask | None) -> int:
    """Where the task goes; NOWHERE when nobody can run it."""
    here = board.place[task]
    if len(starts) <= 1:
        return next(iter(starts), NOWHERE)
    onward = _onward_s(board, task, starts)
    quotes = {node: start_s + board.run_s(task, node) + onward[node] for node, start_s in starts.items()}
    needed_s = board.run_s(task, here) if here in quotes else 0.0
    best = winner(quotes, here, needed_s, margin_share)
    if best == here or ask is None:
        return best
    bids = {node: bid_s + onward[node] for node, bid_s in ask(task, asked(quotes, here)).items()}
    if not bids:
        return here if here in quotes else best
    return winner(bids, here, needed_s, margin_share)


def _onward_s(board: Board, task: int, nodes: Iterable[int]) -> dict[int, float]:
    """What of the way on to children that have a node counts, from each of these nodes."""
    place, transfer_s = board.place, board.instance.transfer_s
    below = [(place[child], size) for child, size in board.instance.children[task] if place[child] != NOWHERE]
    if not below:
        return dict.fromkeys(nodes, 0.0)
    return {node: FOLLOW_SHARE * max(transfer_s(node, child, size) for child, size in below) for node in nodes}


def reserve(board: Board, order: Iterable[int], planned: Sequence[int], tails_s: Sequence[float]) -> list[Step]:
    """Slots in the nodes' own calendars (`board`) for a job that was planned on older ones.

    Asked for each task are the node that it is planned on, three where it would end first by the tails of the older
    calendars, and the nodes of its first two parents (scheduling.md 4.14). The earliest finish is taken at once.
    """
    tails = list(tails_s)
    steps: list[Step] = []
    for task in order:
        ready = board.ready_s(task)
        by_tail = {
            node: max(tails[node], ready[node]) + board.run_s(task, node)
            for node in range(len(tails))
            if board.instance.cost_s[task][node] < math.inf
        }
        parents = [board.place[parent] for parent, _ in board.instance.parents[task][:PARENTS_ASKED]]
        chosen = dict.fromkeys((planned[task], *asked(by_tail, NOWHERE), *parents))
        starts = _quotes(board, task, {node: ready[node] for node in chosen})
        node = _destination(board, task, starts, 0.0, None)
        if node != NOWHERE:
            finish_s = board.put(task, node, starts[node])
            tails[node] = max(tails[node], finish_s)
            steps.append(Step(task, node, starts[node], finish_s))
    return steps
