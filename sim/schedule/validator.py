"""A validator: whether what a result says can have happened in its scenario.

It reads the flat records and the scenario, and nothing else: not a line of it is shared with the engine that made the
result or with the machines that moved its data, so that a mistake there is not repeated here. Times are compared with
a tolerance for rounding; everything else is exact.
"""

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise

from pnode.mappers.contention import Contention
from pnode.protocol.values import dataclass

from .capacity import Load, overloaded
from .errors import InfeasibleError
from .result import Execution, Result
from .scenario import Fate, Scenario, Spread, Vertex
from .traffic import check_traffic

ROUNDING = 1e-9
"""Of the latest time in the result: a thousand additions of doubles are wrong by a ten-thousandth of that."""

Place = tuple[int, int, int]
"""Job, item, task."""


def validate(result: Result) -> None:
    """Raises InfeasibleError with the first thing that cannot be."""
    facts = _Facts(result)
    for execution in result.executions:
        _check_record(facts, execution)
    _check_completeness(facts)
    for execution in result.executions:
        _check_machine(facts, execution)
        _check_duration(facts, execution)
        _check_inputs(facts, execution)
    _check_losses(facts)
    _check_capacity(facts)
    _check_queues(facts)
    check_traffic(result, facts.kept, facts.slack_s)


@dataclass(frozen=True)
class _Facts:
    """What several checks look up."""

    result: Result

    @cached_property
    def slack_s(self) -> float:
        return ROUNDING * max((abs(one.finish_s) for one in self.result.executions), default=0.0)

    @cached_property
    def kept(self) -> Mapping[Place, Execution]:
        found: dict[Place, Execution] = {}
        for one in self.result.executions:
            if one.kept:
                place = (one.job, one.item, one.task)
                if place in found:
                    raise InfeasibleError(f"{self.name(one)} has two results that are kept, expected one")
                found[place] = one
        return found

    @cached_property
    def attempts(self) -> Mapping[Place, list[Execution]]:
        """All that ran, kept or not."""
        found: dict[Place, list[Execution]] = {}
        for one in self.result.executions:
            found.setdefault((one.job, one.item, one.task), []).append(one)
        return found

    @cached_property
    def speeds(self) -> list[list[tuple[float, float]]]:
        """Per machine: from when on it runs how many times as fast as it should, in order."""
        rows: list[list[tuple[float, float]]] = [[(-math.inf, 1.0)] for _ in self.result.scenario.network.machines]
        for one in sorted(self.result.scenario.disruptions, key=lambda one: one.at_s):
            if one.fate is Fate.SPEED:
                rows[one.machine].append((one.at_s, one.factor))
        return rows

    @cached_property
    def absences(self) -> list[list[tuple[float, float]]]:
        """Per machine: from when until when it is not there."""
        rows: list[list[tuple[float, float]]] = [[] for _ in self.result.scenario.network.machines]
        gone: dict[int, float] = {}
        for one in sorted(self.result.scenario.disruptions, key=lambda one: one.at_s):
            if one.fate is Fate.FAIL:
                gone.setdefault(one.machine, one.at_s)
            elif one.fate is Fate.RECOVER and one.machine in gone:
                rows[one.machine].append((gone.pop(one.machine), one.at_s))
        for machine, since_s in gone.items():
            rows[machine].append((since_s, math.inf))
        return rows

    @cached_property
    def parents(self) -> list[list[list[tuple[int, float]]]]:
        """Per job and task: parents with the sizes of what they send."""
        jobs = []
        for arrival in self.result.scenario.arrivals:
            rows: list[list[tuple[int, float]]] = [[] for _ in arrival.graph.tasks]
            for edge in arrival.graph.edges:
                rows[edge.child].append((edge.parent, edge.size_bytes))
            jobs.append(rows)
        return jobs

    def vertex(self, one: Execution) -> Vertex:
        return self.result.scenario.arrivals[one.job].graph.tasks[one.task]

    def name(self, one: Execution) -> str:
        machine = self.result.scenario.network.machines[one.machine].name
        return f"task {self.vertex(one).name!r} of job {one.job}, item {one.item}, on machine {machine!r}"


