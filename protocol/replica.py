"""Replica: what the leading replica of a job passes on, since others wait for it, and that the job is over.

A node that runs one task knows its neighbours in the graph only as far as they have spoken to it. A replica knows
everybody, so it introduces them: when a task has started, who is to place its children hears of it; when it has
finished, those who hold its children; when a task has been assigned, its new holder hears of the parents that have
finished, of the children that it will control, and of their other parents. Where two know each other, as along a
chain, they speak directly and the replica's word is a duplicate. A node that comes back is introduced anew, and
whoever runs what somebody else has taken over is shown that.

Whatever the end, every node that had a part in the job hears that it is over.
"""

import math

from .desk import Desk
from .ids import NodeId
from .job import Job
from .jobstate import Attempt, Phase, UnitKey, superseding, why_failed
from .ledger import Statement, StatementKind

AGAIN_S = 60.0
"""Who led a job when it ended, and has died since, may not have told everybody; what it had to tell takes seconds."""


class Replica:
    """The jobs that this node leads."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """React to a statement about a unit, whoever made it."""
        key = (statement.task, statement.item)
        match statement.kind:
            case StatementKind.ASSIGNED:
                self._introduce(job, key, NodeId(statement.node))
            case StatementKind.ACCEPTED:
                self._remind_of_end(job, key, author, statement)
                self._introduce_unassigned(job, key, author, statement)
            case StatementKind.STARTED:
                self._remind_of_end(job, key, author, statement)
                self._tell_controllers(job, key)
            case StatementKind.FINISHED:
                self._tell_controllers(job, key)
                self._tell_holders(job, key)
            case StatementKind.LOST | StatementKind.SPENT:
                self._tell_holders(job, key)  # who waits for it, of whatever takes its place
        self._stop_superseded(job, key)
        self.check_failed(job, now)

    def introduce_all(self, job: Job) -> None:
        """Who led before may not have come to it: show everybody who has something to do what it needs for that."""
        for key, unit in job.state.units.items():
            current = unit.current
            if current is not None and current.phase == "finished":
                self._introduce(job, key, current.node)
            for attempt in unit.attempts.values():
                if attempt.is_open:
                    self._introduce(job, key, attempt.node)
                    self.desk.remind(job, attempt.node, key, attempt.key)  # it may have forgotten before we led

    def back(self, job: Job, node: NodeId) -> None:
        """A node is there again that may have missed, or forgotten, what was said: tell it all that concerns it."""
        for key in job.state.places.get(node, ()):
            for attempt in job.state.unit(key).attempts.values():
                if attempt.node == node and attempt.is_open:
                    self.desk.remind(job, node, key, attempt.key)
            self._introduce(job, key, node)
            self._stop_superseded(job, key)
            result = job.state.unit(key).result
            if result is not None and self._is_gone(result):
                self._tell_holders(job, key)  # that this node may have made the same

    def gone(self, job: Job, node: NodeId) -> None:
        """A member is gone: show whoever waits for what it has made who has made the same."""
        for key in job.state.places.get(node, ()):
            result = job.state.unit(key).result
            if result is not None and result.node == node:
                self._tell_holders(job, key)

    def check_failed(self, job: Job, now: float) -> None:
        """If a task has failed for good the rest of the job is of no use to anybody."""
        if job.state.phase is Phase.FAILED and not job.state.is_over:
            (key, _), *_ = job.state.failures()
            text = f"{job.task(key).name} failed: {why_failed(job.state.unit(key))}"
            self.desk.cancel(job, text, now)

    def conclude(self, job: Job) -> None:
        """The job is over: see to it that everybody hears of it."""
        for node in job.participants:
            self.desk.tell_end(job, node)

    def conclude_again(self, job: Job, now: float) -> None:
        """This node has begun to lead a job that is over."""
        if now - job.ended_here_s < AGAIN_S:
            for node in job.participants:
                if node not in job.informed_of_end:
                    self.desk.tell_end(job, node)

    def back_too_late(self, job: Job, node: NodeId) -> None:
        """The job was over when a node came back. What was over when this node was started is not told again, but to
        those who show that they have not heard of it (`mail`)."""
        if job.ended_here_s > -math.inf and node not in job.informed_of_end and node in job.participants:
            self.desk.tell_end(job, node)

    def _introduce(self, job: Job, key: UnitKey, holder: NodeId) -> None:
        """Show the holder of a unit what it will need to know of the units around it."""
        unit = job.state.unit(key)
        if unit.result is None or any(each.is_open and each.node == holder for each in unit.attempts.values()):
            may_begin = all(job.state.unit(parent).result is not None for parent in job.parents(key))
            for parent in job.parents(key):
                self._show(job, holder, parent, is_awaited=may_begin)
        for child in job.controlled(key):
            self._show(job, holder, child)
            if not job.state.unit(child).attempts:
                for other in job.parents(child):
                    self._show(job, holder, other)

    def _introduce_unassigned(self, job: Job, key: UnitKey, holder: NodeId, statement: Statement) -> None:
        """Whoever assigned it has not told us, or we have lost it with the last rows of our journal."""
        if job.state.unit(key).attempts[(statement.attempt, holder)].assigned_s is None:
            self._introduce(job, key, holder)

    def _show(self, job: Job, node: NodeId, key: UnitKey, *, is_awaited: bool = False) -> None:
        unit = job.state.unit(key)
        known = unit.result or unit.current
        if known is not None:
            self.desk.show(job, node, key, known.key, is_awaited=is_awaited)
        if unit.result is not None and self._is_gone(unit.result):
            for each in unit.equals:
                if not self._is_gone(each):
                    self.desk.show(job, node, key, each.key, is_awaited=is_awaited)

    def _is_gone(self, result: Attempt) -> bool:
        return result.lost is not None or result.is_spent or self.desk.is_gone(result.node)

    def _remind_of_end(self, job: Job, key: UnitKey, author: NodeId, statement: Statement) -> None:
        """Whoever begins again what it has ended was restarted without the last rows of its journal: it would run the
        whole unit once more."""
        attempt = job.state.unit(key).attempts[(statement.attempt, author)]
        if attempt.ended_s is not None and statement.at_s > attempt.ended_s:
            self.desk.remind(job, author, key, attempt.key)

    def _tell_controllers(self, job: Job, key: UnitKey) -> None:
        """A unit has started: show that to whoever is to place its children. These wait for it if it is through."""
        for child in job.children(key):
            controller = job.controller(child)
            assert controller is not None, "a child has parents"
            holder = job.state.unit(controller).current
            if holder is not None and not job.state.unit(child).attempts:
                self._show(job, holder.node, key, is_awaited=job.state.unit(key).result is not None)

    def _tell_holders(self, job: Job, key: UnitKey) -> None:
        """A unit has finished: show that to whoever waits for its outputs."""
        for child in job.children(key):
            for attempt in job.state.unit(child).attempts.values():
                if attempt.is_open:
                    self._show(job, attempt.node, key, is_awaited=True)

    def _stop_superseded(self, job: Job, key: UnitKey) -> None:
        """Show whoever still has the unit that somebody else has got further."""
        unit = job.state.unit(key)
        for attempt in unit.attempts.values():
            other = superseding(unit, attempt) if attempt.is_open else None
            if other is not None and not self.desk.is_gone(other.node):
                self.desk.show(job, attempt.node, key, other.key)
