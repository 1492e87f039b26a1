from pnode.mappers.candidates import eligible, hinted_first, wished
from pnode.protocol.view import Score

from .beliefs import alone, ask, letters, node, peer, view

SCORES = [Score(node(letter), float(place), 0.0, 0.0, 0.0) for place, letter in enumerate("CAB")]
VIEW = view("A", [peer("A"), peer("B"), peer("C")])


def test_whoever_turned_the_task_down_is_not_eligible() -> None:
    found = eligible(ask(alone(), excluded=["B"]), VIEW)

    assert letters([one.node for one in found]) == "AC"


def test_without_a_hint_the_order_is_the_mappers() -> None:
    choice = hinted_first(ask(alone()), VIEW, SCORES)

    assert choice.ranking == tuple(SCORES)


def test_hinted_nodes_come_first_in_the_order_of_the_hint() -> None:
    choice = hinted_first(ask(alone(hint=("B", "A"))), VIEW, SCORES)

    assert letters([score.node for score in choice.ranking]) == "BAC"


def test_a_hint_to_nobody_is_passed_over() -> None:
    choice = hinted_first(ask(alone(hint=("Z", "B"))), VIEW, SCORES)

    assert letters([score.node for score in choice.ranking]) == "BCA"


def test_a_name_given_twice_counts_where_it_stands_first() -> None:
    choice = hinted_first(ask(alone(hint=("B", "A", "B"))), VIEW, SCORES)

    assert letters([score.node for score in choice.ranking]) == "BAC"


def test_an_excluded_node_is_not_wished_for() -> None:
    found = wished(ask(alone(hint=("A", "B")), excluded=["B"]), VIEW)

    assert letters([one.node for one in found]) == "A"
