import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.critical_path import cpop, critical_path
from pnode.mappers.draft import StrandedError
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.ranks import downward, upward

from .instances import ARABNEJAD, TOPCUOGLU, faults, slots, some_instance

FORK = (Edge(0, 1, 0.0), Edge(0, 2, 0.0))


def priorities(instance: Instance) -> list[float]:
    return [up + down for up, down in zip(upward(instance), downward(instance), strict=True)]


def test_the_example_of_the_heft_paper() -> None:
    plan = cpop(TOPCUOGLU)

    assert plan.makespan_s == 86
    assert slots(plan) == {
        "P1": ["n3 28-39", "n7 39-46"],
        "P2": ["n1 0-16", "n2 16-35", "n5 35-48", "n9 65-77", "n10 79-86"],
        "P3": ["n4 25-42", "n6 42-51", "n8 54-68"],
    }


def test_the_example_of_the_peft_paper() -> None:
    assert cpop(ARABNEJAD).makespan_s == 167


def test_the_critical_path_of_the_heft_paper() -> None:
    assert critical_path(TOPCUOGLU, priorities(TOPCUOGLU)) == (0, 1, 8, 9)


def test_the_critical_path_starts_at_the_entry_of_highest_priority() -> None:
    instance = Instance(((1.0,), (2.0,), (3.0,)), (Edge(1, 2, 0.0),), uniform(1, 0.0), uniform(1, 0.0))

    assert critical_path(instance, priorities(instance)) == (1, 2)


def test_of_two_critical_paths_that_differ_by_rounding_the_first_is_taken() -> None:
    fork = Instance(((1.0,), (1.0,), (1.0,)), FORK, uniform(1, 0.0), uniform(1, 0.0))

    assert critical_path(fork, [2.0, 2.0, 2.0 + 1e-9]) == (0, 1)
    assert critical_path(fork, [2.0, 2.0, 2.1]) == (0, 2)


def test_a_path_that_no_node_can_run_alone_is_divided() -> None:
    chain = Instance(((1.0, math.inf), (math.inf, 1.0)), (Edge(0, 1, 2.0),), uniform(2, 0.0), uniform(2, 1.0))

    plan = cpop(chain)

    assert plan.node == (0, 1)
    assert plan.makespan_s == 4.0


def test_a_task_on_the_path_that_cannot_come_to_its_node_goes_elsewhere() -> None:
    # Tasks 0 and 2 are the path, for node 1; but task 1 runs on node 0 only, which cannot talk to node 1.
    apart = ((0.0, math.inf, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0))
    rows = ((math.inf, 5.0, 6.0), (1.0, math.inf, math.inf), (9.0, 1.0, 2.0))
    instance = Instance(rows, (Edge(0, 2, 0.0), Edge(1, 2, 0.0)), uniform(3, 0.0), apart)

    assert cpop(instance).node == (1, 0, 2)
    with pytest.raises(StrandedError, match="task 1"):
        cpop(Instance(((1.0, math.inf), (math.inf, 1.0)), (Edge(0, 1, 0.0),), uniform(2, 0.0), uniform(2, math.inf)))


@given(seed=st.integers(0, 2**32), whole=st.booleans())
def test_every_plan_can_be_carried_out(seed: int, whole: bool) -> None:
    instance = some_instance(seed, whole=whole)

    assert faults(instance, cpop(instance)) == []
