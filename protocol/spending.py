"""Spending: large results that nobody needs any more are let go, while their job goes on.

    finished --every task that takes it is through, and is safe itself--> spent: who has it lets it go
    finished --the job is over--> let go
    spent --a task that takes it has to run again after all--> computed again, as what went with its node

A result is *safe* when two nodes have what was written; or one, where there is no other, or where all that take it
have begun with it on other nodes (which does not do for what the job is for); or when it is short and in the ledger;
or spent itself. So the death of any one node costs no more than it does where nothing is let go, and a chain of tasks
that hand on a gigabyte each takes the room of a few of them. When a second one dies before others have what the first
had, more may have to be computed again.

Whoever leads the job says it, of whole units, and from then on nobody counts as having what these have written. The
results that the job is for are never spent. Nor are those of contested items (`acceptance`), of which it may still
turn out that others count; nor short ones, which are not worth a word.
"""

from collections.abc import Iterator

from .desk import Desk
from .effects import LetGo
from .fetching import Fetching
from .ids import Digest, JobId, NodeId
from .job import Job
from .jobstate import UnitKey
from .ledger import Outcome, Statement, StatementKind
from .timers import Timers

LARGE_BYTES = 512 * 1024
"""Of an output that is worth a word: sending it over a gigabit network takes 4 ms."""

LOOK_S = 0.25
"""How long it is waited for more that may be let go. It must be less than it takes to compute and send on what would
fill the room that is left meanwhile; a gigabit network moves 30 MB in that time."""

COPIES = 2
"""Nodes that have a result which is safe."""


