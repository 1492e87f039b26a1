"""A run: one scenario, one mapper, one seed."""

from pnode.mappers.plan import Planner
from pnode.protocol.view import Mapper

from .policy import Strategy
from .result import Result
from .scenario import Scenario
from .shortcut import is_open, take
from .strategies import strategy_of
from .world import World


def simulate(
    scenario: Scenario, mapper: str | Strategy | Mapper | Planner, seed: int = 0, *, trace: bool = False
) -> Result:
    """Run a scenario to its end.

    `mapper` is one of `strategies.NAMES`, a mapper that decides inside the run, or a planner whose plans are carried
    out. The same arguments give an equal result, on any machine; of `optimal` only where it proves its plan in the
    time it has (`mappers.optimum`). `trace` records every transfer.

    Raises UnknownMapperError, ScenarioError, and whatever a planner raises that finds no plan.
    """
    strategy = strategy_of(mapper)
    if strategy.planner is not None and not trace and is_open(scenario):
        result = take(scenario, strategy.name, strategy.planner, seed)
        if result is not None:
            return result
    return World(scenario, seed, trace=trace).run(strategy)
