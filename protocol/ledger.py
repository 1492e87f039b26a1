"""Ledgers: everything that happened to a job, as signed statements in their authors' hash-chained feeds.

Nobody owns a job's state. Each node that takes part appends what *it* did or decided to a feed of its own, and
replicas merge feeds. A feed is a chain of segments; a segment is a batch of statements under one signature, carries
its place in the chain and the digest of its predecessor, and is never changed. Merging is a union of sets: it is
commutative, associative and idempotent, and what a job's state is follows from the set alone (see `jobstate`).

A feed belongs to an author *and* to one run of its process (`boot`): a node that lost the last rows of its journal in
a crash starts a new feed instead of signing a second segment with a number it has used, which would be a fork.

A replica wants whole feeds and asks for gaps; a node that only runs one task holds the few segments it was sent. So
segments are accepted in any order, and what contradicts what is here is refused (`feed`).

Segments that say nothing any more may be hollowed (`hollows`), if the next of their feed is here. A hollow segment
counts as there: it is in the ledger and cannot be had from it. Others are told of it with the segment that follows,
whose author has signed what came before: nobody can be made to believe in a longer feed than there is.
"""

from collections.abc import Callable, Iterable, Iterator

from .crypto import Crypto
from .errors import RemoteProtocolError
from .feed import Feed, ForkError
from .hollows import Changes, Run
from .ids import ClusterId, JobId, NodeId
from .segments import (
    FIRST,
    STATEMENTS_MAX,
    Entry,
    FeedId,
    Segment,
    SegmentId,
    When,
    open_segment,
    segment_digest,
)
from .signed import Kind, sign
from .statements import ANY_QUEUE, STDERR_TAIL_MAX, Cause, Outcome, Statement, StatementKind, fitting

SEGMENTS_MAX = 1_000_000
"""In one job, and as many hollow ones: a stream that leaves more than this must be submitted as several jobs."""

FEEDS_MAX = 16_384
"""In one job. One per participant and start of its process: four starts of as many members as there can be."""


class FullLedgerError(RemoteProtocolError):
    """Nobody is to blame who passes a segment on: there is no room for it here."""


Vector = tuple[tuple[NodeId, int, int], ...]
"""(author, boot, segments without a gap) of some feeds."""


