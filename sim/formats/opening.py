"""Opening: the graph, and the network if there is one, of any file that has them; what is in it tells the format."""

from pnode.protocol.textfile import shown
from pnode.sim.schedule.scenario import Graph, Network

from .dagbench import problem_of
from .dax import parse_dax
from .document import parse_json
from .errors import FormatError
from .jupiter import read_jupiter
from .source import Place, read_text
from .stg import parse_stg
from .tgff import parse_tgff
from .wfformat import graph_of

READ_AHEAD = 20
"""Lines in which the first two that are not empty must be found."""

EXPECTED = "WfFormat or DAGBench (JSON), DAX (XML), TGFF, STG or a DAG of Jupiter (scenarios end in .toml or .yaml)"

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
    text = read_text(path)
    if _is_jupiter(text):
        profiled = read_jupiter(path)
        return profiled.graph, profiled.network
    return parse_problem(str(path), text)


def parse_problem(file: str, text: str) -> Problem:
    """Both, of a text that needs no other file; `file` is its name for messages. Raises FormatError."""
    start = text.lstrip()[:1]
    if start == "{":
        return _from_json(file, text)
    if start == "<":
        return parse_dax(file, text), None
    if start == "@":
        tgff = parse_tgff(file, text)
        return tgff.graph(), tgff.network()
    if start.isdigit():
        return parse_stg(file, text), None
    found = f"it begins with {shown(text.lstrip()[:20])}" if start else "it is empty"
    raise FormatError(file, "", f"{found}, expected {EXPECTED}")


def _is_jupiter(text: str) -> bool:
    """Whether the line after a number names a task; in the Standard Task Graph Set there are numbers only."""
    rows = [row for _, row in zip(range(READ_AHEAD), text.split("\n", READ_AHEAD), strict=False) if row.split()]
    return len(rows) > 1 and rows[0].strip().isdigit() and not rows[1].split()[0].isdigit()


def _from_json(file: str, text: str) -> Problem:
    document = parse_json(file, text)
    if "workflow" in document.table():
        return graph_of(document), None
    if "task_graph" in document.table():
        return problem_of(document)
    if document.table().get("format") == "pnode-recording":
        raise document.error("it records a live job, which 'pnode sim replay' reads")
    raise document.error("expected `workflow` (WfFormat) or `task_graph` (DAGBench)")
