"""Jupiter's rules against vectors worked out by hand (jupiter.md 1.5, 1.6, 1.9; scheduling.md 3.2)."""

from collections import Counter
from random import Random

import pytest

from pnode.mappers.imagine import imagine
from pnode.mappers.wave_classic import Generation, Size, WaveGreedyClassic, WaveRandomClassic, quadratic
from pnode.protocol.view import Link, Mapper, Parent, Question, Score, View

from .beliefs import alone, ask, letters, node, peer, star, view


def milliseconds(b: float, c: float) -> Link:
    """A link whose quadratic is (0, b, c)."""
    return Link(c / 1000.0, 125_000.0 / b, 1.0)


NEIGHBOURS = view(
    "M",
    [peer("A", cpu=10.0, memory=20.0), peer("B", cpu=90.0, memory=60.0), peer("C"), peer("M")],
    links={"MA": milliseconds(0.05, 200.0), "MB": milliseconds(0.02, 150.0), "MC": milliseconds(0.01, 4000.0)},
)
"""The score vector of jupiter.md 1.9."""

HUNDRED_KBIT = 12_500
V5 = WaveGreedyClassic(Generation.V4_AND_V5, reuse_penalty=False, size=Size.SAMPLE, sample_bytes=HUNDRED_KBIT)


def ranking(mapper: Mapper, question: Question, beliefs: View) -> tuple[Score, ...]:
    return mapper.choose(question, beliefs, Random(0)).ranking


def order(mapper: Mapper, question: Question, beliefs: View) -> str:
    return letters([score.node for score in ranking(mapper, question, beliefs)])


def test_a_link_of_a_megabyte_a_second_costs_an_eighth_of_a_millisecond_a_kilobit() -> None:
    assert quadratic(Link(0.25, 1e6, 1.0)) == (0.0, 0.125, 250.0)


def test_the_vector_of_the_reference_chooses_a_with_its_numbers() -> None:
    a, b = ranking(V5, ask(alone()), NEIGHBOURS)

    assert letters([a.node, b.node]) == "AB"
    assert [a.total, b.total] == pytest.approx([235.0, 302.0])
    assert [a.inputs_s, b.inputs_s] == pytest.approx([0.205, 0.152])


def test_the_size_may_be_that_of_the_edges_from_the_deciding_node() -> None:
    parents = [
        Parent("one", node("M"), 0.0, 5_000),
        Parent("two", node("M"), 0.0, 7_500),
        Parent("elsewhere", node("A"), 0.0, 1e9),
    ]

    a, _ = ranking(WaveGreedyClassic(size=Size.EDGE), ask(alone(), parents=parents), NEIGHBOURS)

    assert a.total == pytest.approx(235.0)


def test_the_size_may_be_the_length_of_the_name() -> None:
    a, _ = ranking(WaveGreedyClassic(), ask(alone()), NEIGHBOURS)

    assert a.total == pytest.approx(200.0 + 0.05 * len("only") + 30.0)


def test_the_size_of_a_sample_must_be_given() -> None:
    with pytest.raises(ValueError, match="sample_bytes"):
        WaveGreedyClassic(size=Size.SAMPLE)


@pytest.mark.parametrize(("delay_ms", "expected"), [(1499.9, "BA"), (1500.0, "A"), (1500.1, "A")])
def test_fifteen_times_the_smallest_delay_is_too_far(delay_ms: float, expected: str) -> None:
    beliefs = view(
        "M",
        [peer("A", cpu=100.0, memory=100.0, age_s=0.0), peer("B")],
        links={"MA": Link(0.1, float("inf"), 1.0), "MB": Link(delay_ms / 1000.0, float("inf"), 1.0)},
    )

    found = order(V5, ask(alone()), beliefs)

    assert sorted(found) == sorted(expected)


def test_of_equal_costs_the_first_in_order_wins() -> None:
    beliefs = view("M", [peer("A", cpu=5.0), peer("B", memory=5.0), peer("C", cpu=4.0)])
    turned = View(beliefs.me, beliefs.peers[::-1], beliefs.link, beliefs.run_s)

    assert order(V5, ask(alone()), beliefs) == "CAB"
    assert order(V5, ask(alone()), turned) == "CBA"


