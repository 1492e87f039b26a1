"""wave-plan: the peer on which a plan of everything that goes first would put the task.

Whoever holds the controlling parent knows more than the queues: which tasks of the job are not started yet and more
urgent. So it imagines a partial HEFT in its own view (`outlook`) and answers with the child's place in it; nothing
else is kept (scheduling.md 4.5: 1.08 of HEFT's makespan on layered graphs and 1.01 on traces at the median, where the
earliest expected finish alone reaches 1.17 and 1.08).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from random import Random

from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass, field, replace
from pnode.protocol.view import Choice, Moment, Phase, Progress, Question, Score, View

from .candidates import hinted_first
from .finish import expected_finishes
from .outlook import Outlook
from .rank import upward_ranks
from .urgency import Urgencies, Urgency

RANKED_TASKS_MAX = 500
"""Ranks that nobody has worked out cost up to 30 microseconds a task to work out here: at most 15 milliseconds. In
larger graphs without ranks the expected finish decides."""

LOOKS_MAX = 200
"""Tasks that are looked at before and after the one at hand, in order of urgency: what goes first but is not started,
and what explains the queues. A look costs up to five microseconds. In a wave the tasks far before have ended, and
those far after are in nobody's way."""


@dataclass(frozen=True, slots=True)
class WavePlan:
    """Smallest imagined finish first. Draws nothing, and does not depend on the order of the view."""

    name = "wave-plan"
    urgencies: Urgencies = field(default_factory=Urgencies, compare=False, repr=False)

    def choose(self, question: Question, view: View, rng: Random) -> Choice:  # noqa: ARG002  # as all mappers have it
        return ranked(question, view, imagined(question, view, self.urgencies))


def ranked(question: Question, view: View, scores: Sequence[Score], first: NodeId | None = None) -> Choice:
    """The candidates in order of their totals, but `first` before them, and before that those that the application
    asks for."""
    if not scores:
        return Choice(())
    in_order = sorted(scores, key=lambda score: (score.node != first, score.total, score.inputs_s, score.node))
    return replace(hinted_first(question, view, in_order), minds_queue=True)


def imagined(question: Question, view: View, urgencies: Urgencies) -> list[Score]:
    """A score for every eligible peer, with its finish as a partial plan has it.

    Tasks that are not bound go where the origin has planned them, if it has. When it is not known how far the job is,
    or how urgent its tasks are, the totals are expected finishes.
    """
    scores = expected_finishes(question, view)
    urgency = _by_rank(question, view, urgencies)
    if not scores or urgency is None:
        return scores
    outlook = _gone_on(question, scores, urgency)
    if outlook is None:
        before = urgency.before(question.task, LOOKS_MAX)
        known, started = look(question, (*before, *urgency.after(question.task, LOOKS_MAX)))
        outlook = Outlook(question, view, scores, known)
        names = not_started(question.dag, before, known, started)
        outlook.place(names, homes(question, names, known))
    if question.moment is not None:
        question.moment.imagined = (question.task, outlook)
    return [outlook.seen(score) for score in scores]


def _gone_on(question: Question, scores: Sequence[Score], urgency: Urgency) -> Outlook | None:
    """The outlook of the last question of this moment, if that was about a task that goes first: with those that go
    between, of which the one that was just placed is the first. A wave of hundreds is placed at one moment, and what
    each of them would see anew is nearly the same."""
    match question.moment:
        case Moment(imagined=(str(last), Outlook() as outlook)) if outlook.can_go_on(scores):
            between = urgency.between(last, question.task)
            if not 0 < len(between) <= LOOKS_MAX:
                return None
            known, started = look(question, between)
            outlook.go_on(question, known)
            names = not_started(question.dag, between, known, started)
            outlook.place(names, homes(question, names, known))
            return outlook
    return None


def look(question: Question, names: Sequence[str]) -> tuple[dict[str, Progress], set[str]]:
    """Of these tasks and the parents of the one at hand: how far those are that have a node and have not ended, and
    which have started."""
    progress, done, bound = question.progress, Phase.DONE, Phase.BOUND
    known: dict[str, Progress] = {}
    started: set[str] = set()
    for name in (*names, *question.dag.parents[question.task]):
        one = progress.get(name)
        if one is not None:
            phase = one.phase
            if phase is not done:
                known[name] = one
            if phase is not bound:
                started.add(name)
    return known, started


def homes(question: Question, names: Sequence[str], known: Mapping[str, Progress]) -> dict[str, NodeId]:
    """The nodes that tasks which have not started are bound to, or else planned on."""
    found = {name: one.node for name, one in known.items() if one.phase is Phase.BOUND}
    plan = question.plan
    if plan:
        found = {name: plan[name].node for name in names if name in plan} | found
    return found


def not_started(
    dag: Dag, names: Sequence[str], known: Mapping[str, Progress], started: AbstractSet[str]
) -> list[str]:
    """Of these tasks, each of which stands before its children, those that have not started.

    What lies above a started task has ended, whether or not we were told.
    """
    over = set(started)
    for name in reversed(names):
        if name not in over and name not in known and not over.isdisjoint(dag.by_name[name].children):
            over.add(name)
    return [name for name in names if name not in over]


def _by_rank(question: Question, view: View, urgencies: Urgencies) -> Urgency | None:
    """None when there is nothing to imagine with."""
    if any(parent.task and parent.task not in question.progress for parent in question.parents):
        return None  # parents have nodes, so somebody knows how far the job is, but has not told us
    if question.ranks:
        return urgencies.of(question.dag, question.ranks)
    if len(question.dag.tasks) > RANKED_TASKS_MAX:
        return None
    return Urgencies().of(question.dag, upward_ranks(question.dag, view))
