"""Jobs: the machine that composes a node's roles in all its jobs and speaks with other nodes about them.

    Submit, CancelJob   -> a job begins, or is told to end
    Deliver             -> what others said becomes news for the roles (`placing`, `holding`; where this node is one
                           of the job's replicas `copies`; and where it leads the job `leading`)
    Fetched, RunEnded   -> for whoever waited for it
    member gone, back   -> see below, and `keeping`

When a member is back, was restarted or is met for the first time, both sides bring each other up to date: to a
replica each node offers the last segment of its own feeds, and if there is a gap before it the replica asks for the
whole; whoever leads shows each participant what concerns its units, its own words included. Nothing has to be
remembered for that about a node that is gone.
"""

import math
from typing import assert_never

from .comparing import Comparing
from .concluding import Concluding
from .copies import Copies
from .desk import Desk, segment_row
from .doubts import Doubts
from .echoes import Echoes
from .effects import Effect, Erase, Reply
from .enquiries import Enquiries
from .events import CancelJob, Fetched, FetchFailed, FindJobs, ResultsPulled, RunEnded, Submit, Synced, WatchJob
from .fetching import Fetching, Purpose, Waiter
from .forgetting import Forgetting
from .guarding import Guarding
from .holding import Holding
from .hollowing import Hollowing
from .ids import Digest, JobId, NodeId
from .job import Job
from .jobstate import ABOUT_THE_JOB, UnitKey
from .keeping import Keeping
from .leading import Leading
from .ledger import Statement, StatementKind, open_segment
from .legacy import Legacy
from .mail import Mail, Message
from .placing import Placing
from .receipts import Receipts
from .recovery import Recovery
from .register import FullError, Register
from .replica import Replica
from .retention import Retention
from .spending import Spending
from .strangers import Strangers

JobEvent = Fetched | FetchFailed | RunEnded | Synced | Submit | CancelJob | WatchJob | ResultsPulled
"""What happens at a node that concerns its jobs."""


