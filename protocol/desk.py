"""The desk: what a node's roles in its jobs share, and the one place where it speaks about them.

Whatever a role decides it says here as a statement. The statement takes effect at once in our own state of the job,
is put on the list of news for all roles to react to, and goes into our feed with the next `flush`: everything said
about a job since the last flush is one segment under one signature; or one per group of recipients, if it is much.

To a node that is gone nothing is sent, and what was on its way is forgotten: when it is back it is brought up to date
from what is known then (`jobs`).
"""

import math
from collections import deque
from itertools import groupby, islice
from random import Random

from .bindings import Bindings
from .codec import encode
from .crypto import Crypto
from .decisions import Decisions
from .delivery import Delivery
from .effects import Effect, Notify, Reply, Save
from .guardians import best
from .ids import JobId, NodeId
from .job import Job, Pending
from .jobstate import ABOUT_THE_JOB, ENDINGS, LADDER, PROVES, Attempt, AttemptKey, UnitKey, attempted_by
from .ledger import STATEMENTS_MAX, Entry, FeedId, SegmentId, Statement, StatementKind, fitting
from .neighbourhood import Neighbourhood, Place
from .values import dataclass, field
from .view import Mapper, Profile

TOGETHER_MAX = 16
"""Statements that share a segment, and hence all their recipients, to save signatures. Of more each recipient gets
its own, or every node would read what was said to all others."""


SOURCES_MAX = 16
"""Of those who took part in a job, to be asked for what all who should have it have lost."""

UNHURRIED_S = 0.05
"""Copies arrive one by one, and a short task is through before anybody could use that it has begun: a signature for
each of these would cost more than anything else about them."""


