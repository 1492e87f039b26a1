"""DRUPE's links: how many milliseconds a transfer takes, as a polynomial of its size in Kbit (jupiter.md 3.2).

A fit is a·s² + b·s + c with s in Kbit; a Kbit is 1000 bits, 125 bytes. Ten samples of five sizes determine it badly:
on the clusters that were measured most links have a negative term, and a few predicted delays are below zero
(jupiter.md 3.4).
"""

import math
from collections.abc import Sequence

from pnode.mappers.instance import Matrix
from pnode.protocol.values import dataclass, replace
from pnode.sim.schedule.scenario import Machine, Network, ScenarioError

from .errors import Blame

KBIT_BYTES = 125.0
MS = 1000.0
"""In a second."""

SAMPLES_KBIT = (8.0, 80.0, 800.0, 8_000.0, 80_000.0)
"""What DRUPE transfers to measure a link: 1 KB to 10,000 KB."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One link; without terms it is free, and so is the way from a node to itself."""

    a: float = 0.0
    b: float = 0.0
    c: float = 0.0

    def delay_ms(self, size_kbit: float) -> float:
        return self.a * size_kbit**2 + self.b * size_kbit + self.c

    @property
    def straight(self) -> "Fit":
        """The line without negative terms that comes nearest by least squares over the sizes DRUPE samples."""
        delays = [self.delay_ms(size) for size in SAMPLES_KBIT]
        mean_kbit = math.fsum(SAMPLES_KBIT) / len(SAMPLES_KBIT)
        mean_ms = math.fsum(delays) / len(delays)
        spread = math.fsum((size - mean_kbit) ** 2 for size in SAMPLES_KBIT)
        common = math.fsum(
            (size - mean_kbit) * (delay - mean_ms) for size, delay in zip(SAMPLES_KBIT, delays, strict=True)
        )
        slope = common / spread
        if slope <= 0:
            return Fit(0.0, 0.0, max(0.0, mean_ms))
        if mean_ms >= slope * mean_kbit:
            return Fit(0.0, slope, mean_ms - slope * mean_kbit)
        squares = math.fsum(size * size for size in SAMPLES_KBIT)
        products = math.fsum(size * delay for size, delay in zip(SAMPLES_KBIT, delays, strict=True))
        return Fit(0.0, max(0.0, products / squares), 0.0)


Fits = tuple[tuple[Fit, ...], ...]
"""Source by target."""


def network_of(nodes: Sequence[str], fits: Fits, blame: Blame, *, straight: bool = False) -> Network:
    """Machines that differ in their links only, in seconds and bytes.

    As they are, fits can only be simulated without contention; `straight` ones always.
    """
    if straight:
        fits = tuple(tuple(fit.straight for fit in row) for row in fits)
    machines = tuple(Machine(node) for node in nodes)
    latency = tuple(tuple(fit.c / MS for fit in row) for row in fits)
    bandwidth = tuple(tuple(_bandwidth(fit) for fit in row) for row in fits)
    quadratic = tuple(tuple(fit.a / (MS * KBIT_BYTES**2) for fit in row) for row in fits)
    try:
        return Network(machines, latency, bandwidth, None if straight else quadratic)
    except ScenarioError as error:
        raise blame(str(error)) from None


def straightened(network: Network, blame: Blame) -> Network:
    """The same without a quadratic term, every link the straight one that comes nearest."""
    if network.seconds_per_byte2 is None:
        return network
    names = [machine.name for machine in network.machines]
    links = network_of(names, fits_of(network, blame), blame, straight=True)
    return replace(links, machines=network.machines)


def fits_of(network: Network, blame: Blame) -> Fits:
    """The links of a network, the other way round."""
    quadratic = network.seconds_per_byte2
    rows: list[tuple[Fit, ...]] = []
    for source, machine in enumerate(network.machines):
        row: list[Fit] = []
        for target, other in enumerate(network.machines):
            bandwidth = network.bandwidth_bytes_per_s[source][target]
            if source != target and bandwidth == 0:
                raise blame(f"there is no link from {machine.name} to {other.name}, which the format cannot say")
            a = 0.0 if quadratic is None else quadratic[source][target] * MS * KBIT_BYTES**2
            fit = Fit(a, MS * KBIT_BYTES / bandwidth, network.latency_s[source][target] * MS) if bandwidth else Fit()
            row.append(Fit() if source == target else fit)
        rows.append(tuple(row))
    return tuple(rows)


def raw_of(fits: Fits) -> tuple[Matrix, Matrix, Matrix]:
    """Latency, inverse bandwidth and quadratic term, in milliseconds and Kbit and to the last digit."""
    return (
        tuple(tuple(fit.c for fit in row) for row in fits),
        tuple(tuple(fit.b for fit in row) for row in fits),
        tuple(tuple(fit.a for fit in row) for row in fits),
    )


def _bandwidth(fit: Fit) -> float:
    return MS * KBIT_BYTES / fit.b if fit.b else math.inf
