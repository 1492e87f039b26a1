"""Goal: what pnode has to reach against the others, or absolutely, and whether it did."""

from collections.abc import Mapping
from dataclasses import dataclass

from .contestant import DEFAULTS, LIGHT
from .workload import FIGURES

BEST_PEER = "the best peer"

NOBODY = ""

NODES = 2


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for one figure."""

    figure: str
    bound: float
    """How many times as good as the other; or, where there is no other, the figure itself."""
    against: str = BEST_PEER
    """BEST_PEER, the name of a contestant, or nobody."""
    who: str = DEFAULTS.name


@dataclass(frozen=True, slots=True)
class Verdict:
    goal: Goal
    reached: float
    """In the units of the goal's bound."""
    other: str
    """Who it was compared with."""
    met: bool


GOALS = (
    Goal("independent", 2.0),
    Goal("independent", 3.0, who=LIGHT.name),
    Goal("chain", 2.0),
    Goal("forks", 4.0),
    Goal("data", 1.0),
    Goal("data", 0.6, "sendfile"),
    Goal("commands", 1.5),
    Goal("commands", 0.7, "posix_spawn"),
    Goal("cold", 1.25),
    Goal("idle_memory", NODES * 45.0, NOBODY),
    Goal("idle_cpu", NODES * 0.3, NOBODY),
    Goal("lost", 0.3, NOBODY),
    Goal("repeated", 0.0, NOBODY),
    Goal("killed", 1.0, NOBODY),
    Goal("frozen", 10.0, NOBODY),
    Goal("help", 0.15, NOBODY),
    Goal("jobs", 0.25, NOBODY),
)

Medians = Mapping[str, float]
"""Of one figure, by contestant."""


def judge(goal: Goal, medians: Medians, peers: list[str]) -> Verdict | None:
    """Whether a goal was reached; None if it was not measured, on either side."""
    ours = medians.get(goal.who)
    if ours is None:
        return None
    if goal.against == NOBODY:
        return Verdict(goal, ours, NOBODY, ours <= goal.bound)
    other = best(goal.figure, medians, peers) if goal.against == BEST_PEER else goal.against
    if other not in medians:
        return None
    reached = FIGURES[goal.figure].advantage(ours, medians[other])
    return Verdict(goal, reached, other, reached >= goal.bound)


def best(figure: str, medians: Medians, among: list[str]) -> str:
    """Who has the best median of those; nobody if none of them has any."""
    present = [name for name in among if name in medians]
    sign = -1 if FIGURES[figure].more_is_better else 1
    return min(present, key=lambda name: sign * medians[name], default=NOBODY)
