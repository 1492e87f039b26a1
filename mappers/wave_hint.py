"""wave-hint: the origin's own plan travels with the job, and every holder keeps to it unless it sees a clear gain.

No node is special: the origin plans its own job once, from its own gossiped view. Whoever places a task then imagines
how its peers will be occupied by all that is planned before it (`outlook`), and overrules the plan only for a gain
above a margin: without one, views that are a little old or noisy make tasks wander, and nothing is won (scheduling.md
4.7, 5.9). With perfect information the job takes as long as HEFT plans it (5.1); without any plan this is wave-plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Choice, Planned, Question, Score, View

from .finish import expected_finishes
from .outlook import Outlook
from .urgency import Urgencies
from .wave_plan import LOOKS_MAX, homes, imagined, look, not_started, ranked

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
        planned = question.plan.get(question.task)
        if planned is None:
            return ranked(question, view, imagined(question, view, self.urgencies))
        scores = self._imagined(question, view)
        return ranked(question, view, scores, kept(planned.node, scores))

    def _imagined(self, question: Question, view: View) -> list[Score]:
        """The scores, when everything that is planned earlier goes where it is bound to or else planned."""
        scores = expected_finishes(question, view)
        if not scores:
            return scores
        plan, urgency = question.plan, self.urgencies.by_start(question.dag, question.plan)
        before = urgency.before(question.task, LOOKS_MAX)
        known = look(question, (*before, *urgency.after(question.task, LOOKS_MAX)))
        outlook = Outlook(question, view, scores, known)
        names = not_started(question.dag, before, known)
        outlook.place(names, {name: plan[name].node for name in names if name in plan} | homes(known))
        return [outlook.seen(score) for score in scores]


def kept(planned: NodeId, scores: Sequence[Score]) -> NodeId | None:
    """The planned node, if it is a candidate and no other would end the task earlier by more than the margin."""
    here = next((score for score in scores if score.node == planned), None)
    if here is None:
        return None
    best_s = min(score.total for score in scores)
    return planned if best_s >= here.total - MARGIN_SHARE * here.run_s else None
