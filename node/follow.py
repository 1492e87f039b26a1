"""Following a job: the same snapshots as a live table on a terminal, and as one line per change anywhere else.

A job of more units than a person can watch is summed up by task.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

from pnode.protocol.values import dataclass

from .answers import write_pulled
from .api import JobDetail, Pulled, UnitState, UnitStatus
from .jobtext import ran_s, settled_units, unit_text, units_listing, write_failures
from .terminal import Column, Listing, clean, count_text, is_terminal, seconds_text, time_of_day

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Clock = Callable[[], float]
"""Seconds since 1970 UTC."""

UNITS_BY_LINE_MAX = 200
"""With more units than this a log has one line for a finished task instead of several for each unit."""

SUMMARY_PERIOD_S = 5.0
"""How often such a log says how far the whole is."""

FRAME_LINES = 4
"""Of the terminal: titles, progress, an ellipsis and the prompt."""

BAR_CHARACTERS = 30
BAR_CHARACTERS_MIN = 5
"""A shorter bar tells nothing."""

REFRESH_PER_S = 4
NODES_SHOWN = 3

TASK_COLUMNS = (
    Column("task", flexible=True),
    Column("state"),
    Column("waiting", minor=1, number=True),
    Column("running", number=True),
    Column("done", number=True),
    Column("failed", minor=2, number=True),
    Column("nodes", flexible=True),
    Column("ran", number=True),
)

PHRASES = {
    "waiting": "waits",
    "assigned": "assigned to {node}",
    "fetching": "fetching its inputs on {node}",
    "queued": "queued on {node}",
    "running": "running on {node}",
    "done": "done on {node} in {ran}",
    "failed": "failed on {node}",  # why is told at the end, with all else about it
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Followed:
    """A job that was followed to its end."""

    job: JobDetail
    results: Pulled | None
    """None unless the job is done."""


def write_followed(followed: Followed, out: TextIO) -> None:
    """Where the results are, or why there are none."""
    if followed.results is not None:
        write_pulled(followed.results, out)
    else:
        write_failures(followed.job, out)


def follow_job(snapshots: Iterable[JobDetail], out: TextIO, clock: Clock = time.time) -> JobDetail:
    """Show every snapshot as it comes and return the last one."""
    return _follow_live(snapshots, out, clock) if is_terminal(out) else _follow_by_lines(snapshots, out, clock)


def _follow_by_lines(snapshots: Iterable[JobDetail], out: TextIO, clock: Clock) -> JobDetail:
    lines = JobLines(clock)
    last = None
    for last in snapshots:
        out.writelines(f"{line}\n" for line in lines.changes(last))
        out.flush()
    assert last is not None, "a job that is followed has at least the state in which it is"
    return last


class JobLines:
    """Tells what has changed since the snapshot before, in lines that begin with the time of day, in UTC, at which it
    was so: who follows a job late, or again, is told when things happened and not when he came to hear of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[tuple[str, int], tuple[str, str | None, int]] = {}
        self._ended_tasks: dict[str, None] = {}
        self._summary_s = -SUMMARY_PERIOD_S

    def changes(self, job: JobDetail) -> list[str]:
        running = job.state == "running"
        now = self._clock() if running else job.submitted_at + job.elapsed_s
        told = self._by_task(job, now) if len(job.units) > UNITS_BY_LINE_MAX else self._by_unit(job, now)
        told.sort(key=lambda line: line[0])
        if not running:
            told.append((now, ended_text(job)))
        return [f"{time_of_day(instant)} {line}" for instant, line in told]

    def _by_unit(self, job: JobDetail, now: float) -> list[tuple[float, str]]:
        lines = []
        for unit in settled_units(job):
            key, state = (unit.task, unit.item), (unit.state, unit.node, unit.attempt)
            before = self._told.get(key)
            self._told[key] = state
            if before != state and (unit.node is not None or (before is not None and job.state == "running")):
                text = f"{unit_text(unit, many_items=job.items > 1)} {_phrase(unit, now)}"
                lines.append((_since(unit, now), text))
        return lines

    def _by_task(self, job: JobDetail, now: float) -> list[tuple[float, str]]:
        lines = []
        for task, units in _tasks(job).items():
            states = Counter(unit.state for unit in units)
            if task not in self._ended_tasks and states["done"] + states["failed"] == len(units):
                self._ended_tasks[task] = None
                failed = f", {states['failed']} failed" if states["failed"] else ""
                last = max(_since(unit, now) for unit in units)
                lines.append((last, f"{clean(task)}: {states['done']}/{len(units)} done{failed}"))
        if now - self._summary_s >= SUMMARY_PERIOD_S:
            self._summary_s = now
            lines.append((now, progress_text(job)))
        return lines


def progress_text(job: JobDetail) -> str:
    return f"{job.units_done}/{job.units_total} tasks done"