def _check_record(facts: _Facts, one: Execution) -> None:
    scenario = facts.result.scenario
    if not (
        0 <= one.job < len(scenario.arrivals)
        and 0 <= one.item < scenario.arrivals[one.job].items
        and 0 <= one.task < len(scenario.arrivals[one.job].graph.tasks)
        and 0 <= one.machine < len(scenario.network.machines)
    ):
        raise InfeasibleError(f"{one} names something that the scenario does not have")
    arrival = scenario.arrivals[one.job]
    times = (arrival.at_s + one.item * arrival.period_s, one.bound_s, one.ready_s, one.start_s, one.finish_s)
    if not all(map(math.isfinite, times)):
        raise InfeasibleError(f"{facts.name(one)} has times that are no numbers: {one}")
    for (what, before_s), (then, after_s) in pairwise(
        zip(("submitted", "bound", "ready", "started", "finished"), times, strict=True)
    ):
        if after_s < before_s - facts.slack_s:
            raise InfeasibleError(f"{facts.name(one)} is {then} at {after_s} s, before it is {what} at {before_s} s")


def _check_completeness(facts: _Facts) -> None:
    expected = sum(len(arrival.graph.tasks) * arrival.items for arrival in facts.result.scenario.arrivals)
    if facts.result.complete != (len(facts.kept) == expected):
        raise InfeasibleError(
            f"the result says it is {'' if facts.result.complete else 'not '}complete, with {len(facts.kept)} "
            f"results kept of {expected} tasks"
        )


def _check_machine(facts: _Facts, one: Execution) -> None:
    machine, vertex = facts.result.scenario.network.machines[one.machine], facts.vertex(one)
    if vertex.pinned not in ("", machine.name):
        raise InfeasibleError(f"{facts.name(one)} may run on {vertex.pinned!r} only")
    if vertex.costs_s and vertex.costs_s[one.machine] == math.inf:
        raise InfeasibleError(f"{facts.name(one)} cannot run there")
    for since_s, until_s in facts.absences[one.machine]:
        # What is lost in a failure ends at its very moment, and what waits there is lost with its inputs.
        if one.bound_s < until_s - facts.slack_s and one.finish_s > since_s + facts.slack_s:
            raise InfeasibleError(
                f"{facts.name(one)} is there from {one.bound_s} s to {one.finish_s} s; the machine is not "
                f"there from {since_s} s to {until_s} s"
            )


def _check_duration(facts: _Facts, one: Execution) -> None:
    """The work that was done, at the machine's speeds, is what the scenario asks for, or less if it was lost."""
    durations = facts.result.scenario.durations
    machine, vertex = facts.result.scenario.network.machines[one.machine], facts.vertex(one)
    cost_s = vertex.costs_s[one.machine] if vertex.costs_s else vertex.cost_s / machine.speed
    done_s = sum(seconds * speed for seconds, speed in _stretches(facts.speeds[one.machine], one))
    traced = dict(durations.factors[one.job]) if one.job < len(durations.factors) else {}
    low, high = traced.get(vertex.name, 1.0), traced.get(vertex.name, 1.0)
    if vertex.name not in traced and durations.spread is not Spread.EXACT:
        is_uniform = durations.spread is Spread.UNIFORM
        low, high = (1.0 - durations.width, 1.0 + durations.width) if is_uniform else (0.0, math.inf)
    low, high = low * (1.0 - durations.node_width), high * (1.0 + durations.node_width)
    fastest = max(1.0, *(speed for _, speed in facts.speeds[one.machine]))
    slack_s = facts.slack_s * fastest
    most_s = cost_s * high if cost_s else 0.0
    if done_s > most_s + slack_s or (one.kept and done_s < cost_s * low - slack_s):
        raise InfeasibleError(
            f"{facts.name(one)} does {done_s} s of work from {one.start_s} s to {one.finish_s} s, expected "
            f"{cost_s} s times {low:g} to {high:g}"
        )


def _stretches(speeds: list[tuple[float, float]], one: Execution) -> Iterator[tuple[float, float]]:
    """The seconds that it ran at each speed."""
    for (since_s, speed), (until_s, _) in pairwise([*speeds, (math.inf, 1.0)]):
        seconds = min(until_s, one.finish_s) - max(since_s, one.start_s)
        if seconds > 0:
            yield seconds, speed


