"""Fetching: content that this node needs and does not have, who it is for, and from whom it may come.

Who has it is asked anew at each try: a task may have ended elsewhere with the same outputs, a replica have copied it.

    wanted --Fetch--> under way --Fetched--> here
    under way --FetchFailed, a source is alive--> tried again after a pause, TRIES times; then given up
    under way --FetchFailed, every source is gone--> waits: for a source to come back, or for content in its place

What is wanted may lie in our own store from before a restart; so it is looked there once, also when nobody is alive
who has it. A source that is alive and cannot deliver is not waited for long, since somebody waits for the task. One
that has just died looks the same until membership has noticed it, so the pauses together are longer than that takes.
Whoever wanted what was given up decides what follows; nothing ever waits without a reason that can be read
(`trouble`).
"""

from collections.abc import Callable, Iterable
from enum import Enum, auto

from .desk import Desk
from .effects import Fetch, Keep
from .events import FetchFailed
from .ids import Digest, JobId, NodeId, digest_of
from .job import Job
from .jobspec import FileRef
from .jobstate import UnitKey
from .ledger import Outcome, Statement
from .strangers import Strangers
from .timers import Timers, growing_s
from .values import dataclass, field

TRIES = 7
PAUSE_S = 0.5
"""Doubled with each try: 0.5 + 1 + ... + 16 = 31.5 s, three times as long as it takes to find a node dead."""

PAUSE_S_MAX = PAUSE_S * 2 ** (TRIES - 2)


