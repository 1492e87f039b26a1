import math

import pytest

from pnode.mappers.draft import StrandedError
from pnode.mappers.immediate import fastest, mct, met, olb
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.plan import Planner

RULES = [mct, met, olb, fastest]


def independent(*rows: tuple[float, ...]) -> Instance:
    return Instance(rows, (), uniform(len(rows[0]), 0.0), uniform(len(rows[0]), 1.0))


def test_minimum_completion_time_minds_the_queue() -> None:
    plan = mct(independent((3.0, 4.0), (3.0, 4.0), (3.0, 4.0)))

    assert plan.node == (0, 1, 0)
    assert plan.finish_s == (3.0, 4.0, 6.0)


def test_minimum_execution_time_does_not() -> None:
    assert met(independent((3.0, 4.0), (3.0, 4.0), (4.0, 3.0))).node == (0, 0, 1)


def test_opportunistic_load_balancing_asks_only_who_is_free_first() -> None:
    plan = olb(independent((9.0, 1.0), (9.0, 2.0), (9.0, 2.0)))

    assert plan.node == (0, 1, 1)
    assert plan.makespan_s == 9.0


def test_everything_goes_to_the_node_that_would_be_done_first() -> None:
    plan = fastest(independent((1.0, 3.0), (9.0, 3.0), (1.0, 3.0)))

    assert plan.node == (1, 1, 1)
    assert plan.makespan_s == 9.0


def test_what_the_fastest_node_cannot_run_goes_to_the_next_fastest() -> None:
    plan = fastest(independent((9.0, 1.0, 9.5), (9.0, math.inf, 9.5), (math.inf, 1.0, 9.5)))

    # Node 2 runs everything; nodes 0 and 1 run two each, node 1 faster.
    assert plan.node == (2, 2, 2)
    assert fastest(independent((9.0, 1.0), (math.inf, 2.0), (9.0, math.inf))).node == (1, 1, 0)


@pytest.mark.parametrize("rule", RULES)
def test_a_task_goes_behind_all_that_its_node_has(rule: Planner) -> None:
    # Node 1 waits for 8 s of transfer; the third task would fit in.
    rows = ((1.0, math.inf), (math.inf, 9.0), (math.inf, 2.0))
    instance = Instance(rows, (Edge(0, 1, 8.0),), uniform(2, 0.0), uniform(2, 1.0))

    plan = rule(instance)

    assert instance.order == (0, 2, 1)
    assert plan.start_s == (0.0, 9.0, 0.0)
    later = Instance((*rows, (math.inf, 2.0)), (Edge(0, 1, 8.0), Edge(2, 3, 0.0)), uniform(2, 0.0), uniform(2, 1.0))
    assert later.order == (0, 2, 1, 3)
    assert rule(later).start_s == (0.0, 9.0, 0.0, 18.0)


@pytest.mark.parametrize("rule", RULES)
def test_who_cannot_be_reached_is_left_out(rule: Planner) -> None:
    apart = ((0.0, math.inf, 1.0), (math.inf, 0.0, 1.0), (1.0, 1.0, 0.0))
    instance = Instance(((1.0, math.inf, math.inf), (math.inf, 1.0, 9.0)), (Edge(0, 1, 0.0),), uniform(3, 0.0), apart)

    assert rule(instance).node == (0, 2)
    with pytest.raises(StrandedError, match="task 1"):
        rule(Instance(((1.0, math.inf), (math.inf, 1.0)), (Edge(0, 1, 0.0),), uniform(2, 0.0), uniform(2, math.inf)))
