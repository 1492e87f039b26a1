"""Conditions: what a mapper has to cope with besides the graph: noise, wrong speeds, a slow-down, a loss, contention.

They are those of scheduling.md 2.4, 4.14 and 4.15, each on top of a scenario in which all goes as profiled. All
instants and ages are told in mean tasks or in parts of HEFT's planned makespan, so that graphs of seconds and graphs
of hours are troubled alike.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from random import Random

from pnode.mappers.contention import Contention
from pnode.mappers.heft import heft
from pnode.mappers.instance import Instance
from pnode.mappers.plan import Plan
from pnode.sim.schedule.scenario import (
    Arrival,
    Disruption,
    Durations,
    Fate,
    Gossip,
    Graph,
    Machine,
    Network,
    Scenario,
    Spread,
    Vertex,
    instance_of,
)

ONSET = 0.3
"""Of HEFT's makespan: when machines slow down or fail."""

SLOWED = 4.0
"""How many times slower a machine becomes."""

SLOW_SHARE = 4
"""One machine in so many slows down, at least one."""

DETECTION_TASKS = 2.0
"""Mean tasks until a failure is known: between the 1.5 s of a suspicion and the 5-9 s of a verdict for tasks of
seconds (membership.md 3.1)."""

AGE_TASKS = 1.0
"""Mean tasks between two looks at the others, wherever something is uncertain (scheduling.md 2.5)."""


class Condition(Enum):
    """By the words of scheduling.md 2.4."""

    PERFECT = "perfect"
    IID30 = "iid30"
    IID50 = "iid50"
    LOGN = "logn0.8"
    NODE30 = "node30"
    NODE50 = "node50"
    BOTH50 = "node50+iid50"
    SLOW = "slow"
    LOSS = "loss"
    CONTENTION = "contention"


_DURATIONS = {
    Condition.IID30: Durations(Spread.UNIFORM, 0.3),
    Condition.IID50: Durations(Spread.UNIFORM, 0.5),
    Condition.LOGN: Durations(Spread.LOGNORMAL, 0.8),
    Condition.NODE30: Durations(node_width=0.3),
    Condition.NODE50: Durations(node_width=0.5),
    Condition.BOTH50: Durations(Spread.UNIFORM, 0.5, 0.5),
}


def under(condition: Condition, scenario: Scenario, rng: Random) -> Scenario:
    """The scenario, which has one graph, under a condition. Raises ScenarioError."""
    if condition is Condition.PERFECT:
        return scenario
    if condition is Condition.CONTENTION:
        return replace(scenario, contention=Contention.LINK)
    instance = instance_of(scenario.arrivals[0].graph, scenario.network)
    gossip = Gossip(AGE_TASKS * instance.mean_task_s)
    if condition is Condition.SLOW:
        return replace(scenario, gossip=gossip, disruptions=_slow_downs(instance, heft(instance), rng))
    if condition is Condition.LOSS:
        gossip = replace(gossip, detection_s=DETECTION_TASKS * instance.mean_task_s)
        return replace(scenario, gossip=gossip, disruptions=(_loss(instance, heft(instance)),))
    return replace(scenario, gossip=gossip, durations=_DURATIONS[condition])


def _slow_downs(instance: Instance, plan: Plan, rng: Random) -> tuple[Disruption, ...]:
    slow = rng.sample(range(instance.nodes), max(1, instance.nodes // SLOW_SHARE))
    at_s = ONSET * plan.makespan_s
    return tuple(Disruption(at_s, machine, Fate.SPEED, 1.0 / SLOWED) for machine in sorted(slow))


def _loss(instance: Instance, plan: Plan) -> Disruption:
    """The machine with the most planned work fails for good."""
    work = [0.0] * instance.nodes
    for task, node in enumerate(plan.node):
        work[node] += instance.cost_s[task][node]
    return Disruption(ONSET * plan.makespan_s, work.index(max(work)), Fate.FAIL)


def scenario_of(instance: Instance, name: str) -> Scenario:
    """An instance as it is, submitted on the first machine."""
    machines = tuple(Machine(f"m{number}") for number in range(instance.nodes))
    bandwidth = tuple(tuple(_bandwidth(value) for value in row) for row in instance.seconds_per_byte)
    network = Network(machines, instance.latency_s, bandwidth, instance.seconds_per_byte2)
    tasks = tuple(
        Vertex(f"t{number}", instance.mean_cost_s[number], tuple(row)) for number, row in enumerate(instance.cost_s)
    )
    return Scenario(name, network, (Arrival(Graph(name, tasks, instance.edges)),))


def _bandwidth(seconds_per_byte: float) -> float:
    return math.inf if seconds_per_byte == 0 else 1.0 / seconds_per_byte


TENANTS_LOAD = 0.7
"""Total work over total speed over the time in which graphs arrive (scheduling.md 4.14)."""


def tenants(graphs: Sequence[Graph], network: Network, age_tasks: float, rng: Random) -> Scenario:
    """Graphs that come from machines drawn at random, at instants of a Poisson process of a load of TENANTS_LOAD.
    Their tasks have no costs per machine, since work over speed then says nothing.

    `age_tasks` is the age of views in mean tasks; with far more than a run takes, origins know nothing of each other.
    """
    instances = [instance_of(graph, network) for graph in graphs]
    work_s = math.fsum(task.cost_s for graph in graphs for task in graph.tasks)
    horizon_s = work_s / math.fsum(one.speed * one.cores for one in network.machines) / TENANTS_LOAD
    # A Poisson process of which the number of arrivals is known: as many instants, each uniform.
    instants = sorted(rng.uniform(0.0, horizon_s) for _ in graphs)
    arrivals = tuple(
        Arrival(graph, at_s, rng.randrange(len(network.machines)))
        for graph, at_s in zip(graphs, instants, strict=True)
    )
    mean_s = math.fsum(instance.mean_task_s for instance in instances) / len(instances)
    return Scenario("tenants", network, arrivals, gossip=Gossip(age_tasks * mean_s))
