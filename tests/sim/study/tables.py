"""Tables as a study makes them, with figures made up."""

from random import Random

from pnode.sim.study.figures import FIGURES
from pnode.sim.study.table import Table, Value

NAMES = ("index", "scenario", "number", "ccr", "kind", "mapper", "seed", *FIGURES, "ratio")

MADE_UP: tuple[Value, ...] = (1.0, 1.0, 2.0, 3.0, 0.5, 0.0, 4, 5, 0, True)
"""A run's figures."""


def row(
    number: int, mapper: str, ratio: float | None, ccr: Value = None, kind: Value = None, seed: int = 0
) -> tuple[Value, ...]:
    """A run's line."""
    return (0, "s", number, ccr, kind, mapper, seed, *MADE_UP, ratio)


def made_up(*mappers: str, runs: int = 10, spread: float = 1.0) -> Table:
    """Ratios from 1, 2, 3 and so on, over two parameters."""
    rng = Random(1)
    rows = [
        row(number, mapper, (at + 1) * (1 + spread * rng.random()), ccr, kind)
        for at, mapper in enumerate(mappers)
        for ccr in (0.1, 1.0, 5.0)
        for kind in ("wide", "narrow")
        for number in range(runs)
    ]
    return Table(NAMES, tuple(rows))


def with_column(table: Table, name: str, value: Value) -> Table:
    """The same with one value all down a column."""
    at = table.names.index(name)
    return Table(table.names, tuple((*row[:at], value, *row[at + 1 :]) for row in table.rows))
