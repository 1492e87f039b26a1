"""Explanations: who chose the node of a unit, among whom, by which numbers; or why nobody has been chosen yet.

The numbers behind a choice are with the node that made it, for as long as it keeps them (`protocol.decisions`), and
nowhere else. About the choices of others there is to say who made them.
"""

from collections.abc import Iterator
from dataclasses import replace

from pnode.protocol.desk import Desk
from pnode.protocol.ids import NodeId, job_text
from pnode.protocol.job import Job
from pnode.protocol.jobstate import Attempt, UnitKey
from pnode.protocol.neighbours import Neighbours

from .api import CandidateScore, Explanation, Passed
from .plain import Instant
from .reports import unit_name, unit_state

EXPLANATIONS_MAX = 1000
"""Units times attempts in one answer: a stream has many, and nobody reads so much."""


def explanations(job: Job, keys: dict[UnitKey, None], desk: Desk, neighbours: Neighbours) -> tuple[Explanation, ...]:
    """One per attempt at each of the units, and one for each that waits for somebody to be chosen."""
    found: list[Explanation] = []
    for key in keys:
        if len(found) >= EXPLANATIONS_MAX:
            break
        found += _of_unit(job, key, desk, neighbours)
    return tuple(found)


def _of_unit(job: Job, key: UnitKey, desk: Desk, neighbours: Neighbours) -> Iterator[Explanation]:
    unit = job.state.unit(key)
    for _, attempt in sorted(unit.attempts.items()):
        yield _of_attempt(job, key, attempt, desk, neighbours)
    if unit.current is None or key in job.unplaced:
        yield replace(_of_waiting(job, key, desk, neighbours), state="waiting" if unit.result is None else "done")


def _of_attempt(job: Job, key: UnitKey, attempt: Attempt, desk: Desk, neighbours: Neighbours) -> Explanation:
    decider = attempt.assigner
    return Explanation(
        job=job_text(job.id),
        task=job.task(key).name,
        item=key[1],
        attempt=attempt.number,
        state="lost" if attempt.is_open and desk.is_gone(attempt.node) else unit_state(attempt),
        node=neighbours.name_of(attempt.node),
        decider=None if decider is None else neighbours.name_of(decider),
        decided_at=None if attempt.assigned_s is None else Instant(attempt.assigned_s),
        mapper=job.spec.mapper,
        why=attempt.why,
        note=_missing(job, key, attempt.number, decider, desk, neighbours),
        scores=_scores(job, key, attempt.number, desk, neighbours),
        passed=tuple(_passed(job, key, attempt.number, desk, neighbours)),
    )


def _of_waiting(job: Job, key: UnitKey, desk: Desk, neighbours: Neighbours) -> Explanation:
    """Nobody has been asked: why not?"""
    number = job.state.unit(key).number + 1
    return Explanation(
        job=job_text(job.id),
        task=job.task(key).name,
        item=key[1],
        attempt=0,
        state="waiting",
        node=None,
        decider=None,
        decided_at=None,
        mapper=job.spec.mapper,
        why="",
        note=_why_it_waits(job, key, neighbours),
        scores=(),
        passed=tuple(_passed(job, key, number, desk, neighbours)),
    )


def _why_it_waits(job: Job, key: UnitKey, neighbours: Neighbours) -> str:
    if key[1] in job.state.settlement:
        return "of this item only the results are known any more"
    if job.state.is_over:
        return "the job is over"
    if key in job.unplaced:
        return neighbours.why_nobody(job.task(key)) or "nobody is left to be asked; it is tried again soon"
    not_begun = [unit_name(job, parent) for parent in job.parents(key) if parent not in job.begun]
    if not_begun:
        return f"a node is chosen when all its parents have started, and {', '.join(not_begun)} has not"
    return "a node is about to be chosen"


def _missing(job: Job, key: UnitKey, number: int, decider: NodeId | None, desk: Desk, neighbours: Neighbours) -> str:
    """Why there are no numbers; empty when there are."""
    if desk.decisions.of(job.id, key, number) is not None:
        return ""
    if decider is None:
        return "who chose the node has not been heard here yet"
    if decider == desk.me:
        return "the numbers behind this choice are no longer kept"
    if desk.is_gone(decider):
        return f"the numbers behind this choice were at {neighbours.name_of(decider)}, which is gone"
    words = f"'pnode explain {job_text(job.id)} {unit_name(job, key)}'"
    return f"the numbers behind this choice are at {neighbours.name_of(decider)}: {words} there shows them"


def _scores(job: Job, key: UnitKey, number: int, desk: Desk, neighbours: Neighbours) -> tuple[CandidateScore, ...]:
    decision = desk.decisions.of(job.id, key, number)
    return tuple(
        CandidateScore(neighbours.name_of(each.node), each.total, each.inputs_s, each.queue_s, each.run_s)
        for each in (() if decision is None else decision.scores)
    )


def _passed(job: Job, key: UnitKey, number: int, desk: Desk, neighbours: Neighbours) -> Iterator[Passed]:
    """Who was not among the candidates: by what was known then of those that had their turn, by what is known now of
    all others."""
    decision = desk.decisions.of(job.id, key, number)
    if decision is None:
        return
    reasons = dict(decision.excluded)
    chosen = [each.node for each in decision.scores]
    for node in sorted((neighbours.me, *neighbours.membership.members)):
        reason = reasons.get(node) or neighbours.why_not(node, job.task(key))
        if node not in chosen and reason:
            yield Passed(neighbours.name_of(node), reason)
