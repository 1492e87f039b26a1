"""Delay: how long a small message takes to a peer and back.

A sample is the minimum of a burst of three pings, which takes most of the noise away (membership.md 2.2: among 64
nodes the median error after 100 probes falls from 46 % to 6 %). The estimate is the median of the last few samples,
lifted to what a message usually takes (`noise`): two that were caught by a busy peer do not move it, and three after
a real change do. The minimum of several bursts was not kept: it falls further below what a message takes the more
samples there are.

This is the direct table. It is complete where every peer is probed every few minutes; for pairs that nobody has
measured `positions` answers.
"""

import math
from statistics import median

from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass

from .noise import Noise
from .recent import Recent

PEERS_MAX = 4096
"""As many as the member table holds (membership.md 4.8)."""

SAMPLES_MAX = 5
"""With one probe a second, five samples of each of 64 peers reach back five minutes."""

RTT_S_MAX = 10.0
"""Serf's bound: beyond it, it was not the network."""

HALF_LIFE_S = 600.0
"""Confidence halves in this time: with 256 nodes a peer is probed every four minutes, and that is recent enough."""


@dataclass(frozen=True, slots=True)
class RoundTripEstimate:
    """What is believed of the way to one peer and back."""

    rtt_s: float
    spread_s: float
    """Median distance of the samples from it."""
    age_s: float
    """Of the latest sample."""
    confidence: float
    """0 to 1: half after one sample, five sixths after five, halved with every HALF_LIFE_S of age."""


@dataclass(frozen=True, slots=True)
class _Row:
    """The samples of one peer, the latest last, and what follows from them."""

    samples: tuple[float, ...]
    rtt_s: float
    spread_s: float
    at_s: float


class Delay:
    """Round trips to all peers that were ever probed."""

    def __init__(self) -> None:
        self._rows: Recent[NodeId, _Row] = Recent(PEERS_MAX)
        self._noise = Noise()

    @property
    def lift(self) -> float:
        """How many times longer a message usually takes than the quickest of a burst."""
        return self._noise.lift

    def observe(self, peer: NodeId, rtt_s: float, now: float) -> None:
        """Take in the minimum of one burst; what cannot be a round trip is not taken."""
        if not 0.0 <= rtt_s <= RTT_S_MAX:
            return
        row = self._rows.get(peer)
        if row is not None:
            self._noise.observe(row.samples[-1], rtt_s)
        samples = (*row.samples, rtt_s)[-SAMPLES_MAX:] if row else (rtt_s,)
        middle_s = median(samples)
        spread_s = median(abs(sample - middle_s) for sample in samples)
        self._rows.put(peer, _Row(samples, middle_s, spread_s, now))

    def estimate(self, peer: NodeId, now: float) -> RoundTripEstimate | None:
        """None when the peer was never probed."""
        row = self._rows.get(peer)
        if row is None:
            return None
        age_s = max(0.0, now - row.at_s)
        samples = len(row.samples)
        confidence = samples / (samples + 1) * math.exp2(-age_s / HALF_LIFE_S)
        lift = self._noise.lift
        return RoundTripEstimate(lift * row.rtt_s, lift * row.spread_s, age_s, confidence)

    def peers(self) -> tuple[NodeId, ...]:
        return tuple(self._rows)

    def forget(self, peer: NodeId) -> None:
        self._rows.drop(peer)
