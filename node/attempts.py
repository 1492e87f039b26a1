"""Attempts: every try at a unit, as people want to know of it: where, when, why, and what became of it."""

from pnode.protocol.job import Job
from pnode.protocol.jobstate import Attempt, UnitState
from pnode.protocol.statements import Cause

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
    state, end = _fate(attempt, unit, job, directory)
    return AttemptStatus(
        attempt=attempt.number,
        node=directory.name_of(attempt.node),
        node_gone=directory.is_gone(attempt.node),
        state=state,
        counts=attempt is unit.result,
        why=attempt.why if attempt.number > 1 else "",
        end=end,
        assigned_at=_instant(attempt.assigned_s),
        started_at=_instant(attempt.started_s),
        finished_at=_instant(attempt.ended_s),
        seconds=None if attempt.outcome is None else attempt.outcome.seconds,
    )


def _fate(attempt: Attempt, unit: UnitState, job: Job, directory: Directory) -> tuple[AttemptState, str]:
    """What has become of it, and why it came to nothing, if it did."""
    state = _STATES[attempt.phase]
    if attempt.lost is not None:
        return "lost", attempt.lost[1]
    if attempt.is_open and directory.is_gone(attempt.node):
        return "lost", f"{directory.name_of(attempt.node)} is gone"
    if job.state.is_over and (attempt.is_open or _ended_with(attempt, job)):
        return _left_open(attempt, unit)
    if attempt.phase != "finished" or attempt is unit.result:
        return state, attempt.reason
    if unit.result is None:  # what it was made of is not the result of its parent any more
        return state, "not accepted: it was computed from results that were not accepted"
    return state, f"not needed, since the result of attempt {unit.result.number} counts"


def _ended_with(attempt: Attempt, job: Job) -> bool:
    """Whether its node gave it up when the job was over already."""
    if attempt.phase != "dropped" or attempt.ended_s is None or job.state.ended_s is None:
        return False
    return attempt.ended_s >= job.state.ended_s


def _left_open(attempt: Attempt, unit: UnitState) -> tuple[AttemptState, str]:
    """What has become of an attempt that nobody ended before its job was over. That its node was lost stays true
    after the node has come back, and has dropped it."""
    following = (each for each in unit.attempts.values() if each.number == attempt.number + 1)
    again = next((each for each in following if each.cause == Cause.RAN), None)
    if again is not None:
        return "lost", again.why
    if unit.abandoned is not None and attempt.number == unit.number:
        return "lost", unit.abandoned[1]
    return "dropped", attempt.reason or "the job is over"


def _instant(seconds: float | None) -> Instant | None:
    return None if seconds is None else Instant(seconds)