def ended_text(job: JobDetail) -> str:
    return f"job {job.id} {job.state}: {progress_text(job)} after {seconds_text(job.elapsed_s)}"


def _since(unit: UnitStatus, now: float) -> float:
    """When a unit came into the state in which it is, as its node told; `now` where nobody did."""
    ended, begun = unit.finished_at, unit.started_at
    instants = {"queued": unit.queued_at, "running": begun, "done": ended, "failed": ended}
    instant = instants.get(unit.state)
    return now if instant is None else instant


def _phrase(unit: UnitStatus, now: float) -> str:
    node = clean(unit.node) if unit.node else "nobody"
    return PHRASES[unit.state].format(node=node, ran=seconds_text(ran_s(unit, now)))


def _tasks(job: JobDetail) -> dict[str, list[UnitStatus]]:
    """Units by task, in the order of the DAG file."""
    tasks: dict[str, list[UnitStatus]] = {}
    for unit in settled_units(job):
        tasks.setdefault(unit.task, []).append(unit)
    return tasks


def tasks_listing(job: JobDetail, rows_max: int, now: float) -> Listing:
    """One row per task, all its items together. What moves comes first if there is no room for all."""
    tasks = _tasks(job)
    names = list(tasks)
    if len(names) > rows_max:
        names = sorted(names, key=lambda task: _interest(tasks[task]))[:rows_max]
    return Listing(TASK_COLUMNS, tuple([_task_row(task, tasks[task], now) for task in names]))


def _interest(units: list[UnitStatus]) -> int:
    """Failed, then under way, then done, then not begun. Sorting is stable, so the order of the file decides ties."""
    states = {unit.state for unit in units}
    if "failed" in states:
        return 0
    return 2 if states == {"done"} else 3 if states == {"waiting"} else 1


def _task_row(task: str, units: list[UnitStatus], now: float) -> tuple[str, ...]:
    states = Counter(unit.state for unit in units)
    nodes = list(dict.fromkeys(clean(unit.node) for unit in units if unit.node))
    more = f" +{len(nodes) - NODES_SHOWN}" if len(nodes) > NODES_SHOWN else ""
    ended = states["done"] + states["failed"] + states["cancelled"]
    begun = ended or states["running"]
    waiting = len(units) - ended - states["running"]
    ran = sum(ran_s(unit, now) or 0.0 for unit in units)
    return (
        clean(task),
        _task_state(states),
        str(waiting),
        str(states["running"]),
        f"{states['done']}/{len(units)}",
        str(states["failed"]),
        (", ".join(nodes[:NODES_SHOWN]) + more) or "-",
        seconds_text(ran) if begun else "-",
    )


def _task_state(states: "Counter[UnitState]") -> str:
    """All units of a task in one word."""
    decisive: UnitState
    for decisive in ("failed", "cancelled", "running"):
        if states[decisive]:
            return decisive
    if not states["done"]:
        return "waiting"
    return "done" if states["done"] == states.total() else "running"


def _follow_live(snapshots: Iterable[JobDetail], out: TextIO, clock: Clock) -> JobDetail:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=out)
    picture = _Picture(console, clock)
    with Live(console=console, get_renderable=picture.draw, refresh_per_second=REFRESH_PER_S):
        for job in snapshots:
            picture.job = job
    assert picture.job is not None, "a job that is followed has at least the state in which it is"
    return picture.job


class _Picture:
    """The live table; drawn several times a second, so that running times count up between snapshots."""

    def __init__(self, console: "Console", clock: Clock) -> None:
        self.job: JobDetail | None = None
        self._console = console
        self._clock = clock

    def draw(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        if self.job is None:
            return Text("waiting for the node's first word about the job")
        listing, left_out = self._listing(self.job)
        rest = [Text(f"and {count_text(left_out, 'more task')}", style="dim")] if left_out else []
        return Group(listing.table(self._console.width), *rest, self._progress(self.job))

    def _progress(self, job: JobDetail) -> "RenderableType":
        """How far the job is: a bar as long as there is room beside the text; no bar when all is over."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        text = Text(progress_text(job) if job.state == "running" else ended_text(job), no_wrap=True)
        width = min(BAR_CHARACTERS, self._console.width - len(text) - 1)
        if job.state != "running" or width < BAR_CHARACTERS_MIN:
            return text
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row(ProgressBar(total=max(job.units_total, 1), completed=job.units_done, width=width), text)
        return line

    def _listing(self, job: JobDetail) -> tuple[Listing, int]:
        """What there is room for, and how many tasks there are besides."""
        rows_max = max(1, self._console.height - FRAME_LINES)
        now = self._clock()
        if len(job.units) <= rows_max:
            return units_listing(settled_units(job), many_items=job.items > 1, now=now, live=True), 0
        tasks = len({unit.task for unit in job.units})
        shown = tasks if tasks <= rows_max else max(1, rows_max - 1)
        return tasks_listing(job, shown, now), tasks - shown
