"""Ledgers: everything that happened to a job, as signed statements in their authors' hash-chained feeds.

Nobody owns a job's state. Each node that takes part appends what *it* did or decided to a feed of its own, and
replicas merge feeds. A feed is a chain of segments; a segment is a batch of statements under one signature, carries
its place in the chain and the digest of its predecessor, and is never changed. Merging is a union of sets: it is
commutative, associative and idempotent, and what a job's state is follows from the set alone (see `jobstate`).

A feed belongs to an author *and* to one run of its process (`boot`): a node that lost the last rows of its journal in
a crash starts a new feed instead of signing a second segment with a number it has used, which would be a fork.

A replica wants whole feeds and asks for gaps; a node that only runs one task holds the few segments it was sent. So
segments are accepted in any order. The chain is checked between neighbours as soon as both are there, and two
different segments in one place are proof that their author is broken: the second is refused.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated

from .codec import U8, U16, U32, Bytes8, Bytes16, Bytes32, Length, Range, Seconds, Text, decode
from .crypto import Crypto
from .dag import TASKS_MAX
from .errors import RemoteProtocolError
from .ids import ClusterId, JobId, NodeId
from .jobspec import FILES_MAX, FileRef
from .signed import Kind, Signed, sign, verify

STATEMENTS_MAX = 1024
"""In one segment: a batch that still verifies and decodes within a few milliseconds."""

SEGMENTS_MAX = 1_000_000
"""In one job: a stream longer than this must be submitted as several jobs."""

STDERR_TAIL_MAX = 2000
"""Characters of stderr that travel in the ledger; the whole text stays in the store of the node that ran it."""


ANY_QUEUE = -1.0
"""The controller does not care how long the unit has to wait."""


QUEUE_S_MAX = 1e9
"""Thirty years."""

TEXT_BYTES_MAX = 4096
"""Of a reason, and of a stderr tail: what `codec.Text` takes."""


class ForkError(RemoteProtocolError):
    """An author signed two different segments for one place of its feed, or broke the chain."""


class StatementKind(IntEnum):
    """What happened. The author is who signed; the task, item and attempt are fields of the statement."""

    ASSIGNED = 1
    """The author asks `node` to run the attempt; `text` says why, for attempts after the first."""
    ACCEPTED = 2
    """The author will run it."""
    DECLINED = 3
    """The author will not; `text` says why."""
    STARTED = 4
    FINISHED = 5
    """With an outcome: where the outputs are is with the author."""
    FAILED = 6
    """With an outcome; `text` is the reason."""
    DROPPED = 7
    """The author stopped or never started it, since it was superseded or the job has ended."""
    CANCELLED = 8
    """About the whole job: somebody who may has ended it; `text` says why."""
    KEPT = 9
    """The author, a replica, has a copy of everything that the attempt given to `node` has written."""
    CONCLUDED = 10
    """About the whole job: the author, a replica, sees that it is over; nobody need do anything more about it."""
    GUARDED = 11
    """About the whole job: the author has its specification, application and inputs on its disk."""
    LOST = 12
    """What the attempt given to `node` has written cannot be had, although that node is alive; `text` says why."""
    ABANDONED = 13
    """The author, who leads the job, places the unit no more: it has used up its retries; `text` says on what. The
    attempt is the last that was made."""
    PULLED = 14
    """About the whole job: somebody has fetched its results at the author."""
    SETTLED = 15
    """The author, who leads the job, states a result of an item all of whose units have theirs, each final one kept
    by all replicas: the outcome of the attempt given to `node` at a final task. Nothing else that is said of the item
    counts any more (`settlement`)."""


class Cause(IntEnum):
    """Why there is an attempt after the first, as far as it matters to others; the graver the higher."""

    ELSEWHERE = 0
    """The one before was not taken, was given back or has failed, or what it wrote is lost; or there was none."""
    COPY = 1
    """The one before is overdue on a node that does not answer: whichever is through first counts."""
    RAN = 2
    """The node of the one before was lost while it ran there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    seconds: Seconds
    """Wall-clock run time of all calls."""
    exit_status: Annotated[int, "of the failing call; negative for a signal"]
    outputs: Annotated[tuple[FileRef, ...], Length(0, FILES_MAX)]
    stdout: FileRef
    stderr: FileRef
    stderr_tail: Text
    lineage: Bytes32
    """Digest over the names and digests of the inputs it used: results are only consistent with those."""
    used: Annotated[tuple[Bytes8, ...], Length(0, TASKS_MAX)] = ()
    """Per parent, in the order of the DAG file, what its result was when it was used (`attempts.outputs_mark`)."""
    timed_out: bool = False
    """It was ended since it ran longer than its walltime."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that happened to a job."""

    kind: U8
    """A StatementKind."""
    task: U16
    """Index of the task in the job's DAG; 0 where the statement is about the whole job."""
    item: U32
    attempt: U16
    """Counted from 1; 0 where the statement is about the whole job."""
    at_s: Seconds
    """By the author's clock, seconds since 1970 UTC."""
    node: Annotated[bytes, Length(0, 32)] = b""
    """ASSIGNED: whom. KEPT, LOST, ABANDONED, SETTLED: whose attempt."""
    text: Text = ""
    outcome: Outcome | None = None
    queue_s: Annotated[float, Range(-1.0, QUEUE_S_MAX)] = ANY_QUEUE
    """ASSIGNED: how long the author believes the node's queue to be, or ANY_QUEUE. STARTED: how long the unit has
    waited for a core since its inputs were there; ANY_QUEUE by versions that do not say. SETTLED: how long ago the
    last run of the item has ended."""
    run_s: Annotated[float, Range(0.0, QUEUE_S_MAX)] = 0.0
    """ASSIGNED: how long the author expects the run to take on that node, which may never have run the like; 0 when
    it does not say. SETTLED: for how long all accepted attempts of the item together have run."""
    cause: U8 = 0
    """ASSIGNED: a Cause."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A batch of statements in one author's feed."""

    job: Bytes16
    boot: U32
    """Which run of the author's process; each has a feed of its own."""
    sequence: U32
    """Counted from 0 within the feed."""
    previous: Bytes32
    """Digest of the segment before; zeros for the first."""
    statements: Annotated[tuple[Statement, ...], Length(1, STATEMENTS_MAX)]


