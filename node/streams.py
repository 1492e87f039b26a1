"""Bulk streams: what transfers need of the transport, and the few that are kept for the next file."""

from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

import trio

from pnode.protocol.ids import NodeId

IDLE_PER_PEER_MAX = 2
IDLE_MAX = 16
"""Streams kept open for the next file; each costs both sides a socket and the buffers of a session."""

CLOSE_S = 2.0
"""For the orderly end of a stream that is given up; then it is dropped."""


class StreamError(Exception):
    """A bulk stream cannot be opened or is broken, and how. The other side or the network is to blame."""


class EndOfStreamError(StreamError):
    """The other side has ended the stream in order."""


class BulkStream(Protocol):
    """Messages of at most 1 MiB, in order, to and from one authenticated peer."""

    async def send(self, payload: bytes) -> None:
        """Raises StreamError."""

    async def receive(self) -> bytes:
        """The next message. Raises EndOfStreamError after the last, StreamError if the stream breaks."""

    @property
    def has_more(self) -> bool:
        """Whether messages have come already that nobody has received."""

    def take_reads(self) -> list[tuple[float, int]]:
        """(when, bytes) of what was read from the network since this was last asked, for finding out its rate; the
        latest only where there were many."""

    async def aclose(self) -> None:
        """End the stream in order, or drop it if that cannot be; never raises a StreamError."""


OpenStream = Callable[[NodeId], Awaitable[BulkStream]]
"""Opens a bulk stream to a peer. Raises StreamError."""


async def close(stream: BulkStream) -> None:
    """End a stream within CLOSE_S, also when the caller has been cancelled."""
    with trio.move_on_after(CLOSE_S, shield=True):
        await stream.aclose()


class IdleStreams:
    """Streams that have done their work and wait a while for more, the oldest first."""

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._streams: list[tuple[float, NodeId, BulkStream]] = []
        self._filled = trio.Event()
        """Set when there is one: a node that has nothing to do is not woken for none."""

    def take(self, peer: NodeId) -> BulkStream | None:
        """The stream to that peer that was used last. It may have ended meanwhile."""
        for at in reversed(range(len(self._streams))):
            if self._streams[at][1] == peer:
                return self._streams.pop(at)[2]
        return None

    async def put(self, peer: NodeId, stream: BulkStream) -> None:
        """Keep a stream, or close it when enough are kept, or when something has come that nobody asked for: it would
        pass for the next answer, and for a fast one."""
        to_peer = sum(other == peer for _, other, _ in self._streams)
        if stream.has_more or to_peer >= IDLE_PER_PEER_MAX or len(self._streams) >= IDLE_MAX:
            await close(stream)
        else:
            self._streams.append((trio.current_time(), peer, stream))
            self._filled.set()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Close streams that nobody has used for `idle_s`, and all of them when cancelled."""
        task_status.started()
        try:
            while True:
                while self._streams and self._streams[0][0] <= trio.current_time() - self._idle_s:
                    await close(self._streams.pop(0)[2])
                if self._streams:
                    await trio.sleep_until(self._streams[0][0] + self._idle_s)
                else:
                    self._filled = trio.Event()
                    await self._filled.wait()
        finally:
            while self._streams:
                await close(self._streams.pop(0)[2])
