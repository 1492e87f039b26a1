"""wave-greedy: the peer on which the task is expected to end first, in seconds.

This is the binding of a task to the earliest expected finish (scheduling.md 4.4) by the node that holds its
controlling parent, from that node's own view. It repairs what makes Jupiter's greedy rule weak (jupiter.md 1.7): one
unit, the edges' own sizes, all known parents, the task's run time on each node, the queue there, and the deciding
node may choose itself. How far a load figure that is no longer fresh is trusted is the rule of `load`.
"""

from dataclasses import dataclass
from random import Random

from pnode.protocol.view import Choice, Question, View

from .candidates import hinted_first
from .finish import expected_finishes


@dataclass(frozen=True, slots=True)
class WaveGreedy:
    """Smallest expected finish first. Among equals the one whose inputs are there earlier, which moves less data,
    then the smaller node id. The answer does not depend on the order of the view, nor on the generator."""

    name = "wave-greedy"

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        del rng
        scores = expected_finishes(question, view)
        scores.sort(key=lambda score: (score.total, score.inputs_s, score.node))
        return hinted_first(question, view, scores)
