"""The transport: nodes over real sockets on loopback, and strangers who knock at their doors."""

import errno
import socket

import pytest
import trio

from pnode.node import greeter
from pnode.node.bulk import BulkBrokenError, BulkEndedError, BulkStream
from pnode.node.connection import Clock, Connection, Stream
from pnode.node.dialing import UnreachableError
from pnode.node.limits import TransportSettings
from pnode.protocol.crypto import Sodium
from pnode.protocol.effects import Dial, Disconnect, Send, SendDatagram
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.events import DatagramReceived, DialFailed, Received, SessionClosed, SessionOpened
from pnode.protocol.greeting import Kind as GreetingKind
from pnode.protocol.greeting import frame_head, hello_frame
from pnode.protocol.handshake import OUR_VERSIONS, Established
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.record import Address
from pnode.protocol.session import Purpose
from pnode.sim.host import SEAL_BYTES

from .network import AUTHORITY, LOCAL, Node, connection_of, cut, in_no_time, in_trio, running

MEGABYTE = 1_000_000


@in_trio
async def test_a_dialled_session_carries_messages_both_ways() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob, acquainted=False):
        ann.perform(Dial((bob.address,), bob.id))
        opened = await ann.until(SessionOpened)
        answered = await bob.until(SessionOpened)
        ann.perform(Send(bob.id, b"hello"))
        bob.perform(Send(ann.id, b"hello yourself"))
        await bob.until(Received)
        await ann.until(Received)

        assert opened == SessionOpened(bob.id, b"bob", bob.address)
        assert answered == SessionOpened(ann.id, b"ann", None)
        assert ann.events == [opened, Received(bob.id, b"hello yourself")]
        assert bob.events == [answered, Received(ann.id, b"hello")]
        assert (ann.transport.peers, bob.transport.peers) == ((bob.id,), (ann.id,))


@in_trio
async def test_what_is_sent_before_there_is_a_session_arrives_in_order() -> None:
    ann, bob = Node("ann"), Node("bob")
    messages = [str(number).encode() for number in range(1000)]
    async with running(ann, bob):
        for message in messages:
            ann.perform(Send(bob.id, message))
        await bob.until(Received, len(messages))

        assert bob.heard == messages
        assert len(bob.of(SessionOpened)) == 1


@in_trio
async def test_a_node_that_has_no_room_for_messages_has_its_peer_wait() -> None:
    ann, bob = Node("ann"), Node("bob")
    bob.is_crowded = True
    async with running(ann, bob):
        for _ in range(100):
            ann.perform(Send(bob.id, bytes(100_000)))
        await bob.until(Received)
        await trio.sleep(0.3)
        heard = len(bob.heard)
        bob.is_crowded = False
        await bob.until(Received, 100)

    assert heard < 10


@in_trio
async def test_a_connection_from_an_address_that_is_gone_is_ended_and_no_other() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        ann.perform(Send(bob.id, b"before"))
        await bob.until(Received)
        ann.transport.sever({bob.address.host})
        await trio.sleep(0.1)
        assert ann.transport.peers == (bob.id,)

        ann.transport.sever({"192.0.2.1"})
        closed = await ann.until(SessionClosed)
        assert not closed.orderly
        await bob.until(SessionClosed)
        bob.transport.sever({"192.0.2.1"})
        ann.perform(Send(bob.id, b"after"))
        await bob.until(Received, 2)


@in_trio
async def test_whoever_answers_a_seed_address_is_a_peer_from_then_on() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob, acquainted=False):
        ann.perform(Dial((bob.address,), None))
        opened = await ann.until(SessionOpened)
        ann.perform(Dial((bob.address,), None))
        ann.perform(Dial((bob.address,), bob.id))
        ann.perform(Send(bob.id, b"hello"))
        await bob.until(Received)

        assert opened.peer == bob.id
        assert len(ann.events) == 1  # and nothing else was reported


@in_trio
async def test_a_message_of_four_mebibytes_arrives() -> None:
    ann, bob = Node("ann"), Node("bob")
    message = bytes(range(256)) * (4 * 1024 * 4)
    async with running(ann, bob):
        ann.perform(Send(bob.id, message))
        ann.perform(Send(bob.id, b"small"))
        await bob.until(Received, 2)

        assert bob.heard == [message, b"small"]


