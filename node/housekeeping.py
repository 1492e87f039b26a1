"""Housekeeping: what a node does once in a while, whatever else happens."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import trio

from pnode.profilers.resources import Sampler
from pnode.protocol.events import LoadSampled
from pnode.protocol.ids import JobId
from pnode.protocol.job import Job
from pnode.protocol.jobstate import Phase

from .store import Store

SAMPLE_S = 1.0
"""How often the machine is looked at: the period at which load figures are gossiped."""

RELEASE_S = 60.0
"""How often content of jobs that have ended is released; results are usually fetched within a minute of the end."""


async def serve_samples(home: Path, deliver: Callable[[LoadSampled], None]) -> NoReturn:
    """Look at the machine at once and then every second, and at how late we are ourselves."""
    sampler = Sampler(home)
    due = trio.current_time()
    while True:
        await trio.sleep_until(due)
        lag_s = max(0.0, trio.current_time() - due)
        sample = sampler.sample()
        deliver(LoadSampled(sample.cpu_percent, sample.memory_percent, lag_s))
        due += max(SAMPLE_S, lag_s)


async def serve_releases(store: Store, jobs: Callable[[], Iterable[Job]]) -> NoReturn:
    """What a job needs is pinned in the store while it runs; afterwards it stays as long as there is room."""
    released: dict[JobId, None] = {}
    while True:
        await trio.sleep(RELEASE_S)
        for job in tuple(jobs()):
            if job.state.phase is not Phase.RUNNING and job.id not in released:
                released[job.id] = None
                store.unpin(job.id)
                store.unpin(job.spec.nonce)
