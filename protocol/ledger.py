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

Segments that say nothing any more may be hollowed (`hollows`), if the next of their feed is here. A hollow segment
counts as there: it is in the ledger and cannot be had from it. Others are told of it with the segment that follows,
whose author has signed what came before: nobody can be made to believe in a longer feed than there is.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from .codec import U32, Bytes16, Bytes32, Length, decode
from .crypto import Crypto
from .errors import RemoteProtocolError
from .hollows import Changes, Hollows, Run
from .ids import ClusterId, JobId, NodeId
from .signed import Kind, Signed, sign, verify
from .statements import ANY_QUEUE, STDERR_TAIL_MAX, Cause, Outcome, Statement, StatementKind, fitting

STATEMENTS_MAX = 1024
"""In one segment: a batch that still verifies and decodes within a few milliseconds."""

SEGMENTS_MAX = 1_000_000
"""In one job, and as many hollow ones: a stream that leaves more than this must be submitted as several jobs."""

FEEDS_MAX = 16_384
"""In one job. One per participant and start of its process: four starts of as many members as there can be."""


class FullLedgerError(RemoteProtocolError):
    """Nobody is to blame who passes a segment on: there is no room for it here."""


class ForkError(RemoteProtocolError):
    """An author signed two different segments for one place of its feed, or broke the chain."""


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

    @property
    def fingerprint(self) -> int:
        """What it adds to its ledger's."""
        return int.from_bytes(self.digest[:8], "big")


def open_segment(crypto: Crypto, cluster: ClusterId, signed: Signed) -> Entry:
    """Verify and decode a segment. Raises RemoteProtocolError if it is forged or malformed."""
    verify(crypto, signed, Kind.SEGMENT, cluster)
    return Entry(signed, decode(Segment, signed.body), segment_digest(signed))


