"""Comparing: replicas find out that their ledgers differ, whatever has been lost between them, and make them equal.

    one says the fingerprints of the jobs that both keep (Compare)
    where they differ the other says how far its feeds go and wants to know the same (LedgerWanted, mutual)
    each puts what the other lacks on its way

Equal ledgers cost eight bytes per job. Fellows compare when one of them has become a replica, has come back or was
met anew, and else in turn: every COMPARE_S each job is compared with one other replica, all jobs with the same one in
one message. A node that keeps no job says nothing. When a job is over, and when a node has stopped being one of its
replicas, it is compared with all of them at once in LAST_TURNS more turns, and again if they differed; then only with
who comes back, or with whom a session is opened anew who has not compared it since: the last turns may have been lost
with an earlier session, or for want of one.

If a feed is forked (an author has signed two histories of it) each keeps what it has heard first, and the ledgers
differ for ever. So two that have asked each other for what they lack, and differ still, are at rest: they ask again
when either ledger is another than it was then, or after REST_S. What was refused is not sent again even then: whoever
asks says how far it goes.

    the same       a Compare from each in its turn; who does not guard the job yet is told how far the feeds go
    another        that, and two LedgerWanted; and what is new
    at rest        a Compare from each in its turn; every REST_S two LedgerWanted
"""

import math

from .desk import Desk
from .effects import Send
from .frames import Frames
from .ids import JobId, NodeId
from .job import Compared, Job
from .jobmessages import COMPARED_MAX, FRAMES, Compare, Deliver, LedgerWanted
from .ledger import FEEDS_MAX, SegmentId

COMPARE_S = 10.0
"""What is lost is nearly always found by other means first; with three others a pair compares every half a minute."""

LAST_TURNS = 2
"""The first may fall into the time in which the last statements are still on their way."""

ASK_S = 1.0
"""A fellow is not asked for the same ledger again before it can have answered: until then there are gaps."""

ANSWER_S = 5.0
"""Who asks for something so soon after it was asked has heard that, or the session would be another."""

REST_S = 600.0
"""What two ledgers have not made of each other they hardly ever will; but what was asked for may be lost on its way,
and who has heard of a run too early (`hollowing`) may adopt it later."""


class Comparing:
    """The jobs that this node compares."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._frames = Frames(FRAMES)
        self._due: dict[NodeId, dict[JobId, None]] = {}
        """What is to be compared with whom at the next tick."""
        self._told: dict[NodeId, dict[JobId, None]] = {}
        """What was compared with whom and has not been heard of from there since."""
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
        for jobs in (*self._due.values(), *self._told.values()):
            jobs.pop(job.id, None)

    def soon(self, job: Job, node: NodeId) -> None:
        """Compare a job with a node at once."""
        self._due.setdefault(node, {})[job.id] = None

    def gone(self, node: NodeId) -> None:
        """A member is gone: if it comes back everything is compared with it."""
        self._told.pop(node, None)

    def reconnected(self, peer: NodeId) -> None:
        """There is another session with a node."""
        for job_id in self._told.pop(peer, ()):
            job = self.desk.jobs[job_id]
            if peer in job.replicas and not job.released:
                self.soon(job, peer)

    def tick(self, now: float) -> None:
        if self._turn_s <= now:
            self._take_turns(now)
        for node, jobs in self._due.items():
            self._told.setdefault(node, {}).update(jobs)
            told = [(job_id, self.desk.jobs[job_id].ledger.fingerprint()) for job_id in jobs]
            for at in range(0, len(told), COMPARED_MAX):
                self._send(node, Compare(tuple(told[at : at + COMPARED_MAX])))
        self._due.clear()

    def read(self, peer: NodeId, message: Compare, now: float) -> None:
        """A fellow says what it has."""
        for name, fingerprint in message.jobs:
            self._told.get(peer, {}).pop(JobId(name), None)
            job = self.desk.jobs.get(JobId(name))
            if job is None and name in self.desk.released:
                self.tell_end(peer, JobId(name))
            elif job is None:
                self._send(peer, LedgerWanted(name, (), mutual=True))
            elif job.ledger.fingerprint() != fingerprint:
                self._differ(job, peer, fingerprint, now)
            elif peer not in job.state.guards and not job.state.is_over:
                self._send(peer, wanted(job, peer))  # it may be waiting to be told that it has all (`guarding`)

    def tell_end(self, peer: NodeId, job: JobId) -> None:
        """A node does not know that a job is over that was released here."""
        self._send(peer, Deliver(job, (self.desk.released[job].signed,), None))

    def _differ(self, job: Job, peer: NodeId, fingerprint: bytes, now: float) -> None:
        compared = job.compared.setdefault(peer, Compared())
        compared.told = fingerprint
        if compared.rest != (job.ledger.fingerprint(), fingerprint) or compared.rest_s + REST_S <= now:
            self.want(job, peer, now, mutual=True)

    def want(self, job: Job, peer: NodeId, now: float, *, mutual: bool = False) -> None:
        """Ask a node for what is lacking here, unless it has just been asked."""
        compared = job.compared.setdefault(peer, Compared())
        if compared.asked_s + ASK_S > now:
            return
        compared.asked_s = now
        self.differs(job)
        self._send(peer, wanted(job, peer, mutual=mutual))

    def asked(self, job: Job, peer: NodeId, now: float) -> None:
        """A node has asked for what it lacks. If it was asked, too, there is no more to be done about the
        difference: what is on its way is sent until it arrives."""
        self.differs(job)
        self._told.get(peer, {}).pop(job.id, None)
        compared = job.compared.get(peer)
        if compared is not None and compared.told and compared.asked_s + ANSWER_S > now:
            compared.rest, compared.rest_s = (job.ledger.fingerprint(), compared.told), now

    def refused(self, job: Job, peer: NodeId, segment: SegmentId) -> None:
        """A node has passed on a segment of a history that is another than ours."""
        author, boot, sequence = segment
        refused = job.compared.setdefault(peer, Compared()).refused
        if (author, boot) in refused or len(refused) < FEEDS_MAX:
            refused[(author, boot)] = max(sequence + 1, refused.get((author, boot), 0))

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


def wanted(job: Job, peer: NodeId, *, mutual: bool = False, follow: bool = False) -> LedgerWanted:
    """What a node is asked for."""
    refused = job.compared[peer].refused if peer in job.compared else {}
    named = tuple((author, boot, upto) for (author, boot), upto in refused.items())
    return LedgerWanted(job.id, job.ledger.vector(), follow=follow, mutual=mutual, refused=named)
