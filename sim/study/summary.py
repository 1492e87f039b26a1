"""A summary: what all runs of a mapper say together, against the baseline's on the same scenarios and seeds."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pnode.protocol.values import dataclass

from .table import Table, Value

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
"""Of the bootstrap; enough for the second digit of an interval's ends (Efron and Tibshirani 1993, chapter 13)."""

NUMBERS_AT_ONCE = 1_000_000
"""Of the bootstrap: 8 MB."""

TIE = 1e-9
"""Relative difference within which two makespans are the same: sums of the same terms in another order."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Where the ratios of a mapper lie."""

    median: float
    p10: float
    p90: float
    low: float
    """Of the interval that holds the median of further scenarios of this kind with 95 %."""
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One mapper."""

    mapper: str
    runs: int
    incomplete: int
    ratio: Quantiles | None
    """None without a baseline, and for runs that have no ratio."""
    wins: int
    """Runs in which it was faster than the baseline."""
    ties: int
    losses: int
    makespan_s: float | None
    """This and what follows are medians over the runs that have the figure."""
    slr: float | None
    speedup: float | None
    utilisation: float | None
    messages: float | None
    decisions: float | None
    moves: float | None


def summarise(table: Table, seed: int = 0) -> tuple[Summary, ...]:
    """One per mapper, in the table's order. `seed` is that of the bootstrap's draws."""
    mappers = tuple(dict.fromkeys(table.column("mapper")))
    return tuple(_summary(str(mapper), _rows_of(table, mapper), seed) for mapper in mappers)


def _rows_of(table: Table, mapper: Value) -> Table:
    at = table.names.index("mapper")
    return Table(table.names, tuple(row for row in table.rows if row[at] == mapper))


def _summary(mapper: str, table: Table, seed: int) -> Summary:
    ratios = numbers(table, "ratio")
    wins = sum(ratio < 1 - TIE for ratio in ratios)
    losses = sum(ratio > 1 + TIE for ratio in ratios)
    return Summary(
        mapper,
        len(table),
        sum(complete is False for complete in table.column("complete")),
        _quantiles(_by_case(table), seed) if ratios else None,
        wins,
        len(ratios) - wins - losses,
        losses,
        *(
            _median(numbers(table, name))
            for name in ("makespan_s", "slr", "speedup", "utilisation", "messages", "decisions", "moves")
        ),
    )


def numbers(table: Table, name: str) -> list[float]:
    """The known values of a column of numbers."""
    return [float(value) for value in table.column(name) if isinstance(value, int | float)]


def quantiles(values: Sequence[float] | Floats, *shares: float) -> tuple[float, ...]:
    """Of at least one number, linear between order statistics."""
    return tuple(float(value) for value in np.quantile(np.asarray(values, dtype=np.float64), shares))


def _median(values: Sequence[float]) -> float | None:
    return quantiles(values, 0.5)[0] if values else None


def _by_case(table: Table) -> list[Floats]:
    """The ratios of each scenario."""
    groups: dict[tuple[Value, ...], list[float]] = {}
    keys = zip(table.column("scenario"), table.column("number"), *_parameters(table), strict=True)
    for key, ratio in zip(keys, table.column("ratio"), strict=True):
        if isinstance(ratio, int | float):
            groups.setdefault(key, []).append(float(ratio))
    return [np.array(group, dtype=np.float64) for group in groups.values()]


def _parameters(table: Table) -> list[tuple[Value, ...]]:
    return [table.column(name) for name in parameters(table)]


def parameters(table: Table) -> tuple[str, ...]:
    """Names of the columns in which a study's families differ: those between the scenario's and the mapper's."""
    return table.names[table.names.index("number") + 1 : table.names.index("mapper")]


def _quantiles(cases: list[Floats], seed: int) -> Quantiles:
    """The interval is a percentile bootstrap's (ibid.). It draws whole scenarios, since seeds of one scenario are no
    independent witnesses; of a single scenario it draws runs."""
    everything = np.concatenate(cases)
    p10, median, p90 = quantiles(everything, 0.1, 0.5, 0.9)
    units = cases if len(cases) > 1 else [everything[at : at + 1] for at in range(len(everything))]
    low, high = quantiles(_resampled_medians(units, seed), 0.025, 0.975)
    return Quantiles(median, p10, p90, low, high)


def _resampled_medians(units: list[Floats], seed: int) -> Floats:
    """Medians of as many units, drawn with replacement."""
    rng = np.random.default_rng(seed)
    width = max(map(len, units))
    padded = np.full((len(units), width), math.nan)
    for at, unit in enumerate(units):
        padded[at, : len(unit)] = unit
    median = np.nanmedian if np.isnan(padded).any() else np.median  # the latter is ten times as fast
    medians: list[Floats] = []
    at_once = max(1, NUMBERS_AT_ONCE // padded.size)
    for begin in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - begin)
        drawn = padded[rng.integers(0, len(units), (count, len(units)))]
        medians.append(median(drawn.reshape(count, -1), axis=1))
    return np.concatenate(medians)
