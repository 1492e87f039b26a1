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


def polynomials(text: str, nodes: int) -> tuple[Matrix, Matrix, Matrix]:
    """(constant, linear, quadratic) from rows "source target a b c", nodes from 1."""
    rows = [line.split() for line in text.strip().splitlines()]
    terms = {(int(row[0]) - 1, int(row[1]) - 1): tuple(map(float, row[2:])) for row in rows}

    def term(at: int) -> Matrix:
        return tuple(
            tuple(terms[source, target][at] if source != target else 0.0 for target in range(nodes))
            for source in range(nodes)
        )

    return term(2), term(1), term(0)


GOLDEN = Instance(
    (
        (552, 810, 579, 693, 663, 863, 1074),
        (222, 328, 218, 282, 277, 272, 440),
        (116, 189, 122, 148, 140, 128, 210),
        (732, 1042, 672, 870, 795, 741, 1206),
    ),
    (Edge(0, 1, 6553), Edge(0, 2, 6553), Edge(1, 3, 5734), Edge(2, 3, 7372)),
    *polynomials(
        """
        1 6 -4.952638231445198e-07 0.04807871929744276 1255.0657167907355
        1 5 -4.875117315691041e-07 0.04926126404960849 1197.773580045824
        1 4 -3.8063148421363666e-07 0.03990367409551251 1264.6791368289155
        1 3 -5.798793256133486e-07 0.055845007655118996 1149.0603971144872
        1 2 1.2364550802460468e-06 -0.009944910400543116 158.41050295457552
        1 7 -2.964442967324941e-05 0.2908038086706866 1128.8353900294503
        2 6 -3.270868722257607e-06 0.27857280892003067 1128.735108846219
        2 5 -4.871049518332791e-07 0.05230689835975999 1182.6673199162753
        2 4 -5.098114054731368e-07 0.05561576346190908 1169.4903463199641
        2 1 2.2148540648336297e-08 -0.0001544758111079155 158.60731628661694
        2 3 -2.843268349184651e-05 0.2805561849325139 1127.751279245484
        2 7 -5.265356878700905e-07 0.052234636060614736 1176.494140675354
        3 6 -4.627031668926399e-09 0.002300531300821298 173.57301107285343
        3 5 2.0385678630575456e-08 -0.0005449984555409099 171.80356509628112
        3 4 3.709654644099887e-08 -4.232989545778218e-05 176.28873723032038
        3 1 -3.2759139246363534e-06 0.272067042144257 1116.4859053711737
        3 2 -5.600702450061489e-07 0.055050507848514285 1164.3752495449871
        3 7 -4.566722220468225e-08 0.005430752950821227 156.8084939662493
        4 6 -2.0936594338031398e-08 0.0034464998850217885 157.7742382214021
        4 5 1.2524656058588477e-08 0.0006687982665905754 156.66319027934514
        4 1 -4.875291034000687e-07 0.05596598858321641 1129.4075040629725
        4 3 1.3763713754441118e-08 0.001009450701827992 154.16246452074634
        4 2 -3.143756234899863e-06 0.26368391988057577 1139.6597000725828
        4 7 6.590819629311634e-09 0.0013538522663948248 162.50818714415328
        5 6 4.825888057374245e-08 -0.0017864593484864624 205.40413856233403
        5 4 -7.30452188110088e-10 0.0019960312054286577 173.99273722139503
        5 1 -2.727798821548874e-07 0.03591898148148194 1319.43939393939
        5 3 1.1736625168963345e-08 0.0004897487166041582 154.67527253520814
        5 2 -4.696867475785268e-07 0.05446979857714679 1167.3478001887286
        5 7 1.285926496729048e-08 0.0009329538892786278 169.0315871083788
        6 5 7.111457287302528e-07 -0.054331496673230964 206.18706209091417
        6 4 1.2887980578230823e-08 0.0018641260633649476 174.89084536746472
        6 1 -4.545785633127383e-07 0.052847336443351864 1164.4696276928146
        6 3 -3.0397091507789605e-08 0.003914079790532177 175.36566393206445
        6 2 -4.808500261807374e-07 0.05479992604836365 1165.3206017609934
        6 7 1.5808545015548984e-08 0.0009643961272054861 170.67720060391247
        7 6 2.2318340443431728e-08 0.0007768110248009335 181.50339998680354
        7 5 4.461789527011118e-06 -0.03790048468708928 201.65863633198467
        7 4 2.7618189826146108e-08 -0.0005704825004906775 200.38593825862293
        7 1 -4.887699897251326e-07 0.048554059879241 1207.5384652538994
        7 3 -2.491214050189192e-08 0.0032538806236549127 175.87362906422032
        7 2 -6.125995497794696e-07 0.05847017842672292 1194.780596283072
        """,
        7,
    ),
)
"""Measured costs and links that JupiterTP published, in milliseconds and kilobits (jupiter.md, appendix A). The
polynomials are raw: a few predict negative times."""


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
