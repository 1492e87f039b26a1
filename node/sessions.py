"""Sessions: at most one control session with each peer, dialled when there is something to say.

Two nodes may dial each other at the same moment. Both keep the session whose initiator has the smaller id, and they
decide it inside the handshakes, before the other session could carry a message, so nothing is lost with it:

- An initiator that learns (from ANSWER) whom it has reached *claims* that peer, and hangs up if there is a session or
  another claim. So there is never more than one PROOF of ours under way to a peer.
- A responder that learns (from PROOF) who is calling refuses with `SessionExistsError` if it has a claim of its own
  and the smaller id. The caller then waits for the session that the responder is about to open.
- Otherwise the responder accepts, and the new session replaces an older one. That one is dead at the other end: a
  caller that still had it would have hung up. Only a session that was opened while this call was coming in may be one
  that the caller did not know of yet; it counts as a claim.

A node that cannot be dialled is reached through one of its relays when it has no session with us (see `relaying`).
Such a session gives way to a direct one as soon as either side dials the other.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import trio

from pnode.protocol.events import DialFailed, Event, SessionClosed, SessionOpened
from pnode.protocol.handshake import DEADLINE_S
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.record import Address
from pnode.protocol.refusals import SessionExistsError
from pnode.protocol.session import MESSAGE_BYTES_MAX, Purpose
from pnode.protocol.values import dataclass, field

from .connection import Connection
from .conversation import Conversation, Ending
from .dialing import Detour, UnreachableError, Way, race
from .greeter import BusyError, Greeter
from .limits import TransportSettings
from .outbox import Outbox, OutboxFullError

logger = logging.getLogger(__name__)

DIAL_ROUNDS = 2
"""When the session that the other side was about to open does not come, we try once more."""

REDIAL_AFTER_S = 1.0
"""What waits when a session ends in an orderly way is sent in a new one, unless it had just begun: a peer that ends
every session at once does not want it."""


@dataclass(slots=True)
class _Line:
    """What there is to one peer."""

    outbox: Outbox
    conversation: Conversation | None = None
    dial: trio.CancelScope | None = None
    overflow: str = ""
    """Why the dial was given up, if it was for that."""
    refused: tuple[Address, ...] = ()
    """Where the last dial was told that nobody listens."""
    opened: trio.Event = field(default_factory=trio.Event)
    """Set when the next conversation begins."""


class Sessions:
    """All control sessions of a node.

    `run` must be running; the methods that are not async may be called from any task of the same thread and never
    block.
    """

    def __init__(
        self,
        greeter: Greeter,
        deliver: Callable[[Event], None],
        room: Callable[[], Awaitable[None]],
        addresses_of: Callable[[NodeId], tuple[Address, ...]],
        relays_of: Callable[[NodeId], tuple[NodeId, ...]],
        is_known: Callable[[NodeId], bool],
        settings: TransportSettings,
    ) -> None:
        self._greeter = greeter
        self._me = greeter.me
        self._deliver = deliver
        self._room = room
        self._addresses_of = addresses_of
        self._relays_of = relays_of
        self._is_known = is_known
        self._settings = settings
        self._lines: dict[NodeId, _Line] = {}
        self.sent_bytes = 0
        """Messages, without what carries them."""
        self._claims: set[NodeId] = set()
        """Peers to whom a PROOF of ours is under way. Never iterated over."""
        self._callers: Counter[NodeId] = Counter()
        """Peers whose PROOF was accepted and whose session is about to begin."""
        self._seeking: set[tuple[Address, ...]] = set()
        """Dials to whoever answers. Never iterated over."""
        self._dials = trio.CapacityLimiter(settings.dials_max)
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry sessions until cancelled; then what waits is still sent, within a bounded time. Errors of peers end
        with their connection; any other is a bug and comes out here."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    @property
    def peers(self) -> tuple[NodeId, ...]:
        """With whom there is a session."""
        return tuple(peer for peer, line in self._lines.items() if line.conversation is not None)

    def has(self, peer: NodeId) -> bool:
        """Whether there is a session with a peer."""
        return self._conversation(peer) is not None

    def via(self, peer: NodeId) -> NodeId | None:
        """The relay through which the session with a peer goes; None if it goes through none, or there is none."""
        conversation = self._conversation(peer)
        return None if conversation is None else conversation.via

    def clock_offset_s(self, peer: NodeId) -> float | None:
        """By how much a peer's wall clock was ahead of ours when its session began; None if there is no session."""
        conversation = self._conversation(peer)
        return None if conversation is None else conversation.clock_offset_s

    # -- what the core asks for ------------------------------------------------------------------------------------

    def send(self, peer: NodeId, payload: bytes) -> None:
        """Put a message into the peer's outbox; dials when there is no session."""
        assert peer != self._me, "a node does not talk to itself over the network"
        assert len(payload) <= MESSAGE_BYTES_MAX[Purpose.CONTROL], "a message that no session carries"
        line = self._line(peer)
        try:
            line.outbox.put(payload)
        except OutboxFullError as error:
            self._overflow(line, str(error))
            return
        self.sent_bytes += len(payload)
        if line.conversation is not None:
            line.conversation.wake()
        else:
            self._dial_peer(line, peer, self._ways_to(peer))

    def dial(self, addresses: tuple[Address, ...], peer: NodeId | None) -> None:
        """Open a session to whoever answers, or to `peer` only, through a relay if need be. Nothing happens where a
        direct one is, and where one goes through a relay only a direct one is looked for."""
        if peer is None:
            if addresses not in self._seeking:
                self._seeking.add(addresses)
                self._start(self._seek, addresses)
        elif not self._is_direct(peer):
            detours = () if self.has(peer) else self._detours_to(peer)
            self._dial_peer(self._line(peer), peer, (*addresses, *detours))

    def disconnect(self, peer: NodeId, reason: str) -> None:
        """End the session with a peer; what waits for it is dropped."""
        line = self._lines.get(peer)
        if line is not None:
            line.outbox.clear()
            if line.conversation is not None:
                line.conversation.cut(reason, orderly=True)

    def _line(self, peer: NodeId) -> _Line:
        line = self._lines.get(peer)
        if line is None:
            outbox = Outbox(self._settings.outbox_bytes_max, self._settings.outbox_messages_max)
            line = self._lines[peer] = _Line(outbox)
        return line

    def _settle(self, peer: NodeId, line: _Line) -> None:
        """After a dial or a conversation: dial again for what waits, or forget the peer."""
        if line.conversation is None and line.dial is None:
            if line.outbox:
                self._dial_peer(line, peer, self._ways_to(peer))
            else:
                self._lines.pop(peer, None)

    def _start(self, function: Callable[..., Awaitable[None]], *arguments: object) -> None:
        assert self._nursery is not None, "sessions are used before they run"
        self._nursery.start_soon(function, *arguments)

    def _overflow(self, line: _Line, reason: str) -> None:
        line.outbox.clear()
        if line.conversation is not None:
            line.conversation.cut(reason, orderly=False)
        elif line.dial is not None:
            line.overflow = reason
            line.dial.cancel()

    # -- dialling --------------------------------------------------------------------------------------------------

    def _ways_to(self, peer: NodeId) -> tuple[Way, ...]:
        """Its addresses first, since two nodes behind the same firewall may well reach each other."""
        return (*self._addresses_of(peer), *self._detours_to(peer))

    def _detours_to(self, peer: NodeId) -> tuple[Detour, ...]:
        return tuple(Detour(relay, peer, bulk=False) for relay in self._relays_of(peer))

    def _dial_peer(self, line: _Line, peer: NodeId, ways: tuple[Way, ...]) -> None:
        if line.dial is None:
            line.dial = trio.CancelScope()
            self._start(self._call, line, peer, ways)

    async def _call(self, line: _Line, peer: NodeId, ways: tuple[Way, ...]) -> None:
        """Dial until there is a session with the peer, or report why there is none and drop what waits."""
        assert line.dial is not None
        failure: str | None = None
        line.refused = ()
        with line.dial as scope:
            failure = await self._try(line, peer, ways)
        if scope.cancelled_caught:
            failure = line.overflow
        line.dial = None
        if failure is not None and line.conversation is None and not self._callers[peer]:
            line.outbox.clear()
            self._failed(tuple(way for way in ways if isinstance(way, Address)), peer, failure, line.refused)
        self._settle(peer, line)

    async def _try(self, line: _Line, peer: NodeId, ways: tuple[Way, ...]) -> str | None:
        """None when there is a session, else why there is none."""
        for _ in range(DIAL_ROUNDS):
            try:
                async with self._dials:
                    await race(ways, partial(self._open, expected=peer), self._settings.stagger_s)
            except UnreachableError as error:
                if not error.session_exists:
                    line.refused = tuple(way for way in error.refused if isinstance(way, Address))
                    return str(error)
            else:
                return None
            if line.conversation is None:
                with trio.move_on_after(DEADLINE_S):
                    await line.opened.wait()
            if line.conversation is not None:
                return None
        return "it wanted to open a session itself, which did not come"

    async def _seek(self, addresses: tuple[Address, ...]) -> None:
        """Dial whoever answers."""
        try:
            async with self._dials:
                await race(addresses, partial(self._open, expected=None), self._settings.stagger_s)
        except UnreachableError as error:
            if not error.session_exists:
                self._failed(addresses, None, str(error))
        finally:
            self._seeking.discard(addresses)

    def _failed(
        self, addresses: tuple[Address, ...], peer: NodeId | None, reason: str, refused: tuple[Address, ...] = ()
    ) -> None:
        logger.info("no session: peer=%s reason=%s", "?" if peer is None else node_text(peer), reason)
        self._deliver(DialFailed(addresses, peer, reason, refused))

    async def _open(self, way: Way, expected: NodeId | None) -> None:
        """One attempt by one way; begins the conversation when it succeeds."""
        claimed: list[NodeId] = []

        def decide(peer: NodeId, _purpose: Purpose) -> None:
            has_one = self.has(peer) if isinstance(way, Detour) else self._is_direct(peer)
            if peer in self._claims or self._callers[peer] or has_one:
                raise SessionExistsError("has a session with us already")
            self._claims.add(peer)
            claimed.append(peer)

        try:
            self.begin(await self._greeter.reach(way, decide, Purpose.CONTROL, expected), way)
        finally:
            self._claims.difference_update(claimed)

    # -- answering -------------------------------------------------------------------------------------------------

    @contextmanager
    def admitted(self, peer: NodeId, arrived_at: float) -> Iterator[None]:
        """Stand for a session that a peer opens, from the decision to accept it until it begins. Raises
        SessionExistsError or BusyError unless it is the one to be kept."""
        conversation = self._conversation(peer)
        unknown_to_it = conversation is not None and conversation.initiated and conversation.opened_at >= arrived_at
        if self._me < peer and (peer in self._claims or unknown_to_it):
            raise SessionExistsError("is opening a session with us itself")
        if conversation is None and len(self._lines) >= self._settings.sessions_max:
            raise BusyError(f"{len(self._lines)} sessions are open, which is the limit: try another node")
        if conversation is None and not self._is_known(peer):
            strangers = sum(not self._is_known(each) for each in self.peers)
            if strangers >= self._settings.strangers_max:
                raise BusyError(
                    f"{strangers} sessions with nodes that are no members yet are open, which is the limit: try later"
                )
        self._callers[peer] += 1
        try:
            yield
        finally:
            self._callers[peer] -= 1
            if not self._callers[peer]:
                del self._callers[peer]

    # -- conversations ---------------------------------------------------------------------------------------------

    def _conversation(self, peer: NodeId) -> Conversation | None:
        line = self._lines.get(peer)
        return None if line is None else line.conversation

    def _is_direct(self, peer: NodeId) -> bool:
        """Whether there is a session that goes through no relay."""
        conversation = self._conversation(peer)
        return conversation is not None and conversation.via is None

    def begin(self, connection: Connection, way: Way | None, via: NodeId | None = None) -> None:
        """The handshake is done; `way` is how we have called, None if the peer did, perhaps `via` a relay."""
        peer, address = connection.peer, way if isinstance(way, Address) else None
        via = way.relay if isinstance(way, Detour) else via
        line = self._line(peer)
        if line.conversation is not None:
            line.conversation.cut("a newer session has taken its place", orderly=True)
            self._closed(peer, Ending("it has opened a new session", orderly=True))
        conversation = Conversation(
            connection, line.outbox, self._deliver, self._room, self._settings, initiated=way is not None, via=via
        )
        line.conversation = conversation
        line.opened.set()
        line.opened = trio.Event()
        origin = way or ("inbound" if via is None else f"inbound, relay {node_text(via)}")
        logger.info("session opened: peer=%s address=%s", node_text(peer), origin)
        self._deliver(SessionOpened(peer, connection.credential, address, via))
        self._start(self._converse, line, conversation)

    async def _converse(self, line: _Line, conversation: Conversation) -> None:
        ending = await conversation.run()
        if line.conversation is not conversation:
            return  # another has taken its place and its outbox
        line.conversation = None
        self._closed(conversation.peer, ending)
        lived_s = trio.current_time() - conversation.opened_at
        if not ending.orderly or lived_s < REDIAL_AFTER_S:
            line.outbox.clear()
        self._settle(conversation.peer, line)

    def _closed(self, peer: NodeId, ending: Ending) -> None:
        logger.info("session closed: peer=%s reason=%s", node_text(peer), ending.reason)
        self._deliver(SessionClosed(peer, ending.reason, ending.orderly))
