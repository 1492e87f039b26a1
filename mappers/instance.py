"""An instance: one scheduling problem, with tasks and nodes by number.

Everything that plans or judges a whole graph at once works on this: no names, no beliefs, only costs. The cost of a
task is a row with one entry per node, so that machines may be unrelated: nobody need be faster at everything
(scheduling.md 2.1). Units are seconds and bytes, or any others that agree with each other.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pnode.protocol.values import dataclass

Matrix = tuple[tuple[float, ...], ...]
Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]


class InstanceError(ValueError):
    """The numbers do not make a scheduling problem; the message says which, and what was expected."""


@dataclass(frozen=True)
class Edge:
    """A parent's output that a child waits for."""

    parent: int
    child: int
    size_bytes: float


@dataclass(frozen=True)
class Instance:
    """Costs of n tasks on m nodes, and of the ways between the nodes.

    Raises InstanceError when it is built from rows of unequal length, numbers out of place, or a cycle.
    """

    cost_s: Matrix
    """n rows of m: seconds of a task on a node; `inf` where it cannot run."""
    edges: tuple[Edge, ...]
    """At most one per pair of tasks."""
    latency_s: Matrix
    """m rows of m, source by target; the diagonal is not looked at, a node reaches itself at once."""
    seconds_per_byte: Matrix
    """The same for the inverse of the bandwidth."""
    seconds_per_byte2: Matrix | None = None
    """The quadratic term of DRUPE's links (jupiter.md 2.2); None when there is none."""

    def __post_init__(self) -> None:
        _check(self)
        _ = self.order  # raises for a cycle

    @property
    def tasks(self) -> int:
        return len(self.cost_s)

    @property
    def nodes(self) -> int:
        return len(self.latency_s)

    @cached_property
    def parents(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """Per task: (parent, size), in the order of the edges."""
        rows: list[list[tuple[int, float]]] = [[] for _ in self.cost_s]
        for edge in self.edges:
            rows[edge.child].append((edge.parent, edge.size_bytes))
        return tuple(map(tuple, rows))

    @cached_property
    def children(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """Per task: (child, size), in the order of the edges."""
        rows: list[list[tuple[int, float]]] = [[] for _ in self.cost_s]
        for edge in self.edges:
            rows[edge.parent].append((edge.child, edge.size_bytes))
        return tuple(map(tuple, rows))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Every task after all its parents: Kahn's algorithm, first come first served."""
        missing = [len(row) for row in self.parents]
        order = [task for task, count in enumerate(missing) if not count]
        for task in order:  # grows while we go
            for child, _ in self.children[task]:
                missing[child] -= 1
                if not missing[child]:
                    order.append(child)
        if len(order) < self.tasks:
            stuck = next(task for task, count in enumerate(missing) if count)
            raise InstanceError(f"the edges go round in a cycle that task {stuck} waits for")
        return tuple(order)

    @cached_property
    def cost(self) -> Floats:
        """`cost_s` as an array of shape (tasks, nodes)."""
        return np.array(self.cost_s, dtype=np.float64).reshape(self.tasks, self.nodes)

    @cached_property
    def latency(self) -> Floats:
        """`latency_s` as an array of shape (nodes, nodes), zero on the diagonal."""
        return _off_diagonal(self.latency_s)

    @cached_property
    def inverse(self) -> Floats:
        """`seconds_per_byte` as an array of shape (nodes, nodes), zero on the diagonal."""
        return _off_diagonal(self.seconds_per_byte)

    @cached_property
    def inverse2(self) -> Floats | None:
        """`seconds_per_byte2` likewise."""
        return None if self.seconds_per_byte2 is None else _off_diagonal(self.seconds_per_byte2)

    @cached_property
    def mean_cost_s(self) -> tuple[float, ...]:
        """Mean over the nodes that can run the task."""
        return tuple(_mean([seconds for seconds in row if seconds < math.inf]) for row in self.cost_s)

    @cached_property
    def mean_task_s(self) -> float:
        """The mean task: the unit in which delays and ages are told (scheduling.md 2.1)."""
        return _mean(self.mean_cost_s)

    @cached_property
    def apart(self) -> Truths:
        """Pairs that cannot talk, source by target: the latency or the inverse bandwidth is infinite."""
        apart = np.isinf(self.latency) | np.isinf(self.inverse)
        return apart if self.inverse2 is None else apart | np.isinf(self.inverse2)

    @cached_property
    def mean_link(self) -> tuple[float, float, float]:
        """Latency, inverse bandwidth and quadratic term, each a mean over ordered pairs of different nodes that can
        talk (scheduling.md 2.1)."""
        talk = ~self.apart
        pairs = max(1, int(talk.sum()) - self.nodes)  # every node talks to itself
        latency = float(self.latency[talk].sum()) / pairs
        inverse = float(self.inverse[talk].sum()) / pairs
        inverse2 = 0.0 if self.inverse2 is None else float(self.inverse2[talk].sum()) / pairs
        return latency, inverse, inverse2

    @cached_property
    def mean_transfer_s(self) -> Callable[[float], float]:
        """Mean seconds of a transfer of so many bytes: over the mean link."""
        latency, inverse, inverse2 = self.mean_link
        return lambda size_bytes: latency + size_bytes * (inverse + size_bytes * inverse2)

    def transfer_s(self, source: int, target: int, size_bytes: float) -> float:
        """Seconds on an empty network; 0 on the same node, `inf` for any size between two that cannot talk."""
        if source == target:
            return 0.0
        inverse = self.seconds_per_byte[source][target]
        inverse2 = 0.0 if self.seconds_per_byte2 is None else self.seconds_per_byte2[source][target]
        if math.isinf(inverse) or math.isinf(inverse2):
            return math.inf  # also for no bytes at all, where the product would be no number
        return self.latency_s[source][target] + size_bytes * inverse + size_bytes * size_bytes * inverse2


def related(costs: Sequence[float], speeds: Sequence[float]) -> Matrix:
    """`cost_s` of machines that differ in speed only: cost / speed."""
    return tuple(tuple(cost / speed for speed in speeds) for cost in costs)


def uniform(nodes: int, value: float) -> Matrix:
    """A matrix of one value, zero on the diagonal."""
    return tuple(tuple(0.0 if source == target else value for target in range(nodes)) for source in range(nodes))


def _check(instance: Instance) -> None:
    nodes = len(instance.latency_s)
    if not instance.cost_s or not nodes:
        raise InstanceError(f"found {len(instance.cost_s)} tasks and {nodes} nodes, expected at least one of each")
    for what, rows in _matrices(instance):
        for at, row in enumerate(rows):
            if len(row) != nodes:
                raise InstanceError(f"row {at} of {what} has {len(row)} numbers, expected one for each of {nodes}")
            if any(math.isnan(number) for number in row):
                raise InstanceError(f"row {at} of {what} has a number that is none (nan)")
    for at, row in enumerate(instance.cost_s):
        if min(row) < 0 or min(row) == math.inf:
            raise InstanceError(f"task {at} costs {min(row)} at best, expected a finite time, zero or more")
    _check_edges(instance)


def _matrices(instance: Instance) -> list[tuple[str, Matrix]]:
    square = [("latency_s", instance.latency_s), ("seconds_per_byte", instance.seconds_per_byte)]
    if instance.seconds_per_byte2 is not None:
        square.append(("seconds_per_byte2", instance.seconds_per_byte2))
    for what, rows in square:
        if len(rows) != len(instance.latency_s):
            raise InstanceError(f"{what} has {len(rows)} rows, expected {len(instance.latency_s)}")
    return [("cost_s", instance.cost_s), *square]


def _check_edges(instance: Instance) -> None:
    known: dict[tuple[int, int], None] = {}
    for edge in instance.edges:
        pair = (edge.parent, edge.child)
        if not all(0 <= end < instance.tasks for end in pair) or edge.parent == edge.child:
            raise InstanceError(f"no edge can go from task {edge.parent} to {edge.child} of {instance.tasks}")
        if not 0 <= edge.size_bytes < math.inf:
            raise InstanceError(
                f"the edge {pair} has the size {edge.size_bytes}, expected a finite one, zero or more"
            )
        if pair in known:
            raise InstanceError(f"there are two edges {pair}, expected one with the sizes added up")
        known[pair] = None


def _off_diagonal(rows: Matrix) -> Floats:
    array = np.array(rows, dtype=np.float64)
    np.fill_diagonal(array, 0.0)
    return array


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
