"""The roster: every mapper that can be compared, with a line on what it does."""

from pnode.mappers.catalogue import MAPPERS
from pnode.mappers.planners import PLANNERS
from pnode.sim.schedule.strategies import NAMES

WHAT: dict[str, str] = {
    "wave-greedy": "the holder of a parent takes the earliest expected finish",
    "wave-plan": "the holder first imagines where more urgent tasks will go",
    "wave-hint": "the origin's plan travels along; holders overrule it for a clear gain",
    "wave-hint-adaptive": "machines adapt the plan as they go: re-planning, bids, watch, copies",
    "wave-hint-portfolio": "the same, from the best of 40 plans, each judged by carrying it out",
    "wave-random": "uniform among eligible machines, the holder's own included",
    "wave-greedy-classic": "Jupiter's greedy rule to the letter",
    "wave-random-classic": "Jupiter's random rule to the letter",
    "heft": "upward rank, earliest finish, with insertion",
    "heft-modified": "the same with at most so many tasks per machine",
    "cpop": "the critical path on one machine",
    "peft": "earliest finish plus an optimistic cost of what follows",
    "min-min": "of all ready tasks the one that can end first",
    "max-min": "of all ready tasks the one whose earliest end is last",
    "sufferage": "of all ready tasks the one that would lose most by its second choice",
    "mct": "in topological order, earliest finish",
    "met": "in topological order, shortest run",
    "olb": "in topological order, the machine that is free first",
    "fastest": "everything on the machine that is fastest alone",
    "tpheft": "for streams: the machine that limits the throughput least",
    "random": "uniform, by one that sees all",
    "portfolio": "the best of many plans, each judged by carrying it out",
    "optimal": "integer programming, for a dozen tasks",
    "circe-static": "streams: every item goes by HEFT's plan",
    "circe-event": "streams: the cheapest machine at each item's arrival",
    "circe-push": "streams: by prices that machines push",
}
"""By name; a mapper that nobody has described yet is listed without."""


def roster() -> list[tuple[str, str, str]]:
    """Name, kind and what it does."""
    return [(name, _kind(name), WHAT.get(name, "")) for name in NAMES]


def _kind(name: str) -> str:
    if name in MAPPERS or name.startswith("wave-"):
        return "decides in the run"
    return "plans before it" if name in PLANNERS else "dispatches items"
