"""A Gantt chart: who did what when in a run, with machines as rows, tasks as bars and transfers as lines between."""

import heapq
import math
import re
from collections.abc import Sequence

from pnode.protocol.values import dataclass
from pnode.sim.schedule.result import Execution, Result, Transfer
from pnode.sim.schedule.scenario import Fate

from .axis import TICK_PX_MAX, Axis, label
from .drawing import PALETTE, TEXT_PX, Drawing, fitted, text_px
from .layout import number

WIDTH = 1000.0
NAME_PX_MAX = 180.0
"""For the machines' names, left of the bars."""

LANE = 20.0
"""Height of the bars of one core; what runs at the same time on several lies on several."""

GAP = 6.0
"""Between two machines."""

BOTTOM = 44.0
"""For the axis of time."""

SEAM = 0.6
"""Between bars that follow each other at once."""

MARGIN = 16.0
LEGEND = 20.0
LABEL_PX = 10.0
"""Size of the tasks' names in their bars."""


def gantt_svg(result: Result, *, transfers: bool = False) -> str:
    """The chart of a run; with transfers, if the run was traced. Hovering tells the numbers."""
    chart = _Chart(result)
    chart.draw_frame()
    for execution, lanes in zip(result.executions, chart.lanes, strict=True):
        chart.draw_bars(execution, lanes)
    if transfers:
        for transfer in result.transfers:
            chart.draw_transfer(transfer)
    return chart.drawing.svg()


@dataclass(frozen=True, slots=True)
class _Row:
    """A machine's place on the chart."""

    name: str
    top: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


class _Chart:
    """The chart of one run while it is drawn."""

    def __init__(self, result: Result) -> None:
        machines = [machine.name for machine in result.scenario.network.machines]
        self.result = result
        self.lanes = _lanes(result)
        self.groups = _groups(result)
        self.top = 34 + (LEGEND if len(self.groups) > 1 else 0)
        self.rows = _rows(self.top, machines, result, self.lanes)
        self.bottom = self.rows[-1].top + self.rows[-1].height + GAP / 2
        left = MARGIN + max(text_px(fitted(name, NAME_PX_MAX)) for name in machines)
        self.axis = Axis(*_span(result), left, WIDTH - TICK_PX_MAX / 2)
        self.drawing = Drawing(WIDTH, self.bottom + BOTTOM, _title(result))

    def draw_frame(self) -> None:
        """All but what happened."""
        left = self.axis.begin_px
        self.drawing.headline(left, 20, _title(self.result), WIDTH - left - MARGIN)
        for at, row in enumerate(self.rows):
            if at % 2 == 0:
                self.drawing.rect(0, row.top - GAP / 2, WIDTH, row.height + GAP, "stripe")
            self.drawing.text(left - 8, row.middle + TEXT_PX / 3, fitted(row.name, NAME_PX_MAX), "end")
        if len(self.groups) > 1:
            self._draw_legend()
        self._draw_time()
        for machine in range(len(self.rows)):
            self._draw_failures(machine)

    def _draw_legend(self) -> None:
        """As many as fit on a line; hovering a bar says what it is."""
        x = self.axis.begin_px
        for at, (name, colour) in enumerate(self.groups.items()):
            shown = fitted(name or "others", 160)
            width = 16 + text_px(shown)
            if x + width + (0 if at == len(self.groups) - 1 else 24) > WIDTH - MARGIN:
                self.drawing.text(x, 38, "…")
                return
            self.drawing.rect(x, 28, 12, 12, f"fill{colour}")
            self.drawing.text(x + 16, 38, shown)
            x += width + 14

    def _draw_time(self) -> None:
        for tick in self.axis.ticks():
            x = self.axis.px(tick)
            self.drawing.line(x, self.top, x, self.bottom + 4, "faint")
            self.drawing.text(x, self.bottom + 17, label(tick), "middle", 11)
        self.drawing.text((self.axis.begin_px + self.axis.end_px) / 2, self.bottom + 36, "time (s)", "middle")

    def _draw_failures(self, machine: int) -> None:
        """Each from the failure to the recovery, or to the end."""
        row = self.rows[machine]
        for down_s, up_s in _failures(self.result, machine, self.axis.high):
            begin, end = self.axis.px(down_s), self.axis.px(up_s)
            hint = f"{row.name} is down from {number(down_s)} s"
            self.drawing.rect(begin, row.top, max(end - begin, 1), row.height, "bad", hint, 0.2)

    def draw_bars(self, execution: Execution, lanes: Sequence[int]) -> None:
        """One time that a task ran, on each core that it had; pale when its result was not used."""
        begin, end = self.axis.px(execution.start_s), self.axis.px(execution.finish_s)
        style = f"fill{self.groups.get(_group_of(self.result, execution), 0)}"
        opacity = 1.0 if execution.kept else 0.35
        hint, shown = _hint(self.result, execution), fitted(_name(self.result, execution), end - begin - 4, LABEL_PX)
        for lane in lanes:
            top = self.rows[execution.machine].top + lane * LANE
            self.drawing.rect(begin, top + 1, max(end - begin - SEAM, 0.5), LANE - 2, style, hint, opacity)
            if shown:
                middle = (begin + end) / 2
                self.drawing.text(middle, top + LANE / 2 + LABEL_PX / 3, shown, "middle", LABEL_PX, "paper")

    def draw_transfer(self, transfer: Transfer) -> None:
        """From where and when it began to where and when it ended."""
        tasks = self.result.scenario.arrivals[transfer.job].graph.tasks
        hint = (
            f"{tasks[transfer.parent].name} to {tasks[transfer.child].name}\n{number(transfer.size_bytes)} bytes, "
            f"{number(transfer.start_s)} to {number(transfer.finish_s)} s"
        )
        begin = (self.axis.px(transfer.start_s), self.rows[transfer.source].middle)
        end = (self.axis.px(transfer.finish_s), self.rows[transfer.target].middle)
        self.drawing.line(*begin, *end, "edge", hint, 1.2, 0.45)


