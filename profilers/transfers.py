"""Transfers: how long content of any size takes from a peer, by what earlier transfers took.

Fits latency + size / bandwidth to (size, seconds) by least squares in which neither term is negative: such a model
cannot be absurd, unlike DRUPE's quadratic, by which a larger file is faster on most links (jupiter.md 3.4). Residuals
count relative to the seconds, or the largest transfer would decide alone. What is fitted is what tasks wait for: slow
start, the other side's disk and whatever else shared the link are in it.

Non-negative least squares with two unknowns need no solver: the best is either the free solution or lies on an edge,
so there are four candidates. SciPy's `nnls`, which is the oracle of the test, costs 1 s and 62 MB to load, more than
a node that does nothing may have in all.
"""

import math

from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass

from .bandwidth import BYTES_PER_S_MAX
from .recent import Recent

PEERS_MAX = 512
"""Those that send something; 32 rows of two numbers each, 3 kB per peer."""

SAMPLES_MAX = 32

SIZES_MIN = 3
"""Distinct sizes (jupiter.md 11); sizes are the same that differ by less than SIZE_FACTOR."""

SIZE_FACTOR = 2.0

SECONDS_MIN = 1e-6
"""Shorter is the clock's."""

HALF_LIFE_S = 1800.0
"""As of bandwidths (`bandwidth`)."""

Sample = tuple[float, float, float]
"""(bytes, seconds, when)"""


@dataclass(frozen=True, slots=True)
class TransferEstimate:
    """The line that transfers from a peer follow."""

    latency_s: float
    bytes_per_s: float
    residual: float
    """The median share by which they miss it."""
    samples: int
    age_s: float
    """Of the latest."""
    confidence: float
    """0 to 1: rises with the samples, falls with the residual, halves with age."""

    def seconds(self, size_bytes: float) -> float:
        return self.latency_s + size_bytes / self.bytes_per_s


class Transfers:
    """Of all peers that sent something."""

    def __init__(self) -> None:
        self._rows: Recent[NodeId, tuple[Sample, ...]] = Recent(PEERS_MAX)
        self._lines: dict[NodeId, TransferEstimate | None] = {}
        """Worked out when somebody asks, until there is another sample."""

    def observe(self, source: NodeId, size_bytes: int, seconds: float, now: float) -> None:
        """Take in one transfer; what is none is not taken."""
        if size_bytes <= 0 or not 0.0 <= seconds < math.inf:
            return
        sample = (float(size_bytes), max(SECONDS_MIN, seconds), now)
        self._rows.put(source, (*(self._rows.get(source) or ()), sample)[-SAMPLES_MAX:])
        self._lines.clear()  # rows that made room among them

    def estimate(self, source: NodeId, now: float) -> TransferEstimate | None:
        """None as long as there are fewer than SIZES_MIN sizes."""
        if source not in self._lines:
            self._lines[source] = _line_of(self._rows.get(source) or ())
        line = self._lines[source]
        if line is None:
            return None
        age_s = max(0.0, now - (self._rows.get(source) or ((0.0, 0.0, now),))[-1][2])
        confidence = line.confidence * math.exp2(-age_s / HALF_LIFE_S)
        return TransferEstimate(line.latency_s, line.bytes_per_s, line.residual, line.samples, age_s, confidence)

    def forget(self, peer: NodeId) -> None:
        self._rows.drop(peer)
        self._lines.clear()


def non_negative_line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """(latency, seconds per byte), neither negative, with the least sum of squared relative residuals to (bytes,
    seconds). Each point is a row (1, size) / seconds of a system whose right side is 1."""
    rows = [(1.0 / seconds, size / seconds) for size, seconds in points]
    aa = math.fsum([a * a for a, _ in rows])
    ab = math.fsum([a * b for a, b in rows])
    bb = math.fsum([b * b for _, b in rows])
    ra, rb = math.fsum([a for a, _ in rows]), math.fsum([b for _, b in rows])
    candidates = [(0.0, 0.0), (ra / aa, 0.0), (0.0, rb / bb)]
    determinant = aa * bb - ab * ab
    if determinant > 1e-12 * aa * bb:  # else all sizes are the same, and an edge is as good
        free = ((ra * bb - rb * ab) / determinant, (rb * aa - ra * ab) / determinant)
        if min(free) >= 0.0:
            return free
    return min(candidates, key=lambda line: math.fsum([(line[0] * a + line[1] * b - 1.0) ** 2 for a, b in rows]))


def _line_of(samples: tuple[Sample, ...]) -> TransferEstimate | None:
    if _distinct([size for size, _, _ in samples]) < SIZES_MIN:
        return None
    points = [(size, seconds) for size, seconds, _ in samples]
    latency_s, slope = non_negative_line(points)
    misses = sorted([abs((latency_s + slope * size) / seconds - 1.0) for size, seconds in points])
    residual = misses[len(misses) // 2]
    confidence = (1.0 - 1.0 / len(samples)) / (1.0 + residual)
    rate = min(BYTES_PER_S_MAX, 1.0 / slope) if slope else BYTES_PER_S_MAX
    return TransferEstimate(latency_s, rate, residual, len(samples), 0.0, confidence)


def _distinct(sizes: list[float]) -> int:
    count, last = 0, 0.0
    for size in sorted(sizes):
        if size >= SIZE_FACTOR * last:
            count, last = count + 1, size
    return count
