"""Sessions over streams in memory, on a virtual clock: who keeps which, what waits, and when they end."""

from math import inf

import pytest
import trio
from trio.testing import memory_stream_pair

from pnode.node.bulk import BulkBrokenError, BulkStream
from pnode.node.limits import TransportSettings
from pnode.protocol.effects import Dial, Disconnect, Send
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.events import DialFailed, Received, SessionClosed, SessionOpened
from pnode.protocol.ids import NodeId
from pnode.protocol.record import Address
from pnode.protocol.session import MESSAGE_BYTES_MAX, Purpose

from .network import LOCAL, Node, Switchboard, in_no_time

A, B = Address("10.0.0.1", 1), Address("10.0.0.2", 1)


def pair(board: Switchboard, settings: TransportSettings = LOCAL, **more: object) -> tuple[Node, Node]:
    """Two nodes on a switchboard, the one with the smaller id first."""
    small, large = sorted((Node("ann", settings), Node("bob", settings, **more)), key=lambda node: node.id)  # type: ignore[arg-type]
    return board.plug(small, A.host), board.plug(large, B.host)


# Both dial at the same moment


@pytest.mark.parametrize("seed", range(60))
@in_no_time
async def test_of_two_crossing_sessions_one_is_kept_and_nothing_is_lost(seed: int) -> None:
    messages = [str(number).encode() for number in range(20)]
    board = Switchboard(seed)
    small, large = pair(board)
    async with board.running():
        for number, message in enumerate(messages):
            small.perform(Send(large.id, message))
            large.perform(Send(small.id, message))
            await trio.sleep(0.001 * (number % 3))
        await small.until(Received, len(messages))
        await large.until(Received, len(messages))
        await trio.sleep(30)

        assert small.heard == large.heard == messages
        assert len(small.of(SessionOpened)) == len(large.of(SessionOpened)) == 1
        assert len(small.events) == len(large.events) == 1 + len(messages)  # and nothing else was reported
        initiators = [node.of(SessionOpened)[0].address is not None for node in (small, large)]
        assert sorted(initiators) == [False, True]


@in_no_time
async def test_when_both_calls_are_equally_fast_the_smaller_id_keeps_its_own() -> None:
    board = Switchboard(delay_s=0.0)
    small, large = pair(board)
    async with board.running():
        small.perform(Dial((B,), large.id))
        large.perform(Dial((A,), small.id))
        opened = await small.until(SessionOpened)
        await large.until(SessionOpened)
        await trio.sleep(30)

        assert opened.address == B
        assert len(small.events) == len(large.events) == 1


@pytest.mark.parametrize("seed", range(10))
@in_no_time
async def test_crossing_dials_by_address_alone_make_one_session_too(seed: int) -> None:
    board = Switchboard(seed)
    small, large = pair(board)
    async with board.running():
        small.perform(Dial((B,), None))
        large.perform(Dial((A,), None))
        small.perform(Send(large.id, b"from small"))
        large.perform(Send(small.id, b"from large"))
        await small.until(Received)
        await large.until(Received)
        await trio.sleep(30)

        assert len(small.of(SessionOpened)) == len(large.of(SessionOpened)) == 1
        assert (small.heard, large.heard) == ([b"from large"], [b"from small"])
        assert small.of(DialFailed) == large.of(DialFailed) == []


