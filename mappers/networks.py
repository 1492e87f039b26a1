"""Networks: the ways between nodes that generators draw, and how dear they are next to the work."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from .instance import Instance, InstanceError, Matrix


def symmetric(nodes: int, draw: Callable[[], float]) -> Matrix:
    """A number drawn for each pair of nodes, the same both ways; zero on the diagonal."""
    rows = [[0.0] * nodes for _ in range(nodes)]
    for source in range(nodes):
        for target in range(source):
            rows[source][target] = rows[target][source] = draw()
    return tuple(map(tuple, rows))


def communication_ratio(instance: Instance) -> float:
    """CCR: the bytes of a mean edge times the mean seconds per byte, over the seconds of a mean task.

    Latency is left out, as are pairs of nodes that cannot talk and DRUPE's quadratic term (scheduling.md 2.3 B).
    Infinite where tasks take no time.
    """
    seconds = _mean([edge.size_bytes for edge in instance.edges]) * _mean(_between(instance))
    return seconds / instance.mean_task_s if instance.mean_task_s else math.inf


def rescaled(instance: Instance, ccr: float) -> Instance:
    """The same with all links so much faster or slower that its CCR is this one; latencies stay.

    Raises InstanceError where no factor does that: nothing is sent, or sending or working takes no time; and for
    links with a quadratic term, which is no matter of faster or slower.
    """
    if instance.seconds_per_byte2 is not None:
        raise InstanceError(f"links with a quadratic term cannot be scaled to a CCR of {ccr}")
    now = communication_ratio(instance)
    if not 0 < now < math.inf:
        raise InstanceError(f"the ratio of communication to computation is {now}: scaling links cannot make it {ccr}")
    factor = ccr / now
    return replace(
        instance,
        seconds_per_byte=tuple(tuple(value * factor for value in row) for row in instance.seconds_per_byte),
    )


def _between(instance: Instance) -> list[float]:
    """The seconds per byte of all ordered pairs of different nodes that can talk."""
    return [
        value
        for source, row in enumerate(instance.seconds_per_byte)
        for target, value in enumerate(row)
        if source != target and value < math.inf
    ]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
