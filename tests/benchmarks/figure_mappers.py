"""How long the static mappers take: CPU milliseconds for layered random graphs (scheduling.md 9.1)."""

import time
from dataclasses import replace
from random import Random

from pnode.mappers.heft import heft
from pnode.mappers.instance import Instance
from pnode.mappers.layered import layered
from pnode.mappers.optimum import optimum
from pnode.mappers.plan import Planner
from pnode.mappers.planners import YARDSTICKS

from ..mappers.instances import TOPCUOGLU
from .bench import tell_all

RUNS = 7
SIZES = ((100, 8), (1000, 32), (5000, 128))
COMPARED = (1000, 32)
"""All the others are measured at one size: none has to be fast."""


def main() -> None:
    for tasks, nodes in SIZES:
        instance = drawn(tasks, nodes)
        tell_all(f"heft_{tasks}x{nodes}", [cpu_ms(heft, instance) for _ in range(RUNS)], "ms")
        # The first plan of an instance also lays its numbers out as arrays.
        tell_all(f"heft_{tasks}x{nodes}_first", [cpu_ms(heft, replace(instance)) for _ in range(RUNS)], "ms")
    instance = drawn(*COMPARED)
    for name, planner in YARDSTICKS.items():
        word = f"{name.replace('-', '_')}_{COMPARED[0]}x{COMPARED[1]}"
        tell_all(word, [cpu_ms(planner, instance) for _ in range(RUNS)], "ms")
    tell_all("optimal_10x3", [cpu_ms(lambda one: optimum(one).plan, TOPCUOGLU) for _ in range(RUNS)], "ms")


def drawn(tasks: int, nodes: int) -> Instance:
    """About 3.5 edges per task, as many computations as communications."""
    return layered(Random(1), tasks, nodes, ccr=1.0, alpha=1.0, degree=3, heterogeneity=1.0)


def cpu_ms(planner: Planner, instance: Instance) -> float:
    began = time.process_time()
    planner(instance)
    return (time.process_time() - began) * 1000.0


if __name__ == "__main__":
    main()
