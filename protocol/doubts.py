"""Doubts: jobs that are open here, that others keep, and that may have ended without this node's hearing of it.

Whoever has had a part in a job is told when it is over, if it is there then. A node that was away, or that counted
among the replicas for a moment and has said nothing, has no further business by which that would come to light: it
would take the job for open for ever, and one day have no room for another (`register`).

So it asks those who keep the job, every DOUBT_S, by delivering nothing: whoever knows that the job is over answers
that, also if it has released it (`mail`), and who goes on with it does not answer.
"""

from .desk import Desk
from .effects import Send
from .frames import Frames
from .ids import JobId
from .job import Job
from .jobmessages import FRAMES, Deliver
from .timers import Timers

DOUBT_S = 60.0
"""A hundred bytes per replica; what people are shown of the job at this node is wrong for no longer than that."""


class Doubts:
    """The open jobs of others that this node knows."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._frames = Frames(FRAMES)
        self._timers: Timers[JobId] = Timers()

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def begin(self, job: Job, now: float) -> None:
        """A job is open, as far as this node knows. Its origin always keeps it."""
        if job.origin != self.desk.me:
            self._timers.set(job.id, now + DOUBT_S)

    def end(self, job: Job) -> None:
        """It is over."""
        self._timers.cancel(job.id)

    def tick(self, now: float) -> None:
        for job_id in self._timers.due(now):
            job = self.desk.jobs[job_id]
            if not self.desk.keeps(job):
                question = self._frames.encode(Deliver(job.id, (), None))
                self.desk.effects += [Send(node, question) for node in job.replicas]
            self._timers.set(job_id, now + DOUBT_S)
