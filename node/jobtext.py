"""A job as text for people: its tasks, every attempt that tells something, who keeps it, and why it has failed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from .api import AttemptStatus, Explanation, JobDetail, JobStatus, KeeperStatus, LogChunk, Submitted, UnitStatus
from .home import command_text
from .terminal import (
    Column,
    Listing,
    clean,
    clean_lines,
    count_text,
    seconds_text,
    short_instant,
    show_listing,
    show_sentence,
    time_of_day,
)

UNIT_COLUMNS = (
    Column("task", flexible=True),
    Column("item", number=True),
    Column("attempt", minor=2, number=True),
    Column("state"),
    Column("node", flexible=True),
    Column("waited", minor=1, number=True),
    Column("ran", number=True),
    Column("started", minor=3),
    Column("reason", flexible=True),
)

ATTEMPTS_MAX = 200
"""Lines about them: nobody reads more."""

_UNDER_WAY = ("assigned", "queued", "running")


def write_submitted(submitted: Submitted, home: Path, out: TextIO) -> None:
    """The job's name, what to do with it, and how safe it is."""
    show = command_text(home, f"job {submitted.id}")
    show_sentence(f"job {submitted.id} submitted: {show} shows how far it is, --follow until its end", out)
    show_sentence(kept_text(submitted), out)


def kept_text(submitted: Submitted) -> str:
    """Who would still have the job if this machine were lost."""
    others = count_text(submitted.guarded, "other node")
    if not submitted.guarded:
        alone = "kept here only: if this machine is lost, so is the job"
        if not submitted.wanted:
            return f"{alone}; no other node is there" if submitted.replicas else alone
        return f"{alone}, until one of {count_text(submitted.wanted, 'other node')} that should keep it has it"
    if submitted.guarded < submitted.wanted:
        return f"kept by {others} and this one so far, of {submitted.wanted} that should: the rest has been too slow"
    if submitted.wanted < submitted.replicas:
        return f"kept by {others} and this one: there are no more"
    return f"kept by {others} and this one"


def write_job(job: JobDetail, out: TextIO) -> None:
    """The job's own facts, its units, every attempt where there were several, and at length why any has failed."""
    show_sentence(
        f"job {job.id} ({clean(job.name)}): {job.state}, {job.units_done}/{job.units_total} done after"
        f" {seconds_text(job.elapsed_s)}, submitted at {origin_text(job)} {short_instant(job.submitted_at)},"
        f" mapper {clean(job.mapper)}",
        out,
    )
    show_sentence(keepers_text(job), out)
    for detour in job.relayed:
        show_sentence(f"content came here from {clean(detour)}: neither can dial the other", out)
    if job.items_settled:
        show_sentence(f"{job.items_settled:,} of {job.items:,} items are settled: only their results are kept", out)
    show_listing(
        units_listing(settled_units(job), many_items=job.items > 1, now=job.submitted_at + job.elapsed_s), out
    )
    write_attempts(job, out)
    write_failures(job, out)


def origin_text(job: JobStatus) -> str:
    """The node a job was submitted to, also when it is no more."""
    return f"{clean(job.origin)} (gone)" if job.origin_gone else clean(job.origin)


def keepers_text(job: JobDetail) -> str:
    """Who keeps a job, and what they lack. Who has everything is told by name alone."""
    if not job.keepers:
        return "kept by nobody who is there"
    told = [_keeper_text(keeper, job) for keeper in job.keepers]
    return f"kept by {', '.join(told)}"


def _keeper_text(keeper: KeeperStatus, job: JobDetail) -> str:
    notes = ["origin"] if keeper.origin else []
    if not keeper.guards:
        notes.append("is getting it")
    if job.state == "done" and keeper.results < job.results_total:
        notes.append(f"has {keeper.results} of {count_text(job.results_total, 'result')}")
    if keeper.shortage and notes:
        notes.append(clean(keeper.shortage))
    return f"{clean(keeper.node)} ({', '.join(notes)})" if notes else clean(keeper.node)


def write_attempts(job: JobDetail, out: TextIO) -> None:
    """A line for every attempt at a unit that had more than one, or whose only one came to nothing."""
    lines = [
        f"{unit_text(unit, many_items=job.items > 1)}, attempt {_attempt_text(attempt)}"
        for unit in job.units
        if any(not attempt.counts and attempt.state not in _UNDER_WAY for attempt in unit.attempts)
        for attempt in unit.attempts
    ]
    for line in lines[:ATTEMPTS_MAX]:
        show_sentence(line, out)
    if len(lines) > ATTEMPTS_MAX:
        out.write(f"and {count_text(len(lines) - ATTEMPTS_MAX, 'more attempt')}: --json has them all\n")