def _title(result: Result) -> str:
    end = f"makespan {number(result.makespan_s)} s" if result.complete else "did not complete"
    return f"{result.scenario.name}, {result.mapper}, seed {result.seed}: {end}"


def _span(result: Result) -> tuple[float, float]:
    begin = min(arrival.at_s for arrival in result.scenario.arrivals)
    instants = [second for one in result.executions for second in (one.start_s, one.finish_s) if second < math.inf]
    last = max(instants, default=begin)
    return begin, last if last > begin else begin + 1.0


def _lanes(result: Result) -> list[tuple[int, ...]]:
    """Per execution: the lowest lanes of its machine that nothing else is on, one for each core it needs."""
    ends: list[list[tuple[float, int]]] = [[] for _ in result.scenario.network.machines]
    free: list[list[int]] = [[] for _ in ends]
    lanes: list[tuple[int, ...]] = []
    for execution in result.executions:  # in order of their starts
        busy, idle = ends[execution.machine], free[execution.machine]
        while busy and busy[0][0] <= execution.start_s:
            heapq.heappush(idle, heapq.heappop(busy)[1])
        taken: list[int] = []
        for _ in range(result.scenario.arrivals[execution.job].graph.tasks[execution.task].cores):
            taken.append(heapq.heappop(idle) if idle else len(busy))
            heapq.heappush(busy, (execution.finish_s, taken[-1]))
        lanes.append(tuple(taken))
    return lanes


def _rows(top: float, machines: Sequence[str], result: Result, lanes: Sequence[Sequence[int]]) -> list[_Row]:
    """One below the other, each as high as it has lanes."""
    counts = [1] * len(machines)
    for execution, taken in zip(result.executions, lanes, strict=True):
        counts[execution.machine] = max(counts[execution.machine], max(taken) + 1)
    rows: list[_Row] = []
    for name, count in zip(machines, counts, strict=True):
        rows.append(_Row(name, top + GAP / 2, count * LANE))
        top += count * LANE + GAP
    return rows


def _failures(result: Result, machine: int, end_s: float) -> list[tuple[float, float]]:
    """When a machine was down."""
    spans: list[tuple[float, float]] = []
    down_s: float | None = None
    for disruption in sorted(result.scenario.disruptions, key=lambda one: one.at_s):
        if disruption.machine != machine:
            continue
        if disruption.fate is Fate.FAIL and down_s is None:
            down_s = disruption.at_s
        elif disruption.fate is Fate.RECOVER and down_s is not None:
            spans.append((down_s, disruption.at_s))
            down_s = None
    return spans if down_s is None else [*spans, (down_s, max(down_s, end_s))]


def _groups(result: Result) -> dict[str, int]:
    """Colours by name: of graphs if there are several, else of kinds of tasks if there are not too many."""
    arrivals = result.scenario.arrivals
    if len(arrivals) > 1:
        names = [_job_name(result, job) for job in range(len(arrivals))]
    else:
        names = [_kind(task.name) for task in arrivals[0].graph.tasks]
    groups = {name: at % len(PALETTE) for at, name in enumerate(dict.fromkeys(names))}
    return groups if len(groups) <= len(PALETTE) or len(arrivals) > 1 else {"": 0}


def _group_of(result: Result, execution: Execution) -> str:
    if len(result.scenario.arrivals) > 1:
        return _job_name(result, execution.job)
    return _kind(result.scenario.arrivals[0].graph.tasks[execution.task].name)


def _job_name(result: Result, job: int) -> str:
    return f"{job}: {result.scenario.arrivals[job].graph.name}"


def _kind(task: str) -> str:
    """A task's name without its number: `mProject_0017` is an mProject."""
    return re.sub(r"[\W_]*\d+$", "", task)


def _name(result: Result, execution: Execution) -> str:
    arrival = result.scenario.arrivals[execution.job]
    return arrival.graph.tasks[execution.task].name + (f" [{execution.item}]" if arrival.items > 1 else "")


def _hint(result: Result, execution: Execution) -> str:
    machine = result.scenario.network.machines[execution.machine].name
    duration_s = execution.finish_s - execution.start_s
    lines = [
        f"{_name(result, execution)} on {machine}",
        f"{number(execution.start_s)} to {number(execution.finish_s)} s, for {number(duration_s)} s",
        f"bound at {number(execution.bound_s)} s, inputs there at {number(execution.ready_s)} s",
    ]
    if len(result.scenario.arrivals) > 1:
        lines.append(f"of graph {_job_name(result, execution.job)}")
    if execution.attempt > 1:
        lines.append(f"attempt {execution.attempt}")
    if not execution.kept:
        lines.append("its result was not used")
    return "\n".join(lines)