@pytest.mark.parametrize("caller_is_larger", [True, False])
@in_no_time
async def test_a_restarted_node_is_heard_at_once_whoever_had_opened_the_old_session(caller_is_larger: bool) -> None:
    """Its old session looks alive from here, and what waits for it must go into the new one."""
    board = Switchboard()
    small, large = pair(board)
    guard, caller = (small, large) if caller_is_larger else (large, small)
    host = A.host if caller is small else B.host
    async with board.running() as nursery:
        guard.perform(Send(caller.id, b"before"))
        await caller.until(Received)
        again = board.plug(Node(caller.name, boot=2), host)
        await nursery.start(again.transport.serve)
        again.book.update(caller.book)
        board.delay_s = 3.0  # the old connection is slow to take what follows
        guard.perform(Send(caller.id, b"unread"))
        await trio.sleep(0.001)
        board.delay_s = 0.001
        guard.perform(Send(caller.id, b"waiting"))
        again.perform(Send(guard.id, b"I am back"))
        await again.until(Received, 2)
        await guard.until(Received)

        assert guard.heard == [b"I am back"]
        assert again.heard == [b"unread", b"waiting"]
        closed = SessionClosed(caller.id, "it has opened a new session", orderly=True)
        assert guard.of(SessionClosed) == [closed]


@in_no_time
async def test_a_peer_that_wanted_to_call_and_did_not_is_called_again() -> None:
    """The smaller node claims the call, then its host is cut off; the larger one must not wait for it for ever."""
    board = Switchboard(delay_s=0.0)
    small, large = pair(board)
    async with board.running():
        small.transport._sessions._claims.add(large.id)  # as if its PROOF were under way
        large.perform(Send(small.id, b"hello"))
        failed = await large.until(DialFailed)

        assert failed.reason == "it wanted to open a session itself, which did not come"
        assert trio.current_time() == pytest.approx(10, abs=0.1)
        assert large.of(SessionOpened) == []


@in_no_time
async def test_a_second_call_of_a_peer_finds_it_taken() -> None:
    """Two addresses of one peer, dialled at once: only one session, and no complaint."""
    board = Switchboard(delay_s=0.01)
    small, large = pair(board, TransportSettings(host="127.0.0.1", stagger_s=0))
    board.nodes["10.0.0.22"] = large
    async with board.running():
        small.perform(Dial((B, Address("10.0.0.22", 1)), large.id))
        small.perform(Dial((Address("10.0.0.22", 1),), None))
        await small.until(SessionOpened)
        await trio.sleep(30)

        assert len(small.events) == len(large.events) == 1


# Ends


@in_no_time
async def test_a_silent_session_is_ended_by_both_and_the_next_message_opens_another() -> None:
    board = Switchboard()
    small, large = pair(board)
    async with board.running():
        small.perform(Send(large.id, b"hello"))
        closed = await small.until(SessionClosed)
        at = trio.current_time()
        await large.until(SessionClosed)
        large.perform(Send(small.id, b"hello again"))
        await small.until(Received)

        assert at == pytest.approx(60, abs=1)
        assert closed.orderly
        assert "nobody said anything for 60 s" in closed.reason
        assert large.of(SessionClosed)[0].orderly
        assert small.heard == [b"hello again"]


@in_no_time
async def test_a_session_in_which_somebody_speaks_stays() -> None:
    board = Switchboard()
    small, large = pair(board)
    async with board.running():
        for _ in range(10):
            large.perform(Send(small.id, b"still here"))
            await trio.sleep(50)

        assert small.of(SessionClosed) == large.of(SessionClosed) == []
        assert len(small.heard) == 10


@in_no_time
async def test_a_session_may_be_kept_in_silence_until_its_certificates_are_looked_at_again() -> None:
    board = Switchboard()
    small, large = pair(board, TransportSettings(host="127.0.0.1", session_idle_s=inf))
    async with board.running():
        small.perform(Send(large.id, b"hello"))
        closed = await small.until(SessionClosed)

        assert trio.current_time() == pytest.approx(86_400, abs=1)
        assert closed.orderly
        assert "certificates" in closed.reason


