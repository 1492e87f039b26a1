"""Vivaldi: a node finds its place in the space of delays by measuring a few others (F. Dabek and others, 2004).

Every round trip is a spring between two nodes that is as long as the round trip took: where it is too short it pushes
this node away from the other, where too long it pulls. Who is sure of its place is hardly moved, who is not follows
the others. Heights, adjustments, the median filter and the pull towards the origin are as in Serf, with its figures
(membership.md 2.1).

What others say may be wrong on purpose. So nothing is believed of them but where they stand: the round trip is our
own measurement, what cannot be a coordinate is refused, and no single one moves us, up or sideways, by more than
MOVE_S_MAX. A member that lies can therefore spoil its share of our probes, and no more.
"""

import math
from collections import deque
from random import Random
from statistics import median

from pnode.protocol.coordinate import DIMENSIONS, ERROR_MAX, MAGNITUDE_S_MAX, Coordinate
from pnode.protocol.ids import NodeId

from .recent import Recent

RTT_S_MAX = 10.0
"""Serf's bound: beyond it, it was not the network."""

RTT_S_MIN = 1e-6
"""Below, relative errors mean nothing; Serf's zero."""

ERROR_SHARE, FORCE_SHARE = 0.25, 0.25
"""Vivaldi's c_e and c_c: how much one round trip counts for our error, and for our place."""

HEIGHT_S_MIN = 10e-6
"""Nobody's way out takes less; and from 0 a height would never grow again."""

ADJUSTMENTS = 20
"""Round trips of which the adjustment is half the mean deviation: what no space of delays can represent."""

FILTER = 3
"""The median of so many round trips to a peer counts."""

PEERS_MAX = 4096
"""Whose last round trips are kept: as many as the member table holds (membership.md 4.8)."""

GRAVITY_S = 150.0
"""Divides the distance from the origin before it is squared: strong enough that all together do not drift away."""

MOVE_S_MAX = 0.1
"""For one round trip (membership.md 2.2 d): a place that was lied about is corrected as fast as it was spoilt."""


class Vivaldi:
    """One node's place. `rng` decides on a direction where two stand at the same spot."""

    def __init__(self, rng: Random, dimensions: int = DIMENSIONS) -> None:
        self._rng = rng
        self._origin = Coordinate((0.0,) * dimensions, HEIGHT_S_MIN, 0.0, ERROR_MAX)
        self.coordinate = self._origin
        self._filters: Recent[NodeId, tuple[float, ...]] = Recent(PEERS_MAX)
        self._deviations: deque[float] = deque([0.0] * ADJUSTMENTS, ADJUSTMENTS)

    def observe(self, peer: NodeId, coordinate: Coordinate, rtt_s: float) -> None:
        """Take in a round trip to a peer that says it stands there. What cannot be is not taken."""
        fits = len(coordinate.position) == len(self._origin.position) and coordinate.is_sound
        if not fits or not 0.0 <= rtt_s <= RTT_S_MAX:
            return
        self._filters.put(peer, (*(self._filters.get(peer) or ()), rtt_s)[-FILTER:])
        usual_s = max(RTT_S_MIN, median(self._filters.get(peer) or (rtt_s,)))
        own = self._drawn(coordinate, usual_s)
        self._deviations.append(usual_s - own.plain_distance_s(coordinate))
        adjustment_s = math.fsum(self._deviations) / (2 * ADJUSTMENTS)
        own = Coordinate(own.position, own.height_s, adjustment_s, own.error)
        pull_s = -((self._origin.distance_s(own) / GRAVITY_S) ** 2)
        self.coordinate = self._moved(own, self._origin, pull_s)
        if not self.coordinate.is_sound:  # after thousands of lies; begin anew
            self.coordinate = self._origin

    def forget(self, peer: NodeId) -> None:
        self._filters.drop(peer)

    def _drawn(self, other: Coordinate, rtt_s: float) -> Coordinate:
        """Our place after the spring to another has pushed or pulled, and what our error is then."""
        own = self.coordinate
        distance_s = own.distance_s(other)
        weight = own.error / max(RTT_S_MIN, own.error + other.error)
        share = ERROR_SHARE * weight
        wrong = abs(distance_s - rtt_s) / max(rtt_s, distance_s)
        error = min(ERROR_MAX, share * wrong + own.error * (1.0 - share))
        sure = Coordinate(own.position, own.height_s, own.adjustment_s, error)
        return self._moved(sure, other, FORCE_SHARE * weight * (rtt_s - distance_s))

    def _moved(self, own: Coordinate, other: Coordinate, force_s: float) -> Coordinate:
        """Away from another by so much, towards it if that is negative. Heights share in it in proportion: how far
        the positions are apart says how much of a delay they can explain."""
        force_s = _within(force_s, MOVE_S_MAX)
        apart_s = math.dist(own.position, other.position)
        if apart_s <= RTT_S_MIN:
            return Coordinate(self._aside(own.position, force_s), own.height_s, own.adjustment_s, own.error)
        stretch = force_s / apart_s
        pairs = zip(own.position, other.position, strict=True)
        position = tuple([here + stretch * (here - there) for here, there in pairs])
        growth_s = _within((own.height_s + other.height_s) * stretch, MOVE_S_MAX)
        height_s = min(MAGNITUDE_S_MAX, max(HEIGHT_S_MIN, own.height_s + growth_s))
        return Coordinate(position, height_s, own.adjustment_s, own.error)

    def _aside(self, position: tuple[float, ...], step_s: float) -> tuple[float, ...]:
        """A step in any direction, where two stand at one spot."""
        drawn = [self._rng.gauss(0.0, 1.0) for _ in position]
        length = math.hypot(*drawn) or 1.0
        return tuple([here + step_s * part / length for here, part in zip(position, drawn, strict=True)])


def _within(value: float, bound: float) -> float:
    return max(-bound, min(bound, value))
