"""A study's definition: a TOML file that says which scenarios, mappers and seeds there are.

    name = "shared links"                    # else the file's
    mappers = ["wave-hint", "wave-greedy"]   # see `pnode sim mappers`
    baseline = "heft"                        # the default
    seeds = 3                                # runs of each scenario under each mapper, or a list of seeds

    [[scenario]]
    files = ["two-sites.toml", "more/*.toml"]   # scenarios, relative to this file

    [[layered]]                              # random graphs in layers (scheduling.md 2.3 A)
    count = 20                               # of each kind
    tasks = [30, 100]                        # a list: a kind for each; several lists are crossed
    nodes = 8
    ccr = [0.1, 1.0]                         # communication over computation
    alpha = 1.0                              # how wide
    degree = 3                               # about the mean number of children
    heterogeneity = 0.75                     # of the nodes' speeds
    condition = ["perfect", "contention"]    # what goes wrong, see `conditions`
    seed = 0                                 # of all that is drawn

    [[bundles]]                              # parallel chains between a fork and a join
    chains = 10
    length = 4
    nodes = 8
    ccr = 1.0

    [[traces]]                               # recorded graphs on drawn networks (scheduling.md 2.3 B)
    files = ["traces/*.json.xz"]
    nodes = 8
    ccr = [0.1, 1.0]

What is drawn depends on the seed and its number alone, not on what it is crossed with: the graphs of two conditions
are the same, so that they can be compared one by one.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path

from pnode.mappers.catalogue import UnknownMapperError
from pnode.mappers.layered import Layering
from pnode.protocol.values import dataclass
from pnode.sim.formats.document import Value
from pnode.sim.formats.scenarios import read_scenario
from pnode.sim.formats.source import read_text
from pnode.sim.formats.toml import parse_document
from pnode.sim.schedule.scenario import Scenario
from pnode.sim.schedule.strategies import strategy_of

from .case import Family, Make, Parameters
from .conditions import Condition
from .families import Bundled, Layers, Traced, digest_of
from .study import BASELINE, Study

RUNS_MAX = 1_000_000
"""Of a study, without its baseline: what it holds in memory is about 1 kB per run."""

TASKS_MAX = 20_000
NODES_MAX = 512

Cell = str | int | float
Read = Callable[[Value], Cell]


@dataclass(frozen=True)
class Definition:
    """A study with its name."""

    name: str
    study: Study


def read_study(path: Path) -> Definition:
    """The study of a file. Raises FormatError, also for the files it names; StudyError."""
    document = parse_document(str(path), read_text(path))
    if "network" in document.table():
        raise document.error("it is a scenario, expected a study; one run of it is 'pnode sim run' without --index")
    document.allow(("name", "mappers", "baseline", "seeds", "scenario", *FAMILIES))
    name, baseline = document.get("name"), document.get("baseline")
    scenarios: list[Scenario | Family] = list(_scenarios(document.get("scenario"), path.parent))
    for kind, family in FAMILIES.items():
        tables = document.get(kind)
        for table in tables.list() if tables else ():
            scenarios += family(table, path.parent)
    if not scenarios:
        raise document.error(f"there is no scenario, expected tables [[scenario]] or {_tables()}")
    mappers = [_mapper(mapper) for mapper in document["mappers"].list()]
    seeds = _seeds(document.get("seeds"))
    runs = len(mappers) * len(seeds) * sum(one.count if isinstance(one, Family) else 1 for one in scenarios)
    if runs > RUNS_MAX:
        raise document.error(f"the study has {runs} runs, at most {RUNS_MAX} are taken")
    study = Study(scenarios, mappers, seeds, BASELINE if baseline is None else _mapper(baseline))
    return Definition(path.stem if name is None else name.name(), study)


def _tables() -> str:
    return ", ".join(f"[[{kind}]]" for kind in FAMILIES)


def _mapper(value: Value) -> str:
    try:
        return strategy_of(value.text()).name
    except UnknownMapperError as error:
        raise value.error(str(error)) from None


def _seeds(value: Value | None) -> tuple[int, ...]:
    if value is None:
        return (0,)
    if isinstance(value.plain, list):
        return tuple(seed.whole(0, 2**63) for seed in value.list())
    return tuple(range(value.whole(1, RUNS_MAX)))


def _scenarios(tables: Value | None, folder: Path) -> Iterator[Scenario]:
    for table in tables.list() if tables else ():
        table.allow(("files",))
        for path in _files(table["files"], folder):
            yield read_scenario(path)


def _files(value: Value, folder: Path) -> Iterator[Path]:
    """In order of their names where a pattern means several."""
    for pattern in value.list():
        text = pattern.name()
        if "*" not in text:
            if not os.path.isfile(folder / text):  # noqa: PTH113 - Path's stumbles over too long a name
                raise pattern.error(f"there is no file {folder / text}")
            yield folder / text
            continue
        try:
            root = Path(text).anchor  # of a pattern that is absolute
            found = sorted(Path(root).glob(text[len(root) :]) if root else folder.glob(text))
        except (ValueError, NotImplementedError) as error:
            raise pattern.error(f"no pattern of files: {error}") from None
        if not found:
            raise pattern.error(f"no file is called like {text!r} in {folder}")
        yield from found


# Families


def _whole(low: int, high: int) -> Read:
    return lambda value: value.whole(low, high)


def _number(low: float, high: float) -> Read:
    def read(value: Value) -> float:
        expected = f"a number from {low:g} to {high:g}"
        number = value.number(low, expected)
        if number > high:
            raise value.wrong(expected)
        return number

    return read


def _condition(value: Value) -> str:
    words = [condition.value for condition in Condition]
    if value.text() not in words:
        raise value.wrong(f"one of {', '.join(words)}")
    return value.text()


NODES: dict[str, Read] = {"nodes": _whole(1, NODES_MAX), "ccr": _number(1e-6, 1e6)}
CONDITION: dict[str, Read] = {"condition": _condition}
USUAL: dict[str, Cell] = {"alpha": 1.0, "degree": 3, "heterogeneity": 0.75, "condition": Condition.PERFECT.value}
"""What need not be told."""

LAYERED: dict[str, Read] = {
    "tasks": _whole(2, TASKS_MAX),
    **NODES,
    "alpha": _number(0.01, 100),
    "degree": _whole(1, 100),
    "heterogeneity": _number(0, 1),
    **CONDITION,
}
BUNDLES: dict[str, Read] = {"chains": _whole(1, TASKS_MAX), "length": _whole(1, TASKS_MAX), **NODES, **CONDITION}
TRACES: dict[str, Read] = {**NODES, **CONDITION}


def _layered(table: Value, _folder: Path) -> Iterator[Family]:
    def make(cell: Mapping[str, Cell]) -> Make:
        layering = Layering(
            int(cell["tasks"]),
            int(cell["nodes"]),
            float(cell["ccr"]),
            float(cell["alpha"]),
            int(cell["degree"]),
            float(cell["heterogeneity"]),
        )
        return Layers(layering, Condition(cell["condition"]))

    return _families(table, "layered", LAYERED, make)


def _bundles(table: Value, _folder: Path) -> Iterator[Family]:
    def make(cell: Mapping[str, Cell]) -> Make:
        chains, length, nodes = int(cell["chains"]), int(cell["length"]), int(cell["nodes"])
        return Bundled(chains, length, nodes, float(cell["ccr"]), Condition(cell["condition"]))

    return _families(table, "bundle", BUNDLES, make)


def _traces(table: Value, folder: Path) -> Iterator[Family]:
    for path in _files(table["files"], folder):
        content = digest_of(path)

        def make(cell: Mapping[str, Cell], path: Path = path, content: str = content) -> Make:
            nodes, ccr = int(cell["nodes"]), float(cell["ccr"])
            return Traced(str(path), content, nodes, ccr, Condition(cell["condition"]))

        yield from _families(table, path.name.partition(".")[0], TRACES, make, "files")


FAMILIES: dict[str, Callable[[Value, Path], Iterator[Family]]] = {
    "layered": _layered,
    "bundles": _bundles,
    "traces": _traces,
}
"""Tables that stand for many scenarios."""


def _families(
    table: Value, name: str, cells: Mapping[str, Read], make: Callable[[Mapping[str, Cell]], Make], *more: str
) -> Iterator[Family]:
    """One for each combination of what the table lists."""
    table.allow((*cells, "count", "seed", *more))
    count, seed = table.get("count"), table.get("seed")
    told = {key: _cells(table, key, read) for key, read in cells.items()}
    kinds = math.prod(len(values) for values in told.values())
    if kinds > RUNS_MAX:
        raise table.error(f"its lists make {kinds} combinations, at most {RUNS_MAX} are taken")
    for combination in product(*told.values()):
        cell = dict(zip(told, combination, strict=True))
        parameters: Parameters = tuple((key, value) for key, value in cell.items() if table.get(key))
        yield Family(
            name,
            make(cell),
            1 if count is None else count.whole(1, RUNS_MAX),
            parameters,
            0 if seed is None else seed.whole(0, 2**63),
        )


def _cells(table: Value, key: str, read: Read) -> list[Cell]:
    """One value, or a list of them."""
    value = table.get(key)
    if value is None and key in USUAL:
        return [USUAL[key]]
    value = table[key]
    cells = [read(cell) for cell in value.list()] if isinstance(value.plain, list) else [read(value)]
    if not cells:
        raise value.error("the list is empty, expected at least one")
    return cells
