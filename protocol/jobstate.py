"""Job state: what a set of statements says about a job. A pure function of the set, kept up to date incrementally.

A *unit* is one task for one item; an *attempt* at it is named by its number and the node it was given to, so that two
controllers that were out of touch and both made an "attempt 2" never mean the same thing by it. Every statement only
ever adds a fact to an attempt, facts about one attempt have one author (the node it was given to; assignments are the
controllers' and say no more than that the attempt exists, copies are the replicas'), and everything else here is
derived from the facts. Hence the order in which statements arrive makes no difference.

    attempt:  ASSIGNED -> ACCEPTED -> STARTED -> FINISHED | FAILED
                  \\-> DECLINED          \\-> DROPPED

The phase of an attempt is the highest on the ladder below that some statement proves, whether or not the statements
before it have arrived; an honest author only ever climbs along the arrows. Should an author contradict itself, the
ladder and then the earlier statement decide, so that all replicas still agree.

A unit's *current* attempt is the highest (number, then node id) of those that were neither declined nor dropped, or
of all if none is left. Its *result* is the highest finished attempt; one of which a replica has a copy comes before
all others. A unit is *complete* when it has a result and, if that is a result of the job, a copy of it is kept: so a
job that is done has something to show for it, whoever dies next.

A job has failed when the current attempt of a unit without result has failed, or the unit was abandoned; it is done
when every unit is complete, and is cancelled when somebody cancelled it before either. It is *over* when a replica
has said so: a job that is only done computes again what goes with the last node that has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from .codec import encode
from .ids import NodeId
from .jobspec import JobSpec
from .ledger import ANY_QUEUE, Entry, Outcome, Statement, StatementKind

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

PROVES: dict[int, str] = {kind: phase for row in LIFE.values() for kind, phase in row.items()}
"""Which phase a statement of that kind proves."""

ENDED = frozenset(phase for phase, row in LIFE.items() if not row)

VOID = frozenset(("declined", "dropped"))
"""Nothing has come of it."""

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
    told_s: float = 0.0
    """How long its controllers expect it to run there; 0 when they do not say."""
    told_queue_s: float = ANY_QUEUE
    """How long they believed the queue there to be; ANY_QUEUE when they do not mind."""
    accepted_s: float | None = None
    ready_s: float | None = None
    """When its inputs were there; told when it starts."""
    started_s: float | None = None
    ended_s: float | None = None
    reason: str = ""
    """Why it was declined, failed or was dropped."""
    outcome: Outcome | None = None
    keepers: dict[NodeId, None] = field(default_factory=dict)
    """Replicas that have a copy of everything it wrote."""
    lost: tuple[float, str] | None = None
    """What it wrote cannot be had where it ran: since when and why, by the earliest statement."""
    end: Statement | None = None
    """How it ended: orders contradicting ends."""

    @property
    def key(self) -> AttemptKey:
        return (self.number, self.node)

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it."""
        return self.phase not in ENDED

    @property
    def kept(self) -> bool:
        """Whether a replica has a copy of what it wrote."""
        return bool(self.keepers)


@dataclass(slots=True)
class UnitState:
    """All attempts at one task for one item."""

    attempts: dict[AttemptKey, Attempt] = field(default_factory=dict)
    current: Attempt | None = None
    result: Attempt | None = None
    abandoned: tuple[float, str] | None = None
    """Nobody places it any more: since when and why, by the earliest statement."""

    @property
    def number(self) -> int:
        """The highest number of an attempt; 0 when there is none."""
        return max((number for number, _ in self.attempts), default=0)

    @property
    def was_taken(self) -> bool:
        """Whether a node has ever accepted it."""
        return any(attempt.phase not in ("assigned", "declined") for attempt in self.attempts.values())


