"""A result: everything that happened in one run, as flat records, and the figures people ask for."""

from functools import cached_property

from pnode.protocol.values import dataclass

from .scenario import Scenario


@dataclass(frozen=True, slots=True)
class Execution:
    """One time that a task occupied a machine."""

    job: int
    """Place in `Scenario.arrivals`."""
    item: int
    task: int
    """Place in the graph's `tasks`."""
    machine: int
    bound_s: float
    """When it got this machine."""
    ready_s: float
    """When its last input had arrived there."""
    start_s: float
    finish_s: float
    attempt: int = 1
    kept: bool = True
    """False when its result was not used: it was a copy that lost, or its machine failed."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One time that a parent's output travelled; none is recorded for data that is there already."""

    job: int
    item: int
    parent: int
    child: int
    source: int
    target: int
    size_bytes: float
    start_s: float
    finish_s: float


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    scenario: Scenario
    mapper: str
    seed: int
    executions: tuple[Execution, ...]
    """In order of their starts; among equals of job, item, task."""
    transfers: tuple[Transfer, ...]
    """In order of their starts; empty when the run was not traced."""
    bytes_moved: float
    messages: int
    """Assignments, bids and their answers between different machines."""
    decisions: int
    moves: int
    """Tasks that were given to another machine before they started."""
    complete: bool
    """Whether every task of every item has a kept result."""

    @cached_property
    def finishes_s(self) -> tuple[float, ...]:
        """Per arrival: when its last kept execution ended."""
        last = [arrival.at_s for arrival in self.scenario.arrivals]
        for execution in self.executions:
            if execution.kept:
                last[execution.job] = max(last[execution.job], execution.finish_s)
        return tuple(last)

    @property
    def makespan_s(self) -> float:
        """From the first arrival to the last finish."""
        return max(self.finishes_s) - min(arrival.at_s for arrival in self.scenario.arrivals)

    @property
    def responses_s(self) -> tuple[float, ...]:
        """Per arrival: from its submission to its last finish."""
        return tuple(
            finish - arrival.at_s for finish, arrival in zip(self.finishes_s, self.scenario.arrivals, strict=True)
        )

    @property
    def utilisation(self) -> float:
        """Busy core-seconds over all core-seconds from the first arrival until nothing ran any more, 0 to 1. Of a
        complete run that is the makespan."""
        cores = sum(machine.cores for machine in self.scenario.network.machines)
        busy = sum((execution.finish_s - execution.start_s) * self._cores(execution) for execution in self.executions)
        end_s = max((execution.finish_s for execution in self.executions), default=0.0)
        span_s = end_s - min(arrival.at_s for arrival in self.scenario.arrivals)
        return busy / (cores * span_s) if busy else 0.0

    def _cores(self, execution: Execution) -> int:
        return self.scenario.arrivals[execution.job].graph.tasks[execution.task].cores