class Ledger:
    """The segments of one job that this node holds."""

    def __init__(self, job: JobId) -> None:
        self.job = job
        self._feeds: dict[FeedId, dict[int, Entry]] = {}
        self._boots: dict[NodeId, dict[int, None]] = {}
        """Of whom there are which feeds."""
        self._ahead: dict[FeedId, dict[int, None]] = {}
        """The numbers of segments that stand after a gap."""
        self._whole: dict[FeedId, int] = {}
        """How many segments from the first on are there without a gap."""
        self._tops: dict[FeedId, int] = {}
        """The highest number of a segment."""
        self._refused: dict[FeedId, tuple[int, bytes]] = {}
        """Of forked feeds: the place after the last segment that was not taken in, and the digest of that."""
        self._hollows: dict[FeedId, Hollows] = {}
        self._count = 0
        self._hollow_count = 0
        """How many of them are hollow: these cost next to nothing, and leave room for as many others."""
        self._fingerprint = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, segment: SegmentId) -> bool:
        author, boot, sequence = segment
        feed = (author, boot)
        return sequence in self._feeds.get(feed, ()) or self._hollow(feed, sequence) is not None

    def get(self, segment: SegmentId) -> Entry | None:
        """The segment; None if it is hollow or not here."""
        author, boot, sequence = segment
        return self._feeds.get((author, boot), {}).get(sequence)

    def __getitem__(self, segment: SegmentId) -> Entry:
        author, boot, sequence = segment
        return self._feeds[(author, boot)][sequence]

    def __iter__(self) -> Iterator[Entry]:
        """Every segment that is not hollow, feed by feed in a fixed order."""
        for feed in sorted(self._feeds):
            for sequence in sorted(self._feeds[feed]):
                yield self._feeds[feed][sequence]

    def write(
        self, crypto: Crypto, cluster: ClusterId, seed: bytes, boot: int, statements: tuple[Statement, ...]
    ) -> Entry:
        """Append a segment of our own."""
        author = NodeId(crypto.public_key(seed))
        feed = self._feeds.get((author, boot), {})
        sequence = self._whole.get((author, boot), 0)
        previous = feed[sequence - 1].digest if sequence else FIRST
        segment = Segment(self.job, boot, sequence, previous, statements)
        signed = sign(crypto, seed, Kind.SEGMENT, cluster, segment)
        entry = Entry(signed, segment, segment_digest(signed))
        self.add(entry, limited=False)  # else it could not even be said that the job is over
        return entry

    def add(self, entry: Entry, *, limited: bool = True) -> bool:
        """Merge a verified segment; tells whether it is new. What we write ourselves, or had already, is not limited.

        Raises ForkError if it contradicts what is here, FullLedgerError if there is no room for it,
        RemoteProtocolError if it is about another job.
        """
        segment = entry.segment
        if segment.job != self.job:
            raise RemoteProtocolError("a segment is about another job than the message that brought it")
        id_ = (entry.author, segment.boot)
        present = self.get(entry.id)
        if entry.id in self and (present is None or present.digest == entry.digest):
            return False
        self._check_fork(id_, entry, present)
        if limited:
            self._check_room(id_, 1 - self._hollow_count)
        self._open(id_)[segment.sequence] = entry
        if segment.sequence > self._whole.get(id_, 0):
            self._ahead.setdefault(id_, {})[segment.sequence] = None
        self._tops[id_] = max(self._tops.get(id_, 0), segment.sequence)
        self._count += 1
        self._fingerprint ^= entry.fingerprint
        self._measure(id_)
        return True

    def _check_fork(self, id_: FeedId, entry: Entry, present: Entry | None) -> None:
        """Whether a segment belongs to the history that is here. If not, what continues it does not either."""
        try:
            self._check_history(id_, entry, present)
        except ForkError:
            if id_ in self._feeds:
                self._refused[id_] = (entry.segment.sequence + 1, entry.digest)
            raise

    def _check_history(self, id_: FeedId, entry: Entry, present: Entry | None) -> None:
        place, previous = entry.segment.sequence, entry.segment.previous
        if present is not None:
            raise ForkError(f"two different segments have the number {place} in one feed")
        if self._refused.get(id_) == (place, previous):
            raise ForkError(f"segment {place} continues another history of its feed")
        self._check_chain(id_, place, place + 1, previous, entry.digest)

    def _check_room(self, id_: FeedId, count: int) -> None:
        if self._count + count > SEGMENTS_MAX:
            raise FullLedgerError(f"job ledger is full: {SEGMENTS_MAX} segments")
        if id_ not in self._feeds and len(self._feeds) >= FEEDS_MAX:
            raise FullLedgerError(f"job ledger is full: {FEEDS_MAX} feeds")

    def is_followed(self, segment: SegmentId) -> bool:
        """Whether the next segment of its feed is here."""
        author, boot, sequence = segment
        return (author, boot, sequence + 1) in self

    def run_before(self, segment: SegmentId) -> Run | None:
        """The hollow segments right before one."""
        author, boot, sequence = segment
        return self._hollow((author, boot), sequence - 1)

    def follower(self, segment: SegmentId) -> Entry | None:
        """The segment after the hollow ones that this is among."""
        author, boot, sequence = segment
        run = self._hollow((author, boot), sequence)
        return None if run is None else self.get((author, boot, run.end))

    def proves(self, id_: FeedId, run: Run) -> bool:
        """Whether what follows a run is here and names its last segment as the one before: so its author has written
        as many."""
        after, run_after = self._feeds.get(id_, {}).get(run.end), self._hollow(id_, run.end)
        if run_after is not None:
            return (run_after.first, run_after.previous) == (run.end, run.last)
        return after is not None and after.segment.previous == run.last

    def hollow(self, segments: Iterable[SegmentId]) -> dict[FeedId, Changes]:
        """Keep of these, each of which is followed, no more than their places. Returns which runs have changed."""
        changes: dict[FeedId, Changes] = {}
        for author, boot, sequence in segments:
            id_ = (author, boot)
            entry = self._take_out(id_, sequence)
            run = Run(sequence, 1, entry.fingerprint, entry.segment.previous, entry.digest)
            self._hollow_count += 1
            self._hollows.setdefault(id_, Hollows()).put(run, changes.setdefault(id_, {}))
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
        feed, hollows = self._feeds.get(id_, {}), self._hollows.get(id_, Hollows())
        here = hollows.within(run.first, run.end)
        places = feed if len(feed) < run.count else range(run.first, run.end)
        entries = [feed[place] for place in places if place in feed and run.first <= place < run.end]
        if here is None or not all(is_void(entry.id) for entry in entries):
            return {}, []
        count = len(entries) + sum(each.count for each in here)
        if count == run.count:
            return {}, []
        self._check_room(id_, run.count - count)
        self._check_chain(id_, run.first, run.end, run.previous, run.last)
        replaced = [*(each.fingerprint for each in here), *(entry.fingerprint for entry in entries)]
        for fingerprint in (run.fingerprint, *replaced):
            self._fingerprint ^= fingerprint
        self._count += run.count - count
        self._hollow_count += run.count - count + len(entries)
        for entry in entries:
            self._take_out(id_, entry.segment.sequence)
        changes: Changes = {}
        hollows.put(run, changes)
        self._open(id_)
        self._hollows[id_] = hollows
        self._measure(id_)
        return changes, entries

    def runs(self) -> Iterator[tuple[FeedId, Run]]:
        """All that is hollow."""
        for id_ in sorted(self._hollows):
            for run in self._hollows[id_]:
                yield id_, run

    def _open(self, id_: FeedId) -> dict[int, Entry]:
        """The segments of a feed, from which some may be taken in."""
        author, boot = id_
        if id_ not in self._feeds:
            self._feeds[id_] = {}
            self._boots.setdefault(author, {})[boot] = None
        return self._feeds[id_]

    def _take_out(self, id_: FeedId, sequence: int) -> Entry:
        self._ahead.get(id_, {}).pop(sequence, None)
        return self._feeds[id_].pop(sequence)

    def _hollow(self, id_: FeedId, sequence: int) -> Run | None:
        hollows = self._hollows.get(id_)
        return None if hollows is None else hollows.find(sequence)

    def _measure(self, id_: FeedId) -> None:
        """Count on up to the first gap."""
        feed, ahead, whole = self._feeds[id_], self._ahead.get(id_, {}), self._whole.get(id_, 0)
        while True:
            run = None if whole in feed else self._hollow(id_, whole)
            if run is not None:
                whole = run.end
            elif whole in feed:
                ahead.pop(whole, None)
                whole += 1
            else:
                break
        self._whole[id_] = whole

    def _check_chain(self, id_: FeedId, first: int, end: int, previous: bytes, last: bytes) -> None:
        """Whether what is to lie in these places follows what is before it, and what is after it follows it."""
        feed = self._feeds.get(id_, {})
        before, run_before = feed.get(first - 1), self._hollow(id_, first - 1)
        after, run_after = feed.get(end), self._hollow(id_, end)
        if first == 0 and previous != FIRST:
            raise ForkError("the first segment of a feed names a predecessor")
        known = before.digest if before is not None else None if run_before is None else run_before.last
        if known not in (None, previous):
            raise ForkError(f"segment {first} does not follow the one before it")
        known = after.segment.previous if after is not None else None if run_after is None else run_after.previous
        if known not in (None, last):
            raise ForkError(f"segment {end} does not follow the one before it")

    def is_whole_up_to(self, segment: SegmentId) -> bool:
        """Whether the segment and all before it in its feed are here."""
        author, boot, sequence = segment
        return sequence < self._whole.get((author, boot), 0)

    def has_feed_of(self, author: NodeId) -> bool:
        """Whether anything that this author has said is, or was, here."""
        return author in self._boots

    def ends(self, author: NodeId) -> list[Entry]:
        """The last segment of each feed of an author."""
        feeds = ((author, boot) for boot in sorted(self._boots.get(author, ())))
        ends = (self._feeds[id_].get(self._tops.get(id_, 0)) for id_ in feeds)
        return [entry for entry in ends if entry is not None]

    def fingerprint(self) -> bytes:
        """Eight bytes that are the same for the same set of segments, in whatever order they came."""
        return self._fingerprint.to_bytes(8, "big")

    def vector(self) -> Vector:
        """How far each feed goes: what an anti-entropy partner needs to know."""
        return tuple((author, boot, self._whole[(author, boot)]) for author, boot in sorted(self._feeds))

    def lacks(self, vector: Iterable[tuple[NodeId, int, int]]) -> bool:
        """Whether somebody with this vector has something that is not here."""
        return any(whole > self._whole.get((author, boot), 0) for author, boot, whole in vector)

    def beyond(self, vector: Vector) -> Iterator[Entry]:
        """Segments that somebody with this vector lacks, in an order in which each feed is contiguous. Each is looked
        up when it is taken; what has come since the first was taken need not be among them."""
        theirs: dict[FeedId, int] = {}
        for author, boot, whole in vector:
            theirs[(author, boot)] = max(whole, theirs.get((author, boot), 0))
        for id_, whole in [(id_, self._whole[id_]) for id_ in sorted(self._feeds)]:
            first = theirs.get(id_, 0)
            yield from self._between(id_, first, whole)
            ahead = (self._feeds[id_].get(place) for place in sorted(self._ahead.get(id_, ())) if place >= first)
            yield from (entry for entry in ahead if entry is not None)

    def _between(self, id_: FeedId, first: int, whole: int) -> Iterator[Entry]:
        """The segments from one place on to the gap, and at least the one that follows a run."""
        place = first
        while place < whole:
            run = self._hollow(id_, place)
            place = place if run is None else run.end
            entry = self._feeds[id_].get(place)
            if entry is not None:  # the journal of an earlier version may hold runs that nothing follows
                yield entry
            place += 1


__all__ = [
    "ANY_QUEUE", "FIRST", "STATEMENTS_MAX", "STDERR_TAIL_MAX", "Cause", "Entry", "FeedId", "ForkError",
    "FullLedgerError", "Ledger", "Outcome", "Segment", "SegmentId", "Statement", "StatementKind", "Vector", "fitting",
    "open_segment", "segment_digest",
]  # fmt: skip
