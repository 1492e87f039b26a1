"""Bounded queues: how far items may run ahead."""

from dataclasses import replace

import pytest

from pnode.sim.schedule.errors import InfeasibleError
from pnode.sim.schedule.queues import Discipline
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.scenario import Arrival, ScenarioError
from pnode.sim.schedule.static import static
from pnode.sim.schedule.validator import validate

from . import worlds

CHAIN = worlds.graph({"x": 1.0, "y": 4.0}, {"xy": 0.0})


def piped(bound: int, mapper: str = "") -> Result:
    net = worlds.network(*worlds.machines(2))
    world = worlds.scenario(net, Arrival(CHAIN, items=5, queue_items_max=bound))
    return worlds.run(world, mapper or static("told", worlds.at(0, 1), Discipline.FIFO))


def starts(result: Result, task: int) -> list[float]:
    return [one.start_s for one in sorted(result.executions, key=lambda one: one.item) if one.task == task]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (0, [0.0, 1.0, 2.0, 3.0, 4.0]),
        (1, [0.0, 1.0, 5.0, 9.0, 13.0]),
        (2, [0.0, 1.0, 2.0, 5.0, 9.0]),
        (9, [0.0, 1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_a_task_runs_ahead_of_its_child_by_no_more_than_the_bound(bound: int, expected: list[float]) -> None:
    result = piped(bound)

    assert starts(result, 0) == expected
    assert starts(result, 1) == [1.0, 5.0, 9.0, 13.0, 17.0]


@pytest.mark.parametrize("mapper", ["wave-greedy", "wave-plan", "wave-random", "circe-event", "heft"])
def test_bounded_queues_stop_nobody(mapper: str) -> None:
    assert piped(1, mapper).complete


def test_a_queue_beyond_its_bound_is_found() -> None:
    free = piped(0)
    bounded = piped(1)

    wrong = replace(free, scenario=bounded.scenario)

    with pytest.raises(InfeasibleError, match=r"starts item 2 at 2\.0 s, when its child has not started item 1"):
        validate(wrong)


def test_a_bound_below_zero_is_refused() -> None:
    with pytest.raises(ScenarioError, match="queues of -1 items"):
        worlds.scenario(worlds.network(*worlds.machines(1)), Arrival(CHAIN, queue_items_max=-1))
