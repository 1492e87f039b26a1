"""Tenancy: twenty graphs that come from different nodes and share the machines (scheduling.md 4.14).

    python -m pnode.sim.study.tenancy docs/mappers.md

The figure is the slowdown: a graph's response over the makespan that HEFT plans for it alone, the mean over the
graphs. It is told over the slowdown of plans that are laid into everybody's exact calendars.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from pnode.mappers.heft import heft
from pnode.mappers.layered import layered
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Graph, Machine, Network, Scenario, Vertex, instance_of

from .conditions import scenario_of, tenants
from .quality import QualityError, filled

BEGIN, END = "<!-- tenants: begin -->", "<!-- tenants: end -->"

EXACT = "wave-hint-adaptive"
"""With exact views it lays HEFT's plans into the true calendars, which nobody who shares can do better than."""

MAPPERS = ("wave-random", "wave-greedy", "wave-plan", "wave-hint", EXACT)
AGES = (0.0, 1.0, 3.0, 10.0)
"""Of views, in mean tasks."""

RUNS = 12
GRAPHS = 20
NODES = 16
TASKS = (20, 79)
CCRS = (0.1, 0.5, 1.0)
SPEEDS = (0.25, 1.75)


def scenario(seed: int, age_tasks: float) -> Scenario:
    """The same graphs, machines and instants for every age."""
    rng = Random(f"tenancy/{seed}")  # noqa: S311 - repeatable, not secret
    machines = tuple(Machine(f"m{number}", rng.uniform(*SPEEDS)) for number in range(NODES))
    drawn = scenario_of(layered(rng, 2, NODES, 1.0, 1.0, 1, 0.0), "links").network
    network = replace(drawn, machines=machines)
    return tenants([_graph(rng, number) for number in range(GRAPHS)], network, age_tasks, rng)


def _graph(rng: Random, number: int) -> Graph:
    instance = layered(rng, rng.randint(*TASKS), NODES, rng.choice(CCRS), 1.0, 3, 0.0)
    tasks = tuple(Vertex(f"t{task}", cost_s) for task, cost_s in enumerate(instance.mean_cost_s))
    return Graph(f"graph{number}", tasks, instance.edges)


def slowdown(result: Result) -> float:
    """Mean over the graphs of response over HEFT's makespan on idle machines."""
    network: Network = result.scenario.network
    alone_s = [heft(instance_of(arrival.graph, network)).makespan_s for arrival in result.scenario.arrivals]
    return statistics.mean(response / alone for response, alone in zip(result.responses_s, alone_s, strict=True))


def markdown(mappers: Sequence[str], ages: Sequence[float], runs: int) -> str:
    """A line per mapper, a column per age: the slowdown, and over that with exact calendars; medians of the runs."""
    exact = [slowdown(simulate(scenario(seed, 0.0), EXACT, seed)) for seed in range(runs)]
    lines = [
        f"| mapper | {' | '.join(f'{age:g} old' if age else 'exact' for age in ages)} |",
        "| --- " * (len(ages) + 1) + "|",
    ]
    for mapper in mappers:
        fields = []
        for age in ages:
            found = [slowdown(simulate(scenario(seed, age), mapper, seed)) for seed in range(runs)]
            ratio = statistics.median(mine / best for mine, best in zip(found, exact, strict=True))
            fields.append(f"{statistics.median(found):.2f}, {ratio:.3f}")
        lines.append(f"| `{mapper}` | {' | '.join(fields)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pnode.sim.study.tenancy", description="Fill docs/mappers.md.")
    parser.add_argument("page", type=Path, help="the page that is filled, for instance docs/mappers.md")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"draws of graphs and instants ({RUNS})")
    given = parser.parse_args(arguments)
    try:
        page = given.page.read_text(encoding="utf-8")
        filled(page, "", BEGIN, END)  # a page without a place shall be told before minutes are spent
        given.page.write_text(filled(page, markdown(MAPPERS, AGES, given.runs), BEGIN, END), encoding="utf-8")
    except (QualityError, OSError) as error:
        sys.stderr.write(f"cannot fill {given.page}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
