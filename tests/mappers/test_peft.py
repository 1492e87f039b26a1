import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.peft import optimistic_costs, peft

from .instances import ARABNEJAD, TOPCUOGLU, faults, slots, some_instance


def test_the_example_of_the_peft_paper() -> None:
    plan = peft(ARABNEJAD)

    assert plan.makespan_s == 122
    assert [task + 1 for task in plan.order] == [1, 4, 6, 2, 3, 5, 8, 7, 9, 10]
    assert slots(plan) == {
        "P1": ["n1 0-22", "n4 22-29", "n2 29-51", "n3 51-83", "n7 83-97"],
        "P2": ["n6 29-46", "n8 54-77", "n10 106-122"],
        "P3": ["n5 35-70", "n9 81-89"],
    }


def test_the_example_of_the_heft_paper() -> None:
    plan = peft(TOPCUOGLU)

    assert plan.makespan_s == 85
    assert slots(plan) == {
        "P1": ["n3 28-39", "n6 39-52", "n7 52-59", "n8 62-67"],
        "P2": ["n1 0-16", "n4 16-24", "n2 24-43", "n9 50-62", "n10 78-85"],
        "P3": ["n5 27-37"],
    }


def test_the_optimistic_costs_of_both_papers_examples() -> None:
    assert optimistic_costs(ARABNEJAD) == [
        [64, 68, 86], [42, 39, 42], [27, 41, 43], [42, 39, 50], [28, 37, 28],
        [42, 39, 44], [13, 16, 22], [13, 16, 33], [13, 16, 20], [0, 0, 0],
    ]  # fmt: skip
    assert optimistic_costs(TOPCUOGLU) == [
        [48, 38, 53], [35, 19, 35], [28, 22, 27], [38, 19, 36], [32, 19, 32],
        [23, 18, 30], [21, 7, 16], [18, 7, 16], [20, 7, 16], [0, 0, 0],
    ]  # fmt: skip


def test_who_has_a_single_node_transfers_nothing() -> None:
    chain = Instance(((1.0,), (2.0,)), (Edge(0, 1, 5.0),), uniform(1, 0.0), uniform(1, 0.0))

    assert optimistic_costs(chain) == [[2.0], [0.0]]
    assert peft(chain).makespan_s == 3.0


def test_foresight_avoids_the_node_whose_children_could_not_follow() -> None:
    # Node 0 is a little faster for the parent, but the child runs on node 1 only, and the way there is long.
    instance = Instance(((1.0, 2.0), (math.inf, 1.0)), (Edge(0, 1, 9.0),), uniform(2, 0.0), uniform(2, 1.0))

    assert peft(instance).node == (1, 1)
    assert peft(instance, communication=0.1).node == (0, 1)


@pytest.mark.parametrize("communication", [1.0, 3.0])
@given(seed=st.integers(0, 2**32), whole=st.booleans())
def test_every_plan_can_be_carried_out(communication: float, seed: int, whole: bool) -> None:
    instance = some_instance(seed, whole=whole)

    plan = peft(instance, communication=communication)

    # Inflated transfers leave more time than is needed, so the plan holds with the true ones as well.
    assert [fault for fault in faults(instance, plan) if communication == 1.0 or "overlap" in fault] == []
