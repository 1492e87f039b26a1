"""Both ends of Python calls without what lies between them: a client's session, and a node that makes its calls here.

The session is driven as `line` does it, the calls of a batch are made by `callee` in this process, and what came of
them is told as `calls` does it. Nothing happens but what a test asks for.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from io import FileIO
from pathlib import Path
from typing import TypeVar, cast

from pnode.node.bundling import Call
from pnode.node.callee import carry_out
from pnode.node.callgraph import Made, Wishes
from pnode.node.callmessages import PARCEL, VALUES, Abandon, Batch, Came, Ended, Message, Taken, Unpacker, pack
from pnode.node.callsession import Open, Session
from pnode.node.futures import Future
from pnode.node.parcel import Function, name_of, pack_call, pack_function
from pnode.protocol.codec import encode
from pnode.protocol.dag import Dag, Task
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import SPEC_BYTES_MAX, FileRef, Item, JobSpec
from pnode.protocol.routing import given_to

T = TypeVar("T")

PLAIN_WISHES = Wishes()


class Caller:
    """A client, and a node that does what it is told to."""

    def __init__(self, place: Path, inline_bytes_max: int = 1 << 18) -> None:
        self.session = Session("try", 3)
        self.functions: dict[Callable[..., object], Function] = {}
        self.numbers: dict[int, str] = {}
        """Of calls: what they are called after."""
        self._place = place
        self._inline_bytes_max = inline_bytes_max
        self._loaded: OrderedDict[bytes, Callable[..., object]] = OrderedDict()
        self._said: list[Message] = []

    def submit(
        self, fn: Callable[..., T], *args: object, wishes: Wishes = PLAIN_WISHES, **kwargs: object
    ) -> Future[T]:
        if fn not in self.functions:
            self.functions[fn] = Function(len(self.functions), pack_function(fn), name_of(fn))
        function, number = self.functions[fn], len(self.numbers)
        body, takes = pack_call(function.number, args, kwargs)
        future: Future[T] = Future(number, self._cancel)
        self.numbers[number] = name_of(fn)
        call = Call(number, (function.number, wishes), tuple(each.number for each in takes), bool(wishes.walltime_s))
        made = Made(call, function, body, wishes)
        self.session.add(Open(made, cast(Future[object], future), takes))
        return future

    def _cancel(self, future: Future[object]) -> None:
        self._said += self.session.cancelled(future)

    def said(self) -> list[Message]:
        """What the session has said since the last time but for batches."""
        said, self._said = self._said, []
        return said

    def hand_in(self, now: float = 0.0) -> list[Batch]:
        """What the node gets, which is fit to be a job."""
        return [arrived(batch) for batch in self.session.hand_in(now)]

    def make(self, batch: Batch) -> list[Came]:
        """Make all calls of a batch; what is to be told of them."""
        parcel = batch.parcel or self.session.batches[batch.number].graph.parcel
        self._file(parcel), self._file(batch.values)
        own = (FileRef(PARCEL, len(parcel), digest_of(parcel)), FileRef(VALUES, 0, digest_of(batch.values)))
        outcomes: dict[str, Path] = {}
        told = []
        for at, task in enumerate(batch.tasks):
            content = self._made(task, {**self._paths(given_to(task, (*own, *batch.files))), **outcomes})
            file = FileRef(task.name, len(content), digest_of(content))
            outcomes[task.name] = self._path(file)
            if task.final:
                inline = content if len(content) <= self._inline_bytes_max else b""
                told.append(Came(batch.number, at, file, inline, "" if inline else str(outcomes[task.name])))
        return told

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self.session.handle(message)

    def serve(self, batches: Iterable[Batch]) -> None:
        """Do with them all that a node does."""
        for batch in batches:
            self.tell(Taken(batch.number, b"j" * 16), *self.make(batch), Ended(batch.number, "done"))

    def serve_all(self, now: float = 0.0) -> list[Batch]:
        """Until there is nothing more to do; the batches that it took."""
        served: list[Batch] = []
        while batches := self.hand_in(now):
            self.serve(batches)
            served += batches
        return served

    def abandoned(self) -> list[int]:
        return [message.number for message in self.said() if isinstance(message, Abandon)]

    def _made(self, task: Task, paths: Mapping[str, Path]) -> bytes:
        _, first, count, parcel = task.program.arguments[:4]
        result = self._place / "result"
        result.unlink(missing_ok=True)
        order = {
            "parcel": str(paths[parcel]),
            "first": int(first),
            "count": int(count),
            "done": 0,
            "files": {name: str(path) for name, path in paths.items()},
            "values": {},
            "result": str(result),
            "short": 0,
            "environment": {},
        }
        with FileIO(os.devnull, "wb") as node:
            carry_out(order, self._loaded, node)
        content = result.read_bytes()
        self._file(content)
        return content

    def _file(self, content: bytes) -> Path:
        path = self._place / digest_of(content).hex()
        path.write_bytes(content)
        return path

    def _paths(self, files: Iterable[FileRef]) -> dict[str, Path]:
        return {file.name: self._path(file) for file in files}

    def _path(self, file: FileRef) -> Path:
        return self._place / file.digest.hex()


def arrived(batch: Batch) -> Batch:
    """The batch as the node reads it; it is turned into a job as `calls` does it."""
    (message,) = Unpacker().feed(pack(batch))
    assert message == batch
    files = [FileRef(name, 0, bytes(32)) for name in (PARCEL, VALUES)]
    item = Item(batch.session, (*files, *batch.files))
    spec = JobSpec(batch.name, Dag(batch.tasks), (item,), "m", 0.0, batch.nonce, replicas=batch.replicas)
    assert len(encode(spec)) <= SPEC_BYTES_MAX
    return batch


def calls_of(batch: Batch) -> dict[str, int]:
    """Of each task: how many calls."""
    return {task.name: int(task.program.arguments[2]) for task in batch.tasks}


def results_of(futures: Iterable[Future[T]]) -> list[T]:
    """Of futures that are done."""
    return [future.result(timeout=0) for future in futures]
