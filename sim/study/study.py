"""A study: scenarios, mappers and seeds, and the table of all their runs.

    table = Study([scenario], ["heft", "wave-greedy"], seeds=range(10)).run()

Every run stands for itself: its scenario comes from its number and its chance from its seed, so any of them can be
done again alone (`replay`), and the table does not depend on how many processes did the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path

from pnode.protocol.values import dataclass, field
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Scenario
from pnode.sim.workers import processes

from .batch import Contender, Engine, Run, do_runs, name_of
from .case import Case, Family, cases
from .figures import FIGURES
from .journal import Record, Row, open_journal, run_key
from .origin import origin
from .sweep import check_portable, sweep
from .table import Table, Value

BASELINE = "heft"

Progress = Callable[[int, int], None]
"""Is told how many runs are finished, and of how many."""


class StudyError(ValueError):
    """A study that makes no sense; the message says what was found and what was expected."""


@dataclass(frozen=True)
class Study:
    """Each scenario with each seed under each mapper."""

    scenarios: Sequence[Scenario | Family]
    mappers: Sequence[Contender]
    seeds: Sequence[int] = (0,)
    baseline: str = BASELINE
    """Name of the mapper whose runs the others are compared with; it need not be among `mappers`. Empty for none."""
    engine: Engine = field(default=simulate, repr=False)

    def __post_init__(self) -> None:
        """Raises StudyError."""
        for what, given in (("scenario", self.cases), ("mapper", self.mappers), ("seed", self.seeds)):
            if not given:
                raise StudyError(f"the study has no {what}, expected at least one")
        names = [name_of(mapper) for mapper in self.mappers]
        for what, several in (("mapper", names), ("seed", self.seeds)):
            if len(dict.fromkeys(several)) < len(several):
                raise StudyError(f"the study has a {what} twice: {', '.join(map(str, several))}")

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """All scenarios, in order."""
        return cases(tuple(self.scenarios))

    @cached_property
    def compared(self) -> tuple[Contender, ...]:
        """All mappers that run, the baseline first unless it has a place among `mappers`."""
        if not self.baseline or self.baseline in map(name_of, self.mappers):
            return tuple(self.mappers)
        return (self.baseline, *self.mappers)

    def __len__(self) -> int:
        return len(self.cases) * len(self.seeds) * len(self.compared)

    def at(self, index: int) -> Run:
        """One run: mappers alternate fastest, then seeds, then scenarios. Raises StudyError."""
        if not 0 <= index < len(self):
            raise StudyError(f"the study has no run {index}, its {len(self)} runs count from 0")
        pair, mapper = divmod(index, len(self.compared))
        case, seed = divmod(pair, len(self.seeds))
        return Run(index, self.cases[case], self.compared[mapper], self.seeds[seed])

    def replay(self, index: int) -> Result:
        """That run again, alone and with its transfers. Raises StudyError, ScenarioError, UnknownMapperError."""
        run = self.at(index)
        return self.engine(run.case.scenario(), run.mapper, run.seed, trace=True)

    def run(
        self,
        workers: int | None = None,
        progress: Progress | None = None,
        journal: Path | None = None,
        executor: Executor | None = None,
    ) -> Table:
        """All runs: in this process, or in so many `workers`, or by an `executor` that has so many.

        With a `journal`, what that file has already is not run again, and what is run is added as soon as it is
        known. Raises RunError, SweepError, JournalError, OSError.
        """
        with _record(journal) as record:
            keys = [self._key(index) for index in range(len(self))]
            first = {key: index for index, key in reversed(list(enumerate(keys)))}  # equal runs are done once
            missing = sorted(index for key, index in first.items() if key not in record)
            done = len(first) - len(missing)
            for at, (index, row) in enumerate(self._rows(missing, workers, executor), done):
                record[keys[index]] = row
                if progress:
                    progress(at + 1, len(first))
            return self._table([record[key] for key in keys])

    def _key(self, index: int) -> str:
        digest = self._digests[index // (len(self.seeds) * len(self.compared))]
        mapper = self._origins[index % len(self.compared)]
        return run_key(digest, mapper, self.at(index).seed, self._engine_origin)

    @cached_property
    def _origins(self) -> tuple[str, ...]:
        return tuple(mapper if isinstance(mapper, str) else origin(mapper) for mapper in self.compared)

    @cached_property
    def _engine_origin(self) -> str:
        return origin(self.engine)

    @cached_property
    def _digests(self) -> tuple[str, ...]:
        return tuple(case.digest() for case in self.cases)

    def _rows(self, indices: list[int], workers: int | None, executor: Executor | None) -> Iterator[tuple[int, Row]]:
        runs = tuple(self.at(index) for index in indices)
        if executor is not None or (workers or 1) > 1:
            self._check_portable()
        if executor is not None:
            yield from sweep(runs, self.engine, executor, workers or 1)
        elif workers is not None and workers > 1 and len(runs) > 1:
            with processes(min(workers, len(runs))) as pool:
                yield from sweep(runs, self.engine, pool, workers)
        else:
            yield from do_runs(runs, self.engine)

    def _check_portable(self) -> None:
        check_portable("the engine", self.engine)
        for mapper in self.mappers:
            check_portable(f"mapper {name_of(mapper)!r}", mapper)
        for source in self.scenarios:
            if isinstance(source, Family):
                check_portable(f"family {source.name!r}", source.make)

    def _table(self, rows: list[Row]) -> Table:
        """With the name and the parameters of the scenario before the figures, and the ratio behind them."""
        parameters = tuple(dict.fromkeys(name for case in self.cases for name, _ in case.parameters))
        names = ("index", "scenario", "number", *parameters, "mapper", "seed", *FIGURES, "ratio")
        lines: list[tuple[Value, ...]] = []
        for index, row in enumerate(rows):
            run = self.at(index)
            given = dict(run.case.parameters)
            where = [given.get(name) for name in parameters]
            ratio = self._ratio(index, rows)
            lines.append((index, run.case.name, run.case.number, *where, name_of(run.mapper), run.seed, *row, ratio))
        return Table(names, tuple(lines))

    @cached_property
    def _base(self) -> int:
        """The baseline's place among all mappers."""
        return [name_of(mapper) for mapper in self.compared].index(self.baseline)

    def _ratio(self, index: int, rows: list[Row]) -> float | None:
        """Makespan over the baseline's on the same scenario and seed; None where either did not complete."""
        if not self.baseline:
            return None
        base = index - index % len(self.compared) + self._base
        at = FIGURES.index("makespan_s")
        mine, theirs = rows[index][at], rows[base][at]
        if not isinstance(mine, float) or not isinstance(theirs, float):
            return None
        if mine == theirs:
            return 1.0  # also where both are zero
        return mine / theirs if theirs else None


def _record(journal: Path | None) -> AbstractContextManager[Record]:
    if journal is None:
        nothing: dict[str, Row] = {}
        return nullcontext(nothing)
    return open_journal(journal)
