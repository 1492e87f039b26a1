"""Guarding: a replica's own copies of what a job needs: its specification, application and inputs, and its ledger.

    stranger --it is among the replicas--> collecting --all is here--> syncing --Synced--> it says GUARDED

A job is never failed for the sake of its keeping: what cannot be had is tried for again, after growing pauses, from
whoever is named as having it then. The origin has all from the beginning and says so like everybody else.

Who becomes a guardian of a job that has gone on for a while has its ledger to collect, too: a fellow says how far its
own goes (`comparing`), and until all of that is here nothing is said, so that nobody leads who does not know what has
been done. A fellow that never answers does not keep it from guarding for longer than COLLECT_S.
"""

import math
from collections.abc import Iterator

from .desk import Desk
from .effects import Sync
from .fetching import Fetching, Purpose, Waiter
from .ids import Digest, JobId
from .job import Collecting, Job
from .jobspec import FileRef
from .ledger import Statement, StatementKind, Vector
from .timers import Timers, growing_s

PAUSE_S = 5.0
"""After a source has failed us for half a minute (`fetching`); doubled with each time."""

PAUSE_S_MAX = 300.0

COLLECT_S = 10.0
"""A full ledger at 100 MB/s takes less (`enquiries.LEDGER_S`), and a fellow that dies is noticed by then."""

NO_UNIT = (0, 0)
"""Inputs are wanted for the whole job."""


class Guarding:
    """The jobs whose needs this node is gathering."""

    def __init__(self, desk: Desk, fetching: Fetching) -> None:
        self.desk = desk
        self.fetching = fetching
        self._again: Timers[JobId] = Timers()
        """When to ask again for what could not be had."""
        self._patience: Timers[JobId] = Timers()
        """Until when a ledger is waited for."""
        self._syncs: dict[int, JobId] = {}
        self._counter = 0
        self._whole: dict[JobId, None] = {}
        """Jobs whose ledger has become whole."""

    @property
    def deadline(self) -> float:
        return -math.inf if self._whole else min(self._again.deadline, self._patience.deadline)

    def begin(self, job: Job, now: float, *, has_ledger: bool) -> None:
        """This node has become one of the job's replicas."""
        if not job.spec.replicas or job.state.is_over or job.collecting or (has_ledger and self._has_said_so(job)):
            return
        job.collecting = Collecting()
        if not has_ledger:
            job.collecting.lacks_ledger = True
            self._patience.set(job.id, now + COLLECT_S)
        if not job.equipped:
            self._want_all(job)
        self._sync_if_whole(job)

    def stop(self, job: Job) -> None:
        """This node is no replica any more, or the job is over."""
        if job.collecting is not None:
            for digest in job.collecting.missing:
                self.fetching.release(digest, _waiter(job))
            job.collecting = None
            self._again.cancel(job.id)
            self._patience.cancel(job.id)

    def heard(self, job: Job) -> None:
        """Somebody has said GUARDED: whatever is missing may come from there, too."""
        if job.collecting is not None and (job.collecting.missing or job.collecting.refused):
            self._ask_again(job)

    def shown(self, job: Job, vector: Vector) -> None:
        """A fellow has said how far its ledger goes."""
        if job.collecting is not None and job.collecting.lacks_ledger:
            job.collecting.vector = vector
            self.check(job)

    def check(self, job: Job) -> None:
        """Segments have come: are they all?"""
        collecting = job.collecting
        if collecting is None or not collecting.lacks_ledger or collecting.vector is None:
            return
        if not job.ledger.lacks(collecting.vector):
            self._has_ledger(job, collecting)

    def arrived(self, job: Job, digest: Digest) -> None:
        """Something that a job needs is in our store."""
        assert job.collecting is not None, "else it would not wait for anything"
        job.collecting.missing.pop(digest, None)
        self._sync_if_whole(job)

    def given_up(self, job: Job, file: FileRef, now: float) -> None:
        """Something cannot be had now: ask again later, of whoever has it then."""
        collecting = job.collecting
        assert collecting is not None, "else it would not wait for anything"
        collecting.missing.pop(Digest(file.digest), None)
        collecting.refused = True
        if job.id not in self._again:
            self._again.set(job.id, now + growing_s(PAUSE_S, collecting.tries, PAUSE_S_MAX))
            collecting.tries += 1

    def synced(self, number: int, now: float) -> None:
        """What was saved before a Sync is on the disk."""
        job = self.desk.jobs.get(self._syncs.pop(number, JobId(b"")))
        if job is not None and job.collecting is not None and job.collecting.sync == number:
            job.collecting, job.equipped = None, True
            self.desk.say(job, Statement(StatementKind.GUARDED, 0, 0, 0, now), ())

    def whole(self) -> list[JobId]:
        """Jobs whose ledgers have come to be whole since the last time: now this node may lead them."""
        whole = list(self._whole)
        self._whole.clear()
        return whole

    def tick(self, now: float) -> None:
        for job_id in self._again.due(now):
            self._ask_again(self.desk.jobs[job_id])
        for job_id in self._patience.due(now):
            job = self.desk.jobs[job_id]
            assert job.collecting is not None, "else its patience had ended"
            self._has_ledger(job, job.collecting)

    def _ask_again(self, job: Job) -> None:
        assert job.collecting is not None, "else nothing is asked for again"
        self._again.cancel(job.id)  # somebody may have said that it has it before the pause is over
        job.collecting.refused = False
        self._want_all(job)
        self._sync_if_whole(job)

    def _has_ledger(self, job: Job, collecting: Collecting) -> None:
        collecting.lacks_ledger = False
        self._patience.cancel(job.id)
        self._whole[job.id] = None
        self._sync_if_whole(job)

    def _has_said_so(self, job: Job) -> bool:
        """In a run that this one remembers (`echoes`)."""
        return job.equipped and self.desk.me in job.state.guards

    def _want_all(self, job: Job) -> None:
        assert job.collecting is not None, "only called while it is"
        sources, waiter = self.desk.sources(job), _waiter(job)
        for file in needs(job):
            if self.fetching.want(file, sources, waiter):
                job.collecting.missing[Digest(file.digest)] = None

    def _sync_if_whole(self, job: Job) -> None:
        collecting = job.collecting
        assert collecting is not None, "only called while it is"
        if not (collecting.missing or collecting.refused or collecting.lacks_ledger or collecting.sync):
            self._counter += 1
            collecting.sync = self._counter
            self._syncs[self._counter] = job.id
            self.desk.effects.append(Sync(self._counter))


def needs(job: Job) -> Iterator[FileRef]:
    """What every guardian has on its disk beside the specification."""
    if job.spec.application is not None:
        yield job.spec.application
    for item in job.spec.items:
        yield from item.files


def _waiter(job: Job) -> Waiter:
    return Waiter(job.id, NO_UNIT, Purpose.GUARD)
