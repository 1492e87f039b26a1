"""Cost: what playing some tasks took, all of it and for each of them, and whether that stays the same."""

import math
import statistics
from collections.abc import Callable, Sequence

from pnode.protocol.values import dataclass

TOLERANCE = 0.2
"""What a task may cost more than at the reference, and still be told to cost the same."""

KB = 1e3


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one turn, beyond what everything took before it."""

    tasks: int
    """All that were played, one after another or at once."""
    wall_s: float
    nodes_s: float
    """Processor time of all nodes and of what they have started."""
    client_s: float
    """Processor time of the program that has handed them in."""
    peak_bytes: float
    """Memory of all nodes when it was most."""
    origin_bytes: float
    """Memory of the node at which they were handed in, when the others had let go of their jobs."""
    others_bytes: float
    """And of all others then."""
    journal_bytes: float
    """Of all nodes, when the tasks had ended."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a task."""

    label: str
    unit: str
    of: Callable[[Cost], float]
    """Of all tasks, in that unit."""
    asked: bool = True
    """Whether it has to stay the same, or only stands there to be known."""


FIGURES = (
    Figure("time", "ms", lambda cost: 1e3 * cost.wall_s),
    Figure("processor time of nodes", "ms", lambda cost: 1e3 * cost.nodes_s),
    Figure("of the client", "ms", lambda cost: 1e3 * cost.client_s),
    Figure("memory of nodes at most", "kB", lambda cost: cost.peak_bytes / KB),
    Figure("left where it was handed in", "kB", lambda cost: cost.origin_bytes / KB, asked=False),
    Figure("left elsewhere", "kB", lambda cost: cost.others_bytes / KB, asked=False),
    Figure("journals", "kB", lambda cost: cost.journal_bytes / KB),
)


def per_task(figure: Figure, costs: Sequence[Cost]) -> float:
    """The median over turns. Raises StatisticsError where there are none."""
    return statistics.median(figure.of(cost) / cost.tasks for cost in costs)


def ratio(value: float, reference: float) -> float:
    """How many times the reference; inf where that is nothing to be compared with: memory may have been there."""
    if value <= 0:
        return 0.0
    return value / reference if reference > 0 else math.inf


def is_flat(value: float, reference: float) -> bool:
    """Whether a task costs no more than at the reference, within TOLERANCE. Less is not held against it."""
    return ratio(value, reference) <= 1 + TOLERANCE
