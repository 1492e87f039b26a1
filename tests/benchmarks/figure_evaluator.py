"""How fast plans are carried out, and what it costs and gains to choose among several. CPU time of one process."""

import time
from collections.abc import Callable
from functools import partial
from random import Random

from pnode.mappers.contention import Contention
from pnode.mappers.evaluate import evaluate
from pnode.mappers.heft import heft
from pnode.mappers.instance import Instance
from pnode.mappers.layered import Layering, layered, set_a
from pnode.mappers.portfolio import Portfolio, portfolio

from .bench import tell_all

RUNS = 15

LARGE = Layering(tasks=1000, nodes=8, ccr=0.5, alpha=1.0, degree=3, heterogeneity=0.75)
"""With 3.7 edges per task, as in scheduling.md 9.3."""

CARDS = [1.75] * LARGE.nodes
"""No slower than the fastest link: with them HEFT's plan takes 1.7 times as long as it foresees."""

SMALL = Layering(tasks=100, nodes=8, ccr=1.0, alpha=1.0, degree=3, heterogeneity=0.75)
CANDIDATES = 40

GRAPHS = 30
GRAPH_TASKS_MAX = 100
"""Those of set A on which scheduling.md 5.8 measures are as small."""


def main() -> None:
    graph = layered(Random(1), *LARGE)
    plan = heft(graph)
    for contention in Contention:
        seconds = timed(partial(evaluate, graph, plan, contention, up=CARDS, down=CARDS))
        tell_all(f"evaluate_{contention.value}", [LARGE.tasks / one for one in seconds], "tasks/s")
    graph = layered(Random(1), *SMALL)
    for contention in Contention:
        tell_all(
            f"portfolio_{contention.value}", [1000 * one for one in timed(partial(chosen, graph, contention))], "ms"
        )
    for contention in (Contention.NONE, Contention.LINK):
        tell_all(f"portfolio_{contention.value}_gain", [100 * gain for gain in gains(contention)], "%")


def chosen(graph: Instance, contention: Contention) -> Portfolio:
    cards = CARDS[:1] * graph.nodes
    return portfolio(graph, Random(0), contention=contention, candidates=CANDIDATES, up=cards, down=cards)


def timed(run: Callable[[], object]) -> list[float]:
    """CPU seconds of each of RUNS runs."""
    seconds = []
    for _ in range(RUNS):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return seconds


def gains(contention: Contention) -> list[float]:
    """By how much the best plan is shorter than HEFT's, on each of the first small instances of set A."""
    small = [one for one in set_a(Random(1)) if one.tasks <= GRAPH_TASKS_MAX][:GRAPHS]
    found = []
    for seed, layering in enumerate(small):
        graph = layered(Random(seed), *layering)
        judged = chosen(graph, contention)
        found.append(1 - judged.best.makespan_s / judged.candidates[0].makespan_s)
    return found


if __name__ == "__main__":
    main()
