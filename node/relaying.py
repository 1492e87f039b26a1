"""Relaying: connections with nodes that cannot be dialled. One service plays all three parts.

The *caller* dials a relay and says whom it wants; the *relay* summons that one over the session that it has with it;
the one who is *called* dials the relay and shows the ticket. Then the relay joins the two connections, and caller and
called shake hands through it as over any other stream. See "Hosts that can only dial out" in docs/architecture.md.

Somebody who can be dialled has the called one come to itself instead of a relay (`have_come`).

Every connection here is dialled by address, so that no relay is ever reached through another.
"""

import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

import trio

from pnode.protocol.effects import Meet
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.frames import Frames
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.reaching import FRAMES, SUMMONS_BURST, Summon
from pnode.protocol.record import Address
from pnode.protocol.session import Purpose, readable
from pnode.protocol.switchboard import (
    SUMMON_S,
    TICKET_BYTES,
    Answer,
    Call,
    CallRefusedError,
    Carried,
    Message,
    Met,
    Switchboard,
    read,
    spell,
)
from pnode.protocol.values import dataclass, field

from .connection import Connection, ConnectionLostError
from .dialing import Detour, NoAnswerError, UnreachableError, race
from .greeter import Greeter, the_first
from .limits import TransportSettings
from .tunnel import PIECE_BYTES, Shaper, Splice, Tunnel

logger = logging.getLogger(__name__)

FIRST_S = 2.0
"""For the first message of whoever has dialled us to meet somebody."""

MUTE_PER_PEER_MAX = SUMMONS_BURST
"""Connections of one member on which nothing was said yet: as many as it comes with at once when it is summoned."""

RELAYED_BYTES_PER_S = 64 * 2**20
CALLER_BYTES_PER_S = RELAYED_BYTES_PER_S // 2
"""Passed on in all, and in the calls of one node, which leaves room for others. To open a mebibyte and seal it again
takes 2 to 4 ms: this much takes an eighth to a quarter of a core, of a machine that has work of its own."""

DIALS_PER_RELAY_MAX = 8
"""At a time, to come when summoned; others wait for their turn. Each takes eight sockets at the most."""

CLOSE_S = 1.0
"""For the last word on a connection that is given up."""


class Control(Protocol):
    """What is needed of the control sessions."""

    def has(self, peer: NodeId) -> bool:
        """Whether there is a session with a peer."""

    def send(self, peer: NodeId, payload: bytes) -> None:
        """A message over it."""


AnswerCall = Callable[[Tunnel, str, NodeId], Awaitable[None]]
"""(stream, name of where it comes from, relay): serve whoever calls, as if it had dialled us."""

ServeContent = Callable[[Connection], Awaitable[None]]
"""Give content over a connection that we have dialled since we were asked to."""


@dataclass(slots=True)
class _Rendezvous:
    """Where somebody with a ticket is waited for."""

    target: NodeId
    come: trio.Event = field(default_factory=trio.Event)
    connection: Connection | None = None


