"""wave-hint: the origin's own plan travels with the job, and every holder keeps to it unless it sees a clear gain.

No node is special: the origin plans its own job once, from its own gossiped view. Whoever places a task then imagines
how its peers will be occupied by everything more urgent, each task where it is bound or else planned (`outlook`), and
overrules the plan only for a gain above a margin: without one, views that are a little old or noisy make tasks
wander, and nothing is won (scheduling.md 4.7, 5.9). Without any plan this is wave-plan.

To imagine what is planned to start earlier, instead of what is more urgent, was tried: then a critical task that HEFT
holds a slot for is in nobody's way, and the plan is overruled where it should not be (1.13 of HEFT's makespan on
layered graphs and 1.17 on traces at the median, instead of 1.06 and 1.00). To plan by the best of a portfolio was
tried, too: its plans are better to the letter, and worse when tasks are bound as late as holders bind them, at the
start of the last parent (1.12 and 1.05).
"""

from collections.abc import Mapping, Sequence
from random import Random

from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass, field
from pnode.protocol.view import Choice, Planned, Question, Score, View

from .urgency import Urgencies
from .wave_plan import imagined, ranked

MARGIN_SHARE = 0.2
"""Of the task's run time on the planned node: a smaller gain is not worth leaving the plan (scheduling.md 8.2)."""


@dataclass(frozen=True, slots=True)
class WaveHint:
    """Plans by HEFT; a planned node goes first unless it is beaten by the margin. Draws nothing."""

    name = "wave-hint"
    urgencies: Urgencies = field(default_factory=Urgencies, compare=False, repr=False)

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:  # noqa: ARG002
        # numpy comes with these, and whoever only names mappers need not wait for it.
        from .heft import heft
        from .situation import planned_by

        return planned_by(lambda found: heft(found.instance, free_from_s=found.free_from_s), dag, view, items)

    def choose(self, question: Question, view: View, rng: Random) -> Choice:  # noqa: ARG002  # as all mappers have it
        scores = imagined(question, view, self.urgencies)
        planned = question.plan.get(question.task)
        return ranked(question, view, scores, None if planned is None else kept(planned.node, scores))


def kept(planned: NodeId, scores: Sequence[Score]) -> NodeId | None:
    """The planned node, if it is a candidate and no other would end the task earlier by more than the margin."""
    here = next((score for score in scores if score.node == planned), None)
    if here is None:
        return None
    best_s = min(score.total for score in scores)
    return planned if best_s >= here.total - MARGIN_SHARE * here.run_s else None
