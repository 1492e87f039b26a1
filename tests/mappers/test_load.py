import math

import pytest

from pnode.mappers.load import FRESH, STALE, queues_s, trust

from .beliefs import node, peer


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [(0.0, 1.0), (FRESH, 1.0), ((FRESH + STALE) / 2, 0.5), (STALE, 0.0), (1e9, 0.0), (math.inf, 0.0)],
)
def test_trust_falls_from_one_to_nothing_with_age(age_s: float, expected: float) -> None:
    assert trust(age_s) == pytest.approx(expected)


def test_an_age_is_judged_by_how_often_figures_come() -> None:
    assert trust(100.0, refresh_s=50.0) == 1.0
    assert trust(100.0, refresh_s=2.0) == 0.0

    slow = [peer("A", free_in_s=7.0, age_s=100.0), peer("B", free_in_s=1.0, age_s=100.0)]
    assert queues_s(slow, refresh_s=100.0) == {node("A"): 7.0, node("B"): 1.0}


def test_a_fresh_figure_is_believed_as_it_is() -> None:
    queues = queues_s([peer("A", free_in_s=7.0), peer("B", free_in_s=1.0)])

    assert queues == {node("A"): 7.0, node("B"): 1.0}


def test_a_node_of_which_nothing_is_known_counts_as_average() -> None:
    queues = queues_s([peer("A", free_in_s=2.0), peer("B", free_in_s=4.0), peer("C", age_s=math.inf)])

    assert queues[node("C")] == 3.0


def test_a_figure_half_trusted_lies_half_way_to_the_average() -> None:
    half = (FRESH + STALE) / 2

    queues = queues_s([peer("A", free_in_s=2.0), peer("B", free_in_s=8.0, age_s=half)])

    usual = (2.0 + 0.5 * 8.0) / 1.5
    assert queues[node("B")] == pytest.approx(0.5 * 8.0 + 0.5 * usual)


def test_when_nothing_at_all_is_known_nobody_has_a_queue() -> None:
    queues = queues_s([peer("A", age_s=math.inf), peer("B", age_s=math.inf)])

    assert queues == {node("A"): 0.0, node("B"): 0.0}


def test_what_the_caller_has_bound_is_spread_over_the_cores_and_never_mistrusted() -> None:
    peers = [peer("A", cores=4), peer("B", age_s=math.inf, cores=1), peer("C", cores=0)]

    queues = queues_s(peers, [(node("A"), 8.0), (node("B"), 8.0), (node("C"), 8.0)])

    assert queues == {node("A"): 2.0, node("B"): 8.0, node("C"): 8.0}


def test_the_belief_does_not_depend_on_the_order_of_the_peers() -> None:
    peers = [peer(letter, free_in_s=0.1 * place, age_s=3.0 * place) for place, letter in enumerate("ABCDEFG")]

    assert queues_s(peers) == queues_s(peers[::-1])
