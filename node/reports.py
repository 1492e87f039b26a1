"""Reports: what the core knows, as the values that people and `--json` get to see."""

import re

from pnode.protocol.ids import JobId, NodeId, job_text, node_text
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Summary
from pnode.protocol.jobstate import Attempt, Phase, UnitKey, why_failed
from pnode.protocol.jobstate import UnitState as AttemptsOfUnit
from pnode.protocol.load import Load
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.record import NodeRecord, Role
from pnode.protocol.roster import State

from .api import (
    JobDetail,
    JobState,
    JobStatus,
    LoadStatus,
    PeerState,
    PeerStatus,
    RefusedError,
    UnitState,
    UnitStatus,
)
from .attempts import attempts_at
from .directory import Directory
from .keepers import keepers_of
from .plain import Instant

_UNIT_NAME = re.compile(r"(.+)\[([0-9]{1,9})\]", re.DOTALL)
"""A task and one of its items, as listings write it."""

_PEER_STATES: dict[State, PeerState] = {
    State.ALIVE: "alive",
    State.SUSPECT: "suspect",
    State.DEAD: "dead",
    State.LEFT: "left",
}

_UNIT_STATES: dict[str, UnitState] = {
    "assigned": "assigned",
    "accepted": "queued",
    "started": "running",
    "finished": "done",
    "failed": "failed",
    "declined": "waiting",
    "dropped": "cancelled",
}

_JOB_STATES: dict[Phase, JobState] = {
    Phase.RUNNING: "running",
    Phase.DONE: "done",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
}


def role_names(roles: int) -> tuple[str, ...]:
    return tuple(str(role.name).lower() for role in Role if roles & role)


def peer_status(
    neighbours: Neighbours,
    node: NodeId,
    record: NodeRecord,
    delay: tuple[float, float] | None,
    now: float,
) -> PeerStatus:
    """A node as this node knows it; `delay` is (round trip in seconds, its age)."""
    membership = neighbours.membership
    member = membership.members.get(node)
    state = membership.state_of(node)
    assert state is not None
    return PeerStatus(
        name=record.name,
        id=node_text(node),
        key=node.hex(),
        state=_PEER_STATES[state],
        this=node == neighbours.me,
        roles=role_names(record.roles),
        addresses=tuple(str(address) for address in record.addresses),
        cores=record.cores,
        speed=record.speed,
        record_age_s=max(0.0, now - (record.boot if member is None else member.renewed)),
        delay_s=None if delay is None else delay[0],
        delay_age_s=None if delay is None else delay[1],
        load=load_status(membership.load_of(node), now),
        software=record.software,
    )


def load_status(load: Load | None, now: float) -> LoadStatus | None:
    if load is None:
        return None
    age_s = max(0.0, now - load.measured_at)
    return LoadStatus(
        load.cpu_percent, load.memory_percent, load.running, load.queued, max(0.0, load.free_in_s - age_s), age_s
    )


def listed_status(summary: Summary, directory: Directory, now: float) -> JobStatus:
    """A job of which only its origin's summary is known here."""
    job = JobId(summary.job)
    state = _JOB_STATES[Phase(summary.phase)] if summary.phase in {phase.value for phase in Phase} else "running"
    return JobStatus(
        id=job_text(job),
        key=job.hex(),
        name=summary.name,
        state=state,
        reason="",
        origin=directory.name_of(NodeId(summary.origin)),
        origin_gone=directory.is_gone(NodeId(summary.origin)),
        units_done=summary.done,
        units_total=summary.size,
        submitted_at=Instant(summary.created_s),
        elapsed_s=max(0.0, (summary.ended_s or now) - summary.created_s),
    )


def job_status(job: Job, directory: Directory, now: float) -> JobStatus:
    state = job.state
    return JobStatus(
        id=job_text(job.id),
        key=job.id.hex(),
        name=job.spec.name,
        state=_JOB_STATES[state.phase],
        reason=job_reason(job, directory),
        origin=directory.name_of(job.origin),
        origin_gone=directory.is_gone(job.origin),
        units_done=state.results,
        units_total=state.size,
        submitted_at=Instant(job.spec.created_s),
        elapsed_s=max(0.0, (state.ended_s or now) - job.spec.created_s),
    )


