"""ncsim: the YAML scenarios of ANRG's simulator (PyPI `anrg-ncsim`), both ways.

    scenario:
      name: two nodes
      network:
        nodes:
          - {id: n0, compute_capacity: 100}          # units of work per second
        links:
          - {id: l01, from: n0, to: n1, bandwidth: 100, latency: 0.001}     # MB/s and seconds; one way
      dags:
        - id: dag_1
          inject_at: 0.0
          tasks:
            - {id: T0, compute_cost: 100, pinned_to: n0}
          edges:
            - {from: T0, to: T1, data_size: 50}      # MB
      config: {scheduler: heft, routing: direct, interference: none}

Fields are those of the project's own reference (docs/scenarios/yaml-reference.md in ANRGUSC/ncsim); the level
`scenario` may be left out. A megabyte is a million bytes. Links are shared by what travels on them, and nodes run one
task at a time. Nodes without a link between them cannot talk: `routing: direct` is the only one read, since here
nothing is forwarded. `interference` is read as none where it is not told, though ncsim then means radios that disturb
each other by their `position`; any other than none is refused, and so are links whose bandwidth comes from radio
models. Which scheduler and seed a file names is not part of a scenario here.

Written is what ncsim knows: no cores, memory, cards, streams, disruptions, gossip or hand-off, machines that differ
in speed only, contention by links, exact durations. Anything else is refused rather than left out; only where a graph
was submitted gets lost, since ncsim has no such place. Numbers are written to their last digit.
"""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import PurePath

from pnode.mappers.contention import Contention
from pnode.protocol.textfile import shown
from pnode.sim.schedule.scenario import (
    Arrival,
    Durations,
    Gossip,
    Graph,
    Handoff,
    Machine,
    Network,
    Scenario,
    ScenarioError,
    Vertex,
)

from .document import Value
from .errors import FormatError
from .graph_draft import EDGES_MAX, TASKS_MAX, GraphDraft
from .names import dag_names, link_name
from .network_draft import NetworkDraft
from .numeral import numeral
from .source import Place, read_text, write_text
from .yaml_document import parse_yaml

MEGA = 6
"""Powers of ten between a byte and a megabyte: moving the point loses no digit."""


def read_ncsim(path: Place) -> Scenario:
    """The scenario of a file. Raises FormatError, also when PyYAML is missing."""
    return parse_ncsim(str(path), read_text(path))


def parse_ncsim(file: str, text: str) -> Scenario:
    """That of a text; `file` is its name for messages."""
    document = parse_yaml(file, text)
    scenario = document.get("scenario") or document
    _check_config(scenario.get("config"))
    network = _network(scenario["network"])
    dags = list(scenario["dags"].list())
    _check_count(scenario, dags)
    arrivals = tuple(_arrival(dag, network) for dag in dags)
    seen: dict[str, None] = {}
    for dag, arrival in zip(dags, arrivals, strict=True):
        if arrival.graph.name in seen:
            raise dag.error(f"a second dag is called {shown(arrival.graph.name)}")
        seen[arrival.graph.name] = None
    name = scenario.get("name")
    try:
        return Scenario(PurePath(file).stem if name is None else name.name(), network, arrivals, Contention.LINK)
    except ScenarioError as error:
        raise scenario.error(str(error)) from None


def _check_config(config: Value | None) -> None:
    for key, only in (("routing", "direct"), ("interference", "none")):
        value = config.get(key) if config else None
        if value is not None and value.text() != only:
            raise value.wrong(f"{only}, which is the only one simulated here")


def _check_count(scenario: Value, dags: list[Value]) -> None:
    """All dags together: aliases make a few lines stand for many tasks."""
    tasks = sum(len(list(dag["tasks"].list())) for dag in dags)
    edges = sum(len(list(edges.list())) for dag in dags if (edges := dag.get("edges")))
    if tasks > TASKS_MAX or edges > EDGES_MAX:
        raise scenario.error(
            f"there are {tasks} tasks and {edges} edges, at most {TASKS_MAX} and {EDGES_MAX} are read"
        )


def _network(value: Value) -> Network:
    draft = NetworkDraft()
    for node in value["nodes"].list():
        draft.machine(Machine(node["id"].name(), _number(node["compute_capacity"])), node.error)
    links = value.get("links")
    for link in links.list() if links else ():
        latency = link.get("latency")
        draft.link(
            link["from"].name(),
            link["to"].name(),
            0.0 if latency is None else _number(latency),
            _bandwidth(link["bandwidth"]),
            link.error,
        )
    return draft.network(value.error, partial=True)


def _arrival(value: Value, network: Network) -> Arrival:
    draft = GraphDraft(value["id"].name())
    for task in value["tasks"].list():
        pinned = task.get("pinned_to")
        vertex = Vertex(
            task["id"].name(), _number(task["compute_cost"]), pinned="" if pinned is None else pinned.name()
        )
        if pinned is not None:
            try:
                network.number(vertex.pinned)
            except ScenarioError as error:
                raise pinned.error(str(error)) from None
        draft.task(vertex, task.error)
    edges = value.get("edges")
    for edge in edges.list() if edges else ():
        draft.edge(edge["from"].name(), edge["to"].name(), _number(edge["data_size"], MEGA), edge.error)
    inject_at = value.get("inject_at")
    return Arrival(draft.graph(value.error), 0.0 if inject_at is None else _number(inject_at))


