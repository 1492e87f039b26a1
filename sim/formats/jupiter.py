"""Jupiter's applications: the DAG file of `protocol.jupiter` together with what Jupiter has measured of it.

Two logs lie beside `configuration.txt`, as Jupiter's HEFT gets them (jupiter.md 2.1), quoted or not, headed or not:

    execution_log.txt    node, task, duration_s, output_Kbit          of every task on every node
    network_log.txt      source, its IP, destination, its IP, "a b c" of every link, see `drupe`

A task costs on each node what it took there. An edge carries the mean of the parent's measured output: all of it with
the FLAG true, an equal share with false, as for a live job. `home` computes nothing and is left out, and so are tasks
outside the DAG. Lines `task node` after the DAG are somebody's mapping and pin nothing here.
"""

import csv
import io
import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath

from pnode.protocol import textfile
from pnode.protocol.jupiter import Configuration, parse_configuration
from pnode.protocol.textfile import listed, shown
from pnode.protocol.values import dataclass
from pnode.sim.schedule.scenario import Graph, Network, Vertex

from .document import NAME_EXPECTED, is_name
from .drupe import KBIT_BYTES, Fit, network_of
from .errors import Blame, FormatError, on_line, whole_file
from .graph_draft import GraphDraft
from .network_draft import MACHINES_MAX
from .numeral import numeral
from .source import Place, read_text

EXECUTION_LOG = "execution_log.txt"
NETWORK_LOG = "network_log.txt"


@dataclass(frozen=True, slots=True)
class Log:
    """A log in a text; `file` is its name for messages."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Profiled:
    """An application with what has been measured of it."""

    graph: Graph
    nodes: tuple[str, ...]
    """In the order of the graph's `costs_s`: the order in which the execution log comes by them."""
    network: Network | None
    """None when there is no network log."""


def read_jupiter(path: Place) -> Profiled:
    """A DAG file and the logs beside it, of which the network log may be missing. Raises FormatError."""
    logs = [Path(path).parent / name for name in (EXECUTION_LOG, NETWORK_LOG)]
    executions, links = (Log(str(log), read_text(log)) if log.exists() else None for log in logs)
    if executions is None:
        raise FormatError(str(path), "", f"a DAG of Jupiter tells no run times; expected {EXECUTION_LOG} beside it")
    return parse_jupiter(str(path), read_text(path), executions, links)


def parse_jupiter(file: str, text: str, executions: Log, links: Log | None = None) -> Profiled:
    """An application whose files are texts. Raises FormatError."""
    try:
        configuration = parse_configuration(file, text)
    except textfile.FormatError as error:
        where = f"line {error.line}" if error.line else ""
        raise FormatError(file, where, f"{error.found}; expected {error.expected}") from None
    profile = _profile(executions, configuration)
    network = None if links is None else _network(links, profile.nodes)
    return Profiled(_graph(configuration, profile, PurePath(file).stem), profile.nodes, network)


@dataclass(frozen=True, slots=True)
class _Profile:
    """What the execution log says."""

    nodes: tuple[str, ...]
    seconds: dict[tuple[str, str], float]
    """By task and node."""
    output_kbit: dict[str, float]
    """By task, the mean over the nodes."""


def _profile(log: Log, configuration: Configuration) -> _Profile:
    tasks = dict.fromkeys(entry.name for entry in configuration.entries)
    outside = dict.fromkeys(entry.name for entry in configuration.outside)
    nodes: dict[str, None] = {}
    seconds: dict[tuple[str, str], float] = {}
    outputs: dict[str, list[float]] = {task: [] for task in tasks}
    for (node, task, duration, output), blame in _rows(log, 4, 2):
        if _HOME.fullmatch(node) or task in outside:
            continue
        if task not in tasks:
            raise blame(f"there is no task {shown(task)} in the DAG; tasks are {listed(tasks)}")
        if (task, node) in seconds:
            raise blame(f"task {shown(task)} was measured a second time on node {shown(node)}")
        nodes[_node(node, nodes, blame)] = None
        seconds[task, node] = numeral(duration, "the duration", blame)
        outputs[task].append(numeral(output, "the output", blame))
    blame = whole_file(log.file)
    if not nodes:
        raise blame("no node but home was measured, expected at least one")
    for task in tasks:
        for node in nodes:
            if (task, node) not in seconds:
                raise blame(f"task {shown(task)} was not measured on node {shown(node)}")
    means = {task: math.fsum(sizes) / len(sizes) for task, sizes in outputs.items()}
    return _Profile(tuple(nodes), seconds, means)


def _node(name: str, known: Collection[str], blame: Blame) -> str:
    if not is_name(name):
        raise blame(f"a node is called {shown(name)}, expected {NAME_EXPECTED}")
    if name not in known and len(known) >= MACHINES_MAX:
        raise blame(f"there are more than {MACHINES_MAX} nodes, which is as many as are read")
    return name


def _graph(configuration: Configuration, profile: _Profile, name: str) -> Graph:
    draft = GraphDraft(name)
    inside = dict.fromkeys(entry.name for entry in configuration.entries)
    for entry in configuration.entries:
        row = tuple(profile.seconds[entry.name, node] for node in profile.nodes)
        blame = on_line(configuration.file, entry.line)
        draft.task(Vertex(entry.name, math.fsum(row) / len(row), row), blame)
    for entry in configuration.entries:
        children = [child for child in entry.children if child in inside]
        share = 1 if entry.broadcast else len(children)
        for child in children:
            size = profile.output_kbit[entry.name] * KBIT_BYTES / share
            draft.edge(entry.name, child, size, on_line(configuration.file, entry.line))
    return draft.graph(whole_file(configuration.file))


def _network(log: Log, nodes: tuple[str, ...]) -> Network:
    number = {node: at for at, node in enumerate(nodes)}
    fits: dict[tuple[int, int], Fit] = {}
    for (source, _, target, _, terms), blame in _rows(log, 5, 4):
        if source not in number or target not in number or source == target:
            continue  # home, and nodes on which nothing was measured
        pair = (number[source], number[target])
        if pair in fits:
            raise blame(f"there is a second link from {shown(source)} to {shown(target)}")
        words = terms.split()
        if len(words) != 3:
            raise blame(f"the link is {shown(terms)}, expected three numbers a b c")
        fits[pair] = Fit(*(numeral(word, "a term of the link", blame, -math.inf) for word in words))
    blame = whole_file(log.file)
    for source in nodes:
        for target in nodes:
            if source != target and (number[source], number[target]) not in fits:
                raise blame(f"the link from {shown(source)} to {shown(target)} was not measured")
    numbers = range(len(nodes))
    rows = tuple(tuple(fits.get((one, two), Fit()) for two in numbers) for one in numbers)
    return network_of(nodes, rows, blame)


def _rows(log: Log, columns: int, number_at: int) -> Iterator[tuple[list[str], Blame]]:
    """The rows of a log; a first one without a number where one belongs is its head."""
    reader = csv.reader(io.StringIO(log.text, newline=""), skipinitialspace=True)
    first = True
    while True:
        blame = on_line(log.file, reader.line_num + 1)
        try:
            row = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise blame(f"no row of comma-separated values: {error}") from None
        if not any(row):
            continue
        if len(row) != columns:
            raise blame(f"found {len(row)} columns, expected {columns}")
        if not (first and not _DIGIT.search(row[number_at])):
            yield row, blame
        first = False


_HOME = re.compile(r"home[0-9]*")
_DIGIT = re.compile(r"[0-9]")
