"""The call graph: calls that are handed in together, as the graph of one job."""

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice

from pnode.protocol.certificate import NAME_BYTES_MAX
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.jobspec import FileRef
from pnode.protocol.routing import ALL_GIVEN
from pnode.protocol.values import dataclass

from .bundling import Call, Pace, bundled
from .callee import HEADER, SAME_UNIT
from .callmessages import FILES_MAX, INLINE_BYTES_MAX, PARCEL, VALUES, Batch
from .futures import OpenFile, Outcome, Payload
from .parcel import Function, fit_name, pack_parcel

CALLS_MAX = 4096
"""Of one graph."""

GRAPH_BYTES_MAX = 1_250_000
"""Of the two megabytes that a job's specification may have: for tasks, their edges, and the list of files."""

NAMED_BYTES_MAX = 500_000
"""Of the same: for the names by which tasks say which files they take. Tasks for which no more is left get all."""

TASK_BYTES, EDGE_BYTES, FILE_BYTES, NAMED_BYTES = 80, 16, 128, 66
"""Of a specification, at most. Beside that a task has its function's name twice and that of the node it wishes for,
and an edge a function's name."""

PARCEL_BYTES_MAX = 64 * 2**20
"""Of one graph, from where on it is closed: a single call may be longer."""

NAMES_MAX = 3
"""Functions that a task is called after."""

SHORT_BYTES = 4096
"""An earlier outcome up to this length travels with the calls that take it."""

NAMED_MAX = 200
"""Files that a task names; a program has 256 arguments at most. One that takes more gets all that its batch has, and
does not count for NAMED_BYTES_MAX."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a call needs of the node that makes it."""

    cores: int = 1
    memory_bytes: int = 0
    walltime_s: float = 0.0
    """The process is ended, and the call has failed, after this; 0 is no limit."""
    node: str = ""
    """The name of one that it should run on if it can."""

    def __post_init__(self) -> None:
        """Raises ValueError for what no task can ask for."""
        for what, wish, most in (("cores", self.cores, 2**16 - 1), ("memory_bytes", self.memory_bytes, 2**63 - 1)):
            if type(wish) is not int or not (what == "cores") <= wish <= most:
                raise ValueError(f"{what} is {wish!r}, expected a whole number of at most {most}")
        if type(self.walltime_s) not in (int, float) or not 0 <= self.walltime_s < math.inf:
            raise ValueError(f"walltime_s is {self.walltime_s!r}, expected seconds, 0 for no limit")
        if len(self.node.encode()) > NAME_BYTES_MAX:
            raise ValueError(f"no node is called {self.node[:40]!r}...")


@dataclass(slots=True)
class Made:
    """A call with everything that is needed to hand it in."""

    call: Call
    function: Function
    body: bytes
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class Graph:
    """A batch and what it is made of."""

    tasks: tuple[Task, ...]
    numbers: tuple[tuple[int, ...], ...]
    """Of each task: its calls."""
    parcel: bytes
    values: bytes
    files: tuple[FileRef, ...]

    def batch(self, number: int, nonce: bytes, name: str, session: str, replicas: int) -> Batch:
        """As a message; without the parcel if that is too long."""
        parcel = self.parcel if len(self.parcel) <= INLINE_BYTES_MAX else b""
        return Batch(number, nonce, name, session, self.tasks, parcel, self.values, self.files, replicas)


def graph_of(
    calls: Sequence[Made],
    done: Mapping[int, Outcome],
    wanted: Container[int],
    pace: Pace,
) -> Graph:
    """Tasks for calls, each of which waits for others among them or for what is done.

    `calls` stand behind those that they wait for. `done` are by their numbers in the session; `wanted` are the calls
    whose values somebody may ask for. What nobody asks for, and other calls of the graph take, is not kept, unless
    others wait to hear how long it took.
    """
    made = {each.call.number: each for each in calls}
    bundles = [[made[call.number] for call in bundle] for bundle in bundled((each.call for each in calls), pace)]
    names = [_name(bundle) for bundle in bundles]
    at = {each.call.number: (task, place) for task, bundle in enumerate(bundles) for place, each in enumerate(bundle)}
    earlier = _Earlier(done)
    children: list[dict[str, None]] = [{} for _ in bundles]
    files: list[dict[str, None]] = [{} for _ in bundles]
    places: dict[int, tuple[str, int]] = {}
    for task, bundle in enumerate(bundles):
        for number in _awaited(bundle):
            if number in at:
                parent, place = at[number]
                places[number] = (names[parent] if parent != task else SAME_UNIT, place)
                if parent != task:
                    children[parent][names[task]] = None
            else:
                places[number] = earlier.place(number)
                files[task][places[number][0]] = None
    tasks: list[Task] = []
    first, named_bytes = 0, NAMED_BYTES_MAX
    for name, bundle, below, taken in zip(names, bundles, children, files, strict=True):
        told = pace.is_awaited(bundle[0].call.kind)
        final = told or not below or any(each.call.number in wanted for each in bundle)
        is_named = len(taken) <= NAMED_MAX and NAMED_BYTES * len(taken) <= named_bytes
        named_bytes -= NAMED_BYTES * len(taken) if is_named else 0
        named = tuple(taken) if is_named else (ALL_GIVEN,)
        tasks.append(_task(name, bundle, first, tuple(below), named, final, pace))
        first += len(bundle)
    functions = {each.function.number: each.function.content for each in calls}
    order = [each.body for bundle in bundles for each in bundle]
    return Graph(
        tuple(tasks),
        tuple(tuple(each.call.number for each in bundle) for bundle in bundles),
        pack_parcel(functions, order, places),
        earlier.values(),
        tuple(earlier.files),
    )