@in_trio
async def test_datagrams_arrive_with_their_sender() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        ann.perform(SendDatagram(bob.id, bob.address, b"ping"))
        got = await bob.until(DatagramReceived)
        bob.perform(SendDatagram(ann.id, ann.address, b"pong"))
        await ann.until(DatagramReceived)

        assert got == DatagramReceived(ann.id, b"ping")
        assert ann.events == [DatagramReceived(bob.id, b"pong")]


@in_trio
async def test_hundreds_of_datagrams_at_once_are_read_in_portions() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        for number in range(200):
            ann.perform(SendDatagram(bob.id, bob.address, str(number).encode()))
        await bob.until(DatagramReceived, 200)

        assert [event.payload for event in bob.of(DatagramReceived)] == [
            str(number).encode() for number in range(200)
        ]


@in_trio
async def test_what_goes_out_is_counted() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        before = ann.transport.sent_datagrams, ann.transport.sent_bytes
        ann.perform(Send(bob.id, b"12345"))
        with_message = ann.transport.sent_bytes
        for payload in (b"", b"12345678"):
            ann.perform(SendDatagram(bob.id, bob.address, payload))
        ann.perform(SendDatagram(bob.id, Address("no such host", 1), b"lost"))
        await bob.until(DatagramReceived, 2)

        assert (before, with_message) == ((0, 0), 5)
        assert ann.transport.sent_datagrams == 2
        assert ann.transport.sent_bytes == with_message + 2 * SEAL_BYTES + 8
        assert bob.transport.sent_bytes == 0


@in_trio
async def test_a_datagram_that_cannot_be_sent_is_lost_like_any_other() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        for host in ("::1", "localhost", "no such host", "255.255.255.255"):
            ann.perform(SendDatagram(bob.id, Address(host, bob.transport.port), b"lost"))
        ann.perform(SendDatagram(NodeId(bytes(32)), bob.address, b"lost"))
        ann.perform(SendDatagram(bob.id, bob.address, b"ping"))
        await bob.until(DatagramReceived)

        assert len(bob.events) == 1


@in_trio
async def test_a_disconnected_peer_reads_why() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        ann.perform(Send(bob.id, b"hello"))
        await bob.until(Received)
        bob.perform(Disconnect(ann.id, "your certificate is revoked"))
        bob.perform(Disconnect(NodeId(bytes(32)), "nobody there"))
        told = await ann.until(SessionClosed)
        ended = await bob.until(SessionClosed)

        assert told == SessionClosed(bob.id, "the other side ended it: your certificate is revoked", orderly=True)
        assert ended == SessionClosed(ann.id, "your certificate is revoked", orderly=True)
        assert (ann.transport.peers, bob.transport.peers) == ((), ())


@in_trio
async def test_a_stopping_node_sends_what_waits_and_says_so() -> None:
    ann, bob = Node("ann"), Node("bob")
    messages = [bytes(100_000)] * 50
    async with running(bob):
        async with running(ann):
            ann.book[bob.id] = (bob.address,)
            ann.perform(Send(bob.id, b"hello"))
            bob.perform(Send(ann.id, b"lost"))
            await bob.until(Received)
            for message in messages:
                ann.perform(Send(bob.id, message))
        closed = await bob.until(SessionClosed)

        assert bob.heard == [b"hello", *messages]
        assert closed == SessionClosed(ann.id, "the other side ended it: the node stops", orderly=True)


@in_trio
async def test_a_node_that_comes_back_replaces_its_old_session() -> None:
    bob = Node("bob")
    async with running(bob):
        first, second = Node("ann"), Node("ann", boot=2)
        async with running(first, second):
            first.perform(Dial((bob.address,), bob.id))
            await bob.until(SessionOpened)
            second.perform(Dial((bob.address,), bob.id))
            await bob.until(SessionOpened, 2)
            bob.perform(Send(first.id, b"welcome back"))
            await second.until(Received)

            opened = SessionOpened(first.id, b"ann", None)
            closed = SessionClosed(first.id, "it has opened a new session", orderly=True)
            assert bob.events == [opened, closed, opened]
            assert first.heard == []


@in_trio
async def test_a_cut_connection_is_no_orderly_end() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        ann.perform(Send(bob.id, b"hello"))
        await bob.until(Received)
        cut(connection_of(ann, bob))

        assert await ann.until(SessionClosed) == SessionClosed(bob.id, "the connection was cut", orderly=False)
        assert await bob.until(SessionClosed) == SessionClosed(ann.id, "the connection was cut", orderly=False)


