"""Figures: what is told of one run, as one row of numbers."""

import math

from pnode.protocol.values import dataclass
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.scenario import Arrival, Network, Scenario, instance_of

from .table import Value

FIGURES = (
    "makespan_s",
    "response_s",
    "slr",
    "speedup",
    "utilisation",
    "bytes",
    "messages",
    "decisions",
    "moves",
    "complete",
)
"""The columns that a run fills, in order."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What the runs of a scenario are measured by; it does not depend on who maps."""

    shortest_s: tuple[float, ...]
    """Per arrival: no run of it is shorter, however many machines there are."""
    alone_s: float | None
    """Makespan of the best machine that does everything by itself; None when no machine can."""


def yardstick(scenario: Scenario) -> Yardstick:
    """Look once at a scenario for all of its runs. Raises ScenarioError."""
    shortest: list[float] = []
    rows: list[list[float]] = []
    for arrival in scenario.arrivals:
        path_s, work_s = _path_and_work_s(arrival, scenario.network)
        shortest.append(path_s + (arrival.items - 1) * arrival.period_s)
        rows.append(work_s)
    alone_s = min(
        _alone_s(scenario.arrivals, [row[machine] for row in rows])
        for machine in range(len(scenario.network.machines))
    )
    return Yardstick(tuple(shortest), alone_s if alone_s < math.inf else None)


def figures(result: Result, against: Yardstick) -> tuple[Value, ...]:
    """One value for each of FIGURES. Of a run that did not complete, only what it cost is known.

    The schedule length ratio is that of Topcuoglu, Hariri and Wu 2002, section 5.1: the makespan over the critical
    path at every task's smallest cost; with several graphs, the mean over them with their response times. Speed-up is
    the time that the best machine takes alone over the makespan (ibid.).
    """
    costs: tuple[Value, ...] = (
        _finite(result.utilisation),
        float(result.bytes_moved),
        result.messages,
        result.decisions,
        result.moves,
        result.complete,
    )
    if not result.complete:
        return (None, None, None, None, *costs)
    makespan_s = float(result.makespan_s)
    responses_s = result.responses_s
    ratios = [_ratio(response, least) for response, least in zip(responses_s, against.shortest_s, strict=True)]
    known = [ratio for ratio in ratios if ratio is not None]
    slr = math.fsum(known) / len(known) if known else None
    speedup = None if against.alone_s is None else _ratio(against.alone_s, makespan_s)
    return (makespan_s, math.fsum(responses_s) / len(responses_s), slr, speedup, *costs)


def _finite(number: float) -> float | None:
    """None for what never ended."""
    return float(number) if math.isfinite(number) else None


def _ratio(over: float, under: float) -> float | None:
    return float(over / under) if under else None


def _path_and_work_s(arrival: Arrival, network: Network) -> tuple[float, list[float]]:
    """The critical path at smallest costs, and per machine all work of one item; `inf` where some task cannot run."""
    instance = instance_of(arrival.graph, network)
    longest = [0.0] * instance.tasks
    for task in reversed(instance.order):
        below = max((longest[child] for child, _ in instance.children[task]), default=0.0)
        longest[task] = min(instance.cost_s[task]) + below
    return max(longest), [math.fsum(column) for column in zip(*instance.cost_s, strict=True)]


def _alone_s(arrivals: tuple[Arrival, ...], work_s: list[float]) -> float:
    """Makespan of a machine that does one item after the other, first come first served."""
    items = sorted(
        (arrival.at_s + item * arrival.period_s, work)
        for arrival, work in zip(arrivals, work_s, strict=True)
        for item in range(arrival.items)
    )
    begin_s = free_s = items[0][0]
    for at_s, work in items:
        free_s = max(free_s, at_s) + work
    return free_s - begin_s
