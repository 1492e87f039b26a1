"""ncsim's traces: a line of JSON for everything that happens, both ways.

    {"sim_time":0.0,"type":"sim_start","trace_version":"1.0","seed":42,"scenario":"demo","seq":0}
    {"sim_time":0.0,"type":"dag_inject","dag_id":"dag_1","task_ids":["T0","T1"],"seq":1}
    {"sim_time":0.0,"type":"task_scheduled","dag_id":"dag_1","task_id":"T0","node_id":"n0","seq":2}
    {"sim_time":0.0,"type":"task_start","dag_id":"dag_1","task_id":"T0","node_id":"n0","seq":3}
    {"sim_time":1.0,"type":"task_complete", (the same) "duration":1.0,"seq":4}
    {"sim_time":1.0,"type":"transfer_start", "from_task":"T0","to_task":"T1","link_id":"l01","data_size":50.0,"seq":5}
    {"sim_time":1.5,"type":"transfer_complete", (the same) "duration":0.5,"seq":6}
    {"sim_time":3.5,"type":"sim_end","status":"completed","makespan":3.5,"total_events":12,"seq":12}

Events and fields are those of ncsim's documentation (docs/cli/output-files.md) and of the sample runs in its
repository (ncsim-viz/public/sample-runs), among equals in the order of its event queue. That ncsim's own tools take
what is written here has not been tried. It differs on purpose: times have all their digits (ncsim rounds to a
microsecond), `scenario_hash` is left out, items of a stream are dags called `name#item`, and a few fields are added
that ncsim does not have, so that what is read back is the same: `ready_time` at a start, `attempt` and `kept` at an
end where they are not 1 and true, `bytes` of a transfer. Without them a task is ready when its last input is there.
"""

import json
import math
from collections.abc import Iterator
from decimal import Decimal

from pnode.protocol.values import dataclass, replace
from pnode.sim.schedule.result import Execution, Result, Transfer
from pnode.sim.schedule.scenario import Scenario

from .document import Value, parse_json
from .errors import FormatError
from .names import Names, link_name
from .ncsim import MEGA
from .source import Place, read_text, write_text

VERSION = "1.0"

ATTEMPTS_MAX = 1_000_000

Event = dict[str, object]

INJECT, TASK_END, TRANSFER_END, ASSIGN, TASK_START, TRANSFER_START = range(6)
"""The order of events of one instant (jupiter.md 7.2)."""


def write_trace(path: Place, result: Result) -> None:
    """Write a trace. Raises FormatError when the file cannot be written."""
    write_text(path, trace_text(result))


def trace_text(result: Result) -> str:
    """The trace of a run; without transfers when the run was not traced."""
    return "".join(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in _events(result))


def _events(result: Result) -> Iterator[Event]:
    start = {"trace_version": VERSION, "seed": result.seed, "scenario": result.scenario.name}
    yield {"sim_time": 0.0, "type": "sim_start", **start, "seq": 0}
    count, now = 1, 0.0
    for key, event in sorted(_keyed_events(result), key=lambda pair: pair[0]):
        yield {**event, "seq": count}
        count, now = count + 1, key[0]
    end: Event = {"sim_time": now, "type": "sim_end", "status": "completed" if result.complete else "error"}
    end["makespan"] = max((one.finish_s for one in result.executions if one.finish_s < math.inf), default=0.0)
    yield {**end, "total_events": count, "seq": count}


Key = tuple[float, int, int, int, int, int, int]
"""Instant, kind, job, item, task, other task or attempt, and 1 for an end that comes right after its start."""


def _keyed_events(result: Result) -> Iterator[tuple[Key, Event]]:
    names = Names(result.scenario)
    for job, arrival in enumerate(result.scenario.arrivals):
        tasks = [task.name for task in arrival.graph.tasks]
        for item in range(arrival.items):
            at_s = arrival.at_s + item * arrival.period_s
            event = {"sim_time": at_s, "type": "dag_inject", "dag_id": names.dag(job, item), "task_ids": tasks}
            yield (at_s, INJECT, job, item, 0, 0, 0), event
    for execution in result.executions:
        yield from _execution_events(names, execution)
    for transfer in result.transfers:
        yield from _transfer_events(names, transfer)


