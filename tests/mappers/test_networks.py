import math
from dataclasses import replace
from itertools import count

import pytest

from pnode.mappers.instance import Edge, Instance, InstanceError, related, uniform
from pnode.mappers.networks import communication_ratio, rescaled, symmetric

LINKED = Instance(
    related([2.0, 4.0], [1.0, 0.5]),  # 2, 4, 4 and 8 seconds: 4.5 on average
    (Edge(0, 1, 18.0),),
    uniform(2, 5.0),
    ((0.0, 1.0), (2.0, 0.0)),
)


def test_each_pair_of_nodes_is_drawn_once_for_both_ways() -> None:
    numbers = count(1)

    assert symmetric(3, lambda: float(next(numbers))) == ((0.0, 1.0, 2.0), (1.0, 0.0, 3.0), (2.0, 3.0, 0.0))


def test_the_ratio_is_that_of_a_mean_transfer_without_latency_to_a_mean_task() -> None:
    assert communication_ratio(LINKED) == pytest.approx(18.0 * 1.5 / 4.5)


def test_pairs_that_cannot_talk_do_not_count() -> None:
    one_way = replace(LINKED, seconds_per_byte=((0.0, 1.0), (math.inf, 0.0)))

    assert communication_ratio(one_way) == pytest.approx(18.0 * 1.0 / 4.5)


def test_rescaled_links_have_the_ratio_that_was_asked_for_and_keep_their_proportions() -> None:
    scaled = rescaled(LINKED, 0.5)

    assert communication_ratio(scaled) == pytest.approx(0.5)
    assert scaled.seconds_per_byte[1][0] == pytest.approx(2 * scaled.seconds_per_byte[0][1])
    assert (scaled.cost_s, scaled.edges, scaled.latency_s) == (LINKED.cost_s, LINKED.edges, LINKED.latency_s)


@pytest.mark.parametrize(
    ("unscalable", "ratio"),
    [
        (replace(LINKED, edges=()), "0.0"),
        (replace(LINKED, seconds_per_byte=uniform(2, 0.0)), "0.0"),
        (Instance(((1.0,),), (), ((0.0,),), ((0.0,),)), "0.0"),
        (replace(LINKED, cost_s=uniform(2, 0.0)), "inf"),
    ],
)
def test_what_no_factor_brings_to_a_ratio_is_refused(unscalable: Instance, ratio: str) -> None:
    with pytest.raises(InstanceError, match=f"is {ratio}: scaling links cannot make it 2"):
        rescaled(unscalable, 2.0)


def test_a_quadratic_term_is_refused() -> None:
    with pytest.raises(InstanceError, match="quadratic"):
        rescaled(replace(LINKED, seconds_per_byte2=uniform(2, 1.0)), 2.0)
