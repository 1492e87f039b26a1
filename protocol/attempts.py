"""Attempts: the facts known of each attempt at a unit, and which of several goes on.

A *unit* is one task for one item; an *attempt* at it is named by its number and the node it was given to, so that two
controllers that were out of touch and both made an "attempt 2" never mean the same thing by it. Every statement only
ever adds a fact to an attempt, and facts about one attempt have one author (the node it was given to; assignments are
the controllers' and say no more than that the attempt exists and why, copies are the replicas'). Hence the order in
which statements arrive makes no difference.

    attempt:  ASSIGNED -> ACCEPTED -> STARTED -> FINISHED | FAILED
                  \\-> DECLINED          \\-> DROPPED

Of a brief run nothing is said before its end, which then tells when it started. What one replica says of its copies,
that it has one and that it has none, is taken in the order of its feeds.

The phase of an attempt is the highest on the ladder below that some statement proves, whether or not the statements
before it have arrived; an honest author only ever climbs along the arrows. Should an author contradict itself, the
ladder and then the earlier statement decide, so that all replicas still agree.
"""

import hashlib
from collections.abc import Iterable, Iterator

from .codec import encode
from .dag import Task
from .ids import NodeId
from .jobspec import FileRef
from .ledger import ANY_QUEUE, Cause, Outcome, Statement, StatementKind, When
from .values import dataclass, field

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

NAMING_A_NODE = (
    StatementKind.ASSIGNED,
    StatementKind.KEPT,
    StatementKind.LOST,
    StatementKind.ABANDONED,
    StatementKind.SETTLED,
    StatementKind.SPENT,
)
"""Kinds by which others than its own node speak about an attempt."""

Told = tuple[float, str]
"""(when, why)"""

VersionKey = tuple[int, NodeId, bytes]
"""The number of an attempt, whom it was given to, and what it has written."""

COPIES_TOLD_MAX = 8
"""How often a replica is remembered to have said that it has a copy: an honest one says so again when another result
has counted meanwhile, or when it was started without the memory of it."""


@dataclass(slots=True)
class Version:
    """What an attempt has written. There are several where its node has run it again, started without the last rows
    of its journal, and the program rolled dice."""

    end: Statement | None = None
    """The earliest FINISHED of it; None if it is only said to be kept so far."""
    keepers: dict[NodeId, tuple[When, ...]] = field(default_factory=dict)


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
    cause: int = Cause.ELSEWHERE
    """The same in a word: the gravest if its controllers differ."""
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
    mark: bytes = b""
    """What it wrote, in eight bytes (`outputs_mark`); empty until it has finished."""
    keepers: dict[NodeId, tuple[When, ...]] = field(default_factory=dict)
    """Replicas that have said that they have a copy of everything it wrote, and when: at first, and last."""
    is_here_after_all: bool = False
    """One of them has said so again, the job having been cancelled for want of it."""
    without: dict[NodeId, When] | None = None
    """Who has said that it cannot be had, and so has no copy itself, and when last; None if nobody has."""
    lost: Told | None = None
    """What it wrote cannot be had where it ran: by the earliest statement."""
    is_spent: bool = False
    """What it wrote was let go, since nobody needed it any more."""
    end: Statement | None = None
    """How it ended: orders contradicting ends."""
    versions: dict[bytes, Version] | None = None
    """By their marks, where there is more than one, or one is kept of which it is not known yet that it was written.
    Of those written that counts which somebody has a copy of, then the earliest. None in all other cases."""

    @property
    def key(self) -> AttemptKey:
        return (self.number, self.node)

    @property
    def version(self) -> VersionKey:
        return (self.number, self.node, self.mark)

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it."""
        return self.phase not in ENDED

    @property
    def kept(self) -> bool:
        """Whether a replica has a copy of what it wrote."""
        return bool(self.keepers)

    @property
    def copies(self) -> dict[NodeId, tuple[When, ...]]:
        """The replicas that still have a copy: who has lost its disk says so."""
        if self.without is None:
            return self.keepers
        lost = self.without
        return {node: kept for node, kept in self.keepers.items() if node not in lost or kept[-1] > lost[node]}

    @property
    def holders(self) -> tuple[NodeId, ...]:
        """Who has what it wrote, dead or alive: its node, unless that is said to be lost there, and the replicas;
        nobody if it is spent."""
        if self.is_spent:
            return ()
        return (*(() if self.lost is not None else (self.node,)), *self.copies)

    @property
    def used(self) -> tuple[bytes, ...]:
        """The marks of its parents' results that it used; empty when it does not say."""
        return () if self.outcome is None else self.outcome.used


