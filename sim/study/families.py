"""Families: the sets of instances on which mappers are compared, each under any condition.

A is layered random graphs (scheduling.md 2.3). B is real traces on drawn networks; where the traces are not at hand,
bundles of chains of the same sizes stand in, so that a table can be made anywhere, if not the same one.
"""

import functools
import hashlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from random import Random

from pnode.mappers.instance import Edge, Instance, related, uniform
from pnode.mappers.layered import Layering, layered, set_a
from pnode.mappers.networks import rescaled, symmetric
from pnode.protocol.values import dataclass
from pnode.sim.formats.wfformat import read_wfformat
from pnode.sim.schedule.scenario import Graph, Scenario, Vertex

from .case import Family
from .conditions import Condition, scenario_of, under

TRACES = "wfinstances"
"""The folder of the traces in a folder of data."""

SPEEDS = (0.25, 1.75)
"""Of nodes and links of set B, uniform, before links are scaled to a CCR."""

NETWORKS = ((8, 0.1), (8, 1.0), (16, 1.0))
"""Nodes and CCR; each graph of set B is run on each."""


@dataclass(frozen=True)
class Layers:
    """Draws a layered instance under a condition."""

    layering: Layering
    condition: Condition

    def __call__(self, rng: Random) -> Scenario:
        return under(self.condition, scenario_of(layered(rng, *self.layering), "layered"), rng)


@dataclass(frozen=True)
class Traced:
    """Draws a network for a recorded graph, and puts both under a condition."""

    path: str
    content: str
    """Digest of the file: recorded runs are not to be taken for those of another content."""
    nodes: int
    ccr: float
    condition: Condition

    def __call__(self, rng: Random) -> Scenario:
        graph = _read(self.path)
        instance = on_drawn_network(graph, self.nodes, self.ccr, rng)
        return under(self.condition, scenario_of(instance, graph.name), rng)


def digest_of(path: Path) -> str:
    """Of a file's content. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.lru_cache(maxsize=64)  # a family has about as many; one trace is read for several networks and conditions
def _read(path: str) -> Graph:
    return read_wfformat(Path(path))


@dataclass(frozen=True)
class Bundled:
    """Draws chains between a fork and a join, and a network, and puts both under a condition."""

    chains: int
    length: int
    nodes: int
    ccr: float
    condition: Condition

    def __call__(self, rng: Random) -> Scenario:
        graph = bundle(self.chains, self.length, rng)
        instance = on_drawn_network(graph, self.nodes, self.ccr, rng)
        return under(self.condition, scenario_of(instance, graph.name), rng)


def bundle(chains: int, length: int, rng: Random) -> Graph:
    """Parallel chains between two tasks, the shape that most traces have in their middle.

    Costs are lognormal with a coefficient of variation of 1.3, about that of the traces (data README 1.3); sizes are
    exponential.
    """
    last = 1 + chains * length
    tasks = tuple(Vertex(f"t{number}", rng.lognormvariate(0.0, 1.0)) for number in range(last + 1))
    edges: list[Edge] = []
    for chain in range(chains):
        along = [0, *range(1 + chain * length, 1 + (chain + 1) * length), last]
        edges += [Edge(*pair, rng.expovariate(1.0)) for pair in pairwise(along)]
    return Graph("bundle", tasks, tuple(edges))


def on_drawn_network(graph: Graph, nodes: int, ccr: float, rng: Random) -> Instance:
    """The graph on nodes and links of speeds in SPEEDS, links scaled to the CCR."""
    speeds = [rng.uniform(*SPEEDS) for _ in range(nodes)]
    inverse = symmetric(nodes, lambda: 1.0 / rng.uniform(*SPEEDS))
    costs = related([task.cost_s for task in graph.tasks], speeds)
    return rescaled(Instance(costs, graph.edges, uniform(nodes, 0.0), inverse), ccr)


def family_a(condition: Condition, tasks_max: int = 300, count: int = 150, seed: int = 0) -> tuple[Family, ...]:
    """The first `count` instances of set A with at most so many tasks."""
    layerings = [one for one in set_a(Random(seed)) if one.tasks <= tasks_max][:count]  # noqa: S311 - repeatable
    return tuple(
        Family(f"A{number}", Layers(one, condition), 1, (("set", "A"), ("condition", condition.value)), seed)
        for number, one in enumerate(layerings)
    )


def family_b(condition: Condition, data: Path | None, tasks_max: int = 1100, seed: int = 0) -> tuple[Family, ...]:
    """Every trace in a folder of data with at most so many tasks, on each of NETWORKS; bundles without a folder."""
    families: list[Family] = []
    for nodes, ccr in NETWORKS:
        given = (("set", "B"), ("condition", condition.value), ("nodes", nodes), ("ccr", ccr))
        if data is None:
            families += [
                Family(f"bundle-{chains}x{length}", Bundled(chains, length, nodes, ccr, condition), 1, given, seed)
                for chains, length in BUNDLES
                if chains * length + 2 <= tasks_max
            ]
        else:
            families += [
                Family(
                    path.name.partition(".")[0],
                    Traced(str(path), digest_of(path), nodes, ccr, condition),
                    1,
                    given,
                    seed,
                )
                for path in traces(data, tasks_max)
            ]
    return tuple(families)


BUNDLES = ((5, 4), (10, 4), (20, 2), (20, 5), (40, 3), (50, 4), (100, 3), (200, 2))
"""Chains and their lengths: 22 to 402 tasks, as most of the traces have."""


def traces(data: Path, tasks_max: int) -> Iterable[Path]:
    """The recorded graphs with at most so many tasks, and more than a chain of five, in order of their names."""
    for path in sorted((data / TRACES).glob("*.json.xz")):
        if TASKS_MIN <= len(_read(str(path)).tasks) <= tasks_max:
            yield path


TASKS_MIN = 10
"""Smaller graphs leave a mapper no choice worth measuring; of the traces only the greeting in five steps is."""