def job_reason(job: Job, directory: Directory) -> str:
    """Why a job has failed or was cancelled; empty otherwise."""
    match job.state.phase:
        case Phase.FAILED:
            (key, attempt), *_ = job.state.failures()
            unit = job.state.unit(key)
            where = "" if unit.abandoned is not None else f" on {directory.name_of(attempt.node)}"
            return f"{unit_name(job, key)} failed{where}: {why_failed(unit)}"
        case Phase.CANCELLED:
            assert job.state.cancelled is not None
            return job.state.cancelled[1]
        case Phase.RUNNING | Phase.DONE:
            return ""


def unit_state(attempt: Attempt) -> UnitState:
    """What people call its phase."""
    return _UNIT_STATES[attempt.phase]


def unit_name(job: Job, key: UnitKey) -> str:
    """The task, with its item where there are several."""
    task = job.task(key).name
    return task if len(job.spec.items) == 1 else f"{task}[{key[1]}]"


def units_called(job: Job, name: str | None) -> dict[UnitKey, None]:
    """The units that a person means by `task` or, as listings call them, `task[item]`; None means all.

    Raises RefusedError when there are none.
    """
    items = range(len(job.spec.items))
    if name is None:
        return {(task, item): None for task in range(len(job.spec.dag.tasks)) for item in items}
    called = _UNIT_NAME.fullmatch(name)
    task, item = called.groups() if called and name not in job.state.index else (name, None)
    if task in job.state.index and (item is None or int(item) in items):
        return {job.key(task, number): None for number in (items if item is None else [int(item)])}
    known = ", ".join(list(job.state.index)[:10])
    numbers = f", items 0 to {len(items) - 1}" if len(items) > 1 else ""
    raise RefusedError(f"job {job_text(job.id)} has no task {name!r}; it has {known}{numbers}")


def job_detail(job: Job, directory: Directory, now: float) -> JobDetail:
    status = job_status(job, directory, now)
    units = tuple(
        _unit_status(job, (number, item), directory)
        for item in range(len(job.spec.items))
        for number in range(len(job.spec.dag.tasks))
    )
    return JobDetail(
        **{name: getattr(status, name) for name in JobStatus.__slots__},
        mapper=job.spec.mapper,
        items=len(job.spec.items),
        replicas=job.spec.replicas,
        keepers=keepers_of(job, directory),
        results_total=job.finals,
        units=units,
        items_settled=len(job.state.settlement),
        relayed=directory.detours(job.id),
    )


def _unit_status(job: Job, key: UnitKey, directory: Directory) -> UnitStatus:
    unit = job.state.unit(key)
    attempt = unit.result or (_latest(unit) if job.state.is_over else unit.current)
    if attempt is None:
        reason = directory.why_nobody(job.task(key)) if key in job.unplaced else ""
        return UnitStatus(job.task(key).name, key[1], 0, "waiting", None, None, None, None, None, reason, "", ())
    outcome = attempt.outcome
    given_up = unit.abandoned is not None and unit.result is None
    return UnitStatus(
        task=job.task(key).name,
        item=key[1],
        attempt=attempt.number,
        state="failed" if given_up else unit_state(attempt),
        node=directory.name_of(attempt.node) if attempt.number else None,  # else its item is settled
        queued_at=_instant(attempt.accepted_s or attempt.assigned_s),
        started_at=_instant(attempt.started_s),
        finished_at=_instant(attempt.ended_s),
        seconds=None if outcome is None else outcome.seconds,
        reason=why_failed(unit) if given_up else attempt.reason or _why_again(attempt),
        stderr_tail=outcome.stderr_tail if outcome is not None and attempt.phase == "failed" else "",
        attempts=attempts_at(unit, job, directory),
    )


def _latest(unit: AttemptsOfUnit) -> Attempt | None:
    """Where a unit without a result was last when its job ended: its current attempt may be an earlier one whose node
    was lost and therefore never gave it up."""
    if unit.current is None or unit.current.phase == "failed":
        return unit.current
    taken = (each for each in unit.attempts.values() if each.phase != "declined")
    return max(taken, key=lambda each: each.key, default=unit.current)


def _why_again(attempt: Attempt) -> str:
    return attempt.why if attempt.number > 1 else ""


def _instant(seconds: float | None) -> Instant | None:
    return None if seconds is None else Instant(seconds)
