"""What it costs to hand on: a chain of tasks that do nothing, over four nodes, against the same processes alone."""

import os
import statistics
import subprocess
import tempfile
import time
from itertools import pairwise

from pnode.node.api import JobDetail

from ..end_to_end.applications import write
from .bench import cluster, followed, tell, tell_all

TASKS = 50
RUNS = 3
MAPPERS = ("wave-random", "wave-greedy")
"""The first moves nearly every task to another node, the second hardly any."""

WORDS = ("sh", "-c", ': > "$PNODE_OUTPUT_DIR/token"')
"""As little as a task can do that has to feed another."""

TASK = """
[task.t{number}]
command = ["sh", "-c", '{program}']
children = [{children}]
"""


def main() -> None:
    with cluster() as nodes:
        dag = write(nodes[0].place / "chain", {"dag.toml": chain()})
        bare_ms = [bare_s() * 1000 / TASKS for _ in range(RUNS)]
        for mapper in MAPPERS:
            jobs = [followed(nodes[number % len(nodes)], dag, "--mapper", mapper) for number in range(RUNS)]
            name = f"chain_{mapper.replace('-', '_')}"
            hop_ms = [job.elapsed_s * 1000 / TASKS for job in jobs]
            tell_all(f"{name}_hop", hop_ms, "ms")
            tell(f"{name}_hop_overhead", statistics.median(hop_ms) - statistics.median(bare_ms), "ms")
            tell(f"{name}_hops_between_nodes", statistics.median([moves(job) for job in jobs]), "hops")
    tell_all("chain_bare_process", bare_ms, "ms")


def chain() -> str:
    children = [f'"t{number}"' for number in range(1, TASKS)] + [""]
    return "".join(
        TASK.format(number=number, program=WORDS[2], children=child) for number, child in enumerate(children)
    )


def moves(job: JobDetail) -> int:
    """How often the next task ran on another node."""
    return sum(one.node != other.node for one, other in pairwise(job.units))


def bare_s() -> float:
    """The same processes one after the other, with nothing between them."""
    with tempfile.TemporaryDirectory() as outputs:
        environment = {**os.environ, "PNODE_OUTPUT_DIR": outputs}
        began = time.perf_counter()
        for _ in range(TASKS):
            subprocess.run(WORDS, env=environment, check=True)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
