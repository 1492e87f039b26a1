"""The transport: everything a node says to others goes out here, and everything it hears comes in here.

It carries out the core's effects on the network and delivers its events. Sessions over TCP, datagrams over UDP, one
port; strangers end with their connection (see `sessions`, `datagrams`, `listening`). Those who cannot be dialled are
reached through others (`relaying`).
"""

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Collection
from contextlib import ExitStack, suppress
from typing import NoReturn, assert_never
from weakref import WeakSet

import trio

from pnode.protocol.datagram import SENDER_BYTES, DatagramBox
from pnode.protocol.effects import Dial, Disconnect, Knock, Meet, Send, SendDatagram
from pnode.protocol.events import Event, Knocked
from pnode.protocol.handshake import Passport
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.record import Address
from pnode.protocol.session import Purpose

from .bulk import BulkStream, BulkStreams, ServeBulk
from .connection import Clock, Connection, Stream, watch_host
from .datagrams import Datagrams
from .dialing import Detour, NoAnswerError, UnreachableError, Way, connect_tcp
from .greeter import Admit, BusyError, Greeter
from .limits import TransportSettings
from .listening import Doors, listen
from .relaying import Relaying
from .sessions import Sessions

logger = logging.getLogger(__name__)

OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
ACCEPT_PAUSE_S = 0.1
"""Until then some connection may have been closed."""

Connect = Callable[[Address], Awaitable[Stream]]
"""Raises NoAnswerError; the deadline is the caller's."""


