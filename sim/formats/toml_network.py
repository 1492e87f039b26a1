"""The table [network] of our own scenario files: nodes by number or by name, links by rule, exception or matrix."""

import math
from collections.abc import Callable
from pathlib import Path
from random import Random

from pnode.mappers.instance import Matrix
from pnode.protocol.textfile import shown
from pnode.sim.schedule.scenario import Machine, Network

from .document import Value
from .drupe import straightened
from .network_draft import MACHINES_MAX, NetworkDraft
from .numeral import LARGEST, SMALLEST
from .opening import read_network
from .units import PLAIN, RATE, SIZE, TIME, Dimension, drawn, quantity
from .wfformat import CORES_MAX

CELLS: dict[str, Callable[[Value], float]] = {
    "speed": lambda value: quantity(value, PLAIN, SMALLEST),
    "cores": lambda value: value.whole(1, CORES_MAX),
    "memory": lambda value: quantity(value, SIZE, infinite=True),
    "up": lambda value: quantity(value, RATE, SMALLEST, infinite=True),
    "down": lambda value: quantity(value, RATE, SMALLEST, infinite=True),
}
"""What can be said of a node, and how a value says it."""

DRAWN: dict[str, tuple[Dimension, float]] = {
    "speed": (PLAIN, SMALLEST),
    "memory": (SIZE, 0.0),
    "up": (RATE, SMALLEST),
    "down": (RATE, SMALLEST),
}
"""Of these, what can be drawn, and the least it may be."""

NETWORK_KEYS = (
    "file", "straight", "nodes", "node", "seed", *CELLS, "latency", "bandwidth", "quadratic", "symmetric", "link",
)  # fmt: skip
LINK_KEYS = ("from", "to", "both", "latency", "bandwidth")

Rows = list[list[float]]
"""Source by target."""

UNTOLD = math.nan
"""The bandwidth of a link that nobody has said anything of yet."""


def network_of(value: Value, folder: Path) -> Network:
    """The network that a table describes; a file it names is relative to the folder. Raises FormatError."""
    value.allow(NETWORK_KEYS)
    file = value.get("file")
    if file is None:
        return _described(value)
    value.allow(("file", "straight"))
    network, straight = read_network(folder / file.text()), value.get("straight")
    return straightened(network, value.error) if straight and straight.truth() else network


def _described(value: Value) -> Network:
    machines = _machines(value)
    count = len(machines)
    table = value.get("quadratic")
    quadratic = None if table is None else _square(table, count, lambda cell: cell.number(-LARGEST))
    latency = _latencies(value, count)
    bandwidth = _bandwidths(value, count, -LARGEST if quadratic else 0.0)
    links = value.get("link")
    for link in links.list() if links else ():
        _except(link, {machine.name: at for at, machine in enumerate(machines)}, latency, bandwidth)
    _check_all_told(value, machines, bandwidth)
    square = None if quadratic is None else _matrix_of(quadratic)
    return Network(machines, _matrix_of(latency), _matrix_of(bandwidth), square)


def _rng(network: Value, key: str) -> Random:
    """A generator for each thing that is drawn: to draw one more leaves the others as they were."""
    seed = network.get("seed")
    return Random(f"{0 if seed is None else seed.whole(0, 2**63)} {key}")  # noqa: S311  no secret


# Nodes


def _machines(network: Value) -> tuple[Machine, ...]:
    count, tables = network.get("nodes"), network.get("node")
    if (count is None) == (tables is None):
        raise network.error("expected either `nodes`, how many there are, or a table [[network.node]] for each")
    draft = NetworkDraft()
    if count is not None:
        number = count.whole(1, MACHINES_MAX)
        for at, said in enumerate(_all_nodes(network, number)):
            draft.machine(_machine(f"node{at + 1}", said), network.error)
    if tables is not None:
        own = list(tables.list())
        for table, said in zip(own, _all_nodes(network, len(own)), strict=True):
            table.allow(("name", *CELLS))
            said |= {key: read(table[key]) for key, read in CELLS.items() if table.get(key)}
            draft.machine(_machine(table["name"].name(), said), table.error)
    if not draft.machines:
        raise network.error("there is no node, expected at least one")
    return tuple(draft.machines.values())


def _machine(name: str, said: dict[str, float]) -> Machine:
    return Machine(
        name,
        said.get("speed", 1.0),
        int(said.get("cores", 1)),
        said.get("memory", math.inf),
        said.get("up", math.inf),
        said.get("down", math.inf),
    )


