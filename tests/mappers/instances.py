"""Instances for the tests of what plans: classic examples with their published results, and small random ones."""

import math
from itertools import pairwise
from random import Random

from pnode.mappers.instance import Edge, Instance, Matrix, uniform
from pnode.mappers.plan import Plan

from ..borders import ROOT

EPSILON = 1e-9
"""Times may differ by so much of the makespan: they are sums in another order."""

DATA = ROOT.parent / "shared" / "data"
"""Public traces and measurements; what needs them is skipped where they are not."""


def example(costs: str, edges: str) -> Instance:
    """Rows of costs; edges "1-2: 18" by tasks from 1; every transfer takes its size (bandwidth 1, latency 0)."""
    rows = tuple(tuple(map(float, row.split())) for row in costs.strip().splitlines())
    nodes = len(rows[0])
    ways = []
    for edge in edges.split(","):
        pair, size = edge.split(":")
        parent, child = pair.split("-")
        ways.append(Edge(int(parent) - 1, int(child) - 1, float(size)))
    return Instance(rows, tuple(ways), uniform(nodes, 0.0), uniform(nodes, 1.0))


TOPCUOGLU = example(
    """
    14 16 9
    13 19 18
    11 13 19
    13 8 17
    12 13 10
    13 16 9
    7 15 11
    5 11 14
    18 12 20
    21 7 16
    """,
    "1-2: 18, 1-3: 12, 1-4: 9, 1-5: 11, 1-6: 14, 2-8: 19, 2-9: 16, 3-7: 23, 4-8: 27, 4-9: 23, 5-9: 13, 6-8: 15,"
    "7-10: 17, 8-10: 11, 9-10: 13",
)
"""Topcuoglu, Hariri and Wu 2002, figures 2 and 3 (scheduling.md 11.1)."""

ARABNEJAD = example(
    """
    22 21 36
    22 18 18
    32 27 43
    7 10 4
    29 27 35
    26 17 24
    14 25 30
    29 23 36
    15 21 8
    13 16 33
    """,
    "1-2: 17, 1-3: 31, 1-4: 29, 1-5: 13, 1-6: 7, 2-8: 3, 2-9: 30, 3-7: 16, 4-8: 11, 4-9: 7, 5-9: 57, 6-8: 5,"
    "7-10: 9, 8-10: 42, 9-10: 7",
)
"""Arabnejad and Barbosa 2014, the example of PEFT (scheduling.md 11.2)."""


def slots(plan: Plan, nodes: int = 3) -> dict[str, list[str]]:
    """A schedule as the literature prints it: per processor "n2 27-40", both counted from 1."""
    return {
        f"P{node + 1}": [f"n{task + 1} {plan.start_s[task]:g}-{plan.finish_s[task]:g}" for task in queue]
        for node, queue in enumerate(plan.queues(nodes))
    }


def faults(instance: Instance, plan: Plan) -> list[str]:
    """Everything that is wrong with a plan; nothing when it can be carried out."""
    slack = EPSILON * max(1.0, plan.makespan_s)
    found = []
    place = {task: at for at, task in enumerate(plan.order)}
    if sorted(plan.order) != list(range(instance.tasks)):
        found.append(f"the order {plan.order} leaves tasks out")
    for task in range(instance.tasks):
        node, start, finish = plan.node[task], plan.start_s[task], plan.finish_s[task]
        if not 0 <= start <= finish < math.inf:
            found.append(f"task {task} runs from {start} to {finish}")
        if not abs(finish - start - instance.cost_s[task][node]) <= slack:
            found.append(f"task {task} takes {finish - start} on node {node}")
        for parent, size_bytes in instance.parents[task]:
            arrival = plan.finish_s[parent] + instance.transfer_s(plan.node[parent], node, size_bytes)
            if not arrival <= start + slack:
                found.append(f"task {task} starts at {start}, before {arrival}, when the output of {parent} is there")
            if not place[parent] < place[task]:
                found.append(f"task {task} was placed before its parent {parent}")
    for queue in plan.queues(instance.nodes):
        for one, other in pairwise(queue):
            if not plan.finish_s[one] <= plan.start_s[other] + slack:
                found.append(f"tasks {one} and {other} overlap")
    return found


def some_instance(seed: int, *, tasks_max: int = 12, nodes_max: int = 5, whole: bool = False) -> Instance:
    """A small random one, as odd as is allowed: unrelated machines, some of which cannot run some tasks or talk to
    some others, tasks without duration and edges without size. Node 0 can do everything and talks to everybody, so
    that nobody is stranded. `whole` makes every number a small whole one, so that there are ties."""
    rng = Random(seed)
    tasks, nodes = rng.randint(1, tasks_max), rng.randint(1, nodes_max)

    def number(high: float) -> float:
        drawn = rng.choice([0.0, rng.uniform(0.0, high), rng.uniform(0.0, high)])
        return float(round(drawn)) if whole else drawn

    def square(high: float, odds: float) -> Matrix:
        return tuple(
            tuple(
                0.0 if source == target else math.inf if 0 not in (source, target) and rng.random() < odds
                else number(high)
                for target in range(nodes)
            )
            for source in range(nodes)
        )  # fmt: skip

    cost = tuple(
        tuple(math.inf if node and rng.random() < 0.1 else number(10.0) for node in range(nodes))
        for _ in range(tasks)
    )
    edges = tuple(
        Edge(parent, child, number(10.0))
        for child in range(tasks)
        for parent in range(child)
        if rng.random() < 2.0 / tasks
    )
    bent = square(0.1, 0.0) if rng.random() < 0.2 else None
    return Instance(cost, edges, square(rng.choice([0.0, 2.0]), 0.05), square(2.0, 0.1), bent)