class Spending:
    """The large results in all jobs of this node."""

    def __init__(self, desk: Desk, fetching: Fetching) -> None:
        self.desk = desk
        self.fetching = fetching
        self._timers: Timers[JobId] = Timers()
        self._changed: dict[JobId, dict[UnitKey, None]] = {}
        """Units by which something may be spent, of the jobs that this node leads."""
        self._given: dict[JobId, frozenset[bytes]] = {}
        """What has come with a job, if that was asked for."""

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def note(self, job: Job, statement: Statement) -> None:
        """Something was said about a unit."""
        key = (statement.task, statement.item)
        if statement.kind == StatementKind.FINISHED:
            self._note_outputs(job, key)
        elif statement.kind == StatementKind.SPENT and _is_spent(job, key) and not _has_others(job, key):
            self.let_go(job, key)

    def note_settled(self, job: Job, statement: Statement) -> None:
        """A result is settled, and stays, whoever else has written the same: this node may have heard no more of it
        than this (`settlement`)."""
        if statement.kind == StatementKind.SETTLED and not job.closed:
            job.note_large((statement.task, statement.item), _large(statement.outcome))

    def resume(self, job: Job) -> None:
        """After a restart."""
        for key in job.state.units:
            self._note_outputs(job, key)
        for item in job.state.settlement:
            settled = job.state.settlement.of(item)
            for statement in () if settled is None else settled.results:
                self.note_settled(job, statement)

    def over(self, job: Job) -> None:
        """The job is over: nothing will be computed any more, from whatever. What it was for stays (`retention`)."""
        self.rest(job)
        for key in tuple(job.large):
            self.let_go(job, key)
        self._given.pop(job.id, None)
        job.writers.clear()

    def _note_outputs(self, job: Job, key: UnitKey) -> None:
        for attempt in job.state.unit(key).in_phase("finished"):
            if not attempt.is_spent:
                job.note_large(key, _large(attempt.outcome))

    # -- whoever leads -----------------------------------------------------------------------------------------------

    def lead(self, job: Job, now: float) -> None:
        """This node leads from now on."""
        for key in job.large:
            for child in job.children(key):
                self._look_soon(job, child, now)

    def rest(self, job: Job) -> None:
        """Somebody else leads, or nobody need any more."""
        self._timers.cancel(job.id)
        self._changed.pop(job.id, None)

    def heard(self, job: Job, statement: Statement, now: float) -> None:
        """Something was said about a unit."""
        if statement.kind in _MAKING_SAFE:
            self._look_soon(job, (statement.task, statement.item), now)

    def tick(self, now: float) -> None:
        for job_id in self._timers.due(now):
            self._look(self.desk.jobs[job_id], now)

    def _look_soon(self, job: Job, key: UnitKey, now: float) -> None:
        if job.large:
            self._changed.setdefault(job.id, {})[key] = None
            if job.id not in self._timers:
                self._timers.set(job.id, now + LOOK_S)

    def _look(self, job: Job, now: float) -> None:
        """By what has become of a unit its parents may have served, and theirs: two nodes have those now."""
        parents = dict.fromkeys(parent for key in self._changed.pop(job.id, ()) for parent in job.parents(key))
        before = dict.fromkeys(each for parent in parents for each in job.parents(parent))
        safe: dict[UnitKey, bool] = {}  # each has a look of its own once, not once per parent: layers may be wide
        for key in dict.fromkeys((*parents, *before)):
            if key in job.large and self._has_served(job, key, safe):
                told = dict.fromkeys(self._who_may_have(job, key))
                for attempt in job.state.unit(key).equals:
                    said = Statement(StatementKind.SPENT, *key, attempt.number, now, attempt.node)
                    self.desk.note(job, said, tuple(told))

    def _who_may_have(self, job: Job, key: UnitKey) -> Iterator[NodeId]:
        """Whoever was given the unit, or one that takes what it has written."""
        for each in (key, *job.children(key)):
            for _, node in job.state.unit(each).attempts:
                yield node

    def _has_served(self, job: Job, key: UnitKey, safe: dict[UnitKey, bool]) -> bool:
        """Whether nobody needs what a unit has written any more. Which of its children are `safe` is noted there."""
        if job.task(key).final or job.state.acceptance.is_contested(key[1]) or job.state.unit(key).result is None:
            return False
        for child in job.children(key):
            if child not in safe:
                safe[child] = self._is_safe(job, child)
            if not safe[child]:
                return False
        return True

    def _is_safe(self, job: Job, key: UnitKey) -> bool:
        """Whether a unit is through and will not have to run again whoever dies."""
        if job.state.unit(key).result is None:
            return False
        if _lasts(job, key):
            return True
        having = self._having(job, key)
        if len(having) >= min(COPIES, sum(1 for _ in self.desk.near.members())):
            return True
        return bool(having) and not job.task(key).final and self._have_gone_on(job, key, having)

    def _having(self, job: Job, key: UnitKey) -> dict[NodeId, None]:
        """Who is there and has what a unit has written."""
        holders = job.state.unit(key).holders
        return {node: None for node in holders if not self.desk.is_gone(node)}

    def _have_gone_on(self, job: Job, key: UnitKey, without: dict[NodeId, None]) -> bool:
        """Whether all that take what a unit has written have done so on other nodes than these: nobody asks these
        again, and those go on whatever becomes of these."""
        return all(self._has_gone_on(job, child, without) for child in job.children(key))

    def _has_gone_on(self, job: Job, key: UnitKey, without: dict[NodeId, None]) -> bool:
        unit = job.state.unit(key)
        if unit.result is not None:
            return _lasts(job, key) or any(node not in without for node in self._having(job, key))
        return any(
            each.node not in without
            and not self.desk.is_gone(each.node)
            and not self.desk.may_have_forgotten(job, key, each.key)
            for each in unit.in_phase("started")
        )

    # -- whoever has something ---------------------------------------------------------------------------------------

    def let_go(self, job: Job, key: UnitKey) -> None:
        """Let go what is here of a result that is spent, but for what something else here needs as well."""
        free = [digest for digest in job.note_spent(key) if not self._is_needed(job, digest)]
        self.fetching.let_go(job.id, free)
        alone = tuple(digest for digest in free if not self.fetching.is_needed_elsewhere(digest, job.id))
        if alone:
            self.desk.effects.append(LetGo(job.id, alone))

    def _is_needed(self, job: Job, digest: Digest) -> bool:
        if job.id not in self._given:
            files = [file for item in job.spec.items for file in item.files]
            application = () if job.spec.application is None else (job.spec.application,)
            self._given[job.id] = frozenset(file.digest for file in (*files, *application))
        taken = (file for held in job.held.values() for files in held.files.values() for file in files)
        return digest in self._given[job.id] or any(file.digest == digest for file in taken)


def _is_spent(job: Job, key: UnitKey) -> bool:
    equals = job.state.unit(key).equals
    return bool(equals) and all(each.is_spent for each in equals)


def _has_others(job: Job, key: UnitKey) -> bool:
    """Whether the unit has finished with something that is not spent: whoever led had not heard of that."""
    return any(not each.is_spent for each in job.state.unit(key).in_phase("finished"))


def _lasts(job: Job, key: UnitKey) -> bool:
    """Whether nobody need have what a unit has written: it is in the ledger, or spent, or there is nothing."""
    result = job.state.unit(key).result
    outcome = None if result is None else result.outcome
    return outcome is not None and (bool(outcome.contents) or not outcome.outputs or _is_spent(job, key))


def _large(outcome: Outcome | None) -> list[Digest]:
    outputs = () if outcome is None or outcome.contents else outcome.outputs
    return [Digest(file.digest) for file in outputs if file.size_bytes >= LARGE_BYTES]


_MAKING_SAFE = (StatementKind.STARTED, StatementKind.FINISHED, StatementKind.KEPT, StatementKind.SPENT)
"""Kinds after which a result may be safe that was not before."""
