"""Trials: a graph is run wholly on each node in turn, to learn how long its tasks take there.

What Jupiter's execution profiler does once before a deployment: every task on every node, on the sample input. Here
a trial is an ordinary job that is pinned to its node (`mappers.pinned`), due so late that all other work goes first,
and kept by nobody else. All nodes are tried side by side, round after round. Whoever runs, or submits, a job learns
from its runs; so this node then knows how fast every node is at this program, and each knows it of itself.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import trio

from pnode.mappers.pinned import Pinned
from pnode.protocol.events import CancelJob, ResultsPulled
from pnode.protocol.ids import JobId, NodeId, node_text
from pnode.protocol.job import Job
from pnode.protocol.jobs import Jobs
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.record import Role
from pnode.protocol.values import dataclass, field

from .api import RefusedError
from .api_trials import Profiled, TaskProfile
from .application import Application
from .driver import Driver
from .submission import Submission, load

if TYPE_CHECKING:
    from .node import Node

LOOK_S = 0.2
"""How often it is looked which trials have ended."""


@dataclass(slots=True)
class _Runs:
    """Of one task on one node."""

    seconds: list[float] = field(default_factory=list)
    output_bytes: int = 0
    trouble: str = ""


class Trials:
    """The trials of one graph."""

    def __init__(self, node: "Node", driver: Driver, jobs: Jobs, near: Neighbours) -> None:
        self._node = node
        self._driver = driver
        self._jobs = jobs
        self._near = near

    async def run(
        self, dag: Path, inputs: tuple[Path, ...], nodes: tuple[str, ...], rounds: int
    ) -> AsyncGenerator[Profiled, None]:
        """As `contract.NodeApi.profile`. Raises RefusedError."""
        application = await load(dag, inputs)
        tried = self._chosen(nodes)
        known = {(task.name, node): _Runs() for node in tried for task in application.dag.tasks}
        for number in range(1, rounds + 1):
            jobs: dict[NodeId, Job] = {}
            try:
                for node in tried:
                    jobs[node] = await self._submit(application, node)
                yield self._profiled(application, known, number, rounds, done=False)
                while jobs:
                    await trio.sleep(LOOK_S)
                    for node in [node for node, job in jobs.items() if self._has_ended(job, node)]:
                        await self._end(jobs[node])
                        self._note(jobs.pop(node), node, known)
                        yield self._profiled(application, known, number, rounds, done=number == rounds and not jobs)
            finally:
                with trio.CancelScope(shield=True):
                    for job in jobs.values():
                        await self._end(job)

    def _chosen(self, names: tuple[str, ...]) -> list[NodeId]:
        """Who is tried. Raises RefusedError."""
        members = self._near.membership
        alive = (members.me, *members.alive())
        able = {node: record for node in alive if (record := members.record_of(node)) and record.roles & Role.COMPUTE}
        if not names:
            return list(able)
        chosen = {node: None for node, record in able.items() if names_it(names, record.name, node_text(node))}
        strange = [
            name for name in names if not any(names_it((name,), able[node].name, node_text(node)) for node in chosen)
        ]
        if strange:
            raise RefusedError(f"no node that computes is called {', '.join(strange)}: 'pnode peers' lists them")
        return list(chosen)

    async def _submit(self, application: Application, node: NodeId) -> Job:
        submission = Submission(self._node, self._driver, self._jobs, self._near)
        async with aclosing(submission.hand_in(application, Pinned(node), None, 0)) as steps:
            taken_in = await anext(steps)
        return self._jobs.desk.jobs[JobId(bytes.fromhex(taken_in.key))]

    def _has_ended(self, job: Job, node: NodeId) -> bool:
        """Nobody else goes on with it where its node is gone."""
        return job.state.is_over or self._jobs.desk.is_gone(node)

    async def _end(self, job: Job) -> None:
        """Cancel it if need be. Nobody wants its results: their room is free in an hour."""
        if not job.state.is_over:
            with suppress(RefusedError):  # it has ended meanwhile
                await self._driver.ask(lambda request: CancelJob(request, job.id))
        self._node.deliver(ResultsPulled(job.id))

    def _note(self, job: Job, node: NodeId, known: dict[tuple[str, NodeId], _Runs]) -> None:
        """What the job tells of its tasks."""
        gone = f"{self._near.name_of(node)} is gone" if self._jobs.desk.is_gone(node) else ""
        for number, task in enumerate(job.spec.dag.tasks):
            runs = known[task.name, node]
            for item in range(len(job.spec.items)):
                unit = job.state.unit((number, item))
                if unit.result is not None and unit.result.outcome is not None:
                    runs.seconds.append(unit.result.outcome.seconds)
                    runs.output_bytes = sum(file.size_bytes for file in unit.result.outcome.outputs)
                else:
                    failed = [each.reason for each in unit.in_phase("failed")]
                    runs.trouble = gone or next(iter(failed), "it did not come to it")

    def _profiled(
        self,
        application: Application,
        known: dict[tuple[str, NodeId], _Runs],
        number: int,
        rounds: int,
        *,
        done: bool,
    ) -> Profiled:
        tasks = tuple(
            TaskProfile(
                task,
                self._near.name_of(node),
                len(runs.seconds),
                median(runs.seconds) if runs.seconds else None,
                max(runs.seconds) - min(runs.seconds) if runs.seconds else 0.0,
                runs.output_bytes,
                runs.trouble,
            )
            for (task, node), runs in known.items()
        )
        return Profiled(application.name, tasks, number, rounds, done)


def names_it(names: tuple[str, ...], name: str, text: str) -> bool:
    """Whether one of the names means a node: it is its name, or its id begins so."""
    return any(each == name or text.startswith(each) for each in names)
