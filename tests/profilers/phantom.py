"""Phantom networks: matrices of true round trips, after those that Serf tests its coordinates on
(serf/coordinate/phantom.go), and the noise that a measurement adds (membership.md 2.2)."""

import math
from collections.abc import Callable
from random import Random

Truth = list[list[float]]
"""Seconds of round trip by node and node."""


def truth_of(nodes: int, rtt_s: Callable[[int, int], float]) -> Truth:
    """A symmetric matrix; `rtt_s` is asked for one < other."""
    rows = [[0.0] * nodes for _ in range(nodes)]
    for one in range(nodes):
        for other in range(one + 1, nodes):
            rows[one][other] = rows[other][one] = rtt_s(one, other)
    return rows


def line(nodes: int, spacing_s: float) -> Truth:
    return truth_of(nodes, lambda one, other: (other - one) * spacing_s)


def grid(nodes: int, spacing_s: float) -> Truth:
    side = math.isqrt(nodes)
    return truth_of(nodes, lambda one, other: spacing_s * math.dist(divmod(one, side), divmod(other, side)))


def split(nodes: int, near_s: float, between_s: float) -> Truth:
    """Two sites."""
    first = nodes // 2
    return truth_of(nodes, lambda one, other: near_s + between_s * ((one <= first) is not (other <= first)))


def circle(nodes: int, radius_s: float) -> Truth:
    """Node 0 is twice the radius away from all others, which stand on a circle: above its centre."""

    def rtt_s(one: int, other: int) -> float:
        if one == 0:
            return 2 * radius_s
        return 2 * radius_s * abs(math.sin(math.pi * (other - one) / nodes))

    return truth_of(nodes, rtt_s)


def scattered(nodes: int, mean_s: float, deviation_s: float, rng: Random) -> Truth:
    """What no space can represent."""
    return truth_of(nodes, lambda _one, _other: rng.gauss(mean_s, deviation_s))


def sites(nodes: int, rng: Random) -> Truth:
    """Three sites, 20, 40 and 50 ms from each other; 0.2 to 0.5 ms inside each."""
    away_s = {(0, 1): 0.020, (0, 2): 0.040, (1, 2): 0.050}

    def rtt_s(one: int, other: int) -> float:
        between = away_s.get((min(one % 3, other % 3), max(one % 3, other % 3)), 0.0)
        return between + rng.uniform(0.0002, 0.0005)

    return truth_of(nodes, rtt_s)


def noisy_ping(true_s: float, rng: Random) -> float:
    """Times a lognormal factor of 0.25, 50 us for the kernels on top, and one in fifty twenty times as long."""
    sample = true_s * rng.lognormvariate(0.0, 0.25) + rng.expovariate(1 / 50e-6)
    return sample * 20 if rng.random() < 0.02 else sample


def queued_ping(true_s: float, rng: Random) -> float:
    """Delayed by queues alone: never sooner than the way takes, a fifth longer in the mean."""
    sample = true_s + rng.expovariate(1 / (0.2 * true_s))
    return sample * 20 if rng.random() < 0.02 else sample


def burst(true_s: float, rng: Random, ping: Callable[[float, Random], float] = noisy_ping) -> float:
    """The minimum of three."""
    return min(ping(true_s, rng) for _ in range(3))
