"""Settling: whoever leads a long stream settles its items (`settlement`), some together, as they get through.

    under way --every unit has a result that counts, each final one a copy--> through
    through --every replica has a copy of each final result, and nobody is still at any unit--> settled
    through --a copy dies with its keeper, and it was the only one--> under way

That is what is asked before a whole job is concluded, asked of one item: from then on nothing of it is computed
again. Whoever had a part in an item is told that it is settled, so that it may forget what it knows of it, too.
"""

from dataclasses import replace

from .desk import Desk
from .ids import JobId, NodeId
from .job import Job
from .jobstate import Attempt
from .ledger import Statement, StatementKind
from .timers import Timers

SETTLE_S = 1.0
"""Items that get through in a second are settled together: a signature for each would cost more than the rest."""

SETTLE_S_MAX = 16.0
"""Where nothing could be settled the pause is doubled up to here: some replica is behind with its copies."""

TURN_MAX = 64
"""Items that are settled before the node does something else: some ten milliseconds."""

TOLD_MAX = 64
"""With more nodes than this at work on a job each has heard of a small part of it, and those are not told."""


class Settling:
    """The streams that this node leads."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._timers: Timers[JobId] = Timers()
        self._pauses_s: dict[JobId, float] = {}
        """How long was waited the last time, where it was in vain."""

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def look(self, job: Job, now: float) -> None:
        """Is there anything to settle soon?"""
        if job.state.through and job.id not in self._timers:
            self._timers.set(job.id, now + self._pauses_s.get(job.id, SETTLE_S))

    def tick(self, now: float) -> None:
        for job_id in self._timers.due(now):
            job = self.desk.jobs.get(job_id)
            if job is None or not job.leading or job.state.is_over:
                self._pauses_s.pop(job_id, None)
            else:
                self._take_turn(job, now)

    def settle_all(self, job: Job, now: float) -> None:
        """The job is to be concluded: with these results."""
        for item in tuple(job.state.through):
            self._settle(job, item, now)

    def _take_turn(self, job: Job, now: float) -> None:
        ready = (item for item in tuple(job.state.through) if self._is_ready(job, item))
        count = 0
        for count, item in enumerate(ready, 1):
            self._settle(job, item, now)
            if count == TURN_MAX:
                self._timers.set(job.id, now)
                return
        pause_s = self._pauses_s.pop(job.id, SETTLE_S)
        if job.state.through and not count:
            self._pauses_s[job.id] = min(2 * pause_s, SETTLE_S_MAX)
        self.look(job, now)

    def _is_ready(self, job: Job, item: int) -> bool:
        for task in job.final_tasks:
            keepers = self.desk.copies(job, (task, item), _result(job, task, item))
            if not all(node in keepers for node in job.replicas):
                return False
        units = (job.state.unit((task, item)) for task in range(len(job.spec.dag.tasks)))
        attempts = (attempt for unit in units for attempt in unit.attempts.values())
        return not any(attempt.is_open and not self.desk.is_gone(attempt.node) for attempt in attempts)

    def _settle(self, job: Job, item: int, now: float) -> None:
        results = [_result(job, task, item) for task in range(len(job.spec.dag.tasks))]
        age_s = max(0.0, now - max(result.ended_s or 0.0 for result in results))
        run_s = sum(result.outcome.seconds for result in results if result.outcome is not None)
        told = self._told(job, item)
        for task in job.final_tasks:
            result = results[task]
            assert result.outcome is not None, "it has finished"
            outcome = replace(result.outcome, stderr_tail="", used=())
            node, number = result.node, result.number
            said = Statement(
                StatementKind.SETTLED, task, item, number, now, node, "", outcome, queue_s=age_s, run_s=run_s
            )
            self.desk.say(job, said, told)

    def _told(self, job: Job, item: int) -> tuple[NodeId, ...]:
        """Who had a part in an item."""
        if len(job.state.places) > TOLD_MAX:
            return ()
        units = (job.state.unit((task, item)) for task in range(len(job.spec.dag.tasks)))
        return tuple(dict.fromkeys(node for unit in units for _, node in unit.attempts))


def _result(job: Job, task: int, item: int) -> Attempt:
    result = job.state.unit((task, item)).result
    assert result is not None, "the item is through"
    return result
