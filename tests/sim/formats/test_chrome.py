"""Chrome's trace: what is drawn, and on which row."""

import json
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings

from pnode.sim.formats.chrome import chrome_text, lanes
from pnode.sim.schedule.result import Execution, Result
from pnode.sim.schedule.scenario import Arrival, Graph, Vertex

from .runs import RESULT, SCENARIO, results


def events(result: Result) -> list[dict[str, object]]:
    document = json.loads(chrome_text(result))

    assert document["displayTimeUnit"] == "ms"
    found = document["traceEvents"]
    assert isinstance(found, list)
    return found


def test_a_run_is_drawn_in_microseconds_on_rows_with_names() -> None:
    found = events(RESULT)

    assert [(event["pid"], event["args"]) for event in found if event["name"] == "process_name"] == [
        (0, {"name": "n0"}),
        (1, {"name": "n1"}),
    ]
    slices = [
        (event["name"], event["pid"], event["tid"], event["ts"], event["dur"])
        for event in found
        if event["ph"] == "X"
    ]
    assert slices == [("T0", 0, 0, 500_000.0, 1_000_000.0), ("T1", 1, 0, 2_000_000.0, 2_000_000.0)]
    ways = [(event["ph"], event["name"], event["pid"], event["ts"]) for event in found if event["ph"] in ("b", "e")]
    assert ways == [("b", "T0 to T1", 0, 1_500_000.0), ("e", "T0 to T1", 0, 2_000_000.0)]
    assert [(event["name"], event["pid"], event["ts"]) for event in found if event["ph"] == "i"] == [
        ("speed 0.5", 1, 1_000_000.0)
    ]


def test_what_was_not_used_and_what_never_ended_are_marked() -> None:
    lost = replace(RESULT.executions[0], kept=False, attempt=2, finish_s=float("inf"))

    (event,) = [event for event in events(replace(RESULT, executions=(lost,))) if event["ph"] == "X"]

    assert (event["name"], event["cname"]) == ("T0 (attempt 2)", "terrible")
    assert "dur" not in event


def on_two_cores(*spans: tuple[float, float, int]) -> Result:
    """Executions on the machine with two cores: start, finish, cores."""
    tasks = tuple(Vertex(f"t{at}", 1.0, cores=cores) for at, (_, _, cores) in enumerate(spans))
    executions = tuple(
        Execution(0, 0, at, 1, start, start, start, finish) for at, (start, finish, _) in enumerate(spans)
    )
    scenario = replace(SCENARIO, arrivals=(Arrival(Graph("g", tasks, ())),))
    return replace(RESULT, scenario=scenario, executions=executions, transfers=())


def test_tasks_take_the_lowest_cores_that_are_free() -> None:
    assert lanes(on_two_cores((0, 3, 1), (0, 1, 1), (1, 2, 1), (3, 4, 1))) == [0, 1, 1, 0]
    assert lanes(on_two_cores((0, 1, 2), (1, 2, 1), (1, 2, 1))) == [0, 0, 1]


def test_more_than_the_cores_of_a_machine_get_rows_beyond() -> None:
    assert lanes(on_two_cores((0, 3, 1), (0, 3, 1), (1, 2, 1))) == [0, 1, 2]


@settings(max_examples=25)
@given(results())
def test_no_two_slices_of_a_row_overlap(result: Result) -> None:
    spans: dict[tuple[object, object], list[tuple[float, float]]] = {}
    for lane, one in zip(lanes(result), result.executions, strict=True):
        spans.setdefault((one.machine, lane), []).append((one.start_s, one.finish_s))

    for row in spans.values():
        assert all(one[1] <= two[0] for one, two in pairwise(row))
    assert len(events(result)) >= len(result.executions) + 2 * len(result.transfers)
