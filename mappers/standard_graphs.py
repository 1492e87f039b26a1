"""Standard graphs: random instances drawn as those of the Standard Task Graph set, which do not communicate.

Edges come in the set's four ways (kasahara.cs.waseda.ac.jp/schedule, "How to make STG"): sameprob, samepred, and the
same two between layers. Its graphs may not be handed on, so these are others of their kind (scheduling.md 12).
"""

from enum import Enum
from random import Random

from .instance import Edge, Instance, InstanceError, related, uniform

COST_S = (0.0, 20.0)
"""Uniform, of mean 10."""


class Connection(Enum):
    """What is the same for all tasks."""

    PROBABILITY = "prob"
    """Of an edge from each earlier task; later tasks then have more parents."""
    PREDECESSORS = "pred"
    """The mean number of parents, as far as there are earlier tasks."""


def standard_graph(
    rng: Random, tasks: int, nodes: int, connection: Connection, amount: float, layers: int = 0
) -> Instance:
    """`tasks` tasks between an entry and an exit that take no time, on equal nodes.

    `amount` is the probability or the number of parents. With `layers`, tasks are dealt out to so many layers, and
    earlier tasks are those of earlier layers. Raises InstanceError for fewer than one task, or a negative amount.
    """
    if tasks < 1 or nodes < 1 or amount < 0 or layers < 0:
        raise InstanceError(
            f"no graph of {tasks} tasks in {layers} layers with {amount} ({connection.value}) on {nodes} nodes: "
            "expected at least one task and node, and nothing negative"
        )
    # By number, tasks of the same layer lie side by side; without layers, each is a layer of its own.
    layer = sorted(rng.randrange(layers) for _ in range(tasks)) if layers else list(range(tasks))
    pairs: list[tuple[int, int]] = []
    for child in range(1, tasks + 1):
        earlier = range(1, 1 + layer.index(layer[child - 1]))
        odds = amount if connection is Connection.PROBABILITY else amount / max(1, len(earlier))
        parents = [parent for parent in earlier if rng.random() < odds]
        pairs += [(parent, child) for parent in parents or (0,)]
    leading = dict.fromkeys(parent for parent, _ in pairs)
    pairs += [(task, tasks + 1) for task in range(1, tasks + 1) if task not in leading]
    costs = [0.0, *(rng.uniform(*COST_S) for _ in range(tasks)), 0.0]
    edges = tuple(Edge(parent, child, 0.0) for parent, child in pairs)
    return Instance(related(costs, [1.0] * nodes), edges, uniform(nodes, 0.0), uniform(nodes, 0.0))
