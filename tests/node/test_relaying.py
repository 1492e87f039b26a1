"""Relaying over real sockets: nodes that cannot be dialled, those who call them, and relays of all sorts."""

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio

from pnode.node.bulk import BulkStream
from pnode.node.connection import Connection, ConnectionLostError
from pnode.node.dialing import PARALLEL_MAX, Detour, UnreachableError
from pnode.node.greeter import the_first
from pnode.node.relaying import (
    CALLER_BYTES_PER_S,
    DIALS_PER_RELAY_MAX,
    FIRST_S,
    MUTE_PER_PEER_MAX,
    RELAYED_BYTES_PER_S,
)
from pnode.node.streams import IDLE_PER_PEER_MAX
from pnode.node.transfer import TransferSettings
from pnode.node.tunnel import LINGER_S, MESSAGE_COST_BYTES, PIECE_BYTES, Shaper, Splice, Tunnel
from pnode.protocol.effects import Dial, Disconnect, Knock, Meet, Send
from pnode.protocol.events import DialFailed, Knocked, Received, SessionClosed, SessionOpened
from pnode.protocol.frames import Frames
from pnode.protocol.ids import NodeId
from pnode.protocol.reaching import FRAMES, SUMMONS_PER_S, Summon
from pnode.protocol.record import ADDRESSES_MAX, Address
from pnode.protocol.session import Purpose
from pnode.protocol.switchboard import CALLS_BURST, IDLE_S, SUMMON_S, TICKET_BYTES, Answer, Call, read, spell

from .network import Node, in_no_time, in_trio, running

NOWHERE = Address("127.0.0.1", 9)
"""Where nobody listens: the address of whoever cannot be dialled."""

READ = Frames(FRAMES)


async def give_one(peer: NodeId, stream: BulkStream) -> None:
    """Says what it is asked."""
    await stream.send(b"content for " + await stream.receive())


@asynccontextmanager
async def hidden_nodes(count: int = 1, relays: int = 1) -> AsyncIterator[tuple[list[Node], list[Node], Node]]:
    """Relays, nodes that nobody can dial and that keep a session with each of them, and one that can be dialled."""
    inner = [Node(f"relay{number}") for number in range(relays)]
    hidden = [Node(f"hidden{number}", serve_bulk=give_one) for number in range(count)]
    caller = Node("caller")
    everybody = [*inner, *hidden, caller]
    async with trio.open_nursery() as nursery:
        for node in everybody:
            await nursery.start(node.transport.serve)
        for node in everybody:
            for other in everybody:
                if other is not node:
                    node.book[other.id] = (NOWHERE if other in hidden else other.address,)
                    node.relays[other.id] = tuple(each.id for each in inner) if other in hidden else ()
        for node in hidden:
            nursery.start_soon(come_when_summoned, node)
            for relay in inner:
                node.perform(Dial((relay.address,), relay.id))
            await node.until(SessionOpened, relays)
        for relay in inner:
            await relay.until(SessionOpened, count)
        yield inner, hidden, caller
        nursery.cancel_scope.cancel()


async def come_when_summoned(node: Node) -> None:
    """As the core has it."""
    for number in range(1, 100):
        heard = await node.until(Received, number)
        if heard.payload[1] in FRAMES:
            message = READ.decode(heard.payload)
            assert isinstance(message, Summon)
            node.perform(Meet(heard.peer, message.ticket, NodeId(message.caller)))


@in_trio
async def test_a_message_reaches_somebody_through_a_relay_and_so_does_the_answer() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        caller.perform(Send(hidden.id, b"hello"))
        opened = await caller.until(SessionOpened)
        answered = await hidden.until(SessionOpened, 2)
        await hidden.until(Received, 2)
        hidden.perform(Send(caller.id, b"good day"))
        await caller.until(Received)

        assert opened == SessionOpened(hidden.id, b"hidden0", None, relay.id)
        assert answered == SessionOpened(caller.id, b"caller", None, relay.id)
        assert hidden.heard[-1] == b"hello"
        assert caller.heard == [b"good day"]
        assert relay.heard == []
        assert relay.transport.carried == 1
        assert caller.transport.via(hidden.id) == hidden.transport.via(caller.id) == relay.id


