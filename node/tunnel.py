"""A tunnel: a stream whose bytes travel as messages of a connection to a relay, and what the relay does with them."""

import math
from collections.abc import Sequence
from contextlib import suppress

import trio

from pnode.protocol.switchboard import IDLE_S

from .connection import Connection, ConnectionLostError

PIECE_BYTES = 64 * 1024
"""Of a message: a relay passes on whole messages, and while it writes one the next comes in."""

MESSAGE_COST_BYTES = 2048
"""A message takes a relay as long as so many bytes of a long one, beside its own."""

AHEAD_S = 0.05
"""So far a relay may be ahead of its rate: what is little does not wait, nor what is much at each message."""

LINGER_S = 2.0
"""For the last words of one side when the other has hung up."""


class Tunnel(trio.abc.Stream):
    """The stream between two nodes that a relay has connected. What the relay makes of it is for the session inside
    to find out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ready = bytearray()

    async def send_all(self, data: "bytes | bytearray | memoryview") -> None:
        view = memoryview(data)
        pieces = [bytes(view[at : at + PIECE_BYTES]) for at in range(0, len(view), PIECE_BYTES)]
        try:
            await self._connection.send(pieces)
        except ConnectionLostError as error:
            raise trio.BrokenResourceError(str(error)) from None

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Empty when the other side, or the relay, has hung up."""
        try:
            while not self._ready:
                messages = await self._connection.receive()
                if not messages:
                    return b""
                self._ready += b"".join(messages)
        except ConnectionLostError as error:
            raise trio.BrokenResourceError(str(error)) from None
        data = bytes(self._ready[:max_bytes])
        del self._ready[: len(data)]
        return data

    async def aclose(self) -> None:
        try:
            with suppress(ConnectionLostError):
                await self._connection.end("")
        finally:
            await self._connection.aclose()


class Shaper:
    """Lets so many bytes through per second, in the order in which they come."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._used_until = -math.inf

    async def admit(self, size_bytes: int) -> None:
        """Return when it is the turn of so many bytes. Whoever is cancelled meanwhile has used up its turn."""
        begins = max(self._used_until, trio.current_time())
        self._used_until = begins + size_bytes / self._bytes_per_s
        await trio.sleep_until(begins - AHEAD_S)


class Splice:
    """Two connections of a relay, joined: what comes by one goes out by the other, one message at a time in each
    direction, so that the slower side holds up the faster one; and when all of the `shapers` let it pass."""

    def __init__(self, one: Connection, other: Connection, shapers: Sequence[Shaper]) -> None:
        self._one = one
        self._other = other
        self._shapers = shapers
        self._moved_at = 0.0
        self.bytes = 0
        """Passed on so far."""

    async def run(self) -> None:
        """Until both have hung up, or one has and LINGER_S has passed, or nothing was said for IDLE_S."""
        self._moved_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            async with trio.open_nursery() as both:
                both.start_soon(self._pass_on, self._one, self._other, both.cancel_scope)
                both.start_soon(self._pass_on, self._other, self._one, both.cancel_scope)
            nursery.cancel_scope.cancel()

    async def _pass_on(self, source: Connection, sink: Connection, both: trio.CancelScope) -> None:
        try:
            while messages := await source.receive():
                self._moved_at = trio.current_time()
                size = sum(map(len, messages))
                for shaper in self._shapers:
                    await shaper.admit(size + MESSAGE_COST_BYTES * len(messages))
                self.bytes += size
                await sink.send(messages)
            await sink.end(source.end_reason)
            both.deadline = min(both.deadline, trio.current_time() + LINGER_S)
        except ConnectionLostError:
            both.cancel()

    async def _watch(self, scope: trio.CancelScope) -> None:
        while trio.current_time() < self._moved_at + IDLE_S:
            await trio.sleep_until(self._moved_at + IDLE_S)
        scope.cancel()
