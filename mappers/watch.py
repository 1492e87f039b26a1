"""Watch: when a running task is overdue, what is believed of it then, and when a copy of it is worth starting.

Waiting until a slow task ends tells of a slow node too late. So a task that has run 1.25 times its expected duration
is noticed (scheduling.md 4.10; where a quarter of the nodes turns 4 times slower, the makespan is 0.74 of static
HEFT's with the watch and 0.82 without), and one that has run 1.5 times may get a copy on an idle node (4.11). The
first of the two to end wins. The node of the other is charged with what it took (`Factor.learn`): without that charge
it would go on looking fast, and the copies did harm (0.87 instead of 0.72).
"""

from pnode.protocol.values import dataclass

OVERDUE_SHARE = 1.25
"""Of the expected duration, the node's factor included."""

LEFT_SHARE = 0.3
"""An overdue task is believed to need so much more, as a share of what it has taken."""

AGAIN_SHARE = 0.5
"""It is looked at again when it has taken so much more, as a share of what it has taken."""

COPY_SHARE = 1.5
"""Of the expected duration: from then on a copy may be started."""

COPY_AGAIN_SHARE = 0.25
"""Of the expected duration: how soon to look again for a place for the copy."""

COPY_PATIENCE_SHARE = 0.1
"""Of what it has taken, if that is more: a task that takes for ever must not be looked at for ever."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """What is believed of an overdue task."""

    finish_s: float
    again_s: float
    """When to look at it again."""


def due_s(start_s: float, expected_s: float) -> float:
    """When a task that has not ended is overdue."""
    return start_s + OVERDUE_SHARE * expected_s


def overdue(start_s: float, now: float) -> Overdue:
    """An overdue task, seen now."""
    elapsed_s = now - start_s
    return Overdue(now + LEFT_SHARE * elapsed_s, now + AGAIN_SHARE * elapsed_s)


def copy_due_s(start_s: float, expected_s: float) -> float:
    """When to look for a place for a copy, if the task has not ended."""
    return start_s + COPY_SHARE * expected_s


def copy_again_s(start_s: float, expected_s: float, now: float) -> float:
    """When to look again, if there was no place."""
    return now + max(COPY_AGAIN_SHARE * expected_s, COPY_PATIENCE_SHARE * (now - start_s))


def is_copy_worth_it(copy_finish_s: float, start_s: float, expected_s: float, now: float) -> bool:
    """Whether a copy that would end then is likely to end first.

    The task is taken to need half of what it has taken on top, or three tenths of what was expected if that is more.
    """
    return copy_finish_s < now + max(0.5 * (now - start_s), 0.3 * expected_s)