# Nobody fit to talk to


async def failure(ann: Node, *addresses: Address, peer: NodeId | None = None) -> str:
    """What a dial that fails reports."""
    ann.perform(Dial(addresses, peer))
    failed = await ann.until(DialFailed, len(ann.of(DialFailed)) + 1)
    assert (failed.addresses, failed.peer) == (addresses, peer)
    return failed.reason


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@in_trio
async def test_a_failed_dial_says_for_every_address_why() -> None:
    async def web_server(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def shy_server(stream: trio.SocketStream) -> None:
        await stream.receive_some()

    ann = Node("ann")
    foreign = Node("foreign", authority=Sodium().public_key(b"another".ljust(32)))
    async with running(ann, foreign, acquainted=False) as nursery:
        servers = [(await nursery.start(trio.serve_tcp, serve, 0))[0] for serve in (web_server, shy_server)]
        web, shy = (Address("127.0.0.1", server.socket.getsockname()[1]) for server in servers)
        closed = Address("127.0.0.1", free_port())

        reason = await failure(ann, closed, web, shy, foreign.address, ann.address)

        assert reason.split("; ") == [
            f"{closed} refused the connection",
            f"{web} answered, but is not a pnode node",
            f"{shy} closed the connection at once: is it a pnode node of this cluster, or busy?",
            f"{foreign.address} is a node of another cluster: is this the right address, and the right token?",
            f"{ann.address} is this node itself",
        ]
        assert foreign.events == []


@in_trio
async def test_names_that_lead_nowhere_are_said_to() -> None:
    ann = Node("ann")
    async with running(ann):
        assert "is no address and no host name" in await failure(ann, Address("a..b", 1))
        assert await failure(ann) == "no address is known"


@in_trio
async def test_another_node_than_the_expected_is_hung_up_on() -> None:
    ann, bob, eve = Node("ann"), Node("bob"), Node("eve")
    async with running(ann, bob, eve):
        reason = await failure(ann, eve.address, peer=bob.id)

        assert reason == f"{eve.address} is node {node_text(eve.id)}, not {node_text(bob.id)} as expected"
        assert eve.events == []


@in_trio
async def test_a_message_that_cannot_be_delivered_is_dropped_and_reported_once() -> None:
    ann, bob = Node("ann"), Node("bob")
    nobody = Address("127.0.0.1", free_port())
    async with running(ann):
        ann.book[bob.id] = (nobody,)
        for _ in range(5):
            ann.perform(Send(bob.id, b"hello"))
        await ann.until(DialFailed)
        async with running(bob):
            ann.perform(Dial((bob.address,), bob.id))
            await bob.until(SessionOpened)
            ann.perform(Send(bob.id, b"hello again"))
            await bob.until(Received)

            reason = f"{nobody} refused the connection"
            assert ann.of(DialFailed) == [DialFailed((nobody,), bob.id, reason, (nobody,))]
            assert bob.heard == [b"hello again"]


@in_trio
async def test_a_node_without_a_known_address_cannot_be_reached() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann):
        ann.perform(Send(bob.id, b"hello"))

        assert await ann.until(DialFailed) == DialFailed((), bob.id, "no address is known")


def refuse(peer: NodeId, credential: bytes) -> None:
    raise RemoteProtocolError(f"the certificate of {credential.decode()} has expired")


@in_trio
async def test_both_sides_may_refuse_the_other() -> None:
    ann, bob = Node("ann"), Node("bob", admit=refuse)
    async with running(ann, bob):
        refused = await failure(ann, bob.address)
        refusing = await failure(bob, ann.address)

        assert refused == f"{bob.address} refused us: the certificate of ann has expired"
        assert refusing == f"{ann.address} is not accepted: the certificate of ann has expired"
        assert ann.of(SessionOpened) == bob.of(SessionOpened) == []


# Strangers


async def knock(node: Node, *parts: bytes) -> bytes:
    """Connect like any program, say something, and return all that comes back until the node hangs up."""
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", node.transport.port) as stream:
        try:
            for part in parts:
                await stream.send_all(part)
            async for data in stream:
                answer += data
        except trio.BrokenResourceError:
            pass  # hung up on while we were still talking
    return answer