class Jobs:
    """All jobs of one node.

    `handle`, `message` and `tick` return effects; only `tick` signs and sends what was said.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.strangers = Strangers(desk)
        self.fetching = Fetching(desk, self.strangers)
        self.placing = Placing(desk)
        self.holding = Holding(desk, self.fetching)
        self.recovery = Recovery(desk, self.placing, self.strangers)
        self.spending = Spending(desk, self.fetching)
        self.leading = Leading(Replica(desk), self.recovery, Concluding(desk), self.spending)
        self.guarding = Guarding(desk, self.fetching)
        self.copies = Copies(desk, self.fetching)
        self.echoes = Echoes(desk, self.fetching)
        self.forgetting = Forgetting(desk, self.placing, self.holding, self.copies, self.spending)
        self.comparing = Comparing(desk)
        self.receipts = Receipts(desk)
        self.enquiries = Enquiries(desk)
        self.doubts = Doubts(desk)
        self.keeping = Keeping(
            desk, self.strangers, self.leading, self.guarding, self.copies, self.comparing, self.receipts,
            self.holding, self.enquiries,
        )  # fmt: skip
        self.retention = Retention(desk, self.fetching, self.guarding, self.copies, self.comparing)
        self.register = Register(desk, self.retention)
        self.hollowing = Hollowing(desk)
        self.mail = Mail(
            desk, self.register, self.enquiries, self.strangers, self.comparing, self.guarding, self.hollowing
        )

    @property
    def deadline(self) -> float:
        if self.desk.effects:
            return -math.inf
        return min(
            self.desk.deadline,
            self.mail.deadline,
            self.placing.deadline,
            self.holding.deadline,
            self.leading.deadline,
            self.fetching.deadline,
            self.guarding.deadline,
            self.copies.deadline,
            self.echoes.deadline,
            self.comparing.deadline,
            self.receipts.deadline,
            self.keeping.deadline,
            self.retention.deadline,
            self.strangers.deadline,
            self.enquiries.deadline,
            self.doubts.deadline,
        )

    def handle(self, event: JobEvent, now: float) -> list[Effect]:
        """Something happened at this node."""
        match event:
            case Fetched():
                self._fetched(event, now)
            case FetchFailed():
                self._fetch_failed(event, now)
            case RunEnded():
                self._run_ended(event, now)
            case Synced():
                self.guarding.synced(event.number, now)
            case Submit():
                self._submit(event, now)
            case CancelJob():
                self._cancel(event, now)
            case WatchJob():
                self.enquiries.watch(event, now)
            case ResultsPulled():
                if event.job in self.desk.jobs:
                    self.retention.pulled(self.desk.jobs[event.job], now)
            case _:
                assert_never(event)
        return self._settle(now)

    def find(self, event: FindJobs, peers: tuple[NodeId, ...], now: float) -> list[Effect]:
        """Ask these peers for their jobs."""
        return self.enquiries.find(event, peers, now)

    def message(self, peer: NodeId, message: Message, now: float) -> list[Effect]:
        """A message of FRAMES came over a session. Raises RemoteProtocolError if it cannot be believed."""
        self.mail.read(peer, message, now)
        for job, _, statement in self.desk.news:  # before anybody comes to think that it has to be fetched
            self.fetching.given_by(job, statement)
        return self._settle(now)

    def tick(self, now: float) -> list[Effect]:
        self.fetching.tick(now)
        self.keeping.tick(now)
        self.placing.tick(now)
        self.leading.tick(now)
        self.guarding.tick(now)
        self.copies.tick(now)
        self.echoes.tick(now)
        self.receipts.tick(now)
        self.retention.tick(now)
        self.enquiries.tick(now)
        self.doubts.tick(now)
        for node in self.strangers.due(now):
            self._gone(node, now)
        effects = self._settle(now)
        self.desk.flush(now)
        self.mail.send_due(now)
        self.hollowing.sweep()
        self.comparing.tick(now)
        return effects + self._drain()

    def is_watching(self, job: JobId) -> bool:
        """Whether the whole ledger of somebody else's job is kept up to date here."""
        return self.enquiries.is_watching(job)

    # -- other members -----------------------------------------------------------------------------------------------

    def session_opened(self, peer: NodeId) -> None:
        """What was on its way to the peer may have been lost with an earlier session."""
        self.keeping.reconnected(peer)

    def unreachable(self, peer: NodeId, reason: str, now: float) -> list[Effect]:
        """Nothing can be sent to a peer at the moment."""
        self.placing.unreachable(peer, f"cannot be reached: {reason}", now)
        return self._settle(now)

    def member_back(self, peer: NodeId, now: float) -> list[Effect]:
        """A member has come back, was restarted, or was not known before."""
        self.desk.vanished.pop(peer, None)
        self.fetching.back(peer)
        self.keeping.copies.back(peer, now)
        self.enquiries.back(peer)
        self.keeping.joined(peer)
        self.placing.joined(now)
        for job in self.desk.jobs.values():
            job.informed.pop(peer, None)
            job.told.pop(peer, None)
            job.compared.pop(peer, None)
            if job.leading:
                self.leading.back(job, peer, now)
            job.informed_of_end.pop(peer, None)  # it may have forgotten it
        return self._settle(now)

    def member_suspected(self, peer: NodeId, now: float) -> list[Effect]:
        """A member does not answer."""
        for job in self.desk.jobs.values():
            if job.leading and not job.closed:
                self.leading.recovery.suspect(job, peer, now)
        return self._settle(now)

    def member_gone(self, peer: NodeId, now: float) -> list[Effect]:
        """A member has died, has left or was forgotten."""
        if not self.desk.near.is_known(peer):
            self.desk.vanish(peer)
        self._gone(peer, now)
        return self._settle(now)

    def _gone(self, peer: NodeId, now: float) -> None:
        self.desk.delivery.forget_peer(peer)
        self.placing.unreachable(peer, "is gone", now)
        self.enquiries.gone(peer, now)
        self.keeping.gone(peer, now)
        self.copies.gone(now)

    # -- this node's own doing ---------------------------------------------------------------------------------------

    def restore(self, left: Legacy, now: float) -> list[Effect]:
        """Take up what the journal of an earlier run of this node holds."""
        for signed in left.jobs:
            self.register.restore(signed)
        self.hollowing.restore(left.hollows)
        strays, void = [], []
        for signed in left.segments:
            entry = open_segment(self.desk.crypto, self.desk.place.cluster, signed)
            job = self.desk.jobs.get(JobId(entry.segment.job))
            if job is None:
                strays.append(entry)
            elif job.ledger.add(entry, limited=False):
                self.desk.keep(job, entry)
                job.state.hear(entry)
            else:
                void.append(Erase("segment", segment_row(job.id, entry)))
        self.desk.effects.clear()  # it is in the journal already
        self.desk.effects += [*void, *self.hollowing.strays(left.hollows)]
        for entry in strays:
            self.retention.remember(entry)
        for job in self.desk.jobs.values():
            job.state.derive()
            if not job.endings:
                self.echoes.begin(job, now)
            self._resume(job, now)
        return self._settle(now)

    def _resume(self, job: Job, now: float) -> None:
        self.forgetting.resume(job, now)
        self.fetching.given_before(job)
        job.closed = bool(job.endings)  # whoever has not heard of the end will be told when it speaks up
        for key, unit in job.state.units.items():
            if any(attempt.phase in ("started", "finished", "failed") for attempt in unit.attempts.values()):
                job.begin(key)
        if job.closed:
            self.retention.look(job, now)
        else:
            self.doubts.begin(job, now)
            self.spending.resume(job)
            self.holding.resume(job, now)
        self.keeping.resume(job, now)

    def _submit(self, event: Submit, now: float) -> None:
        if not self.desk.near.may_submit(self.desk.me):
            self.desk.effects.append(Reply(event.request, b"", "this node's certificate does not allow it to submit"))
            return
        try:
            job = self.register.submit(event.spec)
        except FullError as error:
            self.desk.effects.append(Reply(event.request, b"", str(error)))
            return
        self.keeping.submitted(job, now)
        self.receipts.expect(job, event.request, now)
        self.placing.begin(job, now)

    def _cancel(self, event: CancelJob, now: float) -> None:
        job = self.desk.jobs.get(event.job)
        if job is None:
            error = "no such job is known here"
        elif not self.desk.near.may_submit(self.desk.me):
            error = "this node's certificate does not allow it to submit or cancel jobs"
        elif job.state.is_over:
            error = f"the job has already ended: it is {job.state.phase.value}"
        else:
            self.desk.cancel(job, f"cancelled at {self.desk.place.name}", now)
            self.desk.replies.append(Reply(event.request, b"", None))
            return
        self.desk.effects.append(Reply(event.request, b"", error))

    def _run_ended(self, event: RunEnded, now: float) -> None:
        self.holding.run_ended(event, now)
        for file in event.outputs:
            digest = Digest(file.digest)
            self._arrived(digest, self.fetching.arrived(digest), now)

    def _fetched(self, event: Fetched, now: float) -> None:
        if event.source is not None:
            self.desk.profile.observe_transfer(event.source, event.received_bytes, event.seconds, now)
        digest = Digest(event.file.digest)
        self._arrived(digest, self.fetching.fetched(digest), now)

    def _arrived(self, digest: Digest, waiters: list[Waiter], now: float) -> None:
        for waiter in waiters:
            job = self.desk.jobs[waiter.job]
            match waiter.purpose:
                case Purpose.COPY:
                    self.copies.arrived(job, waiter.key, digest, now)
                case Purpose.GUARD:
                    self.guarding.arrived(job, digest)
                case Purpose.LOOK:
                    self.echoes.arrived(job, waiter.key, digest)
                case Purpose.RUN:
                    self.holding.arrived(job, waiter.key, digest, now)

    def _fetch_failed(self, event: FetchFailed, now: float) -> None:
        for waiter, source in self.fetching.failed(event, now):
            job = self.desk.jobs[waiter.job]
            match waiter.purpose:
                case Purpose.COPY:
                    self.copies.given_up(job, waiter.key, source, event.file, event.reason, now, ours=event.ours)
                case Purpose.GUARD:
                    self.guarding.given_up(job, event.file, now)
                case Purpose.LOOK:
                    self.echoes.absent(job, waiter.key, Digest(event.file.digest), now)
                case Purpose.RUN:
                    if event.ours:
                        self.holding.cannot(job, waiter.key, event.file, event.reason, now)
                    else:
                        self.holding.given_up(job, waiter.key, source, event.file, event.reason, now)

    # -- the roles ---------------------------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[Effect]:
        """Let the roles react to all news, their own statements included, until there is none."""
        while True:
            while self.desk.fresh or self.desk.news:
                while self.desk.fresh:
                    job, source = self.desk.fresh.pop()
                    self.doubts.begin(job, now)
                    self.keeping.heard_of(job, source, now)
                if self.desk.news:
                    self._tell_roles(*self.desk.news.popleft(), now)
            self.holding.start_ready(now)
            if not self.desk.news:
                return self._drain()

    def _tell_roles(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        if statement.kind in ABOUT_THE_JOB:
            if statement.kind == StatementKind.GUARDED:
                self.keeping.guarded(job, now)
            elif statement.kind == StatementKind.PULLED:
                self.retention.look(job, now)
            elif job.closed:
                self.copies.begin(job, now)  # another may have ended it, which tells what results count or are wanted
        elif statement.kind == StatementKind.SETTLED or job.state.is_void(statement):
            self.forgetting.heard(job, author, statement, now)
            self.spending.note_settled(job, statement)
            if job.leading and statement.kind == StatementKind.SETTLED:
                self.leading.concluding.look(job, now)
        else:
            self.holding.heard(job, author, statement, now)
            if author == self.desk.me:
                self.echoes.heard(job, now)
            self.copies.heard(job, statement, now)
            if not job.state.is_over:
                self._tell_about_unit(job, author, statement, now)
        if job.closed:
            self.keeping.late(job, now)
        elif job.state.is_over:
            self._close(job, now)

    def _tell_about_unit(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        ready: list[UnitKey] = []
        if statement.kind in (StatementKind.STARTED, StatementKind.FINISHED):
            ready = job.begin((statement.task, statement.item))
        self.placing.heard(job, author, statement, now)
        self.spending.note(job, statement)
        for key in ready:
            self.placing.may_begin(job, key, now)
        if job.leading:
            self.leading.heard(job, author, statement, ready, now)

    def _close(self, job: Job, now: float) -> None:
        """The job is over: put away what is left of it here; whoever leads tells everybody."""
        job.closed, job.ended_here_s = True, now
        self.doubts.end(job)
        self.holding.over(job, now)
        self.placing.over(job)
        self.keeping.stop(job)
        self.fetching.over(job.id)
        self.spending.over(job)
        self.keeping.over(job, now)
        self.retention.look(job, now)
        if job.leading:
            self.leading.over(job)

    def _drain(self) -> list[Effect]:
        effects = self.desk.effects[:]
        self.desk.effects.clear()
        return effects
