"""ncsim's traces, both ways."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats.ncsim_trace import Trace, parse_trace, read_trace, trace_text, write_trace
from pnode.sim.formats.source import unpack
from pnode.sim.schedule.result import Execution, Result, Transfer
from pnode.sim.schedule.scenario import Arrival, Graph, Machine, Scenario, Vertex

from .runs import RESULT, SCENARIO, results
from .samples import accepts_or_refuses, damaged, mutated, refusal

LINES = """\
{"sim_time":0.0,"type":"sim_start","trace_version":"1.0","seed":7,"scenario":"pair","seq":0}
{"sim_time":0.5,"type":"dag_inject","dag_id":"dag","task_ids":["T0","T1"],"seq":1}
{"sim_time":0.5,"type":"task_scheduled","dag_id":"dag","task_id":"T0","node_id":"n0","seq":2}
{"sim_time":0.5,"type":"task_start","dag_id":"dag","task_id":"T0","node_id":"n0","ready_time":0.5,"seq":3}
{"sim_time":1.5,"type":"task_complete","dag_id":"dag","task_id":"T0","node_id":"n0","duration":1.0,"seq":4}
{"sim_time":1.5,"type":"task_scheduled","dag_id":"dag","task_id":"T1","node_id":"n1","seq":5}
{"sim_time":1.5,"type":"transfer_start","dag_id":"dag","from_task":"T0","to_task":"T1","link_id":"n0->n1",\
"data_size":50.0,"bytes":50000000.0,"seq":6}
{"sim_time":2.0,"type":"transfer_complete","dag_id":"dag","from_task":"T0","to_task":"T1","link_id":"n0->n1",\
"duration":0.5,"seq":7}
{"sim_time":2.0,"type":"task_start","dag_id":"dag","task_id":"T1","node_id":"n1","ready_time":2.0,"seq":8}
{"sim_time":4.0,"type":"task_complete","dag_id":"dag","task_id":"T1","node_id":"n1","duration":2.0,"seq":9}
{"sim_time":4.0,"type":"sim_end","status":"completed","makespan":4.0,"total_events":10,"seq":10}
"""


def parse(text: str, scenario: Scenario = SCENARIO) -> Trace:
    return parse_trace("trace.jsonl", text, scenario)


def test_a_run_is_written_event_by_event() -> None:
    assert trace_text(RESULT) == LINES


def test_a_run_that_is_not_complete_says_so_and_what_never_ended_has_no_end() -> None:
    cut = replace(RESULT, executions=(replace(RESULT.executions[0], finish_s=float("inf")),), complete=False)

    events = [json.loads(line) for line in trace_text(cut).splitlines()]

    assert events[-1]["status"] == "error"
    assert [event["type"] for event in events].count("task_complete") == 0


FOREIGN = """\
{"sim_time":0.0,"type":"sim_start","trace_version":"1.0","seed":42,"scenario":"s.yaml","scenario_hash":"0a","seq":0}
{"sim_time":0.0,"type":"dag_inject","dag_id":"dag","task_ids":["T0","T1"],"seq":1}
{"sim_time":0.5,"type":"task_scheduled","dag_id":"dag","task_id":"T0","node_id":"n0","seq":2}
{"sim_time":0.5,"type":"task_start","dag_id":"dag","task_id":"T0","node_id":"n0","seq":3}
{"sim_time":1.5,"type":"task_complete","dag_id":"dag","task_id":"T0","node_id":"n0","duration":1.0,"seq":4}
{"sim_time":1.5,"type":"transfer_start","dag_id":"dag","from_task":"T0","to_task":"T1","link_id":"l01","data_size":0.3,\
"route":["l01"],"seq":5}
{"sim_time":2.0,"type":"transfer_complete","dag_id":"dag","from_task":"T0","to_task":"T1","link_id":"l01",\
"duration":0.5,"seq":6}
{"sim_time":2.25,"type":"task_scheduled","dag_id":"dag","task_id":"T1","node_id":"n1","seq":7}
{"sim_time":2.25,"type":"task_start","dag_id":"dag","task_id":"T1","node_id":"n1","seq":8}
{"sim_time":4.0,"type":"task_complete","dag_id":"dag","task_id":"T1","node_id":"n1","duration":1.75,"seq":9}
{"sim_time":4.0,"type":"sim_end","status":"completed","makespan":4.0,"total_events":10,"seq":10}
"""


def test_a_trace_of_ncsim_itself_is_read_without_our_fields() -> None:
    """Links have names of their own there, and a task is scheduled when it starts."""
    assert parse(FOREIGN) == Trace(
        (Execution(0, 0, 0, 0, 0.5, 0.5, 0.5, 1.5), Execution(0, 0, 1, 1, 2.25, 2.25, 2.25, 4.0)),
        (Transfer(0, 0, 0, 1, 0, 1, 3e5, 1.5, 2.0),),
    )


def test_a_task_is_ready_when_its_last_input_is_there() -> None:
    waiting = FOREIGN.replace('"sim_time":2.25,"type":"task_scheduled"', '"sim_time":2.0,"type":"task_scheduled"')

    assert [one.ready_s for one in parse(waiting).executions] == [0.5, 2.0]


def test_items_of_a_stream_are_dags_of_their_own() -> None:
    stream = replace(SCENARIO, arrivals=(replace(SCENARIO.arrivals[0], items=2, period_s=10.0),))
    second = tuple(
        replace(
            one, item=1, bound_s=one.bound_s + 10, ready_s=11.0, start_s=one.start_s + 10, finish_s=one.finish_s + 10
        )
        for one in RESULT.executions
    )
    executions = RESULT.executions + second
    result = replace(RESULT, scenario=stream, executions=executions)

    text = trace_text(result)

    assert [json.loads(line).get("dag_id") for line in text.splitlines() if "inject" in line] == ["dag#0", "dag#1"]
    assert parse(text, stream).executions == executions


def test_a_dag_whose_name_looks_like_an_item_is_itself() -> None:
    arrival = Arrival(Graph("dag#1", (Vertex("T0", 1.0), Vertex("T1", 4.0)), (Edge(0, 1, 5e7),)), 0.5)
    scenario = replace(SCENARIO, arrivals=(arrival,))

    assert parse(trace_text(replace(RESULT, scenario=scenario)), scenario).executions == RESULT.executions


def test_machines_with_arrows_in_their_names_are_told_apart() -> None:
    machines = (Machine("a->b"), Machine("b->a", 2.0, cores=2))
    scenario = replace(SCENARIO, network=replace(SCENARIO.network, machines=machines))

    assert parse(trace_text(replace(RESULT, scenario=scenario)), scenario).transfers == RESULT.transfers


@settings(max_examples=25)
@given(results())
def test_what_is_written_is_read_back(result: Result) -> None:
    assert parse(trace_text(result), result.scenario) == Trace(result.executions, result.transfers)


def test_a_trace_goes_through_a_file(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.jsonl", RESULT)

    assert read_trace(tmp_path / "trace.jsonl", SCENARIO) == Trace(RESULT.executions, RESULT.transfers)


START = '"task_start","dag_id":"dag","task_id":"T1"'


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ('"type":"dag_inject"', '"typ":"dag_inject"', "line 2", "there is no `type`"),
        ('2.0,"type":"task_start"', '1.0,"type":"task_start"', "line 9, sim_time", "1.0 after 2.0"),
        ('"sim_time":4.0,"type":"sim_end"', '"sim_time":1e999,"type":"sim_end"', "line 11, sim_time", "found inf"),
        (START, START.replace("dag\"", "gad\""), "line 9, dag_id", "no dag gad"),
        (START, START.replace("dag\"", "dag#0\""), "line 9, dag_id", "no dag"),
        (START, START.replace("T1", "T2"), "line 9, task_id", "no task T2"),
        ('"T1","node_id":"n1","ready', '"T1","node_id":"n2","ready', "line 9, node_id", "no machine n2"),
        ('"T1","node_id":"n1","dur', '"T1","node_id":"n0","dur', "line 10", "the task ends here"),
        ('"link_id":"n0->n1","dur', '"link_id":"n1->n0","dur', "line 8", "the transfer ends here and has not"),
        ('"data_size":50.0', '"data_size":-1', "line 7, data_size", "found -1"),
        ('"bytes":50000000.0', '"bytes":"x"', "line 7, bytes", "found the text x"),
        ('"ready_time":2.0', '"ready_time":[]', "line 9, ready_time", "found a list"),
        ('"duration":2.0', '"attempt":0', "line 10, attempt", "found 0, expected a whole number from 1"),
        ('"duration":2.0', '"kept":0', "line 10, kept", "found 0, expected true or false"),
        ('{"sim_time":1.5,', '"sim_time":1.5,', "line 5, column 11", "no JSON"),
        ('4.0,"type":"task_complete"', '4.0,"type":"task_paused"', "", "what started at 2.0 never ends"),
        ('2.0,"type":"transfer_complete"', '2.0,"type":"else"', "", "what started at 1.5 never ends"),
    ],
)  # fmt: skip
def test_a_line_that_fits_nothing_is_refused(old: str, new: str, where: str, reason: str) -> None:
    assert old in LINES

    error = refusal(lambda: parse(LINES.replace(old, new, 1)))

    assert error.where == where
    assert reason in error.reason


def test_a_transfer_between_tasks_that_did_not_run_is_refused() -> None:
    lines = [line for line in FOREIGN.splitlines() if '"task_id":"T1"' not in line]

    assert "between tasks that did not both run" in refusal(lambda: parse("\n".join(lines))).reason


DOCUMENTS = [json.loads(line) for line in LINES.splitlines()]


@given(mutated(DOCUMENTS))
def test_any_events_are_read_or_refused(documents: object) -> None:
    events = documents if isinstance(documents, list) else [documents]

    accepts_or_refuses(lambda: parse("\n".join(map(json.dumps, events))))


@given(damaged(LINES))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse(text))


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse(unpack("x", packed)))
