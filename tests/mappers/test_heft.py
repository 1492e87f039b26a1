import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers import heft as module
from pnode.mappers.draft import StrandedError
from pnode.mappers.heft import TASKS_PER_NODE_MAX, heft, heft_modified
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.plan import Plan
from pnode.mappers.ranks import means, upward

from .golden import golden
from .instances import ARABNEJAD, TOPCUOGLU, faults, slots, some_instance

SEEDS = st.integers(0, 2**32)


def independent(*rows: tuple[float, ...]) -> Instance:
    """Tasks that do not know each other."""
    return Instance(rows, (), uniform(len(rows[0]), 0.0), uniform(len(rows[0]), 0.0))


@pytest.fixture(params=[0, 1000], ids=["sweep", "draft"])
def few_nodes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of searching, whatever the number of nodes."""
    monkeypatch.setattr(module, "FEW_NODES", request.param)


@pytest.mark.usefixtures("few_nodes")
def test_the_example_of_the_heft_paper() -> None:
    plan = heft(TOPCUOGLU)

    assert plan.makespan_s == 80
    assert slots(plan) == {
        "P1": ["n2 27-40", "n8 57-62"],
        "P2": ["n4 18-26", "n6 26-42", "n9 56-68", "n10 73-80"],
        "P3": ["n1 0-9", "n3 9-28", "n5 28-38", "n7 38-49"],
    }


@pytest.mark.usefixtures("few_nodes")
def test_the_example_of_the_peft_paper() -> None:
    plan = heft(ARABNEJAD)

    assert plan.makespan_s == 133
    assert plan.order == (0, 4, 5, 1, 3, 2, 7, 6, 8, 9)
    assert slots(plan) == {
        "P1": ["n2 38-60", "n8 67-96", "n10 120-133"],
        "P2": ["n1 0-21", "n5 21-48", "n3 48-75", "n7 75-100"],
        "P3": ["n6 28-52", "n4 52-56", "n9 105-113"],
    }


@pytest.mark.usefixtures("few_nodes")
def test_no_task_is_placed_before_its_parent_where_fits_predict_less_than_no_time() -> None:
    bent = Instance(
        ((5.0, 5.0),) * 3, (Edge(0, 1, 10.0), Edge(2, 1, 0.0)), *(uniform(2, n) for n in (0.0, 1.0, -1.0))
    )

    assert upward(bent)[0] < upward(bent)[1]
    assert heft(bent).order == (2, 0, 1)


@pytest.mark.usefixtures("few_nodes")
def test_the_measured_instance_of_jupiter() -> None:
    plan = heft(golden())

    assert plan.makespan_s == pytest.approx(1778.009, abs=5e-4)
    assert plan.node == (0, 0, 1, 0)


@pytest.mark.usefixtures("few_nodes")
def test_without_insertion_a_task_waits_for_all_that_its_node_has() -> None:
    # The second task waits for 8 s of transfer on node 1, into which the third would fit.
    instance = Instance(
        ((1.0, math.inf), (math.inf, 9.0), (math.inf, 2.0)), (Edge(0, 1, 8.0),), uniform(2, 0.0), uniform(2, 1.0)
    )

    assert heft(instance).start_s == (0.0, 9.0, 0.0)
    assert heft(instance, insertion=False).start_s == (0.0, 9.0, 18.0)


@pytest.mark.usefixtures("few_nodes")
def test_among_equal_finishes_the_lowest_node_wins_gap_or_not() -> None:
    rows = ((1.0, math.inf), (math.inf, 9.0), (7.0, 8.0), (4.0, 5.0))
    instance = Instance(rows, (Edge(0, 1, 8.0),), uniform(2, 0.0), uniform(2, 1.0))

    plan = heft(instance)

    # Ranks 18, 9, 7.5, 4.5: the third ends at 8 behind the first on node 0, or in the gap of node 1.
    assert plan.order == (0, 1, 2, 3)
    assert plan.node == (0, 1, 0, 1)
    assert plan.finish_s == (1.0, 18.0, 8.0, 5.0)


@pytest.mark.usefixtures("few_nodes")
def test_a_gap_on_a_lower_node_wins_against_an_equal_tail() -> None:
    rows = ((math.inf, 1.0), (9.0, math.inf), (8.0, 7.0))
    instance = Instance(rows, (Edge(0, 1, 8.0),), uniform(2, 0.0), uniform(2, 1.0))

    assert heft(instance).node == (1, 0, 0)


@pytest.mark.usefixtures("few_nodes")
def test_a_node_takes_no_more_tasks_than_its_cap() -> None:
    instance = independent(*[(1.0, 3.0, 10.0)] * 6)

    plan = heft(instance, tasks_per_node_max=2)

    assert sorted(plan.node) == [0, 0, 1, 1, 2, 2]
    with pytest.raises(StrandedError, match="task 4 can run on no node"):
        heft(independent(*[(1.0, 3.0)] * 6), tasks_per_node_max=2)


def test_modified_heft_spreads_what_heft_packs_on_one_node() -> None:
    instance = independent(*[(1.0, 1000.0)] * (2 * TASKS_PER_NODE_MAX))

    assert heft(instance).node.count(0) == 2 * TASKS_PER_NODE_MAX
    assert heft_modified(instance).node.count(0) == TASKS_PER_NODE_MAX
    assert heft_modified(independent(*[(1.0,)] * 200)).makespan_s == 200.0


@pytest.mark.usefixtures("few_nodes")
def test_nodes_may_be_busy_at_first_or_dead() -> None:
    plan = heft(independent((1.0, 4.0, 1.0), (1.0, 4.0, 1.0)), free_from_s=(10.0, 2.0, math.inf))

    assert plan.node == (1, 1)
    assert plan.start_s == (2.0, 6.0)


@pytest.mark.usefixtures("few_nodes")
def test_planned_with_inflated_transfers_tasks_keep_together() -> None:
    fork = Instance(((1.0, 1.0),) * 3, (Edge(0, 1, 0.5), Edge(0, 2, 0.5)), uniform(2, 0.0), uniform(2, 1.0))

    assert sorted(heft(fork).node) == [0, 0, 1]
    assert heft(fork, communication=8.0).node == (0, 0, 0)


@pytest.mark.usefixtures("few_nodes")
def test_who_cannot_be_reached_is_not_chosen_however_fast() -> None:
    apart = ((0.0, math.inf, 1.0), (math.inf, 0.0, 1.0), (1.0, 1.0, 0.0))
    rows = ((1.0, 9.0, 9.0), (9.0, 1.0, 8.0))

    for size in (0.0, 1.0):
        assert heft(Instance(rows, (Edge(0, 1, size),), uniform(3, 0.0), apart)).node in {(0, 0), (0, 2)}
    with pytest.raises(StrandedError, match="task 1 can run on no node"):
        heft(Instance(((1.0, math.inf), (math.inf, 1.0)), (Edge(0, 1, 0.0),), uniform(2, 0.0), uniform(2, math.inf)))


@pytest.mark.usefixtures("few_nodes")
@given(seed=SEEDS, whole=st.booleans(), insertion=st.booleans())
def test_every_plan_can_be_carried_out(seed: int, whole: bool, insertion: bool) -> None:
    instance = some_instance(seed, whole=whole)

    assert faults(instance, heft(instance, insertion=insertion)) == []


@given(seed=SEEDS, whole=st.booleans(), insertion=st.booleans(), free=st.booleans())
def test_both_ways_of_searching_find_the_same_plan(seed: int, whole: bool, insertion: bool, free: bool) -> None:
    instance = some_instance(seed, tasks_max=30, nodes_max=8, whole=whole)
    rng = Random(seed)
    free_from_s = [rng.uniform(0.0, 20.0) for _ in range(instance.nodes)] if free else ()
    plans: list[Plan] = []

    for few in (0, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "FEW_NODES", few)
            plans.append(heft(instance, insertion=insertion, free_from_s=free_from_s))

    assert plans[0] == plans[1]


@pytest.mark.usefixtures("few_nodes")
@given(seed=SEEDS, factor=st.sampled_from([0.0, 0.5, 2.0]))
def test_perturbed_ranks_change_the_order_and_never_what_things_cost(seed: int, factor: float) -> None:
    instance = some_instance(seed)
    rng = Random(seed)
    mean_s = [mean * rng.uniform(0.5, 1.5) for mean in means(instance)]

    assert faults(instance, heft(instance, ranks=upward(instance, mean_s=mean_s, communication=factor))) == []


def test_stretches_of_the_order_are_looked_at_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW_NODES", 0)
    fan = Instance(
        tuple((1.0 + 0.1 * task, 2.0) for task in range(9)),
        tuple(Edge(parent, child, 1.0) for parent in range(4) for child in range(4, 9)),
        uniform(2, 0.0),
        uniform(2, 1.0),
    )
    whole = heft(fan)

    monkeypatch.setattr("pnode.mappers.stretches.EDGES_MAX", 6)

    assert heft(fan) == whole
