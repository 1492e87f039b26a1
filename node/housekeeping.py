"""Housekeeping: what a node does once in a while, whatever else happens."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import trio

from pnode.profilers.resources import Sampler
from pnode.protocol.events import LoadSampled
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.job import Job
from pnode.protocol.jobstate import Phase

from .store import Store

SAMPLE_S = 1.0
"""How often the machine is looked at: the period at which load figures are gossiped."""

PINS_S = 60.0
"""How often it is looked at which jobs run; results are usually fetched within a minute of the end."""

FIRST_LOOK_S = 1.0
"""After a start: the journal has been read by then."""


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


async def serve_pins(store: Store, me: NodeId, jobs: Callable[[], Iterable[Job]]) -> NoReturn:
    """What a job needs stays in the store while it runs, also after a restart, which forgets pins; afterwards it
    stays as long as there is room."""
    released: dict[JobId, None] = {}
    await trio.sleep(FIRST_LOOK_S)
    while True:
        for job in tuple(jobs()):
            if job.state.phase is Phase.RUNNING:
                store.pin(job.id, content_of(job, me))
            elif job.id not in released:
                released[job.id] = None
                store.unpin(job.id)
                store.unpin(job.spec.nonce)
        await trio.sleep(PINS_S)


def content_of(job: Job, me: NodeId) -> list[bytes]:
    """Digests of what a job may still need from this node: its inputs, its programs, and what this node made."""
    digests = [file.digest for item in job.spec.items for file in item.files]
    if job.spec.application is not None:
        digests.append(job.spec.application.digest)
    for unit in job.state.units.values():
        for attempt in unit.attempts.values():
            if attempt.node == me and attempt.outcome is not None:
                digests += [file.digest for file in attempt.outcome.outputs]
    return digests
