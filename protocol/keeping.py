"""Keeping: who a job's replicas are, and what this node does when that, or its own part in it, changes.

    not among the replicas --a member is gone or has come--> among them: it collects, copies, compares
    among them --it is the first that has what it takes--> it leads (`leading`)
    among them --others are closer now--> handing over: it compares with them until they have what it has

Who is new among the replicas is brought up to date from two sides: every participant offers it the last segment of
its own feeds (*ends*), so that a gap shows; and the first of those who were there before compares with it (one is
enough, and none where all are new: then it asks the participants). When a member is gone, or was restarted and may
have forgotten what it has said, whoever holds segments of its feeds offers the last of them to the replicas, and to
those who come later (*wills*): what its author could not tell everybody is not lost.

A death is acted upon at once. Those who come are looked at together at the next tick: a node that has just been
started meets many members in one message, and would otherwise take each in turn for a guardian.
"""

import math
from collections.abc import Iterable

from .comparing import Comparing
from .copies import Copies
from .desk import Desk
from .enquiries import Enquiries
from .guardians import enters
from .guarding import Guarding
from .holding import Holding
from .ids import JobId, NodeId
from .job import Job
from .jobstate import Phase
from .leading import Leading
from .receipts import Receipts
from .strangers import STRANGER_S, Strangers
from .timers import Timers