@in_trio
async def test_two_that_cannot_be_dialled_talk_through_a_relay() -> None:
    async with hidden_nodes(2) as ((relay,), (one, other), _):
        one.perform(Send(other.id, b"x" * 1_000_000))
        await other.until(SessionOpened, 2)
        while b"x" * 1_000_000 not in other.heard:
            await trio.sleep(0.01)

        assert other.transport.via(one.id) == relay.id


@in_trio
async def test_another_relay_is_taken_when_one_has_no_session_or_is_gone() -> None:
    async with hidden_nodes(relays=3) as (relays, (hidden,), caller):
        for relay in relays[:2]:
            hidden.perform(Disconnect(relay.id, "for the test"))
            await relay.until(SessionClosed)
        caller.book[relays[1].id] = (NOWHERE,)

        caller.perform(Send(hidden.id, b"hello"))
        opened = await caller.until(SessionOpened)

        assert opened.via == relays[2].id


@in_trio
async def test_without_any_relay_the_dial_fails_and_says_why() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        hidden.perform(Disconnect(relay.id, "for the test"))
        await relay.until(SessionClosed)

        caller.perform(Send(hidden.id, b"hello"))
        failed = await caller.until(DialFailed)

        assert failed.addresses == (NOWHERE,)
        assert "refused the connection" in failed.reason
        assert "does not relay: it has no session with that node" in failed.reason
        assert relay.transport.carried == 0


@in_trio
async def test_a_relay_that_answers_itself_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):

        async def pretend(connection: Connection, call: Call) -> None:
            await connection.send((spell(Answer("")),))
            await relay.transport.answer(Tunnel(connection), "127.0.0.1", relay.id)

        monkeypatch.setattr(relay.transport._relaying, "_relay", pretend)
        caller.perform(Send(hidden.id, b"secret"))
        failed = await caller.until(DialFailed)

        assert "as expected" in failed.reason
        assert relay.heard == []


@in_trio
async def test_both_ends_learn_that_their_relay_is_gone() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        caller.perform(Send(hidden.id, b"hello"))
        await hidden.until(Received, 2)

        assert relay.transport._nursery is not None
        relay.transport._nursery.cancel_scope.cancel()
        lost = await caller.until(SessionClosed)
        await hidden.until(SessionClosed, 2)

        assert lost.peer == hidden.id
        assert not lost.orderly
        assert {closed.peer for closed in hidden.of(SessionClosed)} == {relay.id, caller.id}


@in_trio
async def test_a_session_through_a_relay_gives_way_to_a_direct_one() -> None:
    async with hidden_nodes() as (_, (hidden,), caller):
        caller.perform(Send(hidden.id, b"hello"))
        await hidden.until(Received, 2)

        hidden.perform(Dial((caller.address,), caller.id))
        await hidden.until(SessionOpened, 3)
        await caller.until(SessionOpened, 2)
        caller.perform(Send(hidden.id, b"again"))
        while b"again" not in hidden.heard:
            await trio.sleep(0.01)

        assert caller.transport.via(hidden.id) is None
        assert hidden.transport.via(caller.id) is None
        assert (await caller.until(SessionClosed)).orderly


@in_trio
async def test_content_is_asked_for_over_the_session_where_the_asker_can_be_dialled() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        caller.perform(Send(hidden.id, b"hello"))
        await hidden.until(Received, 2)
        before = relay.transport.carried

        async with await caller.transport.open_bulk(hidden.id, caller.book[hidden.id]) as stream:
            await stream.send(b"caller")
            got = await stream.receive()

        assert got == b"content for caller"
        assert stream.via is None
        assert stream.peer == hidden.id
        assert relay.transport.carried == before
        assert caller.transport.content_via(hidden.id) is None


