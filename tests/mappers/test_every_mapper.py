"""What holds for all mappers, whatever they are asked."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.catalogue import MAPPERS
from pnode.mappers.wave_classic import Generation, Size, WaveGreedyClassic, WaveRandomClassic
from pnode.mappers.wave_greedy import HERD_SHARE, WaveGreedy
from pnode.protocol.view import Choice, Mapper, Question, Score, View

from .beliefs import alone, ask, node, peer, view
from .situations import situations

EVERY = [
    *MAPPERS.values(),
    WaveRandomClassic(Generation.V4_AND_V5),
    WaveGreedyClassic(Generation.V4_AND_V5, reuse_penalty=False, size=Size.SAMPLE, sample_bytes=12_500),
    WaveGreedyClassic(size=Size.EDGE),
]
mappers = st.sampled_from(EVERY)


@given(mappers, situations())
def test_nobody_is_chosen_who_is_excluded_unknown_or_chosen_already(
    mapper: Mapper, situation: tuple[Question, View]
) -> None:
    question, beliefs = situation

    chosen = [score.node for score in mapper.choose(question, beliefs, Random(0)).ranking]

    known = {one.node for one in beliefs.peers}
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= known - question.excluded


@given(mappers, situations())
def test_every_number_is_finite(mapper: Mapper, situation: tuple[Question, View]) -> None:
    for score in mapper.choose(*situation, Random(0)).ranking:
        assert all(math.isfinite(number) for number in (score.total, score.inputs_s, score.queue_s, score.run_s))


def draw_s(mapper: Mapper, ranking: tuple[Score, ...]) -> float:
    """Below this total the order is drawn by lot."""
    if not isinstance(mapper, WaveGreedy) or not ranking:
        return -math.inf
    best = min(ranking, key=lambda score: (score.total, score.inputs_s, score.node))
    return best.total + HERD_SHARE * best.run_s


@given(mappers, situations())
def test_after_the_hinted_nodes_totals_only_grow(mapper: Mapper, situation: tuple[Question, View]) -> None:
    question, beliefs = situation
    names = {one.node: one.name for one in beliefs.peers}
    hint = question.dag.by_name[question.task].hint

    ranking = mapper.choose(question, beliefs, Random(0)).ranking

    wished = [names[score.node] in hint for score in ranking]
    totals = [max(score.total, draw_s(mapper, ranking)) for score in ranking if names[score.node] not in hint]
    assert wished == sorted(wished, reverse=True)
    # v1-v3's way out ranks by cpu + memory alone, and only when the threshold leaves no neighbour.
    fallback = isinstance(mapper, WaveGreedyClassic) and any(not score.inputs_s for score in ranking)
    assert fallback or totals == sorted(totals)


@given(mappers, situations(), st.integers())
def test_the_same_arguments_and_generator_state_give_the_same_answer(
    mapper: Mapper, situation: tuple[Question, View], seed: int
) -> None:
    question, beliefs = situation
    before = repr((question, beliefs))

    answers = [mapper.choose(question, beliefs, Random(seed)) for _ in range(2)]

    assert answers[0] == answers[1]
    assert repr((question, beliefs)) == before


@pytest.mark.parametrize("mapper", EVERY)
def test_an_empty_view_gives_an_empty_ranking(mapper: Mapper) -> None:
    assert mapper.choose(ask(alone()), view("A", []), Random(0)) == Choice(())


@pytest.mark.parametrize("mapper", EVERY)
@pytest.mark.parametrize("wish", ["A", "C"])
def test_a_wish_is_granted_also_to_the_deciding_node_and_to_one_far_away(mapper: Mapper, wish: str) -> None:
    beliefs = view("A", [peer("A"), peer("B"), peer("C", cpu=99.0)])

    for seed in range(10):
        ranking = mapper.choose(ask(alone(hint=(wish,))), beliefs, Random(seed)).ranking

        assert ranking[0].node == node(wish)
        assert len(ranking) >= 2
