"""Static plans: each job is planned as a whole when it arrives, and run as planned.

The plan is made by the job's origin, which knows the costs and nothing of other jobs. Every item of a stream goes the
same way. Nothing is planned anew: the tasks of a machine that has failed wait until it is back.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from pnode.mappers.instance import Instance, Matrix
from pnode.mappers.plan import Plan, Planner

from .machines import Station
from .policy import Quiet, Strategy
from .queues import Discipline, Queue, queue_of
from .units import Attempt, Job, Unit
from .world import World

NODES_MAX = 512
"""Of an instance with a node for each core, as long as every machine has one: its matrices grow with the square."""


def by_core(planner: Planner, instance: Instance, cores: Sequence[int]) -> Plan:
    """What a planner makes of machines with so many cores, by the numbers of the machines.

    A planner takes a node for something that runs one task at a time, so each core is one, with nothing between those
    of one machine; `mappers.situation` does the same for live jobs.
    """
    most = max(1, min(instance.tasks, NODES_MAX // instance.nodes))
    machines = [machine for machine, count in enumerate(cores) for _ in range(min(count, most))]
    if len(machines) == instance.nodes:
        return planner(instance)

    def spread(rows: Matrix) -> Matrix:
        return tuple(tuple(0.0 if one == two else rows[one][two] for two in machines) for one in machines)

    bent = instance.seconds_per_byte2
    wide = Instance(
        tuple(tuple(row[machine] for machine in machines) for row in instance.cost_s),
        instance.edges,
        spread(instance.latency_s),
        spread(instance.seconds_per_byte),
        None if bent is None else spread(bent),
    )
    plan = planner(wide)
    return replace(plan, node=tuple(machines[node] for node in plan.node))


def static(
    name: str, planner: Planner, discipline: Discipline | None = None, *, plans_cores: bool = False
) -> Strategy:
    """A planner as a strategy. Unless it `plans_cores`, each machine is a node to it, however many cores it has.

    The discipline is strict plan order unless told otherwise, or unless there are streams: strict order would keep an
    item's first task waiting for the last one of the item before, so the oldest item that is ready goes first.
    (Strict order and bounded queues together can stand still for good.)
    """
    is_strict = discipline in (None, Discipline.STRICT)
    policy = partial(Static, planner, discipline, plans_cores=plans_cores)
    return Strategy(name, policy, planner if is_strict else None)


class Static(Quiet):
    """Binds everything at arrival."""

    def __init__(
        self, planner: Planner, discipline: Discipline | None, world: World, *, plans_cores: bool = False
    ) -> None:
        streams = any(arrival.items > 1 for arrival in world.scenario.arrivals)
        self._discipline = discipline or (Discipline.RANK if streams else Discipline.STRICT)
        self._planner = planner
        self._plans_cores = plans_cores
        self._world = world
        self._plans: dict[int, tuple[Plan, tuple[int, ...]]] = {}
        """Per job: the plan, and the tasks in order of their planned starts."""
        self._stranded: dict[int, list[Unit]] = {}
        """Per machine that has failed: what is to run there."""

    def queue(self, station: Station) -> Queue:
        return queue_of(self._discipline, station, self._world)

    def arrived(self, job: Job, item: int) -> None:
        if job.number not in self._plans:
            plan = self._plan(job.instance)
            self._plans[job.number] = plan, plan.by_start
            self._world.decisions += len(plan.order)
        for task in self._plans[job.number][1]:
            self._bind(job.items[item][task])

    def died(self, machine: int, lost: Sequence[Attempt]) -> None:
        self._stranded.setdefault(machine, []).extend(attempt.unit for attempt in lost)

    def recovered(self, machine: int) -> None:
        for unit in self._stranded.pop(machine, ()):
            self._bind(unit)

    def _plan(self, instance: Instance) -> Plan:
        if not self._plans_cores:
            return self._planner(instance)
        return by_core(self._planner, instance, [station.machine.cores for station in self._world.stations])

    def _bind(self, unit: Unit) -> None:
        job, task = unit.job, unit.task
        plan = self._plans[job.number][0]
        submitted_s = job.arrival.at_s + unit.item * job.arrival.period_s
        start_s, finish_s = submitted_s + plan.start_s[task], submitted_s + plan.finish_s[task]
        self._world.bind(unit, plan.node[task], start_s, job.arrival.origin, (start_s, finish_s))