class Purpose(Enum):
    """What content is needed for."""

    RUN = auto()
    """The unit's holder needs an input."""
    COPY = auto()
    """A replica wants a copy of the unit's result."""
    GUARD = auto()
    """A guardian wants the job's inputs and application; of no unit in particular."""
    LOOK = auto()
    """Is it in our own store? Nobody is asked for it, and it is not waited for (`echoes`)."""

    @property
    def is_lasting(self) -> bool:
        """Whether others go by it that the content is here, and that it is after a failure of the machine, too."""
        return self in (Purpose.COPY, Purpose.GUARD)


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who needs some content."""

    job: JobId
    key: UnitKey
    purpose: Purpose = Purpose.RUN


@dataclass(slots=True)
class _Wanted:
    file: FileRef
    waiters: dict[Waiter, tuple[NodeId, ...]] = field(default_factory=dict)
    """Who waits, and from whom it may come."""
    tries: int = 0
    reason: str = ""
    """Why the last try has failed."""
    under_way: bool = False
    looked: bool = False
    """Our own store was looked at: it may have it from before a restart."""
    lasting: bool = False
    """What is under way will be on the disk."""


class Fetching:
    """All content that this node waits for."""

    def __init__(self, desk: Desk, strangers: Strangers) -> None:
        self.desk = desk
        self.strangers = strangers
        self._wanted: dict[Digest, _Wanted] = {}
        self._here: dict[JobId, dict[Digest, bool]] = {}
        """Content known to be in our store, and whether it is on the disk, per job that needed it: when that is over
        the store may throw it out."""
        self._pauses: Timers[Digest] = Timers()
        self.sources_now: Callable[[Waiter, Digest, bool], tuple[NodeId, ...]] = lambda *_: ()
        """From whom content may come for a waiter by what is known now, beside those named with the wish; and from
        whom else if these did not give it."""

    @property
    def deadline(self) -> float:
        return self._pauses.deadline

    def want(self, file: FileRef, sources: tuple[NodeId, ...], waiter: Waiter) -> bool:
        """Ask for content, the best source first; tells whether it has to be waited for. Who asks again, since two of
        its inputs are the same, adds sources."""
        digest = Digest(file.digest)
        if self._is_here(digest, waiter):
            return False
        wanted = self._wanted.setdefault(digest, _Wanted(file))
        known = wanted.waiters.get(waiter, ())
        if waiter not in wanted.waiters or any(source not in known for source in sources):
            wanted.waiters[waiter] = tuple(dict.fromkeys((*sources, *known)))
            wanted.tries = 0
            self._begin(wanted)
        return True

    def given_with(self, job: Job) -> None:
        """A job has come with the content of some of its files."""
        self._given(job.id, ((digest_of(content), content) for content in job.spec.contents))

    def given(self, job: JobId, outcome: Outcome) -> None:
        """A result has come with its content. Who lies about that has said nothing."""
        contents = zip((Digest(file.digest) for file in outcome.outputs), outcome.contents, strict=False)
        self._given(job, ((digest, content) for digest, content in contents if digest_of(content) == digest))

    def given_by(self, job: Job, statement: Statement) -> None:
        """Somebody has told of a result, perhaps with its content."""
        if statement.outcome is not None and statement.outcome.contents and not job.state.is_void(statement):
            self.given(job.id, statement.outcome)

    def given_before(self, job: Job) -> None:
        """The same for all of which the journal tells."""
        if job.released:
            return
        self.given_with(job)
        said = [attempt.outcome for unit in job.state.units.values() for attempt in unit.attempts.values()]
        for item in job.state.settlement:
            settled = job.state.settlement.of(item)
            said += [] if settled is None else [each.outcome for each in settled.results]
        for outcome in said:
            if outcome is not None and outcome.contents:
                self.given(job.id, outcome)

    def _given(self, job: JobId, contents: Iterable[tuple[Digest, bytes]]) -> None:
        """Need not be fetched. Whoever waits for it already hears of it as if it had been."""
        for digest, content in contents:
            here = self._here.setdefault(job, {})
            if not here.get(digest):
                here[digest] = True
                self.desk.effects.append(Keep(content, digest, job))
                if digest in self._wanted:
                    self._look_again(self._wanted[digest])

    def look(self, file: FileRef, waiter: Waiter) -> bool:
        """See whether content is in our own store; tells whether that is still to be found out. Then it has arrived,
        or has failed, soon."""
        digest = Digest(file.digest)
        if self._is_here(digest, waiter):
            return False
        wanted = self._wanted.setdefault(digest, _Wanted(file))
        wanted.waiters[waiter] = ()
        wanted.looked = False
        self._begin(wanted)
        return True

    def want_again(self, file: FileRef, sources: tuple[NodeId, ...], waiter: Waiter, reason: str, now: float) -> None:
        """Go on trying for what was given up, once per longest pause."""
        digest = Digest(file.digest)
        wanted = self._wanted.setdefault(digest, _Wanted(file, tries=TRIES - 1, reason=reason, looked=True))
        wanted.waiters[waiter] = sources
        if not wanted.under_way and digest not in self._pauses:
            self._pauses.set(digest, now + PAUSE_S_MAX)
        self._tell(wanted)

    def release(self, digest: Digest, waiter: Waiter) -> None:
        """It is not waited for by this one any more."""
        wanted = self._wanted[digest]
        del wanted.waiters[waiter]
        if not wanted.waiters and not wanted.under_way:
            self._forget(digest)

    def is_needed_elsewhere(self, digest: Digest, job: JobId) -> bool:
        """Whether another job needs it as well, or has needed it: what several have waited for at the same time has
        come for the sake of one of them (`effects.Fetch`)."""
        wanted = self._wanted.get(digest)
        is_waited_for = wanted is not None and any(waiter.job != job for waiter in wanted.waiters)
        return is_waited_for or any(digest in here for other, here in self._here.items() if other != job)

    def let_go(self, job: JobId, digests: Iterable[Digest]) -> None:
        """Content is let go that a job needed."""
        here = self._here.get(job, {})
        for digest in digests:
            here.pop(digest, None)

    def over(self, job: JobId) -> None:
        """A job is over: nobody waits for anything on its behalf."""
        self._here.pop(job, None)
        for digest, wanted in list(self._wanted.items()):
            for waiter in [waiter for waiter in wanted.waiters if waiter.job == job]:
                self.release(digest, waiter)

    def fetched(self, digest: Digest) -> list[Waiter]:
        """A fetch was successful. Returns who has waited for it."""
        wanted = self._wanted.get(digest)
        if wanted is None:
            return []
        wanted.under_way = False
        return self.arrived(digest, lasting=wanted.lasting)

    def arrived(self, digest: Digest, *, lasting: bool = False) -> list[Waiter]:
        """Content is in our store, and if it is `lasting` on the disk. Returns who has waited for it. Who needs it to
        be on the disk goes on waiting until it is."""
        wanted = self._wanted.get(digest)
        if wanted is None:
            return []
        served = [waiter for waiter in wanted.waiters if lasting or not waiter.purpose.is_lasting]
        for waiter in served:
            del wanted.waiters[waiter]
            here = self._here.setdefault(waiter.job, {})
            here[digest] = lasting or here.get(digest, False)
        if wanted.waiters:
            self._look_again(wanted)
        else:
            self._forget(digest)
        return served

    def failed(self, event: FetchFailed, now: float) -> list[tuple[Waiter, NodeId]]:
        """A fetch has ended badly. Returns who has to do without, and the source that was to blame."""
        digest = Digest(event.file.digest)
        wanted = self._wanted.get(digest)
        if wanted is None or not wanted.under_way:
            return []  # it has come another way meanwhile: as the output of a task
        wanted.under_way, wanted.reason = False, event.reason
        if any(self._is_here(digest, waiter) for waiter in wanted.waiters):
            self._look_again(wanted)  # it was given meanwhile
            return []
        looking = [waiter for waiter in wanted.waiters if waiter.purpose is Purpose.LOOK]
        for waiter in looking:
            del wanted.waiters[waiter]
        absent = [(waiter, self.desk.me) for waiter in looking]
        sources = self._sources(wanted)
        for source in sources:
            self.strangers.meet(source, now)
        wanted.tries += bool(sources)
        if wanted.waiters and wanted.tries < TRIES and not event.ours:
            if sources:
                self._pauses.set(digest, now + growing_s(PAUSE_S, wanted.tries - 1, PAUSE_S_MAX))
            self._tell(wanted)
            return absent
        self._forget(digest)
        blamed = sources[0] if sources else self.desk.me
        return absent + [(waiter, blamed) for waiter in wanted.waiters]

    def trouble(self, digest: Digest) -> str:
        """Why content that is wanted is not here yet, for people; empty as long as nothing has gone wrong."""
        wanted = self._wanted.get(digest)
        if wanted is None or not wanted.reason:
            return ""
        name, sources = wanted.file.name, self._sources(wanted)
        if not sources:
            return f"{name} cannot be had: nobody who has it is there"
        names = ", ".join(self.desk.near.name_of(node) for node in sources)
        return f"{name} could not be fetched from {names}: {wanted.reason}; it is tried {TRIES} times"

    def tick(self, now: float) -> None:
        for digest in self._pauses.due(now):
            self._begin(self._wanted[digest])

    def back(self, node: NodeId) -> None:
        """A member is there again: it may have what nobody else had."""
        for wanted in self._wanted.values():
            if node in self._sources(wanted):
                wanted.tries = 0
                self._begin(wanted)

    def _tell(self, wanted: _Wanted) -> None:
        for waiter in wanted.waiters:
            if waiter.purpose is Purpose.RUN:
                self.desk.jobs[waiter.job].waiting[waiter.key] = self.trouble(Digest(wanted.file.digest))

    def _is_here(self, digest: Digest, waiter: Waiter) -> bool:
        """Whether the content is in our store as it is needed."""
        lasts = self._here.get(waiter.job, {}).get(digest)
        return lasts is not None and (lasts or not waiter.purpose.is_lasting)

    def _forget(self, digest: Digest) -> None:
        self._pauses.cancel(digest)
        del self._wanted[digest]

    def _begin(self, wanted: _Wanted) -> None:
        if wanted.under_way:
            return
        sources = self._sources(wanted)
        if sources or not wanted.looked:
            self._pauses.cancel(Digest(wanted.file.digest))
            wanted.under_way = wanted.looked = True
            wanted.lasting = any(waiter.purpose.is_lasting for waiter in wanted.waiters)
            owner = next(iter(wanted.waiters)).job
            self.desk.effects.append(Fetch(wanted.file, sources, owner, wanted.lasting))

    def _look_again(self, wanted: _Wanted) -> None:
        """It is in our own store by now."""
        wanted.looked = False
        self._begin(wanted)

    def _sources(self, wanted: _Wanted) -> tuple[NodeId, ...]:
        """Everybody alive from whom it may come."""
        digest = Digest(wanted.file.digest)
        named: dict[NodeId, None] = {}
        for waiter, sources in wanted.waiters.items():
            named.update(dict.fromkeys((*self.sources_now(waiter, digest, wanted.tries > 0), *sources)))
        return tuple(node for node in named if node != self.desk.me and not self.desk.is_gone(node))