@dataclass(slots=True)
class UnitState:
    """All attempts at one task for one item."""

    attempts: dict[AttemptKey, Attempt] = field(default_factory=dict)
    current: Attempt | None = None
    result: Attempt | None = None
    abandoned: Told | None = None
    """Nobody places it any more: by the earliest statement."""

    @property
    def number(self) -> int:
        """The highest number of an attempt; 0 when there is none."""
        return max((number for number, _ in self.attempts), default=0)

    @property
    def was_taken(self) -> bool:
        """Whether a node has ever accepted it."""
        return any(attempt.phase not in ("assigned", "declined") for attempt in self.attempts.values())

    def in_phase(self, phase: str) -> Iterator[Attempt]:
        """Its attempts that have come so far."""
        return (attempt for attempt in self.attempts.values() if attempt.phase == phase)

    @property
    def equals(self) -> list[Attempt]:
        """The attempts that have written what the result has, itself first, then the latest."""
        result = self.result
        if result is None:
            return []
        others = (each for each in self.in_phase("finished") if each.mark == result.mark and each is not result)
        return [result, *sorted(others, key=lambda each: each.key, reverse=True)]

    @property
    def holders(self) -> Iterator[NodeId]:
        """Who has what the result is, dead or alive; a node once for each attempt."""
        return (node for each in self.equals for node in each.holders)

    def count(self, cause: Cause) -> int:
        """How many attempts were made for this reason. Two with one number are the same one, made twice."""
        return len({attempt.number: None for attempt in self.attempts.values() if attempt.cause == cause})


def outputs_mark(outputs: Iterable[FileRef]) -> bytes:
    """What somebody has written, in eight bytes: the same for the same names and contents in the same order."""
    parts = b"".join(file.name.encode() + b"\0" + file.digest for file in outputs)
    return hashlib.blake2b(parts, digest_size=8, person=b"pnode-outputs").digest()


def attempted_by(author: NodeId, statement: Statement) -> NodeId:
    """The node that the attempt of a statement was given to."""
    return NodeId(statement.node) if statement.kind in NAMING_A_NODE else author


def has_failed(unit: UnitState, task: Task) -> bool:
    """Whether a unit without result has failed as often as it may, and nobody is at it."""
    if unit.abandoned is not None:
        return True
    if unit.current is None or unit.current.phase != "failed":
        return False
    ends = [attempt.outcome is not None and attempt.outcome.timed_out for attempt in unit.in_phase("failed")]
    return sum(ends) > task.retries_timeout or len(ends) - sum(ends) > task.retries_failed


def failed_s(unit: UnitState) -> float:
    """When a unit that has failed did so."""
    assert unit.current is not None, "it has failed"
    instants = (unit.current.ended_s, None if unit.abandoned is None else unit.abandoned[0])
    return min((at_s for at_s in instants if at_s is not None), default=0.0)


def why_failed(unit: UnitState) -> str:
    """Why a unit has failed, for people."""
    assert unit.current is not None, "it has failed"
    return unit.current.reason if unit.abandoned is None else unit.abandoned[1]


def currency(attempt: Attempt) -> tuple[bool, int, NodeId]:
    """The highest is the current one."""
    return (attempt.phase not in VOID, attempt.number, attempt.node)


def superseding(unit: UnitState, attempt: Attempt) -> Attempt | None:
    """Why an open attempt is not to go on: a later one that somebody has taken, or one that is through already and
    has not been made again since it was lost. A copy and what it is a copy of go on until one of them is through."""
    if len(unit.attempts) == 1:
        return None
    others = (each for each in unit.attempts.values() if each is not attempt and _supersedes(unit, each, attempt))
    return max(others, key=currency, default=None)


def _supersedes(unit: UnitState, other: Attempt, attempt: Attempt) -> bool:
    if other.phase == "finished":
        counts = unit.result is not None and other.mark == unit.result.mark
        return counts and (other.number >= attempt.number or attempt.cause == Cause.COPY)
    return other.phase in ("accepted", "started") and other.key > attempt.key and other.cause != Cause.COPY


