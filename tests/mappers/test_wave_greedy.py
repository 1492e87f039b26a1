from random import Random

from hypothesis import given

from pnode.mappers.imagine import imagine
from pnode.mappers.wave_greedy import WaveGreedy
from pnode.mappers.wave_random import WaveRandom
from pnode.protocol.view import Choice, Mapper, Parent, Question, View

from .beliefs import alone, ask, big_dag, letters, node, peer, star, view
from .situations import situations


def choose(question: Question, beliefs: View) -> Choice:
    return WaveGreedy().choose(question, beliefs, Random(1))


def order(choice: Choice) -> str:
    return letters([score.node for score in choice.ranking])


def test_the_faster_of_two_idle_nodes_is_chosen() -> None:
    assert order(choose(ask(alone()), view("A", [peer("A"), peer("B", speed=2.0)]))) == "BA"


def test_a_fast_node_with_a_long_queue_is_not() -> None:
    assert order(choose(ask(alone()), view("A", [peer("A"), peer("B", speed=2.0, free_in_s=5.0)]))) == "AB"


def test_a_task_stays_with_large_data() -> None:
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)])
    question = ask(alone(), parents=[Parent("p", node("A"), 0.0, 1e9)])

    assert order(choose(question, beliefs)) == "AB"


def test_every_parent_counts_not_only_the_deciding_nodes() -> None:
    beliefs = view("A", [peer("A"), peer("B")])
    parents = [Parent("here", node("A"), 0.0, 1e3), Parent("there", node("B"), 0.0, 1e9)]

    assert order(choose(ask(alone(), parents=parents), beliefs)) == "BA"


def test_what_was_just_bound_to_a_node_sends_the_next_task_elsewhere() -> None:
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)])

    assert order(choose(ask(alone(), mine=[("B", 3.0)]), beliefs)) == "AB"


def test_a_stale_figure_of_an_idle_node_does_not_attract() -> None:
    beliefs = view("A", [peer("A", free_in_s=1.0), peer("B", free_in_s=9.0), peer("C", age_s=60.0)])

    assert order(choose(ask(alone()), beliefs)) == "ACB"


def test_controllers_that_see_the_same_do_not_all_choose_the_same() -> None:
    beliefs = view("A", [peer("A", free_in_s=2.0), *(peer(name) for name in "BCDE")])
    firsts = {order(WaveGreedy().choose(ask(alone()), beliefs, Random(seed)))[0] for seed in range(50)}

    assert firsts == set("BCDE")


def test_the_draw_is_among_those_that_lose_a_tenth_of_a_run_at_most() -> None:
    beliefs = view("A", [peer("A"), peer("B", free_in_s=0.09), peer("C", free_in_s=0.11)])
    rankings = {order(WaveGreedy().choose(ask(alone()), beliefs, Random(seed))) for seed in range(20)}

    assert rankings == {"ABC", "BAC"}


def test_a_choice_rests_on_the_queues() -> None:
    assert choose(ask(alone()), view("A", [peer("A")])).minds_queue


def test_a_hint_counts_for_more_than_an_early_finish() -> None:
    assert order(choose(ask(alone(hint=("B",))), view("A", [peer("A"), peer("B", free_in_s=99.0)]))) == "BA"


def test_nobody_eligible_gives_an_empty_ranking() -> None:
    assert choose(ask(alone()), view("A", [])) == Choice(())
    assert choose(ask(alone(), excluded=["A"]), view("A", [peer("A")])) == Choice(())


def test_greedy_ends_sooner_than_random_on_unlike_nodes() -> None:
    peers = [peer(letter, speed=speed) for letter, speed in zip("ABCDEFGH", (1, 1, 2, 2, 4, 4, 8, 8), strict=True)]
    beliefs = view("A", peers, run_s=dict.fromkeys(big_dag().by_name, 10.0))

    def ends_s(mapper: Mapper, seed: int) -> float:
        return max(one.finish_s for one in imagine(big_dag(), beliefs, mapper, Random(seed)).values())

    greedy_s = ends_s(WaveGreedy(), 0)
    random_s = sorted(ends_s(WaveRandom(), seed) for seed in range(21))

    assert greedy_s < random_s[0]
    assert random_s[10] > 2 * greedy_s


def test_a_fan_out_is_spread_in_proportion_to_speed() -> None:
    beliefs = view("A", [peer("A"), peer("B"), peer("C", speed=2.0)])

    placed = imagine(star(40), beliefs, WaveGreedy(), Random(0))

    counts = [letters([one.node for one in placed.values()]).count(letter) for letter in "ABC"]
    assert counts[2] in range(19, 22)
    assert abs(counts[0] - counts[1]) <= 1


@given(situations())
def test_the_order_of_the_view_makes_no_difference(situation: tuple[Question, View]) -> None:
    question, beliefs = situation
    turned = View(beliefs.me, beliefs.peers[::-1], beliefs.link, beliefs.run_s)

    assert choose(question, turned) == choose(question, beliefs)
