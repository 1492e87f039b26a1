"""Receipts: what a submitter is told about who guards its job, when all have said so or it has waited long enough."""

import math

from .codec import encode
from .desk import Desk
from .effects import Reply
from .guarding import needs
from .ids import JobId
from .job import Job
from .jobmessages import Receipt
from .values import dataclass

RECEIPT_S = 10.0
"""A guardian may have to be dialled, or found dead."""

RECEIPT_S_MAX = 25.0
"""Less than a driver waits for a reply."""

SLOW_BYTES_PER_S = 10e6
"""A network of 100 Mbit/s; every guardian takes the inputs from the origin at the same time."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: int
    due_s: float


class Receipts:
    """The submitters that wait."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._waiting: dict[JobId, _Waiting] = {}

    @property
    def deadline(self) -> float:
        return min((waiting.due_s for waiting in self._waiting.values()), default=math.inf)

    def expect(self, job: Job, request: int, now: float) -> None:
        """Somebody has submitted a job here."""
        bytes_ = sum(file.size_bytes for file in needs(job)) * job.spec.replicas
        patience_s = min(RECEIPT_S + bytes_ / SLOW_BYTES_PER_S, RECEIPT_S_MAX)
        self._waiting[job.id] = _Waiting(request, now + patience_s)
        self.check(job)

    def check(self, job: Job) -> None:
        """Somebody has said GUARDED, others are the guardians, or the job is over so soon that nobody need guard
        it."""
        if job.id in self._waiting:
            receipt = self._receipt(job)
            if receipt.guarded == receipt.wanted or job.state.is_over:
                self._give(job, receipt)

    def tick(self, now: float) -> None:
        for job_id in [job_id for job_id, waiting in self._waiting.items() if waiting.due_s <= now]:
            job = self.desk.jobs[job_id]
            self._give(job, self._receipt(job))

    def _give(self, job: Job, receipt: Receipt) -> None:
        waiting = self._waiting.pop(job.id)
        self.desk.effects.append(Reply(waiting.request, encode(receipt), None))

    def _receipt(self, job: Job) -> Receipt:
        guardians = [node for _, node in job.guardians]
        return Receipt(job.id, sum(node in job.state.guards for node in guardians), len(guardians))
