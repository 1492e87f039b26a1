"""Hearsay: what each machine believes of a job's units and of the others, where units are bound from the beginning.

A machine knows what it runs, what waits on it, what it has given away, and when inputs of what waits on it exist. Of
everything else it knows what was true at its latest snapshot (scheduling.md 2.5); of a plan it knows where it put
things. Planned times are the latest that anybody has made: they travel with every hand-off (7.4).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

from pnode.mappers.cores import Cores
from pnode.mappers.factor import Factor
from pnode.mappers.ranks import descending, upward
from pnode.mappers.replan import NOWHERE, Board, Ways

from .draws import generator
from .forecast import OVERDUE_SHARE
from .units import Attempt, Job, State, Unit
from .world import World


class Outline:
    """What is the same for every look at a job."""

    __slots__ = ("order", "rank", "wanted", "ways")

    def __init__(self, job: Job) -> None:
        instance = job.instance
        self.ways = Ways(instance)
        self.wanted = tuple(one.cores for one in job.arrival.graph.tasks)
        self.rank = upward(instance)
        self.order = descending(instance, self.rank)


class Hearsay:
    """The beliefs of all machines of one run."""

    def __init__(self, world: World, mean_task_s: float) -> None:
        self._world = world
        gossip = world.scenario.gossip
        self._period_s, self._delay_s = gossip.period_s, gossip.delay_s
        rng = generator(world.seed, "gossip")
        self._phases_s = [rng.uniform(0.0, gossip.period_s) for _ in world.stations]
        self.factors = [Factor(mean_task_s) for _ in world.stations]
        self._learnt: list[tuple[list[float], list[float]]] = [([-math.inf], [1.0]) for _ in world.stations]
        """Per machine: the instants at which its factor has changed, and the factors from then on."""
        self._outlines: dict[int, Outline] = {}
        self._given: list[Attempt] = []
        """All attempts, without those that ended long ago."""

    @property
    def is_old(self) -> bool:
        """Whether anybody's beliefs differ from what is true."""
        return self._period_s > 0.0 or self._delay_s > 0.0

    def outline(self, job: Job) -> Outline:
        found = self._outlines.get(job.number)
        if found is None:
            found = self._outlines[job.number] = Outline(job)
        return found

    def learnt(self, machine: int) -> None:
        """The factor of a machine has changed."""
        times, values = self._learnt[machine]
        times.append(self._world.now)
        values.append(self.factors[machine].value)

    def seen_s(self, me: int) -> float:
        """When what a machine believes of the others was true."""
        now = self._world.now
        if self._period_s:
            phase = self._phases_s[me]
            now = phase + math.floor((now - phase) / self._period_s) * self._period_s
        return now - self._delay_s

    def run_s(self, attempt: Attempt) -> float:
        """How long a machine itself expects an attempt to take."""
        return attempt.expected_s * self.factors[attempt.machine].value

    def ends_s(self, attempt: Attempt) -> float:
        """When an attempt is expected to end, by whoever knows it best."""
        if attempt.state is State.DONE:
            return attempt.finish_s
        now, due = self._world.now, attempt.due_finish_s
        if due > now:
            return due
        return now + (OVERDUE_SHARE * self.run_s(attempt) if attempt.has_started else 0.0)

    def inputs_s(self, attempt: Attempt) -> float:
        """When the last input of an attempt is expected at its machine."""
        latest, transfer_s = attempt.arrival_s, self._world.wires.transfer_s
        for parent, size_bytes in attempt.unit.parents:
            if not parent.done:
                held = parent.held
                if held is None:
                    return math.inf
                latest = max(latest, self.ends_s(held) + transfer_s(held.machine, attempt.machine, size_bytes))
        return latest

    def promised_s(self, attempt: Attempt) -> float:
        """The same for a queue that holds: `inf` once a parent should have ended before now and has not started.

        Machines that plan anew each for themselves may come to plans that contradict each other, by which some wait
        in a circle, each for a start that is reserved for another. So a reservation lapses when nobody can say any
        more what it waits for. By a single plan, carried out as expected, that never happens.
        """
        now = self._world.now
        for parent, _ in attempt.unit.parents:
            held = parent.held
            if held is not None and not held.has_started and held.due_finish_s < now:
                return math.inf
        return self.inputs_s(attempt)

    def given(self, attempt: Attempt) -> None:
        """A unit has got a machine."""
        self._given.append(attempt)

    def board(self, job: Job, item: int, me: int, *, fresh: bool = False) -> tuple[Board, list[int]]:
        """What a machine believes of a job, and which of its tasks it believes not to have started, in upward-rank
        order. `fresh`: it has just asked everybody, since a machine has died."""
        world, outline = self._world, self.outline(job)
        now = world.now
        seen_s = now if fresh else self.seen_s(me)
        units = job.items[item]
        stations = world.stations
        nodes = [Cores(one.machine.cores, now) if one.is_thought_alive else None for one in stations]
        place, finish_s, waiting = [NOWHERE] * len(units), [math.inf] * len(units), [False] * len(units)
        inputs = self._inputs_of(me) if seen_s < now else {}
        for task, unit in enumerate(units):
            attempt = self._latest(unit, me, seen_s)
            if attempt is None:
                waiting[task] = True
                continue
            place[task] = attempt.machine
            known_s = now if attempt.machine == me or unit in inputs else seen_s
            finish_s[task] = end = self._end_s(attempt, known_s)
            if not attempt.start_s <= known_s:
                waiting[task] = True
            elif end > now:
                _run(nodes[attempt.machine], attempt, end - now)
        self._put_others(nodes, units, me, seen_s)
        factor = [self._factor(number, me, seen_s) for number in range(len(stations))]
        board = Board(job.instance, outline.ways, now, nodes, factor, outline.wanted, place, finish_s)
        return board, [task for task in outline.order if waiting[task]]

    def _latest(self, unit: Unit, me: int, seen_s: float) -> Attempt | None:
        """The attempt that a machine knows of. The plan is told with the job, so the first is known to all."""
        attempt = unit.held
        while (
            attempt is not None
            and attempt.before is not None
            and attempt.given_s > seen_s
            and me not in (attempt.machine, attempt.by)
        ):
            attempt = attempt.before
        return attempt

    def _end_s(self, attempt: Attempt, known_s: float) -> float:
        """When an attempt has ended, or will have, by what was known at an instant."""
        if attempt.state is State.DONE and attempt.finish_s <= known_s:
            return attempt.finish_s
        due = attempt.due_finish_s
        if attempt.start_s <= known_s and due <= known_s:
            return known_s + OVERDUE_SHARE * self.run_s(attempt)
        return due

    def _inputs_of(self, me: int) -> dict[Unit, None]:
        """Units whose end a machine knows since it has their outputs, or waits for them."""
        return {parent: None for attempt in self._world.stations[me].bound for parent, _ in attempt.unit.parents}

    def _put_others(self, nodes: Sequence[Cores | None], units: Sequence[Unit], me: int, seen_s: float) -> None:
        """What other jobs, and other items of this one, have of the nodes: what runs, then what is planned."""
        now = self._world.now
        mine = units[0].job, units[0].item
        planned: list[Attempt] = []
        for attempt in self._others(mine):
            known_s = now if attempt.machine == me else seen_s
            if attempt.finish_s <= known_s or (attempt.given_s > known_s and attempt.by != me):
                continue
            if attempt.start_s <= known_s:
                _run(nodes[attempt.machine], attempt, self._end_s(attempt, known_s) - now)
            else:
                planned.append(attempt)
        for attempt in sorted(planned, key=lambda one: (one.due_start_s, one.turn)):
            cores, wanted = nodes[attempt.machine], attempt.unit.vertex.cores
            if cores is not None and attempt.due_finish_s > now:
                seconds = self.run_s(attempt)
                cores.commit(wanted, cores.quote(wanted, max(now, attempt.due_start_s), seconds), seconds)

    def _others(self, mine: tuple[Job, int]) -> list[Attempt]:
        """Those that somebody may still believe to be under way."""
        if len(self._world.jobs) == 1 and self._world.jobs[0].arrival.items == 1:
            return []
        oldest_s = self._world.now - self._period_s - self._delay_s
        self._given = [one for one in self._given if one.finish_s > oldest_s]
        return [one for one in self._given if (one.unit.job, one.unit.item) != mine]

    def _factor(self, machine: int, me: int, seen_s: float) -> float:
        if machine == me:
            return self.factors[machine].value
        times, values = self._learnt[machine]
        return values[bisect_right(times, seen_s) - 1]


def _run(cores: Cores | None, attempt: Attempt, seconds: float) -> None:
    if cores is not None and seconds > 0.0:
        cores.run(attempt.unit.vertex.cores, seconds)