def _check_inputs(facts: _Facts, one: Execution) -> None:
    """Every parent has ended, and its output had the time to come."""
    network = facts.result.scenario.network
    for parent, size_bytes in facts.parents[one.job][one.task]:
        source = facts.kept.get((one.job, one.item, parent))
        name = facts.result.scenario.arrivals[one.job].graph.tasks[parent].name
        if source is None:
            raise InfeasibleError(f"{facts.name(one)} starts at {one.start_s} s, its parent {name!r} never ends")
        soonest_s = source.finish_s
        if source.machine != one.machine:
            rate = _rate(facts.result.scenario, source.machine, one.machine)
            if not rate:
                raise InfeasibleError(f"{facts.name(one)} has input from a machine that cannot reach it: {name!r}")
            soonest_s = max(soonest_s, one.bound_s) + network.latency_s[source.machine][one.machine]
            soonest_s += size_bytes / rate
            if network.seconds_per_byte2 is not None:
                soonest_s += size_bytes**2 * network.seconds_per_byte2[source.machine][one.machine]
        if one.ready_s < soonest_s - facts.slack_s:
            raise InfeasibleError(
                f"{facts.name(one)} is ready at {one.ready_s} s, the output of its parent {name!r} cannot be there "
                f"before {soonest_s} s"
            )


def _check_losses(facts: _Facts) -> None:
    """What is not kept was lost with its machine, or ended since there was another attempt."""
    for one in facts.result.executions:
        if one.kept or any(
            abs(since_s - one.finish_s) <= facts.slack_s for since_s, _ in facts.absences[one.machine]
        ):
            continue
        others = facts.attempts[one.job, one.item, one.task]
        if not any(
            other.machine != one.machine
            and other.bound_s <= one.finish_s + facts.slack_s
            and other.finish_s >= one.finish_s - facts.slack_s
            for other in others
        ):
            raise InfeasibleError(
                f"{facts.name(one)} is not kept, though at its end, at {one.finish_s} s, neither its machine failed "
                "nor was there another attempt elsewhere"
            )


def _rate(scenario: Scenario, source: int, target: int) -> float:
    """Bytes per second at best, when nothing else is under way."""
    network = scenario.network
    rate = network.bandwidth_bytes_per_s[source][target]
    if scenario.contention is not Contention.NIC:
        return rate
    return min(rate, network.machines[source].up_bytes_per_s, network.machines[target].down_bytes_per_s)


def _check_capacity(facts: _Facts) -> None:
    """At no instant more cores or memory are in use than a machine has."""
    for number, machine in enumerate(facts.result.scenario.network.machines):
        here = [one for one in facts.result.executions if one.machine == number]
        cores = [Load(one.start_s, one.finish_s, facts.vertex(one).cores) for one in here]
        memory = [Load(one.start_s, one.finish_s, facts.vertex(one).memory_bytes) for one in here]
        for what, loads, capacity in (("cores", cores, machine.cores), ("bytes", memory, machine.memory_bytes)):
            found = overloaded(loads, capacity, facts.slack_s)
            if found is not None:
                at_s, amount = found
                raise InfeasibleError(
                    f"machine {machine.name!r} has {capacity:g} {what}, {amount:g} are in use at {at_s} s"
                )


def _check_queues(facts: _Facts) -> None:
    """In a stream with bounded queues, nothing starts that would have no place at a child of its task."""
    starts: dict[Place, float] = {}
    for one in facts.result.executions:
        place = (one.job, one.item, one.task)
        starts[place] = min(starts.get(place, math.inf), one.start_s)
    for job, arrival in enumerate(facts.result.scenario.arrivals):
        bound = arrival.queue_items_max
        for edge in arrival.graph.edges if bound else ():
            left_s = -math.inf
            for item in range(bound, arrival.items):
                left_s = max(left_s, starts.get((job, item - bound, edge.child), math.inf))
                start_s = starts.get((job, item, edge.parent), math.inf)
                if left_s > start_s + facts.slack_s:
                    raise InfeasibleError(
                        f"task {arrival.graph.tasks[edge.parent].name!r} of job {job} starts item {item} at "
                        f"{start_s} s, when its child has not started item {item - bound}: queues hold {bound} items"
                    )
