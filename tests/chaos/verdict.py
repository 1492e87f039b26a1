"""The verdict: what does not hold of a job, from what the nodes that are left tell of it.

All of it comes through the control sockets: the job as `pnode job --json` prints it, its recording as `pnode job
--record` writes it, and the results as `pnode pull` fetches them. Instants in a recording are the authors' own; here
all of them are on one machine and so by one clock.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pnode.node.api import JobDetail, UnitStatus
from pnode.node.plain import from_plain
from pnode.node.recording import RecordedAttempt, Recording

Unit = tuple[str, int]
"""(task, item)"""

OPEN = ("assigned", "accepted", "started")
"""Phases of an attempt of which something may still come."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A unit that a machine had when it went away, and what became of it; seconds since then."""

    task: str
    was_running: bool
    placed_s: float | None
    """When it was given to another machine; None if it never was."""
    again_s: float | None
    """When it ran again."""


def read(path: Path) -> Recording:
    return from_plain(Recording, json.loads(path.read_text()))


def complaints(job: JobDetail, recording: Recording, results: Mapping[str, bytes], right: bytes) -> list[str]:
    """What does not hold of a job that shall have ended well."""
    found = []
    if job.state != "done":
        found.append(f"the job is {job.state}: {job.reason}")
    names = [(unit.task, unit.item) for unit in job.units]
    if len(set(names)) != len(names) or len(names) != job.units_total:
        found.append(f"{len(names)} units are told of, {len(set(names))} of them different, of {job.units_total}")
    found += [f"{unit.task} is {unit.state}" for unit in job.units if unit.state != "done"]
    if list(results.values()) != [right]:
        found.append(f"the results are {sorted(results)}, of {[len(text) for text in results.values()]} bytes: wrong")
    return [*found, *_of_attempts(job, recording.attempts)]


def _of_attempts(job: JobDetail, attempts: Iterable[RecordedAttempt]) -> Iterable[str]:
    """Of every unit just one attempt counts, and has finished; whatever else was tried has reasons."""
    tried: defaultdict[Unit, list[RecordedAttempt]] = defaultdict(list)
    for attempt in attempts:
        tried[attempt.task, attempt.item].append(attempt)
    for unit in job.units:
        of_unit = tried[unit.task, unit.item]
        finished = [attempt for attempt in of_unit if attempt.phase == "finished"]
        if unit.state == "done" and unit.attempt not in [attempt.attempt for attempt in finished]:
            yield f"the result of {unit.task} is that of attempt {unit.attempt}, which has not finished"
        if unit.state == "done" and sum(each.counts for each in unit.attempts) != 1:
            yield f"{sum(each.counts for each in unit.attempts)} results of {unit.task} count"
        if len(unit.attempts) != len(of_unit):
            yield f"{unit.task}: {len(unit.attempts)} attempts are told of, {len(of_unit)} recorded"
        yield from _without_reason(unit)


def _without_reason(unit: UnitStatus) -> Iterable[str]:
    """Why there was another attempt than the first, and why one came to nothing, is to be told."""
    for each in unit.attempts:
        what = f"{unit.task}: attempt {each.attempt} at {each.node}"
        if each.attempt > 1 and not each.why:
            yield f"{what} is {each.state}, and nobody says why it was made"
        if each.state in ("failed", "declined", "dropped", "lost") and not each.end:
            yield f"{what} is {each.state}, and nobody says why"


def differences(told: Mapping[str, JobDetail]) -> list[str]:
    """Where nodes tell of one job in different ways."""
    first, *others = told
    found = []
    for other in others:
        one, two = told[first], told[other]
        if (one.state, one.units_done) != (two.state, two.units_done):
            found.append(f"{first}: {one.state} {one.units_done}, {other}: {two.state} {two.units_done}")
        for unit, same in zip(one.units, two.units, strict=False):
            mine, theirs = ((each.attempt, each.state, each.node, each.finished_at) for each in (unit, same))
            if mine != theirs:
                found.append(f"{unit.task}: {first} tells {mine}, {other} {theirs}")
    return found


def accepted(job: JobDetail) -> dict[Unit, tuple[int, str | None]]:
    """(attempt, node) of every result."""
    return {(unit.task, unit.item): (unit.attempt, unit.node) for unit in job.units if unit.state == "done"}


def lost(recording: Recording, machine: str, at_s: float) -> tuple[Lost, ...]:
    """The units that a machine had when it went away at an instant."""
    since = at_s - recording.submitted_at
    tried: defaultdict[Unit, list[RecordedAttempt]] = defaultdict(list)
    for attempt in recording.attempts:
        tried[attempt.task, attempt.item].append(attempt)
    return tuple(
        _lost(attempt, tried[attempt.task, attempt.item], since)
        for attempt in recording.attempts
        if attempt.node == machine and _was_there(attempt, since)
    )


def _was_there(attempt: RecordedAttempt, since: float) -> bool:
    begun = min((at for at in (attempt.assigned_s, attempt.accepted_s) if at is not None), default=None)
    return begun is not None and begun <= since and (attempt.ended_s is None or attempt.ended_s > since)


def _lost(attempt: RecordedAttempt, tried: Iterable[RecordedAttempt], since: float) -> Lost:
    later = [other for other in tried if other.attempt > attempt.attempt]
    placed = [other.assigned_s - since for other in later if other.assigned_s is not None]
    again = [other.started_s - since for other in later if other.started_s is not None]
    was_running = attempt.started_s is not None and attempt.started_s <= since
    return Lost(attempt.task, was_running, min(placed, default=None), min(again, default=None))


def run_again(before: Mapping[Unit, tuple[int, str | None]], recording: Recording, since_s: float) -> list[str]:
    """Which tasks had a result at an instant and were started after it all the same."""
    since = since_s - recording.submitted_at
    return [
        f"{attempt.task} had a result and was run again as attempt {attempt.attempt}: {attempt.reason}"
        for attempt in recording.attempts
        if (attempt.task, attempt.item) in before and attempt.started_s is not None and attempt.started_s > since
    ]


def left_open(recording: Recording, machine: str) -> list[str]:
    """What a machine has taken of a job that is over, and not said to have finished, failed or dropped."""
    return [
        f"{attempt.task}: attempt {attempt.attempt} is for ever {attempt.phase}"
        for attempt in recording.attempts
        if attempt.node == machine and attempt.phase in OPEN
    ]
