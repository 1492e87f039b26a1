"""Concluding: whoever leads a job says when nobody need do anything more about it.

    running --every unit has a result that counts, each final one a copy--> done
    done --every replica has a copy of every final result; or CONCLUDE_S_MAX has passed, a living one has, and of
           contested items whoever leads--> concluded
    done --a copy dies with its keeper, and it was the only one--> running

People wait for the job to be done and not for its conclusion: what is between them is the time in which the results
could still be lost. A replica that cannot get its copies, since it is slow or cut off, does not hold it up for ever.
But where results are contested (`acceptance`) those count from then on that are kept by whoever says so, who must not
have copies of others only.
"""

from .desk import Desk
from .ids import JobId
from .job import Job
from .jobstate import Attempt, Phase, UnitKey
from .ledger import Statement, StatementKind
from .settling import Settling
from .timers import Timers

CONCLUDE_S_MAX = 60.0
"""Results of six gigabytes reach a replica in that time over a gigabit network; larger ones are one copy short."""


class Concluding:
    """The jobs that this node leads and that are done."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.settling = Settling(desk)
        self._patience: Timers[JobId] = Timers()

    @property
    def deadline(self) -> float:
        return min(self._patience.deadline, self.settling.deadline)

    def heard(self, job: Job, statement: Statement, now: float) -> None:
        """Something was said about a unit."""
        if statement.kind in (StatementKind.FINISHED, StatementKind.LOST):
            self.changed(job)
        elif statement.kind == StatementKind.KEPT and job.state.acceptance.is_contested(statement.item):
            job.kept_up_to = min(job.kept_up_to, statement.item * len(job.final_tasks))  # others may count by that
        self.look(job, now)

    def look(self, job: Job, now: float) -> None:
        """Is that all? And may a part of it be settled?"""
        self.settling.look(job, now)
        if job.state.phase is not Phase.DONE or job.state.is_over:
            self.rest(job)
        elif self._all_have_copies(job):
            self._conclude(job, now)
        elif job.id not in self._patience:
            self._patience.set(job.id, now + CONCLUDE_S_MAX)

    def changed(self, job: Job) -> None:
        """There is another result, or another replica: what was looked at has to be looked at again."""
        job.kept_up_to = 0

    def rest(self, job: Job) -> None:
        """It is not for us to say, or not yet."""
        self._patience.cancel(job.id)

    def tick(self, now: float) -> None:
        self.settling.tick(now)
        for job_id in self._patience.due(now):
            job = self.desk.jobs[job_id]
            if all(self._is_safe(job, key) for key in map(job.final, range(job.finals))):
                self._conclude(job, now)
            else:
                self.look(job, now)  # one has just died with its last keeper, or this node has another in its place

    def _conclude(self, job: Job, now: float) -> None:
        self.rest(job)
        self.settling.settle_all(job, now)
        self.desk.say(job, Statement(StatementKind.CONCLUDED, 0, 0, 0, now), ())

    def _all_have_copies(self, job: Job) -> bool:
        """Asked at each copy that is stated, so it goes on from the first that somebody has not had yet. Of what is
        settled all had copies then, and who has become a replica since goes on copying when the job is over."""
        while job.kept_up_to < job.finals:
            key = job.final(job.kept_up_to)
            keepers = self.desk.copies(job, key, _result(job, key))
            if key[1] not in job.state.settlement and not all(node in keepers for node in job.replicas):
                return False
            job.kept_up_to += 1
        return True

    def _is_safe(self, job: Job, key: UnitKey) -> bool:
        """Whether somebody who is there has a copy of a result; this node, where by its word another would count."""
        if key[1] in job.state.settlement:
            return True
        keepers = self.desk.copies(job, key, _result(job, key))
        if job.state.acceptance.is_contested(key[1]):
            return self.desk.me in keepers
        return any(not self.desk.is_gone(node) for node in keepers)


def _result(job: Job, key: UnitKey) -> Attempt:
    result = job.state.unit(key).result
    assert result is not None, "the job is done"
    return result
