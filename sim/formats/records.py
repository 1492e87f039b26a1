"""Records: the executions or the transfers of a run as a table, in CSV or in lines of JSON.

The columns are the fields of `Execution` and `Transfer`, with the names of things beside their numbers. Every float
is written as the shortest word that is read back as the same (`repr`), so that equal runs make equal files, byte by
byte.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence

from pnode.sim.schedule.result import Execution, Result, Transfer

from .names import Names
from .source import Place, write_text

Cell = str | int | float | bool | None
"""None stands for a time that never comes."""
Row = dict[str, Cell]


def execution_rows(result: Result) -> Iterator[Row]:
    """One for each execution, in order of their starts."""
    names = Names(result.scenario)
    return (_execution(names, execution) for execution in result.executions)


def transfer_rows(result: Result) -> Iterator[Row]:
    """One for each transfer, in order of their starts; none when the run was not traced."""
    names = Names(result.scenario)
    return (_transfer(names, transfer) for transfer in result.transfers)


def csv_text(rows: Iterator[Row], columns: Sequence[str]) -> str:
    """A head and a line for each row; true and false as `true` and `false`, a time that never comes empty."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return out.getvalue()


def jsonl_text(rows: Iterator[Row]) -> str:
    """A line for each row."""
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def write_records(path: Place, result: Result) -> None:
    """The executions of a run, as lines of JSON if the file is called so (`.jsonl`), else as CSV."""
    lines = str(path).endswith(".jsonl")
    rows = execution_rows(result)
    write_text(path, jsonl_text(rows) if lines else csv_text(rows, EXECUTION_COLUMNS))


EXECUTION_COLUMNS = (
    "job", "graph", "item", "task", "task_name", "machine", "machine_name",
    "bound_s", "ready_s", "start_s", "finish_s", "attempt", "kept",
)  # fmt: skip
TRANSFER_COLUMNS = (
    "job", "graph", "item", "parent", "parent_name", "child", "child_name",
    "source", "source_name", "target", "target_name", "size_bytes", "start_s", "finish_s",
)  # fmt: skip


def _execution(names: Names, execution: Execution) -> Row:
    return {
        "job": execution.job,
        "graph": names.dags[execution.job],
        "item": execution.item,
        "task": execution.task,
        "task_name": names.tasks[execution.job][execution.task],
        "machine": execution.machine,
        "machine_name": names.machines[execution.machine],
        "bound_s": _time(execution.bound_s),
        "ready_s": _time(execution.ready_s),
        "start_s": _time(execution.start_s),
        "finish_s": _time(execution.finish_s),
        "attempt": execution.attempt,
        "kept": execution.kept,
    }


def _transfer(names: Names, transfer: Transfer) -> Row:
    tasks = names.tasks[transfer.job]
    return {
        "job": transfer.job,
        "graph": names.dags[transfer.job],
        "item": transfer.item,
        "parent": transfer.parent,
        "parent_name": tasks[transfer.parent],
        "child": transfer.child,
        "child_name": tasks[transfer.child],
        "source": transfer.source,
        "source_name": names.machines[transfer.source],
        "target": transfer.target,
        "target_name": names.machines[transfer.target],
        "size_bytes": float(transfer.size_bytes),
        "start_s": _time(transfer.start_s),
        "finish_s": _time(transfer.finish_s),
    }


def _time(seconds: float) -> float | None:
    return float(seconds) if seconds < math.inf else None


def _cell(value: Cell) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
    return str(value)
