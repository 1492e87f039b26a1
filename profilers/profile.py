"""Profile: all that one node has learnt about speeds, its own measurements and what others told it.

A link has two figures, looked up separately, each from the best source there is:

    latency     half of `delay`: our own round trips, if we are at either end; the target's row; the source's row of
                the opposite direction (a round trip has no direction); where both stand; the mean of all known links;
                the prior
    bandwidth   the line that transfers from there to us follow (`transfers`), whose latency counts, too, where it is
                the larger one; the receiver's estimate (ours, or the target's row); the opposite direction's (in
                Jupiter's clusters the two differed by 5-10 % at the median, jupiter.md 3.4); the mean of all known
                links; the prior

Its confidence is the mean of the two figures' confidences; what is a mean of other links, or a prior, has none. Only
what was measured is gossiped, with one exception: the latency of a peer that sent us data but was never probed.
"""

import math
from collections.abc import Iterable
from enum import Enum

from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass
from pnode.protocol.view import Link, LinkFigure

from .bandwidth import PRIOR_BYTES_PER_S, Bandwidth
from .delay import Delay
from .execution import Execution, RunRecord
from .links import FIGURES_MAX, HeardLinks
from .positions import Positions
from .transfers import TransferEstimate, Transfers

PRIOR_LATENCY_S = 0.0005
"""Half the round trip of a busy switched network through two operating systems."""

LATENCY_S_MIN = 1e-6
"""Below what any network can do; keeps logarithms finite."""

USUAL_PERIOD_S = 1.0
"""How often the mean of all known links is worked out again at most: with thousands of them it takes milliseconds."""

LINE_CONFIDENCE_MIN = 0.5
"""A line that half of the transfers miss by more, or that is old, says less than the rate of the last few."""

Belief = tuple[float, float]
"""A figure and the confidence in it."""


class Basis(Enum):
    """How a delay is known, the best first."""

    MEASURED = "measured here"
    HEARD = "measured by one of the two"
    ESTIMATED = "from where both stand"
    USUAL = "as between others"


@dataclass(frozen=True, slots=True)
class DelayBelief:
    """What is believed of the way from one node to another and back."""

    rtt_s: float
    confidence: float
    """0 (a guess) to 1 (measured, recent)."""
    basis: Basis
    error: float | None
    """The share of it that it may be off by; None when nobody can tell."""
    age_s: float | None
    """Of the measurement, of the row, or of the older of two places; None when there is none."""


ITSELF = Link(0.0, math.inf, 1.0)


@dataclass(frozen=True, slots=True)
class _Usual:
    """The geometric means of all known links, which do not follow a single satellite or a single loopback."""

    latency_s: float
    bandwidth_bytes_per_s: float
    at_s: float