FeedId = tuple[NodeId, int]
"""(author, boot)"""

SegmentId = tuple[NodeId, int, int]
"""(author, boot, sequence)"""

Vector = tuple[tuple[NodeId, int, int], ...]
"""(author, boot, segments without a gap) of some feeds."""

FIRST = bytes(32)


def segment_digest(signed: Signed) -> bytes:
    return hashlib.blake2b(signed.signature + signed.body, digest_size=32, person=b"pnode-segment").digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment with its signature, as it is kept and passed on."""

    signed: Signed
    segment: Segment
    digest: bytes

    @property
    def author(self) -> NodeId:
        return NodeId(self.signed.author)

    @property
    def id(self) -> SegmentId:
        return (self.author, self.segment.boot, self.segment.sequence)


def open_segment(crypto: Crypto, cluster: ClusterId, signed: Signed) -> Entry:
    """Verify and decode a segment. Raises RemoteProtocolError if it is forged or malformed."""
    verify(crypto, signed, Kind.SEGMENT, cluster)
    return Entry(signed, decode(Segment, signed.body), segment_digest(signed))


class Ledger:
    """The segments of one job that this node holds."""

    def __init__(self, job: JobId) -> None:
        self.job = job
        self._feeds: dict[FeedId, dict[int, Entry]] = {}
        self._whole: dict[FeedId, int] = {}
        """How many segments from the first on are there without a gap."""
        self._count = 0
        self._fingerprint = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, segment: SegmentId) -> bool:
        author, boot, sequence = segment
        return sequence in self._feeds.get((author, boot), ())

    def __getitem__(self, segment: SegmentId) -> Entry:
        author, boot, sequence = segment
        return self._feeds[(author, boot)][sequence]

    def __iter__(self) -> Iterator[Entry]:
        """Every segment, feed by feed in a fixed order."""
        for feed in sorted(self._feeds):
            for sequence in sorted(self._feeds[feed]):
                yield self._feeds[feed][sequence]

    def write(
        self, crypto: Crypto, cluster: ClusterId, seed: bytes, boot: int, statements: tuple[Statement, ...]
    ) -> Entry:
        """Append a segment of our own."""
        author = NodeId(crypto.public_key(seed))
        feed = self._feeds.get((author, boot), {})
        sequence = len(feed)
        previous = feed[sequence - 1].digest if sequence else FIRST
        segment = Segment(self.job, boot, sequence, previous, statements)
        signed = sign(crypto, seed, Kind.SEGMENT, cluster, segment)
        entry = Entry(signed, segment, segment_digest(signed))
        self.add(entry)
        return entry

    def add(self, entry: Entry) -> bool:
        """Merge a verified segment; tells whether it is new.

        Raises ForkError if it contradicts what is here, RemoteProtocolError if it is about another job or too many.
        """
        segment = entry.segment
        if segment.job != self.job:
            raise RemoteProtocolError("a segment is about another job than the message that brought it")
        feed = self._feeds.get((entry.author, segment.boot), {})
        present = feed.get(segment.sequence)
        if present is not None:
            if present.digest != entry.digest:
                raise ForkError(f"two different segments have the number {segment.sequence} in one feed")
            return False
        if self._count >= SEGMENTS_MAX:
            raise RemoteProtocolError(f"job ledger is full: {SEGMENTS_MAX} segments")
        _check_chain(feed, entry)
        self._feeds.setdefault((entry.author, segment.boot), feed)[segment.sequence] = entry
        self._count += 1
        self._fingerprint ^= int.from_bytes(entry.digest[:8], "big")
        whole = self._whole.get((entry.author, segment.boot), 0)
        while whole in feed:
            whole += 1
        self._whole[(entry.author, segment.boot)] = whole
        return True

    def is_whole_up_to(self, segment: SegmentId) -> bool:
        """Whether the segment and all before it in its feed are here."""
        author, boot, sequence = segment
        return sequence < self._whole.get((author, boot), 0)

    def ends(self, author: NodeId) -> list[Entry]:
        """The last segment of each feed of an author."""
        return [self._feeds[feed][max(self._feeds[feed])] for feed in sorted(self._feeds) if feed[0] == author]

    def fingerprint(self) -> bytes:
        """Eight bytes that are the same for the same set of segments, in whatever order they came."""
        return self._fingerprint.to_bytes(8, "big")

    def vector(self) -> Vector:
        """How far each feed goes: what an anti-entropy partner needs to know."""
        return tuple((author, boot, self._whole[(author, boot)]) for author, boot in sorted(self._feeds))

    def lacks(self, vector: Vector) -> bool:
        """Whether somebody with this vector has something that is not here."""
        return any(whole > self._whole.get((author, boot), 0) for author, boot, whole in vector)

    def beyond(self, vector: Vector) -> list[Entry]:
        """Segments that somebody with this vector lacks, in an order in which each feed is contiguous."""
        theirs = {(author, boot): whole for author, boot, whole in vector}
        return [
            self._feeds[feed][sequence]
            for feed in sorted(self._feeds)
            for sequence in sorted(self._feeds[feed])
            if sequence >= theirs.get(feed, 0)
        ]


def _check_chain(feed: dict[int, Entry], entry: Entry) -> None:
    sequence = entry.segment.sequence
    if sequence == 0 and entry.segment.previous != FIRST:
        raise ForkError("the first segment of a feed names a predecessor")
    before, after = feed.get(sequence - 1), feed.get(sequence + 1)
    if before is not None and before.digest != entry.segment.previous:
        raise ForkError(f"segment {sequence} does not follow the one before it")
    if after is not None and after.segment.previous != entry.digest:
        raise ForkError(f"segment {sequence + 1} does not follow the one before it")


def fitting(statement: Statement) -> Statement:
    """The statement within the bounds that every reader checks: an author that signed more would be unreadable."""
    text = _cut(statement.text)
    tail = "" if statement.outcome is None else _cut(statement.outcome.stderr_tail)
    queue_s = min(max(statement.queue_s, ANY_QUEUE), QUEUE_S_MAX)
    run_s = min(max(statement.run_s, 0.0), QUEUE_S_MAX)
    if statement.outcome is not None and tail != statement.outcome.stderr_tail:
        statement = replace(statement, outcome=replace(statement.outcome, stderr_tail=tail))
    if (text, queue_s, run_s) != (statement.text, statement.queue_s, statement.run_s):
        statement = replace(statement, text=text, queue_s=queue_s, run_s=run_s)
    return statement


def _cut(text: str) -> str:
    """At most TEXT_BYTES_MAX bytes, and no half letter at the end."""
    if len(text) * 4 <= TEXT_BYTES_MAX:
        return text
    return text.encode(errors="replace")[:TEXT_BYTES_MAX].decode(errors="ignore")