@in_no_time
async def test_what_is_sent_while_a_session_ends_goes_into_the_next() -> None:
    board = Switchboard(delay_s=0.5)
    small, large = pair(board)
    async with board.running():
        small.perform(Send(large.id, b"hello"))
        await large.until(Received)
        ending = small.transport._sessions._lines[large.id].conversation
        assert ending is not None
        await trio.sleep(2)
        ending.leave("enough")
        for number in range(5):
            small.perform(Send(large.id, b"s%d" % number))
            large.perform(Send(small.id, b"l%d" % number))
        await large.until(Received, 6)
        await small.until(Received, 5)

        assert large.heard == [b"hello", b"s0", b"s1", b"s2", b"s3", b"s4"]
        assert small.heard == [b"l0", b"l1", b"l2", b"l3", b"l4"]
        assert all(closed.orderly for closed in small.of(SessionClosed) + large.of(SessionClosed))


@in_no_time
async def test_what_waits_for_a_peer_that_ends_its_session_at_once_is_dropped() -> None:
    """Else it would be dialled again and again."""
    board = Switchboard()
    small, large = pair(board)
    async with board.running():
        for _ in range(200):
            small.perform(Send(large.id, bytes(100_000)))
        await large.until(SessionOpened)
        large.perform(Disconnect(small.id, "go away"))
        closed = await small.until(SessionClosed)
        await trio.sleep(100)

        assert closed == SessionClosed(large.id, "the other side ended it: go away", orderly=True)
        assert len(board.dialled) == 1
        assert small.transport._sessions._lines == {}


@in_no_time
async def test_a_peer_that_takes_no_data_is_given_up() -> None:
    board = Switchboard(delay_s=0.0)
    small, large = pair(board)
    async with board.running():
        small.perform(Send(large.id, b"hello"))
        await large.until(Received)
        at = trio.current_time()
        board.delay_s = 1e6
        small.perform(Send(large.id, b"too slow"))
        closed = await small.until(SessionClosed)

        assert closed == SessionClosed(large.id, "it took no data for 20 s", orderly=False)
        assert trio.current_time() - at == pytest.approx(20, abs=0.1)


@in_no_time
async def test_a_peer_that_lets_too_much_pile_up_loses_its_session() -> None:
    board = Switchboard(delay_s=0.0)
    small, large = pair(board, TransportSettings(host="127.0.0.1", outbox_messages_max=10))
    async with board.running():
        small.perform(Send(large.id, b"hello"))
        await large.until(Received)
        for _ in range(11):
            small.perform(Send(large.id, b"x"))
        closed = await small.until(SessionClosed)
        small.perform(Send(large.id, b"after"))
        await large.until(Received, 2)

        assert closed == SessionClosed(large.id, "10 messages of 10 bytes wait for it to read them", orderly=False)
        assert large.heard == [b"hello", b"after"]


@in_no_time
async def test_a_peer_that_cannot_be_reached_cannot_fill_our_memory() -> None:
    board = Switchboard(silent={B.host})
    small, large = pair(board, TransportSettings(host="127.0.0.1", outbox_bytes_max=1000))
    async with board.running():
        small.perform(Send(large.id, bytes(900)))
        await trio.sleep(1)
        small.perform(Send(large.id, bytes(200)))
        failed = await small.until(DialFailed)

        assert failed == DialFailed((B,), large.id, "1 messages of 900 bytes wait for it to read them")
        assert small.transport._sessions._lines == {}


def test_a_message_that_no_session_carries_is_our_own_fault() -> None:
    async def attempt() -> None:
        small, large = pair(Switchboard())
        with pytest.raises(AssertionError):
            small.perform(Send(large.id, bytes(MESSAGE_BYTES_MAX[Purpose.CONTROL] + 1)))
        with pytest.raises(AssertionError):
            small.perform(Send(small.id, b"hello me"))

    trio.run(attempt)


# Dialling


@in_no_time
async def test_the_core_is_told_where_nobody_listens() -> None:
    board = Switchboard()
    small, large = pair(board)
    nobody = Address("10.0.0.7", 1)
    async with board.running():
        small.perform(Dial((nobody,), large.id))
        failed = await small.until(DialFailed)

        assert failed == DialFailed((nobody,), large.id, f"{nobody} refused the connection", (nobody,))


