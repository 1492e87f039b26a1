"""Attempts: every try at a unit, as people want to know of it: where, when, why, and what became of it."""

from pnode.protocol.job import Job
from pnode.protocol.jobstate import Attempt, UnitState

from .api import AttemptState, AttemptStatus
from .directory import Directory
from .plain import Instant

_STATES: dict[str, AttemptState] = {
    "assigned": "assigned",
    "accepted": "queued",
    "started": "running",
    "finished": "finished",
    "failed": "failed",
    "declined": "declined",
    "dropped": "dropped",
}


def attempts_at(unit: UnitState, job: Job, directory: Directory) -> tuple[AttemptStatus, ...]:
    """All attempts at a unit, in their order."""
    return tuple(_attempt_status(attempt, unit, job, directory) for _, attempt in sorted(unit.attempts.items()))


def _attempt_status(attempt: Attempt, unit: UnitState, job: Job, directory: Directory) -> AttemptStatus:
    name, is_gone = directory.name_of(attempt.node), directory.is_gone(attempt.node)
    is_lost = (is_gone and attempt.is_open and not job.state.is_over) or attempt.lost is not None
    return AttemptStatus(
        attempt=attempt.number,
        node=name,
        node_gone=is_gone,
        state="lost" if is_lost else _STATES[attempt.phase],
        counts=attempt is unit.result,
        why=attempt.why if attempt.number > 1 else "",
        end=f"{name} is gone" if is_lost and attempt.lost is None else _end(attempt, unit),
        assigned_at=_instant(attempt.assigned_s),
        started_at=_instant(attempt.started_s),
        finished_at=_instant(attempt.ended_s),
        seconds=None if attempt.outcome is None else attempt.outcome.seconds,
    )


def _end(attempt: Attempt, unit: UnitState) -> str:
    """What there is to say about its end; empty while it has none, or when its result is the one that counts."""
    if attempt.lost is not None:
        return attempt.lost[1]
    if attempt.phase != "finished" or attempt is unit.result:
        return attempt.reason
    assert unit.result is not None, "there is at least this one"
    return f"not needed: the result of attempt {unit.result.number} counts"


def _instant(seconds: float | None) -> Instant | None:
    return None if seconds is None else Instant(seconds)