@in_trio
async def test_content_between_two_that_cannot_be_dialled_goes_through_a_relay() -> None:
    async with hidden_nodes(2) as ((relay,), (one, other), _):
        one.relays[one.id] = (relay.id,)

        async with await one.transport.open_bulk(other.id, one.book[other.id]) as stream:
            await stream.send(b"one")
            got = await stream.receive()

        assert got == b"content for one"
        assert stream.via == relay.id
        assert one.transport.content_via(other.id) == relay.id


@in_trio
async def test_streams_that_are_kept_for_the_next_file_leave_places_for_others() -> None:
    async with hidden_nodes(5) as ((relay,), (one, other, *earlier), _):
        one.relays[one.id] = (relay.id,)
        async with AsyncExitStack() as kept:
            for source in [*earlier * IDLE_PER_PEER_MAX, *[other] * TransferSettings().streams_in]:
                await kept.enter_async_context(await one.transport.open_bulk(source.id, (NOWHERE,)))


@in_trio
async def test_content_is_asked_for_over_the_session_where_an_open_node_cannot_be_dialled_from_here() -> None:
    async with hidden_nodes() as (_, (hidden,), caller):
        hidden.perform(Dial((caller.address,), caller.id))
        await caller.until(SessionOpened)
        caller.relays[hidden.id] = ()  # others reach it, so it names none

        async with await caller.transport.open_bulk(hidden.id, caller.book[hidden.id]) as stream:
            await stream.send(b"caller")
            assert await stream.receive() == b"content for caller"


@in_trio
async def test_where_neither_dials_the_other_and_there_is_no_relay_both_reasons_are_told() -> None:
    async with hidden_nodes() as (_, (hidden,), caller):
        caller.relays[hidden.id] = ()
        with pytest.raises(UnreachableError, match="refused the connection"):
            await caller.transport.open_bulk(hidden.id, caller.book[hidden.id])


@in_trio
async def test_only_whom_the_ticket_was_given_to_is_met_and_only_once() -> None:
    async with hidden_nodes(2) as ((relay,), (one, thief), _):
        relaying = relay.transport._relaying
        with relaying._expecting(one.id) as (ticket, place):
            assert not relaying._take(ticket, FakeConnection(peer=thief.id))  # type: ignore[arg-type]
            assert not relaying._take(b"another ticket..", FakeConnection(peer=one.id))  # type: ignore[arg-type]
            assert not place.come.is_set()
            assert relaying._take(ticket, FakeConnection(peer=one.id))  # type: ignore[arg-type]
            assert not relaying._take(ticket, FakeConnection(peer=one.id))  # type: ignore[arg-type]
        assert not relaying._take(ticket, FakeConnection(peer=one.id))  # type: ignore[arg-type]


@in_trio
async def test_a_dial_of_the_core_goes_through_a_relay_where_there_is_no_session() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        caller.perform(Dial((NOWHERE,), hidden.id))
        opened = await caller.until(SessionOpened)

        assert opened == SessionOpened(hidden.id, b"hidden0", None, relay.id)


async def meet(node: Node, relay: Node) -> Connection:
    """A connection for meeting somebody, on which nothing was said yet."""
    return await node.transport._greeter.reach(relay.address, the_first(), Purpose.MEET, relay.id)


async def is_over(connection: Connection) -> bool:
    """Whether the other side hangs up before it takes us for mute."""
    with trio.move_on_after(FIRST_S / 2):
        try:
            return await connection.receive() == []
        except ConnectionLostError:
            return True
    return False


@in_trio
async def test_a_member_has_only_so_many_connections_that_say_nothing() -> None:
    async with hidden_nodes() as ((relay,), _, caller):
        mute = [await meet(caller, relay) for _ in range(MUTE_PER_PEER_MAX)]
        one_more = await meet(caller, relay)

        assert await is_over(one_more)
        await one_more.aclose()
        assert relay.transport._relaying._mute[caller.id] <= MUTE_PER_PEER_MAX
        for connection in mute:
            await connection.aclose()
        while relay.transport._relaying._mute[caller.id]:
            await trio.sleep(0.01)