def _execution_events(names: Names, execution: Execution) -> Iterator[tuple[Key, Event]]:
    job, item, task = execution.job, execution.item, execution.task
    where = {
        "dag_id": names.dag(job, item),
        "task_id": names.tasks[job][task],
        "node_id": names.machines[execution.machine],
    }
    unit = (job, item, task, execution.attempt)
    bound = {"sim_time": execution.bound_s, "type": "task_scheduled", **where}
    yield (execution.bound_s, ASSIGN, *unit, 0), bound
    start = {"sim_time": execution.start_s, "type": "task_start", **where, "ready_time": execution.ready_s}
    yield (execution.start_s, TASK_START, *unit, 0), start
    end: Event = {"sim_time": execution.finish_s, "type": "task_complete", **where}
    end["duration"] = execution.finish_s - execution.start_s
    if execution.attempt != 1:
        end["attempt"] = execution.attempt
    if not execution.kept:
        end["kept"] = False
    at_once = execution.finish_s == execution.start_s
    if execution.finish_s < math.inf:
        yield (execution.finish_s, TASK_START if at_once else TASK_END, *unit, int(at_once)), end


def _transfer_events(names: Names, transfer: Transfer) -> Iterator[tuple[Key, Event]]:
    tasks = names.tasks[transfer.job]
    where = {
        "dag_id": names.dag(transfer.job, transfer.item),
        "from_task": tasks[transfer.parent],
        "to_task": tasks[transfer.child],
        "link_id": link_name(names.machines[transfer.source], names.machines[transfer.target]),
    }
    unit = (transfer.job, transfer.item, transfer.parent, transfer.child)
    megabytes = float(Decimal(repr(transfer.size_bytes)).scaleb(-MEGA))
    start = {"sim_time": transfer.start_s, "type": "transfer_start", **where, "data_size": megabytes}
    yield (transfer.start_s, TRANSFER_START, *unit, 0), {**start, "bytes": transfer.size_bytes}
    end = {"sim_time": transfer.finish_s, "type": "transfer_complete", **where}
    at_once = transfer.finish_s == transfer.start_s
    key = (transfer.finish_s, TRANSFER_START if at_once else TRANSFER_END, *unit, int(at_once))
    yield key, {**end, "duration": transfer.finish_s - transfer.start_s}


