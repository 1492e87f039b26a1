from collections import Counter
from random import Random

from pnode.mappers.wave_random import WaveRandom
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Parent

from .beliefs import alone, ask, letters, node, peer, view

VIEW = view("A", [peer("A"), peer("B", speed=8.0), peer("C", free_in_s=99.0), peer("D", age_s=1e9)])


def first(seed: int) -> NodeId:
    return WaveRandom().choose(ask(alone()), VIEW, Random(seed)).ranking[0].node


def test_every_peer_is_as_likely_the_deciding_node_included() -> None:
    counts = Counter(letters([first(seed)]) for seed in range(4000))

    # Standard deviation of each count: sqrt(4000 * 1/4 * 3/4) = 27.
    assert all(abs(counts[letter] - 1000) < 4 * 27 for letter in "ABCD")


def test_every_peer_is_ranked_with_what_was_expected_of_it() -> None:
    question = ask(alone(), parents=[Parent("p", node("B"), 2.0, 0.0)])

    ranking = WaveRandom().choose(question, VIEW, Random(0)).ranking

    figures = {letters([score.node]): (score.inputs_s, score.queue_s, score.run_s) for score in ranking}
    usual = 99.0 / 3
    assert figures == {
        "A": (2.001, 0.0, 1.0),
        "B": (2.0, 0.0, 0.125),
        "C": (2.001, 99.0, 1.0),
        "D": (2.001, usual, 1.0),
    }
