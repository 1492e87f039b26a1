"""Recordings: runs of live jobs, as `pnode job JOB --record FILE` writes them, turned into something to simulate.

`docs/recordings.md` describes the document. Each item of the job becomes a copy of the graph: items go their own
ways. A task costs as long as it held its core, told for a core of speed 1: its calls, and what the node did around
them to set them up and to store their outputs.
"""

from collections.abc import Mapping

from pnode.mappers.instance import Matrix
from pnode.protocol.values import dataclass
from pnode.sim.schedule.scenario import Arrival, Graph, Machine, Network, Scenario, ScenarioError, Vertex

from .document import Value, parse_json
from .graph_draft import GraphDraft
from .numeral import LARGEST
from .source import Place, read_text

FORMAT = "pnode-recording"
VERSION = 1

ITEMS_MAX = 10_000
"""As for a live job."""

CORES_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Ran:
    """What really happened to one task of one item; instants are seconds since the submission."""

    machine: int
    start_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A run and the world it took place in."""

    job: str
    mapper: str
    scenario: Scenario
    """One graph with the tasks of all items, from the job's origin."""
    ran: tuple[Ran, ...]
    """By the place of the task in the graph."""

    @property
    def makespan_s(self) -> float:
        """From the submission to the last finish."""
        return max(one.finish_s for one in self.ran)


def read_recording(path: Place) -> Recording:
    """Raises FormatError, also for a job that did not finish: what never ran cannot be compared."""
    return parse_recording(str(path), read_text(path))


def parse_recording(file: str, text: str) -> Recording:
    """The same of a text; `file` is its name for messages."""
    document = parse_json(file, text)
    if document["format"].text() != FORMAT or document["version"].whole(0, 2**31) != VERSION:
        raise document.error(f"expected a recording of format {FORMAT!r}, version {VERSION}")
    nodes = {node["id"].name(): at for at, node in enumerate(document["nodes"].list())}
    network = _network(document, nodes)
    kept = _kept(document, nodes)
    graph = _graph(document, network, kept)
    origin = document["origin"]
    if origin.name() not in nodes:
        raise origin.wrong("one of the nodes")
    try:
        scenario = Scenario(graph.name, network, (Arrival(graph, origin=nodes[origin.name()]),))
    except ScenarioError as error:
        raise document.error(str(error)) from None
    ran = tuple(kept[task.name] for task in graph.tasks)
    return Recording(document["job"].name(), document["mapper"].name(), scenario, ran)


def _network(document: Value, nodes: Mapping[str, int]) -> Network:
    machines = tuple(_machine(node) for node in document["nodes"].list())
    names = [machine.name for machine in machines]
    if len(nodes) < len(names) or len(dict.fromkeys(names)) < len(names):
        raise document["nodes"].error("two nodes have the same id, expected each once")
    latency = [[0.0] * len(nodes) for _ in nodes]
    bandwidth = [[0.0] * len(nodes) for _ in nodes]
    told: dict[tuple[int, int], None] = {}
    for link in document["links"].list():
        pair = (_node(link["source"], nodes), _node(link["target"], nodes))
        if pair in told:
            raise link.error("a second link from the same node to the same node")
        told[pair] = None
        source, target = pair
        latency[source][target] = link["latency_s"].number()
        bandwidth[source][target] = link["bandwidth_bytes_per_s"].number(expected="bytes per second, zero or more")
    missing = len(nodes) * (len(nodes) - 1) - len(told)
    if missing:
        raise document["links"].error(f"{missing} links are missing, expected one for each pair of nodes, both ways")
    rows: list[Matrix] = [tuple(map(tuple, rows)) for rows in (latency, bandwidth)]
    return Network(machines, *rows)


def _machine(node: Value) -> Machine:
    name, identity = node["name"].name(), node["id"].name()
    cores = node["cores"].whole(0, CORES_MAX)
    speed = node["speed"].number(1e-9)
    # Names may repeat, ids may not; a node that is gone tells no cores, and had one at least.
    return Machine(name if name == identity else f"{name} {identity}", speed, max(1, cores))


def _node(value: Value, nodes: Mapping[str, int]) -> int:
    name = value.name()
    if name not in nodes:
        raise value.wrong("one of the nodes")
    return nodes[name]


def _kept(document: Value, nodes: Mapping[str, int]) -> dict[str, Ran]:
    """The finished attempts by the name of the task in the graph."""
    several = sum(1 for _ in document["inputs"].list()) > 1
    kept: dict[str, Ran] = {}
    for attempt in document["attempts"].list():
        if attempt["phase"].text() != "finished":
            continue
        name = _unit(attempt["task"].name(), attempt["item"].whole(0, ITEMS_MAX), several=several)
        start_s, finish_s = attempt["started_s"].number(-LARGEST), attempt["ended_s"].number(-LARGEST)
        if finish_s < start_s:
            raise attempt.error(f"ended at {finish_s} s, before it started at {start_s} s")
        kept[name] = Ran(_node(attempt["node"], nodes), start_s, finish_s)
    return kept


def _unit(task: str, item: int, *, several: bool) -> str:
    return f"{task}[{item}]" if several else task


def _graph(document: Value, network: Network, kept: Mapping[str, Ran]) -> Graph:
    draft = GraphDraft(document["name"].name())
    items = sum(1 for _ in document["inputs"].list())
    for item in range(items):
        for task in document["tasks"].list():
            name = _unit(task["name"].name(), item, several=items > 1)
            if name not in kept:
                raise task.error(f"no attempt at {name} has finished, expected a job that is done")
            draft.task(_vertex(name, task, network, kept[name]), task.error)
        for edge in document["edges"].list():
            ends = [_unit(edge[end].name(), item, several=items > 1) for end in ("parent", "child")]
            draft.edge(ends[0], ends[1], edge["size_bytes"].number(), edge.error)
    return draft.graph(document.error)


def _vertex(name: str, task: Value, network: Network, kept: Ran) -> Vertex:
    machine = network.machines[kept.machine]
    cores = min(task["cores"].whole(1, CORES_MAX), machine.cores)
    return Vertex(name, (kept.finish_s - kept.start_s) * machine.speed, cores=cores)