@in_no_time
async def test_every_attempt_has_its_deadline() -> None:
    board = Switchboard(silent={"10.0.0.8"}, dead={"10.0.0.9"})
    small, _ = pair(board)
    async with board.running():
        small.perform(Dial((Address("10.0.0.8", 1), Address("10.0.0.9", 1), Address("10.0.0.7", 1)), None))
        failed = await small.until(DialFailed)

        assert failed.reason.split("; ") == [
            "10.0.0.8:1 did not answer within 5 s",
            "10.0.0.9:1 did not finish the handshake within 5 s",
            "10.0.0.7:1 refused the connection",
        ]
        assert trio.current_time() == pytest.approx(5.1, abs=0.1)


@in_no_time
async def test_a_good_address_is_found_behind_silent_ones() -> None:
    board = Switchboard(silent={"10.0.0.7", "10.0.0.8"})
    small, large = pair(board)
    async with board.running():
        small.perform(Dial((Address("10.0.0.7", 1), Address("10.0.0.8", 1), B), large.id))
        opened = await small.until(SessionOpened)

        assert opened.address == B
        assert trio.current_time() == pytest.approx(0.2, abs=0.1)
        assert [round(when, 1) for when, _ in board.dialled] == [0.0, 0.1, 0.2]


@in_no_time
async def test_the_same_addresses_are_dialled_once_at_a_time() -> None:
    board = Switchboard(silent={B.host})
    small, large = pair(board)
    async with board.running():
        for _ in range(3):
            small.perform(Dial((B,), None))
            small.perform(Dial((B,), large.id))
            small.perform(Send(large.id, b"hello"))
        await small.until(DialFailed, 2)
        small.perform(Dial((B,), None))
        await small.until(DialFailed, 3)
        await trio.sleep(30)

        assert len(board.dialled) == 3
        assert len(small.events) == 3


# Limits towards those who call


@in_no_time
async def test_the_door_holds_so_many_strangers_and_each_for_so_long() -> None:
    board = Switchboard()
    small, large = pair(board)
    hosts = [f"10.1.0.{number // 8}" for number in range(60)]
    async with board.running() as nursery:
        hung_up: list[float] = []

        async def loiter(host: str) -> None:
            near, far = memory_stream_pair()
            nursery.start_soon(large.transport.answer, far, host)
            assert await near.receive_some() == b""
            hung_up.append(trio.current_time())

        for host in ["10.1.1.1"] * 12:
            nursery.start_soon(loiter, host)
        await trio.sleep(0.1)
        turned_away_of_one_host = len(hung_up)
        for host in hosts:
            nursery.start_soon(loiter, host)
        await trio.sleep(0.9)
        turned_away = len(hung_up)
        small.perform(Send(large.id, b"hello"))
        refused = await small.until(DialFailed)
        await trio.sleep(6)
        small.perform(Send(large.id, b"hello"))
        await large.until(Received)

        assert turned_away_of_one_host == 12 - 8
        assert turned_away == 12 + 60 - 50
        assert "at once" in refused.reason
        assert max(hung_up) == pytest.approx(5, abs=0.1)


@in_no_time
async def test_one_host_is_not_one_caller_where_it_is_this_one() -> None:
    board = Switchboard()
    _, large = pair(board)
    async with board.running() as nursery:
        streams = [memory_stream_pair() for _ in range(20)]
        for _, far in streams:
            nursery.start_soon(large.transport.answer, far, "127.0.0.1")
        await trio.sleep(1)

        for near, _ in streams:
            with trio.move_on_after(0.1) as waiting:
                await near.receive_some()
            assert waiting.cancelled_caught


@in_no_time
async def test_a_node_with_all_the_sessions_it_can_bear_says_so() -> None:
    board = Switchboard()
    small, large = pair(board, TransportSettings(host="127.0.0.1", sessions_max=1))
    third = board.plug(Node("third"), "10.0.0.3")
    async with board.running():
        small.perform(Send(large.id, b"hello"))
        await large.until(Received)
        third.perform(Send(large.id, b"me too"))
        failed = await third.until(DialFailed)

        assert failed.reason == ("10.0.0.2:1 refused us: 1 sessions are open, which is the limit: try another node")


