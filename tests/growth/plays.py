"""Plays: tasks that do nothing, handed in at the first of some nodes as people do it."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pnode.node.client import Cluster, connect
from pnode.node.commands import NodeClient

from ..chaos.machines import Machine, Machines, SuiteError
from ..end_to_end.applications import programs, write

Run = Callable[[int, int], float]
"""Play so many tasks in so many jobs at once; how long that took, in seconds."""

Play = Callable[[Machines], AbstractContextManager[Run]]

MAPPER = "wave-plan"
"""Of `pnode submit`, when nobody says another."""

WALLTIME_S = 600.0

POLL_S = 0.5
"""Seldom enough to disturb nobody; what a job took it says itself."""


@contextmanager
def calls(machines: Machines) -> Iterator[Run]:
    """Calls of a function that does nothing, through a client; a bundle of them is a task."""
    with connect(machines[0].home) as cluster:
        yield lambda tasks, _: _mapped(cluster, tasks)


@contextmanager
def single_calls(machines: Machines) -> Iterator[Run]:
    """The same, each a task by itself, as those are that have a walltime or are not known to be short."""
    with connect(machines[0].home) as cluster:
        yield lambda tasks, _: _mapped(cluster.options(walltime_s=WALLTIME_S), tasks)


@contextmanager
def commands(machines: Machines) -> Iterator[Run]:
    """Programs that do nothing and know nothing of each other, in a graph for each job."""
    yield lambda tasks, jobs: _submitted(machines[0], tasks, jobs)


def _mapped(cluster: Cluster, tasks: int) -> float:
    began_s = time.perf_counter()
    deque(cluster.map(lambda item: item, range(tasks)), maxlen=0)
    return time.perf_counter() - began_s


def _submitted(machine: Machine, tasks: int, jobs: int) -> float:
    """Hand in all jobs, wait for the last one, fetch what came out: who has that needs the jobs no more."""
    dag = write(machine.home.with_suffix(".graph"), {"dag.toml": programs(tasks // jobs - 1)})
    handed_in = {_taken_in(machine.node, dag) for _ in range(jobs)}
    while True:
        found = [job for job in machine.node.jobs() if job.id in handed_in]
        if all(job.state != "running" for job in found):
            break
        time.sleep(POLL_S)
    failed = [job.reason for job in found if job.state != "done"]
    if failed:
        raise SuiteError(f"{len(failed)} of {jobs} jobs were not done: {failed[0]}")
    for job in found:
        machine.node.pull(job.id, Path(dag.parent, "results"))
    return max(job.submitted_at + job.elapsed_s for job in found) - min(job.submitted_at for job in found)


def _taken_in(node: NodeClient, dag: Path) -> str:
    return node.submit(dag, (), MAPPER, None).id
