"""Finish: when a task would be done on each node that might run it, in seconds from now."""

from collections.abc import Callable, Sequence

from pnode.protocol.ids import NodeId
from pnode.protocol.view import Link, Parent, Question, Score, View

from .candidates import eligible
from .load import queues_s


def arrivals_s(
    parents: Sequence[Parent], targets: Sequence[NodeId], link: Callable[[NodeId, NodeId], Link]
) -> list[float]:
    """When the last input could be at each target; 0 without parents.

    Inputs travel independently of each other, each as soon as its parent has ended (scheduling.md 2.1).
    """
    # A task that gathers hundreds of parents finds them on a few nodes: ask for each link once.
    sources: dict[NodeId, list[Parent]] = {}
    for parent in parents:
        sources.setdefault(parent.node, []).append(parent)
    return [
        max((_last_s(group, link(source, target)) for source, group in sources.items()), default=0.0)
        for target in targets
    ]


def _last_s(parents: Sequence[Parent], way: Link) -> float:
    return max(parent.ready_in_s + way.transfer_s(parent.size_bytes) for parent in parents)


def expected_finishes(question: Question, view: View) -> list[Score]:
    """A score for every eligible peer, in the order of the view; the total is the expected finish:

    max(last input's arrival, queue) + run time        (scheduling.md 4.4)
    """
    nodes = [peer.node for peer in eligible(question, view)]
    queues = queues_s(view.peers, question.mine, view.refresh_s)
    arrivals = arrivals_s(question.parents, nodes, view.link)
    return [
        _score(node, arrival, queues[node], view.run_s(question.task, node))
        for node, arrival in zip(nodes, arrivals, strict=True)
    ]


def _score(node: NodeId, inputs_s: float, queue_s: float, run_s: float) -> Score:
    return Score(node, max(inputs_s, queue_s) + run_s, inputs_s, queue_s, run_s)
