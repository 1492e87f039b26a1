"""The desk: what a node's three roles in its jobs share, and the one place where it speaks about them.

Whatever a role decides it says here as a statement. The statement takes effect at once in our own state of the job,
is put on the list of news for all three roles to react to, and goes into our feed with the next `flush`: everything
said about a job since the last flush is one segment under one signature.
"""

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from .bindings import Bindings
from .codec import encode
from .crypto import Crypto
from .dag import Task
from .delivery import Delivery
from .effects import Effect, Notify, Save
from .ids import ClusterId, JobId, NodeId
from .job import Job, Pending
from .jobstate import AttemptKey, UnitKey
from .ledger import STATEMENTS_MAX, Entry, Statement, StatementKind
from .view import Mapper, Profile, View

_PROVING = (StatementKind.ASSIGNED, StatementKind.STARTED, StatementKind.FINISHED)
"""What nodes that wait for a task need to hear of it."""


class Neighbourhood(Protocol):
    """What the jobs of a node need to know about the other nodes."""

    def view(self, job: Job, task: Task, now: float) -> View:
        """This node's beliefs, with those peers that may and can run the task."""

    def is_gone(self, node: NodeId) -> bool:
        """Dead or left: nothing it has promised will happen. Who is not known (yet) is not gone."""

    def is_doubtful(self, node: NodeId) -> bool:
        """Suspected or gone: nothing new is placed there."""

    def name_of(self, node: NodeId) -> str:
        """What people call it."""

    def speed_of(self, node: NodeId) -> float:
        """Of one core, relative to the reference machine; 1 when unknown."""

    def is_certified(self, node: NodeId) -> bool:
        """Whether it is, or was, a member of the cluster."""

    def may_submit(self, node: NodeId) -> bool:
        """Whether its certificate allows it to submit jobs."""

    def load_known_since(self, node: NodeId) -> float:
        """The moment at which its newest load figures were true; what was bound to it later is not in them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who this node is and what it can run."""

    me: NodeId
    name: str
    seed: bytes
    cluster: ClusterId
    boot: int
    cores: int
    memory_bytes: int
    speed: float
    computes: bool


@dataclass(slots=True)
class Desk:
    """Shared by Controller, Holder and Replica; owned by Jobs."""

    place: Place
    crypto: Crypto
    near: Neighbourhood
    profile: Profile
    mappers: dict[str, Mapper]
    rng: Random
    jobs: dict[JobId, Job] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    bindings: Bindings = field(default_factory=Bindings)
    effects: list[Effect] = field(default_factory=list)
    news: deque[tuple[Job, NodeId, Statement]] = field(default_factory=deque)
    dirty: dict[JobId, None] = field(default_factory=dict)
    """Jobs about which something was said, or is to be shown, since the last flush."""

    @property
    def me(self) -> NodeId:
        return self.place.me

    def say(self, job: Job, statement: Statement, recipients: tuple[NodeId, ...]) -> None:
        """State something about a job. It goes to the job's replicas and watchers, and to the recipients."""
        job.state.note(self.me, statement)
        job.pending.append(Pending(statement, recipients))
        self.news.append((job, self.me, statement))
        self.dirty[job.id] = None

    def show(self, job: Job, node: NodeId, key: UnitKey, attempt: AttemptKey) -> None:
        """Let a node know what is known of somebody's attempt at a unit."""
        if node != self.me and node != attempt[1]:
            job.offers[(node, key, attempt)] = None
            self.dirty[job.id] = None

    def tell_end(self, job: Job, node: NodeId) -> None:
        """Let a node know that somebody has ended the job."""
        if node != self.me:
            job.to_tell[node] = None
            self.dirty[job.id] = None

    def heard(self, job: Job, entry: Entry) -> None:
        """A segment of somebody else's is new to us."""
        self.keep(job, entry)
        job.state.apply(entry)
        for node in job.watchers:
            if node != entry.author:
                job.to_pass_on[(node, entry.id)] = None
                self.dirty[job.id] = None
        for statement in entry.segment.statements:
            if job.state.fits(statement):
                self.news.append((job, entry.author, statement))

    def keep(self, job: Job, entry: Entry) -> None:
        """Remember where the proofs are, and journal the segment."""
        for statement in entry.segment.statements:
            if statement.kind in _PROVING:
                node = NodeId(statement.node) if statement.kind == StatementKind.ASSIGNED else entry.author
                proofs = job.proofs.setdefault(((statement.task, statement.item), (statement.attempt, node)), {})
                proofs[entry.id] = None
            elif statement.kind == StatementKind.CANCELLED:
                job.endings[entry.id] = None
        self.effects.append(Save("segment", segment_row(job.id, entry), encode(entry.signed)))
        self.effects.append(Notify("job", job.id))

    def replicas(self, job: Job) -> tuple[NodeId, ...]:
        """The nodes that keep the whole ledger of a job."""
        return (job.origin,)

    def flush(self, now: float) -> None:
        """Sign what was said, and put it and what is to be shown on the way."""
        for job_id in list(self.dirty):
            job = self.jobs[job_id]
            while job.pending:
                batch, job.pending = job.pending[:STATEMENTS_MAX], job.pending[STATEMENTS_MAX:]
                self._publish(job, batch, now)
            for node, key, attempt in job.offers:
                for segment in job.proofs.get((key, attempt), ()):
                    self.delivery.offer(node, job_id, segment, now)
            job.offers.clear()
            for node, segment in job.to_pass_on:
                self.delivery.offer(node, job_id, segment, now)
            job.to_pass_on.clear()
            for node in job.to_tell:
                for segment in job.endings:
                    self.delivery.offer(node, job_id, segment, now)
            job.to_tell.clear()
        self.dirty.clear()

    def _publish(self, job: Job, batch: list[Pending], now: float) -> None:
        statements = tuple(pending.statement for pending in batch)
        entry = job.ledger.write(self.crypto, self.place.cluster, self.place.seed, self.place.boot, statements)
        self.keep(job, entry)
        recipients = dict.fromkeys((*self.replicas(job), *job.watchers))
        for pending in batch:
            recipients.update(dict.fromkeys(pending.recipients))
        for node in recipients:
            if node != self.me:
                self.delivery.offer(node, job.id, entry.id, now)


def segment_row(job: JobId, entry: Entry) -> bytes:
    """Where a segment lies in the journal."""
    return job + entry.author + entry.segment.boot.to_bytes(4, "big") + entry.segment.sequence.to_bytes(4, "big")