class Profile:
    """Implements `pnode.protocol.view.Profile`."""

    def __init__(self, me: NodeId) -> None:
        self.me = me
        self.round_trips = Delay()
        self.bandwidth = Bandwidth()
        self.transfers = Transfers()
        self.execution = Execution()
        self.heard = HeardLinks()
        self.positions = Positions(me)
        self._usual: _Usual | None = None

    def observe_round_trip(self, peer: NodeId, rtt_s: float, now: float, place: bytes = b"") -> None:
        if peer != self.me:
            self.round_trips.observe(peer, rtt_s, now)
            self.positions.measure(peer, place, rtt_s, now)

    def hear_place(self, node: NodeId, place: bytes, now: float) -> None:
        self.positions.hear(node, place, now)

    def place(self) -> bytes:
        return self.positions.own

    def observe_transfer(self, source: NodeId, size_bytes: int, seconds: float, now: float) -> None:
        if source != self.me:
            self.bandwidth.observe(source, size_bytes, seconds, now)
            self.transfers.observe(source, size_bytes, seconds, now)

    def observe_rate(self, source: NodeId, bytes_per_s: float, now: float) -> None:
        """How fast content came from there by its reads (`arrivals`)."""
        if source != self.me:
            self.bandwidth.observe_rate(source, bytes_per_s, now)

    def observe_run(self, program: str, node: NodeId, speed: float, seconds: float, now: float) -> None:
        self.execution.observe(program, node, speed, seconds, now)

    def hear_links(self, node: NodeId, figures: tuple[LinkFigure, ...], now: float) -> None:
        if node != self.me:
            self.heard.observe(node, figures, now)

    def forget(self, node: NodeId) -> None:
        self.round_trips.forget(node)
        self.positions.forget(node)
        self.bandwidth.forget(node)
        self.transfers.forget(node)
        self.execution.forget(node)
        self.heard.forget(node)

    def my_figures(self, now: float) -> tuple[LinkFigure, ...]:
        # The latest of each: the most certain are among them, and the work does not grow with the cluster.
        latest = (*self.round_trips.peers()[-FIGURES_MAX:], *self.bandwidth.peers()[-FIGURES_MAX:])
        sources = dict.fromkeys(latest)
        figures = [self._my_figure(source, now) for source in sources]
        figures.sort(key=lambda figure: (-figure.confidence, figure.source))
        return tuple(figures[:FIGURES_MAX])

    def delay(self, one: NodeId, other: NodeId, now: float) -> DelayBelief:
        """How long a message takes between two different nodes and back, by the best basis there is."""
        known = self._measured(one, other, now) or self._heard(one, other, now) or self._estimated(one, other, now)
        if known is None:
            known = DelayBelief(2 * self._usual_at(now).latency_s, 0.0, Basis.USUAL, None, None)
        return known

    def link(self, source: NodeId, target: NodeId, now: float) -> Link:
        if source == target:
            return ITSELF
        delay = self.delay(source, target, now)
        bandwidth = self.received(source, target, now) or self.received(target, source, now)
        if bandwidth is None:
            bandwidth = (self._usual_at(now).bandwidth_bytes_per_s, 0.0)
        line = self._line(source, now) if target == self.me else None
        latency_s = delay.rtt_s / 2 if line is None else max(delay.rtt_s / 2, line.latency_s)
        return Link(latency_s, bandwidth[0], (delay.confidence + bandwidth[1]) / 2)

    def run_s(self, program: str, node: NodeId, speed: float, expected_s: float) -> float:
        return self.execution.estimate(program, node, speed, expected_s).seconds

    def knows(self, program: str, expected_s: float) -> bool:
        return self.execution.knows(program, expected_s)

    def run_records(self) -> tuple[RunRecord, ...]:
        """All run times as plain values, to be kept over a restart."""
        return self.execution.records()

    def restore_runs(self, records: Iterable[RunRecord]) -> None:
        """Take in what `run_records` gave. Raises ValueError for a row that cannot have come from there."""
        self.execution.restore(records)

    def _my_figure(self, source: NodeId, now: float) -> LinkFigure:
        delay = self.delay(source, self.me, now)
        bandwidth = self.received(source, self.me, now) or (0.0, 0.0)
        return LinkFigure(source, delay.rtt_s / 2, bandwidth[0], (delay.confidence + bandwidth[1]) / 2)

    def _measured(self, one: NodeId, other: NodeId, now: float) -> DelayBelief | None:
        if self.me not in (one, other):
            return None
        own = self.round_trips.estimate(other if one == self.me else one, now)
        if own is None:
            return None
        error = own.spread_s / own.rtt_s if own.rtt_s else None
        return DelayBelief(own.rtt_s, own.confidence, Basis.MEASURED, error, own.age_s)

    def _heard(self, one: NodeId, other: NodeId, now: float) -> DelayBelief | None:
        for source, target in ((one, other), (other, one)):
            heard = self.heard.estimate(source, target, now)
            if heard is not None:
                rtt_s, age_s = 2 * heard[0].latency_s, self.heard.age_s(target, now)
                return DelayBelief(rtt_s, heard[1], Basis.HEARD, None, age_s)
        return None

    def _estimated(self, one: NodeId, other: NodeId, now: float) -> DelayBelief | None:
        """As quick as a burst's quickest, by where both stand, and lifted like our own measurements."""
        found = self.positions.estimate(one, other, now)
        if found is None:
            return None
        rtt_s = self.round_trips.lift * found.rtt_s
        return DelayBelief(rtt_s, found.confidence, Basis.ESTIMATED, found.error, found.age_s)

    def received(self, source: NodeId, target: NodeId, now: float) -> Belief | None:
        """Bytes per second of one direction as the target measured it; None when it never did."""
        if target == self.me:
            line, own = self._line(source, now), self.bandwidth.estimate(source, now)
            if line is not None:
                return line.bytes_per_s, line.confidence
            return None if own is None else (own.bytes_per_s, own.confidence)
        heard = self.heard.estimate(source, target, now)
        if heard is None or not heard[0].bandwidth_bytes_per_s:
            return None
        return heard[0].bandwidth_bytes_per_s, heard[1]

    def _line(self, source: NodeId, now: float) -> TransferEstimate | None:
        line = self.transfers.estimate(source, now)
        return line if line is not None and line.confidence >= LINE_CONFIDENCE_MIN else None

    def _usual_at(self, now: float) -> _Usual:
        if self._usual is None or now - self._usual.at_s >= USUAL_PERIOD_S:
            self._usual = self._work_out_usual(now)
        return self._usual

    def _work_out_usual(self, now: float) -> _Usual:
        round_trips = (self.round_trips.estimate(peer, now) for peer in self.round_trips.peers())
        rates = (self.bandwidth.estimate(peer, now) for peer in self.bandwidth.peers())
        heard = tuple(self.heard.figures(now))
        latencies = [one.rtt_s / 2 for one in round_trips if one] + [one.latency_s for one in heard]
        bandwidths = [one.bytes_per_s for one in rates if one] + [one.bandwidth_bytes_per_s for one in heard]
        return _Usual(
            _geometric_mean([max(one, LATENCY_S_MIN) for one in latencies], PRIOR_LATENCY_S),
            _geometric_mean([one for one in bandwidths if one], PRIOR_BYTES_PER_S),
            now,
        )


def _geometric_mean(values: list[float], prior: float) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if values else prior
