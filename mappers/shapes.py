"""Shapes: random instances whose graphs are trees or chains.

Set C of scheduling.md 2.3, the families that SAGA's authors compare schedulers on (Coleman and Krishnamachari, PISA,
2024). All weights are normal with mean 1 and deviation 1/3, clipped.
"""

from collections.abc import Callable
from itertools import pairwise
from random import Random

from .instance import Edge, Instance, related, uniform
from .networks import symmetric

Pairs = list[tuple[int, int]]
"""Parents and children."""

WEIGHT_MAX = 2.0
WEIGHT_MIN = 0.001
SPEED_MIN = 0.05
"""Of nodes and links: what is divided by must not be next to nothing."""

SET_C_EACH = 100
"""Instances of each shape in set C."""


def in_tree(rng: Random) -> Instance:
    """2 to 4 levels, each task fed by 2 or 3."""
    return _instance(rng, [(child, parent) for parent, child in _tree(rng)])


def out_tree(rng: Random) -> Instance:
    """2 to 4 levels, each task feeding 2 or 3."""
    return _instance(rng, _tree(rng))


def chains(rng: Random) -> Instance:
    """2 to 5 parallel chains of 2 to 5 tasks between a common entry and a common exit."""
    count, length = rng.randint(2, 5), rng.randint(2, 5)
    last = 1 + count * length
    pairs: Pairs = []
    for chain in range(count):
        tasks = [0, *range(1 + chain * length, 1 + (chain + 1) * length), last]
        pairs += pairwise(tasks)
    return _instance(rng, pairs)


SHAPES: dict[str, Callable[[Random], Instance]] = {"in-tree": in_tree, "out-tree": out_tree, "chains": chains}


def set_c(rng: Random) -> tuple[Instance, ...]:
    """All of set C, shape by shape."""
    return tuple(make(rng) for make in SHAPES.values() for _ in range(SET_C_EACH))


def _tree(rng: Random) -> Pairs:
    """From the root, task 0, outwards. Every task of a tree branches alike."""
    levels, branching = rng.randint(2, 4), rng.randint(2, 3)
    inner = sum(branching**level for level in range(levels - 1))
    return [(task, task * branching + place) for task in range(inner) for place in range(1, branching + 1)]


def _instance(rng: Random, pairs: Pairs) -> Instance:
    nodes = rng.randint(3, 5)
    tasks = 1 + max(max(pair) for pair in pairs)
    costs = [_weight(rng, WEIGHT_MIN) for _ in range(tasks)]
    edges = tuple(Edge(*pair, _weight(rng, WEIGHT_MIN)) for pair in pairs)
    speeds = [_weight(rng, SPEED_MIN) for _ in range(nodes)]
    inverse = symmetric(nodes, lambda: 1.0 / _weight(rng, SPEED_MIN))
    return Instance(related(costs, speeds), edges, uniform(nodes, 0.0), inverse)


def _weight(rng: Random, smallest: float) -> float:
    return min(WEIGHT_MAX, max(smallest, rng.gauss(1.0, 1 / 3)))
