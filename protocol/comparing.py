"""Comparing: replicas find out that their ledgers differ, whatever has been lost between them, and make them equal.

    one says the fingerprints of the jobs that both keep (Compare)
    where they differ the other says how far its feeds go and wants to know the same (LedgerWanted, mutual)
    each puts what the other lacks on its way

Equal ledgers cost eight bytes per job. Fellows compare when one of them has become a replica, has come back or was
met anew, and else in turn: every COMPARE_S each job is compared with one other replica, all jobs with the same one in
one message. A node that keeps no job says nothing. When a job is over, and when a node has stopped being one of its
replicas, it is compared with all of them at once in LAST_TURNS more turns, and again if they differed; then only with
who comes back. Ledgers that differ because a feed is forked do so for ever, at the price of three messages a turn.
"""

import math

from .desk import Desk
from .effects import Send
from .frames import Frames
from .ids import JobId, NodeId
from .job import Job
from .jobmessages import COMPARED_MAX, FRAMES, Compare, Deliver, LedgerWanted

COMPARE_S = 10.0
"""What is lost is nearly always found by other means first; with three others a pair compares every half a minute."""

LAST_TURNS = 2
"""The first may fall into the time in which the last statements are still on their way."""

ASK_S = 1.0
"""A fellow is not asked for the same ledger again before it can have answered: until then there are gaps."""


class Comparing:
    """The jobs that this node compares."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._frames = Frames(FRAMES)
        self._due: dict[NodeId, dict[JobId, None]] = {}
        """What is to be compared with whom at the next tick."""
        self._ring: dict[JobId, None] = {}
        self._turn_s = math.inf

    @property
    def deadline(self) -> float:
        return -math.inf if self._due else self._turn_s

    def enter(self, job: Job, now: float) -> None:
        """From now on compare a job in turn."""
        job.turns = None
        self._join(job, now)

    def last(self, job: Job, now: float) -> None:
        """The job is over, or not for this node to keep any more: soon it is compared no more."""
        if job.id in self._ring or self.desk.keeps(job):
            job.turns = LAST_TURNS
            self._join(job, now)

    def leave(self, job: Job) -> None:
        """The job is forgotten."""
        self._ring.pop(job.id, None)
        for jobs in self._due.values():
            jobs.pop(job.id, None)

    def soon(self, job: Job, node: NodeId) -> None:
        """Compare a job with a node at once."""
        self._due.setdefault(node, {})[job.id] = None

    def tick(self, now: float) -> None:
        if self._turn_s <= now:
            self._take_turns(now)
        for node, jobs in self._due.items():
            told = [(job_id, self.desk.jobs[job_id].ledger.fingerprint()) for job_id in jobs]
            for at in range(0, len(told), COMPARED_MAX):
                self._send(node, Compare(tuple(told[at : at + COMPARED_MAX])))
        self._due.clear()

    def read(self, peer: NodeId, message: Compare, now: float) -> None:
        """A fellow says what it has."""
        for name, fingerprint in message.jobs:
            job = self.desk.jobs.get(JobId(name))
            if job is None and name in self.desk.released:
                self.tell_end(peer, JobId(name))
            elif job is None:
                self._send(peer, LedgerWanted(name, (), mutual=True))
            elif job.ledger.fingerprint() != fingerprint:
                self.want(job, peer, now, mutual=True)

    def tell_end(self, peer: NodeId, job: JobId) -> None:
        """A node does not know that a job is over that was released here."""
        self._send(peer, Deliver(job, (self.desk.released[job].signed,), None))

    def want(self, job: Job, peer: NodeId, now: float, *, mutual: bool = False) -> None:
        """Ask a node for what is lacking here, unless it has just been asked."""
        if job.asked.get(peer, -math.inf) + ASK_S > now:
            return
        job.asked[peer] = now
        self.differs(job)
        self._send(peer, LedgerWanted(job.id, job.ledger.vector(), mutual=mutual))

    def differs(self, job: Job) -> None:
        """Somebody has something that somebody else does not have: the last turns begin anew."""
        if job.turns is not None and job.id in self._ring:
            job.turns = LAST_TURNS

    def _join(self, job: Job, now: float) -> None:
        self._ring[job.id] = None
        if self._turn_s == math.inf:
            self._turn_s = now + COMPARE_S

    def _take_turns(self, now: float) -> None:
        for job_id in tuple(self._ring):
            job = self.desk.jobs[job_id]
            fellows = [node for node in job.replicas if node != self.desk.me]
            if job.turns is not None:
                job.turns -= 1
                if not job.turns:
                    del self._ring[job_id]
            elif fellows:
                job.turn += 1
                fellows = [fellows[job.turn % len(fellows)]]
            for node in fellows:
                self.soon(job, node)
        self._turn_s = now + COMPARE_S if self._ring else math.inf

    def _send(self, peer: NodeId, message: object) -> None:
        self.desk.effects.append(Send(peer, self._frames.encode(message)))