@dataclass(slots=True)
class Desk:
    """Shared by all roles; owned by Jobs."""

    place: Place
    crypto: Crypto
    near: Neighbourhood
    profile: Profile
    mappers: dict[str, Mapper]
    rng: Random
    jobs: dict[JobId, Job] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    bindings: Bindings = field(default_factory=Bindings)
    decisions: Decisions = field(default_factory=Decisions)
    effects: list[Effect] = field(default_factory=list)
    news: deque[tuple[Job, NodeId, Statement]] = field(default_factory=deque)
    fresh: list[tuple[Job, NodeId]] = field(default_factory=list)
    """Jobs that this node has just heard of for the first time, and from whom."""
    dirty: dict[JobId, None] = field(default_factory=dict)
    """Jobs about which something was said, or is to be shown, since the last flush."""
    unhurried: dict[JobId, float] = field(default_factory=dict)
    """Jobs about which something was said that nobody waits for, and when it is said at the latest."""
    unhurried_s: float = UNHURRIED_S
    replies: list[Reply] = field(default_factory=list)
    """To people who have had something said: given when that is signed and on its way into the journal."""
    released: dict[JobId, Entry] = field(default_factory=dict)
    """Jobs that were forgotten, each with a segment that says that it is over."""
    voided: dict[JobId, None] = field(default_factory=dict)
    """Jobs with segments that may be hollowed."""
    vanished: dict[NodeId, None] = field(default_factory=dict)
    """Nodes that membership does not know, and that have had time to show up: those with a part in a job here."""

    @property
    def me(self) -> NodeId:
        return self.place.me

    def is_gone(self, node: NodeId) -> bool:
        """Whether nothing that a node has promised will happen, and nothing that it has can be had."""
        return self.near.is_gone(node) or node in self.vanished

    def is_past(self, node: NodeId, boot: int) -> bool:
        """Whether a run of a node's process is over: perhaps nobody remembers there what it has said."""
        return self.is_gone(node) or boot < self.near.boot_of(node)

    def appoint(self, job: Job) -> None:
        """Work out from who lives who keeps a job. Nodes that see the same members come to the same."""
        candidates = (node for node in self.near.members() if node != job.origin)
        job.guardians = best(job.id, job.spec.replicas, candidates)
        origin = () if self.is_gone(job.origin) else (job.origin,)
        job.replicas = (*origin, *(node for _, node in job.guardians))

    def replicas(self, job: Job) -> tuple[NodeId, ...]:
        """The living nodes that keep the whole ledger of a job, in order of precedence: its origin, its guardians."""
        return job.replicas

    def keeps(self, job: Job) -> bool:
        """Whether this node is one of the job's replicas."""
        return self.me in job.replicas

    def leads(self, job: Job) -> bool:
        """Whether this node is the one that looks after what nobody else looks after (see `keeping`)."""
        return job.leading

    def leader(self, job: Job) -> NodeId | None:
        """Who that is: the first replica that has what it takes, else the first; None if no replica is alive. Whoever
        collects the ledger does not lead, though it may have been ready in an earlier run: it will be told soon."""
        collects = job.collecting is not None and job.collecting.lacks_ledger
        ready = (node for node in job.replicas if node == job.origin or node in job.state.guards)
        return next((node for node in (*ready, *job.replicas) if node != self.me or not collects), None)

    def has(self, job: Job, key: UnitKey, attempt: Attempt) -> bool:
        """Whether what an attempt wrote is here. What this node has said of that in a run that it does not remember
        proves nothing (`echoes`)."""
        says_so = self.me in attempt.holders
        return says_so and not job.is_doubted(key, attempt)

    def copies(self, job: Job, key: UnitKey, attempt: Attempt) -> list[NodeId]:
        """The replicas that have a copy of what an attempt wrote, this one only if it remembers."""
        doubted = job.is_doubted(key, attempt)
        return [node for node in attempt.copies if node != self.me or not doubted]

    def sources(self, job: Job, *, widely: bool = False) -> tuple[NodeId, ...]:
        """Who else has the job's inputs and application, or soon will, the surest first: its origin, who has said so,
        and the other replicas. When all who should have them are gone, or, `widely`, could not give them, whoever
        took part may have them still."""
        sure = dict.fromkeys((job.origin, *job.state.guards))
        is_left = any(node != self.me and not self.is_gone(node) for node in sure)
        others = islice(job.participants, SOURCES_MAX) if widely or not is_left else ()
        named = dict.fromkeys((*sure, *job.replicas, *others))
        return tuple(node for node in named if node != self.me and not self.is_gone(node))

    def say(self, job: Job, statement: Statement, recipients: tuple[NodeId, ...]) -> None:
        """State something about a job. It goes to the job's replicas and watchers, and to the recipients."""
        self.note(job, statement, recipients)
        self.dirty[job.id] = None

    def note(self, job: Job, statement: Statement, recipients: tuple[NodeId, ...] = ()) -> None:
        """The same, but nobody waits for it: it goes with whatever is said next, or after `unhurried_s`."""
        statement = fitting(statement)
        place = job.ledger.next_place(self.me, self.place.boot)
        job.state.note(self.me, statement, (self.place.boot, place, len(job.pending)))
        job.pending.append(Pending(statement, recipients))
        self.news.append((job, self.me, statement))
        self.unhurried.setdefault(job.id, statement.at_s + self.unhurried_s)

    def cancel(self, job: Job, text: str, now: float, *, lacking: UnitKey | None = None) -> None:
        """State that a job is over, and why: for want of the result of a unit, if that is given."""
        key, number, node = (0, 0), 0, b""
        if lacking is not None and (result := job.state.unit(lacking).result) is not None:
            key, number, node = lacking, result.number, result.node
        self.say(job, Statement(StatementKind.CANCELLED, *key, number, now, node, text), ())

    def show(self, job: Job, node: NodeId, key: UnitKey, attempt: AttemptKey, *, is_awaited: bool = False) -> None:
        """Let a node know how an attempt at a unit stands; its own only if it may have forgotten it. It goes with
        what is said next where something was noted and this is not waited for, else at once."""
        if node == attempt[1]:
            if self.may_have_forgotten(job, key, attempt):
                self.remind(job, node, key, attempt)
        elif node != self.me and not self.is_gone(node):
            job.to_show.setdefault((node, key, attempt), False)
            if is_awaited or job.id not in self.unhurried:
                self.dirty[job.id] = None

    def may_have_forgotten(self, job: Job, key: UnitKey, attempt: AttemptKey) -> bool:
        """Whether an attempt's node has been restarted since it said how far it had come."""
        proof = job.proofs.get((key, attempt))
        return proof is not None and proof[1][1] < self.near.boot_of(attempt[1])

    def remind(self, job: Job, node: NodeId, key: UnitKey, attempt: AttemptKey) -> None:
        """The same for a node that may have forgotten what it said itself: it was restarted, perhaps without what it
        wrote last."""
        if node != self.me and not self.is_gone(node):
            job.to_show[(node, key, attempt)] = True
            self.dirty[job.id] = None

    def tell_end(self, job: Job, node: NodeId) -> None:
        """Let a node know that the job is over."""
        if node != self.me and not self.is_gone(node):
            job.to_tell[node] = None
            self.dirty[job.id] = None

    def heard(self, job: Job, entry: Entry) -> None:
        """A segment is new to us: somebody else's, or one of our own of an earlier run that our disk has lost."""
        is_doubted = entry.author == self.me and _doubt(job, entry)
        self.keep(job, entry, saves=not is_doubted)
        job.state.apply(entry)
        for node in job.watchers:
            if node != entry.author:
                self.offer(job, node, entry.id)
        for statement in entry.segment.statements:
            if job.state.fits(statement):
                self.news.append((job, entry.author, statement))
        if job.leading and not job.closed and entry.segment.boot < self.near.boot_of(entry.author):
            self._remind_of(job, entry)

    def _remind_of(self, job: Job, entry: Entry) -> None:
        """Its author has been restarted since, perhaps without its memory of it; nobody here knew that then."""
        for statement in entry.segment.statements:
            if statement.kind in (StatementKind.ACCEPTED, StatementKind.STARTED) and job.state.fits(statement):
                key = (statement.task, statement.item)
                attempt = job.state.unit(key).attempts.get((statement.attempt, entry.author))
                if attempt is not None and attempt.is_open:
                    self.remind(job, entry.author, key, attempt.key)

    def keep(self, job: Job, entry: Entry, *, saves: bool = True) -> None:
        """Remember where the proofs are, and journal the segment."""
        for statement in entry.segment.statements:
            if statement.kind in ENDINGS:
                job.endings[entry.id] = None
            elif statement.kind == StatementKind.SETTLED:
                if job.state.fits(statement):
                    job.settlements.setdefault(statement.item, entry.id)
            elif job.state.is_void(statement):
                continue
            elif statement.kind not in ABOUT_THE_JOB and statement.kind != StatementKind.KEPT:
                _note_proof(job, entry, statement)
        if job.state.settlement.possible and job.mentions.note(entry, job.state):
            self.voided[job.id] = None
        if saves:
            self.save(job, entry)
        self.effects.append(Notify("job", job.id))

    def save(self, job: Job, entry: Entry) -> None:
        """Journal a segment."""
        self.effects.append(Save("segment", segment_row(job.id, entry), encode(entry.signed)))

    def offer(self, job: Job, node: NodeId, segment: SegmentId) -> None:
        """Let a node have a segment."""
        job.to_pass_on[(node, segment)] = None
        self.dirty[job.id] = None

    def vanish(self, node: NodeId) -> None:
        """Membership does not know a node, and it will not show up any more. Nobody asks after one that has no part
        in any job; should it get one it is waited for anew (`strangers`)."""
        if self._has_part(node):
            self.vanished[node] = None

    def _has_part(self, node: NodeId) -> bool:
        return any(job.involves(node) for job in self.jobs.values())

    def forget(self, job: Job) -> None:
        """Drop a job altogether."""
        del self.jobs[job.id]
        for node in [node for node in self.vanished if job.involves(node) and not self._has_part(node)]:
            del self.vanished[node]
        self.news = deque(each for each in self.news if each[0] is not job)
        self.dirty.pop(job.id, None)
        self.unhurried.pop(job.id, None)
        self.delivery.forget_job(job.id)

    @property
    def deadline(self) -> float:
        """When `flush` is due."""
        return -math.inf if self.dirty else min(self.unhurried.values(), default=math.inf)

    def flush(self, now: float) -> None:
        """Sign what was said, and put it and what is to be shown on the way."""
        due = (job_id for job_id, due_s in self.unhurried.items() if due_s <= now)
        for job_id in dict.fromkeys((*self.dirty, *due)):
            job = self.jobs[job_id]
            self.unhurried.pop(job_id, None)
            for group in _groups(job.pending):
                for at in range(0, len(group), STATEMENTS_MAX):
                    self._publish(job, group[at : at + STATEMENTS_MAX])
            job.pending.clear()
            self._put_on_the_way(job)
        self.dirty.clear()
        self.effects += self.replies
        self.replies.clear()

    def _publish(self, job: Job, batch: list[Pending]) -> None:
        statements = tuple(pending.statement for pending in batch)
        entry = job.ledger.write(self.crypto, self.place.cluster, self.place.seed, self.place.boot, statements)
        self.keep(job, entry)
        recipients = dict.fromkeys((*self.replicas(job), *job.watchers))
        for pending in batch:
            recipients.update(dict.fromkeys(pending.recipients))
        for node in recipients:
            self._offer(node, job, entry.id)

    def _put_on_the_way(self, job: Job) -> None:
        for (node, key, attempt), again in job.to_show.items():
            proof = job.proofs.get((key, attempt))
            if proof is not None and (again or proof[1][0] != node):
                self._offer(node, job, proof[1], again=again)
        for node, segment in job.to_pass_on:
            self._offer(node, job, segment)
        for node in job.to_tell:
            for segment in job.endings:
                self._offer(node, job, segment, again=True)
        job.to_show.clear()
        job.to_pass_on.clear()
        job.to_tell.clear()

    def _offer(self, node: NodeId, job: Job, segment: SegmentId, *, again: bool = False) -> None:
        if node != self.me and not self.is_gone(node):
            self.delivery.offer(node, job.id, segment, again=again)


