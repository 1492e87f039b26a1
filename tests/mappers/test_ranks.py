import math

import pytest

from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.ranks import by_priority, descending, downward, means, upward, upward_of_jupiter

from .golden import golden
from .instances import ARABNEJAD, TOPCUOGLU


def test_the_ranks_of_the_heft_paper() -> None:
    assert upward(TOPCUOGLU) == pytest.approx(
        (108, 77, 80, 80, 69, 190 / 3, 128 / 3, 107 / 3, 133 / 3, 44 / 3), abs=1e-9
    )
    assert downward(TOPCUOGLU) == pytest.approx((0, 31, 25, 22, 24, 27, 187 / 3, 200 / 3, 191 / 3, 280 / 3), abs=1e-9)


def test_the_ranks_of_the_peft_paper() -> None:
    assert upward(ARABNEJAD) == pytest.approx(
        (169, 343 / 3, 308 / 3, 110, 389 / 3, 358 / 3, 158 / 3, 92, 127 / 3, 62 / 3), abs=1e-9
    )


def test_the_ranks_that_jupiter_published_to_all_digits() -> None:
    assert upward_of_jupiter(golden()) == (3690.3906482137563, 2037.6415230118039, 1942.6682854018732, 865)


def test_jupiter_floors_the_mean_cost_and_averages_transfers_pair_by_pair() -> None:
    chain = Instance(((3.0, 4.0), (5.0, 6.0)), (Edge(0, 1, 2.0),), uniform(2, 1.0), ((0.0, 1.0), (4.0, 0.0)))

    assert upward_of_jupiter(chain) == (3.0 + (1.0 + 2.0 + 1.0 + 8.0) / 2 + 5.0, 5.0)


def test_on_a_single_node_jupiter_transfers_nothing() -> None:
    lonely = Instance(((3.0,), (4.0,)), (Edge(0, 1, 5.0),), uniform(1, 0.0), uniform(1, 0.0))

    assert upward_of_jupiter(lonely) == (7.0, 4.0)


def test_a_mean_cost_is_one_on_nodes_that_can_run_the_task() -> None:
    instance = Instance(((2.0, math.inf, 4.0), (3.0, 3.0, 6.0)), (), uniform(3, 0.0), uniform(3, 0.0))

    assert means(instance) == [3.0, 4.0]
    assert upward(instance) == (3.0, 4.0)


def test_ranks_can_be_made_from_other_costs_and_another_weight_of_communication() -> None:
    chain = Instance(((1.0, 1.0), (1.0, 1.0)), (Edge(0, 1, 10.0),), uniform(2, 0.0), uniform(2, 1.0))

    assert upward(chain, mean_s=[3.0, 5.0], communication=0.5) == (3.0 + 5.0 + 5.0, 5.0)
    assert downward(chain, mean_s=[3.0, 5.0], communication=0.5) == (0.0, 3.0 + 5.0)


def test_among_equal_ranks_a_parent_comes_before_its_child() -> None:
    nothing = Instance(((0.0,), (0.0,), (1.0,)), (Edge(1, 0, 0.0),), uniform(1, 0.0), uniform(1, 0.0))

    assert descending(nothing, upward(nothing)) == (2, 1, 0)


def test_a_parent_comes_before_its_child_whatever_the_ranks_are() -> None:
    fork = Instance(((1.0,),) * 4, (Edge(0, 1, 0.0), Edge(0, 2, 0.0)), uniform(1, 0.0), uniform(1, 0.0))

    assert descending(fork, [1.0, 5.0, 4.0, 3.0]) == (3, 0, 1, 2)


def test_the_first_among_equals_goes_first_and_no_child_before_its_parents() -> None:
    fork = Instance(((1.0,), (1.0,), (1.0,)), (Edge(0, 1, 0.0), Edge(0, 2, 0.0)), uniform(1, 0.0), uniform(1, 0.0))

    assert by_priority(fork, [0.0, 5.0, 5.0]) == [0, 1, 2]
    assert by_priority(fork, [0.0, 4.0, 5.0]) == [0, 2, 1]
