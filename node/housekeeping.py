"""Housekeeping: what a node does once in a while, whatever else happens."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import trio

from pnode.protocol.effects import Keep, LetGo
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.job import Job
from pnode.protocol.spending import LARGE_BYTES

from .store import Store

PINS_S = 60.0
"""How often it is looked at which jobs there are. What a job needs is pinned when it comes in; this is for content
that came in for the sake of another job."""


class Pins:
    """What the store must keep for the jobs of this node.

    Content is pinned for its job when it comes in (`effects.Fetch`, the executor, a submission) until the core
    releases the job. Pins end with the process, so at a start they are set again before anything can come in:
    `restored` is what everybody waits for who wants to put something into the store.
    """

    def __init__(self, store: Store, me: NodeId) -> None:
        self._store = store
        self._me = me
        self._jobs: dict[JobId, None] = {}
        self.restored = trio.Event()

    def restore(self, jobs: Iterable[Job]) -> None:
        """Pin what the jobs of an earlier run need."""
        self._look(jobs)
        self.restored.set()

    def pin(self, job: JobId, digests: Iterable[bytes]) -> None:
        """Keep these, here yet or not, until the job is released; if it has just been, until that is noticed."""
        self._jobs[job] = None
        self._store.pin(job, digests)

    def hold(self, keep: Keep) -> None:
        """Content that has come with a result is in the store for as long as its job is kept."""
        self._jobs[keep.owner] = None
        self._store.hold(keep.content, keep.digest, keep.owner)

    async def serve(self, jobs: Callable[[], Iterable[Job]]) -> NoReturn:
        """Look at the jobs once in a while."""
        while True:
            await trio.sleep(PINS_S)
            self._look(jobs())

    def let_go(self, what: LetGo) -> list[Path]:
        """A job does not need this any more. Returns files that are to be removed. How long it is need not be true
        in what somebody has said of it: by that, results that the job is for could be called the same."""
        return self._store.let_go(what.job, what.digests, LARGE_BYTES)

    def release(self, job: JobId) -> None:
        """Nothing that a job needed is needed here any more."""
        self._jobs.pop(job, None)
        self._store.unpin(job)

    def _look(self, jobs: Iterable[Job]) -> None:
        known = {job.id: job for job in jobs}
        for job_id in [job_id for job_id in self._jobs if job_id not in known]:
            self.release(job_id)
        for job in known.values():
            if is_needed(job, self._me):
                self.pin(job.id, content_of(job, self._me))
            else:
                self.release(job.id)


def is_needed(job: Job, me: NodeId) -> bool:
    """Whether somebody may still ask this node for content of the job: while it is under way, and afterwards until it
    is released, if this node is one of those that keep it."""
    return not job.state.is_over or (me in job.replicas and not job.released)


def content_of(job: Job, me: NodeId) -> list[bytes]:
    """Digests of what a job may still need from this node: its inputs, its programs, what this node made and what it
    has copies of; once it is over, of these the results that it was for and what was printed."""
    digests = [file.digest for item in job.spec.items for file in item.files]
    if job.spec.application is not None:
        digests.append(job.spec.application.digest)
    for key, unit in job.state.units.items():
        for attempt in unit.attempts.values():
            if attempt.outcome is not None and me in (attempt.node, *attempt.keepers):
                is_of_use = job.task(key).final or not (attempt.is_spent or job.state.is_over)
                outputs = attempt.outcome.outputs if is_of_use else ()
                digests += [file.digest for file in (*outputs, attempt.outcome.stdout, attempt.outcome.stderr)]
    return digests + list(_settled(job))


def _settled(job: Job) -> Iterator[bytes]:
    """Digests of the results of settled items, of which every node that keeps the job has copies."""
    for item in job.state.settlement:
        settled = job.state.settlement.of(item)
        for said in () if settled is None else settled.results:
            yield from () if said.outcome is None else (file.digest for file in said.outcome.outputs)
