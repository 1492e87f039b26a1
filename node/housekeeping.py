"""Housekeeping: what a node does once in a while, whatever else happens."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import trio

from pnode.profilers.resources import Sampler
from pnode.protocol.effects import Keep
from pnode.protocol.events import LoadSampled
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.job import Job

from .store import Store

SAMPLE_S = 1.0
"""How often the machine is looked at: the period at which load figures are gossiped."""

PINS_S = 60.0
"""How often it is looked at which jobs there are. What a job needs is pinned when it comes in; this is for content
that came in for the sake of another job."""


async def serve_samples(home: Path, deliver: Callable[[LoadSampled], None]) -> NoReturn:
    """Look at the machine at once and then every second, and at how late we are ourselves."""
    sampler = Sampler(home)
    due = trio.current_time()
    while True:
        await trio.sleep_until(due)
        lag_s = max(0.0, trio.current_time() - due)
        sample = sampler.sample()
        deliver(LoadSampled(sample.cpu_percent, sample.memory_percent, lag_s))
        due = trio.current_time() + SAMPLE_S  # not sooner: a lag is gossiped until the next sample takes its place


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
    has copies of."""
    digests = [file.digest for item in job.spec.items for file in item.files]
    if job.spec.application is not None:
        digests.append(job.spec.application.digest)
    for unit in job.state.units.values():
        for attempt in unit.attempts.values():
            if attempt.outcome is not None and (attempt.node == me or me in attempt.keepers):
                files = (*attempt.outcome.outputs, attempt.outcome.stdout, attempt.outcome.stderr)
                digests += [file.digest for file in files]
    return digests + list(_settled(job))


def _settled(job: Job) -> Iterator[bytes]:
    """Digests of the results of settled items, of which every node that keeps the job has copies."""
    for item in job.state.settlement:
        settled = job.state.settlement.of(item)
        for said in () if settled is None else settled.results:
            yield from () if said.outcome is None else (file.digest for file in said.outcome.outputs)
