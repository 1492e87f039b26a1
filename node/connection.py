"""A connection: a stream to a peer with which the handshake is done, sealed in both directions.

The pure machines `Handshake` and `Session` decide everything; here they get their bytes, their clock and their
deadlines. One task may read while another writes.
"""

import errno
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

import trio

from pnode.protocol.handshake import Established, Handshake
from pnode.protocol.refusals import HandshakeTimeoutError
from pnode.protocol.session import MESSAGE_BYTES_MAX, Purpose, Session, SessionError

Stream = trio.abc.Stream
Clock = Callable[[], float]

RECEIVE_BYTES = {Purpose.CONTROL: 64 * 1024, Purpose.BULK: 2 * 1024 * 1024, Purpose.MEET: 256 * 1024}
"""Per read. Of content as much as there is: beside a machine at work each time that one has to wait for it costs more
than the buffers, which are reused (`memory`)."""

SLICE_BYTES = 16 * 1024
"""Opened at a time, where messages may be short: 800 empty ones, which hold everybody else for 6 ms."""

READS_MAX = 2048
"""Of the latest that are remembered for whoever wants to know how fast they came: 150 kB, and 3 MB of what comes in
packets of 1,500 bytes."""

HANDSHAKE_RECEIVE_BYTES = 4096

HOST_TIMEOUT_S = 20
"""A host that is silent for so long has vanished. The members' probes find it out earlier; this frees the socket."""


class ConnectionLostError(Exception):
    """The connection broke, or the other side broke the protocol; the text says which. Drop the connection."""


async def greet(stream: Stream, handshake: Handshake, clock: Clock) -> Established:
    """Carry a handshake through over a stream, within its deadline.

    Raises a HandshakeError; then the stream is of no further use, and whoever called closes it.
    """
    reply = handshake.start(clock())
    with trio.move_on_after(max(0.0, handshake.deadline - clock())) as patience:
        try:
            while True:
                if reply:
                    await stream.send_all(reply)
                if handshake.result is not None or handshake.failure is not None:
                    break
                data = await stream.receive_some(HANDSHAKE_RECEIVE_BYTES)
                if data:
                    reply = handshake.receive(bytes(data), clock())
                else:
                    handshake.receive_eof()
                    reply = b""
        except trio.BrokenResourceError:
            handshake.receive_eof()
    handshake.tick(clock())
    if handshake.failure is not None:
        raise handshake.failure
    if handshake.result is None or patience.cancelled_caught:  # the two clocks disagree, or our last word is stuck
        raise HandshakeTimeoutError("did not finish the handshake in time")
    return handshake.result


class Connection:
    """Messages to and from one authenticated peer."""

    def __init__(self, stream: Stream, established: Established, clock: Clock, stall_s: float) -> None:
        self.peer = established.peer
        self.credential = established.credential
        self.purpose = established.purpose
        self.clock_offset_s = established.clock_offset_s
        self._stream = stream
        self._session = Session(established.keys, established.purpose, clock())
        self._carries_content = established.purpose is Purpose.BULK
        self._receive_bytes = RECEIVE_BYTES[established.purpose]
        self._slice_bytes = self._receive_bytes if self._carries_content else SLICE_BYTES
        self._unopened = self._cut(established.leftover)
        """What was read and not opened yet, the last slice first."""
        self._clock = clock
        self._stall_s = stall_s
        self._torn = False
        self._finished = False
        self._reads: deque[tuple[float, int]] = deque(maxlen=READS_MAX)

    @property
    def message_bytes_max(self) -> int:
        return self._session.message_bytes_max

    def limit(self, bytes_max: int) -> None:
        """Take no longer message from now on, and read no more at once."""
        self._session.limit(bytes_max)
        self._receive_bytes = min(bytes_max, RECEIVE_BYTES[self.purpose])

    def carry_content(self) -> None:
        """Messages are as long as those of content from now on. All that comes at once is opened at once, so that
        whoever wants it sees what else has come."""
        self.limit(MESSAGE_BYTES_MAX[self.purpose])
        self._slice_bytes = self._receive_bytes
        self._carries_content = True

    @property
    def end_reason(self) -> str:
        """Why the other side ended it, once `receive` has returned nothing."""
        return self._session.end_reason

    async def send(self, payloads: Iterable[bytes]) -> None:
        """All these messages in one write. Raises ConnectionLostError."""
        self._check_whole()
        await self._write(self._session.seal_many(payloads, self._clock()))

    async def receive(self) -> list[bytes]:
        """The next messages, at least one; an empty list at the orderly end. Raises ConnectionLostError."""
        if self._unopened:
            await trio.lowlevel.checkpoint()  # one read may bring many messages: others have their turn
        try:
            while True:
                while self._unopened:
                    if messages := self._session.receive(self._unopened.pop()):
                        return messages
                if self._session.ended:
                    return []
                data = bytes(await self._stream.receive_some(self._receive_bytes))
                if self._carries_content:
                    self._reads.append((trio.current_time(), len(data)))
                if not data:
                    self._session.receive_eof()
                self._unopened = self._cut(data)
        except SessionError as error:
            raise ConnectionLostError(str(error)) from None
        except trio.BrokenResourceError as error:
            raise ConnectionLostError(_explain(error)) from None

    def _cut(self, data: bytes) -> list[bytes]:
        return [data[at : at + self._slice_bytes] for at in range(0, len(data), self._slice_bytes)][::-1]

    def take_reads(self) -> list[tuple[float, int]]:
        """When how many bytes came, since this was last asked; of content only."""
        reads = list(self._reads)
        self._reads.clear()
        return reads

    async def end(self, reason: str) -> None:
        """Say that we are finished, and why; nothing can be sent afterwards, and saying it again does nothing. Raises
        ConnectionLostError."""
        self._check_whole()
        if self._finished:
            return
        self._finished = True
        await self._write(self._session.close(reason))

    async def aclose(self) -> None:
        """Close the stream without a word."""
        self._torn = True
        await trio.aclose_forcefully(self._stream)

    async def _write(self, data: bytes) -> None:
        self._torn = True  # until it is all out: nothing that follows a part could be read
        try:
            with trio.fail_after(self._stall_s):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            raise ConnectionLostError(f"it took no data for {self._stall_s:g} s") from None
        except trio.BrokenResourceError as error:
            raise ConnectionLostError(_explain(error)) from None
        self._torn = False

    def _check_whole(self) -> None:
        if self._torn:
            raise ConnectionLostError("the connection is closed, or an earlier message went out in part only")


def watch_host(stream: trio.SocketStream) -> None:
    """Have the kernel break the connection when the other side's host has vanished: by keep-alive probes while
    nothing is sent, and by a limit on unacknowledged data while something is."""
    options = {
        "TCP_KEEPIDLE": HOST_TIMEOUT_S // 2,
        "TCP_KEEPINTVL": HOST_TIMEOUT_S // 6,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": HOST_TIMEOUT_S * 1000,
    }
    with suppress(OSError):  # macOS: the other side has reset it already, which whoever reads it finds out
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            if hasattr(socket, name):  # each platform has its own selection
                stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _explain(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.ETIMEDOUT:
        return "its host does not answer any more"
    if isinstance(cause, ConnectionError):
        return "the other side reset the connection"
    return "the connection broke"