class JobState:
    """What is known of one job."""

    def __init__(self, spec: JobSpec, origin: NodeId) -> None:
        self.spec = spec
        self.origin = origin
        self.index = {task.name: number for number, task in enumerate(spec.dag.tasks)}
        self.units: dict[UnitKey, UnitState] = {}
        """Only units of which something is known."""
        self.places: dict[NodeId, dict[UnitKey, None]] = {}
        """The units that were ever given to each node."""
        self.size = len(spec.dag.tasks) * len(spec.items)
        self.cancelled: tuple[float, str] | None = None
        """When and why, by the earliest statement."""
        self.conclusion: tuple[float, NodeId] | None = None
        """When a replica said that it is over, and which, by the earliest statement. A node that only sees a part of
        the job learns it by this."""
        self.guards: dict[NodeId, None] = {}
        """Who has said that the specification, the application and the inputs are on its disk."""
        self.pulled_s: float | None = None
        """When somebody first fetched the results."""
        self._results = 0
        self._complete: dict[UnitKey, None] = {}
        self._failed: dict[UnitKey, None] = {}

    @property
    def phase(self) -> Phase:
        if len(self._complete) == self.size:
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
                return min(failed_s(self.units[key]) for key in self._failed)
            case Phase.DONE:
                results = (unit.result for unit in self.units.values())
                return max(result.ended_s or 0.0 for result in results if result is not None)

    def failures(self) -> Iterator[tuple[UnitKey, Attempt]]:
        """Units that have failed, with their current attempts, by task and item."""
        for key in sorted(self._failed):
            current = self.units[key].current
            assert current is not None
            yield key, current

    def unit(self, key: UnitKey) -> UnitState:
        """The unit as far as it is known; an empty one if nothing is."""
        return self.units.get(key) or UnitState()

    def is_complete(self, key: UnitKey) -> bool:
        """Whether the unit has a result that counts."""
        return key in self._complete

    def fits(self, statement: Statement) -> bool:
        """Whether the statement speaks of a unit that this job has."""
        if statement.kind in ABOUT_THE_JOB:
            return True
        return (
            statement.kind in _KINDS
            and statement.task < len(self.spec.dag.tasks)
            and statement.item < len(self.spec.items)
            and 1 <= statement.attempt <= ATTEMPTS_MAX
            and (statement.outcome is not None or statement.kind not in _WITH_OUTCOME)
            and (len(statement.node) == 32 or statement.kind not in _WITH_NODE)
        )

    def apply(self, entry: Entry) -> None:
        """Take in the statements of a segment that is new to the ledger. Those that fit no unit are void."""
        for statement in entry.segment.statements:
            if self.fits(statement):
                self.note(entry.author, statement)

    def note(self, author: NodeId, statement: Statement) -> None:
        """Take in one statement that fits."""
        kind = statement.kind
        if kind == StatementKind.CANCELLED:
            self.cancelled = _earliest(self.cancelled, statement)
            return
        if kind == StatementKind.CONCLUDED:
            said = (statement.at_s, author)
            self.conclusion = said if self.conclusion is None else min(self.conclusion, said)
            return
        if kind == StatementKind.GUARDED:
            self.guards[author] = None
            return
        if kind == StatementKind.PULLED:
            self.pulled_s = statement.at_s if self.pulled_s is None else min(self.pulled_s, statement.at_s)
            return
        key = (statement.task, statement.item)
        unit = self.units.setdefault(key, UnitState())
        attempt = self._attempt(key, unit, statement.attempt, attempted_by(author, statement))
        if kind == StatementKind.ASSIGNED:
            _note_assignment(attempt, author, statement)
        elif kind == StatementKind.KEPT:
            attempt.keepers[author] = None
        elif kind == StatementKind.LOST:
            attempt.lost = _earliest(attempt.lost, statement)
        elif kind == StatementKind.ABANDONED:
            unit.abandoned = _earliest(unit.abandoned, statement)
        else:
            _note_progress(attempt, statement)
        self._derive(key, unit)

    def _attempt(self, key: UnitKey, unit: UnitState, number: int, node: NodeId) -> Attempt:
        attempt = unit.attempts.get((number, node))
        if attempt is None:
            attempt = unit.attempts[(number, node)] = Attempt(number, node)
            self.places.setdefault(node, {})[key] = None
        return attempt

    def _derive(self, key: UnitKey, unit: UnitState) -> None:
        before = unit.result
        unit.current = max(unit.attempts.values(), key=_currency)
        finished = (each for each in unit.attempts.values() if each.phase == "finished")
        unit.result = max(finished, key=_worth, default=None)
        self._results += (unit.result is not None) - (before is not None)
        is_given_up = unit.current.phase == "failed" or unit.abandoned is not None
        _mark(self._failed, key, is_given_up and unit.result is None)
        wanted = self.spec.dag.tasks[key[0]].final
        _mark(self._complete, key, unit.result is not None and (unit.result.kept or not wanted))


