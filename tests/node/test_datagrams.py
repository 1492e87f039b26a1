"""Datagrams over sockets that have their own ideas."""

import errno
import socket

import pytest
import trio

from pnode.node.datagrams import BATCH_MAX, Datagrams
from pnode.protocol.datagram import DatagramBox
from pnode.protocol.events import DatagramReceived
from pnode.protocol.ids import ClusterId, NodeId

from .network import in_no_time

CLUSTER = ClusterId(bytes(16))


class Socket:
    """Gives what it is told to, errors included, and counts how much is read per wake-up."""

    family = socket.AF_INET

    def __init__(self, *given: bytes | OSError) -> None:
        self._given = list(given)
        self.wakeups: list[int] = []

    def recv(self, size: int) -> bytes:
        if not self._given:
            raise BlockingIOError
        self.wakeups[-1] += 1
        given = self._given.pop(0)
        if isinstance(given, OSError):
            raise given
        return given

    async def wait_readable(self, _: object) -> None:
        await trio.lowlevel.checkpoint()
        if not self._given:
            await trio.sleep_forever()
        self.wakeups.append(0)


@in_no_time
async def test_a_reported_error_stops_no_reading_and_a_flood_is_read_in_portions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = DatagramBox(b"ann".ljust(32), CLUSTER, 1, lambda short: None)
    bob = DatagramBox(b"bob".ljust(32), CLUSTER, 1, lambda short: ann._node)
    sealed = [ann.seal(NodeId(bob._node), b"%d" % number) for number in range(100)]
    sock = Socket(OSError(errno.ECONNREFUSED, "an earlier one did not arrive"), *sealed)
    monkeypatch.setattr(trio.lowlevel, "wait_readable", sock.wait_readable)
    heard: list[DatagramReceived] = []

    with trio.move_on_after(1):
        await Datagrams([sock], bob, heard.append).run()  # type: ignore[list-item]

    assert [event.payload for event in heard] == [b"%d" % number for number in range(100)]
    assert sock.wakeups == [BATCH_MAX, 101 - BATCH_MAX]
