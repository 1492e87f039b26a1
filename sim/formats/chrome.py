"""Chrome's trace: a run as the JSON that `chrome://tracing` and ui.perfetto.dev draw, a row for every busy core.

Every machine is a process and every core a thread of it; an execution is a slice ("X") in the row of the first of its
cores. A transfer is an asynchronous slice ("b", "e") of the machine that sends, since any number may overlap, and a
disruption is an instant ("i"). Times are in microseconds there, as the format demands ("Trace Event Format", JSON
Object Format).
"""

import json
import math
from collections.abc import Iterator

from pnode.sim.schedule.result import Execution, Result, Transfer

from .names import Names
from .source import Place, write_text

US = 1e6
"""In a second."""

Event = dict[str, object]


def write_chrome(path: Place, result: Result) -> None:
    """Write a file. Raises FormatError when that cannot be done."""
    write_text(path, chrome_text(result))


def chrome_text(result: Result) -> str:
    """The trace of a run, one event on a line."""
    lines = ",\n".join(json.dumps(event, ensure_ascii=False) for event in _events(result))
    return f'{{"displayTimeUnit": "ms", "traceEvents": [\n{lines}\n]}}\n'


def _events(result: Result) -> Iterator[Event]:
    names = Names(result.scenario)
    rows = lanes(result)
    for machine, name in enumerate(names.machines):
        yield _label(machine, "process_name", 0, name)
    used = {(execution.machine, lane) for lane, execution in zip(rows, result.executions, strict=True)}
    for machine, lane in sorted(used):
        yield _label(machine, "thread_name", lane, f"core {lane + 1}")
    for lane, execution in zip(rows, result.executions, strict=True):
        yield _slice(names, execution, lane)
    for number, transfer in enumerate(result.transfers):
        yield from _way(names, transfer, number)
    for disruption in result.scenario.disruptions:
        what = f"{disruption.fate.value} {disruption.factor}" if disruption.factor != 1 else disruption.fate.value
        where = {"pid": disruption.machine, "tid": 0, "ts": disruption.at_s * US}
        yield {"ph": "i", "s": "p", "name": what, "cat": "disruption", **where}


def lanes(result: Result) -> list[int]:
    """For every execution the first core that it occupies; it takes the lowest that are free, as many as it needs.

    A failed machine may have left executions that overlap more than its cores allow; those get rows beyond.
    """
    busy: list[list[float]] = [[-math.inf] * machine.cores for machine in result.scenario.network.machines]
    rows: list[int] = []
    for execution in result.executions:
        until = busy[execution.machine]
        task = result.scenario.arrivals[execution.job].graph.tasks[execution.task]
        free = [lane for lane, end in enumerate(until) if end <= execution.start_s][: task.cores]
        while len(free) < task.cores:
            free.append(len(until))
            until.append(-math.inf)
        for lane in free:
            until[lane] = execution.finish_s
        rows.append(free[0])
    return rows


def _label(machine: int, what: str, lane: int, name: str) -> Event:
    return {"ph": "M", "name": what, "pid": machine, "tid": lane, "args": {"name": name}}


def _slice(names: Names, execution: Execution, lane: int) -> Event:
    task = names.tasks[execution.job][execution.task]
    event: Event = {
        "ph": "X",
        "name": task if execution.attempt == 1 else f"{task} (attempt {execution.attempt})",
        "cat": names.dag(execution.job, execution.item),
        "pid": execution.machine,
        "tid": lane,
        "ts": execution.start_s * US,
        "args": {"bound_s": execution.bound_s, "ready_s": execution.ready_s, "kept": execution.kept},
    }
    if execution.finish_s < math.inf:
        event["dur"] = (execution.finish_s - execution.start_s) * US
    if not execution.kept:
        event["cname"] = "terrible"  # one of the names that the viewer has colours for
    return event


def _way(names: Names, transfer: Transfer, number: int) -> Iterator[Event]:
    tasks = names.tasks[transfer.job]
    common = {
        "name": f"{tasks[transfer.parent]} to {tasks[transfer.child]}",
        "cat": "transfer",
        "id": number,
        "pid": transfer.source,
        "tid": 0,
    }
    args = {
        "dag": names.dag(transfer.job, transfer.item),
        "to": names.machines[transfer.target],
        "bytes": transfer.size_bytes,
    }
    yield {"ph": "b", **common, "ts": transfer.start_s * US, "args": args}
    yield {"ph": "e", **common, "ts": transfer.finish_s * US}
