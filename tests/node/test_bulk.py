"""Bulk streams: what they make of a connection; `test_transport` has real ones."""

import trio
import trio.testing

from pnode.node.bulk import BulkStream
from pnode.node.connection import Connection
from pnode.protocol.ids import NodeId


class Portions(Connection):
    """A connection of which each read brings one of these portions of messages."""

    def __init__(self, *portions: list[bytes]) -> None:
        self.peer = NodeId(b"p" * 32)
        self._portions = list(portions)

    @property
    def message_bytes_max(self) -> int:
        return 1024

    async def receive(self) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        return self._portions.pop(0)


def test_messages_that_came_in_one_read_are_not_handed_out_at_one_go() -> None:
    async def scenario() -> None:
        stream = BulkStream(Portions([b"one", b"two"], [b"three"]), 60.0)

        got = []
        for _ in range(3):
            with trio.testing.assert_checkpoints():
                got.append(await stream.receive())
        assert got == [b"one", b"two", b"three"]

    trio.run(scenario)


def test_a_stream_tells_whether_more_was_read_than_received() -> None:
    async def scenario() -> None:
        stream = BulkStream(Portions([b"one", b"two"]), 60.0)

        told = [stream.has_more]
        for _ in range(2):
            await stream.receive()
            told.append(stream.has_more)
        assert told == [False, True, False]

    trio.run(scenario)


def test_a_message_that_waits_survives_who_gives_up_receiving_it() -> None:
    async def scenario() -> None:
        stream = BulkStream(Portions([b"one", b"two"]), 60.0)
        await stream.receive()
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.receive()

        assert scope.cancelled_caught
        assert await stream.receive() == b"two"

    trio.run(scenario)
