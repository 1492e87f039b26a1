"""Delivery: getting segments of ledgers to the nodes they concern, at least once each.

A session may break between a frame's sending and its reading, so every segment that is on its way to a peer is
remembered until the peer says it has it, and sent again when that takes too long. Merging is idempotent, so twice
does no harm.

    on its way --Delivered--> forgotten
    on its way --no answer for RESEND_S, then for twice as long, and so on--> sent again
    on its way --the peer is gone--> forgotten (see `desk`)

A whole ledger is *shown*: SHOWN_FIRST segments of it are on their way, and for each that the peer has two more, up to
SHOWN_MAX or SHOWN_BYTES. So whoever asks for it, and never says that it has anything, is sent a small beginning again
now and then, however often it asks; and a little that a peer cannot use does not hold up the rest.
"""

import heapq
import math
from collections.abc import Iterator

from .ids import JobId, NodeId
from .ledger import Entry, SegmentId
from .values import dataclass, field

RESEND_S = 2.0
"""Several round trips on any network worth placing tasks on; doubled with each try."""

RESEND_S_MAX = 30.0
"""After 2 + 4 + 8 + 16 seconds membership has long declared the peer dead, or it answers. If it does neither, we go
on asking."""

SHOWN_FIRST = 256
"""Of most ledgers that is all."""

SHOWN_MAX = 4096
"""Segments of a few hundred bytes: 40,000 a second where an answer takes a tenth of that."""

SHOWN_BYTES = 4 * 1024 * 1024
"""What a session carries in one message: 40 MB/s there."""

BATCH_MAX = 256
"""Segments in one message; with the usual few hundred bytes each well under the message limit."""

Batch = tuple[NodeId, JobId, list[SegmentId]]


@dataclass(slots=True)
class _Parcel:
    due_s: float = math.inf
    pause_s: float = RESEND_S


@dataclass(slots=True)
class _Show:
    """What a peer lacks of a ledger."""

    rest: Iterator[Entry]
    """Not put on the way yet."""
    open: dict[SegmentId, int] = field(default_factory=dict)
    """What is on the way and has not arrived, with the bytes of each."""
    size_bytes: int = 0
    """Of all of it."""
    most: int = SHOWN_FIRST
    """Segments that may be on the way together."""

    @property
    def is_full(self) -> bool:
        most = min(self.most, SHOWN_MAX)
        return len(self.open) >= most or self.size_bytes >= SHOWN_BYTES * most // SHOWN_MAX

    def put(self, entry: Entry) -> None:
        """A segment is on the way."""
        size_bytes = len(entry.signed.body)
        self.size_bytes += size_bytes - self.open.get(entry.id, 0)
        self.open[entry.id] = size_bytes

    def arrived(self, segment: SegmentId) -> None:
        """The peer has a segment."""
        if segment in self.open:
            self.size_bytes -= self.open.pop(segment)
            self.most += 1


@dataclass(slots=True)
class _Way:
    """All that is on its way to one peer."""

    parcels: dict[JobId, dict[SegmentId, _Parcel]] = field(default_factory=dict)
    fresh: dict[JobId, list[SegmentId]] = field(default_factory=dict)
    """Not sent yet, or to be sent at once again."""
    shows: dict[JobId, _Show] = field(default_factory=dict)
    turns: list[tuple[float, JobId, SegmentId]] = field(default_factory=list)
    """A heap of what was sent; void where the parcel has arrived or has another due time."""

    @property
    def due_s(self) -> float:
        if self.fresh:
            return -math.inf
        while self.turns and not self._stands(*self.turns[0]):
            heapq.heappop(self.turns)
        return self.turns[0][0] if self.turns else math.inf

    def _stands(self, due_s: float, job: JobId, segment: SegmentId) -> bool:
        parcel = self.parcels.get(job, {}).get(segment)
        return parcel is not None and parcel.due_s == due_s

    def take(self, now: float) -> list[tuple[JobId, list[SegmentId]]]:
        """What is to be sent now, oldest first within a job."""
        due, self.fresh = self.fresh, {}
        while self.due_s <= now:
            _, job, segment = heapq.heappop(self.turns)
            self.parcels[job][segment].due_s = math.inf
            due.setdefault(job, []).append(segment)
        return [(job, self._sent(job, segments, now)) for job, segments in due.items()]

    def _sent(self, job: JobId, segments: list[SegmentId], now: float) -> list[SegmentId]:
        parcels = self.parcels.get(job, {})
        sent = [segment for segment in segments if segment in parcels]  # some may have arrived by another way
        for segment in sent:
            parcel = parcels[segment]
            parcel.due_s = now + parcel.pause_s
            parcel.pause_s = min(2 * parcel.pause_s, RESEND_S_MAX)
            heapq.heappush(self.turns, (parcel.due_s, job, segment))
        return sent


