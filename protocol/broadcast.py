"""Broadcasts: what is to be told to everybody, each piece a limited number of times.

Gossip needs no acknowledgements: when every node passes each piece on `retransmit_limit` times, everybody has it with
high probability (SWIM section 4.1). Pieces that were sent least go first, so that news overtakes what is old, and a
newer piece about the same subject replaces the older one, so that the queue is bounded by the number of subjects.
"""

import functools
import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

SUBJECTS_MAX = 16_384
"""A full member table with a record and three accusations of everybody; what was sent most is dropped beyond it."""

CROWD = 64
CROWD_LIMIT = 4
"""With more pieces than that, each is passed on only so many times. It is news of many: of nodes that were started
together, of a cluster that was in two. Then many pass the same on, and whoever misses any of it finds out when they
compare what they know (`push_pull`). The one whom a thousand joined by went on for two minutes with what all knew."""

MISFITS_MAX = 16
"""Pieces that are looked at and found too long before a packet counts as full: bounds the work per packet."""


@functools.lru_cache
def retransmit_limit(multiplier: int, members: int) -> int:
    """memberlist: RetransmitMult * ceil(log10(N + 1)), e.g. 8 for 10 to 99 members."""
    return multiplier * math.ceil(math.log10(members + 1))


class Broadcasts(Generic[T]):
    """The queue. Tier n holds what was sent n times, oldest first: memberlist takes the newest first, which under a
    full load of figures that renew themselves every second would starve the same few."""

    __slots__ = ("_tiers", "subjects")

    def __init__(self) -> None:
        self._tiers: list[OrderedDict[Hashable, tuple[T, int]]] = []
        self.subjects: dict[Hashable, int] = {}
        """What there is to pass on, by the tier it stands in. To be read only: it is asked after every event, and to
        ask a method for it would cost as much as many an event itself."""

    def __len__(self) -> int:
        return len(self.subjects)

    def __contains__(self, subject: Hashable) -> bool:
        return subject in self.subjects

    def put(self, subject: Hashable, piece: T, size_bytes: int) -> None:
        """Queue a piece, instead of any older one about the subject."""
        self.drop(subject)
        if len(self.subjects) >= SUBJECTS_MAX:
            self._drop_most_sent()
        self._place(subject, (piece, size_bytes), 0)

    def drop(self, subject: Hashable) -> None:
        """Say no more about a subject."""
        tier = self.subjects.pop(subject, None)
        if tier is not None:
            del self._tiers[tier][subject]

    def take(self, room_bytes: int, count: int, limit: int) -> list[T]:
        """At most `count` pieces that fit the room together, each counted as sent once more; a piece that was sent
        `limit` times, or CROWD_LIMIT times in a crowd, is forgotten."""
        pieces: list[T] = []
        if not self.subjects:
            return pieces
        if len(self.subjects) > CROWD:
            limit = min(limit, CROWD_LIMIT)
        for subject in self._choose(room_bytes, count):
            tier = self.subjects.pop(subject)
            entry = self._tiers[tier].pop(subject)
            pieces.append(entry[0])
            if tier + 1 < limit:
                self._place(subject, entry, tier + 1)
        return pieces

    def _choose(self, room_bytes: int, count: int) -> list[Hashable]:
        chosen: list[Hashable] = []
        misfits = 0
        for tier in self._tiers:
            for subject, (_, size_bytes) in tier.items():
                if len(chosen) >= count or misfits >= MISFITS_MAX:
                    return chosen
                if size_bytes <= room_bytes:
                    chosen.append(subject)
                    room_bytes -= size_bytes
                else:
                    misfits += 1
        return chosen

    def _place(self, subject: Hashable, entry: tuple[T, int], tier: int) -> None:
        while len(self._tiers) <= tier:
            self._tiers.append(OrderedDict())
        self._tiers[tier][subject] = entry
        self.subjects[subject] = tier

    def _drop_most_sent(self) -> None:
        fullest = next(tier for tier in reversed(self._tiers) if tier)
        subject, _ = fullest.popitem(last=False)
        del self.subjects[subject]
