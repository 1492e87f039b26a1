"""wave-greedy: the peer on which the task is expected to end first, in seconds.

This is the binding of a task to the earliest expected finish (scheduling.md 4.4) by the node that holds its
controlling parent, from that node's own view. It repairs what makes Jupiter's greedy rule weak (jupiter.md 1.7): one
unit, the edges' own sizes, all known parents, the task's run time on each node, the queue there, and the deciding
node may choose itself. How far a load figure that is no longer fresh is trusted is the rule of `load`.
"""

from random import Random

from pnode.protocol.values import dataclass, replace
from pnode.protocol.view import Choice, Question, View

from .candidates import hinted_first
from .finish import expected_finishes

HERD_SHARE = 0.1
"""Controllers that decide at the same moment see the same figures and would all choose the same node, which costs
whole run times (scheduling.md 4.2, "the herd"). Drawing among those that are worse by a tenth of a run time at most
costs a twentieth of one."""


@dataclass(frozen=True, slots=True)
class WaveGreedy:
    """Smallest expected finish first, but those within HERD_SHARE of the best in random order. The answer does not
    depend on the order of the view."""

    name = "wave-greedy"

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        scores = expected_finishes(question, view)
        if not scores:
            return Choice(())
        scores.sort(key=lambda score: (score.total, score.inputs_s, score.node))
        herd = sum(score.total <= scores[0].total + HERD_SHARE * scores[0].run_s for score in scores)
        best, rest = scores[:herd], scores[herd:]
        rng.shuffle(best)
        return replace(hinted_first(question, view, best + rest), minds_queue=True)
