"""Scenarios made by hand for the simulator's tests."""

import math
from collections.abc import Mapping, Sequence

from pnode.mappers.contention import Contention
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.plan import Plan, Planner
from pnode.protocol.view import Mapper
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import (
    Arrival,
    Disruption,
    Durations,
    Gossip,
    Graph,
    Handoff,
    Machine,
    Network,
    Scenario,
    Vertex,
)
from pnode.sim.schedule.validator import validate


def network(
    *machines: Machine, bandwidth: float = 100.0, latency_s: float = 0.0, links: Mapping[str, float] | None = None
) -> Network:
    """Machines a, b, ... unless given; `links` are bandwidths by "ab" (source, target)."""
    size = len(machines)
    rows = [
        [(links or {}).get(chr(97 + source) + chr(97 + target), bandwidth) for target in range(size)]
        for source in range(size)
    ]
    return Network(machines, uniform(size, latency_s), tuple(map(tuple, rows)))


def machines(count: int, **facts: float) -> tuple[Machine, ...]:
    """As many alike, called a, b, ..."""
    return tuple(Machine(chr(97 + number), **facts) for number in range(count))  # type: ignore[arg-type]  # cores is int


def graph(costs: Mapping[str, float], edges: Mapping[str, float], **vertices: Vertex) -> Graph:
    """Tasks by one letter each; edges by "xy" (parent, child) with their sizes; `vertices` replace tasks."""
    names = list(costs)
    tasks = tuple(vertices.get(name, Vertex(name, cost)) for name, cost in costs.items())
    pairs = [(names.index(pair[0]), names.index(pair[1]), size) for pair, size in edges.items()]
    return Graph("g", tasks, tuple(Edge(*pair) for pair in pairs))


def scenario(
    net: Network,
    *graphs: Graph | Arrival,
    contention: Contention = Contention.NONE,
    durations: Durations | None = None,
    disruptions: Sequence[Disruption] = (),
    gossip: Gossip | None = None,
    handoff: Handoff | None = None,
) -> Scenario:
    arrivals = tuple(one if isinstance(one, Arrival) else Arrival(one) for one in graphs)
    return Scenario(
        "test",
        net,
        arrivals,
        contention,
        durations or Durations(),
        tuple(disruptions),
        gossip or Gossip(),
        handoff or Handoff(),
    )


def of(instance: Instance, contention: Contention = Contention.NONE) -> Scenario:
    """One instance as a scenario whose costs are the very same floats."""
    size = instance.nodes
    bandwidth = tuple(tuple(1.0 / pace if pace else math.inf for pace in row) for row in instance.seconds_per_byte)
    tasks = tuple(Vertex(f"t{task}", 1.0, costs_s=row) for task, row in enumerate(instance.cost_s))
    net = Network(tuple(Machine(f"m{number}") for number in range(size)), instance.latency_s, bandwidth)
    return scenario(net, Graph("g", tasks, instance.edges), contention=contention)


def with_an_instant() -> Scenario:
    """HEFT plans z, which takes no time and is placed last but one, for the moment at which x begins on b."""
    costs = {"p": 4.0, "y": 4.5, "x": 3.0, "z": 0.0, "w": 2.5}
    return scenario(network(*machines(3)), graph(costs, {"py": 0.0, "px": 100.0, "pz": 100.0, "zw": 0.0}))


def run(world: Scenario, mapper: str | Strategy | Mapper | Planner, seed: int = 0) -> Result:
    """Simulate, and see that what came of it can have happened."""
    result = simulate(world, mapper, seed, trace=True)
    validate(result)
    return result


def times(result: Result) -> dict[str, tuple[float, float]]:
    """Start and finish of what was kept, by the name of the task, with the item in streams."""
    arrivals = result.scenario.arrivals
    return {
        arrivals[one.job].graph.tasks[one.task].name + (str(one.item) if arrivals[one.job].items > 1 else ""): (
            one.start_s,
            one.finish_s,
        )
        for one in result.executions
        if one.kept
    }


def where(result: Result) -> str:
    """The letters of the machines that the tasks of the first job's first item ran on, by the number of the task."""
    kept = [one for one in result.executions if one.kept and not one.job and not one.item]
    return "".join(chr(97 + one.machine) for one in sorted(kept, key=lambda one: one.task))


def at(*nodes: int, order: Sequence[int] = ()) -> Planner:
    """A planner that puts each task where it is told, started in the order of the tasks unless told otherwise."""

    def planner(instance: Instance) -> Plan:
        turns = order or range(instance.tasks)
        starts = [0.0] * instance.tasks
        for turn, task in enumerate(turns):
            starts[task] = float(turn)
        return Plan(tuple(nodes), tuple(starts), tuple(starts), tuple(turns))

    return planner
