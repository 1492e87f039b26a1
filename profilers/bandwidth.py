"""Bandwidth: how many bytes a second arrive from a peer.

Samples are real transfers, timed at the receiver. Best is a rate that follows from its reads (`arrivals`), which is
right to a tenth from 1 MiB on. Where only the duration is known, from the first byte to the last, it is within a few
per cent of the truth from 256 KiB on, at 0 to 20 ms of delay (membership.md 2.3: 0.93-0.96 at 1 MiB). Shorter
transfers may lie inside a shaper's burst, 19 times too fast, or in TCP's slow start, 4 times too slow; they count
with the square of their share of 256 KiB, so that 64 KiB weighs a sixteenth.

The estimate is the weighted median of the samples that weigh most, in which a transfer that stalled on a busy disk
has no say. As long as all of them together weigh less than one good transfer, because they are small or old, it lies
between the prior and that median on a logarithmic scale: little evidence moves the belief a little.
"""

import math
from itertools import accumulate

from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass

from .recent import Recent

PEERS_MAX = 4096
"""As many as the member table holds (membership.md 4.8)."""

SAMPLES_MAX = 16
"""Enough for a median; sorting them costs a few microseconds, once per transfer."""

FULL_WEIGHT_BYTES = 256 * 1024
"""From this size on a transfer tells the bandwidth by itself (membership.md 2.3)."""

RATE_WEIGHT = 4.0
"""Of a rate that was read off: the duration of the same transfer, which comes beside it, must not outvote it."""

PRIOR_BYTES_PER_S = 117e6
"""1 Gbit/s of wire less framing, the commonest wired network. Rather too high than too low: an overestimate draws a
transfer, which corrects it, an underestimate keeps data away from the link and is never found out."""

HALF_LIFE_S = 1800.0
"""The weight of a sample halves in this time. A link changes when somebody changes it, or carries a laptop away."""

BYTES_PER_S_MIN, BYTES_PER_S_MAX = 1e2, 1e11
"""From a modem to 800 Gbit/s: figures beyond either are the clock's, not the link's."""


@dataclass(frozen=True, slots=True)
class BandwidthEstimate:
    """What is believed of the way from one peer to here."""

    bytes_per_s: float
    spread: float
    """Factor by which half of the samples, by weight, lie within: 1.1 says within 10 %."""
    confidence: float
    """0 to 1: half after one good transfer, four fifths after four, less with age."""


@dataclass(frozen=True, slots=True)
class _Sample:
    rate: float
    """Natural logarithm of bytes per second."""
    weight: float
    at_s: float

    def weight_at(self, now: float) -> float:
        return self.weight * _aged(now - self.at_s)


@dataclass(frozen=True, slots=True)
class _Row:
    """The samples of one peer, and what follows from them whatever the time: all weights age alike."""

    samples: tuple[_Sample, ...]
    median: float
    spread: float
    """Median distance from the median; both on the logarithmic scale."""
    weight: float
    at_s: float
    """When the weight was that."""


class Bandwidth:
    """Rates from all peers that ever sent something."""

    def __init__(self, prior_bytes_per_s: float = PRIOR_BYTES_PER_S) -> None:
        self._prior = math.log(prior_bytes_per_s)
        self._rows: Recent[NodeId, _Row] = Recent(PEERS_MAX)

    def observe(self, source: NodeId, size_bytes: int, seconds: float, now: float) -> None:
        """Take in one transfer. An empty one says nothing; one too short for the clock counts as BYTES_PER_S_MAX."""
        if size_bytes <= 0 or not 0.0 <= seconds < math.inf:
            return
        rate = size_bytes / seconds if seconds else BYTES_PER_S_MAX
        self._add(source, rate, min(1.0, size_bytes / FULL_WEIGHT_BYTES) ** 2, now)

    def observe_rate(self, source: NodeId, bytes_per_s: float, now: float) -> None:
        """Take in what the reads of a transfer say (`arrivals`)."""
        if bytes_per_s > 0.0:
            self._add(source, bytes_per_s, RATE_WEIGHT, now)

    def estimate(self, source: NodeId, now: float) -> BandwidthEstimate | None:
        """None when nothing was ever received from there."""
        row = self._rows.get(source)
        if row is None:
            return None
        weight = row.weight * _aged(now - row.at_s)
        say = min(1.0, weight)
        rate = math.exp(say * row.median + (1.0 - say) * self._prior)
        return BandwidthEstimate(rate, math.exp(row.spread), weight / (weight + 1.0))

    def peers(self) -> tuple[NodeId, ...]:
        return tuple(self._rows)

    def forget(self, peer: NodeId) -> None:
        self._rows.drop(peer)

    def _add(self, source: NodeId, rate: float, weight: float, now: float) -> None:
        sample = _Sample(math.log(min(max(rate, BYTES_PER_S_MIN), BYTES_PER_S_MAX)), weight, now)
        row = self._rows.get(source)
        self._rows.put(source, _row(((*row.samples, sample) if row else (sample,)), now))


def _aged(age_s: float) -> float:
    return math.exp2(-max(0.0, age_s) / HALF_LIFE_S)


def _row(samples: tuple[_Sample, ...], now: float) -> _Row:
    """Keep the samples that weigh most: many small files must not push out what a large one has told."""
    kept = sorted(samples, key=lambda sample: sample.weight_at(now), reverse=True)[:SAMPLES_MAX]
    weighted = [(sample.rate, sample.weight_at(now)) for sample in kept]
    median = _weighted_median(weighted)
    spread = _weighted_median([(abs(rate - median), weight) for rate, weight in weighted])
    return _Row(tuple(kept), median, spread, math.fsum(weight for _, weight in weighted), now)


def _weighted_median(weighted: list[tuple[float, float]]) -> float:
    """The value at which half of the weight is reached; between two that share it evenly, their mean."""
    ordered = sorted(weighted)
    half = math.fsum(weight for _, weight in ordered) / 2
    sums = enumerate(accumulate(weight for _, weight in ordered))
    place, reached = next((place, sum_) for place, sum_ in sums if sum_ > half or math.isclose(sum_, half))
    if math.isclose(reached, half):
        return (ordered[place][0] + ordered[place + 1][0]) / 2
    return ordered[place][0]
