"""ncsim as an oracle: where its model and ours are the same, so are the makespans.

It is no dependency. With `pip install anrg-ncsim==1.0.0` these tests run; without they are skipped.
"""

import json
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from pnode.mappers.contention import Contention
from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge
from pnode.sim.formats.ncsim import ncsim_text
from pnode.sim.schedule.queues import Discipline
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Arrival, Graph, Machine, Network, Scenario, Vertex
from pnode.sim.schedule.static import static

NCSIM = shutil.which("ncsim") or ""

pytestmark = pytest.mark.skipif(not NCSIM, reason="ncsim is not installed: pip install anrg-ncsim==1.0.0")

STEP_S = 1e-6
"""ncsim rounds the instants of its events to that."""


def pinned(seed: int, tasks: int = 12, nodes: int = 3) -> Scenario:
    """Random tasks, each on a machine that is drawn for it; links of their own speeds that transfers share."""
    rng = Random(seed)
    machines = tuple(Machine(f"n{at}", rng.uniform(50.0, 200.0)) for at in range(nodes))
    vertices = tuple(
        Vertex(f"T{at}", rng.uniform(10.0, 500.0), pinned=rng.choice(machines).name) for at in range(tasks)
    )
    pairs = [(parent, child) for child in range(1, tasks) for parent in range(child) if rng.random() < 0.25]
    edges = tuple(Edge(*pair, rng.uniform(1e6, 1e8)) for pair in pairs)
    latency = tuple((0.0,) * nodes for _ in machines)  # where it goes among shares is where the models differ
    bandwidth = tuple(tuple(rng.uniform(1e7, 2e8) for _ in machines) for _ in machines)
    graph = Graph("dag_1", vertices, edges)
    return Scenario("pinned", Network(machines, latency, bandwidth), (Arrival(graph),), Contention.LINK)


@pytest.mark.parametrize("seed", range(10))
def test_pinned_tasks_take_as_long_as_in_ncsim(seed: int, tmp_path: Path) -> None:
    scenario = pinned(seed)
    (tmp_path / "scenario.yaml").write_text(ncsim_text(scenario))
    options: list[str | Path] = [
        "--output",
        tmp_path / "out",
        "--scheduler",
        "manual",
        "--interference",
        "none",
        "--routing",
        "direct",
    ]

    subprocess.run([NCSIM, "--scenario", tmp_path / "scenario.yaml", *options], check=True, capture_output=True)
    ours = simulate(scenario, static("as pinned", heft, Discipline.FIFO))

    theirs = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert ours.makespan_s == pytest.approx(theirs["makespan"], abs=STEP_S * len(scenario.arrivals[0].graph.tasks))
