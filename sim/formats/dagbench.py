"""DAGBench: a task graph together with a network in one JSON file (github.com/ANRGUSC/dag-bench).

    {"name": ID,
     "task_graph": {"tasks": [{"name", "cost"}], "dependencies": [{"source", "target", "size"}]},
     "network": {"nodes": [{"name", "speed"}], "edges": [{"source", "target", "speed"}]}}

A task takes cost / speed, a transfer size / speed of the link, without latency; the units are abstract and read as
seconds and bytes. Links are undirected and are listed in one direction, or in both with the same speed. The link of a
node to itself says that data which is there already costs nothing, whatever its speed, and is left out.
"""

from pnode.protocol.textfile import shown
from pnode.sim.schedule.scenario import Graph, Machine, Network, Vertex

from .document import Value, parse_json
from .graph_draft import GraphDraft
from .network_draft import NetworkDraft
from .source import Place, read_text


def read_dagbench(path: Place) -> tuple[Graph, Network]:
    """The graph and the network of a file. Raises FormatError."""
    return parse_dagbench(str(path), read_text(path))


def parse_dagbench(file: str, text: str) -> tuple[Graph, Network]:
    """Those of a text; `file` is its name for messages."""
    return problem_of(parse_json(file, text))


def problem_of(document: Value) -> tuple[Graph, Network]:
    """Those of a file that has been read as JSON. Raises FormatError."""
    name = document.get("name")
    graph = _graph(document["task_graph"], "graph" if name is None else name.name())
    return graph, _network(document["network"])


def _graph(value: Value, name: str) -> Graph:
    draft = GraphDraft(name)
    for task in value["tasks"].list():
        draft.task(Vertex(task["name"].name(), task["cost"].number()), task.error)
    for edge in value["dependencies"].list():
        draft.edge(edge["source"].name(), edge["target"].name(), edge["size"].number(), edge.error)
    return draft.graph(value.error)


def _network(value: Value) -> Network:
    draft = NetworkDraft()
    for node in value["nodes"].list():
        draft.machine(Machine(node["name"].name(), node["speed"].number()), node.error)
    told: dict[tuple[str, str], float] = {}
    for edge in value["edges"].list():
        source, target = (draft.known(edge[end].name(), edge[end].error) for end in ("source", "target"))
        speed = edge["speed"].number()
        if (source, target) in told:
            raise edge.error(f"the link from {shown(source)} to {shown(target)} is there a second time")
        back = told.get((target, source))
        if back is not None and back != speed:
            raise edge.error(
                f"the link from {shown(source)} to {shown(target)} has the speed {speed}, and the way back {back}; "
                "expected the same, since links are undirected"
            )
        told[source, target] = speed
        if source != target and back is None:
            draft.link(source, target, 0.0, speed, edge.error)
            draft.link(target, source, 0.0, speed, edge.error)
    return draft.network(value.error)
