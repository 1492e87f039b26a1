"""Whether simulations come true: live runs on local nodes of emulated speeds, recorded, and each replayed.

    make reality

Three graphs: the demo's, and two layered ones of 60 tasks that wait for what they cost. Each is run some ten times;
told is the predicted makespan over the real one. `replayed` takes the nodes that the tasks ran on, `decided` lets the
simulated mapper choose them. Not one of `make figures`: it takes six minutes, nearly all of them waiting.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from pnode.mappers.instance import Instance
from pnode.mappers.layered import layered
from pnode.sim.formats.recording import read_recording
from pnode.sim.study.replay import replay

from ..borders import ROOT
from ..end_to_end.applications import write
from ..end_to_end.hosts import Host
from .bench import SETTLED_S, followed, hosts, tell

EXAMPLE = ROOT / "examples" / "stdlib"

SPEEDS = {"alpha": 1.0, "beta": 0.8, "gamma": 0.6, "delta": 0.4}

RUNS = 10
TASKS = 60
MAPPER = "wave-greedy"

COST_S_MAX = 0.4
"""On the fastest node. Sleeping, so that emulated machines do not take cores from each other."""

BYTES_MAX = 2_000_000

TASK = """
[task.t{number}]
command = ["sh", "-c", 'sleep {cost_s:.3f}; head -c {size} /dev/zero > "$PNODE_OUTPUT_DIR/t{number}.bin"']
children = [{children}]
"""


def main() -> None:
    with hosts() as place:
        nodes = [place.add(name) for name in SPEEDS]
        nodes[0].start("--cores", 1)
        token = nodes[0].token()
        for node in nodes[1:]:
            node.start("--cores", 1, "--token", token, "--emulate-speed", SPEEDS[node.name])
        for node in nodes:
            node.wait_for(*SPEEDS)
        time.sleep(SETTLED_S)
        measure("demo", EXAMPLE / "dag.txt", nodes, "--input", made_input(nodes[0].place / "input"))
        for seed in (1, 2):
            dag = write(nodes[0].place / f"layered{seed}", {"dag.toml": text(seed)})
            measure(f"layered{seed}", dag, nodes)


def made_input(place: Path) -> Path:
    place.mkdir()
    subprocess.run([sys.executable, EXAMPLE / "make_input.py", place], check=True, capture_output=True)
    return place


def text(seed: int) -> str:
    """A layered graph as a person would write it, children after parents."""
    instance = layered(Random(seed), TASKS, 4, 1.0, 1.0, 2, 0.0)
    largest = max(edge.size_bytes for edge in instance.edges)
    return "".join(task(instance, number, largest) for number in range(instance.tasks))


def task(instance: Instance, number: int, largest: float) -> str:
    children = instance.children[number]
    size = max((size for _, size in children), default=0.0) / largest * BYTES_MAX
    cost_s = instance.cost_s[number][0] / 20.0 * COST_S_MAX
    names = ", ".join(f'"t{child}"' for child, _ in children)
    return TASK.format(number=number, cost_s=cost_s, size=round(size), children=names)


def measure(name: str, dag: Path, nodes: list[Host], *words: object) -> None:
    replayed, decided = [], []
    for run in range(RUNS):
        node = nodes[run % len(nodes)]
        job = followed(node, dag, *words, "--mapper", MAPPER)
        file = node.place / f"{name}-{run}.json"
        node.done("job", job.id, "--record", file)
        recording = read_recording(file)
        replayed.append(1.0 + replay(recording).error)
        decided.append(1.0 + replay(recording, MAPPER).error)
        assert json.loads(file.read_text())["state"] == "done"
    for what, ratios in (("replayed", replayed), ("decided", decided)):
        tell(f"reality_{name}_{what}", statistics.median(ratios), "predicted/real")
        tell(f"reality_{name}_{what}_min", min(ratios), "predicted/real")
        tell(f"reality_{name}_{what}_max", max(ratios), "predicted/real")


if __name__ == "__main__":
    main()