class Delivery:
    """What is on its way to whom."""

    def __init__(self) -> None:
        self._ways: dict[NodeId, _Way] = {}

    @property
    def deadline(self) -> float:
        return min((way.due_s for way in self._ways.values()), default=math.inf)

    def offer(self, peer: NodeId, job: JobId, segment: SegmentId, *, again: bool = False) -> None:
        """Put a segment on the way; it is in what `collect` gives next. So it is with `again` if it is on its way
        already: the peer shows that it has not arrived, or has been forgotten."""
        way = self._ways.setdefault(peer, _Way())
        parcels = way.parcels.setdefault(job, {})
        known = parcels.get(segment)
        if known is None or (again and known.due_s < math.inf):
            parcels[segment] = _Parcel()
            way.fresh.setdefault(job, []).append(segment)

    def show(self, peer: NodeId, job: JobId, segments: Iterator[Entry]) -> None:
        """Put all these on the way, little by little. They take the place of what was to be shown before, and of what
        is on the way of that: a peer that has lost its disk meanwhile cannot use it without what comes before."""
        way = self._ways.setdefault(peer, _Way())
        show = way.shows.setdefault(job, _Show(segments))
        before, show.rest, show.open, show.size_bytes = show.open, segments, {}, 0
        self._show_more(peer, way, job)
        for segment in before:
            if segment not in show.open and job in way.parcels:
                way.parcels[job].pop(segment, None)
        if job in way.parcels and not way.parcels[job]:
            self._forget(peer, way, job)

    def is_showing(self, peer: NodeId, job: JobId) -> bool:
        """Whether a peer has still to confirm something of what it is shown of a job."""
        return peer in self._ways and job in self._ways[peer].shows

    def _show_more(self, peer: NodeId, way: _Way, job: JobId) -> None:
        show = way.shows[job]
        while not show.is_full and (entry := next(show.rest, None)) is not None:
            self.offer(peer, job, entry.id)
            show.put(entry)
        if not show.open:
            del way.shows[job]
            if not way.parcels.get(job):
                self._forget(peer, way, job)

    def arrived(self, peer: NodeId, job: JobId, segments: tuple[SegmentId, ...]) -> None:
        """The peer has these."""
        way = self._ways.get(peer)
        if way is None or job not in way.parcels:
            return
        show = way.shows.get(job)
        for segment in segments:
            way.parcels[job].pop(segment, None)
            if show is not None:
                show.arrived(segment)
        if show is not None:
            self._show_more(peer, way, job)
        elif not way.parcels[job]:
            self._forget(peer, way, job)

    def reconnected(self, peer: NodeId) -> None:
        """There is a new session with the peer: what it has not confirmed for long may be lost with an old one, and
        is due now. What was sent only once may be what the session was opened for."""
        self._again(peer, 2 * RESEND_S)

    def again(self, peer: NodeId) -> None:
        """The peer could not use what it was sent: whatever it has not confirmed is due now."""
        self._again(peer, 0.0)

    def _again(self, peer: NodeId, pause_s: float) -> None:
        way = self._ways.get(peer)
        if way is None:
            return
        for job, parcels in way.parcels.items():
            for segment, parcel in parcels.items():
                if parcel.pause_s > pause_s and parcel.due_s < math.inf:
                    parcels[segment] = _Parcel()
                    way.fresh.setdefault(job, []).append(segment)

    def forget_peer(self, peer: NodeId) -> None:
        self._ways.pop(peer, None)

    def forget_job(self, job: JobId) -> None:
        for peer, way in list(self._ways.items()):
            self._forget(peer, way, job)

    def collect(self, now: float) -> list[Batch]:
        """Batches that are due; each counts as sent."""
        return [
            (peer, job, segments[at : at + BATCH_MAX])
            for peer, way in self._ways.items()
            if way.due_s <= now
            for job, segments in way.take(now)
            for at in range(0, len(segments), BATCH_MAX)
        ]

    def _forget(self, peer: NodeId, way: _Way, job: JobId) -> None:
        way.parcels.pop(job, None)
        way.fresh.pop(job, None)
        way.shows.pop(job, None)
        if not way.parcels:
            del self._ways[peer]
