"""PISA: a search for the instance on which one mapper does worst against another.

Simulated annealing over small instances, after Coleman and Krishnamachari (PISA, 2024; jupiter.md 7.1 has their
parameters). What is maximised is the target's makespan over the base's. A benchmark says how mappers compare on what
somebody thought of; this says how far apart they can be, and shows where.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from random import Random

from pnode.mappers.instance import Edge
from pnode.protocol.values import dataclass, replace
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Arrival, Graph, Machine, Network, Scenario, Vertex
from pnode.sim.workers import processes

WEIGHTS = (0.1, 1.0)
"""Of tasks, edges, machines and links."""

STEP = 0.1
"""A weight changes by at most so much at a time."""

SIZES = (3, 5)
"""Machines, and tasks."""

RANDOM = ("wave-random", "wave-random-classic", "wave-greedy", "random", "circe-event")
"""Mappers that throw dice: their makespan is a mean over some throws. All others do the same every time."""


@dataclass(frozen=True, slots=True)
class Annealing:
    """How long is searched; by default as published."""

    restarts: int = 10
    hot: float = 10.0
    """First temperature: nearly every step is taken."""
    cold: float = 0.1
    """Last one: hardly any that makes things worse."""
    cooling: float = 0.99
    steps_max: int = 1000
    draws: int = 5
    """Throws over which the makespan of a mapper of RANDOM is averaged."""

    @property
    def steps(self) -> int:
        """Of one restart."""
        return min(self.steps_max, math.ceil(math.log(self.cold / self.hot) / math.log(self.cooling)))


@dataclass(frozen=True, slots=True)
class Found:
    """The worst that was found."""

    target: str
    base: str
    ratio: float
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Point:
    """A small instance, as the search moves it. Edges go from lower to higher numbers, so there is no cycle."""

    costs: tuple[float, ...]
    speeds: tuple[float, ...]
    edges: tuple[tuple[tuple[int, int], float], ...]
    """((parent, child), size), sorted."""
    links: tuple[tuple[tuple[int, int], float], ...]
    """((machine, another), bandwidth) for every pair, sorted; the same both ways."""


def search(target: str, base: str, rng: Random, annealing: Annealing | None = None) -> Found:
    """Look for the instance with the largest makespan of `target` over that of `base`."""
    annealing = annealing or Annealing()

    def energy(point: Point) -> float:
        scenario = scenario_of(point, f"{target} against {base}")
        return makespan_s(scenario, target, annealing.draws) / makespan_s(scenario, base, annealing.draws)

    best, ratio = climb(start(rng), energy, rng, annealing)
    for _ in range(annealing.restarts - 1):
        point, other = climb(start(rng), energy, rng, annealing)
        if other > ratio:
            best, ratio = point, other
    return Found(target, base, ratio, scenario_of(best, f"{target} against {base}"))


def search_pair(target: str, base: str, seed: int, annealing: Annealing) -> Found:
    """The same with a generator of its own, so that pairs may be searched in any order and by any process."""
    return search(target, base, Random(f"{seed}/{target}/{base}"), annealing)  # noqa: S311 - repeatable, not secret


def search_all(
    mappers: Sequence[str],
    seed: int,
    annealing: Annealing,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Found]:
    """Every ordered pair of mappers, by base and then by target; in so many processes."""
    pairs = [(target, base) for base in mappers for target in mappers if target != base]
    if workers == 1:
        return [_told(search_pair(*pair, seed, annealing), at, len(pairs), progress) for at, pair in enumerate(pairs)]
    with processes(min(workers, len(pairs))) as pool:
        futures = [pool.submit(search_pair, *pair, seed, annealing) for pair in pairs]
        for at, future in enumerate(as_completed(futures)):
            _told(future.result(), at, len(pairs), progress)
        return [future.result() for future in futures]


def _told(found: Found, at: int, of: int, progress: Callable[[int, int], None] | None) -> Found:
    if progress:
        progress(at + 1, of)
    return found


def climb(point: Point, energy: Callable[[Point], float], rng: Random, annealing: Annealing) -> tuple[Point, float]:
    """One restart: the best point that was come by.

    A step that makes things worse is taken with a probability that falls with how much worse, and with the
    temperature (Metropolis; the published rule looks at the new ratio alone, however far the fall).
    """
    now = energy(point)
    best = (point, now)
    temperature = annealing.hot
    for _ in range(annealing.steps):
        candidate = moved(point, rng)
        then = energy(candidate)
        if then >= now or rng.random() < math.exp((then - now) / temperature):
            point, now = candidate, then
        if now > best[1]:
            best = (point, now)
        temperature *= annealing.cooling
    return best


def makespan_s(scenario: Scenario, mapper: str, draws: int) -> float:
    """Mean over the draws of a mapper that throws dice."""
    seeds = range(draws if mapper in RANDOM else 1)
    return math.fsum(simulate(scenario, mapper, seed).makespan_s for seed in seeds) / len(seeds)


def start(rng: Random) -> Point:
    """A chain of 3 to 5 tasks on 3 to 5 machines."""
    tasks, machines = rng.randint(*SIZES), rng.randint(*SIZES)
    pairs = [(one, another) for one in range(machines) for another in range(one + 1, machines)]
    return Point(
        tuple(rng.uniform(*WEIGHTS) for _ in range(tasks)),
        tuple(rng.uniform(*WEIGHTS) for _ in range(machines)),
        tuple(((task, task + 1), rng.uniform(*WEIGHTS)) for task in range(tasks - 1)),
        tuple((pair, rng.uniform(*WEIGHTS)) for pair in pairs),
    )


def moved(point: Point, rng: Random) -> Point:
    """A neighbour: one weight changed, or an edge more or less."""
    while True:
        neighbour = rng.choice(MOVES)(point, rng)
        if neighbour is not None:
            return neighbour


def _other_cost(point: Point, rng: Random) -> Point:
    return replace(point, costs=_nudged_one(point.costs, rng))


def _other_speed(point: Point, rng: Random) -> Point:
    return replace(point, speeds=_nudged_one(point.speeds, rng))


def _other_link(point: Point, rng: Random) -> Point:
    return replace(point, links=_nudged_pair(point.links, rng))


def _other_size(point: Point, rng: Random) -> Point | None:
    return replace(point, edges=_nudged_pair(point.edges, rng)) if point.edges else None


def _edge_more(point: Point, rng: Random) -> Point | None:
    known = dict(point.edges)
    tasks = range(len(point.costs))
    free = [(parent, child) for parent in tasks for child in tasks if parent < child and (parent, child) not in known]
    if not free:
        return None
    return replace(point, edges=tuple(sorted((*point.edges, (rng.choice(free), rng.uniform(*WEIGHTS))))))


def _edge_less(point: Point, rng: Random) -> Point | None:
    if not point.edges:
        return None
    at = rng.randrange(len(point.edges))
    return replace(point, edges=point.edges[:at] + point.edges[at + 1 :])


Move = Callable[[Point, Random], Point | None]

MOVES: tuple[Move, ...] = (
    _other_cost,
    _other_speed,
    _other_link,
    _other_size,
    _edge_more,
    _edge_less,
)
"""Each as likely as the others; None where there is nothing to move."""


def _nudged(weight: float, rng: Random) -> float:
    low, high = WEIGHTS
    return min(max(weight + rng.uniform(-STEP, STEP), low), high)


def _nudged_one(weights: tuple[float, ...], rng: Random) -> tuple[float, ...]:
    at = rng.randrange(len(weights))
    return (*weights[:at], _nudged(weights[at], rng), *weights[at + 1 :])


def _nudged_pair(
    weights: tuple[tuple[tuple[int, int], float], ...], rng: Random
) -> tuple[tuple[tuple[int, int], float], ...]:
    at = rng.randrange(len(weights))
    pair, weight = weights[at]
    return (*weights[:at], (pair, _nudged(weight, rng)), *weights[at + 1 :])


def scenario_of(point: Point, name: str) -> Scenario:
    """The instance as a scenario, submitted on the first machine."""
    machines = tuple(Machine(f"m{number}", speed) for number, speed in enumerate(point.speeds))
    latency = tuple(tuple(0.0 for _ in machines) for _ in machines)
    bandwidth = [[math.inf] * len(machines) for _ in machines]
    for (one, another), weight in point.links:
        bandwidth[one][another] = bandwidth[another][one] = weight
    tasks = tuple(Vertex(f"t{number}", cost) for number, cost in enumerate(point.costs))
    edges = tuple(Edge(parent, child, size) for (parent, child), size in point.edges)
    network = Network(machines, latency, tuple(map(tuple, bandwidth)))
    return Scenario(name, network, (Arrival(Graph(name, tasks, edges)),))
