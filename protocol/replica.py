"""Replica: the part of a node that keeps a whole ledger. It passes on what others wait for, and ends the job.

A node that runs one task knows its neighbours in the graph only as far as they have spoken to it. A replica knows
everybody, so it introduces them: when a task has started or finished, those who hold or will place its children hear
of it; when a task has been assigned, its new holder hears of the parents that have already finished. Where the two
know each other, as along a chain, they speak directly and the replica's word is a duplicate.
"""

from .desk import Desk
from .effects import Fetch
from .ids import NodeId
from .job import Job
from .jobstate import Phase, UnitKey
from .ledger import Statement, StatementKind


class Replica:
    """The jobs whose ledgers this node keeps whole."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """React to a statement, whoever made it."""
        if not self._first(job):
            return
        key = (statement.task, statement.item)
        match statement.kind:
            case StatementKind.ASSIGNED:
                self._introduce_holder(job, key, NodeId(statement.node))
            case StatementKind.STARTED:
                self._tell_about(job, key, statement.attempt, author)
            case StatementKind.FINISHED:
                self._tell_about(job, key, statement.attempt, author)
                self._keep_results(job, key, statement, author)
            case StatementKind.CANCELLED:
                self._tell_all(job)
        if job.state.phase is Phase.FAILED:
            self._give_up(job, now)

    def _first(self, job: Job) -> bool:
        """Only one of the replicas passes things on: the first that is alive."""
        return self.desk.me == next(
            (node for node in self.desk.replicas(job) if not self.desk.near.is_gone(node)), self.desk.me
        ) and self.desk.me in self.desk.replicas(job)

    def _introduce_holder(self, job: Job, key: UnitKey, holder: NodeId) -> None:
        """A unit has a new holder: show it what is known of its parents, of the children that it will place, and of
        their other parents."""
        for parent in job.parents(key):
            self._show(job, holder, parent)
        for child in job.children(key):
            if job.controllers[job.task(child).name] == job.task(key).name:
                self._show(job, holder, child)
                for other in job.parents(child):
                    if other != key:
                        self._show(job, holder, other)

    def _show(self, job: Job, node: NodeId, key: UnitKey) -> None:
        unit = job.state.unit(key)
        known = unit.result or unit.current
        if known is not None:
            self.desk.show(job, node, key, known.key)

    def _tell_about(self, job: Job, key: UnitKey, attempt: int, author: NodeId) -> None:
        """A unit has started or finished: show that to whoever holds or will place its children."""
        for child in job.children(key):
            controller = job.key(job.controllers[job.task(child).name], child[1])
            for concerned in (child, controller):
                current = job.state.unit(concerned).current
                if concerned != key and current is not None:
                    self.desk.show(job, current.node, key, (attempt, author))

    def _keep_results(self, job: Job, key: UnitKey, statement: Statement, author: NodeId) -> None:
        """Copies of final outputs are fetched at once, so that they outlive the node that made them."""
        if job.task(key).final and statement.outcome is not None and author != self.desk.me:
            for file in statement.outcome.outputs:
                self.desk.effects.append(Fetch(file, (author,)))

    def _give_up(self, job: Job, now: float) -> None:
        """A task has failed for good: the rest of the job is of no use to anybody."""
        if job.state.cancelled is None:
            (key, attempt), *_ = job.state.failures()
            text = f"{job.task(key).name} failed: {attempt.reason}"[:4000]
            self.desk.say(job, Statement(StatementKind.CANCELLED, 0, 0, 0, now, text=text), ())

    def _tell_all(self, job: Job) -> None:
        """Whoever takes part must hear that it is over."""
        if job.concluded:
            return
        job.concluded = True
        for node in job.participants():
            self.desk.tell_end(job, node)
