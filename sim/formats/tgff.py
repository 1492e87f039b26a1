"""TGFF as Jupiter's HEFT reads it: a graph, what each task costs on each node, and the links (jupiter.md 2.2).

    @TASK_GRAPH 0 {
        APERIODIC
        TASK task0  TYPE 0
        ARC a0_0    FROM t0_0 TO t0_1   TYPE 6553       the parent's whole output in Kbit
    }
    @computation_cost 0 {
    # type version node1 node2
      t0_0    0   552 810                               milliseconds on each node
    }
    @quadratic 0 {
    # Source Destination a b c
      node1   node2   -4.95e-07 0.048 1255.07           milliseconds from Kbit, see `drupe`
    }

Task k of the file is `t0_k` and has TYPE k. A pair of nodes without a line is free: the format says so. Numbers are
kept as the file has them; Jupiter's own are whole but for the links.
"""

import math
import re
from collections.abc import Callable
from pathlib import PurePath

from pnode.mappers.instance import Edge, Instance, Matrix
from pnode.protocol.textfile import listed, shown
from pnode.protocol.values import dataclass, field
from pnode.sim.schedule.scenario import Graph, Network, ScenarioError, Vertex, instance_of

from .document import NAME_EXPECTED, is_name
from .drupe import KBIT_BYTES, MS, Fit, Fits, fits_of, network_of, raw_of
from .errors import Blame, FormatError, on_line, whole_file
from .graph_draft import GraphDraft
from .network_draft import MACHINES_MAX
from .numeral import LARGEST, expected_from, numeral, spelt
from .source import Place, read_text, write_text


@dataclass(frozen=True, slots=True)
class Arc:
    """An edge of the graph."""

    parent: int
    child: int
    size_kbit: float


@dataclass(frozen=True, slots=True)
class Tgff:
    """What a file says, in its own units."""

    tasks: tuple[str, ...]
    arcs: tuple[Arc, ...]
    """By parent, then by child."""
    nodes: tuple[str, ...]
    cost_ms: Matrix
    """Task by node."""
    fits: Fits
    """Source by target."""
    file: str = field(default="tgff", compare=False)
    """For messages."""

    @property
    def instance(self) -> Instance:
        """The problem in milliseconds and Kbit, to the last digit: "s" means ms and "bytes" Kbit in its names."""
        edges = tuple(Edge(arc.parent, arc.child, arc.size_kbit) for arc in self.arcs)
        return Instance(self.cost_ms, edges, *raw_of(self.fits))

    def graph(self, name: str = "") -> Graph:
        """The graph in seconds and bytes, called after the file; `cost_s` is the mean over the nodes."""
        rows = [tuple(cost / MS for cost in row) for row in self.cost_ms]
        tasks = zip(self.tasks, rows, strict=True)
        vertices = tuple(Vertex(task, math.fsum(row) / len(row), row) for task, row in tasks)
        edges = tuple(Edge(arc.parent, arc.child, arc.size_kbit * KBIT_BYTES) for arc in self.arcs)
        return Graph(name or PurePath(self.file).stem, vertices, edges)

    def network(self, *, straight: bool = False) -> Network:
        """The nodes and their links in seconds and bytes.

        As they are, the links can be simulated without contention only; with `straight` every link becomes latency
        and bandwidth. Raises FormatError for a fit that makes no network.
        """
        return network_of(self.nodes, self.fits, whole_file(self.file), straight=straight)


def read_tgff(path: Place) -> Tgff:
    """Read a file. Raises FormatError."""
    return parse_tgff(str(path), read_text(path))


def parse_tgff(file: str, text: str) -> Tgff:
    """What a text says; `file` is its name for messages. Raises FormatError."""
    parser = _Parser(file)
    for line, row in enumerate(text.split("\n"), start=1):
        if row.split():
            parser.line(row.strip(), on_line(file, line))
    return parser.result()


