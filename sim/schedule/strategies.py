"""Strategies: what a run may be asked to do, by name.

Static planners, whose plans are carried out; the mappers that a live job may name, which decide inside the run;
wave-hint with everything that live nodes do not do yet, where machines adapt the plan as they go; and CIRCE's three
dispatchers, with HEFT's mapping, or controllers where that puts the tasks.
"""

from collections.abc import Callable, Mapping
from functools import partial

from pnode.mappers.catalogue import MAPPERS, UnknownMapperError
from pnode.mappers.plan import Planner
from pnode.mappers.planners import PLANNERS, planner, random_planner
from pnode.protocol.view import Mapper

from .deciding import deciding
from .hinted import Adaptation, hinted
from .policy import Strategy
from .pricing import event_pricing, push_pricing
from .queues import Discipline
from .static import Static, static
from .world import World


def _random(world: World) -> Static:
    """Another mapping for every seed."""
    return Static(random_planner(world.seed), None, world)


PORTFOLIO = 40
"""Plans that are judged; under contention more than 10 gained another 4 % on layered graphs (scheduling.md 5.8)."""

_OWN: Mapping[str, Callable[[], Strategy]] = {
    "random": partial(Strategy, "random", _random),
    "wave-hint-adaptive": lambda: hinted(name="wave-hint-adaptive"),
    "wave-hint-portfolio": lambda: hinted(Adaptation(candidates=PORTFOLIO), "wave-hint-portfolio"),
    "circe-static": lambda: static("circe-static", planner("heft"), Discipline.FIFO, plans_cores=True),
    "circe-event": lambda: event_pricing(planner("heft")),
    "circe-push": lambda: push_pricing(planner("heft")),
}

NAMES: tuple[str, ...] = tuple(dict.fromkeys((*MAPPERS, *PLANNERS, *_OWN)))


def strategy_of(mapper: str | Strategy | Mapper | Planner) -> Strategy:
    """What to do about a scenario. Raises UnknownMapperError, which lists the known names."""
    if isinstance(mapper, Strategy):
        return mapper
    if isinstance(mapper, str):
        return _by_name(mapper)
    if callable(mapper):
        return static(getattr(mapper, "__name__", "planner"), mapper)
    return deciding(mapper)


def _by_name(name: str) -> Strategy:
    if name in _OWN:
        return _OWN[name]()
    if name in MAPPERS:
        # Jupiter knows no urgency: its tasks run in the order in which their inputs come (scheduling.md 3.3).
        return deciding(MAPPERS[name], Discipline.FIFO if name.endswith("-classic") else None)
    if name in PLANNERS:
        return static(name, PLANNERS[name], plans_cores=True)
    raise UnknownMapperError(f"there is no mapper {name!r}; known are {', '.join(NAMES)}")
