"""Nodes for transport tests: over real sockets on loopback, or over streams in memory on a virtual clock."""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from random import Random
from typing import TypeVar

import trio
from trio.testing import MockClock, memory_stream_pair

from pnode.node.bulk import BulkStream
from pnode.node.connection import Connection
from pnode.node.dialing import ConnectionIsRefusedError, connect_tcp
from pnode.node.limits import TransportSettings
from pnode.node.transport import Transport
from pnode.protocol.crypto import Sodium
from pnode.protocol.events import Event, Received
from pnode.protocol.handshake import Passport
from pnode.protocol.ids import NodeId
from pnode.protocol.record import Address

E = TypeVar("E")
Test = Callable[..., Awaitable[None]]

AUTHORITY = Sodium().public_key(b"authority".ljust(32))
LOCAL = TransportSettings(host="127.0.0.1")
PATIENCE_S = 20.0
"""A test over real sockets that takes so long hangs."""
PATIENCE_VIRTUAL_S = 1e6
"""The same for one on a virtual clock: eleven days, past every deadline there is."""


def in_trio(test: Test) -> Callable[..., None]:
    """Run a test in real time."""

    @wraps(test)
    def run(*arguments: object, **more: object) -> None:
        async def bounded() -> None:
            with trio.fail_after(PATIENCE_S):
                await test(*arguments, **more)

        trio.run(bounded)

    return run


def in_no_time(test: Test) -> Callable[..., None]:
    """Run a test on a virtual clock, which jumps to the next deadline whenever everybody waits."""

    @wraps(test)
    def run(*arguments: object, **more: object) -> None:
        async def bounded() -> None:
            with trio.fail_after(PATIENCE_VIRTUAL_S):
                await test(*arguments, **more)

        trio.run(bounded, clock=MockClock(autojump_threshold=0))

    return run


async def serve_nothing(peer: NodeId, stream: BulkStream) -> None:
    """Ends every bulk stream at once."""


def admit_all(peer: NodeId, credential: bytes) -> None:
    """Refuses nobody."""


@dataclass(eq=False)
class Node:
    """A transport, and somebody who listens to its events."""

    name: str
    settings: TransportSettings = LOCAL
    authority: bytes = AUTHORITY
    admit: Callable[[NodeId, bytes], None] = admit_all
    serve_bulk: Callable[[NodeId, BulkStream], Awaitable[None]] = serve_nothing
    connect: Callable[[Address], Awaitable[trio.abc.Stream]] = connect_tcp
    boot: int = 1
    book: dict[NodeId, tuple[Address, ...]] = field(default_factory=dict)
    """Whom it knows, and where they are."""
    relays: dict[NodeId, tuple[NodeId, ...]] = field(default_factory=dict)
    """Through whom others are reached."""
    events: list[Event] = field(default_factory=list)
    is_crowded: bool = False
    """Nothing more may be delivered from sessions."""

    def __post_init__(self) -> None:
        self.passport = Passport(self.name.encode().ljust(32), self.authority, self.name.encode, Sodium())
        self.id = self.passport.node
        self._change = trio.Event()
        self.transport = Transport(
            self.passport,
            boot=self.boot,
            admit=self.admit,
            deliver=self._deliver,
            room=self._has_room,
            addresses_of=lambda peer: self.book.get(peer, ()),
            relays_of=lambda peer: self.relays.get(peer, ()),
            lookup=lambda short: next((peer for peer in self.book if peer.startswith(short)), None),
            serve_bulk=self.serve_bulk,
            clock=lambda: 1.7e9 + trio.current_time(),
            settings=self.settings,
            connect=self.connect,
        )
        self.perform = self.transport.perform

    async def _has_room(self) -> None:
        while self.is_crowded:
            await trio.sleep(0.01)

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.transport.port)

    @property
    def heard(self) -> list[bytes]:
        """All messages so far, whoever sent them."""
        return [event.payload for event in self.of(Received)]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[E], count: int = 1) -> E:
        """Wait for the `count`-th event of a kind and return it."""
        while len(self.of(kind)) < count:
            await self._change.wait()
        return self.of(kind)[count - 1]

    def _deliver(self, event: Event) -> None:
        self.events.append(event)
        self._change.set()
        self._change = trio.Event()


def connection_of(node: Node, peer: Node) -> Connection:
    """The connection under the session of two nodes, at the first."""
    conversation = node.transport._sessions._lines[peer.id].conversation
    assert conversation is not None
    return conversation._connection


def cut(connection: Connection) -> None:
    """Break a connection as the network would: neither side is told by its own program."""
    stream = connection._stream
    assert isinstance(stream, trio.SocketStream)
    with socket.socket(fileno=os.dup(stream.socket.fileno())) as twin:
        twin.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def running(*nodes: Node, acquainted: bool = True) -> AsyncIterator[trio.Nursery]:
    """Have nodes serve; all know where the others are unless they are not `acquainted`."""
    async with trio.open_nursery() as nursery:
        for node in nodes:
            await nursery.start(node.transport.serve)
        for node in nodes if acquainted else ():
            node.book.update({other.id: (other.address,) for other in nodes if other is not node})
        yield nursery
        nursery.cancel_scope.cancel()


class SlowStream(trio.abc.Stream):
    """A stream in memory whose every write takes a while; what is on its way when it is closed is lost."""

    def __init__(self, stream: trio.abc.Stream, delay_s: Callable[[], float]) -> None:
        self._stream = stream
        self._delay_s = delay_s

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.sleep(self._delay_s())
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


@dataclass
class Switchboard:
    """A network in memory: connects nodes by host name, with delays drawn from a seed."""

    seed: int = 0
    delay_s: float = 0.01
    nodes: dict[str, Node] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """Hosts at which packets vanish."""
    dead: set[str] = field(default_factory=set)
    """Hosts that accept connections and then say nothing."""
    dialled: list[tuple[float, str]] = field(default_factory=list)
    """(when, host) of every attempt."""

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)
        self._nursery: trio.Nursery | None = None

    def plug(self, node: Node, host: str) -> Node:
        """Connect a node as `host`; returns it."""
        self.nodes[host] = node
        node.connect = partial(self._connect, host)
        node.__post_init__()
        return node

    @asynccontextmanager
    async def running(self) -> AsyncIterator[trio.Nursery]:
        """Have all nodes serve and know each other."""
        async with running(*dict.fromkeys(self.nodes.values()), acquainted=False) as self._nursery:
            for node in self.nodes.values():
                others = [(other, host) for host, other in self.nodes.items() if other is not node]
                node.book.update({other.id: (Address(host, 1),) for other, host in others})
            yield self._nursery

    async def _connect(self, source: str, address: Address) -> trio.abc.Stream:
        self.dialled.append((trio.current_time(), address.host))
        await trio.sleep(self._delay())
        if address.host in self.silent:
            await trio.sleep_forever()
        near, far = memory_stream_pair()
        if address.host not in self.dead:
            if address.host not in self.nodes:
                raise ConnectionIsRefusedError("refused the connection")
            assert self._nursery is not None
            target = self.nodes[address.host].transport
            self._nursery.start_soon(target.answer, SlowStream(far, self._delay), source)
        return SlowStream(near, self._delay)

    def _delay(self) -> float:
        return self._rng.uniform(0, self.delay_s)
