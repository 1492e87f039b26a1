"""The node's answers about trials, as values (see `api`)."""

from pnode.protocol.values import dataclass


@dataclass(frozen=True, slots=True)
class TaskProfile:
    """How a task runs on a node."""

    task: str
    node: str
    runs: int
    """So many have succeeded."""
    seconds: float | None
    """Median of them; None if there are none."""
    spread_s: float
    """Between the shortest and the longest."""
    output_bytes: int
    """What the last one wrote."""
    trouble: str
    """Why there are fewer than were asked for; empty if there are not."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """How the tasks of a graph run on each node, as far as it is known yet."""

    program: str
    tasks: tuple[TaskProfile, ...]
    """All of them on the first node, then on the next."""
    round: int
    """From 1."""
    rounds: int
    done: bool
