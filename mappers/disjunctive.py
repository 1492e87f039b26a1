"""The disjunctive program of an instance: which node and which order, in linear rows and whole numbers.

Its columns, with times in hundredths of the horizon:
* x(t,v): task t runs on node v;
* s(t): its start;
* y(e,u,v): edge e goes from node u to node v. It follows the x as a flow does, hence is whole by itself, and nothing
  need be said of products of two x;
* o(i,j): task i has ended when task j starts, for two that no path orders;
* C: the makespan, to be made as small as can be.

Two tasks that no path orders have one of their o if they share a node. The row that an o stands for is relaxed where
it is 0, by no more than earliest starts and latest ends within the horizon ask for (a "big M" of its own).

Where a transfer takes less than no time, as fitted polynomials have it, a path does not quite order its tasks. Then
the program leaves something out, and its bound is a bound still.
"""

import math
from itertools import combinations

import numpy as np

from pnode.protocol.values import dataclass

from .instance import Floats, Instance
from .links import Links
from .windows import windows

HORIZON = 100.0
"""In the program's own unit, so that the solver's tolerances mean the same whatever the instance's unit is."""

INFEASIBLE = 2
"""scipy's status when there is no schedule within the horizon."""

Terms = list[tuple[int, float]]
"""(column, factor)."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What the solver found; everything to its tolerance, about a millionth of the horizon."""

    bound_s: float
    """No schedule is shorter; `inf` when there is none within the horizon."""
    node: tuple[int, ...] = ()
    """Per task; empty when no schedule was found."""
    start_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """The widest window of a task, over the nodes where it could run."""

    earliest_start: float
    earliest_end: float
    latest_start: float
    latest_end: float