@in_trio
async def test_strangers_are_hung_up_on_without_a_word_and_only_they() -> None:
    ann, bob = Node("ann"), Node("bob")
    hello = hello_frame(OUR_VERSIONS, bytes(32), AUTHORITY)
    noise = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(range(256)) * 64,
        b"\xff" * 5,
        b"PN\x01\xff\xff",
        frame_head(GreetingKind.HELLO, 70)[:4] + bytes(71),
        hello[:-1] + bytes([hello[-1] ^ 1]),
        frame_head(GreetingKind.PROOF, 121) + bytes(121),
    ]
    async with running(ann, bob):
        ann.perform(Send(bob.id, b"before"))
        await bob.until(Received)

        answers = [await knock(bob, stranger) for stranger in noise]
        ann.perform(Send(bob.id, b"after"))
        await bob.until(Received, 2)

        assert answers == [b""] * len(noise)
        assert len(bob.events) == 3  # opened, before, after, and nothing else was reported


@in_trio
async def test_a_huge_length_in_a_session_ends_that_session_only() -> None:
    ann, bob, eve = Node("ann"), Node("bob"), Node("eve")
    async with running(ann, bob, eve):
        for node in (ann, eve):
            node.perform(Send(bob.id, b"before"))
        await bob.until(Received, 2)
        await connection_of(eve, bob)._stream.send_all(b"\xff\xff\xff\xff" + bytes(1000))
        closed = await bob.until(SessionClosed)
        ann.perform(Send(bob.id, b"after"))
        await bob.until(Received, 3)

        assert (closed.peer, closed.orderly) == (eve.id, False)
        assert "announced a frame" in closed.reason
        assert bob.heard[-1] == b"after"


@in_trio
async def test_noise_on_the_datagram_socket_is_dropped() -> None:
    ann, bob = Node("ann"), Node("bob")
    async with running(ann, bob):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for noise in (b"", b"x", bytes(1400), b"\xff" * 9000, bytes(range(256)) * 4):
                sock.sendto(noise, ("127.0.0.1", bob.transport.port))
        ann.perform(SendDatagram(bob.id, bob.address, b"ping"))
        await bob.until(DatagramReceived)

        assert bob.events == [DatagramReceived(ann.id, b"ping")]


class BrokenListener:
    """Says that accepting fails, once for each reason, and then waits."""

    def __init__(self, *reasons: int) -> None:
        self._reasons = list(reasons)

    async def accept(self) -> trio.SocketStream:
        if self._reasons:
            raise OSError(self._reasons.pop(0), "no")
        return await trio.sleep_forever()


@in_no_time
async def test_a_node_that_is_out_of_resources_accepts_again_a_little_later() -> None:
    node = Node("ann")
    listener = BrokenListener(errno.EMFILE, errno.ENOTCONN, errno.ENOBUFS)
    with trio.move_on_after(10):
        async with trio.open_nursery() as nursery:
            await node.transport._accept(listener, nursery)  # type: ignore[arg-type]

    assert listener._reasons == []


@in_no_time
async def test_a_connection_that_is_gone_before_it_is_looked_at_is_closed() -> None:
    class Gone(BrokenListener):
        async def accept(self) -> trio.SocketStream:
            if not self._reasons:
                await trio.sleep_forever()
            self._reasons.clear()
            return stream

    node, stream = Node("ann"), trio.SocketStream(trio.socket.socket())
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            await node.transport._accept(Gone(errno.ENOTCONN), nursery)  # type: ignore[arg-type]

    assert stream.socket.fileno() == -1


@in_no_time
async def test_any_other_failure_to_accept_is_not_hidden() -> None:
    node = Node("ann")
    async with trio.open_nursery() as nursery:
        with pytest.raises(OSError, match="no"):
            await node.transport._accept(BrokenListener(errno.EBADF), nursery)  # type: ignore[arg-type]


# Bulk


