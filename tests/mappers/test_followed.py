from random import Random

from pnode.mappers.followed import Followed
from pnode.mappers.heft import heft
from pnode.mappers.instance import Instance
from pnode.mappers.plan import Plan
from pnode.protocol.dag import Dag
from pnode.protocol.view import Choice, Link, Parent, Planned, Planner

from .beliefs import ask, letters, node, peer, task, view
from .progress import done, knowing

PAIR = Dag((task("first", "second"), task("second")))
PARENTS = [Parent("first", node("A"), 0.0, 0.0)]


def on_the_last(instance: Instance) -> Plan:
    """Everything on the last node, one after another."""
    last = instance.nodes - 1
    starts = [0.0]
    for row in instance.cost_s:
        starts.append(starts[-1] + row[last])
    return Plan((last,) * instance.tasks, tuple(starts[:-1]), tuple(starts[1:]), tuple(instance.order))


MAPPER = Followed("on-the-last", on_the_last)


def order(choice: Choice) -> str:
    return letters([score.node for score in choice.ranking])


def test_it_is_called_after_its_planner_and_plans() -> None:
    assert MAPPER.name == "on-the-last"
    assert isinstance(MAPPER, Planner)


def test_the_plan_is_that_of_the_planner() -> None:
    plan = MAPPER.plan(PAIR, view("A", [peer("A"), peer("B", speed=2.0)]), Random(1))

    assert plan == {"first": Planned(node("B"), 0.0, 0.5), "second": Planned(node("B"), 0.5, 1.0)}


def test_the_plan_is_kept_however_long_the_queue_and_no_queue_is_minded() -> None:
    plan = {"first": ("B", 0.0, 0.5), "second": ("B", 0.5, 1.0)}
    question = knowing(ask(PAIR, "second", parents=PARENTS), plan=plan, first=done("A"))

    choice = MAPPER.choose(question, view("A", [peer("A"), peer("B", free_in_s=99.0)]), Random(1))

    assert order(choice) == "BA"
    assert not choice.minds_queue


def test_a_node_that_declined_is_replaced_by_the_one_that_ends_first() -> None:
    plan = {"first": ("B", 0.0, 0.5), "second": ("B", 0.5, 1.0)}
    question = knowing(ask(PAIR, "second", parents=PARENTS, excluded=["B"]), plan=plan, first=done("A"))

    choice = MAPPER.choose(question, view("A", [peer("A", free_in_s=9.0), peer("B"), peer("C")]), Random(1))

    assert order(choice) == "CA"


def test_without_a_plan_the_earliest_finish_goes_first() -> None:
    choice = MAPPER.choose(
        ask(PAIR, "second", parents=PARENTS), view("A", [peer("A", free_in_s=9.0), peer("B")]), Random(1)
    )

    assert order(choice) == "BA"


def test_nobody_eligible_gives_an_empty_ranking_and_an_empty_plan() -> None:
    nobody = view("A", [])

    assert MAPPER.choose(ask(PAIR, "second"), nobody, Random(1)) == Choice(())
    assert MAPPER.plan(PAIR, nobody, Random(1)) == {}


def test_a_cut_off_node_may_leave_the_job_without_a_plan() -> None:
    dag = Dag((task("left", "last", hint=("A",)), task("right", "last", hint=("B",)), task("last", hint=("C",))))
    cut = Link(float("inf"), 1e8, 1.0)
    peers = [peer("A"), peer("B"), peer("C")]

    assert Followed("heft", heft).plan(dag, view("A", peers, links={"AC": cut, "BC": cut}), Random(1)) == {}
