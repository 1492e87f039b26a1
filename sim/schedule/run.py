"""A run: one scenario, one mapper, one seed."""

from pnode.mappers.catalogue import MAPPERS, UnknownMapperError
from pnode.mappers.plan import Planner
from pnode.protocol.view import Mapper

from .deciding import deciding
from .policy import Strategy
from .result import Result
from .scenario import Scenario
from .static import static
from .world import World


def simulate(
    scenario: Scenario, mapper: str | Strategy | Mapper | Planner, seed: int = 0, *, trace: bool = False
) -> Result:
    """Run a scenario to its end.

    `mapper` is a name that `strategy_of` knows, a mapper that decides inside the run, or a planner whose plans are
    carried out. The same arguments give an equal result, on any machine. `trace` records every transfer.
    """
    return World(scenario, seed, trace=trace).run(strategy_of(mapper))


def strategy_of(mapper: str | Strategy | Mapper | Planner) -> Strategy:
    """What to do about a scenario. Raises UnknownMapperError, which lists the known names."""
    if isinstance(mapper, Strategy):
        return mapper
    if isinstance(mapper, str):
        if mapper not in MAPPERS:
            raise UnknownMapperError(f"there is no mapper {mapper!r}; known are {', '.join(MAPPERS)}")
        return deciding(MAPPERS[mapper])
    if callable(mapper):
        return static(getattr(mapper, "__name__", "planner"), mapper)
    return deciding(mapper)
