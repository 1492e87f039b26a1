"""Draws: what a run leaves to chance, each concern from a generator of its own.

So one more draw in one place does not reshuffle the rest, and all mappers meet the same durations under one seed.
"""

from random import Random

from .scenario import Arrival, Durations, Scenario, Spread


def generator(seed: int, concern: str) -> Random:
    """The generator of one concern."""
    return Random(f"{seed}/{concern}")  # noqa: S311 - a simulation must be repeatable, not secret


def node_factors(scenario: Scenario, seed: int) -> list[float]:
    """Per machine: what tasks really take there, over the profile."""
    width = scenario.durations.node_width
    rng = generator(seed, "nodes")
    return [rng.uniform(1.0 - width, 1.0 + width) if width else 1.0 for _ in scenario.network.machines]


class TaskFactors:
    """What the tasks of one job really take, over the profile, item by item."""

    def __init__(self, durations: Durations, number: int, arrival: Arrival, seed: int) -> None:
        self._durations = durations
        self._tasks = len(arrival.graph.tasks)
        self._rng = generator(seed, f"durations/{number}")
        traced = dict(durations.factors[number]) if number < len(durations.factors) else {}
        self._traced = [
            (task, traced[one.name]) for task, one in enumerate(arrival.graph.tasks) if one.name in traced
        ]

    def item(self) -> list[float]:
        """Of the next item, by the number of the task. A task with a factor from a trace has it in every item."""
        factors = self._drawn()
        for task, factor in self._traced:
            factors[task] = factor
        return factors

    def _drawn(self) -> list[float]:
        # Also for tasks that have their factor from a trace: naming one must not reshuffle the others.
        width = self._durations.width
        rng = self._rng
        match self._durations.spread:
            case Spread.EXACT:
                return [1.0] * self._tasks
            case Spread.UNIFORM:
                return [rng.uniform(1.0 - width, 1.0 + width) for _ in range(self._tasks)]
            case Spread.LOGNORMAL:
                return [rng.lognormvariate(-width * width / 2.0, width) for _ in range(self._tasks)]