def note_assignment(attempt: Attempt, author: NodeId, statement: Statement) -> None:
    """Somebody has made the attempt."""
    # Two controllers may name the same attempt; the earlier statement (then the smaller author) is shown.
    told = (statement.at_s, author, statement.text)
    if (
        attempt.assigned_s is None
        or attempt.assigner is None
        or told < (attempt.assigned_s, attempt.assigner, attempt.why)
    ):
        attempt.assigned_s, attempt.assigner, attempt.why = told
    attempt.cause = max(attempt.cause, statement.cause)
    attempt.told_s = max(attempt.told_s, statement.run_s)
    attempt.told_queue_s = max(attempt.told_queue_s, statement.queue_s)


def note_progress(attempt: Attempt, statement: Statement) -> None:
    """Its node has said how far it is."""
    kind = statement.kind
    if kind == StatementKind.ACCEPTED:
        attempt.accepted_s = _earlier(attempt.accepted_s, statement.at_s)
    elif kind == StatementKind.STARTED:
        attempt.started_s = _earlier(attempt.started_s, statement.at_s)
        if statement.queue_s != ANY_QUEUE:
            attempt.ready_s = _earlier(attempt.ready_s, statement.at_s - statement.queue_s)
    elif statement.outcome is not None and statement.queue_s != ANY_QUEUE:  # nothing was said when it started
        started_s = statement.at_s - statement.outcome.seconds
        attempt.started_s = _earlier(attempt.started_s, started_s)
        attempt.ready_s = _earlier(attempt.ready_s, started_s - statement.queue_s)
    proved = PROVES[kind]
    if kind == StatementKind.FINISHED and statement.outcome is not None:
        _note_version(attempt, outputs_mark(statement.outcome.outputs), statement)
    elif proved in ENDED and _outranks(attempt, proved, statement):
        _end(attempt, statement)
    if LADDER[proved] > LADDER[attempt.phase]:
        attempt.phase = proved


def _end(attempt: Attempt, statement: Statement) -> None:
    attempt.ended_s = statement.at_s
    attempt.reason = statement.text
    attempt.outcome = statement.outcome
    attempt.end = statement


def _note_version(attempt: Attempt, mark: bytes, end: Statement) -> None:
    """It has finished, and written this."""
    if attempt.versions is None and (attempt.mark == mark or not (attempt.mark or attempt.keepers)):
        if _outranks(attempt, "finished", end):
            _end(attempt, end)
            attempt.mark = mark
        return
    version = _versions(attempt).setdefault(mark, Version())
    if version.end is None or _order(end) < _order(version.end):
        version.end = end
    _choose(attempt)


def _versions(attempt: Attempt) -> dict[bytes, Version]:
    if attempt.versions is None:
        end = attempt.end if attempt.phase == "finished" else None
        attempt.versions = {attempt.mark: Version(end, attempt.keepers)}
    return attempt.versions


def _choose(attempt: Attempt) -> None:
    """Of several versions take that which counts. Copies of which nobody says what they are of are of any."""
    versions = _versions(attempt)
    unnamed = versions[b""].keepers if b"" in versions else {}
    ended = [(version.end, mark, version) for mark, version in versions.items() if version.end is not None]
    if ended:
        end, attempt.mark, version = min(ended, key=lambda each: (not each[2].keepers, _order(each[0])))
        attempt.keepers = {**unnamed, **version.keepers} if unnamed else version.keepers
        _end(attempt, end)


def note_copy(attempt: Attempt, author: NodeId, statement: Statement, when: When) -> None:
    """A replica has a copy."""
    is_usual = attempt.versions is None and statement.mark == attempt.mark
    keepers = attempt.keepers if is_usual else _versions(attempt).setdefault(statement.mark, Version()).keepers
    told = sorted({*keepers.get(author, ()), when})
    keepers[author] = (*told[: COPIES_TOLD_MAX - 1], *told[COPIES_TOLD_MAX - 1 :][-1:])
    if not is_usual:
        _choose(attempt)
    attempt.is_here_after_all = attempt.is_here_after_all or bool(statement.text)


def note_loss(attempt: Attempt, author: NodeId, statement: Statement, when: When) -> None:
    """What it wrote cannot be had where it ran, nor from whoever says so."""
    attempt.lost = earliest(attempt.lost, statement)
    attempt.without = attempt.without or {}
    attempt.without[author] = max(attempt.without.get(author, when), when)


def earliest(known: Told | None, statement: Statement) -> Told:
    """When and why something was said first."""
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