@in_no_time
async def test_strangers_do_not_keep_members_out() -> None:
    board = Switchboard()
    guard = board.plug(
        Node("guard", TransportSettings(host="127.0.0.1", sessions_max=9, strangers_max=2)), "10.0.0.9"
    )
    hosts = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
    *strangers, late, member = (board.plug(Node(f"caller {host}"), host) for host in hosts)
    async with board.running():
        for stranger in strangers:
            guard.book.pop(stranger.id)
            stranger.perform(Send(guard.id, b"let me in"))
        await guard.until(Received, 2)
        guard.book.pop(late.id)
        late.perform(Send(guard.id, b"me too"))
        failed = await late.until(DialFailed)
        member.perform(Send(guard.id, b"I am a member"))
        await guard.until(Received, 3)

        assert "2 sessions with nodes that are no members yet are open" in failed.reason
        assert guard.heard[-1] == b"I am a member"
        strangers[0].perform(Disconnect(guard.id, "enough"))
        await guard.until(SessionClosed)
        late.perform(Send(guard.id, b"and now?"))
        await guard.until(Received, 4)


@in_no_time
async def test_somebody_who_was_admitted_once_is_asked_again_at_the_next_session() -> None:
    board = Switchboard()
    welcome = [True]

    def admit(peer: NodeId, credential: bytes) -> None:
        if not welcome[0]:
            raise RemoteProtocolError("it was revoked")

    small, large = pair(board, admit=admit)
    guard, caller = (small, large) if small.name == "bob" else (large, small)
    async with board.running():
        caller.perform(Send(guard.id, b"hello"))
        await guard.until(Received)
        welcome[0] = False
        guard.perform(Disconnect(caller.id, "revoked"))
        await caller.until(SessionClosed)
        caller.perform(Send(guard.id, b"hello again"))
        failed = await caller.until(DialFailed)

        assert "refused us: it was revoked" in failed.reason
        assert guard.heard == [b"hello"]


# Bulk


@in_no_time
async def test_a_bulk_stream_on_which_nothing_moves_is_broken() -> None:
    async def serve(peer: NodeId, stream: BulkStream) -> None:
        await trio.sleep_forever()

    board = Switchboard(delay_s=0.0)
    small, large = pair(board)
    for node in (small, large):
        node.serve_bulk = serve
        node.__post_init__()
    async with board.running(), await small.transport.open_bulk(large.id, (B,)) as stream:
        with pytest.raises(BulkBrokenError, match="nothing came for 60 s"):
            await stream.receive()
        board.delay_s = 1e6
        with pytest.raises(BulkBrokenError, match="took no data for 60 s"):
            await stream.send(b"x")


@pytest.mark.parametrize("seed", range(5))
@in_no_time
async def test_a_bulk_stream_reaches_a_peer_once_however_many_addresses_it_has(seed: int) -> None:
    served: list[NodeId] = []

    async def serve(peer: NodeId, stream: BulkStream) -> None:
        served.append(peer)
        for number in range(5):
            await stream.send(b"%d" % number)

    board = Switchboard(seed)
    small, large = pair(board, TransportSettings(host="127.0.0.1", stagger_s=0))
    large.serve_bulk = serve
    large.__post_init__()
    aliases = [f"10.0.0.{number}" for number in range(20, 24)]
    board.nodes.update(dict.fromkeys(aliases, large))
    async with board.running():
        async with await small.transport.open_bulk(large.id, tuple(Address(host, 1) for host in aliases)) as stream:
            await trio.sleep(1)
            got = [await stream.receive() for _ in range(5)]

        assert got == [b"0", b"1", b"2", b"3", b"4"]
        assert served == [small.id]
