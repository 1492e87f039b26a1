"""Retention: how long a job that is over is kept, and by whom.

    over --somebody has fetched its results (PULLED), and GRACE_S has passed; or RETENTION_S has--> released

Of jobs whose results were fetched there may be GRACE_UNITS_MAX units: where work goes on without a pause those whose
results were fetched first are released sooner.

Whoever is not the job's origin then forgets it: its rows are erased and its content may go. The origin lets the
content go as well, and keeps the ledger as history until there is no room for it: for the jobs (`register`), or for
their units, of which a program that hands in calls all day has millions. All replicas come to this at about the same
time, by the same statements, and none of them shows a job to others that it would release.

A node that was away all the time may still take the job for open, and must not bring it back. So whoever has released
a job keeps one segment of it that says how it ended, and answers by that whatever it is told about the job.
"""

import math

from .comparing import Comparing
from .copies import Copies
from .desk import Desk, hollow_row, segment_row
from .effects import Erase, Release
from .fetching import Fetching
from .guarding import Guarding
from .ids import JobId
from .job import Job
from .jobstate import ENDINGS, Phase
from .ledger import Entry, Statement, StatementKind
from .timers import Timers

RETENTION_S = 7 * 86_400.0
"""Longer than a long weekend."""

GRACE_S = 3600.0
"""Whoever has fetched results at one node may want them at another, or again."""

GRACE_UNITS_MAX = 50_000
"""Of all jobs that wait for it to pass: each costs some eight kilobytes of memory, and the next start a tenth of a
millisecond. An hour of brief commands on two cores would be two million."""

GRACE_S_MIN = 60.0
"""However many there are."""

RELEASED_MAX = 4096
"""As many as jobs: each costs one segment, a kilobyte or two."""

HISTORY_UNITS_MAX = 20_000
"""Of all jobs of this node's own that are released: each costs some eight kilobytes of memory. The largest graph has
as many; the latest job is kept whatever it has."""


class Retention:
    """The jobs here that are over."""

    def __init__(
        self, desk: Desk, fetching: Fetching, guarding: Guarding, copies: Copies, comparing: Comparing
    ) -> None:
        self.desk = desk
        self.fetching = fetching
        self.guarding = guarding
        self.copies = copies
        self.comparing = comparing
        self._timers: Timers[JobId] = Timers()
        self._ended_s: dict[JobId, float] = {}
        """When this node has learned that a job is over."""
        self._history: dict[JobId, int] = {}
        """Released jobs of this node's own, the earliest first: how many of their units are in memory."""
        self._fetched: dict[JobId, int] = {}
        """The same of jobs whose results were fetched and that are not released yet."""
        self._fetched_units = 0

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def look(self, job: Job, now: float) -> None:
        """A job is over, or its results were fetched."""
        if job.state.is_over and not job.released:
            ended_s = self._ended_s.setdefault(job.id, _ended_s(job, now))
            self._timers.set(job.id, _until_s(ended_s, job.state.pulled_s))
            if job.state.pulled_s is not None and job.id not in self._fetched:
                self._fetched[job.id] = len(job.state.units)
                self._fetched_units += len(job.state.units)
                self._hasten()

    def _hasten(self) -> None:
        """Release jobs sooner if there are too many whose results were fetched, the earliest first."""
        excess = self._fetched_units - GRACE_UNITS_MAX
        for job_id, units in self._fetched.items():
            if excess <= 0:
                return
            excess -= units
            until_s = _until_s(self._ended_s[job_id], self.desk.jobs[job_id].state.pulled_s, GRACE_S_MIN)
            self._timers.set(job_id, until_s)

    def pulled(self, job: Job, now: float) -> None:
        """Somebody at this node has fetched the results: the others may know it, too. Whoever has only run units of
        the job would else keep what it has of it until RETENTION_S has passed."""
        if job.state.phase is Phase.DONE and job.state.pulled_s is None:
            self.desk.say(job, Statement(StatementKind.PULLED, 0, 0, 0, now), tuple(job.participants))

    def tick(self, now: float) -> None:
        for job_id in self._timers.due(now):
            job = self.desk.jobs[job_id]
            if job.origin == self.desk.me:
                job.released = True
                self._put_away(job)
                self._history[job.id] = len(job.state.units)
                self._shorten_history()
            else:
                self.forget(job)

    def _shorten_history(self) -> None:
        while len(self._history) > 1 and sum(self._history.values()) > HISTORY_UNITS_MAX:
            self.forget(self.desk.jobs[next(iter(self._history))])

    def forget(self, job: Job) -> None:
        """Forget a job that is over, but for the fact that it is."""
        self._put_away(job)
        self._timers.cancel(job.id)
        self._history.pop(job.id, None)
        self.desk.effects.append(Erase("job", job.id))
        last = min(job.endings)
        for entry in job.ledger:
            if entry.id != last:
                self.desk.effects.append(Erase("segment", segment_row(job.id, entry)))
        for feed, run in job.ledger.runs():
            self.desk.effects.append(Erase("hollow", hollow_row(job.id, feed, run.first)))
        self.desk.forget(job)
        self.remember(job.ledger[last])

    def remember(self, ending: Entry) -> None:
        """Keep one segment of a job that is not here any more, if it says that the job is over."""
        job_id = JobId(ending.segment.job)
        says_so = any(statement.kind in ENDINGS for statement in ending.segment.statements)
        if not says_so or job_id in self.desk.released:
            self.desk.effects.append(Erase("segment", segment_row(job_id, ending)))
            return
        self.desk.released[job_id] = ending
        while len(self.desk.released) > RELEASED_MAX:
            oldest = next(iter(self.desk.released))
            gone = self.desk.released.pop(oldest)
            self.desk.effects.append(Erase("segment", segment_row(oldest, gone)))

    def _put_away(self, job: Job) -> None:
        self._ended_s.pop(job.id, None)
        self._fetched_units -= self._fetched.pop(job.id, 0)
        self.guarding.stop(job)
        self.copies.stop(job)
        self.comparing.leave(job)
        self.fetching.over(job.id)
        self.desk.effects.append(Release(job.id))


def _ended_s(job: Job, now: float) -> float:
    """When this node has learned that a job is over: others' clocks may be wrong by years. If that was in an earlier
    run nothing but their word is left of it."""
    if job.ended_here_s > -math.inf:
        return job.ended_here_s
    said = [job.state.cancelled, job.state.conclusion]
    return min(now, *(at_s for at_s, _ in filter(None, said)))


def _until_s(ended_s: float, pulled_s: float | None, grace_s: float = math.inf) -> float:
    """Until when a job that is over is kept."""
    if pulled_s is None:
        return ended_s + RETENTION_S
    return min(max(pulled_s, ended_s) + min(grace_s, GRACE_S), ended_s + RETENTION_S)