class Ledger:
    """The segments of one job that this node holds."""

    def __init__(self, job: JobId) -> None:
        self.job = job
        self._feeds: dict[FeedId, Feed] = {}
        self._boots: dict[NodeId, dict[int, None]] = {}
        """Of whom there are which feeds."""
        self._count = 0
        self._hollow_count = 0
        """How many of them are hollow: these cost next to nothing, and leave room for as many others."""
        self._fingerprint = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, segment: SegmentId) -> bool:
        author, boot, place = segment
        feed = self._feeds.get((author, boot))
        return feed is not None and place in feed

    def get(self, segment: SegmentId) -> Entry | None:
        """The segment; None if it is hollow or not here."""
        author, boot, place = segment
        feed = self._feeds.get((author, boot))
        return None if feed is None else feed.entries.get(place)

    def __getitem__(self, segment: SegmentId) -> Entry:
        author, boot, place = segment
        return self._feeds[(author, boot)].entries[place]

    def __iter__(self) -> Iterator[Entry]:
        """Every segment that is not hollow, feed by feed in a fixed order."""
        for id_ in sorted(self._feeds):
            entries = self._feeds[id_].entries
            yield from (entries[place] for place in sorted(entries))

    def next_place(self, author: NodeId, boot: int) -> int:
        """Where the next segment of a feed that is whole comes."""
        return self._whole((author, boot))

    def write(
        self, crypto: Crypto, cluster: ClusterId, seed: bytes, boot: int, statements: tuple[Statement, ...]
    ) -> Entry:
        """Append a segment of our own."""
        author = NodeId(crypto.public_key(seed))
        feed = self._feeds.get((author, boot))
        place = 0 if feed is None else feed.whole
        previous = FIRST if feed is None or not place else feed.entries[place - 1].digest
        segment = Segment(self.job, boot, place, previous, statements)
        signed = sign(crypto, seed, Kind.SEGMENT, cluster, segment)
        entry = Entry(signed, segment, segment_digest(signed))
        self.add(entry, limited=False)  # else it could not even be said that the job is over
        return entry

    def add(self, entry: Entry, *, limited: bool = True) -> bool:
        """Merge a verified segment; tells whether it is new. What we write ourselves, or had already, is not limited.

        Raises ForkError if it contradicts what is here, FullLedgerError if there is no room for it,
        RemoteProtocolError if it is about another job.
        """
        if entry.segment.job != self.job:
            raise RemoteProtocolError("a segment is about another job than the message that brought it")
        id_ = (entry.author, entry.segment.boot)
        feed = self._feeds.get(id_) or Feed()
        if feed.has(entry):
            return False
        feed.check(entry)
        if limited:
            self._check_room(id_, 1 - self._hollow_count)
        feed.put(entry)
        self._enter(id_, feed)
        self._count += 1
        self._fingerprint ^= entry.fingerprint
        return True

    def _enter(self, id_: FeedId, feed: Feed) -> None:
        if id_ not in self._feeds:
            author, boot = id_
            self._feeds[id_] = feed
            self._boots.setdefault(author, {})[boot] = None

    def _check_room(self, id_: FeedId, count: int) -> None:
        if self._count + count > SEGMENTS_MAX:
            raise FullLedgerError(f"job ledger is full: {SEGMENTS_MAX} segments")
        if id_ not in self._feeds and len(self._feeds) >= FEEDS_MAX:
            raise FullLedgerError(f"job ledger is full: {FEEDS_MAX} feeds")

    # -- hollow segments ---------------------------------------------------------------------------------------------

    def is_followed(self, segment: SegmentId) -> bool:
        """Whether the next segment of its feed is here."""
        author, boot, place = segment
        return (author, boot, place + 1) in self

    def run_before(self, segment: SegmentId) -> Run | None:
        """The hollow segments right before one."""
        author, boot, place = segment
        feed = self._feeds.get((author, boot))
        return None if feed is None else feed.hollows.find(place - 1)

    def follower(self, segment: SegmentId) -> Entry | None:
        """The segment after the hollow ones that this is among."""
        author, boot, place = segment
        run = self.run_before((author, boot, place + 1))
        return None if run is None else self.get((author, boot, run.end))

    def proves(self, id_: FeedId, run: Run) -> bool:
        """Whether an author has written as many segments as a run is long (see `Feed.proves`)."""
        return id_ in self._feeds and self._feeds[id_].proves(run)

    def hollow(self, segments: Iterable[SegmentId]) -> dict[FeedId, Changes]:
        """Keep of these, each of which is followed, no more than their places. Returns which runs have changed."""
        changes: dict[FeedId, Changes] = {}
        for author, boot, place in segments:
            id_ = (author, boot)
            self._feeds[id_].hollow(place, changes.setdefault(id_, {}))
            self._hollow_count += 1
        return changes

    def adopt(
        self, id_: FeedId, run: Run, is_void: Callable[[SegmentId], bool] = lambda _: False
    ) -> tuple[Changes, list[Entry]]:
        """Take over a run that this ledger `proves`, or had before a restart, if it brings anything: of what is here
        only void segments are replaced by it, and no run of which a part lies elsewhere, which takes until both have
        hollowed the same.
        Returns which runs have changed, and the segments that it took the place of.

        Raises ForkError if it contradicts what is here, RemoteProtocolError if there is no place for it.
        """
        if run.end > SEGMENTS_MAX or not run.count:
            raise RemoteProtocolError(f"a run of {run.count} hollow segments ends at {run.end} of {SEGMENTS_MAX}")
        feed = self._feeds.get(id_) or Feed()
        there = feed.replaceable(run, is_void)
        if there is None:
            return {}, []
        entries, runs = there
        fresh = run.count - len(entries) - sum(each.count for each in runs)
        if not fresh:
            return {}, []
        self._check_room(id_, fresh)
        changes = feed.adopt(run, entries)
        self._enter(id_, feed)
        self._count += fresh
        self._hollow_count += fresh + len(entries)
        replaced = [*(each.fingerprint for each in runs), *(entry.fingerprint for entry in entries)]
        for fingerprint in (run.fingerprint, *replaced):
            self._fingerprint ^= fingerprint
        return changes, entries

    def runs(self) -> Iterator[tuple[FeedId, Run]]:
        """All that is hollow."""
        return ((id_, run) for id_ in sorted(self._feeds) for run in self._feeds[id_].hollows)

    # -- what is here ------------------------------------------------------------------------------------------------

    def is_whole_up_to(self, segment: SegmentId) -> bool:
        """Whether the segment and all before it in its feed are here."""
        author, boot, place = segment
        return place < self._whole((author, boot))

    def has_feed_of(self, author: NodeId) -> bool:
        """Whether anything that this author has said is, or was, here."""
        return author in self._boots

    def ends(self, author: NodeId) -> list[Entry]:
        """The last segment of each feed of an author."""
        lasts = (self._feeds[(author, boot)].last for boot in sorted(self._boots.get(author, ())))
        return [entry for entry in lasts if entry is not None]

    def fingerprint(self) -> bytes:
        """Eight bytes that are the same for the same set of segments, in whatever order they came."""
        return self._fingerprint.to_bytes(8, "big")

    def vector(self) -> Vector:
        """How far each feed goes: what an anti-entropy partner needs to know."""
        return tuple((author, boot, self._feeds[(author, boot)].whole) for author, boot in sorted(self._feeds))

    def lacks(self, vector: Iterable[tuple[NodeId, int, int]]) -> bool:
        """Whether somebody with this vector has something that is not here."""
        return any(whole > self._whole((author, boot)) for author, boot, whole in vector)

    def beyond(self, vector: Vector) -> Iterator[Entry]:
        """Segments that somebody with this vector lacks, in an order in which each feed is contiguous (see
        `Feed.beyond`). Of a feed that is named twice the longer counts."""
        theirs: dict[FeedId, int] = {}
        for author, boot, whole in vector:
            theirs[(author, boot)] = max(whole, theirs.get((author, boot), 0))
        for id_ in sorted(self._feeds):
            yield from self._feeds[id_].beyond(theirs.get(id_, 0))

    def _whole(self, id_: FeedId) -> int:
        return self._feeds[id_].whole if id_ in self._feeds else 0


__all__ = [
    "ANY_QUEUE", "FIRST", "STATEMENTS_MAX", "STDERR_TAIL_MAX", "Cause", "Entry", "FeedId", "ForkError",
    "FullLedgerError", "Ledger", "Outcome", "Segment", "SegmentId", "Statement", "StatementKind", "Vector", "When",
    "fitting", "open_segment", "segment_digest",
]  # fmt: skip
