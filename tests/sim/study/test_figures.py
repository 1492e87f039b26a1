"""Figures of a run, worked out by hand."""

from dataclasses import replace
from typing import Any

import pytest

from pnode.sim.schedule.result import Execution, Result
from pnode.sim.schedule.scenario import Arrival, Scenario
from pnode.sim.study.figures import FIGURES, figures, yardstick

from .fakes import chain, network, scenario


def told(result: Result) -> dict[str, Any]:
    return dict(zip(FIGURES, figures(result, yardstick(result.scenario)), strict=True))


def run(of: Scenario, *spans: tuple[int, int, float, float], complete: bool = True) -> Result:
    """A result with executions (job, task, start, finish), all on the first machine."""
    executions = tuple(Execution(job, 0, task, 0, start, start, start, end) for job, task, start, end in spans)
    return Result(of, "m", 0, executions, (), 7.0, 1, 2, 3, complete)


def test_a_chain_is_measured_by_its_fastest_machine() -> None:
    """Costs 3 and 1 on machines of speed 1 and 2: at best 2 seconds; the second machine alone takes just that."""
    result = run(scenario(3, 1), (0, 0, 0, 4), (0, 1, 4, 8))

    assert told(result) == {
        "makespan_s": 8.0, "response_s": 8.0, "slr": 4.0, "speedup": 0.25, "utilisation": 0.5,
        "bytes": 7.0, "messages": 1, "decisions": 2, "moves": 3, "complete": True,
    }  # fmt: skip


def test_speed_up_needs_a_machine_that_can_do_everything() -> None:
    graph = chain(1, 1)
    pinned = replace(graph, tasks=(replace(graph.tasks[0], pinned="m0"), replace(graph.tasks[1], pinned="m1")))

    result = run(Scenario("s", network(1, 1), (Arrival(pinned),)), (0, 0, 0, 1), (0, 1, 1, 2))

    assert told(result)["speedup"] is None
    assert told(result)["slr"] == 1.0


def test_of_several_graphs_response_and_slr_are_means() -> None:
    """Two tasks of 2 s from 0 and from 10 on; they end after 2 and after 6 seconds, at 16."""
    both = Scenario("s", network(1), (Arrival(chain(2)), Arrival(chain(2), at_s=10)))

    row = told(run(both, (0, 0, 0, 2), (1, 0, 14, 16)))

    assert row["makespan_s"] == 16.0
    assert row["response_s"] == 4.0
    assert row["slr"] == 2.0
    assert row["speedup"] == 12 / 16  # alone it is idle from 2 to 10


def test_a_stream_cannot_end_before_its_last_item_has_come() -> None:
    """Five items of 2 s, one every 10 s: 42 s at least, for one machine as well."""
    stream = Scenario("s", network(1), (Arrival(chain(2), items=5, period_s=10),))

    row = told(run(stream, (0, 0, 0, 2), (0, 0, 40, 84)))

    assert row["slr"] == 2.0
    assert row["speedup"] == 0.5


def test_of_a_run_that_did_not_complete_only_its_costs_are_known() -> None:
    row = told(run(scenario(3, 1), (0, 0, 0, 4), complete=False))

    assert [name for name, value in row.items() if value is None] == ["makespan_s", "response_s", "slr", "speedup"]
    assert row["complete"] is False
    assert row["bytes"] == 7.0


def test_what_never_ended_leaves_no_infinite_figure() -> None:
    row = told(run(scenario(3, 1), (0, 0, 0, float("inf")), complete=False))

    assert row["utilisation"] is None


def test_work_that_takes_no_time_has_no_ratio() -> None:
    row = told(run(scenario(0), (0, 0, 0, 0)))

    assert row["makespan_s"] == 0.0
    assert row["slr"] is None
    assert row["speedup"] is None


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_plain_type(name: str) -> None:
    value = told(run(scenario(3, 1), (0, 0, 0, 4)))[name]

    assert type(value) in (int, float, bool)  # neither numpy's nor a subclass: it must read back from JSON as itself
