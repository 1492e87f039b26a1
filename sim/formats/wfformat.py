"""WfFormat: the JSON in which WfCommons keeps workflows and their traces (github.com/wfcommons/WfFormat).

Read are the versions 1.4 (everything of a task in one place, tasks refer to each other by name), 1.5 (specification
and execution apart, by id) and 1.6 (1.5 with optional metrics); written is 1.5. What a trace says becomes this:

- A task's cost is its run time, as if on a machine of speed 1: there is one figure per task, no cost per machine.
- The size of an edge is the sum of the files that are outputs of the parent and inputs of the child; the parent's
  word counts where 1.4 tells two sizes of a file. Only edges that the file states are taken: a task may well use
  files of others than its parents.
- Files that no parent of the task writes are external inputs (up to 28 GB in WfInstances). They are not modelled:
  entry tasks start as if their inputs were wherever they run.
- Cores are rounded up to whole ones; the memory of a task is what it was seen to use.

What is written is read back as the same graph, as far as the format can tell it: sizes are rounded to whole bytes,
characters that it does not allow in names are replaced, costs per machine and pins are left out; and who reads takes
what runs for less than a millisecond to run for one (`SHORTEST_S`).
"""

import json
import math
import re
from collections.abc import Iterator

from pnode.protocol.textfile import shown
from pnode.protocol.values import dataclass
from pnode.sim.schedule.scenario import Graph, Vertex

from .document import Value, parse_json
from .graph_draft import GraphDraft
from .source import Place, read_text, write_text

SHORTEST_S = 0.001
"""A run time of 0 was below the resolution of its trace: the reference study took a millisecond (data README 1.2)."""

CORES_MAX = 65_535
"""As for a live task."""

VERSIONS = ("1.4", "1.5", "1.6")

NEVER = "1970-01-01T00:00:00Z"
"""The format demands to be told when a workflow was run, also of one that was not."""


def read_wfformat(path: Place, shortest_s: float = SHORTEST_S) -> Graph:
    """The graph of a trace; the file may be packed by xz or gzip. Raises FormatError."""
    return parse_wfformat(str(path), read_text(path), shortest_s)


def parse_wfformat(file: str, text: str, shortest_s: float = SHORTEST_S) -> Graph:
    """The graph of a trace in a text; `file` is its name for messages. Run times are at least `shortest_s`."""
    return graph_of(parse_json(file, text), shortest_s)


def graph_of(document: Value, shortest_s: float = SHORTEST_S) -> Graph:
    """The graph of a trace that has been read as JSON. Raises FormatError."""
    version = document["schemaVersion"]
    if version.text() not in VERSIONS:
        raise version.wrong(f"one of {', '.join(VERSIONS)}")
    name = document.get("name")
    draft = GraphDraft("workflow" if name is None else name.name())
    workflow = document["workflow"]
    tasks = list(_flat_tasks(workflow) if version.text() == "1.4" else _split_tasks(workflow))
    for task in tasks:
        draft.task(_vertex(task, shortest_s), task.value.error)
    _add_edges(draft, tasks)
    return draft.graph(workflow.error)


@dataclass(frozen=True, slots=True)
class _Task:
    """A task as a version tells it."""

    value: Value
    name: str
    runtime_s: float
    cores: int
    memory_bytes: float
    parents: dict[str, Value]
    """By name; each with its place."""
    children: dict[str, Value]
    inputs: dict[str, float]
    """Size in bytes by file."""
    outputs: dict[str, float]
    both_ends: bool
    """Whether an edge must be told by its parent and by its child."""


def _vertex(task: _Task, shortest_s: float) -> Vertex:
    return Vertex(task.name, max(task.runtime_s, shortest_s), cores=task.cores, memory_bytes=task.memory_bytes)


def _add_edges(draft: GraphDraft, tasks: list[_Task]) -> None:
    by_name = {task.name: task for task in tasks}
    ends: dict[tuple[str, str], Value] = {}
    for task in tasks:
        for parent, value in task.parents.items():
            if parent not in by_name:
                raise value.error(f"there is no task {shown(parent)}")
            if task.both_ends and task.name not in by_name[parent].children:
                raise value.error(f"{shown(parent)} does not have {shown(task.name)} among its children")
            ends[parent, task.name] = value
    for task in tasks:
        for child, value in task.children.items():
            if child not in by_name:
                raise value.error(f"there is no task {shown(child)}")
            if task.both_ends and task.name not in by_name[child].parents:
                raise value.error(f"{shown(child)} does not have {shown(task.name)} among its parents")
            ends.setdefault((task.name, child), value)
    for (parent, child), value in ends.items():
        draft.edge(parent, child, _shared_bytes(by_name[parent], by_name[child]), value.error)


def _shared_bytes(parent: _Task, child: _Task) -> float:
    return math.fsum(size for name, size in parent.outputs.items() if name in child.inputs)


# 1.5 and 1.6


def _split_tasks(workflow: Value) -> Iterator[_Task]:
    specification = workflow["specification"]
    sizes = _sizes(specification)
    runs = _runs(workflow["execution"])
    for value in specification["tasks"].list():
        name = value["id"].name()
        run = runs.get(name)
        if run is None:
            raise value.error(f"task {shown(name)} has no run time under `workflow.execution.tasks`")
        yield _Task(
            value,
            name,
            run["runtimeInSeconds"].number(),
            _cores(run.get("coreCount")),
            _memory(run),
            _names(value["parents"]),
            _names(value["children"]),
            _files(value.get("inputFiles"), sizes),
            _files(value.get("outputFiles"), sizes),
            both_ends=True,
        )


