"""Saying: what a node says of the units that it holds, and how soon."""

from .dag import ProgramKind
from .desk import Desk
from .effects import Unit
from .ids import NodeId
from .job import Job
from .jobstate import UnitKey
from .ledger import ANY_QUEUE, Cause, Outcome, Statement, StatementKind


def say(
    desk: Desk,
    job: Job,
    kind: StatementKind,
    unit: Unit,
    now: float,
    recipients: tuple[NodeId, ...],
    text: str = "",
    outcome: Outcome | None = None,
    waited_s: float = ANY_QUEUE,
    cause: Cause = Cause.ELSEWHERE,
) -> None:
    """State something about an attempt of ours; with others, if nobody waits for it."""
    key = job.key(unit.task, unit.item)
    statement = Statement(kind, *key, unit.attempt, now, b"", text, outcome, waited_s, cause=cause)
    tell = desk.note if kind in _UNHURRIED or _is_one_of_many(job, key, kind) else desk.say
    tell(job, statement, recipients)


def _is_one_of_many(job: Job, key: UnitKey, kind: StatementKind) -> bool:
    """Whether it is the end of a command that no task waits for, and not of the last one here: a signature and
    a message for each of hundreds of short ones would cost more than these do."""
    task = job.task(key)
    is_awaited = task.children or task.program.kind == ProgramKind.CALLS
    return kind == StatementKind.FINISHED and not is_awaited and bool(job.held)


_UNHURRIED = (StatementKind.ACCEPTED, StatementKind.STARTED)
"""Whoever asked waits for an answer of seconds (`placing.HANDOFF_S`), and a short run has ended by then."""
