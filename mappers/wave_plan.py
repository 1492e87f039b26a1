"""wave-plan: the peer on which a plan of everything that goes first would put the task.

Whoever holds the controlling parent knows more than the queues: which tasks of the job are not started yet and more
urgent. So it imagines a partial HEFT in its own view (`outlook`) and answers with the child's place in it; nothing
else is kept (scheduling.md 4.5: 1.08 of HEFT's makespan on layered graphs and 1.01 on traces at the median, where the
earliest expected finish alone reaches 1.17 and 1.08).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from pnode.protocol.ids import NodeId
from pnode.protocol.view import Choice, Phase, Question, Score, View

from .candidates import hinted_first
from .finish import expected_finishes
from .outlook import Outlook
from .rank import upward_ranks

RANKED_TASKS_MAX = 500
"""Ranks that nobody has worked out cost up to 30 microseconds a task to work out here: at most 15 milliseconds. In
larger graphs without ranks the expected finish decides."""


@dataclass(frozen=True, slots=True)
class WavePlan:
    """Smallest imagined finish first. Draws nothing, and does not depend on the order of the view."""

    name = "wave-plan"

    def choose(self, question: Question, view: View, rng: Random) -> Choice:  # noqa: ARG002  # as all mappers have it
        return ranked(question, view, imagined(question, view))


def ranked(question: Question, view: View, scores: Sequence[Score]) -> Choice:
    """The candidates in order of their totals, but those that the application asks for first."""
    if not scores:
        return Choice(())
    in_order = sorted(scores, key=lambda score: (score.total, score.inputs_s, score.node))
    return replace(hinted_first(question, view, in_order), minds_queue=True)


def imagined(question: Question, view: View) -> list[Score]:
    """A score for every eligible peer, with its finish as a partial plan has it.

    When it is not known how far the job is, or how urgent its tasks are, the totals are expected finishes.
    """
    scores = expected_finishes(question, view)
    ranks = _ranks(question, view)
    if not scores or not ranks:
        return scores
    outlook = Outlook(question, view, scores)
    outlook.place(more_urgent(question, ranks), homes(question))
    return [outlook.seen(score) for score in scores]


def more_urgent(question: Question, ranks: Mapping[str, float]) -> list[str]:
    """Tasks that have not started, as far as is known, and go before the one at hand, in upward-rank order.

    Of equal ranks that one goes first that stands first in the topological order of the graph.
    """
    mine, progress, bound = ranks[question.task], question.progress, Phase.BOUND
    before: list[str] = []
    equal_goes_first = True
    # One decision goes through all tasks of the graph here, so this is a plain loop: 0.2 microseconds a task.
    for name in question.dag.order:
        rank = ranks[name]
        if name == question.task:
            equal_goes_first = False
        elif rank > mine or (rank == mine and equal_goes_first):
            known = progress.get(name)
            if known is None or known.phase is bound:
                before.append(name)
    before.sort(key=ranks.__getitem__, reverse=True)  # keeps the order of equal ones
    return _without_past(question, before)


def homes(question: Question) -> dict[str, NodeId]:
    """The nodes that tasks are bound to and have not started on."""
    return {name: known.node for name, known in question.progress.items() if known.phase is Phase.BOUND}


def _without_past(question: Question, names: Sequence[str]) -> list[str]:
    """The names without tasks that have ended without our knowledge: whatever lies above a started task has."""
    by_name, progress = question.dag.by_name, question.progress
    past: set[str] = set()
    for name in reversed(names):
        if name not in progress and any(
            child in past or (child in progress and progress[child].phase is not Phase.BOUND)
            for child in by_name[name].children
        ):
            past.add(name)
    return [name for name in names if name not in past] if past else list(names)


def _ranks(question: Question, view: View) -> Mapping[str, float]:
    """Empty when there is nothing to imagine with."""
    if not question.progress and any(parent.task for parent in question.parents):
        return {}  # parents have nodes, so somebody knows how far the job is, but has not told us
    if question.ranks or len(question.dag.tasks) > RANKED_TASKS_MAX:
        return question.ranks
    return upward_ranks(question.dag, view)
