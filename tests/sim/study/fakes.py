"""A fake engine with the real one's signature, and scenarios that take no time: what is tested is the study's own."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from pnode.mappers.catalogue import UnknownMapperError
from pnode.mappers.instance import Edge
from pnode.sim.schedule.result import Execution, Result
from pnode.sim.schedule.scenario import Arrival, Graph, Machine, Network, Scenario, Vertex
from pnode.sim.study.batch import Contender, name_of

SLOWNESS = {"heft": 1.0, "fast": 0.5, "slow": 2.0}
"""What the fake knows of mappers: how long everything takes."""


def network(*speeds: float) -> Network:
    """Machines of these speeds, and links of a byte per second."""
    machines = tuple(Machine(f"m{number}", speed) for number, speed in enumerate(speeds))
    square = tuple(tuple(1.0 for _ in speeds) for _ in speeds)
    return Network(machines, tuple(tuple(0.0 for _ in speeds) for _ in speeds), square)


def chain(*costs_s: float, name: str = "chain") -> Graph:
    """Tasks one after the other."""
    tasks = tuple(Vertex(f"t{number}", cost_s) for number, cost_s in enumerate(costs_s))
    return Graph(name, tasks, tuple(Edge(at, at + 1, 1.0) for at in range(len(costs_s) - 1)))


def with_tasks(graph: Graph, *names: str) -> Graph:
    """The same with other names."""
    return replace(
        graph, tasks=tuple(replace(task, name=name) for task, name in zip(graph.tasks, names, strict=True))
    )


def with_machines(ways: Network, *names: str) -> Network:
    """The same with other names."""
    machines = tuple(replace(machine, name=name) for machine, name in zip(ways.machines, names, strict=True))
    return replace(ways, machines=machines)


def with_cores(ways: Network, cores: int) -> Network:
    """The same with so many cores on each machine."""
    return replace(ways, machines=tuple(replace(machine, cores=cores) for machine in ways.machines))


def scenario(*costs_s: float, name: str = "plain", speeds: tuple[float, ...] = (1.0, 2.0)) -> Scenario:
    """A chain of such tasks on two machines."""
    return Scenario(name, network(*speeds), (Arrival(chain(*(costs_s or (3.0, 1.0)))),))


def drawn(rng: Random) -> Scenario:
    """A family's scenario."""
    return scenario(rng.uniform(1, 10), rng.uniform(1, 10), name="drawn")


def fake(scenario: Scenario, mapper: Contender, seed: int = 0, *, trace: bool = False) -> Result:
    """Does everything on the first machine, one after the other, as fast as the mapper is; a seed adds a little."""
    del trace
    mapper = name_of(mapper)
    if mapper not in SLOWNESS:
        raise UnknownMapperError(f"there is no mapper {mapper!r}")
    rng = Random(f"{mapper}/{seed}/{len(scenario.arrivals)}")
    executions = []
    now = 0.0
    for job, arrival in enumerate(scenario.arrivals):
        for task, vertex in enumerate(arrival.graph.tasks):
            end = now + SLOWNESS[mapper] * vertex.cost_s * (1 + (rng.random() if seed else 0.0))
            executions.append(Execution(job, 0, task, 0, now, now, now, end))
            now = end
    return Result(scenario, mapper, seed, tuple(executions), (), 10.0, 3, len(executions), 1, complete=True)


@dataclass(frozen=True)
class Counting:
    """The same, and a line in a file for every run that was begun; it may take a while."""

    file: Path
    pause_s: float = 0.0

    def __call__(self, scenario: Scenario, mapper: Contender, seed: int = 0, *, trace: bool = False) -> Result:
        with self.file.open("a") as file:
            file.write(f"{scenario.arrivals[0].graph.tasks[0].cost_s!r} {name_of(mapper)} {seed}\n")
        time.sleep(self.pause_s)
        return fake(scenario, mapper, seed, trace=trace)
