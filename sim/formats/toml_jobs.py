"""The tables [[job]] of our own scenario files: graphs, from files or told on the spot, and when they come."""

import os
from dataclasses import replace
from pathlib import Path

from pnode.protocol.textfile import listed, shown
from pnode.sim.schedule.scenario import Arrival, Graph, Network, Vertex

from .document import Value
from .graph_draft import GraphDraft
from .opening import read_graph
from .units import SIZE, TIME, quantity
from .wfformat import CORES_MAX

JOB_KEYS = ("name", "graph", "tasks", "at", "origin", "items", "period", "queue", "factors", "trace")
TASK_KEYS = ("cost", "costs", "cores", "memory", "node", "feeds")

ITEMS_MAX = 10_000_000
"""Of one stream; a simulation of more takes hours."""

Factors = tuple[tuple[str, float], ...]
"""Per task: what it really takes over what it was expected to take."""


class Jobs:
    """Reads job after job on one network; a graph that several jobs name is read once."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._number = {machine.name: at for at, machine in enumerate(network.machines)}
        self._folder = folder
        self._graphs: dict[str, Graph] = {}

    def read(self, job: Value) -> tuple[Arrival, Factors]:
        """Raises FormatError."""
        job.allow(JOB_KEYS)
        graph = self._graph(job)
        at, origin, items, period, queue = (job.get(key) for key in ("at", "origin", "items", "period", "queue"))
        arrival = Arrival(
            graph,
            0.0 if at is None else quantity(at, TIME),
            0 if origin is None else self._node(origin),
            1 if items is None else items.whole(1, ITEMS_MAX),
            0.0 if period is None else quantity(period, TIME),
            0 if queue is None else queue.whole(0, ITEMS_MAX),
        )
        return arrival, self._factors(job, graph)

    def _node(self, value: Value) -> int:
        name = value.name()
        if name not in self._number:
            raise value.error(f"there is no node {shown(name)}; nodes are {listed(self._number)}")
        return self._number[name]

    def _graph(self, job: Value) -> Graph:
        file, tasks, name = job.get("graph"), job.get("tasks"), job.get("name")
        if file is not None and tasks is None:
            graph = self._from_file(file)
            return graph if name is None else replace(graph, name=name.name())
        if tasks is None or file is not None:
            raise job.error("expected either `graph`, a file, or a table `tasks`")
        return self._told(tasks, "job" if name is None else name.name())

    def _from_file(self, file: Value) -> Graph:
        path = file.text()
        if path not in self._graphs:
            if not os.path.exists(self._folder / path):  # noqa: PTH110 - Path's stumbles over too long a name
                raise file.error(f"there is no file {self._folder / path}")
            self._graphs[path] = read_graph(self._folder / path)
        graph = self._graphs[path]
        for task in graph.tasks:
            if task.costs_s and len(task.costs_s) != len(self._number):
                raise file.error(
                    f"its tasks have a cost for each of {len(task.costs_s)} nodes, and the network has "
                    f"{len(self._number)}; expected its own network, `file = {shown(path)}`"
                )
        return graph

    # Tasks on the spot

    def _told(self, tasks: Value, name: str) -> Graph:
        draft = GraphDraft(name)
        for task, value in tasks.items():
            draft.task(self._vertex(task, value), value.error)
        for task, value in tasks.items():
            feeds = value.get("feeds") if isinstance(value.plain, dict) else None
            for child, size in feeds.items() if feeds else ():
                draft.edge(task, child, quantity(size, SIZE), size.error)
        return draft.graph(tasks.error)

    def _vertex(self, name: str, value: Value) -> Vertex:
        if not isinstance(value.plain, dict):
            return Vertex(name, quantity(value, TIME))
        value.allow(TASK_KEYS)
        cost, costs = value.get("cost"), value.get("costs")
        each = () if costs is None else tuple(quantity(cell, TIME) for cell in costs.list())
        if costs is not None and len(each) != len(self._number):
            raise costs.error(f"found {len(each)} costs, expected one for each of {len(self._number)} nodes")
        if cost is None and not each:
            raise value.error("expected a `cost`, or `costs` on every node")
        cores, memory, node = value.get("cores"), value.get("memory"), value.get("node")
        if node is not None:
            self._node(node)
        return Vertex(
            name,
            sum(each) / len(each) if cost is None else quantity(cost, TIME),
            each,
            1 if cores is None else cores.whole(1, CORES_MAX),
            0.0 if memory is None else quantity(memory, SIZE),
            "" if node is None else node.name(),
        )

    # What tasks really take

    def _factors(self, job: Value, graph: Graph) -> Factors:
        table, trace = job.get("factors"), job.get("trace")
        if trace is not None:
            if table is not None:
                raise job.error("there are `factors` and `trace`, expected one of the two")
            return self._from_trace(trace, graph)
        names = {task.name for task in graph.tasks}
        factors: list[tuple[str, float]] = []
        for name, value in table.items() if table else ():
            if name not in names:
                raise value.error(f"graph {shown(graph.name)} has no task {shown(name)}")
            factors.append((name, value.number()))
        return tuple(factors)

    def _from_trace(self, trace: Value, graph: Graph) -> Factors:
        """Another run of the same graph: its run times over those the mappers know."""
        real = {task.name: task.cost_s for task in self._from_file(trace).tasks}
        factors: list[tuple[str, float]] = []
        for task in graph.tasks:
            if task.name not in real:
                raise trace.error(f"it has no task {shown(task.name)}, expected another run of {shown(graph.name)}")
            if not task.cost_s and real[task.name]:
                raise trace.error(f"task {shown(task.name)} takes time there and none in {shown(graph.name)}")
            factors.append((task.name, real[task.name] / task.cost_s if task.cost_s else 1.0))
        return tuple(factors)