class Relaying:
    """The calls of one node, and those that it relays."""

    def __init__(
        self,
        greeter: Greeter,
        control: Control,
        answer_call: AnswerCall,
        serve_content: ServeContent,
        addresses_of: Callable[[NodeId], tuple[Address, ...]],
        settings: TransportSettings,
    ) -> None:
        self._greeter = greeter
        self._control = control
        self._answer_call = answer_call
        self._serve_content = serve_content
        self._addresses_of = addresses_of
        self._settings = settings
        self._frames = Frames(FRAMES)
        self._switchboard = Switchboard()
        self._waiting: dict[bytes, _Rendezvous] = {}
        """By ticket."""
        self._shaper = Shaper(RELAYED_BYTES_PER_S)
        self._shares = WeakValueDictionary[NodeId, Shaper]()
        """Of those who have calls."""
        self._turns = WeakValueDictionary[NodeId, trio.CapacityLimiter]()
        """Of those who have summoned us and are dialled."""
        self._mute: Counter[NodeId] = Counter()
        """Connections on which the first message is to come."""

    @property
    def carried(self) -> int:
        """Calls that this node relays now."""
        return len(self._switchboard)

    # -- the caller --------------------------------------------------------------------------------------------------

    async def call(self, detour: Detour) -> Tunnel:
        """A stream to somebody, through a relay. Raises NoAnswerError."""
        connection = await self._dial(detour.relay)
        refusal = "it answered something else"
        try:
            await connection.send((spell(Call(detour.target, int(detour.bulk))),))
            match await _first(connection):
                case Answer(refusal=""):
                    return Tunnel(connection)
                case Answer(refusal=why):
                    refusal = readable(why.encode())
        except ConnectionLostError as error:
            refusal = str(error)
        except BaseException:
            await _close(connection)
            raise
        await _close(connection)
        raise NoAnswerError(f"does not relay: {refusal}")

    async def have_come(self, target: NodeId) -> Connection:
        """A connection with somebody who cannot be dialled and dials us, since we ask for it over the session. Raises
        NoAnswerError."""
        with self._expecting(target) as (ticket, place):
            self._summon(target, ticket, self._greeter.me)
            try:
                with trio.move_on_after(SUMMON_S):
                    await place.come.wait()
            except BaseException:
                if place.connection is not None:
                    await _close(place.connection)
                raise
        if place.connection is None:
            raise NoAnswerError(f"did not come within {SUMMON_S:g} s: can it dial this node?")
        place.connection.carry_content()
        return place.connection

    # -- whoever is dialled ------------------------------------------------------------------------------------------

    async def answer(self, connection: Connection) -> None:
        """Serve somebody who has dialled us to meet somebody."""
        taken = False
        connection.limit(PIECE_BYTES)  # what a relay keeps; only content comes in larger pieces
        try:
            first = await self._listen(connection)
            if isinstance(first, Met):
                taken = self._take(first.ticket, connection)
            elif isinstance(first, Call):
                await self._relay(connection, first)
        except ConnectionLostError as error:
            logger.debug("nobody met: peer=%s reason=%s", node_text(connection.peer), error)
        finally:
            if not taken:  # else it belongs to whoever waits for it
                await _close(connection)

    async def _listen(self, connection: Connection) -> Message | None:
        """The first message; None if it does not come soon, or too many others are waited for. Raises
        ConnectionLostError."""
        if self._mute[connection.peer] >= MUTE_PER_PEER_MAX:
            return None
        self._mute[connection.peer] += 1
        try:
            with trio.move_on_after(FIRST_S):
                return await _first(connection)
        finally:
            self._mute[connection.peer] -= 1
            if not self._mute[connection.peer]:
                del self._mute[connection.peer]
        return None

    def _take(self, ticket: bytes, connection: Connection) -> bool:
        """Give a connection to whoever waits for it, if it comes from whom the ticket was given to."""
        place = self._waiting.get(ticket)
        if place is None or place.target != connection.peer or place.connection is not None:
            return False
        place.connection = connection
        place.come.set()
        return True

    async def _relay(self, caller: Connection, call: Call) -> None:
        """Connect two nodes, or say why not. Raises ConnectionLostError."""
        target = NodeId(call.target)
        with self._expecting(target) as (ticket, place):
            try:
                self._switchboard.ring(caller.peer, target, trio.current_time())
                self._switchboard.take(ticket, Carried(caller.peer, target, bool(call.bulk)))
            except CallRefusedError as error:
                await caller.send((spell(Answer(str(error))),))
                return
            try:
                await self._connect(caller, place, ticket)
            finally:
                self._switchboard.hang_up(ticket)
                if place.connection is not None:
                    await _close(place.connection)

    async def _connect(self, caller: Connection, place: _Rendezvous, ticket: bytes) -> None:
        names = (node_text(caller.peer), node_text(place.target))
        if not self._control.has(place.target):
            await caller.send((spell(Answer("it has no session with that node")),))
            return
        self._summon(place.target, ticket, caller.peer)
        with trio.move_on_after(SUMMON_S):
            await place.come.wait()
        if place.connection is None:
            await caller.send((spell(Answer("that node did not come")),))
            return
        await caller.send((spell(Answer("")),))
        logger.info("relaying: caller=%s called=%s", *names)
        share = self._shares.setdefault(caller.peer, Shaper(CALLER_BYTES_PER_S))
        splice = Splice(caller, place.connection, (share, self._shaper))
        try:
            await splice.run()
        finally:
            logger.info("relayed: caller=%s called=%s bytes=%d", *names, splice.bytes)

    # -- the one who is called ---------------------------------------------------------------------------------------

    async def meet(self, effect: Meet) -> None:
        """Dial whoever has summoned us, and serve whoever calls."""
        relay = effect.relay
        try:
            connection = await self._come(relay)
        except NoAnswerError as error:
            logger.info("not met: relay=%s reason=%s", node_text(relay), error)
            return
        try:
            await connection.send((spell(Met(effect.ticket)),))
            if effect.caller == relay:
                await self._serve_content(connection)
            else:
                await self._answer_call(Tunnel(connection), f"relay {node_text(relay)}", relay)
        except ConnectionLostError as error:
            logger.debug("not met: relay=%s reason=%s", node_text(relay), error)
            await _close(connection)
        except BaseException:
            await _close(connection)
            raise

    async def _come(self, relay: NodeId) -> Connection:
        """A connection with whoever has summoned us, as long as we are waited for there. Raises NoAnswerError."""
        turns = self._turns.setdefault(relay, trio.CapacityLimiter(DIALS_PER_RELAY_MAX))
        with trio.move_on_after(SUMMON_S):
            async with turns:
                return await self._dial(relay)
        raise NoAnswerError(f"could not be dialled within {SUMMON_S:g} s")

    # -- all of them -------------------------------------------------------------------------------------------------

    async def _dial(self, node: NodeId) -> Connection:
        """A connection for meeting somebody there, always by address. Raises NoAnswerError."""
        attempt = partial(self._greeter.reach, decide=the_first(), purpose=Purpose.MEET, expected=node)
        try:
            return await race(self._addresses_of(node), attempt, self._settings.stagger_s, Connection.aclose)
        except UnreachableError as error:
            raise NoAnswerError(f"cannot be dialled: {error}") from None

    def _summon(self, target: NodeId, ticket: bytes, caller: NodeId) -> None:
        self._control.send(target, self._frames.encode(Summon(ticket, caller)))

    @contextmanager
    def _expecting(self, target: NodeId) -> Iterator[tuple[bytes, _Rendezvous]]:
        """Wait for somebody with a fresh ticket."""
        ticket = os.urandom(TICKET_BYTES)
        self._waiting[ticket] = place = _Rendezvous(target)
        try:
            yield ticket, place
        finally:
            del self._waiting[ticket]


async def _first(connection: Connection) -> Message:
    """The first message; nothing may come behind it before it was answered. Raises ConnectionLostError."""
    messages = await connection.receive()
    try:
        if len(messages) == 1:
            return read(messages[0])
    except RemoteProtocolError as error:
        raise ConnectionLostError(str(error)) from None
    raise ConnectionLostError("it ended the connection, or spoke out of turn")


async def _close(connection: Connection) -> None:
    """Hang up, within a bounded time."""
    try:
        with trio.move_on_after(CLOSE_S, shield=True), suppress(ConnectionLostError):
            await connection.end("")
    finally:
        await connection.aclose()
