"""Task graphs: what a job's tasks are, and which feeds which."""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Annotated

from .codec import U8, U16, U63, Length, Name, Range, Seconds, Text
from .values import dataclass, field

Bytes = Annotated[float, Range(0.0, 2.0**63)]
"""An expected amount of data: an estimate, hence no whole number."""

TASKS_MAX = 20_000
"""A specification of this many tasks is about 2 MB; larger graphs should stream items instead."""


EDGES_MAX = 200_000
"""All children of all tasks together: ten per task in the largest graph, taken in within a third of a second. Where
hundreds feed hundreds, a task that gathers in between is better."""


RETRIES_LOST = 3
"""Machines fail now and then; a task that has lost four of them while it ran is likely to be the reason."""


class DagError(ValueError):
    """The graph is not one a job can have; the message says what was found and what was expected."""


CYCLE_SHOWN_MAX = 12
"""Names of a cycle that a message prints; the rest is a number."""


class CycleError(DagError):
    """Some tasks wait for each other; `cycle` names them, each feeding the next, the first again at the end."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        self.cycle = cycle
        super().__init__(f"the graph has a cycle: {self.text}")

    @property
    def text(self) -> str:
        """The cycle for people, shortened in the middle when it is long."""
        if len(self.cycle) <= CYCLE_SHOWN_MAX:
            return " -> ".join(self.cycle)
        left_out = len(self.cycle) - CYCLE_SHOWN_MAX
        shown = self.cycle[: CYCLE_SHOWN_MAX - 1]
        return " -> ".join((*shown, f"({left_out} more)", self.cycle[-1]))


class ProgramKind(IntEnum):
    """How a task is called."""

    MODULE = 0
    """Jupiter's interface: `task(file_or_list, pathin, pathout)` of a Python module, in a fresh process per call."""
    COMMAND = 1
    """An executable or script that is told its inputs and output directory by environment variables."""
    CALLS = 2
    """Some of the Python calls in a parcel, one after the other, in a process that is kept for more of them."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is run for a task."""

    kind: U16
    """A ProgramKind."""
    arguments: Annotated[tuple[Text, ...], Length(1, 256)]
    """MODULE: (path of the module relative to the application,). COMMAND: argument vector; a first word that is a
    file of the application is run from there, anything else is looked up on PATH. CALLS: (name of the function,
    number of the first call, how many, name of the parcel, names of more files); the files are of the job's input."""

    def __post_init__(self) -> None:
        """Raises DagError for what no process can be given: the kernel's texts end at their first zero byte; and for
        calls that are no calls of a parcel."""
        if "\0" in "".join(self.arguments):
            raise DagError("a program has a zero byte among its arguments")
        if self.kind == ProgramKind.CALLS and not _CALLS.fullmatch("/".join(self.arguments[1:4])):
            raise DagError(
                f"calls have the arguments {self.arguments[:4]}, expected a function, two numbers and a parcel's name"
            )


@dataclass(frozen=True, slots=True)
class Task:
    """One vertex."""

    name: Name
    children: tuple[Name, ...]
    program: Program
    final: bool = False
    """Its outputs are results of the job."""
    inputs_per_call: Annotated[int, Range(1, 2**32 - 1)] = 1
    """Jupiter's NUM_INPUTS: how many files make one call; 1 passes a string, more a list."""
    broadcast: bool = True
    """Jupiter's FLAG: every output to every child (true), or the i-th output to the i-th child (false)."""
    cores: U16 = 1
    memory_bytes: U63 = 0
    """What it is expected to need; 0 when nobody said."""
    walltime_s: Seconds = 0.0
    """It is ended and counts as failed after this; 0 means no limit."""
    expected_s: Seconds = 0.0
    """Expected run time on a core of speed 1; 0 when nobody knows."""
    output_bytes: U63 = 0
    """Expected total size of its outputs; 0 when nobody knows."""
    hint: tuple[Name, ...] = ()
    """Names of nodes that the application asks for, first choice first; empty leaves the choice to the mapper."""
    environment: tuple[tuple[Name, Text], ...] = ()
    child_bytes: tuple[Bytes, ...] = ()
    """Expected size of what each of `children` gets, in their order; empty to go by `output_bytes`."""
    retries_lost: U8 = RETRIES_LOST
    """How often it is run again because the node that ran it was lost."""
    retries_failed: U8 = 0
    """How often it is run again because it failed."""
    retries_timeout: U8 = 0
    """How often it is run again because it took longer than its walltime."""

    def __post_init__(self) -> None:
        """Raises DagError for a name that no directory could have, since results lie in one, or that would do
        something to a terminal, and for variables that no environment can hold."""
        if not is_base_name(self.name):
            raise DagError(f"{self.name!r} is no name for a task, expected one without '/' and control characters")
        for name, value in self.environment:
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise DagError(
                    f"task {self.name!r} has the variable {name!r}, which no environment can hold: expected a name "
                    "without '=', and no zero byte in name or value"
                )
        if len(self.child_bytes) not in (0, len(self.children)):
            raise DagError(
                f"task {self.name!r} has {len(self.child_bytes)} sizes for {len(self.children)} children, expected "
                "one for each"
            )


_CALLS = re.compile(r"[0-9]{1,9}/[1-9][0-9]{0,8}/[^/]+")

