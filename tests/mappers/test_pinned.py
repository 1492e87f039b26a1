from random import Random

from pnode.mappers.catalogue import EVERY, KNOWN
from pnode.mappers.pinned import LATER_S, NAME, Pinned
from pnode.protocol.dag import Dag
from pnode.protocol.view import Planned, Planner

from .beliefs import ask, letters, node, peer, task, view
from .progress import knowing

ONE = Dag((task("only"),))
QUESTION = knowing(ask(ONE, "only"), plan={"only": ("B", LATER_S, LATER_S)})


def test_everything_is_planned_for_its_node_and_after_all_else() -> None:
    mapper = Pinned(node("B"))

    assert isinstance(mapper, Planner)
    assert mapper.plan(ONE, view("A", [peer("A"), peer("B")]), Random(1)) == {
        "only": Planned(node("B"), LATER_S, LATER_S)
    }
    assert mapper.plan(ONE, view("A", []), Random(1))["only"].start_s > 10 * 365 * 86_400


def test_whoever_decides_sends_a_task_where_it_is_planned_and_nowhere_else() -> None:
    choice = Pinned().choose(QUESTION, view("A", [peer("A"), peer("B", free_in_s=99.0), peer("C")]), Random(1))

    assert letters([score.node for score in choice.ranking]) == "B"
    assert not choice.minds_queue


def test_without_its_node_or_a_plan_nobody_will_do() -> None:
    assert Pinned().choose(QUESTION, view("A", [peer("A")]), Random(1)).ranking == ()
    assert Pinned().choose(ask(ONE, "only"), view("A", [peer("A")]), Random(1)).ranking == ()
    assert Pinned().plan(ONE, view("A", [peer("A")]), Random(1)) == {}


def test_nodes_know_it_and_people_are_not_offered_it() -> None:
    assert NAME in KNOWN
    assert NAME not in EVERY
