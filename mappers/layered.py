"""Layered graphs: random instances whose tasks lie in layers between one entry and one exit.

Set A of scheduling.md 2.3, in the manner of the HEFT paper's generator (Topcuoglu, Hariri, Wu 2002, section 5.3).
"""

import math
from itertools import pairwise
from random import Random
from typing import NamedTuple

from .instance import Edge, Instance, InstanceError, related, uniform
from .networks import symmetric

COST_S = (0.01, 20.0)
"""On a node of speed 1. Not zero: tasks that take no time make ties everywhere."""

BANDWIDTH = (0.25, 1.75)
"""Bytes per second; sizes are made for it."""

SPREAD = 0.75
"""How far speeds are from 1 at full heterogeneity: seven times as fast at best as at worst."""

NEXT_LAYER = 0.7
"""How likely a further child lies in the next layer; if not, as likely in the one after, and so on."""

SET_A_SIZE = 150


class Layering(NamedTuple):
    """What tells one layered instance from another, chance aside: the arguments of `layered`."""

    tasks: int
    nodes: int
    ccr: float
    alpha: float
    degree: int
    heterogeneity: float


def layered(
    rng: Random, tasks: int, nodes: int, ccr: float, alpha: float, degree: int, heterogeneity: float
) -> Instance:
    """An instance of `tasks` tasks, at least 2, in layers about `alpha` times as broad as they are deep.

    `ccr` is the mean edge's bytes over the mean task's cost; links without latency move about a byte in a second.
    `degree` is about the mean number of children; `heterogeneity`, 0 to 1, scales the spread of the nodes' speeds.

    Raises InstanceError for fewer than 2 tasks, a degree below 1, or anything negative.
    """
    if tasks < 2 or degree < 1 or min(ccr, alpha) <= 0 or not 0 <= heterogeneity <= 1:
        raise InstanceError(
            f"no layers of {tasks} tasks with CCR {ccr}, shape {alpha}, degree {degree} and heterogeneity "
            f"{heterogeneity}: expected 2 tasks, degree 1, numbers above zero, heterogeneity 0 to 1"
        )
    costs = [rng.uniform(*COST_S) for _ in range(tasks)]
    largest = COST_S[1] * ccr
    edges = [Edge(*pair, rng.uniform(min(COST_S[0], largest), largest)) for pair in _pairs(rng, tasks, alpha, degree)]
    spread = SPREAD * heterogeneity
    speeds = [rng.uniform(1 - spread, 1 + spread) for _ in range(nodes)]
    inverse = symmetric(nodes, lambda: 1.0 / rng.uniform(*BANDWIDTH))
    return Instance(related(costs, speeds), tuple(edges), uniform(nodes, 0.0), inverse)


def set_a(rng: Random) -> tuple[Layering, ...]:
    """The parameters of set A. Every value of each is as frequent as every other, in random company: 150 instances
    cannot hold all 2700 combinations.
    """

    def dealt(*values: float) -> list[float]:
        cards = [values[place % len(values)] for place in range(SET_A_SIZE)]
        rng.shuffle(cards)
        return cards

    columns = (
        dealt(30, 100, 300),
        dealt(4, 8, 16, 32),
        dealt(0.1, 0.5, 1, 2, 5),
        dealt(0.5, 1, 2),
        dealt(1, 2, 3, 4, 5),
        dealt(0.25, 0.75, 1),
    )
    return tuple(
        Layering(int(tasks), int(nodes), ccr, alpha, int(degree), heterogeneity)
        for tasks, nodes, ccr, alpha, degree, heterogeneity in zip(*columns, strict=True)
    )


def _pairs(rng: Random, tasks: int, alpha: float, degree: int) -> list[tuple[int, int]]:
    """Parents and children, sorted. Nobody is left without a child: everybody draws one."""
    layers = _layers(rng, tasks, alpha)
    found: dict[tuple[int, int], None] = {}
    for above, layer in pairwise(layers):
        for task in layer:
            found[rng.choice(above), task] = None
    for depth, layer in enumerate(layers[:-1]):
        for task in layer:
            for _ in range(rng.randint(1, 2 * degree - 1)):
                child_depth = depth + 1
                while child_depth < len(layers) - 1 and rng.random() >= NEXT_LAYER:
                    child_depth += 1
                found[task, rng.choice(layers[child_depth])] = None
    return sorted(found)


def _layers(rng: Random, tasks: int, alpha: float) -> list[range]:
    """The entry, layers of random width, the exit; numbered through."""
    widest = max(1, math.ceil(2 * alpha * math.sqrt(tasks)) - 1)  # the bound itself is left out
    layers, placed = [range(1)], 1
    while placed < tasks - 1:
        width = min(rng.randint(1, widest), tasks - 1 - placed)
        layers.append(range(placed, placed + width))
        placed += width
    return [*layers, range(placed, tasks)]