def _attempt_text(attempt: AttemptStatus) -> str:
    why = f" (since {clean(attempt.why)})" if attempt.why else ""
    became = "finished, accepted" if attempt.counts else attempt.state
    end = f": {clean(attempt.end)}" if attempt.end else ""
    return f"{attempt.attempt} on {clean(attempt.node)}{why}: {became}{end}{''.join(_times(attempt))}"


def _times(attempt: AttemptStatus) -> Iterator[str]:
    if attempt.started_at is not None:
        yield f"; started {time_of_day(attempt.started_at)}"
        if attempt.seconds is not None:
            yield f", ran {seconds_text(attempt.seconds)}"
    elif attempt.assigned_at is not None:
        yield f"; given to it {time_of_day(attempt.assigned_at)}"


def settled_units(job: JobDetail) -> tuple[UnitStatus, ...]:
    """The units as a person should see them: when a job has failed or was cancelled, none of it goes on, though word
    of that may not have come from every node. Why is told once, with the job or with the unit that has failed."""
    if job.state not in ("failed", "cancelled"):
        return job.units
    culprit = next((unit for unit in job.units if unit.state == "failed"), None)
    why = f"stopped, since {unit_text(culprit, many_items=job.items > 1)} failed" if culprit else ""
    return tuple([_stopped(unit, why) for unit in job.units])


def _stopped(unit: UnitStatus, why: str) -> UnitStatus:
    if unit.state in ("done", "failed"):
        return unit
    return replace(unit, state="cancelled", reason=why if unit.node else "")


def units_listing(units: Iterable[UnitStatus], *, many_items: bool, now: float, live: bool = False) -> Listing:
    """One row per unit, with the columns that tell something: the item of a stream, the attempt if some unit had
    several, the reason if there is one, the start unless the time since it is seen to grow. Live, why a unit has
    failed is left to `write_failures`, which follows."""
    chosen = tuple([replace(unit, reason="") if live and unit.state == "failed" else unit for unit in units])
    shown = {
        "item": many_items,
        "attempt": any(unit.attempt > 1 for unit in chosen),
        "reason": any(unit.reason for unit in chosen),
        "started": not live,
    }
    keep = [n for n, column in enumerate(UNIT_COLUMNS) if shown.get(column.title, True)]
    rows = tuple([tuple([row[n] for n in keep]) for row in (_unit_row(unit, now) for unit in chosen)])
    return Listing(tuple([UNIT_COLUMNS[n] for n in keep]), rows)


def _unit_row(unit: UnitStatus, now: float) -> tuple[str, ...]:
    return (
        clean(unit.task),
        str(unit.item),
        str(unit.attempt),
        unit.state,
        clean(unit.node) if unit.node else "-",
        seconds_text(waited_s(unit, now)),
        seconds_text(ran_s(unit, now)),
        short_instant(unit.started_at) if unit.started_at is not None else "-",
        clean(unit.reason),
    )


def waited_s(unit: UnitStatus, now: float) -> float | None:
    """From being given to its node to its start there. Clocks of two machines differ: never less than nothing."""
    if unit.queued_at is None:
        return None
    ends = (unit.started_at, unit.finished_at, now)
    return max(0.0, next(end for end in ends if end is not None) - unit.queued_at)


def ran_s(unit: UnitStatus, now: float) -> float | None:
    """Its run time, so far if it still runs."""
    if unit.seconds is not None or unit.started_at is None or unit.state != "running":
        return unit.seconds
    return max(0.0, now - unit.started_at)


def write_failures(job: JobDetail, out: TextIO) -> None:
    """Why the job has failed: task, node, reason and the last lines of what it wrote to its standard error."""
    failed = [unit for unit in job.units if unit.state == "failed"]
    if job.reason and not failed:  # with a failed unit, the unit's reason is the job's
        show_sentence(clean(job.reason if job.reason.startswith(job.state) else f"{job.state}: {job.reason}"), out)
    for unit in failed:
        name = unit_text(unit, many_items=job.items > 1)
        show_sentence(f"{name} failed on {clean(unit.node or '-')}: {clean(unit.reason)}", out)
        if unit.stderr_tail.strip():
            out.write("its standard error ended with\n")
            out.writelines(f"  | {line}\n" for line in clean_lines(unit.stderr_tail).split("\n"))


def unit_text(unit: UnitStatus | LogChunk | Explanation, *, many_items: bool) -> str:
    """A unit in a sentence: `task1`, or `task1[3]` in a stream."""
    return f"{clean(unit.task)}[{unit.item}]" if many_items else clean(unit.task)
