"""Delivery: getting segments of ledgers to the nodes they concern, at least once each.

A session may break between a frame's sending and its reading, so every segment that is on its way to a peer is
remembered until the peer says it has it, and sent again when that takes too long. Merging is idempotent, so twice
does no harm.

    on its way --Delivered--> forgotten
    on its way --RESEND_S without an answer--> sent again, at most TRIES times; then only when the peer is back
"""

import math
from dataclasses import dataclass

from .ids import JobId, NodeId
from .ledger import SegmentId

RESEND_S = 2.0
"""Several round trips on any network worth placing tasks on; doubled with each try."""

TRIES = 5
"""After 2 + 4 + 8 + 16 + 32 seconds membership has long declared the peer dead, or it answers."""

BATCH_MAX = 256
"""Segments in one message; with the usual few hundred bytes each well under the message limit."""


@dataclass(slots=True)
class _Parcel:
    due_s: float
    tries: int = 0


class Delivery:
    """What is on its way to whom."""

    def __init__(self) -> None:
        self._parcels: dict[NodeId, dict[JobId, dict[SegmentId, _Parcel]]] = {}
        self._due: dict[NodeId, float] = {}
        """Per peer, when the next of its parcels is due."""

    @property
    def deadline(self) -> float:
        return min(self._due.values(), default=math.inf)

    def offer(self, peer: NodeId, job: JobId, segment: SegmentId, now: float) -> None:
        """Put a segment on the way; it is in what `collect` gives next."""
        parcels = self._parcels.setdefault(peer, {}).setdefault(job, {})
        if segment not in parcels:
            parcels[segment] = _Parcel(now)
            self._due[peer] = min(now, self._due.get(peer, math.inf))

    def arrived(self, peer: NodeId, job: JobId, segments: tuple[SegmentId, ...]) -> None:
        """The peer has these."""
        jobs = self._parcels.get(peer, {})
        parcels = jobs.get(job, {})
        for segment in segments:
            parcels.pop(segment, None)
        if not parcels:
            jobs.pop(job, None)
        self._settle(peer)

    def again(self, peer: NodeId, now: float) -> None:
        """The peer is back: whatever it has not confirmed is due now."""
        for parcels in self._parcels.get(peer, {}).values():
            for parcel in parcels.values():
                parcel.due_s, parcel.tries = now, 0
        self._settle(peer)

    def forget_peer(self, peer: NodeId) -> None:
        self._parcels.pop(peer, None)
        self._due.pop(peer, None)

    def forget_job(self, job: JobId) -> None:
        for peer in list(self._parcels):
            self._parcels[peer].pop(job, None)
            self._settle(peer)

    def pending(self, peer: NodeId, job: JobId) -> int:
        """How many segments of the job the peer has not confirmed."""
        return len(self._parcels.get(peer, {}).get(job, ()))

    def collect(self, now: float) -> list[tuple[NodeId, JobId, list[SegmentId]]]:
        """Batches that are due, oldest first within a job; each counts as sent."""
        batches: list[tuple[NodeId, JobId, list[SegmentId]]] = []
        for peer in [peer for peer, due in self._due.items() if due <= now]:
            for job, parcels in self._parcels[peer].items():
                due = [segment for segment, parcel in parcels.items() if parcel.due_s <= now]
                for segment in due:
                    _sent(parcels[segment], now)
                batches.extend((peer, job, due[at : at + BATCH_MAX]) for at in range(0, len(due), BATCH_MAX))
            self._settle(peer)
        return batches

    def _settle(self, peer: NodeId) -> None:
        jobs = self._parcels.get(peer)
        if not jobs:
            self.forget_peer(peer)
            return
        self._due[peer] = min((p.due_s for parcels in jobs.values() for p in parcels.values()), default=math.inf)


def _sent(parcel: _Parcel, now: float) -> None:
    parcel.tries += 1
    parcel.due_s = now + RESEND_S * 2 ** (parcel.tries - 1) if parcel.tries < TRIES else math.inf
