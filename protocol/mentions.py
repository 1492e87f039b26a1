"""Mentions: which segments of a stream's ledger speak of which items, until these are settled.

A segment that speaks of settled items and of nothing else is *void*, and may be hollowed (`hollowing`). One that
speaks of the job, says SETTLED, or says what this version does not understand, never is.
"""

from .jobstate import ABOUT_THE_JOB, JobState
from .ledger import Entry, Ledger, SegmentId, StatementKind


class Mentions:
    """Of one job."""

    def __init__(self) -> None:
        self.void: dict[SegmentId, None] = {}
        """Void segments that are still here."""
        self._left: dict[SegmentId, int] = {}
        """How many items that are not settled a segment speaks of."""
        self._by_item: dict[int, list[SegmentId]] = {}
        self._lasts: dict[SegmentId, None] = {}
        """Of the void ones, those that the next of their feed has not followed yet."""

    def note(self, entry: Entry, state: JobState) -> bool:
        """A segment is new here; tells whether any may be hollowed now: it, or the one before it, which is followed
        now."""
        author, boot, sequence = entry.id
        freed = (author, boot, sequence - 1)
        was_last = freed in self._lasts
        self._lasts.pop(freed, None)
        items: dict[int, None] = {}
        for statement in entry.segment.statements:
            if statement.kind in _STAYING or not state.fits(statement):
                return was_last
            if statement.item not in state.settlement:
                items[statement.item] = None
        if not items:
            self.void[entry.id] = None
            return True
        self._left[entry.id] = len(items)
        for item in items:
            self._by_item.setdefault(item, []).append(entry.id)
        return was_last

    def settled(self, item: int) -> None:
        """An item is settled."""
        for segment in self._by_item.pop(item, ()):
            self._left[segment] -= 1
            if not self._left[segment]:
                del self._left[segment]
                self.void[segment] = None

    def forget(self, segment: SegmentId) -> None:
        """A void segment is not here any more."""
        self.void.pop(segment)
        self._lasts.pop(segment, None)

    def take(self, ledger: Ledger) -> list[SegmentId]:
        """The void segments that may be hollowed now; those that nothing follows in their feeds wait for the next: it
        proves to others that they were there."""
        taken: list[SegmentId] = []
        for segment in self.void:
            if segment in self._lasts:
                continue
            if ledger.is_followed(segment):
                taken.append(segment)
            else:
                self._lasts[segment] = None
        self.void = dict.fromkeys(self._lasts)
        return taken


_STAYING = ABOUT_THE_JOB | {StatementKind.SETTLED}
"""Kinds that are never void."""
