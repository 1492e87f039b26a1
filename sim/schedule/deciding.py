"""Deciding: mappers that choose inside the run, at the moments at which a live node would.

The origin places entry tasks when an item arrives. Any other task is placed when its last parent has started, by the
machine that holds its appointed parent, from that machine's own view (`protocol.placing` does the same for a live
node). What one machine decides at one instant it decides in upward-rank order. Units that a failed machine had are
placed again, once it is known to be dead, by the same machine that would place them first; in its place, should it be
dead as well, by the origin, and by the first living machine after that.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random

from pnode.protocol.bindings import Bindings
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Mapper, Planned, Planner, Question

from .draws import generator
from .knowledge import Knowledge, parents_of
from .machines import Station
from .policy import Quiet, Strategy
from .queues import Discipline, Queue, queue_of
from .spec import Spec
from .units import Attempt, Job, Unit
from .views import Views, free_at, load_of
from .world import World

SECOND_THOUGHTS_MAX = 3
"""Of `protocol.holding`: from then on the next machine must take it."""


def deciding(mapper: Mapper, discipline: Discipline | None = None) -> Strategy:
    """A mapper as a strategy.

    Unless told otherwise, queues are work-conserving by upward rank; they hold, by planned starts, for a mapper that
    plans ahead.
    """
    return Strategy(mapper.name, partial(Deciding, mapper, discipline))


class Deciding(Quiet):
    """Asks the mapper, and does what it says."""

    def __init__(self, mapper: Mapper, discipline: Discipline | None, world: World) -> None:
        plans = isinstance(mapper, Planner)
        self._discipline = discipline or (Discipline.HOLD if plans else Discipline.RANK)
        self._planner = mapper if isinstance(mapper, Planner) else None
        self._mapper = mapper
        self._world = world
        self._views = Views(world)
        self._rng: Random = generator(world.seed, "mapper")
        self._specs: dict[int, Spec] = {}
        self._plans: dict[int, tuple[float, Mapping[str, Planned]]] = {}
        """Per job: when the plan was made, and the plan."""
        self._unstarted: dict[Unit, int] = {}
        """Parents that have not started, of units that have some."""
        self._due: list[tuple[float, Unit, int]] = []
        """What is decided at this instant: minus the upward rank, the unit, the machine that decides."""
        self._unplaced: list[Unit] = []
        """Nobody could run them when they were asked for."""
        self._orphans: dict[int, list[Unit]] = {}
        """Per machine that has failed: what it would have decided; somebody else will, once it is missed."""
        self._excluded: dict[Unit, list[NodeId]] = {}
        self._believed_s: dict[Unit, float] = {}
        """The queue that a unit is expected to find, where the choice rests on it."""
        self._bindings = [Bindings() for _ in world.stations]
        self._used: list[dict[NodeId, None]] = [{} for _ in world.stations]
        """Per machine: the nodes that it has given something."""

    def queue(self, station: Station) -> Queue:
        return queue_of(self._discipline, station, self._world)

    def arrived(self, job: Job, item: int) -> None:
        spec = self._spec(job)
        if self._planner is not None and not item:
            self._plan(job, self._planner, spec)
        for unit in job.items[item]:
            if unit.parents:
                self._unstarted[unit] = len(unit.parents)
            else:
                self._ask(unit)

    def started(self, attempt: Attempt) -> None:
        for child, _ in attempt.unit.children:
            self._unstarted[child] -= 1
            if not self._unstarted[child] and child.held is None:
                self._tell(child, attempt.machine)

    def accepts(self, attempt: Attempt) -> bool:
        """No, if the queue is longer than whoever decided believed, by more than the task takes: then somebody else
        would be the better choice. This is what a live node says (`protocol.holding`), at most as often."""
        believed_s = self._believed_s.pop(attempt.unit, math.inf)
        if attempt.number > SECOND_THOUGHTS_MAX or believed_s == math.inf:
            return True
        station = self._world.stations[attempt.machine]
        now = self._world.now
        return free_at(load_of(station), station.machine.cores, now) - now - believed_s <= attempt.expected_s

    def declined(self, attempt: Attempt) -> None:
        self._excluded.setdefault(attempt.unit, []).append(self._views.nodes[attempt.machine])
        self._bindings[attempt.by].end(attempt.unit)
        self._ask(attempt.unit)

    def died(self, machine: int, lost: Sequence[Attempt]) -> None:
        for attempt in lost:
            if attempt.has_started:
                for child, _ in attempt.unit.children:
                    self._unstarted[child] += 1
        orphans = self._orphans.pop(machine, [])
        for unit in (*(attempt.unit for attempt in lost), *orphans):
            if unit.held is None and not self._unstarted.get(unit, 0):
                self._ask(unit)

    def recovered(self, machine: int) -> None:  # noqa: ARG002  whichever it is, somebody may fit there
        unplaced, self._unplaced = self._unplaced, []
        for unit in unplaced:
            self._ask(unit)

    def settled(self) -> None:
        due, self._due = self._due, []
        for _, unit, by in sorted(due, key=lambda one: (one[0], one[1].place)):
            if unit.held is None and not self._unstarted.get(unit, 0):
                self._decide(unit, by)

    def _tell(self, unit: Unit, source: int) -> None:
        """The last parent has started on a machine: whoever is to decide hears of it."""
        seconds = self._world.wires.delay_s(source, self._holder(unit))
        if seconds:
            self._world.at(self._world.now + seconds, partial(self._ask, unit))
        else:
            self._ask(unit)

    def _ask(self, unit: Unit) -> None:
        """A unit is to be placed at the end of this instant."""
        stations = self._world.stations
        by = self._holder(unit)
        if not stations[by].is_thought_alive:
            origin = stations[unit.job.arrival.origin]
            by = next((one.number for one in (origin, *stations) if one.is_thought_alive), by)
        if stations[by].alive:
            self._due.append((-self._rank(unit), unit, by))
        elif stations[by].is_thought_alive:
            self._orphans.setdefault(by, []).append(unit)
        else:
            self._unplaced.append(unit)

    def _holder(self, unit: Unit) -> int:
        """The machine that has the appointed parent."""
        controller = self._spec(unit.job).controllers[unit.task]
        if controller < 0:
            return unit.job.arrival.origin
        held = unit.job.items[unit.item][controller].held
        assert held is not None, f"unit {unit.place} is placed after its parents"
        return held.machine

    def _decide(self, unit: Unit, by: int) -> None:
        world, spec = self._world, self._spec(unit.job)
        view = self._views.view(by, unit, spec.run_s)
        world.decisions += 1
        choice = self._mapper.choose(self._question(unit, by, spec), view, self._rng)
        if not choice.ranking and unit in self._excluded:
            del self._excluded[unit]  # rather those who have declined than nobody
            choice = self._mapper.choose(self._question(unit, by, spec), view, self._rng)
        if not choice.ranking:
            self._unplaced.append(unit)
            return
        best = choice.ranking[0]
        machine = self._views.numbers[best.node]
        if choice.minds_queue:
            self._believed_s[unit] = best.queue_s
        self._note(unit, by, machine)
        start_s = world.now + max(best.inputs_s, best.queue_s)
        world.bind(unit, machine, self._key(unit, spec), by, (start_s, start_s + best.run_s))

    def _note(self, unit: Unit, by: int, machine: int) -> None:
        """What was bound counts until the figures that were heard contain it."""
        node = self._views.nodes[machine]
        self._used[by][node] = None
        since_s = self._world.now + self._world.wires.delay_s(by, machine)
        if self._views.are_old or since_s > self._world.now:
            self._bindings[by].add(node, unit, since_s, unit.job.instance.cost_s[unit.task][machine])

    def _question(self, unit: Unit, by: int, spec: Spec) -> Question:
        now, nodes = self._world.now, self._views.nodes
        seen_s = self._views.seen_s(by)
        me = nodes[by]
        bound = dict(self._bindings[by].totals(lambda node: now if node == me else seen_s))
        made_s, plan = self._plans.get(unit.job.number, (now, {}))
        return Question(
            dag=spec.dag,
            task=spec.names[unit.task],
            parents=parents_of(unit, now, spec, nodes),
            excluded=frozenset(self._excluded.get(unit, ())),
            mine=tuple((node, bound.get(node, 0.0)) for node in sorted(self._used[by])),
            progress=Knowledge(unit, by, now, seen_s, spec, nodes),
            ranks=spec.ranks,
            plan=plan,
            plan_age_s=now - made_s,
        )

    def _plan(self, job: Job, planner: Planner, spec: Spec) -> None:
        view = self._views.view(job.arrival.origin, None, spec.run_s)
        plan = planner.plan(spec.dag, view, self._rng, job.arrival.items)
        self._plans[job.number] = self._world.now, plan

    def _key(self, unit: Unit, spec: Spec) -> float:
        """The planned start, or minus the upward rank; of a stream the oldest item goes first."""
        made_s, plan = self._plans.get(unit.job.number, (0.0, {}))
        planned = plan.get(spec.names[unit.task])
        if planned is not None:
            return made_s + planned.start_s + unit.item * unit.job.arrival.period_s
        return unit.item * spec.rank_max - self._rank(unit)

    def _rank(self, unit: Unit) -> float:
        spec = self._spec(unit.job)
        return spec.ranks[spec.names[unit.task]]

    def _spec(self, job: Job) -> Spec:
        spec = self._specs.get(job.number)
        if spec is None:
            spec = self._specs[job.number] = Spec(job, self._views.numbers)
        return spec
