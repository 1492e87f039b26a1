"""Static plans: each job is planned as a whole when it arrives, and run as planned.

The plan is made by the job's origin, which knows the costs and nothing of other jobs. Every item of a stream goes the
same way. Nothing is planned anew: the tasks of a machine that has failed wait until it is back.
"""

from collections.abc import Sequence
from functools import partial

from pnode.mappers.plan import Plan, Planner

from .machines import Station
from .policy import Quiet, Strategy
from .queues import Discipline, Queue, queue_of
from .units import Attempt, Job, Unit
from .world import World


def static(name: str, planner: Planner, discipline: Discipline | None = None) -> Strategy:
    """A planner as a strategy.

    The discipline is strict plan order unless told otherwise, or unless there are streams: strict order would keep an
    item's first task waiting for the last one of the item before, so the oldest item that is ready goes first.
    (Strict order and bounded queues together can stand still for good.)
    """
    is_strict = discipline in (None, Discipline.STRICT)
    return Strategy(name, partial(Static, planner, discipline), planner if is_strict else None)


class Static(Quiet):
    """Binds everything at arrival."""

    def __init__(self, planner: Planner, discipline: Discipline | None, world: World) -> None:
        streams = any(arrival.items > 1 for arrival in world.scenario.arrivals)
        self._discipline = discipline or (Discipline.RANK if streams else Discipline.STRICT)
        self._planner = planner
        self._world = world
        self._plans: dict[int, tuple[Plan, tuple[int, ...]]] = {}
        """Per job: the plan, and the tasks in order of their planned starts."""
        self._stranded: dict[int, list[Unit]] = {}
        """Per machine that has failed: what is to run there."""

    def queue(self, station: Station) -> Queue:
        return queue_of(self._discipline, station, self._world)

    def arrived(self, job: Job, item: int) -> None:
        if job.number not in self._plans:
            plan = self._planner(job.instance)
            self._plans[job.number] = plan, plan.by_start
            self._world.decisions += len(plan.order)
        for task in self._plans[job.number][1]:
            self._bind(job.items[item][task])

    def died(self, machine: int, lost: Sequence[Attempt]) -> None:
        self._stranded.setdefault(machine, []).extend(attempt.unit for attempt in lost)

    def recovered(self, machine: int) -> None:
        for unit in self._stranded.pop(machine, ()):
            self._bind(unit)

    def _bind(self, unit: Unit) -> None:
        job, task = unit.job, unit.task
        plan = self._plans[job.number][0]
        submitted_s = job.arrival.at_s + unit.item * job.arrival.period_s
        start_s, finish_s = submitted_s + plan.start_s[task], submitted_s + plan.finish_s[task]
        self._world.bind(unit, plan.node[task], start_s, job.arrival.origin, (start_s, finish_s))
