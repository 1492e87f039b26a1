"""The control socket: where a node takes its user's commands.

A Unix socket of mode 0600 in the node's home. One connection carries one request, a line of JSON, and then its
answer, one line of JSON or several:

    {"method": "peers", "arguments": {}}         ->  {"value": [...]}
    {"method": "follow", "arguments": {...}}     ->  {"item": {...}}  ...  {"end": true}
    anything that cannot be done                 ->  {"error": {"kind": "NoSuchJobError", "message": "..."}}

The methods, their arguments and their answers are those of `contract.NodeApi`; annotations are the only table.
Whoever closes its side of the connection cancels its request. A client's misbehaviour ends its connection and nothing
else.
"""

import contextlib
import inspect
import json
from collections.abc import AsyncGenerator, Awaitable
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import trio

from pnode.protocol.values import dataclass

from .api import ApiError, JobDetail, RefusedError
from .commands import REQUEST_BYTES_MAX, JobChange
from .contract import NodeApi
from .plain import Plain, PlainError, from_plain, to_plain
from .unixsocket import listen_at

CLIENTS_MAX = 32
"""One person's open terminals; each may keep a stream going. More is a loop that went wrong."""

REQUEST_S_MAX = 10.0
"""A command sends its request at once; who does not is no command."""

SEND_S_MAX = 600.0
"""A follower may be stopped (Ctrl-Z) for this long before its stream is cut."""

FOLLOW_PERIOD_S = 0.2
"""A person reads no faster than five changes a second."""

RECEIVE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Method:
    """One method of NodeApi, read off its annotations."""

    arguments: dict[str, Any]
    """Name -> annotation."""
    answer: Any
    """Annotation of the answer, or of one item of it."""
    streams: bool


def _method(name: str) -> _Method:
    hints = get_type_hints(getattr(NodeApi, name))
    answer = hints.pop("return")
    streams = get_origin(answer) is AsyncGenerator
    return _Method(hints, get_args(answer)[0] if streams else answer, streams)


METHODS = {name: _method(name) for name, _ in inspect.getmembers(NodeApi, inspect.isfunction) if name[0] != "_"}


async def serve_control(
    path: Path, api: NodeApi, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> NoReturn:
    """Answer commands at this socket until cancelled; it is started once commands can connect.

    The caller holds the lock of the home. Raises OSError if the socket cannot be made. What clients do wrong ends
    their own connection; errors that NodeApi allows are told to the client; any other error of the node is a bug and
    is raised.
    """
    listener = listen_at(path)
    clients = _Clients(api)
    task_status.started()
    try:
        await trio.serve_listeners(clients.serve, [listener])
    finally:
        path.unlink(missing_ok=True)


class _Clients:
    """All connections of one node."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api
        self._count = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, from its request to its end."""
        self._count += 1
        try:
            async with stream:
                await self._converse(stream)
        finally:
            self._count -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        client = _Connection(stream)
        with contextlib.suppress(trio.BrokenResourceError, trio.TooSlowError):
            if self._count > CLIENTS_MAX:
                await client.refuse(
                    RefusedError(f"{CLIENTS_MAX} commands are talking to this node: end some of them")
                )
                return
            try:
                request = await client.request()
            except RefusedError as error:
                await client.refuse(error)
                return
            if request is not None:
                await self._while_it_stays(client, request)

    async def _while_it_stays(self, client: "_Connection", request: "_Request") -> None:
        async with trio.open_nursery() as nursery:

            async def answer() -> None:
                await self._answer(client, request)
                nursery.cancel_scope.cancel()

            nursery.start_soon(answer)
            await client.until_it_leaves()
            nursery.cancel_scope.cancel()

    async def _answer(self, client: "_Connection", request: "_Request") -> None:
        """Carry out the request; what may go wrong on the way to a client ends here."""
        with contextlib.suppress(trio.BrokenResourceError, trio.TooSlowError):
            try:
                await _carry_out(self._api, client, request)
            except ApiError as error:
                await client.refuse(error)
            except OSError as error:  # the caller's files, see NodeApi
                await client.refuse(RefusedError(_file_trouble(error)))


async def _carry_out(api: NodeApi, client: "_Connection", request: "_Request") -> None:
    method = METHODS[request.method]
    answer = getattr(api, request.method)(**request.arguments)
    if not method.streams:
        call: Awaitable[object] = answer
        await client.send({"value": to_plain(method.answer, await call)})
        return
    items: AsyncGenerator[Any, None] = answer
    before: JobDetail | None = None
    async with contextlib.aclosing(items):
        async for item in items:
            if isinstance(item, JobDetail):
                await client.send({"item": to_plain(JobChange, JobChange.between(before, item))})
                before = item
                await trio.sleep(FOLLOW_PERIOD_S if item.state == "running" else 0)
            else:
                await client.send({"item": to_plain(method.answer, item)})
    await client.send({"end": True})


def _file_trouble(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that can be carried out as far as one can see."""

    method: str
    arguments: dict[str, object]


class _Connection:
    """One client: lines in, lines out."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def request(self) -> _Request | None:
        """Read the request line, None if the client left before. Raises RefusedError or trio.TooSlowError."""
        line = bytearray()
        with trio.fail_after(REQUEST_S_MAX):
            while b"\n" not in line:
                if len(line) > REQUEST_BYTES_MAX:
                    raise RefusedError(
                        f"a request has at most {REQUEST_BYTES_MAX} bytes: name a directory, not its files"
                    )
                received = await self._stream.receive_some(RECEIVE_BYTES)
                if not received:
                    return None
                line += received
        return _read_request(bytes(line.partition(b"\n")[0]))

    async def until_it_leaves(self) -> None:
        """Whatever a client sends after its request means nothing; that it has closed does."""
        with contextlib.suppress(trio.BrokenResourceError):
            while await self._stream.receive_some(RECEIVE_BYTES):
                pass

    async def refuse(self, error: ApiError) -> None:
        await self.send({"error": {"kind": type(error).__name__, "message": str(error)}})

    async def send(self, reply: Plain) -> None:
        """Raises trio.BrokenResourceError or trio.TooSlowError."""
        with trio.fail_after(SEND_S_MAX):
            await self._stream.send_all(json.dumps(reply, separators=(",", ":")).encode() + b"\n")


def _read_request(line: bytes) -> _Request:
    """Raises RefusedError for anything but a method with its arguments."""
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError):
        raise RefusedError("the request is not a line of JSON") from None
    name = plain.get("method") if isinstance(plain, dict) else None
    if not isinstance(name, str) or name not in METHODS:
        raise RefusedError(f"this node has no method {name!r}: is the command of another version?")
    method = METHODS[name]
    given = plain.get("arguments")
    if not isinstance(given, dict) or given.keys() != method.arguments.keys():
        raise RefusedError(
            f"{name} takes the arguments {{{', '.join(method.arguments)}}}: is the command of another version?"
        )
    try:
        return _Request(name, {key: from_plain(kind, given[key]) for key, kind in method.arguments.items()})
    except PlainError as error:
        raise RefusedError(f"{name}: {error}") from None
