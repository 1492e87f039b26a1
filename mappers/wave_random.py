"""wave-random: any eligible peer, all alike, the deciding node included."""

from random import Random

from pnode.protocol.values import dataclass, replace
from pnode.protocol.view import Choice, Question, View

from .candidates import hinted_first
from .finish import expected_finishes


@dataclass(frozen=True, slots=True)
class WaveRandom:
    """Draws a number in [0, 1) for every candidate; the smallest goes first.

    The scores show the expected figures as well, for `explain`; they have no part in the decision.
    """

    name = "wave-random"

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        drawn = [replace(score, total=rng.random()) for score in expected_finishes(question, view)]
        drawn.sort(key=lambda score: score.total)
        return hinted_first(question, view, drawn)
