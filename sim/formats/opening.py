"""Opening: the graph, and the network if there is one, of any file that has them; what is in it tells the format."""

from pathlib import PurePath

from pnode.protocol.textfile import shown
from pnode.sim.schedule.scenario import Graph, Network

from .dagbench import problem_of
from .document import parse_json
from .errors import FormatError
from .source import Place, read_text
from .tgff import parse_tgff
from .wfformat import graph_of

Problem = tuple[Graph, Network | None]


def read_graph(path: Place) -> Graph:
    """The task graph of a file of any format. Raises FormatError."""
    return read_problem(path)[0]


def read_network(path: Place) -> Network:
    """The network of a file of a format that has one. Raises FormatError."""
    network = read_problem(path)[1]
    if network is None:
        raise FormatError(str(path), "", "there is a graph in it and no network")
    return network


def read_problem(path: Place) -> Problem:
    """Both. Raises FormatError."""
    return parse_problem(str(path), read_text(path))


def parse_problem(file: str, text: str) -> Problem:
    """Both, of a text; `file` is its name for messages. Raises FormatError."""
    start = text.lstrip()[:1]
    if start == "{":
        return _from_json(file, text)
    if start == "@":
        tgff = parse_tgff(file, text)
        return tgff.graph(), tgff.network()
    suffix = PurePath(file).suffix
    raise FormatError(
        file, "", f"this is none of the formats with a graph: it begins with {shown(text.lstrip()[:20])} ({suffix})"
    )


def _from_json(file: str, text: str) -> Problem:
    document = parse_json(file, text)
    if "workflow" in document.table():
        return graph_of(document), None
    if "task_graph" in document.table():
        return problem_of(document)
    raise document.error("expected `workflow` (WfFormat) or `task_graph` (DAGBench)")
