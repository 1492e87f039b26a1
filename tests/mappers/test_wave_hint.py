from random import Random

from hypothesis import given

from pnode.mappers.wave_hint import WaveHint
from pnode.mappers.wave_plan import WavePlan
from pnode.protocol.dag import Dag
from pnode.protocol.view import Choice, Link, Parent, Planned, Planner, Question, View

from .beliefs import FREE, ask, big_dag, letters, node, peer, task, view
from .progress import bound, done, knowing
from .situations import situations

FORK = Dag((task("root", "long", "short"), task("long", "end"), task("short", "end"), task("end")))
PARENTS = [Parent("root", node("A"), 0.0, 0.0)]
PLAN = {"root": ("A", 0.0, 1.0), "long": ("B", 1.0, 4.0), "short": ("A", 1.0, 3.0), "end": ("B", 4.0, 5.0)}
RUN_S = {"long": 6.0, "short": 2.0}


def beliefs(a_free_in_s: float = 0.0) -> View:
    links = {"AB": FREE, "BA": FREE}
    return view("A", [peer("A", free_in_s=a_free_in_s), peer("B", speed=2.0)], links=links, run_s=RUN_S)


def choose(question: Question, view: View) -> Choice:
    return WaveHint().choose(question, view, Random(1))


def order(choice: Choice) -> str:
    return letters([score.node for score in choice.ranking])


def short() -> Question:
    return knowing(ask(FORK, "short", parents=PARENTS), plan=PLAN, root=done("A"))


def test_it_plans_and_so_is_a_planner() -> None:
    assert isinstance(WaveHint(), Planner)


def test_the_planned_node_goes_first() -> None:
    assert order(choose(short(), beliefs())) == "AB"


def test_a_gain_within_the_margin_changes_nothing() -> None:
    # long is planned on B until 3, so short ends there at 4, and here at 2 plus the queue.
    assert order(choose(short(), beliefs(a_free_in_s=2.3))) == "AB"


def test_a_gain_above_the_margin_overrules_the_plan() -> None:
    assert order(choose(short(), beliefs(a_free_in_s=2.5))) == "BA"


def test_what_is_more_urgent_counts_where_it_is_bound_or_else_planned() -> None:
    elsewhere = knowing(ask(FORK, "short", parents=PARENTS), plan=PLAN, root=done("A"), long=bound("A", 0.0, 6.0))

    # long is on A until 6 and nothing on B.
    assert order(choose(elsewhere, beliefs(a_free_in_s=6.0))) == "BA"


def test_what_is_less_urgent_counts_for_nothing() -> None:
    question = knowing(
        ask(FORK, "long", parents=PARENTS), plan=PLAN | {"short": ("B", 3.0, 4.0)}, root=done("A"), short=bound("B")
    )

    [first, _] = choose(question, beliefs()).ranking
    assert (first.node, first.total) == (node("B"), 3.0)


def test_a_planned_node_that_declined_or_is_unknown_is_passed_over() -> None:
    declined = knowing(ask(FORK, "short", parents=PARENTS, excluded=["A"]), plan=PLAN, root=done("A"))
    lost = knowing(ask(FORK, "short", parents=PARENTS), plan=PLAN | {"short": ("Z", 1.0, 3.0)}, root=done("A"))

    assert order(choose(declined, beliefs())) == "B"
    assert order(choose(lost, beliefs())) == "AB"


def test_a_task_that_is_not_in_the_plan_is_left_to_wave_plan() -> None:
    plan = {name: planned for name, planned in PLAN.items() if name != "short"}
    question = knowing(ask(FORK, "short", parents=PARENTS), plan=plan, root=done("A"))

    assert choose(question, beliefs()) == WavePlan().choose(question, beliefs(), Random(1))


@given(situations())
def test_without_a_plan_it_is_wave_plan(situation: tuple[Question, View]) -> None:
    question, beliefs = situation

    assert choose(question, beliefs) == WavePlan().choose(question, beliefs, Random(1))


def test_a_hint_of_the_application_counts_for_more_than_the_plan() -> None:
    dag = Dag((task("root", "only"), task("only", hint=("B",))))
    plan = {"root": ("A", 0.0, 1.0), "only": ("A", 1.0, 2.0)}

    assert order(choose(knowing(ask(dag, "only", parents=PARENTS), plan=plan, root=done("A")), beliefs())) == "BA"


def test_a_choice_rests_on_the_queues() -> None:
    assert choose(short(), beliefs()).minds_queue


def test_nobody_eligible_gives_an_empty_ranking_and_an_empty_plan() -> None:
    nobody = view("A", [])

    assert choose(short(), nobody) == Choice(())
    assert WaveHint().plan(FORK, nobody, Random(1)) == {}


def test_the_plan_is_that_of_heft() -> None:
    plan = WaveHint().plan(FORK, beliefs(), Random(1))

    # root on B, the faster one; long stays there, short goes to A, end after long to B.
    assert plan == {
        "root": Planned(node("B"), 0.0, 0.5),
        "long": Planned(node("B"), 0.5, 3.5),
        "short": Planned(node("A"), 0.5, 2.5),
        "end": Planned(node("B"), 3.5, 4.0),
    }


def test_the_plan_minds_queues() -> None:
    peers = [peer("A"), peer("B", free_in_s=3.0)]

    plan = WaveHint().plan(big_dag(), view("A", peers), Random(1))

    starts_s = [planned.start_s for planned in plan.values() if planned.node == node("B")]
    assert starts_s
    assert min(starts_s) >= 3.0


def test_a_stream_is_planned_as_one_large_item() -> None:
    plan = WaveHint().plan(FORK, beliefs(), Random(1), items=3)

    assert plan["long"] == Planned(node("B"), 1.5, 10.5)


def test_whoever_cannot_be_reached_leaves_the_job_without_a_plan() -> None:
    dag = Dag((task("left", "last", hint=("A",)), task("right", "last", hint=("B",)), task("last", hint=("C",))))
    cut = Link(float("inf"), 1e8, 1.0)
    peers = [peer("A"), peer("B"), peer("C")]

    assert WaveHint().plan(dag, view("A", peers, links={"AC": cut, "BC": cut}), Random(1)) == {}
