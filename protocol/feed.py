"""Feeds: what one author has said of a job in one run of its process, a chain of segments.

Segments are accepted in any order. The chain is checked between neighbours as soon as both are there, and two
different segments in one place are proof that their author is broken: the feed is *forked*, what came first counts,
and neither the other segment nor what continues it is taken in.

Consecutive segments that say nothing any more may be *hollow* (`hollows`): they count as there, and cannot be had.
"""

from collections.abc import Callable, Iterator

from .errors import RemoteProtocolError
from .hollows import Changes, Hollows, Run
from .segments import FIRST, Entry, SegmentId


class ForkError(RemoteProtocolError):
    """An author signed two different segments for one place of its feed, or broke the chain."""


class Feed:
    """What is here of one feed."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        """By their places."""
        self.hollows = Hollows()
        self.whole = 0
        """How many segments from the first on are there without a gap."""
        self._top = 0
        """The last place that a segment was taken in at."""
        self._ahead: dict[int, None] = {}
        """The places of segments that stand after a gap."""
        self._refused: tuple[int, bytes] | None = None
        """If the feed is forked: the place after the last segment that was not taken in, and the digest of that."""

    def __contains__(self, place: int) -> bool:
        return place in self.entries or self.hollows.find(place) is not None

    @property
    def last(self) -> Entry | None:
        """The last segment; None if none is here."""
        return self.entries.get(self._top)

    def has(self, entry: Entry) -> bool:
        """Whether a segment is here; a hollow one is not asked what it was."""
        present = self.entries.get(entry.segment.sequence)
        return entry.segment.sequence in self if present is None else present.digest == entry.digest

    def check(self, entry: Entry) -> None:
        """Raises ForkError if a segment that is not here belongs to another history than what is. What continues it
        does so, too."""
        try:
            self._check_history(entry)
        except ForkError:
            self._refused = (entry.segment.sequence + 1, entry.digest)
            raise

    def put(self, entry: Entry) -> None:
        """Take in a segment that was checked."""
        place = entry.segment.sequence
        self.entries[place] = entry
        self._top = max(self._top, place)
        if place > self.whole:
            self._ahead[place] = None
        self._measure()

    def hollow(self, place: int, changes: Changes) -> None:
        """Keep of a segment, which another follows, no more than its place."""
        entry = self._take_out(place)
        self.hollows.put(Run(place, 1, entry.fingerprint, entry.segment.previous, entry.digest), changes)

    def replaceable(self, run: Run, is_void: Callable[[SegmentId], bool]) -> tuple[list[Entry], list[Run]] | None:
        """What a run would take the place of; None if it must not: a segment that says something, or a run of which a
        part lies elsewhere."""
        runs = self.hollows.within(run.first, run.end)
        places = self.entries if len(self.entries) < run.count else range(run.first, run.end)
        entries = [self.entries[at] for at in places if run.first <= at < run.end and at in self.entries]
        return None if runs is None or not all(is_void(entry.id) for entry in entries) else (entries, runs)

    def adopt(self, run: Run, entries: list[Entry]) -> Changes:
        """Take in a run in the place of these segments, and of all runs there. Raises ForkError if it contradicts
        what is beside it."""
        self._check_chain(run.first, run.end, run.previous, run.last)
        for entry in entries:
            self._take_out(entry.segment.sequence)
        changes: Changes = {}
        self.hollows.put(run, changes)
        self._measure()
        return changes

    def proves(self, run: Run) -> bool:
        """Whether what follows a run is here and names its last segment as the one before: so its author has written
        as many."""
        after, run_after = self.entries.get(run.end), self.hollows.find(run.end)
        if run_after is not None:
            return (run_after.first, run_after.previous) == (run.end, run.last)
        return after is not None and after.segment.previous == run.last

    def beyond(self, first: int) -> Iterator[Entry]:
        """The segments from a place on, and at least the one that follows a run there. Each is looked up when it is
        taken; what has come since the first was taken need not be among them."""
        place, whole = first, self.whole
        while place < whole:
            run = self.hollows.find(place)
            place = place if run is None else run.end
            entry = self.entries.get(place)
            if entry is not None:  # the journal of an earlier version may hold runs that nothing follows
                yield entry
            place += 1
        ahead = (self.entries.get(place) for place in sorted(self._ahead) if place >= first)
        yield from (entry for entry in ahead if entry is not None)

    def _take_out(self, place: int) -> Entry:
        self._ahead.pop(place, None)
        return self.entries.pop(place)

    def _measure(self) -> None:
        """Count on up to the first gap."""
        entries, whole = self.entries, self.whole
        while True:
            run = None if whole in entries else self.hollows.find(whole)
            if run is not None:
                whole = run.end
            elif whole in entries:
                self._ahead.pop(whole, None)
                whole += 1
            else:
                break
        self.whole = whole

    def _check_history(self, entry: Entry) -> None:
        place, previous = entry.segment.sequence, entry.segment.previous
        if place in self.entries:
            raise ForkError(f"two different segments have the number {place} in one feed")
        if self._refused == (place, previous):
            raise ForkError(f"segment {place} continues another history of its feed")
        self._check_chain(place, place + 1, previous, entry.digest)

    def _check_chain(self, first: int, end: int, previous: bytes, last: bytes) -> None:
        """Whether what is to lie in these places follows what is before it, and what is after it follows it."""
        before, run_before = self.entries.get(first - 1), self.hollows.find(first - 1)
        after, run_after = self.entries.get(end), self.hollows.find(end)
        if first == 0 and previous != FIRST:
            raise ForkError("the first segment of a feed names a predecessor")
        known = before.digest if before is not None else None if run_before is None else run_before.last
        if known not in (None, previous):
            raise ForkError(f"segment {first} does not follow the one before it")
        known = after.segment.previous if after is not None else None if run_after is None else run_after.previous
        if known not in (None, last):
            raise ForkError(f"segment {end} does not follow the one before it")