_UNFIT = re.compile(r"[\x00-\x1f\x7f/]")


def is_base_name(name: str) -> bool:
    """Whether a file or directory may have this name, lie where it is put and nowhere else, and be listed."""
    return name not in ("", ".", "..") and not _UNFIT.search(name)


@dataclass(frozen=True, slots=True)
class Dag:
    """A directed acyclic graph of tasks, checked when it is built.

    Raises DagError for no task, too many edges, duplicate or unknown names, a task that feeds itself, a cycle.
    """

    tasks: Annotated[tuple[Task, ...], Length(1, TASKS_MAX)]
    by_name: Mapping[str, Task] = field(init=False, repr=False, compare=False)
    parents: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """Parents of each task, in the order of the file."""
    order: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Every task after all its parents; among those free to go, the order of the file."""
    _sizes: Mapping[tuple[str, str], float] = field(init=False, repr=False, compare=False)
    """Of the edges that have a figure of their own."""

    def __post_init__(self) -> None:
        by_name = {task.name: task for task in self.tasks}
        if len(by_name) != len(self.tasks) or not self.tasks:
            raise DagError(_why_not_named(self.tasks))
        edges = sum(len(task.children) for task in self.tasks)
        if edges > EDGES_MAX:
            raise DagError(
                f"the graph has {edges} edges, at most {EDGES_MAX} are taken; let one task gather for many"
            )
        children = {task.name: tuple(dict.fromkeys(task.children)) for task in self.tasks}
        parents: dict[str, list[str]] = {name: [] for name in by_name}
        for name, below in children.items():
            for child in below:
                if child not in by_name:
                    raise DagError(f"task {name!r} names the child {child!r}, which is not a task")
                if child == name:
                    raise DagError(f"task {name!r} feeds itself")
                parents[child].append(name)
        object.__setattr__(self, "by_name", by_name)
        object.__setattr__(self, "parents", {name: tuple(names) for name, names in parents.items()})
        object.__setattr__(self, "order", topological(children))
        sizes = {
            (task.name, child): size
            for task in self.tasks
            if task.child_bytes
            for child, size in zip(task.children, task.child_bytes, strict=True)
        }
        object.__setattr__(self, "_sizes", sizes)

    @property
    def entries(self) -> tuple[str, ...]:
        """Tasks without parents: they get the job's inputs."""
        return tuple(task.name for task in self.tasks if not self.parents[task.name])

    def edge_bytes(self, parent: str, child: str) -> float:
        """What a task is expected to send to one of its children.

        An edge without a figure of its own carries all outputs, or one share of them (Jupiter's FLAG).
        """
        task = self.by_name[parent]
        if task.child_bytes:
            return self._sizes[parent, child]
        if task.broadcast or not task.children:
            return float(task.output_bytes)
        return task.output_bytes / len(task.children)

    def upward_ranks(
        self, run_s: Callable[[str], float], transfer_s: Callable[[str, str], float]
    ) -> dict[str, float]:
        """Length in seconds of the longest way from each task to an end, itself included.

        `run_s(task)` and `transfer_s(parent, child)` are means over nodes. Source: Topcuoglu, Hariri and Wu 2002,
        section 4.1.
        """
        rank: dict[str, float] = {}
        for name in reversed(self.order):
            below = (transfer_s(name, child) + rank[child] for child in dict.fromkeys(self.by_name[name].children))
            rank[name] = run_s(name) + max(below, default=0.0)
        return rank


def _why_not_named(tasks: tuple[Task, ...]) -> str:
    if not tasks:
        return "a job needs at least one task"
    times = Counter(task.name for task in tasks)
    doubled = next(name for name, count in times.items() if count > 1)
    return f"two tasks are called {doubled!r}"


def topological(children: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Every task after all its parents; among those free to go, the order of the mapping. Kahn's algorithm.

    `children` has every task as a key and each child of a task once. Raises CycleError.
    """
    missing = dict.fromkeys(children, 0)
    for names in children.values():
        for child in names:
            missing[child] += 1
    place = {name: at for at, name in enumerate(children)}
    names_by_place = tuple(children)
    free = [place[name] for name in children if not missing[name]]  # ascending, hence a heap
    order: list[str] = []
    while free:
        name = names_by_place[heapq.heappop(free)]
        order.append(name)
        for child in children[name]:
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(free, place[child])
    if len(order) < len(children):
        raise CycleError(_a_cycle(children, set(order)))
    return tuple(order)


def _a_cycle(children: Mapping[str, Sequence[str]], placed: set[str]) -> tuple[str, ...]:
    """A proof for people, the first in the file first.

    Each task that could not be placed has a parent that could not, so walking up from any of them comes round.
    """
    up: dict[str, str] = {}
    for name, below in children.items():
        if name not in placed:
            up.update((child, name) for child in below if child not in placed and child not in up)
    trail: dict[str, None] = {}  # ordered, and quick to ask: a cycle may have 20,000 tasks
    name = next(iter(up))
    while name not in trail:
        trail[name] = None
        name = up[name]
    around = list(trail)[list(trail).index(name) :][::-1]  # the trail went from child to parent
    members = set(around)
    first = around.index(next(name for name in children if name in members))
    return (*around[first:], *around[:first], around[first])