@in_trio
async def test_twenty_megabytes_arrive_as_they_were_sent() -> None:
    chunk = bytes(range(250)) * (MEGABYTE // 250)
    asked: list[tuple[NodeId, bytes]] = []

    async def serve(peer: NodeId, stream: BulkStream) -> None:
        asked.append((peer, await stream.receive()))
        for number in range(20):
            await stream.send(chunk[number:] + chunk[:number])

    ann, bob = Node("ann"), Node("bob", serve_bulk=serve)
    async with running(ann, bob):
        async with await ann.transport.open_bulk(bob.id, (bob.address,)) as stream:
            await stream.send(b"the whole of it, please")
            got = [await stream.receive() for _ in range(20)]
            with pytest.raises(BulkEndedError):
                await stream.receive()

        assert got == [chunk[number:] + chunk[:number] for number in range(20)]
        assert asked == [(ann.id, b"the whole of it, please")]
        assert ann.events == bob.events == []  # the core is not concerned


@in_trio
async def test_a_bulk_stream_that_breaks_is_no_orderly_end() -> None:
    async def serve(peer: NodeId, stream: BulkStream) -> None:
        await stream.send(b"first")
        cut(stream._connection)

    ann, bob = Node("ann"), Node("bob", serve_bulk=serve)
    async with running(ann, bob), await ann.transport.open_bulk(bob.id, (bob.address,)) as stream:
        assert await stream.receive() == b"first"
        with pytest.raises(BulkBrokenError, match="cut"):
            await stream.receive()
        with pytest.raises(BulkBrokenError):
            await stream.send(bytes(MEGABYTE))


@in_trio
async def test_a_peer_that_breaks_its_bulk_stream_harms_nobody() -> None:
    async def serve(peer: NodeId, stream: BulkStream) -> None:
        await stream.receive()

    ann, bob = Node("ann"), Node("bob", serve_bulk=serve)
    async with running(ann, bob):
        async with await ann.transport.open_bulk(bob.id, (bob.address,)) as stream:
            cut(stream._connection)
        ann.perform(Send(bob.id, b"still here"))
        await bob.until(Received)

        assert bob.heard == [b"still here"]


@in_trio
async def test_a_peer_has_a_limited_number_of_bulk_streams() -> None:
    settings = TransportSettings(host="127.0.0.1", bulk_streams_per_peer_max=2)

    async def serve(peer: NodeId, stream: BulkStream) -> None:
        await stream.receive()

    ann, bob = Node("ann"), Node("bob", settings=settings, serve_bulk=serve)
    async with running(ann, bob):
        streams = [await ann.transport.open_bulk(bob.id, (bob.address,)) for _ in range(2)]
        with pytest.raises(UnreachableError, match="2 bulk streams to this node are open"):
            await ann.transport.open_bulk(bob.id, (bob.address,))
        for stream in streams:
            await stream.send(b"done")
            with pytest.raises(BulkEndedError):
                await stream.receive()
            await stream.aclose()

        await (await ann.transport.open_bulk(bob.id, (bob.address,))).aclose()


@pytest.mark.parametrize("poor", ["ann", "bob"])
@pytest.mark.parametrize("trouble", [OSError(errno.EMFILE, "Too many open files"), ImportError("cryptography")])
def test_who_cannot_load_what_seals_content_has_no_stream_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, poor: str, trouble: Exception
) -> None:
    @in_trio
    async def story() -> None:
        ann, bob = Node("ann"), Node("bob")
        other = {"ann": bob, "bob": ann}[poor].id

        def open_connection(stream: Stream, established: Established, clock: Clock, stall_s: float) -> Connection:
            if established.purpose is Purpose.BULK and established.peer == other:
                raise trouble
            return Connection(stream, established, clock, stall_s)

        async with running(ann, bob):
            with monkeypatch.context() as without:
                without.setattr(greeter, "Connection", open_connection)
                with pytest.raises((UnreachableError, BulkBrokenError)):
                    async with await ann.transport.open_bulk(bob.id, (bob.address,)) as stream:
                        await stream.receive()

            async with await ann.transport.open_bulk(bob.id, (bob.address,)):
                ann.perform(Send(bob.id, b"all the same"))
                assert (await bob.until(Received)).payload == b"all the same"

    story()


@in_trio
async def test_a_bulk_stream_goes_to_one_of_several_addresses_of_a_peer() -> None:
    served = 0

    async def serve(peer: NodeId, stream: BulkStream) -> None:
        nonlocal served
        served += 1
        await stream.send(b"content")

    eager = TransportSettings(host="127.0.0.1", stagger_s=0)
    ann, bob = Node("ann", settings=eager), Node("bob", serve_bulk=serve)
    async with running(ann, bob):
        aliases = [Address(f"127.0.0.{number}", bob.transport.port) for number in (1, 2, 3)]
        other = Address("localhost", bob.transport.port)
        async with await ann.transport.open_bulk(bob.id, (bob.address, other, *aliases)) as stream:
            assert await stream.receive() == b"content"

        assert served == 1


def test_settings_name_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="port 70000"):
        TransportSettings(port=70000)
    assert LOCAL.port == 0