@in_trio
async def test_who_calls_the_same_node_all_the_time_is_refused_and_others_are_not() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        refusals: list[str] = []
        while not refusals:
            connection = await meet(caller, relay)
            await connection.send((spell(Call(hidden.id, 0)),))
            (answer,) = await connection.receive()
            refusals += [said.refusal for said in (read(answer),) if isinstance(said, Answer) and said.refusal]
            await connection.aclose()

        assert "too often" in refusals[0]
        assert len([event for event in hidden.of(Received) if event.payload[1] in FRAMES]) < 2 * CALLS_BURST
        other = Node("other")
        async with running(other, acquainted=False):
            relay.book[other.id] = (other.address,)
            other.book.update({relay.id: (relay.address,), hidden.id: (NOWHERE,)})
            other.relays[hidden.id] = (relay.id,)
            other.perform(Send(hidden.id, b"hello"))
            assert (await other.until(SessionOpened)).via == relay.id


@in_trio
async def test_a_relay_keeps_no_large_messages_for_others() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        connection = await meet(caller, relay)
        await connection.send((spell(Call(hidden.id, 0)),))
        await connection.receive()

        sealed = connection._session.seal(b"x" * (PIECE_BYTES + 1), 0.0)
        await connection._stream.send_all(sealed[:1000])

        assert await is_over(connection), "it does not wait for the rest"
        await connection.aclose()


@in_trio
async def test_what_a_relay_says_cannot_forge_a_line_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):

        async def lie(connection: Connection, call: Call) -> None:
            await connection.send((spell(Answer("no\n2026-11-22 all is well\x1b[2J")),))

        monkeypatch.setattr(relay.transport._relaying, "_relay", lie)
        caller.perform(Send(hidden.id, b"hello"))
        failed = await caller.until(DialFailed)

        assert "does not relay: no?2026-11-22 all is well?[2J" in failed.reason


@in_trio
async def test_strangers_are_not_relayed() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        del relay.book[caller.id]

        caller.perform(Send(hidden.id, b"hello"))
        failed = await caller.until(DialFailed)

        assert "relays for members" in failed.reason


@in_trio
async def test_nobody_relays_what_comes_through_a_relay() -> None:
    async with hidden_nodes(2) as ((relay,), (one, other), _):
        one.relays[one.id] = (relay.id,)

        def decide(peer: NodeId, purpose: Purpose) -> None:
            assert purpose is Purpose.MEET

        with pytest.raises(Exception, match="relays for members that dial it by its address"):
            await one.transport._greeter.reach(Detour(relay.id, other.id, bulk=False), decide, Purpose.MEET, other.id)


@in_trio
async def test_a_knock_tells_whether_somebody_can_be_dialled_and_leaves_nothing_behind() -> None:
    async with hidden_nodes() as ((relay,), (hidden,), caller):
        caller.perform(Knock(relay.id, (NOWHERE, relay.address), 1))
        caller.perform(Knock(hidden.id, (NOWHERE,), 2))
        caller.perform(Knock(hidden.id, (relay.address,), 3))
        await caller.until(Knocked, 3)

        found = {knocked.nonce: knocked.reached for knocked in caller.of(Knocked)}
        assert found == {1: True, 2: False, 3: False}, "somebody else at that address does not count"
        assert caller.transport.peers == ()


@in_no_time
async def test_a_relay_that_summons_all_the_time_from_where_nobody_answers_takes_few_sockets() -> None:
    current = most = 0

    async def silent(_: Address) -> trio.abc.Stream:
        nonlocal current, most
        current += 1
        most = max(most, current)
        try:
            await trio.sleep_forever()
        finally:
            current -= 1

    hidden, relay = Node("hidden", connect=silent), NodeId(b"r" * 32)
    hidden.book[relay] = tuple(Address(f"10.0.0.{number}", 1) for number in range(ADDRESSES_MAX))
    async with running(hidden, acquainted=False):
        for _ in range(20 * SUMMONS_PER_S):
            hidden.perform(Meet(relay, bytes(TICKET_BYTES), NodeId(b"c" * 32)))
            await trio.sleep(1 / SUMMONS_PER_S)
        await trio.sleep(SUMMON_S)

        assert most <= DIALS_PER_RELAY_MAX * PARALLEL_MAX
        assert current == 0, "nobody waits for us any more"