def _sizes(specification: Value) -> dict[str, float]:
    sizes: dict[str, float] = {}
    files = specification.get("files")
    for value in files.list() if files else ():
        name = value["id"].name()
        if name in sizes:
            raise value.error(f"a second file is called {shown(name)}")
        sizes[name] = value["sizeInBytes"].number()
    return sizes


def _runs(execution: Value) -> dict[str, Value]:
    runs: dict[str, Value] = {}
    for value in execution["tasks"].list():
        name = value["id"].name()
        if name in runs:
            raise value.error(f"task {shown(name)} was run twice, expected one run time")
        runs[name] = value
    return runs


def _files(names: Value | None, sizes: dict[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in _names(names).items():
        if name not in sizes:
            raise value.error(f"the file {shown(name)} has no size under `workflow.specification.files`")
        found[name] = sizes[name]
    return found


def _names(names: Value | None) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for value in names.list() if names else ():
        name = value.name()
        if name in found:
            raise value.error(f"{shown(name)} stands here twice, expected it once")
        found[name] = value
    return found


def _cores(value: Value | None) -> int:
    return 1 if value is None else _whole_cores(value)


def _whole_cores(value: Value) -> int:
    cores = max(1, math.ceil(value.number()))
    if cores > CORES_MAX:
        raise value.wrong(f"at most {CORES_MAX} cores")
    return cores


def _memory(value: Value) -> float:
    memory = value.get("memoryInBytes")
    return 0.0 if memory is None else memory.number()


# 1.4


def _flat_tasks(workflow: Value) -> Iterator[_Task]:
    for value in workflow["tasks"].list():
        inputs, outputs = _linked_files(value.get("files"))
        yield _Task(
            value,
            value["name"].name(),
            value["runtimeInSeconds"].number(),
            _cores(value.get("cores")),
            _memory(value),
            _names(value.get("parents")),
            _names(value.get("children")),
            inputs,
            outputs,
            both_ends=False,
        )


def _linked_files(files: Value | None) -> tuple[dict[str, float], dict[str, float]]:
    """Inputs and outputs; a file may be both, and may stand there more than once."""
    found: dict[str, dict[str, float]] = {"input": {}, "output": {}}
    for value in files.list() if files else ():
        link = value["link"]
        if link.text() not in found:
            raise link.wrong("input or output")
        path = value.get("path")
        name = ("" if path is None else path.text()) + value["name"].name()
        found[link.text()][name] = value["sizeInBytes"].number()
    return found["input"], found["output"]


# Writing


def write_wfformat(path: Place, graph: Graph) -> None:
    """Write the graph as version 1.5. Raises FormatError when the file cannot be written."""
    write_text(path, wfformat_text(graph))


def wfformat_text(graph: Graph) -> str:
    """The graph in version 1.5; every edge is a file of its own."""
    ids = _allowed([task.name for task in graph.tasks])
    files = [f"edge_{at}" for at in range(len(graph.edges))]
    tasks: list[dict[str, object]] = []
    into: list[list[int]] = [[] for _ in graph.tasks]
    out: list[list[int]] = [[] for _ in graph.tasks]
    for number, edge in enumerate(graph.edges):
        into[edge.child].append(number)
        out[edge.parent].append(number)
    for at, task in enumerate(graph.tasks):
        tasks.append(
            {
                "name": task.name,
                "id": ids[at],
                "parents": [ids[graph.edges[number].parent] for number in into[at]],
                "children": [ids[graph.edges[number].child] for number in out[at]],
                "inputFiles": [files[number] for number in into[at]],
                "outputFiles": [files[number] for number in out[at]],
            }
        )
    sizes = [
        {"id": name, "sizeInBytes": round(edge.size_bytes)} for name, edge in zip(files, graph.edges, strict=True)
    ]
    specification = {"tasks": tasks, "files": sizes}
    workflow = {"specification": specification, "execution": _execution(graph, ids)}
    document = {"name": graph.name or "workflow", "schemaVersion": "1.5", "workflow": workflow}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _execution(graph: Graph, ids: list[str]) -> dict[str, object]:
    """As it would have been on one core of one machine of speed 1."""
    runs = [
        {
            "id": name,
            "runtimeInSeconds": task.cost_s,
            "coreCount": task.cores,
            "memoryInBytes": round(task.memory_bytes),
        }
        for name, task in zip(ids, graph.tasks, strict=True)
    ]
    makespan_s = math.fsum(task.cost_s for task in graph.tasks)
    return {"makespanInSeconds": makespan_s, "executedAt": NEVER, "tasks": runs}


def _allowed(names: list[str]) -> list[str]:
    """The names with characters that ids must not have replaced, and still all different."""
    taken = {name: None for name in names if not _FOREIGN.search(name)}
    ids: list[str] = []
    for name in names:
        if not _FOREIGN.search(name):
            ids.append(name)
            continue
        base = new = _FOREIGN.sub("_", name)
        count = 1
        while new in taken:
            count += 1
            new = f"{base}.{count}"
        taken[new] = None
        ids.append(new)
    return ids


_FOREIGN = re.compile(r"[^0-9a-zA-Z_.#:/-]")
