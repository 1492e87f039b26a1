"""Urgency: in which order the tasks of a job go first, and which of them are near a given one."""

import math
from collections.abc import Callable, Mapping, Sequence

from pnode.protocol.dag import Dag
from pnode.protocol.view import Planned

KEPT_MAX = 8
"""Jobs whose order is kept: as many as one node is likely to decide about at a time. Three megabytes each at most."""


class Urgency:
    """All tasks of a graph, the most urgent first; of equal ones a parent before its child."""

    __slots__ = ("_names", "_place")

    def __init__(self, dag: Dag, due: Callable[[str], float]) -> None:
        """`due`: the smaller a task's figure, the earlier it goes."""
        self._names = sorted(dag.order, key=due)
        self._place = {name: at for at, name in enumerate(self._names)}

    def before(self, name: str, count: int) -> Sequence[str]:
        """At most so many tasks that go before this one: those nearest to it, in order."""
        at = self._place[name]
        return self._names[max(0, at - count) : at]

    def after(self, name: str, count: int) -> Sequence[str]:
        """Likewise of those that go after it."""
        at = self._place[name] + 1
        return self._names[at : at + count]


Figures = Mapping[str, float] | Mapping[str, Planned]


class Urgencies:
    """The orders of the jobs that were asked about last.

    The order is the same for every decision of a job, and sorting 20,000 tasks takes longer than a decision may. So
    it is kept together with the figures it was made from, which nobody changes: a memory of results, not of facts.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[tuple[Dag, Figures, Urgency]] = []

    def by_rank(self, dag: Dag, ranks: Mapping[str, float]) -> Urgency:
        """In upward-rank order (scheduling.md 2.1)."""
        return self._find(dag, ranks) or self._keep(dag, ranks, Urgency(dag, lambda name: -ranks[name]))

    def by_start(self, dag: Dag, plan: Mapping[str, Planned]) -> Urgency:
        """In the order of planned starts (scheduling.md 4.6); what is not in the plan goes last."""

        def due(name: str) -> float:
            return plan[name].start_s if name in plan else math.inf

        return self._find(dag, plan) or self._keep(dag, plan, Urgency(dag, due))

    def _find(self, dag: Dag, figures: Figures) -> Urgency | None:
        for known_dag, known, urgency in self._kept:
            if known is figures and known_dag is dag:
                return urgency
        return None

    def _keep(self, dag: Dag, figures: Figures, urgency: Urgency) -> Urgency:
        self._kept = [(dag, figures, urgency), *self._kept[: KEPT_MAX - 1]]
        return urgency
