"""Retries: how often a unit is placed again after it has come to nothing, when, and at whom rather not.

    its node was lost while it ran    `retries_lost` times; then it is ABANDONED
    it has failed                     `retries_failed` times, after a pause
    it ran into its walltime          `retries_timeout` times, after a pause
    it was given back                 at once, the first few times; then after a pause, too
    anything else                     until there is nobody left to ask (`placing`)

A unit is to blame for its node's loss only if it ran there; and why an attempt was made stands in its assignment
(`ledger.Cause`), so that whoever comes to lead counts the same.
"""

from .attempts import VOID, why_failed
from .desk import Desk
from .job import Job
from .jobstate import Attempt, UnitKey, UnitState
from .ledger import Cause, Statement, StatementKind
from .timers import growing_s

PAUSE_S = 1.0
"""After the first failure: what is out of order for a moment, such as a full disk, is seldom in order at once."""

PAUSE_S_MAX = 60.0
"""Doubled with each failure up to here."""

GIVEN_BACK_MAX = 4
"""Nodes may give a unit back that cannot have its inputs; after so many it is likely that whoever places it lacks the
news of why."""

STARVED_MAX = 2
"""Units that are given back for want of the job's own inputs, before one fails: others may have a better way."""

NAMES_MAX = 8
"""Nodes that a reason names; there is room for some 4,000 bytes."""


def needs_pause(unit: UnitState) -> bool:
    """Whether the next attempt at a unit that nobody has should not follow at once."""
    latest = max(unit.attempts.values(), key=lambda attempt: attempt.key, default=None)
    return latest is not None and latest.phase in ("failed", "dropped") and _setbacks(unit) > 0


def pause_s(unit: UnitState) -> float:
    """How long to wait after the latest setback of a unit."""
    return growing_s(PAUSE_S, _setbacks(unit) - 1, PAUSE_S_MAX)


def _setbacks(unit: UnitState) -> int:
    """Failures, and what was given back more often than usual."""
    failures, given_back = (sum(1 for _ in unit.in_phase(phase)) for phase in ("failed", "dropped"))
    return failures + max(0, given_back - GIVEN_BACK_MAX)


def lost_while_it_ran(desk: Desk, unit: UnitState) -> bool:
    """Whether the attempt that is to be followed by another was running on a node that is gone."""
    return unit.current is not None and unit.current.phase == "started" and desk.is_gone(unit.current.node)


def has_starved(unit: UnitState) -> bool:
    """Whether enough nodes have given it back that could not have the job's own inputs: the next need not."""
    ends = (attempt.end for attempt in unit.in_phase("dropped"))
    return sum(1 for end in ends if end is not None and end.cause == Cause.STARVED) >= STARVED_MAX


def abandon(desk: Desk, job: Job, key: UnitKey, now: float) -> None:
    """Place a unit no more: it was lost too often. One that has a result, which was lost, cannot fail by that; but
    without it the job comes to nothing."""
    unit, name = job.state.unit(key), job.task(key).name
    assert unit.current is not None, "it has run"
    ran = [each for each in unit.attempts.values() if each.started_s is not None and each.outcome is None]
    nodes = dict.fromkeys(desk.near.name_of(each.node) for each in sorted(ran, key=lambda each: each.key))
    how = "node that ran it was lost" if len(ran) == 1 else f"nodes that ran it were lost {len(ran)} times"
    text = f"the {how}: {', '.join([*nodes][:NAMES_MAX])}"
    if unit.result is None:
        last = unit.current
        desk.say(job, Statement(StatementKind.ABANDONED, *key, last.number, now, last.node, text), ())
    else:
        desk.cancel(job, f"{name}: {text}", now, lacking=key)


def fail_anew(desk: Desk, job: Job, key: UnitKey, now: float) -> None:
    """A result was lost, and making it anew has failed as often as it may: without it the job comes to nothing."""
    unit, name = job.state.unit(key), job.task(key).name
    assert unit.result is not None, "else the unit itself would have failed"
    maker = desk.near.name_of(unit.result.node)
    text = f"{name}: what {maker} had made was lost, and then it failed: {why_failed(unit)}"
    desk.cancel(job, text, now, lacking=key)


def shun(desk: Desk, job: Job, key: UnitKey) -> None:
    """Rather ask nobody again at whom a unit has failed, whose outputs were lost, or who has given it back just now.
    Who gave it up to somebody else is as good as any."""
    unit = job.state.unit(key)
    for attempt in unit.attempts.values():
        text = _ended(attempt)
        if text and (attempt is unit.current or attempt.phase not in VOID):
            job.excluded.setdefault(key, {}).setdefault(attempt.node, f"{desk.near.name_of(attempt.node)} {text}")


def why(desk: Desk, unit: UnitState) -> str:
    """Why there is another attempt, for people; empty if there is none yet."""
    current = unit.current
    if current is None:
        return ""
    name = desk.near.name_of(current.node)
    if desk.is_gone(current.node):
        return f"{name} is gone"
    if current.phase == "finished" and unit.result is None:
        return f"what {name} has made of it was computed from results that were not accepted"
    return f"{name} {_ended(current) or ('has not answered' if current.phase == 'assigned' else 'has it')}"


def _ended(attempt: Attempt) -> str:
    """How an attempt has come to nothing; empty if it has not."""
    reason = f": {attempt.reason}" if attempt.reason else ""
    if attempt.phase == "finished" and attempt.is_spent:
        return "has let go what it wrote, which nobody needed then"
    if attempt.phase == "finished":
        return "" if attempt.lost is None else f"has lost what it wrote: {attempt.lost[1]}"
    return f"has {attempt.phase} it{reason}" if attempt.phase in ("failed", "dropped", "declined") else ""
