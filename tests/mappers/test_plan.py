import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge, Instance, related, uniform
from pnode.mappers.plan import Plan, lower_bound_s

from .instances import EPSILON, some_instance


def free(*rows: tuple[float, ...], edges: tuple[Edge, ...] = ()) -> Instance:
    """Transfers cost nothing."""
    return Instance(rows, edges, uniform(len(rows[0]), 0.0), uniform(len(rows[0]), 0.0))


def test_a_queue_is_in_the_order_of_planned_starts() -> None:
    plan = Plan((0, 1, 0), (5.0, 0.0, 1.0), (6.0, 1.0, 2.0), (0, 1, 2))

    assert plan.queues(3) == ((2, 0), (1,), ())
    assert plan.makespan_s == 6.0


def test_at_equal_starts_what_takes_no_time_goes_first_then_what_was_placed_first() -> None:
    plan = Plan((0, 0, 0), (5.0, 5.0, 5.0), (9.0, 5.0, 5.0), (0, 2, 1))

    assert plan.queues(1) == ((2, 1, 0),)


def test_no_schedule_is_shorter_than_the_longest_way() -> None:
    assert lower_bound_s(free((4.0, 2.0), (9.0, 3.0), (1.0, 1.0), edges=(Edge(0, 1, 7.0),))) == 5.0


def test_on_related_machines_no_schedule_is_shorter_than_all_work_over_all_speed() -> None:
    costs, speeds = (3.0, 5.0, 7.0, 6.0), (1.0, 2.0, 4.0)

    assert lower_bound_s(free(*related(costs, speeds))) == pytest.approx(sum(costs) / sum(speeds))


def test_a_node_that_can_run_nothing_shares_no_work() -> None:
    assert lower_bound_s(free((2.0, math.inf), (2.0, math.inf))) == 4.0


def test_on_unrelated_machines_everybody_may_do_what_it_does_best() -> None:
    # Each node is fast for two of the tasks: 2 s are enough, whatever their speeds seem to be.
    assert lower_bound_s(free((1.0, 9.0), (1.0, 9.0), (9.0, 1.0), (9.0, 1.0))) == 2.0


def test_what_costs_nothing_bounds_nothing() -> None:
    assert lower_bound_s(free((0.0, 0.0))) == 0.0


@given(seed=st.integers(0, 2**32), whole=st.booleans())
def test_no_plan_is_shorter_than_the_bound(seed: int, whole: bool) -> None:
    instance = some_instance(seed, whole=whole)

    assert lower_bound_s(instance) <= heft(instance).makespan_s * (1 + EPSILON)