def _awaited(bundle: Sequence[Made]) -> Iterator[int]:
    """The numbers of all calls that some of these wait for. Most wait for the same."""
    waits = dict.fromkeys(each.call.waits_for for each in bundle)
    return iter(dict.fromkeys(number for each in waits for number in each))


class Room:
    """What still fits into a graph: it is one job, and has that one's limits."""

    def __init__(self) -> None:
        self._calls = CALLS_MAX
        self._bytes = PARCEL_BYTES_MAX
        self._graph_bytes = GRAPH_BYTES_MAX
        self._named_bytes = NAMED_BYTES_MAX
        self._short_bytes = INLINE_BYTES_MAX
        self._files: set[bytes] = set()
        self._named: set[frozenset[bytes]] = set()
        """Each set of files that a task names."""

    def take(self, call: Made, done: Sequence[Outcome], others: int) -> bool:
        """Whether a call goes in that takes these outcomes, and those of so many others of the graph."""
        short_bytes, files = self._short_bytes, set[bytes]()
        for outcome in done:
            size = HEADER.size + outcome.payload.size
            if outcome.payload.size <= SHORT_BYTES and size <= short_bytes:
                short_bytes -= size
            else:
                files.add(outcome.file.digest)
        name_bytes, fresh, together = len(call.function.name.encode()), files - self._files, frozenset(files)
        task_bytes = TASK_BYTES + 2 * name_bytes + len(call.wishes.node.encode())
        graph_bytes = task_bytes + others * (EDGE_BYTES + name_bytes) + FILE_BYTES * len(fresh)
        is_known = len(files) > NAMED_MAX or together in self._named
        named_bytes = 0 if is_known else NAMED_BYTES * len(files)
        if self._calls <= 0 or self._bytes <= 0 or len(fresh) + len(self._files) > FILES_MAX:
            return False
        if graph_bytes > self._graph_bytes or named_bytes > self._named_bytes:
            return False
        self._calls -= 1
        self._bytes -= len(call.body)
        self._graph_bytes -= graph_bytes
        self._named_bytes -= named_bytes
        self._short_bytes = short_bytes
        self._files |= files
        if not is_known:
            self._named.add(together)
        return True


class _Earlier:
    """Outcomes of earlier calls that a graph takes: short ones travel with it, in one file, others by name."""

    def __init__(self, done: Mapping[int, Outcome]) -> None:
        self._done = done
        self._short: list[bytes] = []
        self._size = 0
        self._places: dict[int, tuple[str, int]] = {}
        self.files: dict[FileRef, None] = {}

    def place(self, number: int) -> tuple[str, int]:
        """(name of a file, the how-manieth in it)."""
        if number not in self._places:
            self._places[number] = self._place(self._done[number])
        return self._places[number]

    def values(self) -> bytes:
        return b"".join(self._short)

    def _place(self, outcome: Outcome) -> tuple[str, int]:
        size = HEADER.size + outcome.payload.size
        if outcome.payload.size <= SHORT_BYTES and self._size + size <= INLINE_BYTES_MAX:
            self._short.append(
                HEADER.pack(outcome.kind, outcome.payload.size, outcome.seconds) + outcome.payload.read()
            )
            self._size += size
            return VALUES, len(self._short) - 1
        name = outcome.file.digest.hex()
        self.files[FileRef(name, outcome.file.size_bytes, outcome.file.digest)] = None
        return name, outcome.at


def _function(bundle: Sequence[Made]) -> str:
    """What the calls of a task are called after."""
    names = dict.fromkeys(each.function.name for each in bundle)
    return fit_name("+".join(islice(names, NAMES_MAX)))


def _name(bundle: Sequence[Made]) -> str:
    """What the task is called: after its functions, and its first call."""
    more = f"+{len(bundle) - 1}" if len(bundle) > 1 else ""
    return f"{_function(bundle)}.{bundle[0].call.number}{more}"


def _task(
    name: str,
    bundle: Sequence[Made],
    first: int,
    children: tuple[str, ...],
    files: tuple[str, ...],
    final: bool,
    pace: Pace,
) -> Task:
    one = bundle[0]
    wishes, seconds = one.wishes, sum(pace.seconds(each.call.kind) or 0.0 for each in bundle)
    return Task(
        name,
        children,
        Program(ProgramKind.CALLS, (_function(bundle), str(first), str(len(bundle)), PARCEL, *files)),
        final=final,
        cores=wishes.cores,
        memory_bytes=wishes.memory_bytes,
        walltime_s=wishes.walltime_s,
        expected_s=seconds,
        hint=(wishes.node,) if wishes.node else (),
    )


def outcomes_of(numbers: Sequence[int], file: FileRef, content: bytes, path: str) -> Iterator[tuple[int, Outcome]]:
    """(number of the call, its outcome) for all calls of a task. Raises OSError and EOFError if the file at `path`,
    which is read where there is no content, is not there or not whole."""
    source = None if content else OpenFile(path)
    begin = 0
    for at, number in enumerate(numbers):
        header = content[begin : begin + HEADER.size] if source is None else source.read(begin, HEADER.size)
        if len(header) < HEADER.size:
            raise EOFError("outcomes are missing")
        kind, size, seconds = HEADER.unpack(header)
        begin += HEADER.size
        if source is None and len(content) < begin + size:
            raise EOFError("an outcome is not whole")
        payload = Payload(content[begin : begin + size]) if source is None else Payload(b"", source, begin, size)
        yield number, Outcome(kind, payload, seconds, file, at)
        begin += size
