"""Job state: what a set of statements says about a job. A pure function of the set, kept up to date incrementally.

A unit's *current* attempt is the highest (number, then node id) of those that were neither declined nor dropped, or
of all if none is left. Its *result* is the finished attempt that is accepted (`acceptance`). A unit is *complete*
when it has a result and, if that is a result of the job, a copy of it is kept: so a job that is done has something
to show for it, whoever dies next.

A job has *failed* when a unit without result has failed as often as its task allows, or was abandoned; it is *done*
when every unit is complete, and is *cancelled* when somebody cancelled it before either. It is *over* when a replica
has said so: a job that is only done computes again what goes with the last node that has it. What is done when that
is said stays done, whatever else is heard later. But where computing it again has failed, and whoever leads has
cancelled the job for want of that result, it is done only if somebody has a copy after all and says so.

Of an item that is *settled* (`settlement`) this says no more than its results, and counts its units as complete:
their attempts are forgotten, and what is said of them later is void.
"""

from collections.abc import Iterator
from enum import Enum

from .acceptance import Acceptance
from .attempts import (
    LADDER,
    NAMING_A_NODE,
    PROVES,
    Attempt,
    AttemptKey,
    Told,
    UnitKey,
    UnitState,
    VersionKey,
    attempted_by,
    currency,
    earliest,
    failed_s,
    has_failed,
    note_assignment,
    note_copy,
    note_loss,
    note_progress,
    superseding,
    why_failed,
)
from .ids import NodeId
from .jobspec import JobSpec
from .ledger import Entry, Statement, StatementKind, When
from .settlement import Settlement
from .shape import shape_of

ENDINGS = frozenset((StatementKind.CANCELLED, StatementKind.CONCLUDED))
"""Kinds that say that the job is over."""

ABOUT_THE_JOB = ENDINGS | {StatementKind.GUARDED, StatementKind.PULLED}
"""Kinds that speak of no unit."""


ATTEMPTS_MAX = 1000
"""Far more than a controller ever makes; a statement about a later one is void, or it would end the counting."""


