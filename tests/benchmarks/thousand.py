"""A thousand tasks that do nothing and know nothing of each other: how many get through in a second."""

import os
import statistics
import subprocess
import time

from pnode.node.api import JobDetail

from ..end_to_end.applications import write
from ..end_to_end.hosts import Host
from .bench import cluster, tell

TASKS = 1000
BARE_RUNS = 20

WATCHED_S_MAX = 40.0
"""Enough for all of them on two cores that have nothing else to do; elsewhere those that are done by then count."""

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
        job = watched(nodes[0], nodes[0].submit(dag, dag))
    assert len(job.units) == TASKS
    ended = [unit.finished_at for unit in job.units if unit.state == "done" and unit.finished_at is not None]
    tell(f"independent_{kind}_tasks", len(ended) / (max(ended) - job.submitted_at), "tasks/s")
    tell(f"independent_{kind}_tasks_done", len(ended), "tasks")


def watched(node: Host, job: str) -> JobDetail:
    """A job that has ended, or has had its time. Looking seldom disturbs less than following it."""
    deadline = time.monotonic() + WATCHED_S_MAX
    while [listed.state for listed in node.jobs() if listed.id == job] == ["running"] and time.monotonic() < deadline:
        time.sleep(2.0)
    found = node.ask(JobDetail, "job", job)
    assert found.state in ("running", "done"), found.reason
    return found


def seconds(words: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run(words, env=os.environ, check=True)
    return time.perf_counter() - began
