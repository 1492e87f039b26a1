"""Candidates: the peers that may be asked to run a task, and the order in which they are."""

from collections.abc import Sequence

from pnode.protocol.view import Choice, PeerView, Question, Score, View


def eligible(question: Question, view: View) -> tuple[PeerView, ...]:
    """Peers that have not turned the task down, in the order of the view."""
    return tuple(peer for peer in view.peers if peer.node not in question.excluded)


def wished(question: Question, view: View) -> tuple[PeerView, ...]:
    """Eligible peers whose names stand in the task's hint."""
    names = question.dag.by_name[question.task].hint
    return tuple(peer for peer in eligible(question, view) if peer.name in names)


def hinted_first(question: Question, view: View, scores: Sequence[Score]) -> Choice:
    """The mapper's own order, but with the nodes that the application asks for in front.

    `Task.hint` names nodes, first choice first. A hint is a wish, not a condition: a name that nobody bears, or whose
    node is not among the scores (it declined, failed the task, or may not compute), is passed over, and the scores
    after the hinted ones say who is next. Nodes that share a name keep the mapper's order among themselves.
    """
    wanted = question.dag.by_name[question.task].hint
    if not wanted:
        return Choice(tuple(scores))
    turn = {name: place for place, name in reversed(list(enumerate(wanted)))}
    names = {peer.node: peer.name for peer in view.peers}
    return Choice(tuple(sorted(scores, key=lambda score: turn.get(names[score.node], len(wanted)))))
