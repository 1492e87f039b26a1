import pytest

from pnode.mappers.finish import expected_finishes
from pnode.mappers.outlook import PEERS_MAX, Outlook
from pnode.protocol.dag import Dag
from pnode.protocol.view import Link, Parent, PeerView, Phase, Question, Score, View

from .beliefs import FREE, ask, node, peer, star, task, view
from .progress import bound, done, knowing, running

# "last" is the task at hand everywhere; "other" and "third" are what else is to be placed.
THREE = Dag((task("root", "other", "third", "last"), task("other"), task("third"), task("last")))


def outlook(question: Question, beliefs: View) -> tuple[Outlook, list[Score]]:
    scores = expected_finishes(question, beliefs)
    known = {name: one for name, one in question.progress.items() if one.phase is not Phase.DONE}
    return Outlook(question, beliefs, scores, known), scores


def finishes_s(
    question: Question, beliefs: View, names: tuple[str, ...] = (), homes: dict[str, str] | None = None
) -> list[float]:
    """When "last" would end on each peer after these tasks were placed."""
    found, scores = outlook(question, beliefs)
    found.place(names, {name: node(letter) for name, letter in (homes or {}).items()})
    return [found.seen(score).total for score in scores]


def free_links(letters: str) -> dict[str, Link]:
    return {source + target: FREE for source in letters for target in letters if source != target}


def no_delay(*peers: PeerView, **run_s: float) -> View:
    """Links take no time."""
    return view("A", peers, links=free_links("ABC"), run_s=run_s)


def test_on_idle_nodes_a_task_ends_after_its_run_time() -> None:
    assert finishes_s(ask(THREE, "last"), no_delay(peer("A"), peer("B", speed=2.0), last=3.0)) == [3.0, 1.5]


def test_what_runs_blocks_its_node_until_its_expected_end() -> None:
    question = knowing(ask(THREE, "last"), root=running("A", -1.0, 4.0))

    assert finishes_s(question, no_delay(peer("A", free_in_s=4.0), peer("B"))) == [5.0, 1.0]


def test_what_should_have_ended_is_believed_to_need_another_tenth() -> None:
    question = knowing(ask(THREE, "last"), root=running("A", -5.0, -1.0))

    assert finishes_s(question, no_delay(peer("A"))) == [pytest.approx(1.4)]


def test_a_queue_that_this_job_does_not_explain_is_other_jobs_work() -> None:
    question = knowing(ask(THREE, "last"), root=running("A", -1.0, 4.0), other=bound("A", 4.0, 6.0))

    assert finishes_s(question, no_delay(peer("A", free_in_s=9.0)), ("other",), {"other": "A"}) == [9.0]


def test_a_queue_that_this_job_explains_does_not_count_twice_and_less_urgent_work_not_at_all() -> None:
    question = knowing(ask(THREE, "last"), root=running("A", -1.0, 4.0), other=bound("A", 4.0, 6.0))

    assert finishes_s(question, no_delay(peer("A", free_in_s=6.0))) == [5.0]


def test_a_bound_task_goes_to_its_node_and_one_without_to_where_it_ends_first() -> None:
    beliefs = no_delay(peer("A"), peer("B", speed=2.0), other=6.0, last=2.0)

    assert finishes_s(ask(THREE, "last"), beliefs, ("other",)) == [2.0, 4.0]
    assert finishes_s(ask(THREE, "last"), beliefs, ("other",), {"other": "A"}) == [8.0, 1.0]


def test_tasks_are_placed_one_after_another() -> None:
    beliefs = no_delay(peer("A"), peer("B", speed=2.0), other=6.0, third=1.9, last=2.0)

    # other goes to B until 3, so third is better off at A until 1.9.
    assert finishes_s(ask(THREE, "last"), beliefs, ("other", "third")) == [3.9, 4.0]


def test_a_gap_before_a_task_that_waits_for_its_inputs_may_be_used() -> None:
    chain = Dag((task("root", "other", output_bytes=100_000_000), task("other"), task("last")))
    question = knowing(ask(chain, "last"), root=running("B", 0.0, 2.0))
    beliefs = view("A", [peer("A"), peer("B", free_in_s=2.0)], links={"BA": Link(0.0, 1e8, 1.0)})

    # other waits at A for root's outputs: 2 s to make and 1 s to travel, 3 to 4.
    assert finishes_s(question, beliefs, ("other",), {"other": "A"}) == [1.0, 3.0]


def test_a_task_without_a_node_waits_for_inputs_that_set_out_now_and_a_bound_one_for_the_rest_of_their_way() -> None:
    chain = Dag((task("root", "other", output_bytes=300_000_000), task("other"), task("last")))
    question = knowing(ask(chain, "last"), root=done("B", -2.0))
    beliefs = view("A", [peer("A"), peer("B", speed=0.01)], links={"BA": Link(0.0, 1e8, 1.0)}, run_s={"last": 3.5})

    assert finishes_s(question, beliefs, ("other",))[0] == 4.0 + 3.5  # other: 3 to 4, too late a gap for last
    on_its_way = knowing(ask(chain, "last"), root=done("B", -2.0), other=bound("A"))
    assert finishes_s(on_its_way, beliefs, ("other",), {"other": "A"})[0] == 2.0 + 3.5  # other: 1 to 2


