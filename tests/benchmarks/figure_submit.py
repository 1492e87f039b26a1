"""How long after `pnode submit` was typed the first task runs on another node than the one it was typed at."""

import time
from pathlib import Path

from ..end_to_end.applications import write
from ..end_to_end.hosts import Host
from .bench import cluster, followed, tell_all

RUNS = 7
TASKS = 8
"""More than the node at hand has cores, so that some must go elsewhere."""

TASK = """
[task.nap{}]
command = ["sh", "-c", ': > "$PNODE_OUTPUT_DIR/nap{}"; sleep 0.2']
"""


def main() -> None:
    with cluster() as nodes:
        dag = write(nodes[0].place / "naps", {"dag.toml": "".join(TASK.format(n, n) for n in range(TASKS))})
        spans = [first_elsewhere(nodes[run % len(nodes)], dag) for run in range(RUNS)]
    tell_all("submit_to_first_task_elsewhere", [from_command for from_command, _ in spans], "s")
    tell_all("submitted_to_first_task_elsewhere", [from_submission for _, from_submission in spans], "s")


def first_elsewhere(node: Host, dag: Path) -> tuple[float, float]:
    """Seconds from the command, which has a Python to start first, and from when the node had the job."""
    typed_s = time.time()
    job = followed(node, dag)
    starts = [unit.started_at for unit in job.units if unit.node != node.name and unit.started_at is not None]
    return min(starts) - typed_s, min(starts) - job.submitted_at


if __name__ == "__main__":
    main()
