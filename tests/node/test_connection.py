"""Connections: what one read may bring, over streams in memory."""

import errno
import os
from typing import cast

import pytest
import trio
from trio.testing import memory_stream_pair

from pnode.node.connection import Connection, ConnectionLostError, watch_host
from pnode.protocol.handshake import Established
from pnode.protocol.ids import NodeId
from pnode.protocol.session import Purpose, SessionKeys

from .network import in_no_time

MANY = 3000
"""Short messages that one read brings."""

HELD_MAX = 1000
"""As many are opened while everybody else waits."""


def pair(purpose: Purpose) -> tuple[Connection, Connection]:
    """Two ends of a connection."""
    one, other = memory_stream_pair()

    def end(stream: trio.abc.Stream, sends: bytes, receives: bytes) -> Connection:
        keys = SessionKeys(sends * 32, receives * 32)
        return Connection(stream, Established(NodeId(bytes(32)), b"", purpose, 3, keys, 0.0, b""), lambda: 0.0, 20.0)

    return end(one, b"1", b"2"), end(other, b"2", b"1")


async def received(connection: Connection, count: int) -> list[list[bytes]]:
    """So many messages, as they came."""
    portions: list[list[bytes]] = []
    while sum(map(len, portions)) < count:
        portions.append(await connection.receive())
    return portions


@pytest.mark.parametrize("purpose", [Purpose.CONTROL, Purpose.MEET], ids=["control", "meet"])
@in_no_time
async def test_short_messages_do_not_hold_everybody_else(purpose: Purpose) -> None:
    sender, receiver = pair(purpose)
    messages = [b"%d" % number for number in range(MANY)]
    await sender.send(messages)
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(len(turns))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        portions = await received(receiver, MANY)
        nursery.cancel_scope.cancel()

    assert [message for portion in portions for message in portion] == messages
    assert max(map(len, portions)) <= HELD_MAX
    assert len(turns) >= len(portions)


@in_no_time
async def test_what_was_read_and_not_opened_survives_a_cancellation() -> None:
    sender, receiver = pair(Purpose.CONTROL)
    messages = [b"%d" % number for number in range(MANY)]
    await sender.send(messages)
    portions = [await receiver.receive()]

    with trio.CancelScope() as scope:
        scope.cancel()
        await receiver.receive()
    portions += await received(receiver, MANY - len(portions[0]))

    assert [message for portion in portions for message in portion] == messages


@in_no_time
async def test_what_comes_behind_the_end_is_found_out_in_a_later_portion() -> None:
    sender, receiver = pair(Purpose.CONTROL)
    await sender.send([b"x" * 40_000, b"y" * 20_000])
    await sender.end("that was all")
    await sender._stream.send_all(b"more")

    assert await receiver.receive() == [b"x" * 40_000]
    with pytest.raises(ConnectionLostError, match="went on sending"):
        await receiver.receive()


@in_no_time
async def test_content_is_opened_as_it_comes() -> None:
    sender, receiver = pair(Purpose.MEET)
    receiver.carry_content()

    await sender.send([b"x" * 30_000, b"unasked"])

    assert await receiver.receive() == [b"x" * 30_000, b"unasked"]


@in_no_time
async def test_only_of_content_it_is_remembered_how_fast_it_came() -> None:
    sender, receiver = pair(Purpose.MEET)
    await sender.send([b"passed on"])
    await receiver.receive()
    assert receiver.take_reads() == []

    receiver.carry_content()
    await sender.send([b"content"])
    await receiver.receive()

    assert receiver.take_reads()


def test_a_connection_that_broke_at_once_is_found_out_by_whoever_reads_it() -> None:
    class Broken:
        def setsockopt(self, *_: object) -> None:
            """As on macOS, once the other side has reset it."""
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    watch_host(cast(trio.SocketStream, Broken()))
