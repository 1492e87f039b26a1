"""Records: tables of what happened, the same byte by byte for the same run."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings

from pnode.sim.formats.jupiter_times import jupiter_times_text, write_jupiter_times
from pnode.sim.formats.records import (
    EXECUTION_COLUMNS,
    TRANSFER_COLUMNS,
    csv_text,
    execution_rows,
    jsonl_text,
    transfer_rows,
    write_records,
)
from pnode.sim.schedule.result import Execution, Result, Transfer

from .runs import RESULT, results


def test_executions_are_a_table_with_names() -> None:
    lost = replace(RESULT.executions[1], finish_s=float("inf"), kept=False, start_s=0.1 + 0.2)

    text = csv_text(execution_rows(replace(RESULT, executions=(RESULT.executions[0], lost))), EXECUTION_COLUMNS)

    assert text == (
        "job,graph,item,task,task_name,machine,machine_name,bound_s,ready_s,start_s,finish_s,attempt,kept\n"
        "0,dag,0,0,T0,0,n0,0.5,0.5,0.5,1.5,1,true\n"
        "0,dag,0,1,T1,1,n1,1.5,2.0,0.30000000000000004,,1,false\n"
    )


def test_transfers_are_lines_of_json_with_names() -> None:
    (row,) = map(json.loads, jsonl_text(transfer_rows(RESULT)).splitlines())

    assert tuple(row) == TRANSFER_COLUMNS
    assert (row["parent_name"], row["child_name"], row["source_name"], row["target_name"]) == ("T0", "T1", "n0", "n1")
    assert (row["size_bytes"], row["start_s"], row["finish_s"]) == (5e7, 1.5, 2.0)


@settings(max_examples=25)
@given(results())
def test_tables_say_all_there_is_to_the_last_digit(result: Result) -> None:
    executions = tuple(
        Execution(
            int(row["job"]),
            int(row["item"]),
            int(row["task"]),
            int(row["machine"]),
            float(row["bound_s"]),
            float(row["ready_s"]),
            float(row["start_s"]),
            float(row["finish_s"]),
            int(row["attempt"]),
            row["kept"] == "true",
        )
        for row in csv.DictReader(io.StringIO(csv_text(execution_rows(result), EXECUTION_COLUMNS), newline=""))
    )
    lines = map(json.loads, jsonl_text(transfer_rows(result)).splitlines())
    keys = ("job", "item", "parent", "child", "source", "target", "size_bytes", "start_s", "finish_s")

    assert executions == result.executions
    assert tuple(Transfer(*(line[key] for key in keys)) for line in lines) == result.transfers


def test_the_suffix_says_whether_records_are_lines_or_a_table(tmp_path: Path) -> None:
    write_records(tmp_path / "a.jsonl", RESULT)
    write_records(tmp_path / "a.csv", RESULT)

    assert (tmp_path / "a.jsonl").read_text() == jsonl_text(execution_rows(RESULT))
    assert (tmp_path / "a.csv").read_text() == csv_text(execution_rows(RESULT), EXECUTION_COLUMNS)


def test_jupiters_table_has_its_columns_and_differences(tmp_path: Path) -> None:
    lost = replace(RESULT.executions[1], kept=False)
    late = replace(RESULT.executions[1], start_s=2.5)
    result = replace(RESULT, executions=(RESULT.executions[0], lost, late))

    write_jupiter_times(tmp_path / "runtime_tasks.txt", result)

    text = (tmp_path / "runtime_tasks.txt").read_text()
    assert (
        text
        == jupiter_times_text(result)
        == (
            "Task_name local_input_file Enter_time Execute_time Finish_time Elapse_time Duration_time Waiting_time\n"
            "T0 0_dag 0.5 0.5 1.5 1.0 1.0 0.0\n"
            "T1 0_dag 2.0 2.5 4.0 2.0 1.5 0.5\n"
        )
    )