_KINDS = frozenset(StatementKind)
_WITH_OUTCOME = (StatementKind.FINISHED, StatementKind.FAILED)
_WITH_NODE = (StatementKind.ASSIGNED, StatementKind.KEPT, StatementKind.LOST, StatementKind.ABANDONED)


def attempted_by(author: NodeId, statement: Statement) -> NodeId:
    """The node that the attempt of a statement was given to."""
    return NodeId(statement.node) if statement.kind in _WITH_NODE else author


def failed_s(unit: UnitState) -> float:
    """When a unit that has failed did so."""
    assert unit.current is not None, "it has failed"
    instants = (unit.current.ended_s, None if unit.abandoned is None else unit.abandoned[0])
    return min((at_s for at_s in instants if at_s is not None), default=0.0)


def why_failed(unit: UnitState) -> str:
    """Why a unit has failed, for people."""
    assert unit.current is not None, "it has failed"
    return unit.current.reason if unit.abandoned is None else unit.abandoned[1]


def superseding(unit: UnitState, attempt: Attempt) -> Attempt | None:
    """Why an open attempt is not to go on: a later one that somebody has taken, or one that is through already."""
    if len(unit.attempts) == 1:
        return None
    return max((each for each in unit.attempts.values() if _supersedes(each, attempt)), key=_currency, default=None)


def _supersedes(other: Attempt, attempt: Attempt) -> bool:
    if other.phase == "finished":
        return other is not attempt and other.number >= attempt.number
    return other.phase in ("accepted", "started") and other.key > attempt.key


def _currency(attempt: Attempt) -> tuple[bool, int, NodeId]:
    return (attempt.phase not in VOID, attempt.number, attempt.node)


def _worth(attempt: Attempt) -> tuple[bool, int, NodeId]:
    return (attempt.kept, attempt.number, attempt.node)


def _mark(keys: dict[UnitKey, None], key: UnitKey, holds: bool) -> None:
    if holds:
        keys[key] = None
    else:
        keys.pop(key, None)


def _note_assignment(attempt: Attempt, author: NodeId, statement: Statement) -> None:
    # Two controllers may name the same attempt; the earlier statement (then the smaller author) is shown.
    told = (statement.at_s, author, statement.text)
    if (
        attempt.assigned_s is None
        or attempt.assigner is None
        or told < (attempt.assigned_s, attempt.assigner, attempt.why)
    ):
        attempt.assigned_s, attempt.assigner, attempt.why = told
    attempt.told_s = max(attempt.told_s, statement.run_s)
    attempt.told_queue_s = max(attempt.told_queue_s, statement.queue_s)


def _note_progress(attempt: Attempt, statement: Statement) -> None:
    kind = statement.kind
    if kind == StatementKind.ACCEPTED:
        attempt.accepted_s = _earlier(attempt.accepted_s, statement.at_s)
    elif kind == StatementKind.STARTED:
        attempt.started_s = _earlier(attempt.started_s, statement.at_s)
        if statement.queue_s != ANY_QUEUE:
            attempt.ready_s = _earlier(attempt.ready_s, statement.at_s - statement.queue_s)
    proved = PROVES[kind]
    if proved in ENDED and _outranks(attempt, proved, statement):
        attempt.ended_s = statement.at_s
        attempt.reason = statement.text
        attempt.outcome = statement.outcome
        attempt.end = statement
    if LADDER[proved] > LADDER[attempt.phase]:
        attempt.phase = proved


def _earliest(known: tuple[float, str] | None, statement: Statement) -> tuple[float, str]:
    told = (statement.at_s, statement.text)
    return told if known is None else min(known, told)


def _earlier(known_s: float | None, told_s: float) -> float:
    return told_s if known_s is None else min(known_s, told_s)


def _outranks(attempt: Attempt, proved: str, statement: Statement) -> bool:
    """Whether this end counts rather than the one already known."""
    if attempt.end is None or LADDER[proved] > LADDER[attempt.phase]:
        return True
    return proved == attempt.phase and _order(statement) < _order(attempt.end)


def _order(end: Statement) -> tuple[float, bytes]:
    return (end.at_s, encode(end))
