"""Quality: how good each mapper is, as tables and plots in a page of the documentation.

    python -m pnode.sim.study.quality examples/studies/quality.toml docs/mappers.md [--data FOLDER] [--workers N]

The page keeps its prose; what stands between its two markers is made anew.
"""

import argparse
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from pnode.protocol.values import dataclass
from pnode.sim.schedule.strategies import NAMES

from .case import Family
from .conditions import Condition
from .families import TRACES, family_a, family_b
from .plot import spread_svg
from .study import Study
from .summary import Summary, summarise
from .table import Table, Value, table_of

BEGIN, END = "<!-- made by make tables: begin -->", "<!-- made by make tables: end -->"

BASELINE = "heft"


class QualityError(ValueError):
    """A file of measures, or the page they belong to, is not as expected; the message says where."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One table: mappers on sets A and B under a condition."""

    name: str
    condition: Condition
    tasks_max: int
    count: int
    """Instances of set A. Set B has as many as there are traces with at most `tasks_max` tasks, three times."""
    mappers: tuple[str, ...]


def read_measures(path: Path) -> tuple[Measure, ...]:
    """The measures of a file. Raises QualityError, OSError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return tuple(_measure(path, at, given) for at, given in enumerate(document["measure"]))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QualityError(f"{path}: {error}") from None
    except (KeyError, TypeError) as error:
        raise QualityError(f"{path}: expected tables called [[measure]], {error} is missing or no table") from None


def _measure(path: Path, at: int, given: dict[str, object]) -> Measure:
    names = [one.name for one in fields(Measure)]
    if sorted(given) != sorted(names):
        raise QualityError(f"{path}: measure {at} has {', '.join(given)}; expected {', '.join(names)}")
    words = [one.value for one in Condition]
    if given["condition"] not in words:
        raise QualityError(
            f"{path}: measure {at} has the condition {given['condition']!r}; known are {', '.join(words)}"
        )
    mappers = given["mappers"]
    tasks_max, count = given["tasks_max"], given["count"]
    if not isinstance(mappers, list) or not isinstance(tasks_max, int) or not isinstance(count, int):
        raise QualityError(f"{path}: measure {at} needs a list of mappers and whole numbers for tasks_max and count")
    measure = Measure(
        str(given["name"]), Condition(given["condition"]), tasks_max, count, tuple(str(name) for name in mappers)
    )
    _check_mappers(path, at, measure)
    return measure


def _check_mappers(path: Path, at: int, measure: Measure) -> None:
    """Here and not in the middle of the runs, which take minutes."""
    if not measure.mappers or len(dict.fromkeys(measure.mappers)) < len(measure.mappers):
        raise QualityError(
            f"{path}: measure {at} has the mappers {measure.mappers}, expected at least one, each once"
        )
    for name in measure.mappers:
        if name not in NAMES:
            raise QualityError(f"{path}: measure {at}: there is no mapper {name!r}; known are {', '.join(NAMES)}")
    if measure.condition is Condition.LOSS and BASELINE in measure.mappers:
        raise QualityError(f"{path}: measure {at} has {BASELINE}, a plan that never ends once its node is lost")


def run(measure: Measure, data: Path | None, workers: int, journal: Path | None = None) -> dict[str, Table]:
    """All runs of a measure, set by set."""

    def compared(condition: Condition, mappers: Sequence[str]) -> dict[str, Table]:
        sets: dict[str, Sequence[Family]] = {
            "A": family_a(condition, measure.tasks_max, measure.count),
            "B": family_b(condition, data, measure.tasks_max),
        }
        return {
            name: Study(each, mappers, baseline=BASELINE).run(workers, journal=journal) for name, each in sets.items()
        }

    if measure.condition is not Condition.LOSS:
        return compared(measure.condition, measure.mappers)
    # A plan that nobody revises never ends when its node is lost: the others are compared with its undisturbed self.
    calm = compared(Condition.PERFECT, [BASELINE])
    lost = compared(Condition.LOSS, measure.mappers)
    return {name: over(lost[name], calm[name]) for name in lost}


def over(table: Table, calm: Table) -> Table:
    """The same runs, with ratios to the makespans in the other table on the same graph and network."""
    makespans = {_draw(row): row["makespan_s"] for row in calm.records()}
    records = [{**row, "ratio": _ratio(row, makespans[_draw(row)])} for row in table.records()]
    return table_of([row for row in records if row["mapper"] != BASELINE])


def _draw(row: Mapping[str, Value]) -> tuple[Value, ...]:
    """Which graph on which network, whatever the condition."""
    return (row["scenario"], row["number"], row.get("nodes"), row.get("ccr"))


def _ratio(row: Mapping[str, Value], base: Value) -> float | None:
    mine = row["makespan_s"]
    return mine / base if row["complete"] and isinstance(mine, float) and isinstance(base, float) else None


def markdown(measure: Measure, tables: dict[str, Table]) -> str:
    """A table: a line per mapper, the sets side by side."""
    sets = list(tables)
    summaries = {name: {one.mapper: one for one in summarise(table)} for name, table in tables.items()}
    head = ["mapper", *(f"{name}: median (p10 to p90)" for name in sets), *(f"{name}: worst" for name in sets)]
    lines = [_row(head), _row(["---"] * len(head))]
    for mapper in measure.mappers:
        ratios = [_spread(summaries[name][mapper]) for name in sets]
        worst = [_worst(tables[name], mapper) for name in sets]
        lines.append(_row([f"`{mapper}`", *ratios, *worst]))
    return "\n".join(lines)


def _row(fields: Sequence[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _spread(summary: Summary) -> str:
    if summary.ratio is None:
        return "none"
    text = f"{summary.ratio.median:.3f} ({summary.ratio.p10:.2f} to {summary.ratio.p90:.2f})"
    return f"{text}, {summary.incomplete} of {summary.runs} not completed" if summary.incomplete else text


def _worst(table: Table, mapper: str) -> str:
    ratios = [row["ratio"] for row in table.records() if row["mapper"] == mapper]
    known = [ratio for ratio in ratios if isinstance(ratio, float)]
    return f"{max(known):.3f}" if known else "none"


def filled(page: str, made: str, begin: str = BEGIN, end: str = END) -> str:
    """The page with what was made between its markers. Raises QualityError."""
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise QualityError(f"the page has no place for tables, expected {begin!r} and {end!r} in it")
    return f"{before}{begin}\n\n{made}\n\n{end}{after}"


def make(measures: Sequence[Measure], page: Path, data: Path | None, workers: int, journal: Path | None) -> None:
    """Run all measures and put what they say into the page, plots into a folder beside it."""
    filled(page.read_text(encoding="utf-8"), "")  # a page without a place is found before runs that take hours
    drawings = page.parent / "figures"
    drawings.mkdir(exist_ok=True)
    parts = [_origin(data)]
    for measure in measures:
        tables = run(measure, data, workers, journal)
        parts += [f"### {measure.name} (`{measure.condition.value}`)", markdown(measure, tables)]
        for name, table in tables.items():
            file = drawings / f"{measure.condition.value.replace('+', '-')}-{name.lower()}.svg"
            file.write_text(spread_svg(table), encoding="utf-8")
            parts.append(f"![{measure.name}, set {name}]({drawings.name}/{file.name})")
        sys.stderr.write(
            f"{measure.name}: {', '.join(f'{len(each)} runs on {name}' for name, each in tables.items())}\n"
        )
    page.write_text(filled(page.read_text(encoding="utf-8"), "\n\n".join(parts)), encoding="utf-8")


def _origin(data: Path | None) -> str:
    if data is None:
        return "Set B: generated bundles of chains, since the recorded traces were not at hand."
    return "Set B: recorded traces of WfInstances."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pnode.sim.study.quality", description="Make docs/mappers.md.")
    parser.add_argument("measures", type=Path, help="what to measure, for instance examples/studies/quality.toml")
    parser.add_argument("page", type=Path, help="the page that is filled, for instance docs/mappers.md")
    parser.add_argument("--data", type=Path, help=f"a folder with {TRACES}/*.json.xz; set B is generated without")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--journal", type=Path, help="keeps finished runs, to go on after an interruption")
    given = parser.parse_args(arguments)
    data = given.data if given.data is not None and (given.data / TRACES).is_dir() else None
    try:
        make(read_measures(given.measures), given.page, data, given.workers, given.journal)
    except (QualityError, OSError) as error:
        sys.stderr.write(f"cannot make {given.page}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
