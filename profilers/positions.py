"""Positions: where everybody says it stands, and how far two of them are from each other by that.

It is what is left to go by for pairs that nobody has measured. Who is not sure of its own place says nothing about
anybody's distance, and neither does a place that was told long ago.
"""

import math
from random import Random

from pnode.protocol.coordinate import Coordinate, pack_coordinate, unpack_coordinate
from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass

from .recent import Recent
from .vivaldi import Vivaldi

PEERS_MAX = 4096
"""As many as the member table holds (membership.md 4.8)."""

ERROR_TRUSTED = 0.5
"""Whose own error is larger has not found its place yet (membership.md 2.2 c)."""

HALF_LIFE_S = 600.0
"""Confidence in a place halves in this time; nodes move by a few per cent in it, unless their network changes."""

AGE_S_MAX = 3600.0
"""A place that was not told again for an hour is not believed: a row is said every five minutes."""

CONFIDENCE_MAX = 0.5
"""An estimate is worth less than a single measurement, however sure both ends are."""


@dataclass(frozen=True, slots=True)
class DistanceEstimate:
    """How long a round trip between two nodes is by where they stand, and how much that is worth."""

    rtt_s: float
    error: float
    """The larger of the two errors: the share that it may be off by."""
    age_s: float
    """Of the place that was told longer ago."""
    confidence: float


class Positions:
    """This node's own place, and those that others told."""

    def __init__(self, me: NodeId) -> None:
        self._me = me
        self._own = Vivaldi(Random(me))  # noqa: S311  # a direction, not a secret
        self.own = pack_coordinate(self._own.coordinate)
        """This node's place as it travels. It is asked for after every round trip, told or not."""
        self._others: Recent[NodeId, tuple[Coordinate, float]] = Recent(PEERS_MAX)

    def hear(self, node: NodeId, told: bytes, now: float) -> Coordinate | None:
        """Where another node says it stands; what cannot be is not taken."""
        coordinate = unpack_coordinate(told)
        if coordinate is not None and node != self._me:
            self._others.put(node, (coordinate, now))
        return coordinate

    def measure(self, node: NodeId, told: bytes, rtt_s: float, now: float) -> None:
        """The same, together with a round trip to it, by which this node finds its own place."""
        coordinate = self.hear(node, told, now)
        if coordinate is not None and node != self._me:
            self._own.observe(node, coordinate, rtt_s)
            self.own = pack_coordinate(self._own.coordinate)

    def estimate(self, one: NodeId, other: NodeId, now: float) -> DistanceEstimate | None:
        """None if either place is unknown, too old or unsure."""
        first, second = self._place(one, now), self._place(other, now)
        if first is None or second is None:
            return None
        error = max(first[0].error, second[0].error)
        age_s = max(0.0, now - min(first[1], second[1]))
        if error > ERROR_TRUSTED or age_s > AGE_S_MAX:
            return None
        confidence = CONFIDENCE_MAX * (1.0 - error) * math.exp2(-age_s / HALF_LIFE_S)
        return DistanceEstimate(first[0].distance_s(second[0]), error, age_s, confidence)

    def forget(self, node: NodeId) -> None:
        self._others.drop(node)
        self._own.forget(node)

    def _place(self, node: NodeId, now: float) -> tuple[Coordinate, float] | None:
        return (self._own.coordinate, now) if node == self._me else self._others.get(node)