class _Parser:
    """Takes the lines one by one."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._blame = whole_file(file)
        self._sections: dict[str, Callable[[str, list[str], Blame], None]] = {
            "TASK_GRAPH": self._graph_line,
            "computation_cost": self._cost_line,
            "quadratic": self._link_line,
        }
        self._seen: dict[str, None] = {}
        self._open = ""
        self._draft = GraphDraft("tgff")
        self._tasks: dict[str, None] = {}
        self._nodes: dict[str, int] = {}
        self._costs: dict[str, tuple[float, ...]] = {}
        self._fits: dict[tuple[int, int], Fit] = {}

    def line(self, row: str, blame: Blame) -> None:
        header = _HEADER.fullmatch(row)
        if not self._open:
            if header is None or header[1] not in self._sections:
                raise blame(f"found {shown(row)}, expected one of {self._expected} to begin")
            if header[1] in self._seen:
                raise blame(f"the section @{header[1]} begins a second time")
            self._open = header[1]
            self._seen[self._open] = None
        elif row == "}":
            self._open = ""
        elif header is not None:
            raise blame(f"@{header[1]} begins before @{self._open} has been closed by a `}}`")
        else:
            self._sections[self._open](row, row.split(), blame)

    @property
    def _expected(self) -> str:
        return ", ".join(f"@{name} 0 {{" for name in self._sections)

    def result(self) -> Tgff:
        if self._open:
            raise self._blame(f"the file ends before @{self._open} has been closed by a `}}`")
        missing = [name for name in self._sections if name not in self._seen]
        if missing:
            raise self._blame(f"there is no section @{missing[0]} 0 {{")
        graph = self._draft.graph(self._blame)
        for task in graph.tasks:
            if task.name not in self._costs:
                raise self._blame(f"@computation_cost has no line for {task.name}")
        arcs = tuple(Arc(edge.parent, edge.child, edge.size_bytes) for edge in graph.edges)
        cost_ms = tuple(self._costs[task.name] for task in graph.tasks)
        numbers = range(len(self._nodes))
        fits = tuple(tuple(self._fits.get((source, target), Fit()) for target in numbers) for source in numbers)
        return Tgff(tuple(self._tasks), arcs, tuple(self._nodes), cost_ms, fits, self._file)

    def _graph_line(self, row: str, words: list[str], blame: Blame) -> None:
        match words:
            case ["APERIODIC"]:
                pass
            case ["TASK", name, "TYPE", number]:
                if number != str(len(self._tasks)):
                    raise blame(f"task {shown(name)} has the TYPE {shown(number)}, expected {len(self._tasks)}")
                if not is_name(name):
                    raise blame(f"a task is called {shown(name)}, expected {NAME_EXPECTED}")
                if name in self._tasks:
                    raise blame(f"a second task is called {shown(name)}")
                self._tasks[name] = None
                self._draft.task(Vertex(f"t0_{number}", 0.0), blame)
            case ["ARC", _, "FROM", parent, "TO", child, "TYPE", size]:
                self._draft.edge(parent, child, numeral(size, "the size of the arc", blame), blame)
            case _:
                raise blame(
                    f"found {shown(row)}, expected `TASK name TYPE number` or `ARC name FROM a TO b TYPE size`"
                )

    def _cost_line(self, row: str, words: list[str], blame: Blame) -> None:
        if row.startswith("#"):
            self._name_nodes(words, blame)
        elif not self._nodes:
            raise blame("a cost stands before the line `# type version node1 node2 ...` that names the nodes")
        else:
            self._cost(words, blame)

    def _name_nodes(self, words: list[str], blame: Blame) -> None:
        names = words[3:]
        if self._nodes or words[:3] != ["#", "type", "version"] or not 1 <= len(names) <= MACHINES_MAX:
            raise blame(f"expected one line `# type version node1 node2 ...` that names 1 to {MACHINES_MAX} nodes")
        for name in names:
            if name in self._nodes:
                raise blame(f"two nodes are called {shown(name)}")
            if name.startswith("#") or not is_name(name):
                raise blame(f"a node is called {shown(name)}, expected {NAME_EXPECTED} that does not begin with #")
            self._nodes[name] = len(self._nodes)

    def _cost(self, words: list[str], blame: Blame) -> None:
        task, *costs = words
        if task not in self._draft:
            raise blame(f"there is no task {shown(task)}, expected t0_0 to t0_{len(self._tasks) - 1}")
        if task in self._costs:
            raise blame(f"task {task} has a second line of costs")
        if len(costs) != len(self._nodes) + 1:
            raise blame(
                f"task {task} has {len(costs)} numbers, expected the version and one for each of "
                f"{len(self._nodes)} nodes"
            )
        self._costs[task] = tuple(numeral(cost, f"a cost of task {task}", blame) for cost in costs[1:])

    def _link_line(self, row: str, words: list[str], blame: Blame) -> None:
        if row.startswith("#"):
            return
        if len(words) != 5:
            raise blame(f"found {shown(row)}, expected `source destination a b c`")
        for name in words[:2]:
            if name not in self._nodes:
                raise blame(f"there is no node {shown(name)}; nodes are {listed(self._nodes)}")
        source, target = (self._nodes[name] for name in words[:2])
        if (source, target) in self._fits:
            raise blame(f"there is a second link from {shown(words[0])} to {shown(words[1])}")
        a, b, c = (numeral(word, "a term of the link", blame, -math.inf) for word in words[2:])
        self._fits[source, target] = Fit(a, b, c) if source != target else Fit()


# Writing


def write_tgff(path: Place, tgff: Tgff) -> None:
    """Write a file. Raises FormatError when it cannot be written, or for a name that would be misread."""
    write_text(path, tgff_text(tgff))


def tgff_text(tgff: Tgff) -> str:
    """As Jupiter writes it, tabs and blanks included."""
    for name in (*tgff.tasks, *tgff.nodes):
        if len(name.split()) != 1 or not is_name(name) or name.startswith("#"):
            raise FormatError("tgff", "", f"{name!r} cannot be written, expected a name without blanks or '#'")
    lines = ["@TASK_GRAPH 0 {", "\tAPERIODIC", ""]
    lines += [f"\tTASK {name}\tTYPE {number} " for number, name in enumerate(tgff.tasks)]
    lines.append("")
    for number, arc in enumerate(tgff.arcs):
        size = spelt(arc.size_kbit)
        lines.append(f"\tARC a0_{number} \tFROM t0_{arc.parent} TO t0_{arc.child} \tTYPE {size}")
    lines += ["", "}", "@computation_cost 0 {", f"# type version {' '.join(tgff.nodes)}"]
    for number, row in enumerate(tgff.cost_ms):
        lines.append(f"  t0_{number}    0\t{' '.join(map(spelt, row))}")
    lines += ["}", "", "", "", "@quadratic 0 {", "# Source Destination a b c"]
    for source, name in enumerate(tgff.nodes):
        for target, other in enumerate(tgff.nodes):
            fit = tgff.fits[source][target]
            if source != target:
                lines.append(f"  {name}\t{other}\t{fit.a!r} {fit.b!r} {fit.c!r}")
    return "\n".join([*lines, "}", ""])


def tgff_of(graph: Graph, network: Network) -> Tgff:
    """A graph on a network as the format can tell it: costs in whole milliseconds, sizes in whole Kbit.

    Raises FormatError for a task that cannot run on every node and for nodes that cannot talk: it cannot tell those.
    """
    try:
        instance = instance_of(graph, network)
    except ScenarioError as error:
        raise FormatError("tgff", "", str(error)) from None
    for task, row in zip(graph.tasks, instance.cost_s, strict=True):
        if max(row) == math.inf:
            raise FormatError("tgff", "", f"task {task.name} cannot run on every node, which the format cannot say")
    arcs = tuple(Arc(edge.parent, edge.child, _whole(edge.size_bytes / KBIT_BYTES)) for edge in graph.edges)
    return Tgff(
        tuple(task.name for task in graph.tasks),
        arcs,
        tuple(machine.name for machine in network.machines),
        tuple(tuple(_whole(cost * MS) for cost in row) for row in instance.cost_s),
        fits_of(network, whole_file("tgff")),
    )


def _whole(number: float) -> float:
    if number > LARGEST:
        raise FormatError("tgff", "", f"there is a number of {number}, expected {expected_from(0)}")
    return float(round(number))


_HEADER = re.compile(r"@(\w+)\s+[0-9]+\s*\{")
