"""Dialling: finding out by which of several ways somebody can be reached who is fit to talk to: at addresses, and
through relays."""

import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import trio

from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.record import ADDRESSES_MAX, Address
from pnode.protocol.refusals import HandshakeError, SessionExistsError
from pnode.protocol.values import dataclass

from .connection import watch_host

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Detour:
    """The way to a node that cannot be dialled: through a member that has a session with it."""

    relay: NodeId
    target: NodeId
    bulk: bool
    """Whether it is for content."""

    def __str__(self) -> str:
        return f"relay {node_text(self.relay)}"


Way = Address | Detour
Attempt = Callable[[Way], Awaitable[T]]
"""Raises NoAnswerError or a HandshakeError."""

Drop = Callable[[T], Awaitable[None]]

PARALLEL_MAX = ADDRESSES_MAX
"""Attempts at addresses at once per dial: all that a node record holds, or silent ones, of networks that do not lead
there, would keep the good one waiting for longer than a knock or a summons lasts. Relays do not wait for their turn:
of a node that names some the addresses may all be silent."""

WAYS_MAX = 16
"""Twice as many as a node record holds addresses; the rest would never be reached in time."""


LOOKUPS_MAX = 8
"""Names looked up at once. One whose name server is silent takes its thread for half a minute, whether or not anybody
waits for it, and any member may name such hosts; the other threads of a node read and write its files."""


class NoAnswerError(Exception):
    """No connection by a way; like a HandshakeError, the text continues a sentence that begins with it."""


class ConnectionIsRefusedError(NoAnswerError):
    """The machine is there and says that nobody listens."""


class UnreachableError(Exception):
    """Nobody fit to talk to answered; the text names every way and what happened there."""

    def __init__(self, failures: Sequence[tuple[Way, NoAnswerError | HandshakeError]]) -> None:
        super().__init__("; ".join(f"{way} {error}" for way, error in failures) or "no address is known")
        self.session_exists = any(isinstance(error, SessionExistsError) for _, error in failures)
        """One of them leads to a node with which there is, or is about to be, a session already."""
        self.refused = tuple([address for address, error in failures if isinstance(error, ConnectionIsRefusedError)])


async def race(ways: Sequence[Way], attempt: Attempt[T], stagger_s: float, drop: Drop[T] | None = None) -> T:
    """The first success among attempts by all ways, each started a little after the one before, or at once when
    that has failed. The others are cancelled; that no two succeed is up to the attempts. A success that comes in the
    moment in which whoever waits is cancelled is dropped.

    Raises UnreachableError.
    """
    ways = tuple(dict.fromkeys(ways))[:WAYS_MAX]
    failures: dict[Way, NoAnswerError | HandshakeError] = {}
    winners: list[T] = []
    limit = trio.CapacityLimiter(PARALLEL_MAX)

    async def run(way: Way, failed: trio.Event) -> None:
        try:
            async with limit if isinstance(way, Address) else nullcontext():
                winners.append(await attempt(way))
            nursery.cancel_scope.cancel()
        except (NoAnswerError, HandshakeError) as error:
            failures[way] = error
            failed.set()

    try:
        async with trio.open_nursery() as nursery:
            for way in ways:
                failed = trio.Event()
                nursery.start_soon(run, way, failed)
                with trio.move_on_after(stagger_s):
                    await failed.wait()
    except BaseException:
        if winners and drop is not None:
            await drop(winners[0])
        raise
    if not winners:
        raise UnreachableError([(way, failures[way]) for way in ways])
    return winners[0]


class Names(trio.abc.HostnameResolver):
    """Looks names up as trio does, in threads of its own."""

    def __init__(self) -> None:
        self._threads = trio.CapacityLimiter(LOOKUPS_MAX)

    async def getaddrinfo(self, *question: Any, **more: Any) -> Any:
        return await self._ask(partial(socket.getaddrinfo, *question, **more))

    async def getnameinfo(self, *question: Any, **more: Any) -> Any:
        return await self._ask(partial(socket.getnameinfo, *question, **more))

    async def _ask(self, question: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(question, abandon_on_cancel=True, limiter=self._threads)


_names = trio.lowlevel.RunVar[Names | None]("names")


async def connect_tcp(address: Address) -> trio.SocketStream:
    """A TCP connection. Raises NoAnswerError; the deadline is the caller's."""
    if _names.get(None) is None:
        _names.set(Names())
        trio.socket.set_custom_hostname_resolver(_names.get())
    try:
        stream = await trio.open_tcp_stream(address.host, address.port)
    except socket.gaierror as error:
        raise NoAnswerError(f"cannot be looked up ({error.strerror}): is the name right?") from None
    except ValueError:  # the name cannot even be asked for: it came from somebody's record, or was mistyped
        raise NoAnswerError("is no address and no host name") from None
    except OSError as error:
        raise _explained(error) from None
    watch_host(stream)
    return stream


def _explained(error: OSError) -> NoAnswerError:
    """trio tries all addresses behind a name and keeps its findings in a group; the first stands for all."""
    cause = error.__cause__
    first = cause.exceptions[0] if isinstance(cause, ExceptionGroup) else cause
    found = first if isinstance(first, OSError) else error
    if isinstance(found, ConnectionRefusedError):
        return ConnectionIsRefusedError("refused the connection")
    if found.errno == errno.ETIMEDOUT:
        return NoAnswerError("did not answer")
    return NoAnswerError(f"cannot be reached: {found.strerror or found}")
