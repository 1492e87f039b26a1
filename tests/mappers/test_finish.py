import pytest

from pnode.mappers.finish import arrivals_s, expected_finishes
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Link, Parent

from .beliefs import alone, ask, node, peer, view

SLOW = Link(0.5, 1e6, 1.0)


def test_inputs_travel_independently_and_the_last_one_counts() -> None:
    beliefs = view("A", [peer("A"), peer("B")], links={"AB": SLOW, "BA": SLOW})
    parents = [Parent("near", node("A"), 4.0, 1e6), Parent("far", node("B"), 2.0, 2e6)]

    arrivals = arrivals_s(parents, [node("A"), node("B")], beliefs.link)

    assert arrivals == pytest.approx([2.0 + 0.5 + 2.0, 4.0 + 0.5 + 1.0])


def test_of_several_parents_on_one_node_the_size_and_the_readiness_both_count() -> None:
    beliefs = view("A", [peer("B")], links={"AB": SLOW})
    parents = [Parent("large", node("A"), 0.0, 9e6), Parent("late", node("A"), 5.0, 0.0)]

    assert arrivals_s(parents, [node("B")], beliefs.link) == pytest.approx([9.5])


def test_each_link_is_looked_up_once_however_many_parents_there_are() -> None:
    asked: list[tuple[NodeId, NodeId]] = []

    def link(source: NodeId, target: NodeId) -> Link:
        asked.append((source, target))
        return SLOW

    arrivals_s([Parent(str(number), node("A"), 0.0, 1.0) for number in range(100)], [node("B")], link)

    assert asked == [(node("A"), node("B"))]


def test_an_entry_task_waits_for_no_input() -> None:
    [score] = expected_finishes(ask(alone()), view("A", [peer("A", free_in_s=3.0)]))

    assert (score.inputs_s, score.queue_s, score.run_s, score.total) == (0.0, 3.0, 1.0, 4.0)


def test_the_finish_is_the_later_of_inputs_and_queue_plus_the_run() -> None:
    beliefs = view("A", [peer("A", free_in_s=1.0), peer("B", free_in_s=9.0)], links={"AB": SLOW})
    question = ask(alone(), parents=[Parent("p", node("A"), 2.0, 1e6)], mine=[("B", 1.0)])

    here, there = expected_finishes(question, beliefs)

    assert (here.inputs_s, here.queue_s, here.total) == (2.0, 1.0, 3.0)
    assert (there.inputs_s, there.queue_s, there.total) == (3.5, 10.0, 11.0)


def test_an_excluded_node_has_no_score_but_its_load_still_says_what_is_usual() -> None:
    beliefs = view("A", [peer("A", age_s=1e9), peer("B", free_in_s=6.0)])

    [score] = expected_finishes(ask(alone(), excluded=["B"]), beliefs)

    assert (score.node, score.queue_s) == (node("A"), 6.0)