class Keeping:
    """This node's part in the keeping of all jobs."""

    def __init__(
        self,
        desk: Desk,
        strangers: Strangers,
        leading: Leading,
        guarding: Guarding,
        copies: Copies,
        comparing: Comparing,
        receipts: Receipts,
        holding: Holding,
        enquiries: Enquiries,
    ) -> None:
        self.desk = desk
        self.strangers = strangers
        self.leading = leading
        self.guarding = guarding
        self.copies = copies
        self.comparing = comparing
        self.receipts = receipts
        self.holding = holding
        self.enquiries = enquiries
        self._joined: dict[NodeId, None] = {}
        self._later: Timers[JobId] = Timers()
        """When a node that was restarted takes those it knows for all there are."""

    @property
    def deadline(self) -> float:
        return -math.inf if self._joined else self._later.deadline

    # -- jobs --------------------------------------------------------------------------------------------------------

    def submitted(self, job: Job, now: float) -> None:
        """A job was submitted here."""
        job.settled = job.replicas
        job.leading = job.equipped = True
        self._take_part(job, now, has_ledger=True)

    def heard_of(self, job: Job, source: NodeId, now: float) -> None:
        """This node has heard of a job for the first time."""
        job.settled = job.replicas
        self._meet_origin(job, now)
        if self.desk.keeps(job):
            self._take_part(job, now, has_ledger=source == job.origin)
            if source != job.origin:
                self._compare_with_another(job)
        self.check_lead(job, now)

    def resume(self, job: Job, now: float) -> None:
        """After a restart nobody is known yet: who has not kept a job before waits before it counts itself in. So
        does an origin that has not said that it has the inputs: it may have lost its disk in an earlier run."""
        job.settled = job.replicas
        job.leading = self.desk.leader(job) == self.desk.me
        is_alone = job.origin == self.desk.me and not job.spec.replicas
        job.equipped = is_alone or self.desk.me in job.state.guards
        self.copies.trust(job)
        self._meet_origin(job, now)
        if job.leading and not job.closed:
            self.leading.resume(job, now)
        if not self.desk.keeps(job):
            return
        if job.equipped and not job.closed:
            self._take_part(job, now, has_ledger=True)
        else:
            self._later.set(job.id, now + STRANGER_S)

    def stop(self, job: Job) -> None:
        """Wait for nothing any more on behalf of a job."""
        self.guarding.stop(job)
        self.copies.stop(job)

    def over(self, job: Job, now: float) -> None:
        """A job is over: those who keep it compare a last time, and go on copying its results."""
        if self.desk.keeps(job):
            self.copies.begin(job, now)
        if job.spec.replicas:
            self.comparing.last(job, now)
        self.receipts.check(job)

    def guarded(self, job: Job, now: float) -> None:
        """Somebody has said GUARDED."""
        self.guarding.heard(job)
        self.receipts.check(job)
        self.check_lead(job, now)

    def check_lead(self, job: Job, now: float) -> None:
        """Begin to lead, or leave it to somebody else, if it has come to that."""
        leads = self.desk.leader(job) == self.desk.me
        if leads == job.leading:
            return
        job.leading = leads
        if leads:
            self.leading.begin(job, now)
        else:
            self.leading.rest(job)

    # -- members -----------------------------------------------------------------------------------------------------

    def joined(self, node: NodeId) -> None:
        """A member is new, back, or was restarted."""
        self._joined[node] = None

    def reconnected(self, node: NodeId) -> None:
        """There is another session with a member."""
        self.desk.delivery.reconnected(node)
        self.comparing.reconnected(node)

    def gone(self, node: NodeId, now: float) -> None:
        """A member is gone."""
        self._joined.pop(node, None)
        self.comparing.gone(node)
        for job in tuple(self.desk.jobs.values()):
            job.watchers.pop(node, None)
            job.compared.pop(node, None)
            was_leading = job.leading
            if node in job.replicas and not job.released:
                self.desk.appoint(job)
                self._changed(job, now)
            if job.closed:
                continue
            if was_leading and job.leading:
                self.leading.gone(job, node, now)
            self._offer_will(job, node, job.replicas)

    def tick(self, now: float) -> None:
        for job_id in self._later.due(now):
            job = self.desk.jobs.get(job_id)
            if job is None or not self.desk.keeps(job):
                continue
            if job.closed:
                self.copies.begin(job, now)  # it may have been stopped in the middle of them
                self.late(job, now)
            else:
                self._take_part(job, now, has_ledger=False)
                self._compare_with_another(job)
        for job_id in self.guarding.whole():
            if job_id in self.desk.jobs:
                self.check_lead(self.desk.jobs[job_id], now)
        if self._joined:
            joined, self._joined = tuple(self._joined), {}
            for job in tuple(self.desk.jobs.values()):
                self._meet(job, joined, now)

    def _meet(self, job: Job, joined: tuple[NodeId, ...], now: float) -> None:
        if job.released:
            return
        for node in () if job.closed or self.desk.keeps(job) else joined:  # whoever keeps it compares
            self._offer_will(job, node, job.replicas)
        back = [node for node in joined if node in job.replicas]
        if any(node not in back and self._counts(job, node) for node in joined):
            self.desk.appoint(job)
        elif not back:
            return
        job.settled = tuple(node for node in job.settled if node not in back)  # they may have forgotten everything
        self._changed(job, now)

    def _counts(self, job: Job, node: NodeId) -> bool:
        return node == job.origin or enters(job.id, job.spec.replicas, job.guardians, node)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _changed(self, job: Job, now: float) -> None:
        """The replicas of a job are others than before."""
        before, job.settled = job.settled, job.replicas
        newcomers = [node for node in job.replicas if node not in before]
        stayed = [node for node in job.replicas if node in before]
        is_leaving = self.desk.me in before and self.desk.me not in stayed
        if self.desk.me in newcomers:
            self._take_part(job, now, has_ledger=False)  # first: whoever collects the ledger does not lead
            self._compare_with_another(job)
        self.check_lead(job, now)
        if is_leaving:
            self._hand_over(job, now)
        first = next((node for node in stayed if node == self.desk.me or self.desk.near.is_known(node)), None)
        self._welcome(job, newcomers, compares=is_leaving or first == self.desk.me)
        self.receipts.check(job)
        self.holding.sources_changed(job)
        self.enquiries.changed(job)
        if job.leading and not job.closed:
            self.leading.changed(job, now)
        self.late(job, now)

    def late(self, job: Job, now: float) -> None:
        """A job is over, and yet something was said of it, or others keep it now: compare it for a few more turns.
        What a replica says of its copies may have missed another that was away just then, and nothing follows it."""
        if job.closed and job.spec.replicas and not job.released and self.desk.keeps(job):
            self.comparing.last(job, now)
            if job.state.cancelled is not None and job.state.phase is Phase.DONE:
                self.copies.begin(job, now)  # as long as it was not known to be done, nothing was copied

    def _welcome(self, job: Job, newcomers: list[NodeId], *, compares: bool) -> None:
        for node in newcomers:
            if compares:
                self.comparing.soon(job, node)
            if not job.closed:
                for entry in job.ledger.ends(self.desk.me):
                    self.desk.offer(job, node, entry.id)
        if newcomers and not (job.closed or self.desk.keeps(job)):
            for author in dict.fromkeys(author for author, _, _ in job.ledger.vector()):
                self._offer_will(job, author, newcomers)

    def _offer_will(self, job: Job, author: NodeId, heirs: Iterable[NodeId]) -> None:
        """Let these have the last words of each run of an author that cannot say them again for certain."""
        for entry in job.ledger.ends(author):
            if self.desk.is_past(author, entry.segment.boot):
                for heir in heirs:
                    if heir != author:
                        self.desk.offer(job, heir, entry.id)

    def _meet_origin(self, job: Job, now: float) -> None:
        """It counts as living until it should have shown up."""
        if job.origin != self.desk.me:
            self.strangers.meet(job.origin, now)

    def _take_part(self, job: Job, now: float, *, has_ledger: bool) -> None:
        self.guarding.begin(job, now, has_ledger=has_ledger)
        self.copies.begin(job, now)
        if job.spec.replicas and not job.closed:
            self.comparing.enter(job, now)

    def _hand_over(self, job: Job, now: float) -> None:
        self.stop(job)
        self.comparing.last(job, now)

    def _compare_with_another(self, job: Job) -> None:
        """With the first of the others that is ready."""
        others = [node for node in job.replicas if node != self.desk.me]
        ready = [node for node in others if node == job.origin or node in job.state.guards]
        for node in (ready or others)[:1]:
            self.comparing.soon(job, node)
