"""Re-planning: what the node where something unexpected has happened makes of the rest of a job.

It lays out, on its beliefs (`Board`), all tasks that have not started, in upward-rank order, and moves those that are
its business to where they would end clearly earlier (scheduling.md 4.7). Every other task stays where it is, in the
imagined plan as well. Started tasks never move.

A task is the business of the node that it is queued on and of those that hold one of its parents; entry tasks are
everybody's, and so is what a dead node had. That many hands may act at once is what bids and the margin are for
(`bid`). The reference leaves it to the holder of the controlling parent alone; no clear difference was measured.

Where a task would end first is not all that counts: its outputs have to reach children that wait elsewhere. HEFT has
no need to look at that, since it places the children afterwards; here they stay unless somebody moves them, too. So a
quote is the finish and, because the child may follow, half the longest way on to a child. The half was chosen among
some nine variants on a third of the instances of sets A and B. On instances and seeds that had no part in that choice
(two draws of 48 layered graphs and 40 traces, medians of static HEFT's makespan, with and without): where node speeds
and durations are off by 50 %, 0.92 and 0.93 instead of 0.95 and 0.94 on layered graphs, but 0.89 and 0.90 instead of
0.86 and 0.88 on traces; under noise alone 1.00 and 1.00 instead of 1.02 and 1.00 on layered graphs, and no difference
on traces. So it helps where communication matters, and costs a little where it does not.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pnode.protocol.values import dataclass

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
    """The links of an instance, made to be asked often."""

    def __init__(self, instance: Instance) -> None:
        nodes = range(instance.nodes)
        self._instance = instance
        self._is_plain = instance.seconds_per_byte2 is None
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

    def seconds(self, source: int, target: int, size_bytes: float) -> float:
        """Seconds on an empty network."""
        if self._is_plain:
            latency_s, inverse = self._rows[source][target]
            return latency_s + size_bytes * inverse
        return self._instance.transfer_s(source, target, size_bytes)


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

    def ready_at_s(self, task: int, node: int, limit_s: float = math.inf) -> float:
        """When the last input could be there; `inf` if a parent has no node, or if that would be at `limit_s` or
        later.

        Ended parents have sent theirs to the task's present node; to any other node they would set out now.
        """
        place, finish_s, seconds = self.place, self.finish_s, self.ways.seconds
        earliest = -math.inf if node == place[task] else self.now
        ready = self.now
        # A pass goes through the edges of the job, times the nodes: a plain loop.
        for parent, size_bytes in self.instance.parents[task]:
            source, leaves = place[parent], finish_s[parent]
            if source == NOWHERE:
                return math.inf
            if leaves < earliest:
                leaves = earliest
            arrival = leaves + seconds(source, node, size_bytes)
            if arrival > ready:
                ready = arrival
                if ready >= limit_s:
                    return math.inf
        return ready if ready < limit_s else math.inf

    def start_s(self, task: int, node: int, ready_s: float) -> float:
        """The earliest start on a node; `inf` if it is dead, cannot run the task or cannot be reached."""
        if ready_s == math.inf:
            return math.inf
        cores, seconds = self.nodes[node], self.run_s(task, node)
        if cores is None or seconds == math.inf:
            return math.inf
        return cores.quote(self.wanted[task], ready_s, seconds)

    def onward_s(self, task: int, node: int) -> float:
        """What counts of the longest way on, from a node to children that have one."""
        place, longest = self.place, 0.0
        for child, size_bytes in self.instance.children[task]:
            if place[child] != NOWHERE:
                longest = max(longest, self.ways.seconds(node, place[child], size_bytes))
        return FOLLOW_SHARE * longest

    def put(self, task: int, node: int, start_s: float) -> float:
        """Take the slot, and say when it ends."""
        cores = self.nodes[node]
        assert cores is not None, f"node {node} is dead"
        self.place[task] = node
        end = self.finish_s[task] = cores.commit(self.wanted[task], start_s, self.run_s(task, node))
        return end


class Step(NamedTuple):
    """What becomes of a task that has not started."""

    task: int
    node: int
    start_s: float
    finish_s: float
    before: int = NOWHERE
    """The node that it was believed to be on."""


Ask = Callable[[int, Sequence[int]], Mapping[int, float]]
"""Asks nodes when they would have ended a task; the bids of those that answer."""


def replan(
    board: Board, order: Iterable[int], may_move: Callable[[int], bool], margin_share: float, ask: Ask | None = None
) -> Iterator[Step]:
    """What becomes of these tasks, none of which has started, each of which comes after its parents. One after
    another: who carries out a step before taking the next gets bids that know of it.

    Tasks that have no node, or a dead one, get one where they end first; so this is HEFT on calendars that are not
    empty. What nobody can run, or comes after such a task, is left out. Without `ask` the beliefs themselves decide.
    """
    for task in order:
        node = here = board.place[task]
        start_s = math.inf if here == NOWHERE else board.start_s(task, here, board.ready_at_s(task, here))
        if start_s == math.inf or may_move(task):
            choices = _better(board, task, start_s, margin_share)
            node = _chosen(board, task, start_s, choices, margin_share, ask)
            start_s = choices[node].start_s if node in choices else start_s
        if start_s < math.inf:
            yield Step(task, node, start_s, board.put(task, node, start_s), here)


class _Quote(NamedTuple):
    start_s: float
    total_s: float
    """The finish, and what counts of the way on."""


def _better(board: Board, task: int, start_s: float, margin_share: float) -> dict[int, _Quote]:
    """Other nodes that beat the present one, where the task would start at `start_s`, by more than the margin."""
    here, limit_s = board.place[task], math.inf
    if start_s < math.inf:
        needed_s = board.run_s(task, here)
        limit_s = start_s + needed_s + board.onward_s(task, here) - margin_share * needed_s
    found: dict[int, _Quote] = {}
    for node in range(len(board.nodes)):
        if node != here:
            # Most nodes are out of the question by the first inputs, and their calendars need not be asked.
            ready_s = board.ready_at_s(task, node, limit_s - board.run_s(task, node))
            start_s = board.start_s(task, node, ready_s)
            if start_s < math.inf:
                total_s = start_s + board.run_s(task, node) + board.onward_s(task, node)
                if total_s < limit_s:
                    found[node] = _Quote(start_s, total_s)
    return found


def _chosen(
    board: Board, task: int, start_s: float, choices: Mapping[int, _Quote], margin_share: float, ask: Ask | None
) -> int:
    """Where the task goes: to the best quote, or if nodes are asked to the best bid, if that is enough of a gain."""
    here = board.place[task]
    if not choices:
        return here
    totals = {node: quote.total_s for node, quote in choices.items()}
    if ask is None or start_s == math.inf:
        return winner(totals, NOWHERE, 0.0)
    needed_s = board.run_s(task, here)
    totals[here] = start_s + needed_s + board.onward_s(task, here)
    bids = {node: bid_s + board.onward_s(task, node) for node, bid_s in ask(task, asked(totals, here)).items()}
    return winner(bids, here, needed_s, margin_share) if bids else here


def reserve(
    board: Board,
    order: Iterable[int],
    planned: Sequence[int],
    tails_s: Sequence[float],
    answers: Callable[[int], bool],
) -> Iterator[Step]:
    """Slots in the nodes' own calendars (`board`) for a job that was planned on older ones.

    Asked for each task are the node that it is planned on, three where it would end first by the tails of the older
    calendars, and the nodes of its first two parents (scheduling.md 4.14). `answers` says whether a node does. The
    earliest finish is taken at once.
    """
    tails = list(tails_s)
    for task in order:
        ready = [board.ready_at_s(task, node) for node in range(len(tails))]
        by_tail = {node: max(tail, ready[node]) + board.run_s(task, node) for node, tail in enumerate(tails)}
        parents = [board.place[parent] for parent, _ in board.instance.parents[task][:PARENTS_ASKED]]
        chosen = dict.fromkeys((planned[task], *asked(by_tail, NOWHERE), *parents))
        starts = {
            node: board.start_s(task, node, ready[node]) for node in chosen if node != NOWHERE and answers(node)
        }
        finishes = {node: start_s + board.run_s(task, node) for node, start_s in starts.items() if start_s < math.inf}
        if finishes:
            node = winner(finishes, NOWHERE, 0.0)
            finish_s = board.put(task, node, starts[node])
            tails[node] = max(tails[node], finish_s)
            yield Step(task, node, starts[node], finish_s)
