from dataclasses import replace
from random import Random

from hypothesis import given

from pnode.mappers.rank import upward_ranks
from pnode.mappers.wave_greedy import WaveGreedy
from pnode.mappers.wave_plan import RANKED_TASKS_MAX, WavePlan, more_urgent
from pnode.protocol.dag import Dag
from pnode.protocol.view import Choice, Link, Parent, Question, View

from .beliefs import FREE, ask, big_dag, letters, node, peer, star, task, view
from .progress import bound, done, knowing, running
from .situations import situations

FORK = Dag((task("root", "long", "short"), task("long", "end"), task("short", "end"), task("end")))
RANKS = {"root": 9.0, "long": 7.0, "short": 3.0, "end": 1.0}
PARENTS = [Parent("root", node("A"), 0.0, 0.0)]


def choose(question: Question, beliefs: View) -> Choice:
    return WavePlan().choose(question, beliefs, Random(1))


def order(choice: Choice) -> str:
    return letters([score.node for score in choice.ranking])


def test_the_place_that_a_more_urgent_task_will_take_is_left_to_it() -> None:
    links = {"AB": FREE, "BA": FREE}
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)], links=links, run_s={"long": 6.0, "short": 2.0})
    question = knowing(ask(FORK, "short", parents=PARENTS), ranks=RANKS, root=done("A"))

    assert order(WaveGreedy().choose(question, beliefs, Random(1))) == "BA"
    assert order(choose(question, beliefs)) == "AB"


def test_a_less_urgent_task_is_in_nobodys_way() -> None:
    links = {"AB": FREE, "BA": FREE}
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)], links=links, run_s={"long": 6.0, "short": 2.0})
    question = knowing(ask(FORK, "long", parents=PARENTS), ranks=RANKS, root=done("A"), short=bound("B"))

    assert order(choose(question, beliefs)) == "BA"


def test_ranks_that_nobody_has_worked_out_are_worked_out() -> None:
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)], run_s={"root": 2.0, "long": 6.0, "short": 2.0})
    question = knowing(ask(FORK, "short", parents=PARENTS), root=done("A"))
    told = replace(question, ranks=upward_ranks(FORK, beliefs))

    assert choose(question, beliefs) == choose(told, beliefs)
    assert order(choose(question, beliefs)) == "AB"


def test_without_ranks_a_large_graph_is_decided_by_expected_finishes() -> None:
    dag = star(RANKED_TASKS_MAX)
    beliefs = view("A", [peer("A", free_in_s=0.2), peer("B")])
    question = knowing(ask(dag, "leaf07", parents=PARENTS), root=done("A"))

    assert totals(choose(question, beliefs)) == totals(WaveGreedy().choose(question, beliefs, Random(1)))


def totals(choice: Choice) -> list[float]:
    return sorted(score.total for score in choice.ranking)


@given(situations())
def test_without_progress_the_totals_are_expected_finishes(situation: tuple[Question, View]) -> None:
    question, beliefs = situation
    question = replace(question, parents=(*question.parents, Parent("p", node("A"), 1.0, 1.0)))

    assert totals(choose(question, beliefs)) == totals(WaveGreedy().choose(question, beliefs, Random(1)))


def test_an_entry_task_is_planned_with_the_more_urgent_entries_though_nothing_has_happened_yet() -> None:
    two = Dag((task("long"), task("short")))
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)], run_s={"long": 6.0, "short": 2.0})
    input_parent = [Parent("", node("A"), 0.0, 0.0)]

    for parents in ([], input_parent):
        assert order(choose(ask(two, "short", parents=parents), beliefs)) == "AB"


def test_tasks_that_have_not_started_go_first_in_order_of_rank_then_as_the_graph_has_them() -> None:
    dag = big_dag()
    ranks = dict.fromkeys(dag.by_name, 5.0) | {"task8": 6.0, "task9": 1.0}
    question = knowing(
        ask(dag, "task5"), ranks=ranks, task0=done("A"), task1=running("A", 0.0, 1.0), task2=bound("B")
    )

    assert more_urgent(question, ranks) == ["task8", "task2", "task3", "task4"]


def test_what_lies_above_a_started_task_has_ended_whether_or_not_we_were_told() -> None:
    chain = Dag((task("a", "b"), task("b", "c"), task("c"), task("mine"), task("d", "e"), task("e")))
    ranks = {"a": 9.0, "b": 8.0, "c": 2.0, "mine": 1.0, "d": 4.0, "e": 3.0}

    assert more_urgent(knowing(ask(chain, "mine"), ranks=ranks, c=running("A", 0.0, 1.0)), ranks) == ["d", "e"]
    assert more_urgent(knowing(ask(chain, "mine"), ranks=ranks, c=bound("A")), ranks) == ["a", "b", "d", "e", "c"]


def test_a_choice_rests_on_the_queues_and_says_what_it_was_made_of() -> None:
    beliefs = view("A", [peer("A"), peer("B", free_in_s=4.0)], links={"AB": Link(0.0, 1e8, 1.0)})
    question = ask(FORK, "long", parents=[Parent("root", node("A"), 1.0, 2e8)])

    choice = choose(knowing(question, ranks=RANKS, root=running("A", -1.0, 1.0)), beliefs)

    assert choice.minds_queue
    assert [(one.total, one.inputs_s, one.queue_s, one.run_s) for one in choice.ranking] == [
        (2.0, 1.0, 0.0, 1.0),
        (5.0, 3.0, 4.0, 1.0),
    ]


def test_a_hint_of_the_application_counts_for_more_than_an_early_finish() -> None:
    dag = Dag((task("root", "only"), task("only", hint=("B",))))
    question = knowing(ask(dag, "only", parents=PARENTS), ranks={"root": 2.0, "only": 1.0}, root=done("A"))

    assert order(choose(question, view("A", [peer("A"), peer("B", free_in_s=99.0)]))) == "BA"


def test_nobody_eligible_gives_an_empty_ranking() -> None:
    assert choose(knowing(ask(FORK, "long"), ranks=RANKS), view("A", [])) == Choice(())
    assert choose(ask(FORK, "long", excluded=["A"]), view("A", [peer("A")])) == Choice(())


@given(situations())
def test_the_order_of_the_view_makes_no_difference(situation: tuple[Question, View]) -> None:
    question, beliefs = situation
    turned = View(beliefs.me, beliefs.peers[::-1], beliefs.link, beliefs.run_s)

    assert choose(question, turned) == choose(question, beliefs)