class Transport:
    """A node's link to all others.

    `deliver` is called from tasks of the thread that runs `serve`, never from within `perform`; `room` returns when
    more may be delivered from a session. `boot` must be greater than at every earlier start with the same seed, see
    `protocol.datagram`.
    """

    def __init__(
        self,
        passport: Passport,
        *,
        boot: int,
        admit: Admit,
        deliver: Callable[[Event], None],
        room: Callable[[], Awaitable[None]],
        addresses_of: Callable[[NodeId], tuple[Address, ...]],
        lookup: Callable[[bytes], NodeId | None],
        relays_of: Callable[[NodeId], tuple[NodeId, ...]] = lambda _: (),
        serve_bulk: ServeBulk,
        clock: Clock,
        settings: TransportSettings,
        connect: Connect = connect_tcp,
    ) -> None:
        self._settings = settings
        self._greeter = Greeter(passport, admit, self._connect, settings, clock)
        greeter, known = self._greeter, self._is_known
        self._sessions = Sessions(greeter, deliver, room, addresses_of, relays_of, known, settings)
        self._bulk = BulkStreams(self._greeter, serve_bulk, settings)
        self._relaying = Relaying(
            self._greeter, self._sessions, self.answer, self._serve_asked, addresses_of, settings
        )
        self._connect_tcp = connect
        self._relays_of = relays_of
        self._lookup = lookup
        self._content_via: dict[NodeId, NodeId] = {}
        self._box = DatagramBox(passport.seed, passport.cluster, boot, lookup)
        self._deliver = deliver
        self._doors: Doors | None = None
        self._datagrams: Datagrams | None = None
        self._nursery: trio.Nursery | None = None
        self._streams: WeakSet[trio.SocketStream] = WeakSet()
        """Whatever is connected."""

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Listen, and carry everything until cancelled; then what waits is still sent, within a bounded time.

        Raises CannotListenError at the start. Afterwards peers' errors end with their connection.
        """
        doors = self._doors = listen(self._settings.host, self._settings.port)
        try:
            datagrams = self._datagrams = Datagrams(doors.datagram_sockets, self._box, self._deliver)
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await nursery.start(self._sessions.run)
                nursery.start_soon(datagrams.run)
                for sock in doors.stream_sockets:
                    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
                    nursery.start_soon(self._accept, listener, nursery)
                logger.info("listening: addresses=%s", " ".join(map(str, self.addresses())))
                task_status.started()
                await trio.sleep_forever()
        finally:
            doors.close()

    @property
    def port(self) -> int:
        """Where we listen, for TCP and UDP; once `serve` has started."""
        assert self._doors is not None, "the transport does not serve yet"
        return self._doors.port

    def addresses(self) -> tuple[Address, ...]:
        """Where others can reach us as of now; loopback only if there is nothing else. Once `serve` has started."""
        assert self._doors is not None, "the transport does not serve yet"
        return self._doors.addresses()

    @property
    def listens_everywhere(self) -> bool:
        """Whether addresses may change; once `serve` has started."""
        assert self._doors is not None, "the transport does not serve yet"
        return self._doors.are_everywhere

    def sever(self, hosts: Collection[str]) -> None:
        """End the connections whose end here is at none of these addresses: nothing can come in by them any more."""
        for stream in list(self._streams):
            with suppress(OSError):  # not connected any more
                if str(stream.socket.getsockname()[0]).partition("%")[0] not in hosts:
                    with stream.socket.dup() as twin:  # trio takes it for our bug if we shut down what we write to
                        twin.shutdown(socket.SHUT_RDWR)

    @property
    def peers(self) -> tuple[NodeId, ...]:
        """With whom there is a session."""
        return self._sessions.peers

    @property
    def carried(self) -> int:
        """Calls of others that this node relays now."""
        return self._relaying.carried

    def via(self, peer: NodeId) -> NodeId | None:
        """The relay through which the session with a peer goes, if it goes through one."""
        return self._sessions.via(peer)

    def content_via(self, peer: NodeId) -> NodeId | None:
        """The relay through which content came from a peer last, if it came through one."""
        return self._content_via.get(peer)

    @property
    def sent_datagrams(self) -> int:
        """How many went out since the start."""
        return 0 if self._datagrams is None else self._datagrams.sent

    @property
    def sent_bytes(self) -> int:
        """Datagrams with their seals and messages of control sessions; no content, no handshakes, no headers."""
        return self._sessions.sent_bytes + (0 if self._datagrams is None else self._datagrams.sent_bytes)

    def clock_offset_s(self, peer: NodeId) -> float | None:
        """By how much a peer's wall clock was ahead of ours when its session began; None if there is no session."""
        return self._sessions.clock_offset_s(peer)

    def perform(self, effect: Dial | Send | SendDatagram | Disconnect | Knock | Meet) -> None:
        """Carry out what the core asks for. Never blocks; what comes of it is delivered as events."""
        match effect:
            case Send(peer, payload):
                self._sessions.send(peer, payload)
            case SendDatagram(peer, address, payload):
                assert self._datagrams is not None, "the transport does not serve yet"
                self._datagrams.send(peer, address, payload)
            case Dial(addresses, peer):
                self._sessions.dial(addresses, peer)
            case Disconnect(peer, reason):
                self._sessions.disconnect(peer, reason)
            case Knock():
                assert self._nursery is not None, "the transport does not serve yet"
                self._nursery.start_soon(self._knock, effect)
            case Meet():
                assert self._nursery is not None, "the transport does not serve yet"
                self._nursery.start_soon(self._relaying.meet, effect)
            case _:
                assert_never(effect)

    async def open_bulk(self, peer: NodeId, addresses: tuple[Address, ...]) -> BulkStream:
        """A fresh connection for content; whoever opens it closes it. One who cannot be dialled is asked to dial us;
        if that is in vain, or nobody can dial us either, it goes through a relay. Raises UnreachableError."""
        relays = self._relays_of(peer)
        self._content_via.pop(peer, None)
        may_come = self._sessions.has(peer) and not self._relays_of(self._greeter.me)
        if relays and may_come:
            with suppress(NoAnswerError):
                return self._bulk.over(await self._relaying.have_come(peer))
        detours = (Detour(relay, peer, bulk=True) for relay in relays)
        try:
            stream = await self._bulk.open(peer, (*addresses, *detours))
        except UnreachableError:
            if may_come and not relays:  # most others reach it, and it may reach us
                with suppress(NoAnswerError):
                    return self._bulk.over(await self._relaying.have_come(peer))
            raise
        if stream.via is not None:
            self._content_via[peer] = stream.via
            logger.info(
                "content comes through a relay, since neither node can dial the other: peer=%s relay=%s",
                node_text(peer), node_text(stream.via),
            )  # fmt: skip
        return stream

    def relays_content(self, peer: NodeId) -> bool:
        """Whether content of a peer is likely to come through somebody else."""
        return bool(self._relays_of(peer) and self._relays_of(self._greeter.me))

    async def answer(self, stream: Stream, host: str, via: NodeId | None = None) -> None:
        """Serve a connection that somebody at `host` has opened, or who calls `via` a relay: one for bulk until it
        ends, one for control until its session has begun, one for meeting somebody until that is done."""
        arrived_at = trio.current_time()
        with ExitStack() as held:

            def decide(peer: NodeId, purpose: Purpose) -> None:
                if purpose is Purpose.CONTROL:
                    held.enter_context(self._sessions.admitted(peer, arrived_at))
                elif purpose is Purpose.BULK:
                    held.enter_context(self._bulk.admitted(peer))
                elif via is not None or not self._is_known(peer):
                    raise BusyError("relays for members that dial it by its address, and for nobody else")

            connection = await self._greeter.welcome(stream, host, decide)
            if connection is None:
                return
            if connection.purpose is Purpose.CONTROL:
                self._sessions.begin(connection, None, via)
            elif connection.purpose is Purpose.BULK:
                await self._bulk.answer(connection)
            else:
                await self._relaying.answer(connection)

    def _is_known(self, peer: NodeId) -> bool:
        return self._lookup(peer[:SENDER_BYTES]) == peer

    async def _connect(self, way: Way) -> Stream:
        if isinstance(way, Detour):
            return await self._relaying.call(way)
        stream = await self._connect_tcp(way)
        if isinstance(stream, trio.SocketStream):
            self._streams.add(stream)
        return stream

    async def _serve_asked(self, connection: Connection) -> None:
        """Give content to somebody who has asked us to dial."""
        try:
            with self._bulk.admitted(connection.peer):
                await self._bulk.answer(connection)
        except BusyError as error:
            logger.debug("content refused: peer=%s reason=%s", node_text(connection.peer), error)
            await connection.aclose()

    async def _knock(self, effect: Knock) -> None:
        reached = await self._greeter.knock(effect.addresses, effect.peer)
        self._deliver(Knocked(effect.peer, effect.nonce, reached))

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> NoReturn:
        """Accept connections for ever. (`trio.serve_listeners` would close each when its handshake is done.)"""
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno in OUT_OF_RESOURCES:
                    logger.warning(
                        "cannot accept connections: %s; is the limit of open files too low?", error.strerror
                    )
                    await trio.sleep(ACCEPT_PAUSE_S)
                elif error.errno != errno.ENOTCONN:  # that one has gone again already
                    raise
                continue
            try:
                host = str(stream.socket.getpeername()[0])
            except OSError:  # gone again already
                stream.socket.close()
                continue
            watch_host(stream)
            self._streams.add(stream)
            nursery.start_soon(self.answer, stream, host)
