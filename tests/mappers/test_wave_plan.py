from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import given

from pnode.mappers.rank import upward_ranks
from pnode.mappers.wave_greedy import WaveGreedy
from pnode.mappers.wave_plan import LOOKS_MAX, RANKED_TASKS_MAX, WavePlan, look, not_started
from pnode.protocol.dag import Dag
from pnode.protocol.view import Choice, Link, Moment, Parent, Progress, Question, View

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


def left(dag: Dag, names: Sequence[str], **progress: Progress) -> list[str]:
    known, started = look(replace(ask(dag, dag.order[-1]), progress=progress), dag.order)
    return not_started(dag, names, known, started)


def test_what_has_not_started_is_told_from_what_has() -> None:
    names = [f"task{number}" for number in range(9)]

    assert left(big_dag(), names, task0=done("A"), task1=running("A", 0.0, 1.0), task2=bound("B")) == names[2:]


def test_what_lies_above_a_started_task_has_ended_whether_or_not_we_were_told() -> None:
    chain = Dag((task("a", "b"), task("b", "c"), task("c"), task("d", "e"), task("e")))
    names = ("a", "b", "d", "e")

    assert left(chain, names, c=running("A", 0.0, 1.0)) == ["d", "e"]
    assert left(chain, names, c=bound("A")) == ["a", "b", "d", "e"]
    assert left(chain, names, c=bound("A"), e=done("A")) == ["a", "b"]


def test_in_a_large_graph_only_the_tasks_nearest_in_urgency_are_looked_at() -> None:
    dag = star(3 * LOOKS_MAX)
    leaf = f"leaf{2 * LOOKS_MAX}"
    looked: list[str] = []

    class Told(dict[str, Progress]):
        def get(self, name: str, default: object = None) -> Progress | None:  # type: ignore[override]
            looked.append(name)
            return super().get(name)

    ranks = {"root": 9.0} | {task.name: 1.0 for task in dag.tasks[1:]}
    question = replace(knowing(ask(dag, leaf, parents=PARENTS), ranks=ranks), progress=Told(root=done("A")))

    choose(question, view("A", [peer("A"), peer("B")]))

    assert set(looked[: 2 * LOOKS_MAX]) == {f"leaf{number}" for number in range(LOOKS_MAX, 3 * LOOKS_MAX)} - {
        leaf
    } | {"root"}


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


def test_questions_of_one_moment_are_answered_as_if_each_were_the_first() -> None:
    names = [f"t{number:02}" for number in range(12)]
    dag = Dag(tuple(task(name) for name in names))
    beliefs = view("A", [peer("A", free_in_s=0.5), peer("B", speed=2.0), peer("C", cores=2)])
    ranks = dict.fromkeys(names, 1.0)
    moment = Moment()
    placed: dict[str, Progress] = {}
    promised = dict.fromkeys("ABC", 0.0)
    answers: dict[str, list[Choice]] = {"alone": [], "together": []}
    for name in names:
        alone = replace(ask(dag, name, mine=list(promised.items())), ranks=ranks, progress=dict(placed))
        answers["alone"].append(choose(alone, beliefs))
        answers["together"].append(choose(replace(alone, moment=moment), beliefs))
        best = answers["alone"][-1].ranking[0]
        letter = letters([best.node])
        start_s = best.total - best.run_s
        placed[name] = replace(bound(letter), start_in_s=start_s, finish_in_s=best.total)
        promised[letter] += best.run_s

    assert answers["together"] == answers["alone"]
    assert len({choice.ranking[0].node for choice in answers["alone"]}) == 3


def test_what_was_imagined_is_no_good_for_an_earlier_task_or_for_another_candidate() -> None:
    beliefs = view("A", [peer("A", free_in_s=3.0), peer("B")])
    question = knowing(
        ask(star(3), "leaf02", excluded="A"), ranks={"root": 2.0, "leaf00": 1.0, "leaf01": 1.0, "leaf02": 1.0}
    )
    for then in (replace(question, task="leaf01"), replace(question, excluded=frozenset())):
        moment = Moment()
        choose(replace(question, moment=moment), beliefs)

        assert choose(replace(then, moment=moment), beliefs) == choose(then, beliefs)