def _number(value: Value, power: int = 0) -> float:
    """The number that a text spells, times ten to the power."""
    word = value.text()
    number = numeral(word, "the number", value.error)
    return float(Decimal(word).scaleb(power)) if number else 0.0


def _bandwidth(value: Value) -> float:
    return math.inf if value.plain in (".inf", ".Inf", ".INF") else _number(value, MEGA)


# Writing


def write_ncsim(path: Place, scenario: Scenario, scheduler: str = "") -> None:
    """Write a file. Raises FormatError for what ncsim does not know."""
    write_text(path, ncsim_text(scenario, scheduler))


def ncsim_text(scenario: Scenario, scheduler: str = "") -> str:
    """The scenario for ncsim. Unless it is given, the scheduler is `heft`, or `manual` when all tasks are pinned."""
    _check_known(scenario)
    return "".join(f"{line}\n" for line in _lines(scenario, scheduler or _scheduler(scenario)))


def _check_known(scenario: Scenario) -> None:
    plain = Scenario(scenario.name, scenario.network, scenario.arrivals, Contention.LINK)
    for what, same in (
        ('contention other than by links, `contention = "link"`', scenario.contention is Contention.LINK),
        ("durations that are drawn", scenario.durations == Durations()),
        ("disruptions", not scenario.disruptions),
        ("gossip", scenario.gossip == Gossip()),
        ("hand-off", scenario.handoff == Handoff()),
        ("streams", all(arrival.items == 1 for arrival in plain.arrivals)),
        ("links with a quadratic term", scenario.network.seconds_per_byte2 is None),
    ):
        if not same:
            raise _unknown(scenario.name, what)
    for machine in scenario.network.machines:
        if machine != Machine(machine.name, machine.speed):
            raise _unknown(f"machine {machine.name}", "cores, memory and network cards")
    for arrival in scenario.arrivals:
        for task in arrival.graph.tasks:
            if task != Vertex(task.name, task.cost_s, pinned=task.pinned):
                raise _unknown(f"task {task.name}", "cores, memory and a cost on each node")


def _unknown(where: str, what: str) -> FormatError:
    return FormatError("ncsim", where, f"ncsim does not know {what}")


def _scheduler(scenario: Scenario) -> str:
    tasks = [task for arrival in scenario.arrivals for task in arrival.graph.tasks]
    return "manual" if all(task.pinned for task in tasks) else "heft"


def _lines(scenario: Scenario, scheduler: str) -> Iterator[str]:
    yield from ("scenario:", f"  name: {_quoted(scenario.name)}", "  network:", "    nodes:")
    for machine in scenario.network.machines:
        yield f"      - {{id: {_quoted(machine.name)}, compute_capacity: {_spelt(machine.speed)}}}"
    yield from _links(scenario.network)
    yield "  dags:"
    for name, arrival in zip(dag_names(scenario), scenario.arrivals, strict=True):
        yield from (f"    - id: {_quoted(name)}", f"      inject_at: {_spelt(arrival.at_s)}")
        yield from _graph(arrival.graph)
    yield from ("  config:", f"    scheduler: {_quoted(scheduler)}", "    routing: direct", "    interference: none")


def _links(network: Network) -> Iterator[str]:
    names = [machine.name for machine in network.machines]
    found: list[str] = []
    for source, name in enumerate(names):
        for target, other in enumerate(names):
            rate = network.bandwidth_bytes_per_s[source][target]
            if source != target and rate:
                ends = f"from: {_quoted(name)}, to: {_quoted(other)}"
                latency = _spelt(network.latency_s[source][target])
                figures = f"bandwidth: {_spelt(rate, -MEGA)}, latency: {latency}"
                found.append(f"      - {{id: {_quoted(link_name(name, other))}, {ends}, {figures}}}")
    yield from ("    links:", *found) if found else ("    links: []",)


def _graph(graph: Graph) -> Iterator[str]:
    yield "      tasks:"
    for task in graph.tasks:
        pinned = f", pinned_to: {_quoted(task.pinned)}" if task.pinned else ""
        yield f"        - {{id: {_quoted(task.name)}, compute_cost: {_spelt(task.cost_s)}{pinned}}}"
    edges = [
        f"        - {{from: {_quoted(graph.tasks[edge.parent].name)}, to: {_quoted(graph.tasks[edge.child].name)}, "
        f"data_size: {_spelt(edge.size_bytes, -MEGA)}}}"
        for edge in graph.edges
    ]
    yield from ("      edges:", *edges) if edges else ("      edges: []",)


def _spelt(number: float, power: int = 0) -> str:
    """Without an exponent: YAML 1.1 takes `1e-07` for a text."""
    if number == math.inf:
        return ".inf"
    return format(Decimal(repr(float(number))).scaleb(power), "f")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