def _doubt(job: Job, entry: Entry) -> bool:
    """What this node has said that it has may have gone together with its memory of that. As long as that is not
    known the next run is not to take it for its own memory either. Tells whether there is anything of the kind."""
    for statement in entry.segment.statements:
        has_it = statement.kind in (StatementKind.FINISHED, StatementKind.KEPT)
        if has_it and job.state.fits(statement) and not job.state.is_void(statement):
            job.doubt((statement.task, statement.item), (statement.attempt, attempted_by(entry.author, statement)))
            job.unsaved[entry.id] = None
        elif statement.kind == StatementKind.GUARDED and not job.equipped:
            job.unsaved[entry.id] = None
    return entry.id in job.unsaved


def _note_proof(job: Job, entry: Entry, statement: Statement) -> None:
    height = LADDER[PROVES.get(statement.kind, "assigned")]
    of = ((statement.task, statement.item), (statement.attempt, attempted_by(entry.author, statement)))
    if of not in job.proofs or job.proofs[of][0] < height:
        job.proofs[of] = (height, entry.id)


def _groups(pending: list[Pending]) -> list[list[Pending]]:
    """What goes into one segment: all, unless it is much; then what has the same recipients. What settles items goes
    into segments of its own: they stay, whatever becomes of others."""
    settling = [each for each in pending if each.statement.kind == StatementKind.SETTLED]
    if settling:
        others = [each for each in pending if each.statement.kind != StatementKind.SETTLED]
        return _groups(others) + _groups_of_items(settling)
    if len(pending) <= TOGETHER_MAX:
        return [pending] if pending else []
    groups: dict[tuple[NodeId, ...], list[Pending]] = {}
    for each in pending:
        groups.setdefault(each.recipients, []).append(each)
    return list(groups.values())


def _groups_of_items(settling: list[Pending]) -> list[list[Pending]]:
    """Whole items, as many as go together."""
    groups: list[list[Pending]] = []
    sizes: list[int] = []
    for _, same in groupby(settling, key=lambda each: each.statement.item):
        item = list(same)
        size = sum(1 + len(each.statement.outcome.outputs) for each in item if each.statement.outcome is not None)
        if groups and sizes[-1] + size <= STATEMENTS_MAX:
            groups[-1] += item
            sizes[-1] += size
        else:
            groups.append(item)
            sizes.append(size)
    return groups


def segment_row(job: JobId, entry: Entry) -> bytes:
    """Where a segment lies in the journal."""
    return job + entry.author + entry.segment.boot.to_bytes(4, "big") + entry.segment.sequence.to_bytes(4, "big")


def hollow_row(job: JobId, feed: FeedId, first: int) -> bytes:
    """Where a run of hollow segments lies there."""
    author, boot = feed
    return job + author + boot.to_bytes(4, "big") + first.to_bytes(4, "big")
