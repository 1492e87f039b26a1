"""Leading: the part of whoever looks after a job: it introduces (`replica`), recovers and concludes.

    guarding --it is the first living replica that has what it takes--> leading --an earlier one is back--> guarding

The same statements are heard in either state, so nothing has to be handed over: whoever begins to lead looks at what
the ledger says and does what is open. Two that lead at the same time, since they do not see each other, do the same
twice, and the ledger's rules say which of it counts.
"""

from . import hearsay
from .concluding import Concluding
from .ids import NodeId
from .job import Job
from .jobstate import UnitKey
from .ledger import Statement
from .recovery import Recovery
from .replica import Replica
from .spending import Spending


class Leading:
    """The jobs that this node leads."""

    def __init__(self, replica: Replica, recovery: Recovery, concluding: Concluding, spending: Spending) -> None:
        self.replica = replica
        self.recovery = recovery
        self.concluding = concluding
        self.spending = spending

    @property
    def deadline(self) -> float:
        return min(self.recovery.deadline, self.concluding.deadline, self.spending.deadline)

    def begin(self, job: Job, now: float) -> None:
        """This node leads from now on, since those before it are gone or were not ready."""
        if job.closed:
            self.replica.conclude_again(job, now)
        else:
            self.resume(job, now)
            self.replica.introduce_all(job)

    def resume(self, job: Job, now: float) -> None:
        """This node leads again, after its own restart. Whoever comes back is introduced then."""
        self.concluding.changed(job)  # it has counted no copies meanwhile
        for key in job.state.units:
            hearsay.changed(job, key)
        self.replica.check_failed(job, now)
        self.recovery.lead(job, now)
        self.concluding.look(job, now)
        self.spending.lead(job, now)

    def rest(self, job: Job) -> None:
        """Somebody else leads from now on."""
        self.recovery.rest(job)
        self.concluding.rest(job)
        self.spending.rest(job)

    def heard(self, job: Job, author: NodeId, statement: Statement, ready: list[UnitKey], now: float) -> None:
        """React to a statement about a unit, whoever made it; `ready` are those that may be placed by that."""
        hearsay.changed(job, (statement.task, statement.item))
        self.replica.heard(job, author, statement, now)
        self.recovery.heard(job, author, statement, now)
        for key in ready:
            self.recovery.look(job, key, now)
        self.concluding.heard(job, statement, now)
        self.spending.heard(job, statement, now)

    def changed(self, job: Job, now: float) -> None:
        """The other replicas have changed."""
        self.concluding.changed(job)
        self.concluding.look(job, now)

    def gone(self, job: Job, node: NodeId, now: float) -> None:
        """A member is gone."""
        self.replica.gone(job, node)
        self.recovery.gone(job, node, now)

    def back(self, job: Job, node: NodeId, now: float) -> None:
        """A member is there again that may have missed, or forgotten, what was said."""
        if job.closed:
            self.replica.back_too_late(job, node)
        else:
            self.replica.back(job, node)
            self.recovery.back(job, node, now)

    def over(self, job: Job) -> None:
        """The job is over: see to it that everybody hears of it."""
        self.recovery.over(job)
        self.concluding.rest(job)
        self.replica.conclude(job)

    def tick(self, now: float) -> None:
        self.recovery.tick(now)
        self.concluding.tick(now)
        self.spending.tick(now)
