"""Outlook: how a node's peers will be occupied by what is known of one job, as the node imagines it.

Calendars that are free from now on, into which go, in this order (scheduling.md 4.5):

- what runs, until its expected end; if that is past, for another tenth of what it was expected to take;
- other jobs' work: as much of each peer's believed queue as this job does not explain;
- tasks that are not started, one after another as they are given. One that has a node goes there; one without goes to
  the peer where it would end first, not before its inputs could travel there from now.

A node with several cores has a calendar for each.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from pnode.protocol.ids import NodeId
from pnode.protocol.view import Phase, Progress, Question, Score, View

from .cores import Cores

PEERS_MAX = 32
"""The peers where the task at hand would end first by their queues alone. It hardly ends up elsewhere, and a decision
among hundreds of peers must not ask for the links between all of them."""

STEPS_MAX = 20_000
"""Parents looked at, times targets, in one decision: some five milliseconds. A hundred tasks on eight nodes take a
few
hundred; the largest graphs are cut off here, after their most urgent tasks."""

OVERDUE_SHARE = 0.1
"""Of what it was expected to take: so much longer a task is believed to run that should have ended."""


class Outlook:
    """The calendars, and where and when everything ends that was put into them. All times are seconds from now."""

    def __init__(self, question: Question, view: View, scores: Sequence[Score], known: dict[str, Progress]) -> None:
        """`scores`: the candidates, their inputs, queues and run times; `known`: how far tasks are that have
        a node and have not ended."""
        self._question = question
        self._view = view
        cores = {peer.node: peer.cores for peer in view.peers}
        self._nodes = _near(scores)
        self._number = {node: at for at, node in enumerate(self._nodes)}
        self._cores = [Cores(cores[node]) for node in self._nodes]
        self._ways: dict[NodeId, list[tuple[float, float]]] = {}
        """Per source: latency and bandwidth to each node."""
        self._ends: dict[str, tuple[NodeId, float]] = {}
        """Node and finish of what runs and of what was put here; of other tasks `Question.progress` tells."""
        self._steps = 0
        self._known = known
        self._occupy(scores)

    def place(self, names: Iterable[str], homes: Mapping[str, NodeId]) -> None:
        """Put tasks that are not started into the calendars, in this order; `homes` are the nodes they will go to.

        Beyond STEPS_MAX, tasks that have a node are put behind all others whenever their inputs come, and tasks that
        have none are left out.
        """
        behind = [0.0] * len(self._nodes)
        for name in names:
            home = homes.get(name)
            at = None if home is None else self._number.get(home)
            if self._steps <= STEPS_MAX:
                if home is None:
                    self._place_best(name)
                elif at is not None:
                    self._place_at(name, at)
            elif at is not None:
                behind[at] += self._view.run_s(name, self._nodes[at])
        for cores, seconds in zip(self._cores, behind, strict=True):
            cores.block(seconds / len(cores))

    def can_go_on(self, scores: Sequence[Score]) -> bool:
        """Whether it will do for another task, with these candidates, at the same moment."""
        return self._steps <= STEPS_MAX and all(score.node in self._number for score in scores)

    def go_on(self, question: Question, known: Mapping[str, Progress]) -> None:
        """The task at hand is another one now, and of these tasks it is known how far they are. Who has bound one
        since has lengthened a queue by just as much as it explains."""
        self._question = question
        self._known.update(known)

    def seen(self, score: Score) -> Score:
        """The score of the task at hand with its finish according to the calendars.

        The queue is told as it is believed to be, or up to the imagined start when that waits for what goes first.
        """
        at = self._number.get(score.node)
        if at is None:
            return score
        start_s = self._cores[at].quote(self._wanted(self._question.task), score.inputs_s, score.run_s)
        queue_s = score.queue_s if start_s <= score.inputs_s else max(score.queue_s, start_s)
        return Score(score.node, start_s + score.run_s, score.inputs_s, queue_s, score.run_s)

    def _wanted(self, name: str) -> int:
        return self._question.dag.by_name[name].cores

    def _occupy(self, scores: Sequence[Score]) -> None:
        """Everything that no decision can change: what runs, and other jobs' work."""
        explained = [0.0] * len(self._nodes)
        for name, known in self._known.items():
            at = self._number.get(known.node)
            if at is None:
                continue
            cores = self._cores[at]
            wanted = min(max(1, self._wanted(name)), len(cores))
            expected_s = known.finish_in_s - known.start_in_s
            if known.phase is Phase.RUNNING:
                expected_s = known.finish_in_s if known.finish_in_s > 0.0 else OVERDUE_SHARE * expected_s
                self._ends[name] = (known.node, expected_s)
                cores.run(wanted, expected_s)
            explained[at] += expected_s * wanted / len(cores)
        for score in scores:
            at = self._number.get(score.node, -1)
            if at >= 0:
                self._cores[at].block(score.queue_s - explained[at])

    def _place_at(self, name: str, at: int) -> None:
        inputs = self._inputs(name, self._known.get(name))
        self._steps += len(inputs) + 1
        arrival_s = 0.0
        for source, finish_s, size_bytes in inputs:
            latency_s, bandwidth = self._ways_from(source)[at]
            arrival_s = max(arrival_s, finish_s + latency_s + size_bytes / bandwidth)
        run_s = self._view.run_s(name, self._nodes[at])
        self._take(name, at, self._cores[at].quote(self._wanted(name), arrival_s, run_s), run_s)

    def _place_best(self, name: str) -> None:
        inputs = self._inputs(name, None)
        nodes, wanted = self._nodes, self._wanted(name)
        self._steps += (len(inputs) + 1) * len(nodes)
        # This is where a decision spends its time, hence the plain loops.
        arrivals = [0.0] * len(nodes)
        for source, finish_s, size_bytes in inputs:
            for at, (latency_s, bandwidth) in enumerate(self._ways_from(source)):
                arrival_s = finish_s + latency_s + size_bytes / bandwidth
                if arrival_s > arrivals[at]:
                    arrivals[at] = arrival_s
        run_s, best_s = self._view.run_s, math.inf
        where, start, seconds = 0, 0.0, 0.0
        for at, node in enumerate(nodes):
            needed_s = run_s(name, node)
            if arrivals[at] + needed_s >= best_s:
                continue
            start_s = self._cores[at].quote(wanted, arrivals[at], needed_s)
            if start_s + needed_s < best_s:
                best_s = start_s + needed_s
                where, start, seconds = at, start_s, needed_s
        if best_s < math.inf:
            self._take(name, where, start, seconds)

    def _take(self, name: str, at: int, start_s: float, seconds: float) -> None:
        self._ends[name] = (self._nodes[at], self._cores[at].commit(self._wanted(name), start_s, seconds))

    def _inputs(self, name: str, known: Progress | None) -> list[tuple[NodeId, float, float]]:
        """(source, when it exists there, bytes) of every parent of which enough is known.

        What a task that has a node gets from a finished parent has been on its way since then; for a task that has
        none it sets out now.
        """
        dag, ends, progress = self._question.dag, self._ends, self._question.progress
        inputs = []
        for parent in dag.parents[name]:
            end = ends.get(parent)
            if end is None:
                told = progress.get(parent)
                if told is None:
                    continue
                end = (told.node, told.finish_in_s if known is not None else max(0.0, told.finish_in_s))
            inputs.append((end[0], end[1], dag.edge_bytes(parent, name)))
        return inputs

    def _ways_from(self, source: NodeId) -> list[tuple[float, float]]:
        ways = self._ways.get(source)
        if ways is None:
            links = [self._view.link(source, node) for node in self._nodes]
            ways = self._ways[source] = [(link.latency_s, link.bandwidth_bytes_per_s) for link in links]
        return ways


def _near(scores: Sequence[Score]) -> list[NodeId]:
    """The nodes to be imagined, in ascending order."""
    if len(scores) > PEERS_MAX:
        scores = sorted(scores, key=lambda score: (score.total, score.inputs_s, score.node))[:PEERS_MAX]
    return sorted(score.node for score in scores)
