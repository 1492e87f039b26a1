"""Coordinates: where a node stands in the space of delays, as it says so itself (Vivaldi).

The round trip between two nodes is the distance of their positions plus both heights, the way that every packet of a
node takes whatever its aim, corrected by both adjustments. How a node finds its own is a matter for `profilers`; here
is what it looks like, what can be one, and how it travels: 32 bytes, always as many, so that an answer with the
answerer's coordinate is never longer than the question with the asker's.
"""

import math

from .values import dataclass

DIMENSIONS = 8
"""Serf's figure: with two, clusters of a few sites converge worse (membership.md 2.2: 8 % against 0.7 %)."""

MAGNITUDE_S_MAX = 10.0
"""Of every part of a coordinate: no round trip counts that is longer (membership.md 2.2 d)."""

ERROR_MAX = 1.5
"""Serf's figure; where everybody begins."""

UNIT_S = 2e-6
"""Of figures on the wire: three bytes reach to 16 s then, and what is cut off is a hundredth of a LAN's delay."""

FIGURE_BYTES = 3
ERROR_BYTES = 2
ERROR_UNIT = 1e-4

COORDINATE_BYTES = (DIMENSIONS + 2) * FIGURE_BYTES + ERROR_BYTES


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One node's, in seconds of round trip."""

    position: tuple[float, ...]
    height_s: float
    adjustment_s: float
    error: float
    """The share of a distance by which its owner finds itself wrong; ERROR_MAX before it knows anything."""

    @property
    def is_sound(self) -> bool:
        """Whether a node can stand there; False for what is not finite, too."""
        return (
            all(abs(part) <= MAGNITUDE_S_MAX for part in self.position)
            and 0.0 <= self.height_s <= MAGNITUDE_S_MAX
            and abs(self.adjustment_s) <= MAGNITUDE_S_MAX
            and 0.0 <= self.error <= ERROR_MAX
        )

    def plain_distance_s(self, other: "Coordinate") -> float:
        """Without the adjustments."""
        return math.dist(self.position, other.position) + self.height_s + other.height_s

    def distance_s(self, other: "Coordinate") -> float:
        """The round trip between two nodes. Adjustments that would make it none are left out."""
        plain_s = self.plain_distance_s(other)
        adjusted_s = plain_s + self.adjustment_s + other.adjustment_s
        return adjusted_s if adjusted_s > 0.0 else plain_s


def pack_coordinate(coordinate: Coordinate) -> bytes:
    """As it travels."""
    figures = (*coordinate.position, coordinate.height_s, coordinate.adjustment_s)
    parts = [round(figure / UNIT_S).to_bytes(FIGURE_BYTES, "big", signed=True) for figure in figures]
    return b"".join([*parts, round(coordinate.error / ERROR_UNIT).to_bytes(ERROR_BYTES, "big")])


def unpack_coordinate(data: bytes) -> Coordinate | None:
    """What somebody says; None for what cannot be a coordinate, or was left out."""
    if len(data) != COORDINATE_BYTES:
        return None
    ends = range(FIGURE_BYTES, COORDINATE_BYTES - ERROR_BYTES + 1, FIGURE_BYTES)
    figures = [int.from_bytes(data[end - FIGURE_BYTES : end], "big", signed=True) * UNIT_S for end in ends]
    error = int.from_bytes(data[-ERROR_BYTES:], "big") * ERROR_UNIT
    *position, height_s, adjustment_s = figures
    coordinate = Coordinate(tuple(position), height_s, adjustment_s, error)
    return coordinate if coordinate.is_sound else None