def _all_nodes(network: Value, count: int) -> list[dict[str, float]]:
    """What [network] itself says of each node: the same of all, one number for each, or a draw."""
    said: list[dict[str, float]] = [{} for _ in range(count)]
    for key, read in CELLS.items():
        value = network.get(key)
        if value is not None:
            for one, number in zip(said, _column(network, value, key, read, count), strict=True):
                one[key] = number
    return said


def _column(network: Value, value: Value, key: str, read: Callable[[Value], float], count: int) -> list[float]:
    if isinstance(value.plain, list):
        numbers = [read(cell) for cell in value.list()]
        if len(numbers) != count:
            raise value.error(f"found {len(numbers)} numbers, expected one for each of {count} nodes")
        return numbers
    spread = drawn(value, *DRAWN[key]) if key in DRAWN else None
    if spread is None:
        return [read(value)] * count
    rng = _rng(network, key)
    return [spread.draw(rng) for _ in range(count)]


# Links


def _latencies(network: Value, count: int) -> Rows:
    return _rows(network, "latency", TIME, count, 0.0, lambda cell: quantity(cell, TIME))


def _bandwidths(network: Value, count: int, low: float) -> Rows:
    rows = _rows(network, "bandwidth", RATE, count, UNTOLD, lambda cell: quantity(cell, RATE, low, infinite=True))
    value = network.get("bandwidth")
    if value is None or not isinstance(value.plain, list):
        for at in range(count):
            rows[at][at] = math.inf
    return rows


def _rows(
    network: Value, key: str, dimension: Dimension, count: int, untold: float, read: Callable[[Value], float]
) -> Rows:
    """The same for all links, a draw for each, or a list of lists; else zero from a node to itself."""
    value = network.get(key)
    if value is not None and isinstance(value.plain, list):
        return _square(value, count, read)
    spread = None if value is None else drawn(value, dimension, SMALLEST if dimension is RATE else 0.0)
    if value is not None and spread is None:
        untold = read(value)
    rows = [[0.0 if source == target else untold for target in range(count)] for source in range(count)]
    if spread is not None:
        symmetric = network.get("symmetric")
        both = symmetric is None or symmetric.truth()
        rng = _rng(network, key)
        for source in range(count):
            for target in range(source):
                rows[source][target] = spread.draw(rng)
                rows[target][source] = rows[source][target] if both else spread.draw(rng)
    return rows


def _matrix_of(rows: Rows) -> Matrix:
    return tuple(tuple(row) for row in rows)


def _square(value: Value, count: int, read: Callable[[Value], float]) -> Rows:
    rows = [[read(cell) for cell in row.list()] for row in value.list()]
    if len(rows) != count or any(len(row) != count for row in rows):
        raise value.error(f"expected {count} lists of {count} numbers: from every node to every node")
    return rows


def _except(link: Value, number: dict[str, int], latency: Rows, bandwidth: Rows) -> None:
    """What a table [[network.link]] says, of every pair it means; later ones outdo earlier ones."""
    link.allow(LINK_KEYS)
    seconds, rate, both = link.get("latency"), link.get("bandwidth"), link.get("both")
    if seconds is None and rate is None:
        raise link.error("expected a `latency`, a `bandwidth` or both")
    ends = [(source, target) for source in _ends(link["from"], number) for target in _ends(link["to"], number)]
    if both is None or both.truth():
        ends += [(target, source) for source, target in ends]
    if all(source == target for source, target in ends):
        raise link.error("the link leads nowhere")
    for source, target in ends:
        if source != target and seconds is not None:
            latency[source][target] = quantity(seconds, TIME)
        if source != target and rate is not None:
            bandwidth[source][target] = quantity(rate, RATE, infinite=True)


def _ends(value: Value, number: dict[str, int]) -> list[int]:
    """One node, or some."""
    names = list(value.list()) if isinstance(value.plain, list) else [value]
    for name in names:
        if name.name() not in number:
            raise name.error(f"there is no node {shown(name.name())}")
    return [number[name.name()] for name in names]


def _check_all_told(network: Value, machines: tuple[Machine, ...], bandwidth: Rows) -> None:
    """Silence is refused: it is not the same as a bandwidth of 0, which says that two nodes cannot talk."""
    for source, row in enumerate(bandwidth):
        for target, rate in enumerate(row):
            if rate != rate:  # UNTOLD
                pair = f"from {shown(machines[source].name)} to {shown(machines[target].name)}"
                raise network.error(
                    f"no link {pair} is told; expected `bandwidth` for all links, or a table [[network.link]]"
                )
    for at, machine in enumerate(machines):
        others = [other for other in range(len(machines)) if other != at]
        if others and not any(bandwidth[at][other] or bandwidth[other][at] for other in others):
            raise network.error(f"node {shown(machine.name)} cannot talk to any other, so that nobody can reach it")
