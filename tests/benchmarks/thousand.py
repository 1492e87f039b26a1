"""A thousand tasks that do nothing and know nothing of each other: how many get through in a second."""

import os
import statistics
import subprocess
import time

from ..end_to_end.applications import write
from .bench import cluster, followed, tell

TASKS = 1000
BARE_RUNS = 20

TASK = """
[task.t{number}]
{program}
final = false
"""

RESULT = """
[task.result]
command = ["sh", "-c", ': > "$PNODE_OUTPUT_DIR/result"']
"""
"""One task has to be final."""

NOTHING = "def task(file, pathin, pathout):\n    pass\n"


def measure(kind: str, program: str, bare: tuple[str, ...]) -> None:
    """Tell how fast tasks of one kind are, and how long their bare process takes when nothing else runs."""
    graph = "".join(TASK.format(number=number, program=program) for number in range(TASKS - 1)) + RESULT
    with cluster() as nodes:
        tell(f"bare_{kind}_process", 1000 * statistics.median(seconds(bare) for _ in range(BARE_RUNS)), "ms")
        dag = write(nodes[0].place / "thousand", {"dag.toml": graph, "nothing.py": NOTHING})
        job = followed(nodes[0], dag, "--input", dag)
    assert len(job.units) == TASKS
    tell(f"independent_{kind}_tasks", TASKS / job.elapsed_s, "tasks/s")


def seconds(words: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run(words, env=os.environ, check=True)
    return time.perf_counter() - began