def test_inputs_of_an_imagined_task_come_from_where_its_parent_was_imagined() -> None:
    chain = Dag((task("root", "other", output_bytes=100_000_000), task("other"), task("last")))
    beliefs = view("A", [peer("A"), peer("B")], run_s={"root": 2.0, "last": 5.0})

    # root is imagined at A until 2, other therefore there too: at B it would end at 4.
    assert finishes_s(ask(chain, "last"), beliefs, ("root", "other")) == [8.0, 5.0]


def test_a_parent_of_which_nothing_is_known_delays_nobody() -> None:
    assert finishes_s(ask(THREE, "last"), no_delay(peer("A")), ("other",)) == [2.0]


def test_every_core_has_a_calendar() -> None:
    beliefs = no_delay(peer("A", cores=2), other=6.0, third=4.0)

    assert finishes_s(ask(THREE, "last"), beliefs) == [1.0]
    assert finishes_s(ask(THREE, "last"), beliefs, ("other",)) == [1.0]
    assert finishes_s(ask(THREE, "last"), beliefs, ("other", "third")) == [5.0]


def test_other_jobs_work_keeps_every_core_busy() -> None:
    assert finishes_s(ask(THREE, "last"), no_delay(peer("A", cores=2, free_in_s=3.0))) == [4.0]


def test_a_task_of_several_cores_takes_so_many_and_all_of_a_smaller_node() -> None:
    wide = Dag((task("root", "other", "last"), task("other", cores=2), task("last")))
    beliefs = no_delay(peer("A", cores=3), peer("B", cores=1), other=6.0)

    assert finishes_s(ask(wide, "last"), beliefs, ("other",), {"other": "A"}) == [1.0, 1.0]
    assert finishes_s(ask(wide, "other"), beliefs, ("last",), {"last": "A"}) == [6.0, 6.0]
    assert finishes_s(ask(wide, "last"), beliefs, ("other",), {"other": "B"}) == [1.0, 7.0]
    running_wide = knowing(ask(wide, "last"), other=running("A", -1.0, 5.0))
    assert finishes_s(running_wide, no_delay(peer("A", cores=3)), ("root",), {"root": "A"}) == [2.0]


def test_what_is_bound_to_a_node_out_of_sight_is_left_out() -> None:
    question = knowing(ask(THREE, "last"), other=bound("C"), root=running("C", 0.0, 9.0))

    assert finishes_s(question, no_delay(peer("A")), ("other",), {"other": "C"}) == [1.0]


def test_the_queue_is_told_up_to_the_imagined_start_when_the_task_waits_for_others() -> None:
    beliefs = no_delay(peer("A", free_in_s=1.0), other=6.0)
    question = ask(THREE, "last", parents=[Parent("root", node("A"), 3.0, 0.0)])
    alone, scores = outlook(question, beliefs)
    behind, _ = outlook(question, beliefs)
    behind.place(("other",), {"other": node("A")})

    assert (alone.seen(scores[0]).inputs_s, alone.seen(scores[0]).queue_s) == (3.0, 1.0)
    assert (behind.seen(scores[0]).inputs_s, behind.seen(scores[0]).queue_s) == (3.0, 7.0)
    assert behind.seen(scores[0]).total == 8.0


def test_among_very_many_peers_only_the_best_are_imagined() -> None:
    letters = [chr(0x100 + number) for number in range(PEERS_MAX + 2)]
    peers = [peer(letter, free_in_s=float(number)) for number, letter in enumerate(letters)]
    question = knowing(ask(THREE, "last"), other=bound(letters[0]), third=bound(letters[-1]))
    beliefs = view(letters[0], peers, run_s={"other": 50.0, "third": 50.0})
    found, scores = outlook(question, beliefs)

    found.place(("other", "third"), {"other": node(letters[0]), "third": node(letters[-1])})

    assert found.seen(scores[0]).total == 51.0
    assert found.seen(scores[-1]) == scores[-1]


def test_beyond_the_limit_bound_tasks_only_count_and_others_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.mappers.outlook.STEPS_MAX", 4)
    names = [f"leaf{number:02}" for number in range(10)]
    beliefs = no_delay(peer("A", cores=2))
    question = knowing(ask(star(11), "leaf10"), root=done("A"))
    bound_there, scores = outlook(question, beliefs)
    nowhere, _ = outlook(question, beliefs)

    bound_there.place(names, dict.fromkeys(names, node("A")))
    nowhere.place(names, {})

    # Three are laid out at two steps each, two on one core; seven more count for half a second on each.
    assert bound_there.seen(scores[0]).total == 1.0 + 3.5 + 1.0
    assert nowhere.seen(scores[0]).total == 1.0 + 1.0


def test_a_task_that_nobody_can_run_is_left_out() -> None:
    assert finishes_s(ask(THREE, "last"), no_delay(peer("A"), other=float("inf")), ("other",)) == [1.0]
