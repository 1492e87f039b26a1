"""A batch: some runs that one process does one after the other, and what came of them.

Batches travel between processes, and to other machines: they hold all that they need.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Protocol

from pnode.mappers.catalogue import UnknownMapperError
from pnode.mappers.instance import InstanceError
from pnode.mappers.plan import Planner
from pnode.protocol.values import dataclass
from pnode.protocol.view import Mapper
from pnode.sim.formats.errors import FormatError
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.scenario import Scenario, ScenarioError

from .case import Case
from .figures import Yardstick, figures, yardstick
from .journal import Row

Contender = str | Strategy | Mapper | Planner
"""Who maps: a name of the catalogue, or whatever else `simulate` takes. Other processes get it by pickle."""


class Engine(Protocol):
    """Runs a scenario; `pnode.sim.schedule.run.simulate` unless a study brings its own."""

    def __call__(self, scenario: Scenario, mapper: Contender, seed: int = 0, *, trace: bool = False) -> Result: ...


def name_of(contender: Contender) -> str:
    """What tables call it."""
    if isinstance(contender, str):
        return contender
    name = getattr(contender, "name", None) or getattr(contender, "__name__", None)
    return str(name or type(contender).__name__)


class RunError(ValueError):
    """A run cannot be done: its scenario or its mapper does not allow it. The message names the run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a study."""

    index: int
    case: Case
    mapper: Contender
    seed: int

    def __str__(self) -> str:
        return f"run {self.index}: {name_of(self.mapper)} on {self.case.name} {self.case.number}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a batch."""

    rows: tuple[tuple[int, Row], ...]
    """Index and figures of each run that was done."""
    seconds: float
    failure: str = ""
    """Why the next run could not be done; empty when all were."""


def do_batch(runs: tuple[Run, ...], engine: Engine) -> Outcome:
    """Do these runs. One that cannot be done ends the batch; what was done before counts."""
    begin_s = time.perf_counter()
    rows: list[tuple[int, Row]] = []
    failure = ""
    try:
        for row in do_runs(runs, engine):
            rows.append(row)  # noqa: PERF402 - what was done before an error must stay
    except RunError as error:
        failure = str(error)
    return Outcome(tuple(rows), time.perf_counter() - begin_s, failure)


def do_runs(runs: Iterable[Run], engine: Engine) -> Iterator[tuple[int, Row]]:
    """Index and figures of one run after the other. Raises RunError."""
    looked: tuple[Case, Scenario, Yardstick] | None = None
    for run in runs:
        try:
            if looked is None or looked[0] is not run.case:  # runs of a case stand together: it is drawn once
                scenario = run.case.scenario()
                looked = (run.case, scenario, yardstick(scenario))
            result = engine(looked[1], run.mapper, run.seed)
        except (FormatError, ScenarioError, InstanceError, UnknownMapperError) as error:
            raise RunError(f"{run}: {error}") from error
        yield run.index, figures(result, looked[2])
