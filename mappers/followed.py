"""Followed: a static planner as a live mapper. Its plan travels with the job, and everybody keeps to it.

For comparison on real machines: HEFT and its like plan once, from the origin's view, and decide nothing afterwards. A
node that is gone, or that turned the task down, is replaced by the one with the earliest expected finish.
"""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

from pnode.protocol.dag import Dag
from pnode.protocol.values import dataclass, replace
from pnode.protocol.view import Choice, Planned, Question, View

from .finish import expected_finishes
from .wave_plan import ranked

if TYPE_CHECKING:
    from .plan import Planner


@dataclass(frozen=True, slots=True)
class Followed:
    """Makes the plan at submission and ranks the planned node first."""

    name: str
    planner: "Planner"
    """One that loads what it needs when it is called: whoever only names mappers need not wait for numpy."""

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:  # noqa: ARG002
        from .situation import planned_by

        return planned_by(lambda found: self.planner(found.instance), dag, view, items)

    def choose(self, question: Question, view: View, rng: Random) -> Choice:  # noqa: ARG002  # as all mappers have it
        planned = question.plan.get(question.task)
        first = None if planned is None else planned.node
        # The plan does not rest on queues: a longer one is no reason to decline.
        return replace(ranked(question, view, expected_finishes(question, view), first), minds_queue=False)