# Reading


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened, as far as a trace tells."""

    executions: tuple[Execution, ...]
    """In order of their starts; among equals of job, item, task."""
    transfers: tuple[Transfer, ...]
    """Likewise, by parent and child."""


def read_trace(path: Place, scenario: Scenario) -> Trace:
    """The trace of a run of the scenario. Raises FormatError."""
    return parse_trace(str(path), read_text(path), scenario)


def parse_trace(file: str, text: str, scenario: Scenario) -> Trace:
    """That of a text; `file` is its name for messages."""
    reader = _Reader(scenario)
    for line, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            try:
                reader.take(parse_json(file, row))
            except FormatError as error:
                inside = error.where.removeprefix("line 1, ")  # where JSON itself is broken
                where = f"line {line}, {inside}" if inside else f"line {line}"
                raise FormatError(file, where, error.reason) from None
    return reader.trace(file)


Unit = tuple[int, int, int]
"""Job, item and task."""


class _Reader:
    """Takes the events one by one and puts starts and ends together."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._names = Names(scenario)
        self._now = 0.0
        self._bound: dict[tuple[Unit, int], list[float]] = {}
        self._running: dict[tuple[Unit, int], list[Execution]] = {}
        self._arrived: dict[Unit, float] = {}
        self._children = [self._by_parent(job) for job in range(len(scenario.arrivals))]
        self._travelling: dict[tuple[Unit, int, str], list[Transfer]] = {}
        self._executions: list[Execution] = []
        self._transfers: list[Transfer] = []

    def _by_parent(self, job: int) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {}
        for edge in self._scenario.arrivals[job].graph.edges:
            children.setdefault(edge.parent, []).append(edge.child)
        return children

    def take(self, event: Value) -> None:
        now = event["sim_time"].number()
        if now < self._now:
            raise event["sim_time"].error(f"it is {now} after {self._now}, expected events in order of their times")
        self._now = now
        match event["type"].text():
            case "task_scheduled":
                self._bound.setdefault(self._place(event), []).append(now)
            case "task_start":
                self._task_start(event, now)
            case "task_complete":
                self._task_end(event, now)
            case "transfer_start":
                self._transfer_start(event, now)
            case "transfer_complete":
                self._transfer_end(event, now)

    def _place(self, event: Value) -> tuple[Unit, int]:
        job, item = self._names.unit(event)
        return (job, item, self._names.task(job, event["task_id"])), self._names.machine(event["node_id"])

    def _task_start(self, event: Value, now: float) -> None:
        unit, machine = place = self._place(event)
        bound = self._bound.get(place)
        bound_s = bound.pop(0) if bound else now
        told = event.get("ready_time")
        ready_s = min(now, max(bound_s, self._arrived.get(unit, 0.0))) if told is None else told.number()
        self._running.setdefault(place, []).append(Execution(*unit, machine, bound_s, ready_s, now, now))

    def _task_end(self, event: Value, now: float) -> None:
        place = self._place(event)
        running = self._running.get(place)
        if not running:
            raise event.error("the task ends here and has not started")
        attempt, kept = event.get("attempt"), event.get("kept")
        execution = replace(
            running.pop(0),
            finish_s=now,
            attempt=1 if attempt is None else attempt.whole(1, ATTEMPTS_MAX),
            kept=kept is None or kept.truth(),
        )
        self._executions.append(execution)
        job, item, task = place[0]
        for child in self._children[job].get(task, ()):
            self._arrived[job, item, child] = now

    def _way(self, event: Value) -> tuple[Unit, int, str]:
        job, item = self._names.unit(event)
        parent = self._names.task(job, event["from_task"])
        return (job, item, parent), self._names.task(job, event["to_task"]), event["link_id"].text()

    def _transfer_start(self, event: Value, now: float) -> None:
        unit, child, link = way = self._way(event)
        megabytes, exact = event["data_size"].number(), event.get("bytes")
        size = float(Decimal(repr(megabytes)).scaleb(MEGA)) if exact is None else exact.number()
        ends = self._names.ends(link) or (-1, -1)
        self._travelling.setdefault(way, []).append(Transfer(*unit, child, *ends, size, now, now))

    def _transfer_end(self, event: Value, now: float) -> None:
        unit, child, _ = way = self._way(event)
        travelling = self._travelling.get(way)
        if not travelling:
            raise event.error("the transfer ends here and has not started")
        self._transfers.append(replace(travelling.pop(0), finish_s=now))
        self._arrived[unit[0], unit[1], child] = now

    def trace(self, file: str) -> Trace:
        begun = [one.start_s for running in self._running.values() for one in running]
        begun += [one.start_s for travelling in self._travelling.values() for one in travelling]
        if begun:
            raise FormatError(file, "", f"what started at {min(begun)} never ends")
        ran_on = {(one.job, one.item, one.task): one.machine for one in self._executions}
        transfers = [_between(file, one, ran_on) if one.source < 0 else one for one in self._transfers]
        transfers.sort(key=lambda one: (one.start_s, one.job, one.item, one.parent, one.child))
        self._executions.sort(key=lambda one: (one.start_s, one.job, one.item, one.task))
        return Trace(tuple(self._executions), tuple(transfers))


def _between(file: str, transfer: Transfer, ran_on: dict[Unit, int]) -> Transfer:
    """With the machines on which its tasks ran: the names of links are ncsim's own affair."""
    ends = [ran_on.get((transfer.job, transfer.item, task)) for task in (transfer.parent, transfer.child)]
    if ends[0] is None or ends[1] is None:
        raise FormatError(file, "", f"a transfer at {transfer.start_s} is between tasks that did not both run")
    return replace(transfer, source=ends[0], target=ends[1])