@pytest.mark.parametrize(("mapper", "missing"), [(WaveGreedyClassic(), 10_000.0), (V5, 9_223_372_036_854_775_807.0)])
@pytest.mark.parametrize("figures", [(None, 1.0), (1.0, None), (None, None)])
def test_a_node_without_figures_counts_as_hopeless_but_not_as_invalid(
    mapper: WaveGreedyClassic, missing: float, figures: tuple[float | None, float | None]
) -> None:
    beliefs = view("M", [peer("A", cpu=figures[0], memory=figures[1]), peer("B", cpu=99.0, memory=99.0)])

    scores = ranking(mapper, ask(alone()), beliefs)

    assert letters([score.node for score in scores]) == "BA"
    assert scores[1].total == pytest.approx(2 * missing + 1000 * scores[1].inputs_s)


def test_the_deciding_node_is_never_chosen() -> None:
    beliefs = view("M", [peer("A", cpu=100.0, memory=100.0, free_in_s=1e6), peer("M")])

    assert order(WaveGreedyClassic(), ask(alone()), beliefs) == "A"
    assert order(V5, ask(alone()), beliefs) == "A"


def test_a_used_neighbour_counts_as_a_hundred_seconds_away() -> None:
    a_used = ask(alone(), mine=[("A", 0.0)])

    assert order(WaveGreedyClassic(), a_used, NEIGHBOURS) == "B"
    assert order(V5, a_used, NEIGHBOURS) == "AB"


def test_once_all_neighbours_are_used_the_least_busy_takes_everything() -> None:
    all_used = ask(alone(), mine=[("A", 1.0), ("B", 1.0), ("C", 1.0)])

    assert order(WaveGreedyClassic(), all_used, NEIGHBOURS) == "CAB"


FREE_LINKS = {"MA": Link(0.0, float("inf"), 1.0), "MB": Link(0.0, float("inf"), 1.0)}


def test_a_smallest_delay_of_nothing_leaves_nobody_and_v1_falls_back_on_the_idlest() -> None:
    peers = [peer("A", cpu=50.0), peer("B", memory=40.0), peer("C", cpu=None), peer("M", cpu=99.0)]
    beliefs = view("M", peers, links=FREE_LINKS)

    assert order(WaveGreedyClassic(), ask(alone()), beliefs) == "BAM"
    assert order(V5, ask(alone()), beliefs) == ""


def test_a_node_alone_runs_the_task_itself_in_v1_and_never_in_v5() -> None:
    beliefs = view("M", [peer("M")])

    assert order(WaveGreedyClassic(), ask(alone()), beliefs) == "M"
    assert order(V5, ask(alone()), beliefs) == ""


def star_counts(mapper: Mapper, nodes: str) -> list[int]:
    """How many of a star's 61 tasks each node but the root's gets, and the root's last."""
    peers = [peer(letter, cpu=float(place), memory=20.0) for place, letter in enumerate(nodes)]
    placed = imagine(star(60), view("A", peers), mapper, Random(0))
    counts = Counter(one.node for one in placed.values())
    root = placed["root"].node
    return [*sorted(count for one, count in counts.items() if one != root), counts[root]]


def test_a_star_of_sixty_on_eight_nodes_puts_fifty_four_on_one_with_the_v1_rule() -> None:
    assert star_counts(WaveGreedyClassic(), "ABCDEFGH") == [1, 1, 1, 1, 1, 1, 54, 1]


def test_with_two_nodes_all_sixty_go_to_the_other_one() -> None:
    assert star_counts(WaveGreedyClassic(), "AB") == [60, 1]


def test_without_the_penalty_all_children_of_a_controller_go_to_one_node_from_the_start() -> None:
    assert star_counts(V5, "ABCDEFGH") == [60, 1]


def firsts(mapper: Mapper, nodes: str, excluded: str = "") -> Counter[str]:
    beliefs = view("A", [peer(letter) for letter in nodes])
    question = ask(alone(), excluded=excluded)
    return Counter(letters([mapper.choose(question, beliefs, Random(seed)).ranking[0].node]) for seed in range(3000))


def test_random_of_v1_is_uniform_over_the_others() -> None:
    counts = firsts(WaveRandomClassic(), "ABCD")

    assert counts["A"] == 0
    # Standard deviation of each count: sqrt(3000 * 1/3 * 2/3) = 26.
    assert all(abs(counts[letter] - 1000) < 4 * 26 for letter in "BCD")


def test_random_of_v4_is_uniform_over_all() -> None:
    counts = firsts(WaveRandomClassic(Generation.V4_AND_V5), "ABC")

    assert all(abs(counts[letter] - 1000) < 4 * 26 for letter in "ABC")


def test_random_of_v1_takes_itself_when_there_is_nobody_else() -> None:
    assert firsts(WaveRandomClassic(), "A") == {"A": 3000}
    assert firsts(WaveRandomClassic(), "AB", excluded="B") == {"A": 3000}
