"""Pinned: everything to one node, whenever that has nothing else to do. For measuring how fast it is at a job.

What the job is planned for lies years ahead, so everybody's other work goes before it; and a node that declines or is
gone is not replaced, since the figure would be another's.
"""

from collections.abc import Mapping
from random import Random

from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass
from pnode.protocol.view import Choice, Planned, Question, View

from .finish import expected_finishes

LATER_S = 1e9
"""Thirty years after the job's submission: a queue is worked off in the order of what is due."""

NAME = "pinned"


@dataclass(frozen=True, slots=True)
class Pinned:
    """Plans all tasks for one node; who decides sends them where they are planned."""

    node: NodeId | None = None
    """For whom plans are made; who only follows them need not know."""

    @property
    def name(self) -> str:
        return NAME

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:  # noqa: ARG002
        if self.node is None:
            return {}
        return {task.name: Planned(self.node, LATER_S, LATER_S) for task in dag.tasks}

    def choose(self, question: Question, view: View, rng: Random) -> Choice:  # noqa: ARG002  # as all mappers have it
        planned = question.plan.get(question.task)
        if planned is None:
            return Choice(())
        return Choice(tuple(score for score in expected_finishes(question, view) if score.node == planned.node))