@dataclass
class FakeConnection:
    """One end: what it says, and what it takes."""

    says: list[list[bytes]] = field(default_factory=list)
    takes: bool = True
    peer: NodeId | None = None
    taken: list[bytes] = field(default_factory=list)
    read: int = 0
    end_reason: str = ""
    ended: bool = False

    async def receive(self) -> list[bytes]:
        if not self.says:
            await trio.sleep_forever()
        self.read += 1
        await trio.lowlevel.checkpoint()
        return self.says.pop(0)

    async def send(self, messages: list[bytes]) -> None:
        if not self.takes:
            await trio.sleep_forever()
        self.taken += messages
        await trio.lowlevel.checkpoint()

    async def end(self, reason: str) -> None:
        self.ended = True


def splice(one: FakeConnection, other: FakeConnection, *shapers: Shaper) -> Splice:
    return Splice(one, other, shapers)  # type: ignore[arg-type]


@in_no_time
async def test_a_relay_reads_no_further_than_it_can_write() -> None:
    eager = FakeConnection([[b"x"] for _ in range(100)])
    slow = FakeConnection(takes=False)

    with trio.move_on_after(10.0):
        await splice(eager, slow).run()

    assert eager.read == 1


@in_no_time
async def test_a_call_in_which_nobody_says_anything_ends() -> None:
    one, other = FakeConnection([[b"first"]]), FakeConnection()
    began = trio.current_time()

    await splice(one, other).run()

    assert other.taken == [b"first"]
    assert trio.current_time() - began == pytest.approx(IDLE_S)


@in_no_time
async def test_last_words_are_passed_on_when_one_side_hangs_up() -> None:
    one = FakeConnection([[b"question"], []])
    other = FakeConnection([[b"answer"]])

    await splice(one, other).run()

    assert (other.taken, one.taken) == ([b"question"], [b"answer"])
    assert other.ended


@in_no_time
async def test_a_relay_hangs_up_when_one_side_breaks() -> None:
    class Broken(FakeConnection):
        async def receive(self) -> list[bytes]:
            raise ConnectionLostError("cut")

    began = trio.current_time()
    await splice(Broken(), FakeConnection()).run()

    assert trio.current_time() == began


@pytest.mark.parametrize("messages", [[b"x" * PIECE_BYTES], [b""] * (PIECE_BYTES // MESSAGE_COST_BYTES)])
@in_no_time
async def test_a_relay_passes_on_so_much_per_second_and_short_messages_count_for_more(messages: list[bytes]) -> None:
    one, other = FakeConnection([*[messages] * 1000, []]), FakeConnection()
    began = trio.current_time()

    await splice(one, other, Shaper(100 * PIECE_BYTES)).run()

    assert len(other.taken) == 1000 * len(messages)
    assert trio.current_time() - began - LINGER_S == pytest.approx(10.0, rel=0.05)


@in_trio
async def test_calls_of_one_node_share_half_of_what_a_relay_passes_on() -> None:
    async with hidden_nodes(3) as ((relay,), (one, other, third), caller):
        for source, target in ((caller, one), (caller, other), (third, one)):
            source.perform(Send(target.id, b"hello"))
        for node, count in ((one, 3), (other, 2), (caller, 2), (third, 2)):
            await node.until(SessionOpened, count)

        shares = relay.transport._relaying._shares
        assert {*shares} == {caller.id, third.id}
        assert RELAYED_BYTES_PER_S == 2 * CALLER_BYTES_PER_S
        for node in (caller, third):
            for peer in (one, other):
                node.perform(Disconnect(peer.id, "for the test"))
        while relay.transport.carried:
            await trio.sleep(0.01)
        gc.collect()
        assert not shares
