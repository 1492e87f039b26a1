"""Job state: what a set of statements says about a job. A pure function of the set, kept up to date incrementally.

A *unit* is one task for one item; an *attempt* at it is named by its number and the node it was given to, so that two
controllers that were out of touch and both made an "attempt 2" never mean the same thing by it. Every statement only
ever adds a fact to an attempt, facts about one attempt have one author (the node it was given to; assignments are the
controllers' and say no more than that the attempt exists), and everything else here is derived from the facts. Hence
the order in which statements arrive makes no difference.

    attempt:  ASSIGNED -> ACCEPTED -> STARTED -> FINISHED | FAILED
                  \\-> DECLINED          \\-> DROPPED

The phase of an attempt is the highest on the ladder below that some statement proves, whether or not the statements
before it have arrived; an honest author only ever climbs along the arrows. Should an author contradict itself, the
ladder and then the earlier statement decide, so that all replicas still agree.

A unit's *current* attempt is the one with the highest number (then node id). A unit's result
is the finished attempt with the highest number. A job has failed when the current attempt of a unit has failed, is
done when every unit has a result, and is cancelled when somebody cancelled it before either.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from .codec import encode
from .dag import Dag
from .ids import NodeId
from .jobspec import JobSpec
from .ledger import Entry, Outcome, Statement, StatementKind

UnitKey = tuple[int, int]
"""(index of the task, item)"""

AttemptKey = tuple[int, NodeId]
"""(attempt number, node it was given to)"""

LIFE: dict[str, dict[StatementKind, str]] = {
    "assigned": {
        StatementKind.ACCEPTED: "accepted",
        StatementKind.DECLINED: "declined",
        StatementKind.DROPPED: "dropped",
    },
    "accepted": {
        StatementKind.STARTED: "started",
        StatementKind.FAILED: "failed",  # its inputs could not be had, or do not fit the task
        StatementKind.DROPPED: "dropped",
    },
    "started": {
        StatementKind.FINISHED: "finished",
        StatementKind.FAILED: "failed",
        StatementKind.DROPPED: "dropped",
    },
    "declined": {},
    "dropped": {},
    "failed": {},
    "finished": {},
}
"""The life of an attempt as an honest node lives it. Phases stand in the order of the ladder."""

LADDER = {phase: height for height, phase in enumerate(LIFE)}

PROVES = {kind: phase for row in LIFE.values() for kind, phase in row.items()}
"""Which phase a statement proves."""

ENDED = frozenset(phase for phase, row in LIFE.items() if not row)


class Phase(Enum):
    """How a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Attempt:
    """One attempt at a unit: the facts known of it. An instant is None until its statement is here."""

    number: int
    node: NodeId
    phase: str = "assigned"
    assigned_s: float | None = None
    assigner: NodeId | None = None
    why: str = ""
    """Why there was an attempt after the first."""
    accepted_s: float | None = None
    started_s: float | None = None
    ended_s: float | None = None
    reason: str = ""
    """Why it was declined, failed or was dropped."""
    outcome: Outcome | None = None
    end: tuple[float, bytes] = (0.0, b"")
    """When and by which statement it ended: orders contradicting ends."""

    @property
    def key(self) -> AttemptKey:
        return (self.number, self.node)


@dataclass(slots=True)
class UnitState:
    """All attempts at one task for one item."""

    attempts: dict[AttemptKey, Attempt] = field(default_factory=dict)
    current: Attempt | None = None
    result: Attempt | None = None


