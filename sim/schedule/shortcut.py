"""A shortcut: plans that need no world, because nothing can happen that they do not say.

One job at the very beginning, machines that run one task at a time, no contention, links without a quadratic term
(by which a plan may have data come before it leaves), nobody who fails, and nobody who wants to see every transfer:
then `mappers.evaluate` says the same in less time. It is never taken where the two could differ, and a test holds one
against the other.
"""

import math

from pnode.mappers.contention import Contention
from pnode.mappers.evaluate import evaluate
from pnode.mappers.execution import PlanError
from pnode.mappers.instance import Instance
from pnode.mappers.plan import Plan, Planner

from .draws import TaskFactors, node_factors
from .result import Execution, Result
from .scenario import Scenario, instance_of


def is_open(scenario: Scenario) -> bool:
    """Whether the shortcut leads to the same result."""
    arrival = scenario.arrivals[0]
    return (
        scenario.contention is Contention.NONE
        and scenario.network.seconds_per_byte2 is None
        and len(scenario.arrivals) == 1
        and arrival.items == 1
        and arrival.at_s == 0.0
        and not scenario.disruptions
        and scenario.handoff.free
        and all(machine.cores == 1 for machine in scenario.network.machines)
    )


def take(scenario: Scenario, name: str, planner: Planner, seed: int) -> Result | None:
    """Carry out the planner's plan in strict order; None if it cannot be carried out to the end."""
    arrival = scenario.arrivals[0]
    instance = instance_of(arrival.graph, scenario.network)
    plan = planner(instance)
    factors, slowness = TaskFactors(scenario.durations, 0, arrival, seed).item(), node_factors(scenario, seed)
    taken_s = [
        row[node] * factor * slowness[node]
        for row, node, factor in zip(instance.cost_s, plan.node, factors, strict=True)
    ]
    try:
        outcome = evaluate(instance, plan, taken_s=taken_s)
    except PlanError:
        return None
    node, ready_s = plan.node, _ready_s(instance, plan, outcome.finish_s)
    executions = [
        Execution(0, 0, task, node[task], 0.0, ready_s[task], start_s, outcome.finish_s[task])
        for task, start_s in enumerate(outcome.start_s)
    ]
    executions.sort(key=lambda one: (one.start_s, one.task))
    return Result(
        scenario=scenario,
        mapper=name,
        seed=seed,
        executions=tuple(executions),
        transfers=(),
        bytes_moved=math.fsum(
            edge.size_bytes for edge in arrival.graph.edges if node[edge.parent] != node[edge.child]
        ),
        messages=2 * sum(machine != arrival.origin for machine in node),
        decisions=instance.tasks,
        moves=0,
        complete=True,
    )


def _ready_s(instance: Instance, plan: Plan, finish_s: tuple[float, ...]) -> list[float]:
    """When the last input of each task arrived, added up as `wires` does."""
    node, latency_s, inverse = plan.node, instance.latency_s, instance.seconds_per_byte
    ready = [0.0] * instance.tasks
    for edge in instance.edges:
        source, target = node[edge.parent], node[edge.child]
        arrival = finish_s[edge.parent]
        if source != target:
            arrival = arrival + latency_s[source][target] + edge.size_bytes * inverse[source][target]
        if arrival > ready[edge.child]:
            ready[edge.child] = arrival
    return ready
