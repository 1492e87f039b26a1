import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.windows import windows

from .instances import EPSILON, some_instance


def test_a_task_starts_when_its_parents_could_have_sent_their_outputs_from_wherever_that_is_best() -> None:
    chain = Instance(((2.0, 3.0), (1.0, 5.0)), (Edge(0, 1, 4.0),), uniform(2, 0.0), uniform(2, 1.0))

    found = windows(chain)

    assert found.head_s.tolist() == [[0.0, 0.0], [2.0, 3.0]]
    assert found.tail_s.tolist() == [[1.0, 5.0], [0.0, 0.0]]


def test_where_a_task_cannot_run_its_window_is_closed() -> None:
    chain = Instance(
        ((2.0, math.inf), (1.0, 5.0), (math.inf, 1.0)), (Edge(0, 1, 4.0),), uniform(2, 0.0), uniform(2, 1.0)
    )

    found = windows(chain)

    assert found.head_s.tolist() == [[0.0, math.inf], [2.0, 6.0], [math.inf, 0.0]]
    assert found.tail_s.tolist() == [[1.0, math.inf], [0.0, 0.0], [math.inf, 0.0]]


def test_nothing_passes_between_nodes_that_cannot_talk() -> None:
    rows = ((1.0, 1.0, 1.0), (math.inf, 1.0, math.inf))
    apart = ((0.0, math.inf, 1.0), (1.0, 0.0, 1.0), (1.0, 2.0, 0.0))
    instance = Instance(rows, (Edge(0, 1, 3.0),), uniform(3, 0.0), apart)

    assert windows(instance).tail_s[0].tolist() == [math.inf, 1.0, 7.0]


@given(seed=st.integers(0, 2**32))
def test_every_schedule_keeps_within_the_windows(seed: int) -> None:
    instance = some_instance(seed)

    plan, found = heft(instance), windows(instance)

    for task, node in enumerate(plan.node):
        assert found.head_s[task, node] <= plan.start_s[task] + EPSILON
        assert plan.finish_s[task] + found.tail_s[task, node] <= plan.makespan_s + EPSILON * (1 + plan.makespan_s)


def test_the_best_of_all_nodes_bounds_the_makespan() -> None:
    instance = Instance(((2.0, 3.0), (1.0, 5.0)), (Edge(0, 1, 4.0),), uniform(2, 0.0), uniform(2, 1.0))

    found = windows(instance)

    assert (found.head_s + instance.cost + found.tail_s).min(axis=1) == pytest.approx([3.0, 3.0])