class Program:
    """The columns and rows of an instance, for schedules that end within a horizon above zero."""

    def __init__(self, instance: Instance, horizon_s: float) -> None:
        self._instance = instance
        self._unit_s = horizon_s / HORIZON
        self._high: list[float] = []  # of the columns; they begin at zero
        self._whole: list[bool] = []
        self._rows: list[tuple[Terms, float, float]] = []  # (terms, low, high)
        found = windows(instance)
        self._cost = instance.cost / self._unit_s
        self._head = found.head_s / self._unit_s
        self._tail = found.tail_s / self._unit_s
        fits = self._head + self._cost + self._tail <= HORIZON
        self._makespan = self._column(HORIZON)
        self._starts = [self._column(HORIZON) for _ in range(instance.tasks)]
        self._places = [{node: self._column(1.0, whole=True) for node in row.nonzero()[0].tolist()} for row in fits]
        if all(self._places):
            self._spans = [self._span(task) for task in range(instance.tasks)]
            self._build()

    def solve(self, limit_s: float) -> Solution:
        """The shortest schedule, as far as HiGHS gets in so many seconds."""
        if not all(self._places):
            return Solution(math.inf)
        from scipy.optimize import Bounds, LinearConstraint, milp  # takes a second to load
        from scipy.sparse import csr_array

        terms, low, high = zip(*self._rows, strict=True)
        columns = [column for row in terms for column, _ in row]
        factors = [factor for row in terms for _, factor in row]
        ends = np.cumsum([0, *map(len, terms)])
        found = milp(
            [float(column == self._makespan) for column in range(len(self._high))],
            integrality=self._whole,
            bounds=Bounds(0.0, self._high),
            constraints=LinearConstraint(csr_array((factors, columns, ends), (len(low), len(self._high))), low, high),
            options={"time_limit": limit_s, "mip_rel_gap": 0.0},
        )
        if found.status == INFEASIBLE:
            return Solution(math.inf)
        bound_s = max(0.0, found.mip_dual_bound or 0.0) * self._unit_s  # none was found in no time
        if found.x is None:
            return Solution(bound_s)
        value = found.x.tolist()
        node = tuple(max(row, key=lambda node: value[row[node]]) for row in self._places)
        return Solution(bound_s, node, tuple(value[column] * self._unit_s for column in self._starts))

    def _span(self, task: int) -> Span:
        nodes = list(self._places[task])
        head, cost = self._head[task, nodes], self._cost[task, nodes]
        latest = HORIZON - self._tail[task, nodes]
        return Span(*(float(one) for one in (head.min(), (head + cost).min(), (latest - cost).max(), latest.max())))

    def _build(self) -> None:
        for task, row in enumerate(self._places):
            self._row([(column, 1.0) for column in row.values()], 1.0, 1.0)
            self._row([(self._starts[task], 1.0), *self._sum(task, -self._head)])
            rest = self._sum(task, -self._cost - self._tail)
            self._row([(self._makespan, 1.0), (self._starts[task], -1.0), *rest])
        for node in range(self._instance.nodes):
            tasks = [(task, row[node]) for task, row in enumerate(self._places) if node in row]
            work = [(column, -self._cost.item(task, node)) for task, column in tasks]
            self._row([(self._makespan, 1.0), *work])
        self._flow()
        for one, other in _unordered(self._instance):
            self._exclude(one, other)

    def _flow(self) -> None:
        """Each edge goes from its parent's node to its child's, and the child waits for it."""
        links = Links(self._instance)
        for edge in self._instance.edges:
            times = links.matrix_s(edge.size_bytes) / self._unit_s
            sources, targets = self._places[edge.parent], self._places[edge.child]
            pairs = [(source, target) for source in sources for target in targets if times[source, target] < math.inf]
            ways = {pair: self._column(1.0) for pair in pairs}
            for end, columns in enumerate((sources, targets)):
                for node, column in columns.items():
                    self._row([(column, -1.0), *((ways[pair], 1.0) for pair in pairs if pair[end] == node)], 0.0, 0.0)
            waits = [(column, -times.item(*pair)) for pair, column in ways.items()]
            self._row([*self._between(edge.parent, edge.child), *waits])

    def _exclude(self, one: int, other: int) -> None:
        """Two tasks do not run on the same node at once."""
        shared = [node for node in self._places[one] if node in self._places[other]]
        sooner, later = self._spans[one], self._spans[other]
        if not shared or sooner.latest_end <= later.earliest_start or later.latest_end <= sooner.earliest_start:
            return
        pairs = [(one, other), (other, one)]
        orders = [(self._order(*pair), 1.0) for pair in pairs if self._could_follow(*pair)]
        for node in shared:
            self._row([*orders, (self._places[one][node], -1.0), (self._places[other][node], -1.0)], -1.0)

    def _could_follow(self, first: int, second: int) -> bool:
        return self._spans[first].earliest_end <= self._spans[second].latest_start

    def _order(self, first: int, second: int) -> int:
        """A column that stands for this order."""
        order = self._column(1.0, whole=True)
        slack = self._spans[first].latest_end - self._spans[second].earliest_start
        self._row([*self._between(first, second), (order, -slack)], -slack)
        return order

    def _between(self, first: int, second: int) -> Terms:
        """The time from the end of one task to the start of another."""
        return [(self._starts[second], 1.0), (self._starts[first], -1.0), *self._sum(first, -self._cost)]

    def _sum(self, task: int, values: Floats) -> Terms:
        """The value for the node where the task runs."""
        return [(column, values.item(task, node)) for node, column in self._places[task].items()]

    def _column(self, high: float, *, whole: bool = False) -> int:
        self._high.append(high)
        self._whole.append(whole)
        return len(self._high) - 1

    def _row(self, terms: Terms, low: float = 0.0, high: float = math.inf) -> None:
        self._rows.append((terms, low, high))


def _unordered(instance: Instance) -> list[tuple[int, int]]:
    """Pairs of tasks that no path orders."""
    below: list[set[int]] = [set() for _ in range(instance.tasks)]
    for task in reversed(instance.order):
        for child, _ in instance.children[task]:
            below[task] |= {child} | below[child]
    pairs = combinations(range(instance.tasks), 2)
    return [(one, other) for one, other in pairs if other not in below[one] and one not in below[other]]
