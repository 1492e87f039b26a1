"""Bid: when a node says it would have ended a task, asked before the task is moved or handed to it.

What is known of other nodes is old, and whoever acts on it finds the same nodes idle as everybody else: several
origins that plan without knowing of each other take 3.55 times as long as with exact calendars, and with three fresh
bids per task 1.17 times (scheduling.md 5.7). So the nodes with the best quotes are asked, and the present one too. A
task is moved only for a gain above a margin; without one stale views make tasks wander (5.9: on views ten mean tasks
old 1.27-1.36 under noise without bids, 1.10 with bids, 1.07 with bids and margin).
"""

from collections.abc import Iterable, Mapping, Sequence

ASKED = 3
"""Nodes that are asked besides the present one."""

MARGIN_SHARE = 0.2
"""Of the task's run time where it is: a smaller gain is not worth a move."""

FRESH_MARGIN_SHARE = 0.1
"""The same without bids, for a view that is fresh."""


def free_s(cores: Sequence[float], ahead: Iterable[tuple[float, float]]) -> float:
    """When a core is free for one more task, on the node that is asked.

    `cores` are the expected ends of what runs there (now, for an idle core); `ahead` are (inputs, run time) of the
    bound tasks that go first, in their order, none of which starts before its inputs are expected.
    """
    free = sorted(cores)
    for inputs_s, run_s in ahead:
        free[0] = max(free[0], inputs_s) + run_s
        free.sort()
    return free[0]


def answer_s(free_at_s: float, inputs_s: float, run_s: float) -> float:
    """The bid: when the task would have ended."""
    return max(free_at_s, inputs_s) + run_s


def asked(quotes_s: Mapping[int, float], present: int, count: int = ASKED) -> tuple[int, ...]:
    """Whom to ask, the best quote first: `count` nodes, and the present one (by its number among equals)."""
    best = sorted(quotes_s, key=lambda node: (quotes_s[node], node))[:count]
    return tuple(best) if present in best or present not in quotes_s else (*best, present)


def winner(bids_s: Mapping[int, float], present: int, run_s: float, margin_share: float = MARGIN_SHARE) -> int:
    """The node that the task goes to: the smallest bid, but the present node unless that is beaten by the margin.

    `run_s` is the task's run time where it is. A present node without a bid is lost, and has no claim.
    """
    best = min(bids_s, key=lambda node: (bids_s[node], node))
    if present in bids_s and bids_s[best] >= bids_s[present] - margin_share * run_s:
        return present
    return best