class Phase(Enum):
    """How a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState:
    """What is known of one job."""

    def __init__(self, spec: JobSpec, origin: NodeId) -> None:
        self.spec = spec
        self.origin = origin
        self.index = {task.name: number for number, task in enumerate(spec.dag.tasks)}
        self.shape = shape_of(spec.dag)
        self.units: dict[UnitKey, UnitState] = {}
        """Only units of which something is known, and whose item is not settled."""
        self.places: dict[NodeId, dict[UnitKey, None]] = {}
        """The units that were ever given to each node, but for those of settled items."""
        self.size = len(spec.dag.tasks) * len(spec.items)
        self.cancelled: Told | None = None
        """When and why, by the earliest statement."""
        self.conclusion: tuple[float, NodeId] | None = None
        """When a replica said that it is over, and which, by the earliest statement. A node that only sees a part of
        the job learns it by this."""
        self._conclusions: dict[NodeId, tuple[When, float]] = {}
        """What each replica has said of that first, and what its clock showed."""
        self.guards: dict[NodeId, None] = {}
        """Who has said that the specification, the application and the inputs are on its disk."""
        self.pulled_s: float | None = None
        """When somebody first fetched the results."""
        finals = tuple(number for number, task in enumerate(spec.dag.tasks) if task.final)
        self.settlement = Settlement(finals, len(spec.items))
        self.through: dict[int, None] = {}
        """Items that may be settled and are not yet, all of whose units have results that count."""
        self.dropped: dict[int, dict[UnitKey, UnitState]] = {}
        """Items that have been settled, with what was known of their units; whoever remembers anything else of these
        forgets that, too, and takes them out."""
        self.acceptance = Acceptance(self.shape, lambda task: spec.dag.tasks[task].final, self.units)
        self.overturned: dict[UnitKey, None] = {}
        """Units of contested items that have another result than before, or none any more, or have got one back;
        whoever looks after the job takes them out."""
        self.replaced: dict[UnitKey, None] = {}
        """The final ones among them; whoever copies results takes them out."""
        self._results: dict[UnitKey, None] = {}
        self._complete: dict[UnitKey, None] = {}
        self._failed: dict[UnitKey, None] = {}
        self._shown: dict[UnitKey, None] = {}
        """Final units of which some result is kept."""
        self._wanting: dict[UnitKey, None] = {}
        """Final units for want of whose results the job was cancelled."""
        self._touched: dict[UnitKey, bool] = {}
        """Units of which something was heard since; whether it may have changed their results."""
        self._stale: dict[int, None] = {}
        """Contested items whose results have to be chosen anew."""
        self._complete_in: dict[int, int] = {}
        """How many units of an item are complete, if it may be settled."""

    @property
    def phase(self) -> Phase:
        settled, spec = len(self.settlement), self.spec
        left = len(spec.items) - settled
        shown = self.concluded and len(self._shown) == left * len(self.settlement.final_tasks)
        if shown or (len(self._complete) == left * len(spec.dag.tasks) and not any(map(self.wants, self._wanting))):
            return Phase.DONE
        if self._failed:
            return Phase.FAILED
        return Phase.RUNNING if self.cancelled is None else Phase.CANCELLED

    @property
    def concluded(self) -> bool:
        """Whether a replica has said that all replicas have the results."""
        return self.conclusion is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be done about the job any more. That takes the word of a replica, who sees the whole
        job: a failure alone does not mean it, nor does it that all is done, since what was done may be lost."""
        return self.concluded or self.cancelled is not None

    @property
    def results(self) -> int:
        """Units that have a result."""
        return len(self._results) + len(self.settlement) * len(self.spec.dag.tasks)

    def latest_results(self) -> Iterator[UnitKey]:
        """Units that have a result, those first that have got one last. Whoever wants what is new need not go on."""
        return reversed(self._results)

    @property
    def ended_s(self) -> float | None:
        """When the job ended, None while it runs."""
        match self.phase:
            case Phase.RUNNING:
                return None
            case Phase.CANCELLED:
                assert self.cancelled is not None
                return self.cancelled[0]
            case Phase.FAILED:
                return min(failed_s(self.units[key]) for key in self._failed)
            case Phase.DONE:
                results = (unit.result for unit in self.units.values())
                ends = [result.ended_s or 0.0 for result in results if result is not None]
                return max(self.settlement.ended_s, *ends) if ends else self.settlement.ended_s

    def failures(self) -> Iterator[tuple[UnitKey, Attempt]]:
        """Units that have failed, with their current attempts, by task and item; `why_failed` says why."""
        for key in sorted(self._failed):
            current = self.units[key].current
            assert current is not None
            yield key, current

    def unit(self, key: UnitKey) -> UnitState:
        """The unit as far as it is known; an empty one if nothing is."""
        return self.units.get(key) or self.settlement.unit(key)

    def has_failed(self, key: UnitKey) -> bool:
        """Whether the unit has failed as often as it may."""
        return key in self._failed

    def is_complete(self, key: UnitKey) -> bool:
        """Whether the unit has a result that counts."""
        return key in self._complete or key[1] in self.settlement

    def wants(self, key: UnitKey) -> bool:
        """Whether the job was cancelled for want of the unit's result, and nobody has it after all."""
        is_wanted = key in self._wanting and key[1] not in self.settlement
        return is_wanted and not any(attempt.is_here_after_all for attempt in self.unit(key).equals)

    def is_void(self, statement: Statement) -> bool:
        """Whether a statement speaks of a unit that is settled, and does not say with what result."""
        kind = statement.kind
        return statement.item in self.settlement and kind not in ABOUT_THE_JOB and kind != StatementKind.SETTLED

    def why_not_accepted(self, key: UnitKey, attempt: Attempt) -> str:
        """Why a finished attempt is not the unit's result, for people; empty if it is, or has not finished."""
        result = self.unit(key).result
        if attempt.phase != "finished" or attempt is result:
            return ""
        strangers = self.acceptance.strangers(key, attempt)
        if strangers:
            return f"it has used a result of {self.spec.dag.tasks[strangers[0]].name} that was not accepted"
        if result is None:
            return "the job was concluded with another result"
        if attempt.lost is not None and not attempt.kept and result.lost is None:
            return f"what it wrote was lost: attempt {result.number} was accepted"
        return f"finished too late: attempt {result.number} was accepted"

    def fits(self, statement: Statement) -> bool:
        """Whether the statement speaks of a unit that this job has."""
        if statement.kind in ABOUT_THE_JOB:
            return True
        return (
            statement.kind in _KINDS
            and statement.task < len(self.spec.dag.tasks)
            and statement.item < len(self.spec.items)
            and 1 <= statement.attempt <= ATTEMPTS_MAX
            and (statement.kind not in _WITH_OUTCOME or self._fits_outcome(statement))
            and (len(statement.node) == 32 or statement.kind not in NAMING_A_NODE)
            and (statement.kind != StatementKind.SETTLED or self._fits_settlement(statement))
            and (statement.kind != StatementKind.SPENT or not self.spec.dag.tasks[statement.task].final)
        )

    def _fits_settlement(self, statement: Statement) -> bool:
        return self.settlement.possible and self.spec.dag.tasks[statement.task].final

    def _fits_outcome(self, statement: Statement) -> bool:
        outcome = statement.outcome
        return outcome is not None and len(outcome.used) in (0, len(self.shape.parents[statement.task]))

    def apply(self, entry: Entry) -> None:
        """Take in the statements of a segment that is new to the ledger. Those that fit no unit are void."""
        self.hear(entry)
        self.derive()

    def note(self, author: NodeId, statement: Statement, when: When = (0, 0, 0)) -> None:
        """Take in one statement that fits."""
        self._note(author, statement, when)
        self.derive()

    def hear(self, entry: Entry) -> None:
        """Note what a segment says, as `apply` does; what follows from it for units holds after `derive`. Who has
        many segments derives once."""
        author = entry.author
        for when, statement in entry.said:
            if self.fits(statement):
                self._note(author, statement, when)

    def derive(self) -> None:
        """What follows from all that was heard: once per unit, and once per contested item of thousands."""
        for key, is_about_result in self._touched.items():
            if is_about_result and (key[1] in self._stale or not self.acceptance.derive(key)):
                self._stale[key[1]] = None
            if key[1] not in self._stale:
                self._derive(key, self.units[key])
        self._touched.clear()
        self._choose_anew()

    def _note(self, author: NodeId, statement: Statement, when: When) -> None:
        match statement.kind:
            case StatementKind.CANCELLED:
                self.cancelled = earliest(self.cancelled, statement)
                self._note_want(statement)
            case StatementKind.CONCLUDED:
                self._conclude(author, statement.at_s, when)
            case StatementKind.GUARDED:
                self.guards[author] = None
            case StatementKind.PULLED:
                self.pulled_s = statement.at_s if self.pulled_s is None else min(self.pulled_s, statement.at_s)
            case StatementKind.SETTLED:
                if self.settlement.note(author, statement, when):
                    self._drop(statement.item)
            case _ if statement.item not in self.settlement:
                self._note_of_unit(author, statement, when)

    def _note_want(self, statement: Statement) -> None:
        names_one = statement.attempt > 0 and len(statement.node) == 32
        if names_one and statement.task in self.settlement.final_tasks and statement.item < len(self.spec.items):
            self._wanting[(statement.task, statement.item)] = None

    def _conclude(self, author: NodeId, at_s: float, when: When) -> None:
        self._conclusions[author] = min(self._conclusions.get(author, (when, at_s)), (when, at_s))
        earliest_s, first = min((told_s, each) for each, (_, told_s) in self._conclusions.items())
        concluded = self._conclusions[first][0]
        if self.conclusion != (earliest_s, first) or self.acceptance.concluded != concluded:
            self.conclusion = (earliest_s, first)
            self.acceptance.concluder, self.acceptance.concluded = first, concluded
            self._stale.update(dict.fromkeys(self.acceptance.contested))
            self.settlement.conclude(first)

    def _drop(self, item: int) -> None:
        """Forget the units of an item: it is settled."""
        self._complete_in.pop(item, None)
        self.through.pop(item, None)
        self._stale.pop(item, None)
        self.acceptance.forget(item)
        dropped = self.dropped[item] = {}
        for task in range(len(self.spec.dag.tasks)):
            key = (task, item)
            unit = self.units.pop(key, None)
            if unit is not None:
                self._leave_places(key, unit)
                dropped[key] = unit
            for table in (self._results, self._complete, self._failed, self._shown, self.overturned, self.replaced):
                table.pop(key, None)
            self._touched.pop(key, None)

    def _leave_places(self, key: UnitKey, unit: UnitState) -> None:
        for _, node in unit.attempts:
            keys = self.places.get(node, {})  # two attempts may have been given to one node
            keys.pop(key, None)
            if not keys:
                self.places.pop(node, None)

    def _note_of_unit(self, author: NodeId, statement: Statement, when: When) -> None:
        key, kind = (statement.task, statement.item), statement.kind
        unit = self.units.setdefault(key, UnitState())
        attempt = self._attempt(key, unit, statement.attempt, attempted_by(author, statement))
        if kind == StatementKind.ASSIGNED:
            note_assignment(attempt, author, statement)
        elif kind == StatementKind.KEPT:
            note_copy(attempt, author, statement, when)
        elif kind == StatementKind.LOST:
            note_loss(attempt, author, statement, when)
        elif kind == StatementKind.SPENT:
            attempt.is_spent = True
        elif kind == StatementKind.ABANDONED:
            unit.abandoned = earliest(unit.abandoned, statement)
        else:
            note_progress(attempt, statement)
        is_about_result = attempt.phase == "finished" and kind in _OF_RESULTS
        if is_about_result:
            self.acceptance.finished(key, attempt)
        self._touched[key] = self._touched.pop(key, False) or is_about_result  # at the end: see `latest_results`

    def _attempt(self, key: UnitKey, unit: UnitState, number: int, node: NodeId) -> Attempt:
        attempt = unit.attempts.get((number, node))
        if attempt is None:
            attempt = unit.attempts[(number, node)] = Attempt(number, node)
            self.places.setdefault(node, {})[key] = None
        return attempt

    def _choose_anew(self) -> None:
        for item in self._stale:
            before = [_version(self.unit((task, item)).result) for task in range(len(self.spec.dag.tasks))]
            for key in self.acceptance.derive_item(item):
                self._derive(key, self.units[key])
                if _version(self.units[key].result) != before[key[0]]:
                    self.overturned[key] = None
                    if self.spec.dag.tasks[key[0]].final:
                        self.replaced[key] = None
        self._stale.clear()

    def _derive(self, key: UnitKey, unit: UnitState) -> None:
        task = self.spec.dag.tasks[key[0]]
        unit.current = max(unit.attempts.values(), key=currency)
        is_kept = task.final and any(attempt.keepers for attempt in unit.in_phase("finished"))
        _mark(self._results, key, unit.result is not None)
        _mark(self._failed, key, unit.result is None and has_failed(unit, task))
        _mark(self._shown, key, is_kept)
        self._mark_complete(key, unit.result is not None and (not task.final or (is_kept and _kept(unit))))

    def _mark_complete(self, key: UnitKey, holds: bool) -> None:
        if self.settlement.possible and (key in self._complete) != holds:
            count = self._complete_in[key[1]] = self._complete_in.get(key[1], 0) + (1 if holds else -1)
            if count == len(self.spec.dag.tasks):
                self.through[key[1]] = None
            else:
                self.through.pop(key[1], None)
        _mark(self._complete, key, holds)


_KINDS = frozenset(StatementKind)
_WITH_OUTCOME = (StatementKind.FINISHED, StatementKind.FAILED, StatementKind.SETTLED)
_OF_RESULTS = (StatementKind.FINISHED, StatementKind.KEPT, StatementKind.LOST)
"""Kinds by which another attempt may become the accepted one."""


def _version(attempt: Attempt | None) -> VersionKey | None:
    return None if attempt is None else attempt.version


def _kept(unit: UnitState) -> bool:
    """Whether a replica has a copy of the result."""
    return any(attempt.copies for attempt in unit.equals)


def _mark(keys: dict[UnitKey, None], key: UnitKey, holds: bool) -> None:
    if holds:
        keys[key] = None
    else:
        keys.pop(key, None)


__all__ = [
    "ABOUT_THE_JOB", "ENDINGS", "LADDER", "PROVES", "Attempt", "AttemptKey", "JobState", "Phase", "UnitKey",
    "UnitState", "VersionKey", "attempted_by", "superseding", "why_failed",
]  # fmt: skip
