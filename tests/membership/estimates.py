"""Estimates: how near to the truth delays and bandwidths are told, on networks whose truth is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean, median

from pnode.profilers.arrivals import BUCKET_BYTES, arrival_rate

from ..peers.markdown import table, wrapped
from ..profilers.accuracy import estimating_errors, measuring_error, placed, placing_errors
from ..profilers.phantom import Truth, circle, grid, line, noisy_ping, queued_ping, scattered, sites, split
from ..profilers.wire import reads_of

SEEDS = range(10)
PROBES = 100
CYCLES = 1000
"""As Serf's tests."""

MIB = 1024 * 1024
MBITS = (10, 30, 100, 300, 1000)
MBIT_BYTES_PER_S = 1e6 / 8
DELAYS_S = (0.0, 0.001, 0.005, 0.02, 0.05)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A truth of Serf's (coordinate/performance_test.go) and its bounds for relative errors."""

    name: str
    truth: Truth
    mean_max: float
    worst_max: float
    dimensions: int = 8


MATRICES = (
    Matrix("line of 10", line(10, 0.010), 0.0031, 0.0130),
    Matrix("grid of 25", grid(25, 0.010), 0.0016, 0.0230),
    Matrix("two sites of 25", split(25, 0.001, 0.010), 0.000060, 0.00048),
    Matrix("circle of 25 in a plane", circle(25, 0.100), 0.0028, 0.064, 2),
    Matrix("25 at random", scattered(25, 0.100, 0.010, Random(1)), 0.075, 0.33),
)


@dataclass(frozen=True, slots=True)
class Row:
    """An error, and what it may be."""

    title: str
    error: float
    bound: float

    def cells(self) -> tuple[str, str, str]:
        found = percent(self.error)
        return self.title, percent(self.bound), found if self.error <= self.bound else f"**{found}**"


def percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def told() -> list[str]:
    """All of it; a minute of computing."""
    rows = [*delays(), *matrices()]
    return [
        *table(
            ("relative error of delays", "at most", f"median of {len(SEEDS)} seeds"), [row.cells() for row in rows]
        ),
        "",
        *bandwidths(),
    ]


def delays() -> Iterator[Row]:
    """After as many probes, with noise: one ping in fifty takes twenty times as long."""
    for name, ping in (("every ping times a lognormal factor", noisy_ping), ("queues alone delay", queued_ping)):
        for nodes in (16, 64):
            error = median(measuring_error(nodes, PROBES, ping, seed) for seed in SEEDS)
            yield Row(f"measured, {nodes} nodes, {name}: median", error, 0.10)
    yield Row("estimated by Vivaldi, 64 nodes at three sites: median", median(map(_estimated, SEEDS)), 0.20)


def _estimated(seed: int) -> float:
    rng = Random(seed)
    return median(estimating_errors(PROBES, sites(64, rng), rng))


def matrices() -> Iterator[Row]:
    """Serf's truths, without noise."""
    for each in MATRICES:
        found = [placing_errors(placed(each.truth, CYCLES, seed, each.dimensions), each.truth) for seed in SEEDS]
        yield Row(f"Vivaldi without noise, {each.name}: mean", median(map(mean, found)), each.mean_max)
        yield Row(f"Vivaldi without noise, {each.name}: worst", median(map(max, found)), each.worst_max)


def bandwidths() -> list[str]:
    """What one transfer of 1 MiB tells, as a share of the truth, behind a shaper with a full bucket and without."""
    head = ("estimate / truth", *(f"{1000 * delay_s:g} ms" for delay_s in DELAYS_S))
    rows = [
        (f"{mbit:,} Mbit/s{name}", *(_rate_cell(mbit, delay_s, bucket_bytes) for delay_s in DELAYS_S))
        for mbit in MBITS
        for name, bucket_bytes in (("", 0), (", shaped", BUCKET_BYTES))
    ]
    note = "At most 10 % off is asked; medians, and the one that is furthest off."
    return [*table(head, rows), "", *wrapped(note)]


def _rate_cell(mbit: int, delay_s: float, bucket_bytes: int) -> str:
    truth = mbit * MBIT_BYTES_PER_S
    ratios = [rate / truth for rate in _rates(truth, delay_s, bucket_bytes)]
    if len(ratios) < len(SEEDS):
        return f"**{len(SEEDS) - len(ratios)} of {len(SEEDS)} say nothing**"
    furthest = max(ratios, key=lambda ratio: abs(ratio - 1.0))
    text = f"{median(ratios):.2f} ({furthest:.2f})"
    return text if abs(median(ratios) - 1.0) <= 0.10 else f"**{text}**"


def _rates(truth: float, delay_s: float, bucket_bytes: int) -> Sequence[float]:
    reads = (reads_of(MIB, truth, delay_s, Random(seed), bucket_bytes=bucket_bytes) for seed in SEEDS)
    return [rate for each in reads if (rate := arrival_rate(each)) is not None]
