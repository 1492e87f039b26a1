"""A run: one scenario, one mapper, one seed."""

from pnode.mappers.plan import Planner

from .policy import Strategy
from .result import Result
from .scenario import Scenario
from .static import static
from .world import World


def simulate(scenario: Scenario, mapper: Strategy | Planner, seed: int = 0, *, trace: bool = False) -> Result:
    """Run a scenario to its end.

    `mapper` is a strategy, or a planner whose plan is carried out. The same arguments give an equal result, on any machine. `trace` records every transfer.
    """
    strategy = mapper if isinstance(mapper, Strategy) else static(getattr(mapper, "__name__", "planner"), mapper)
    return World(scenario, seed, trace=trace).run(strategy)
