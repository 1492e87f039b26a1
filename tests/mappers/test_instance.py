import math
from typing import Any

import pytest

from pnode.mappers.instance import Edge, Instance, InstanceError, Matrix, related, uniform

TWO: Matrix = uniform(2, 1.0)
DIAMOND = (Edge(0, 2, 1.0), Edge(0, 1, 2.0), Edge(1, 3, 3.0), Edge(2, 3, 4.0))


def instance(**changes: Any) -> Instance:  # whatever a caller may get wrong
    facts = {"cost_s": ((1.0, 2.0),) * 4, "edges": DIAMOND, "latency_s": TWO, "seconds_per_byte": TWO}
    return Instance(**(facts | changes))


def test_parents_and_children_are_in_the_order_of_the_edges() -> None:
    assert instance().parents == ((), ((0, 2.0),), ((0, 1.0),), ((1, 3.0), (2, 4.0)))
    assert instance().children == (((2, 1.0), (1, 2.0)), ((3, 3.0),), ((3, 4.0),), ())


def test_every_task_comes_after_all_its_parents() -> None:
    assert instance().order == (0, 2, 1, 3)


def test_means_are_taken_over_the_nodes_that_can_run_a_task() -> None:
    found = instance(cost_s=((1.0, 3.0), (math.inf, 4.0), (0.0, 0.0), (5.0, 5.0)))

    assert found.mean_cost_s == (2.0, 4.0, 0.0, 5.0)
    assert found.mean_task_s == 2.75


def test_a_transfer_takes_latency_and_bytes_and_their_square_and_nothing_at_home() -> None:
    straight, bent = instance(), instance(seconds_per_byte2=uniform(2, 0.1))

    assert straight.transfer_s(0, 1, 10.0) == 11.0
    assert bent.transfer_s(0, 1, 10.0) == 21.0
    assert bent.transfer_s(1, 1, 10.0) == 0.0
    assert straight.mean_transfer_s(10.0) == 11.0
    assert bent.mean_transfer_s(10.0) == 21.0


def test_machines_that_differ_in_speed_only() -> None:
    assert related((4.0, 6.0), (1.0, 2.0)) == ((4.0, 2.0), (6.0, 3.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cost_s": ()}, "found 0 tasks and 2 nodes, expected at least one of each"),
        ({"latency_s": ()}, "found 4 tasks and 0 nodes"),
        ({"cost_s": ((1.0, 2.0), (1.0,))}, "row 1 of cost_s has 1 numbers, expected one for each of 2"),
        ({"cost_s": ((1.0, math.nan),) * 4}, r"row 0 of cost_s has a number that is none \(nan\)"),
        ({"cost_s": ((1.0, -2.0),) * 4}, "task 0 costs -2.0 at best, expected a finite time, zero or more"),
        ({"cost_s": ((math.inf, math.inf),) * 4}, "task 0 costs inf at best"),
        ({"seconds_per_byte": ((0.0, 1.0),)}, "seconds_per_byte has 1 rows, expected 2"),
        ({"seconds_per_byte2": ((0.0, 1.0),)}, "seconds_per_byte2 has 1 rows, expected 2"),
        ({"edges": (Edge(0, 4, 1.0),)}, "no edge can go from task 0 to 4 of 4"),
        ({"edges": (Edge(1, 1, 1.0),)}, "no edge can go from task 1 to 1 of 4"),
        ({"edges": (Edge(0, 1, -1.0),)}, r"the edge \(0, 1\) has the size -1.0, expected a finite one, zero or more"),
        ({"edges": (Edge(0, 1, math.inf),)}, "has the size inf"),
        ({"edges": (Edge(0, 1, 1.0), Edge(0, 1, 2.0))}, r"two edges \(0, 1\), expected one with the sizes added up"),
        ({"edges": (Edge(0, 1, 1.0), Edge(1, 2, 2.0), Edge(2, 1, 0.0))}, "a cycle that task 1 waits for"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_problem_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InstanceError, match=message):
        instance(**changes)
