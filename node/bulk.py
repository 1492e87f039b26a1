"""Bulk streams: connections that carry content, one transfer after the other, beside the session of two nodes."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

import trio

from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.session import Purpose

from .connection import Connection, ConnectionLostError
from .dialing import Detour, Way, race
from .greeter import BusyError, Greeter, the_first
from .limits import TransportSettings
from .streams import EndOfStreamError, StreamError

logger = logging.getLogger(__name__)


class BulkError(StreamError):
    """A bulk stream is over. Abstract."""


class BulkEndedError(BulkError, EndOfStreamError):
    """The other side has sent everything and said so."""


class BulkBrokenError(BulkError):
    """The stream broke in the middle, or nothing moved for too long."""


class BulkStream:
    """Payloads of up to 1 MiB to and from one peer, in order; as slow as the slower side, which TCP sees to."""

    def __init__(self, connection: Connection, stall_s: float, via: NodeId | None = None) -> None:
        self.peer = connection.peer
        self.via = via
        """The relay through which it goes."""
        self.payload_bytes_max = connection.message_bytes_max
        self._connection = connection
        self._stall_s = stall_s
        self._ready: list[bytes] = []

    async def send(self, payload: bytes) -> None:
        """Raises BulkBrokenError."""
        try:
            await self._connection.send((payload,))
        except ConnectionLostError as error:
            raise BulkBrokenError(str(error)) from None

    async def receive(self) -> bytes:
        """The next payload. Raises BulkEndedError or BulkBrokenError."""
        if self._ready:
            await trio.lowlevel.checkpoint()  # one read may bring many: others have their turn, and deadlines count
        else:
            self._ready = await self._receive()
            self._ready.reverse()
        if not self._ready:
            raise BulkEndedError(self._connection.end_reason or "the other side has ended the stream")
        return self._ready.pop()

    @property
    def has_more(self) -> bool:
        """Whether payloads have been read that nobody has received."""
        return bool(self._ready)

    def take_reads(self) -> list[tuple[float, int]]:
        """When how many bytes came, since this was last asked."""
        return self._connection.take_reads()

    async def aclose(self) -> None:
        """Say that this was all, if that can still be said, and close."""
        try:
            with suppress(ConnectionLostError):
                await self._connection.end("")
        finally:
            await self._connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _receive(self) -> list[bytes]:
        try:
            with trio.fail_after(self._stall_s):
                return await self._connection.receive()
        except trio.TooSlowError:
            raise BulkBrokenError(f"nothing came for {self._stall_s:g} s") from None
        except ConnectionLostError as error:
            raise BulkBrokenError(str(error)) from None


ServeBulk = Callable[[NodeId, BulkStream], Awaitable[None]]


class BulkStreams:
    """Opens bulk streams to peers and has those that peers open served by `serve`."""

    def __init__(self, greeter: Greeter, serve: ServeBulk, settings: TransportSettings) -> None:
        self._greeter = greeter
        self._serve = serve
        self._settings = settings
        self._inbound: Counter[NodeId] = Counter()

    async def open(self, peer: NodeId, ways: Sequence[Way]) -> BulkStream:
        """A fresh stream by one of these ways. Raises UnreachableError."""
        decide = the_first()

        async def attempt(way: Way) -> BulkStream:
            connection = await self._greeter.reach(way, decide, Purpose.BULK, peer)
            return self.over(connection, way.relay if isinstance(way, Detour) else None)

        return await race(ways, attempt, self._settings.stagger_s, BulkStream.aclose)

    def over(self, connection: Connection, via: NodeId | None = None) -> BulkStream:
        """A stream over a connection that is there."""
        return BulkStream(connection, self._settings.bulk_stall_s, via)

    @contextmanager
    def admitted(self, peer: NodeId) -> Iterator[None]:
        """Count a stream that a peer opens. Raises BusyError where it has enough of them."""
        if self._inbound[peer] >= self._settings.bulk_streams_per_peer_max:
            raise BusyError(f"{self._inbound[peer]} bulk streams to this node are open, which is the limit")
        self._inbound[peer] += 1
        try:
            yield
        finally:
            self._inbound[peer] -= 1
            if not self._inbound[peer]:
                del self._inbound[peer]

    async def answer(self, connection: Connection) -> None:
        """Serve a stream that a peer has opened, until it ends. Its breaking is nobody else's concern."""
        async with BulkStream(connection, self._settings.bulk_stall_s) as stream:
            try:
                await self._serve(connection.peer, stream)
            except BulkError as error:
                logger.debug("bulk stream over: peer=%s reason=%s", node_text(connection.peer), error)
