"""The world: the clock, the machines and the network of one run, and what a policy may do in it.

Time is seconds as floats, unlike the integer nanoseconds of the protocol level. Costs come in any unit from
nanoseconds to days, a plan is made in floats, and to carry it out to the last digit of what was planned the same
additions must be made in the same order. They give the same result on every machine. Events at one instant happen in
the order in which they were made, and nothing starts before all of them have happened.
"""

import gc
import heapq
import math
from collections.abc import Callable
from functools import partial

from .draws import TaskFactors, node_factors
from .fates import strike, tell_lost
from .machines import Station
from .policy import Policy, Strategy
from .records import result_of
from .result import Result
from .scenario import Scenario, instance_of
from .units import Attempt, Job, State, Unit
from .wires import Wires

Action = Callable[[], object]
"""What it returns is of no interest."""


LOOK_SHARE_MIN = 0.01
"""Of the time that an attempt has run: so soon it may be looked at again."""


class World:
    """One run. What begins with an underscore is nobody else's business."""

    def __init__(self, scenario: Scenario, seed: int, *, trace: bool = False) -> None:
        """`run` starts it, with a policy."""
        self.scenario = scenario
        self.seed = seed
        self.now = 0.0
        self.stations = [Station(number, one) for number, one in enumerate(scenario.network.machines)]
        self.jobs: list[Job] = []
        self.wires = Wires(scenario, trace)
        self.decisions = 0
        """How often somebody chose a machine for a unit; policies count."""
        self.moves = 0
        self.over: list[Attempt] = []
        """Attempts that have run."""
        self.policy: Policy
        self.witness: Callable[[Station], None] = _nothing
        """Told whenever what a station has to do has changed."""
        self._heap: list[tuple[float, int, Action]] = []
        self._count = 0
        self._turns = 0
        self._dirty: list[Station] = []
        self._node_factors = node_factors(scenario, seed)
        self._task_factors: list[TaskFactors] = []

    # What a policy may do.

    def bind(
        self, unit: Unit, machine: int, key: float, by: int, due_s: tuple[float, float] = (math.nan, math.nan)
    ) -> Attempt:
        """Machine `by` gives a unit that has no machine to one.

        `key` orders the machine's queue, the smallest first. `due_s` is when the unit should start and finish.
        """
        held = unit.held
        assert held is None or held.state is State.GONE, f"unit {unit.place} has a machine, move it"
        attempt = unit.held = self._attempt(unit, machine, key, by)
        attempt.due_start_s, attempt.due_finish_s = due_s
        self._hand_over(attempt)
        return attempt

    def move(
        self, unit: Unit, machine: int, key: float, by: int, due_s: tuple[float, float] = (math.nan, math.nan)
    ) -> Attempt:
        """Machine `by` takes a unit that has not started from its machine and gives it to another one."""
        held = unit.held
        assert held is not None, f"unit {unit.place} has no machine, bind it"
        assert not held.has_started, f"unit {unit.place} is {held.state.name}: what has started never moves"
        self.moves += 1
        self.leave(held)
        return self.bind(unit, machine, key, by, due_s)

    def copy(self, unit: Unit, machine: int, key: float, by: int) -> Attempt:
        """Machine `by` gives a unit that runs to a second machine, too. Whichever ends first is kept."""
        assert unit.copy is None, f"unit {unit.place} has a copy"
        assert unit.held is not None, f"unit {unit.place} has no machine, bind it"
        assert unit.held.has_started, f"unit {unit.place} has not started, move it"
        assert not unit.done, f"unit {unit.place} is done"
        attempt = unit.copy = self._attempt(unit, machine, key, by)
        self._hand_over(attempt)
        return attempt

    def abandon(self, attempt: Attempt) -> None:
        """End a copy, started or not; or an original that has one, which takes its place."""
        unit = attempt.unit
        assert attempt.state is not State.DONE, f"unit {unit.place} is done"
        assert unit.copy is not None, f"unit {unit.place} has no copy"
        if unit.held is attempt:
            unit.held = unit.copy
        unit.copy = None
        self.leave(attempt)

    def rekey(self, attempt: Attempt, key: float) -> None:
        """Give one that has not started another place in its queue."""
        assert not attempt.has_started, f"unit {attempt.unit.place} is {attempt.state.name}"
        if key != attempt.key:
            attempt.key = key
            station = self.stations[attempt.machine]
            if attempt in station.bound:
                station.queue.add(attempt)
                self.stir(station)

    def watch(self, attempt: Attempt, at_s: float) -> None:
        """Call `Policy.overdue` if the attempt still runs then, or a little later if it has run for long already: one
        that is late by far more than it should take is not worth many looks."""
        soonest_s = self.now + LOOK_SHARE_MIN * (self.now - attempt.start_s) if attempt.has_started else self.now
        self.at(max(at_s, soonest_s), partial(self._look, attempt))

    def at(self, when_s: float, action: Action) -> None:
        """Do something later, or at the end of this instant's events."""
        self._count += 1
        heapq.heappush(self._heap, (when_s, self._count, action))

    def message(self, source: int, target: int) -> float:
        """Send a message, and say how many seconds it takes. What it does is up to the caller."""
        return self.wires.message_s(source, target)

    @property
    def is_idle(self) -> bool:
        """Whether nothing will happen any more unless a policy does something now."""
        return (
            not self._heap and not self._dirty and (self.wires.flows is None or self.wires.flows.deadline == math.inf)
        )

    def stir(self, station: Station) -> None:
        """Ask the station's queue again: something may start that could not before."""
        if not station.dirty:
            station.dirty = True
            self._dirty.append(station)

    # The run.

    def run(self, strategy: Strategy) -> Result:
        """Until nothing more can happen."""
        was_on = gc.isenabled()
        gc.disable()  # a run makes no cycles that die in it; to look for them costs as much as all the rest
        try:
            return self._run(strategy)
        finally:
            if was_on:
                gc.enable()

    def _run(self, strategy: Strategy) -> Result:
        self._begin(strategy)
        heap, flows = self._heap, self.wires.flows
        while True:
            now = heap[0][0] if heap else math.inf
            if flows is not None:
                now = min(now, flows.deadline)
            if now == math.inf:
                return result_of(self, strategy.name)
            self.now = now
            self._instant()

    def _begin(self, strategy: Strategy) -> None:
        instances = {id(arrival.graph): arrival.graph for arrival in self.scenario.arrivals}
        costs = {key: instance_of(graph, self.scenario.network) for key, graph in instances.items()}
        for number, arrival in enumerate(self.scenario.arrivals):
            self.jobs.append(Job(number, arrival, costs[id(arrival.graph)]))
            self._task_factors.append(TaskFactors(self.scenario.durations, number, arrival, self.seed))
        policy = self.policy = strategy.policy(self)
        for station in self.stations:
            station.queue = policy.queue(station)
        for disruption in self.scenario.disruptions:
            self.at(disruption.at_s, partial(strike, self, disruption))
        for job in self.jobs:
            self.at(job.arrival.at_s, partial(self._release, job))

    def _instant(self) -> None:
        """Everything that happens now."""
        now, heap, flows, dirty = self.now, self._heap, self.wires.flows, self._dirty
        while True:
            while heap and heap[0][0] <= now:
                heapq.heappop(heap)[2]()
            if flows is not None and flows.deadline <= now:
                for attempt in self.wires.arrivals(now):
                    self._ready(attempt)
            elif dirty:
                for station in dirty:
                    station.dirty = False
                    self._start_what_may(station)
                dirty.clear()
            else:
                self.policy.settled()
                if not dirty and not (heap and heap[0][0] <= now):
                    return

    def _release(self, job: Job) -> None:
        """The next item of a job comes in."""
        item = len(job.items)
        job.release(self._task_factors[job.number].item())
        if item + 1 < job.arrival.items:
            self.at(job.arrival.at_s + (item + 1) * job.arrival.period_s, partial(self._release, job))
        self.policy.arrived(job, item)

    # What becomes of an attempt.

    def _attempt(self, unit: Unit, machine: int, key: float, by: int) -> Attempt:
        self._turns += 1
        attempt = Attempt(unit, machine, key, self._turns, by, self.now)
        assert attempt.expected_s < math.inf, f"machine {machine} cannot run unit {unit.place}"
        return attempt

    def _hand_over(self, attempt: Attempt) -> None:
        by, machine = attempt.by, attempt.machine
        seconds = 0.0
        if by != machine:
            seconds = self.wires.message_s(by, machine)
            self.wires.messages += 1  # the answer, which nobody waits for
        if seconds:
            self.at(self.now + seconds, partial(self._take, attempt))
        else:
            self._take(attempt)

    def _take(self, attempt: Attempt) -> None:
        """A machine has an attempt from now on. What is ready of its inputs is sent."""
        if attempt.state is State.GONE:
            return
        station = self.stations[attempt.machine]
        attempt.state = State.BOUND
        attempt.bound_s = attempt.arrival_s = self.now
        if not station.alive:
            station.lost.append(attempt)
            if not station.is_thought_alive:
                tell_lost(self, station)
            return
        if not self.policy.accepts(attempt):
            self._decline(attempt)
            return
        station.bound[attempt] = None
        self.witness(station)
        station.queue.add(attempt)
        unit = attempt.unit
        together, parents = unit.together, unit.job.instance.parents[unit.task]
        attempt.missing = len(parents)
        for number, size_bytes in parents:
            parent = together[number]
            if parent.done:
                assert parent.held is not None
                self.wires.send(parent, parent.held.machine, attempt, size_bytes, self.now)
        if not attempt.missing:
            self._expect(attempt)

    def _decline(self, attempt: Attempt) -> None:
        """The answer goes back, by the way that `_hand_over` has counted."""
        self.leave(attempt)
        seconds = self.wires.delay_s(attempt.machine, attempt.by)
        if seconds:
            self.at(self.now + seconds, partial(self._hear, attempt))
        else:
            self._hear(attempt)

    def _hear(self, attempt: Attempt) -> None:
        """Of an attempt that was declined."""
        unit = attempt.unit
        if unit.held is attempt:
            unit.held = None
        elif unit.copy is attempt:
            unit.copy = None
        else:
            return  # it has been given to somebody else meanwhile
        self.policy.declined(attempt)

    def _expect(self, attempt: Attempt) -> None:
        """It is known when the last input will be there."""
        if attempt.arrival_s <= self.now:
            self._ready(attempt)
        elif attempt.arrival_s < math.inf:
            self.at(attempt.arrival_s, partial(self._ready, attempt))

    def _ready(self, attempt: Attempt) -> None:
        if attempt.state is State.BOUND:
            attempt.ready_s = self.now
            window = attempt.unit.job.window
            if window is None or window.admits(attempt):
                self._admit(attempt)

    def _admit(self, attempt: Attempt) -> None:
        """It is ready, and there is room for what it will send."""
        if attempt.state is State.BOUND:
            attempt.state = State.READY
            station = self.stations[attempt.machine]
            station.queue.ready(attempt)
            self.stir(station)

    def _start_what_may(self, station: Station) -> None:
        if not station.alive:
            return
        queue, now = station.queue, self.now
        while (attempt := queue.pick(now)) is not None:
            station.occupy(attempt)
            attempt.state = State.RUNNING
            attempt.start_s = now
            unit = attempt.unit
            seconds = attempt.expected_s * unit.factor * self._node_factors[station.number] / station.speed
            attempt.finish_s = now + seconds
            self.end_later(attempt)
            self.witness(station)
            if unit.job.window is not None:
                for other in unit.job.window.started(unit):
                    self._admit(other)
            self.policy.started(attempt)
        wake_s = queue.wake_s
        if wake_s < math.inf and wake_s != station.wake_s:
            station.wake_s = wake_s
            self.at(wake_s, partial(self.stir, station))

    def end_later(self, attempt: Attempt) -> None:
        """When its finish is due, unless that changes."""
        self.at(attempt.finish_s, partial(self._end, attempt))

    def _end(self, attempt: Attempt) -> None:
        if attempt.state is not State.RUNNING or attempt.finish_s > self.now:
            return  # it was ended before, or its machine has become slower
        unit, now = attempt.unit, self.now
        attempt.state = State.DONE
        station = self.stations[attempt.machine]
        station.vacate(attempt)
        self.witness(station)
        self.stir(station)
        self.over.append(attempt)
        unit.job.left -= 1
        unit.done = True
        if unit.copy is not None:
            self._decide_race(unit, attempt)
        together, send, machine, bound = unit.together, self.wires.send, attempt.machine, State.BOUND
        for number, size_bytes in unit.job.instance.children[unit.task]:
            child = together[number]
            target = child.held
            if target is not None and target.state is bound:
                send(unit, machine, target, size_bytes, now)
                if not target.missing:
                    self._expect(target)
        self.policy.ended(attempt)

    def _decide_race(self, unit: Unit, winner: Attempt) -> None:
        """The original or its copy has ended first: the other need not."""
        assert unit.held is not None
        assert unit.copy is not None
        loser = unit.copy if winner is unit.held else unit.held
        unit.held, unit.copy = winner, None
        self.leave(loser)

    def leave(self, attempt: Attempt) -> None:
        """It is not wanted any more, wherever it is."""
        if attempt.state is State.GONE:
            return  # its machine has failed
        station = self.stations[attempt.machine]
        if attempt.state is State.RUNNING:
            station.vacate(attempt)
            self.over.append(attempt)
        else:
            station.bound.pop(attempt, None)
            self.wires.abandon(attempt, self.now)
        attempt.state = State.GONE
        attempt.finish_s = self.now
        self.witness(station)
        self.stir(station)

    def _look(self, attempt: Attempt) -> None:
        if attempt.state is State.RUNNING:
            self.policy.overdue(attempt)


def _nothing(station: Station) -> None:
    """Nobody looks."""
