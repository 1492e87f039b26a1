"""Keepers: the nodes that keep a job, and how much of it each of them has."""

from pnode.protocol.ids import NodeId
from pnode.protocol.job import Job
from pnode.protocol.jobstate import Attempt

from .api import KeeperStatus
from .directory import Directory


def keepers_of(job: Job, directory: Directory) -> tuple[KeeperStatus, ...]:
    """The job's replicas as this node sees them, the origin first if it lives."""
    results = _final_results(job)
    settled = len(job.state.settlement) * len(job.final_tasks)  # which all that guarded the job had copies of
    return tuple(
        KeeperStatus(
            node=directory.name_of(node),
            origin=node == job.origin,
            guards=node == job.origin or node in job.state.guards,
            results=settled + sum(node in result.keepers for result in results),
            shortage=directory.shortage(job.id, node),
        )
        for node in job.replicas
    )


def _final_results(job: Job) -> list[Attempt]:
    """The results that the job is for, as far as there are any, but for those of settled items."""
    units = (job.state.units.get(job.final(number)) for number in range(job.finals))
    return [unit.result for unit in units if unit is not None and unit.result is not None]


def holders_of(job: Job, attempt: Attempt, directory: Directory) -> tuple[NodeId, ...]:
    """Everybody who may have what an attempt wrote and is there, the likeliest first: who made it, who says that it
    has a copy, and whoever keeps the job."""
    named = dict.fromkeys((attempt.node, *attempt.keepers, *job.replicas))
    return tuple(node for node in named if not directory.is_gone(node))


def why_nowhere(attempt: Attempt, directory: Directory) -> str:
    """Why what an attempt wrote cannot be had: nobody who has it is there."""
    had = list(dict.fromkeys((attempt.node, *attempt.keepers)))
    names = ", ".join(map(directory.name_of, had))
    return f"{names} had it and is gone" if len(had) == 1 else f"{names} had it and are gone"