class JobState:
    """What is known of one job."""

    def __init__(self, spec: JobSpec, origin: NodeId) -> None:
        self.spec = spec
        self.origin = origin
        self.index = {task.name: number for number, task in enumerate(spec.dag.tasks)}
        self.units: dict[UnitKey, UnitState] = {}
        """Only units of which something is known."""
        self.size = len(spec.dag.tasks) * len(spec.items)
        self.cancelled: tuple[float, str] | None = None
        """When and why, by the earliest statement."""
        self._results = 0
        self._failed: dict[UnitKey, None] = {}

    @property
    def dag(self) -> Dag:
        return self.spec.dag

    @property
    def phase(self) -> Phase:
        if self._results == self.size:
            return Phase.DONE
        if self._failed:
            return Phase.FAILED
        return Phase.RUNNING if self.cancelled is None else Phase.CANCELLED

    @property
    def results(self) -> int:
        """Units that have a result."""
        return self._results

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
                return min(attempt.ended_s or 0.0 for _, attempt in self.failures())
            case Phase.DONE:
                results = (unit.result for unit in self.units.values())
                return max(result.ended_s or 0.0 for result in results if result is not None)

    def failures(self) -> Iterator[tuple[UnitKey, Attempt]]:
        """Units whose current attempt has failed, by task and item."""
        for key in sorted(self._failed):
            current = self.units[key].current
            assert current is not None
            yield key, current

    def unit(self, key: UnitKey) -> UnitState:
        """The unit as far as it is known; an empty one if nothing is."""
        return self.units.get(key) or UnitState()

    def fits(self, statement: Statement) -> bool:
        """Whether the statement speaks of a unit that this job has."""
        if statement.kind == StatementKind.CANCELLED:
            return True
        return (
            statement.task < len(self.spec.dag.tasks)
            and statement.item < len(self.spec.items)
            and statement.attempt >= 1
            and statement.kind in _KINDS
            and (statement.kind not in _WITH_OUTCOME or statement.outcome is not None)
            and (statement.kind != StatementKind.ASSIGNED or len(statement.node) == 32)
        )

    def apply(self, entry: Entry) -> None:
        """Take in the statements of a segment that is new to the ledger. Those that fit no unit are void."""
        for statement in entry.segment.statements:
            if self.fits(statement):
                self.note(entry.author, statement)

    def note(self, author: NodeId, statement: Statement) -> None:
        """Take in one statement that fits."""
        if statement.kind == StatementKind.CANCELLED:
            told = (statement.at_s, statement.text)
            self.cancelled = told if self.cancelled is None else min(self.cancelled, told)
            return
        key = (statement.task, statement.item)
        unit = self.units.setdefault(key, UnitState())
        assigned = statement.kind == StatementKind.ASSIGNED
        node = NodeId(statement.node) if assigned else author
        attempt = unit.attempts.get((statement.attempt, node))
        if attempt is None:
            attempt = unit.attempts[(statement.attempt, node)] = Attempt(statement.attempt, node)
        if assigned:
            _note_assignment(attempt, author, statement)
        else:
            _note_progress(attempt, statement)
        self._derive(key, unit, attempt)

    def _derive(self, key: UnitKey, unit: UnitState, changed: Attempt) -> None:
        if unit.current is None or changed.key > unit.current.key:
            unit.current = changed
        if changed.phase == "finished" and (unit.result is None or changed.key > unit.result.key):
            self._results += unit.result is None
            unit.result = changed
        if unit.current.phase == "failed" and unit.result is None:
            self._failed[key] = None
        else:
            self._failed.pop(key, None)


_WITH_OUTCOME = (StatementKind.FINISHED, StatementKind.FAILED)
_KINDS = tuple(StatementKind)


def _note_assignment(attempt: Attempt, author: NodeId, statement: Statement) -> None:
    # Two controllers may name the same attempt; the earlier statement (then the smaller author) is shown.
    told = (statement.at_s, author, statement.text)
    if (
        attempt.assigned_s is None
        or attempt.assigner is None
        or told < (attempt.assigned_s, attempt.assigner, attempt.why)
    ):
        attempt.assigned_s, attempt.assigner, attempt.why = told


def _note_progress(attempt: Attempt, statement: Statement) -> None:
    kind = StatementKind(statement.kind)
    if kind is StatementKind.ACCEPTED:
        attempt.accepted_s = _earlier(attempt.accepted_s, statement.at_s)
    elif kind is StatementKind.STARTED:
        attempt.started_s = _earlier(attempt.started_s, statement.at_s)
    proved = PROVES[kind]
    if proved in ENDED and _outranks(attempt, proved, statement):
        attempt.ended_s = statement.at_s
        attempt.reason = statement.text
        attempt.outcome = statement.outcome
        attempt.end = _end(statement)
    if LADDER[proved] > LADDER[attempt.phase]:
        attempt.phase = proved


def _earlier(known_s: float | None, told_s: float) -> float:
    return told_s if known_s is None else min(known_s, told_s)


def _outranks(attempt: Attempt, proved: str, statement: Statement) -> bool:
    """Whether this end counts rather than the one already known."""
    if attempt.ended_s is None or LADDER[proved] > LADDER[attempt.phase]:
        return True
    return proved == attempt.phase and _end(statement) < attempt.end


def _end(statement: Statement) -> tuple[float, bytes]:
    return (statement.at_s, encode(statement))
