"""Urgency: in which order the tasks of a job go first, and which of them are near a given one."""

from collections.abc import Mapping, Sequence

from pnode.protocol.dag import Dag

KEPT_MAX = 8
"""Jobs whose order is kept: as many as one node is likely to decide about at a time. Three megabytes each at most."""


class Urgency:
    """All tasks of a graph in upward-rank order; of equal ones a parent before its child (scheduling.md 2.1)."""

    __slots__ = ("_names", "_place")

    def __init__(self, dag: Dag, ranks: Mapping[str, float]) -> None:
        self._names = sorted(dag.order, key=ranks.__getitem__, reverse=True)  # equal ones stay as they are
        self._place = {name: at for at, name in enumerate(self._names)}

    def before(self, name: str, count: int) -> Sequence[str]:
        """At most so many tasks that go before this one: those nearest to it, in order."""
        at = self._place[name]
        return self._names[max(0, at - count) : at]

    def after(self, name: str, count: int) -> Sequence[str]:
        """Likewise of those that go after it."""
        at = self._place[name] + 1
        return self._names[at : at + count]

    def between(self, earlier: str, name: str) -> Sequence[str]:
        """Those from another task, itself included, up to this one; nothing if it does not go before this one."""
        return self._names[self._place[earlier] : self._place[name]]


class Urgencies:
    """The orders of the jobs that were asked about last.

    The order is the same for every decision of a job, and sorting 20,000 tasks takes longer than a decision may. So
    it is kept together with the figures it was made from, which nobody changes: a memory of results, not of facts.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[tuple[Dag, Mapping[str, float], Urgency]] = []

    def of(self, dag: Dag, ranks: Mapping[str, float]) -> Urgency:
        """The order of a job, by the ranks that came with it."""
        for known_dag, known, urgency in self._kept:
            if known is ranks and known_dag is dag:
                return urgency
        urgency = Urgency(dag, ranks)
        self._kept = [(dag, ranks, urgency), *self._kept[: KEPT_MAX - 1]]
        return urgency
