"""The meetings of a simulated host: calls to those that nobody can dial, and the sessions that go through a relay.

As the live shell does it: the caller dials a relay, which summons the one who is called over the session that it has
with it; that one dials the relay; then the two shake hands through it, and the relay passes their frames on. A relay
that cannot reach one of the two any more hangs up on both.
"""

from typing import TYPE_CHECKING

from pnode.protocol.effects import Dial, Knock, Meet
from pnode.protocol.events import DialFailed, Knocked
from pnode.protocol.frames import Frames
from pnode.protocol.ids import NodeId
from pnode.protocol.reaching import FRAMES, Summon
from pnode.protocol.switchboard import SUMMON_S, TICKET_BYTES, CallRefusedError, Carried, Switchboard
from pnode.protocol.values import dataclass, field

from .workshop import DIAL_TIMEOUT_S

if TYPE_CHECKING:
    from .host import Host

STAGGER_S = 0.1
"""After which the live shell tries the next way."""

KNOCK_S = 2.0
"""As the live shell waits for an answer."""

_FRAMES = Frames(FRAMES)


@dataclass(frozen=True, slots=True)
class _Ringing:
    """A call whose target is summoned."""

    caller: "Host"
    dial: Dial
    rest: tuple[NodeId, ...]
    """Who else might relay it."""


@dataclass(slots=True)
class Meetings:
    """One host's part in them: as caller, as relay, as the one who is called."""

    host: "Host"
    is_deaf: bool = False
    """A relay that takes frames and passes nothing on."""
    calls: int = 0
    """How often this host was asked to relay."""
    relayed: list[tuple[NodeId, NodeId]] = field(default_factory=list)
    """(source, relay) of content that came here through somebody else."""
    _switchboard: Switchboard = field(default_factory=Switchboard)
    _ringing: dict[bytes, _Ringing] = field(default_factory=dict)
    _carried: dict[tuple[NodeId, NodeId, int], bytes] = field(default_factory=dict)
    """The tickets of sessions that go through this host: caller, called, and which of their sessions it is."""
    _tickets: int = 0

    # -- the caller --------------------------------------------------------------------------------------------------

    def call(self, dial: Dial, relays: tuple[NodeId, ...]) -> None:
        """Open a session through the first of the relays that can."""
        self.host.later(STAGGER_S, self._try, dial, relays)

    def _try(self, dial: Dial, relays: tuple[NodeId, ...]) -> None:
        host = self.host
        if not relays:
            failed = DialFailed(dial.addresses, dial.peer, "nobody answers, nor does a relay")
            host.later(DIAL_TIMEOUT_S, host.sessions._undelivered, dial.peer, failed)
            return
        middle = host.others.host_of(relays[0])
        if middle is None or middle.is_stopped or not host.network.dials(host.number, middle.number):
            self.call(dial, relays[1:])
        else:
            host.later(_shaken_s(host, middle), middle.meetings._summon, host, dial, relays[1:])

    def way_from(self, source: "Host") -> "tuple[Host, ...] | None":
        """The hosts through which content comes from a source; none if one of the two dials the other, None if
        neither can and there is no relay."""
        host, network = self.host, self.host.network
        if network.reaches(source.number, host.number) and source.number not in network.hidden:
            return ()
        if source.id in host.sessions.pipes and network.dials(source.number, host.number):
            return ()  # it is asked over the session
        relays = (host.others.host_of(relay) for relay in host.peer.relays_of(source.id))
        meet = (
            (middle,)
            for middle in relays
            if middle is not None
            and source.id in middle.sessions.pipes
            and network.dials(host.number, middle.number)
            and network.dials(source.number, middle.number)
        )
        return next(meet, None)

    # -- the relay ---------------------------------------------------------------------------------------------------

    def _summon(self, caller: "Host", dial: Dial, rest: tuple[NodeId, ...]) -> None:
        host, target = self.host, dial.peer
        assert target is not None, "who is called is known"
        if target not in host.sessions.pipes or not host.up:
            caller.meetings.call(dial, rest)
            return
        self.calls += 1
        self._tickets += 1
        ticket = self._tickets.to_bytes(TICKET_BYTES, "big")
        try:
            self._switchboard.ring(caller.id, target, host.engine.now)
            self._switchboard.take(ticket, Carried(caller.id, target, bulk=False))
        except CallRefusedError:
            caller.meetings.call(dial, rest)
            return
        self._ringing[ticket] = _Ringing(caller, dial, rest)
        host.sessions.send(target, _FRAMES.encode(Summon(ticket, caller.id)))
        host.later(SUMMON_S, self._give_up, ticket)

    def _give_up(self, ticket: bytes) -> None:
        ringing = self._ringing.pop(ticket, None)
        if ringing is not None:
            self._switchboard.hang_up(ticket)
            ringing.caller.meetings.call(ringing.dial, ringing.rest)

    def _met(self, ticket: bytes, target: "Host") -> None:
        ringing = self._ringing.get(ticket)
        if ringing is None or ringing.dial.peer != target.id:
            return
        caller = ringing.caller
        if caller.sessions.pipes.get(target.id) is None:
            shaken_s = _shaken_s(caller, self.host) + _shaken_s(target, self.host)
            caller.later(shaken_s, self._connect, ticket, ringing, target)

    def _connect(self, ticket: bytes, ringing: _Ringing, target: "Host") -> None:
        if self._ringing.pop(ticket, None) is not None:
            self._switchboard.hang_up(ticket)  # `carry` takes it anew
            ringing.caller.sessions._meet(target, ringing.dial, self.host)

    def carry(self, caller: NodeId, target: NodeId, epoch: int) -> None:
        """Pass on the frames of a session from now on."""
        self._tickets += 1
        ticket = self._tickets.to_bytes(TICKET_BYTES, "big")
        self._switchboard.take(ticket, Carried(caller, target, bulk=False))
        self._carried[caller, target, epoch] = ticket

    def pass_on(self, sender: NodeId, target: NodeId, epoch: int, payload: bytes) -> None:
        """A frame for somebody else."""
        host, other = self.host, self.host.others.host_of(target)
        if not host.up or self.is_deaf:
            return
        known = (sender, target, epoch) in self._carried or (target, sender, epoch) in self._carried
        if known and other is not None and host.network.reaches(host.number, other.number):
            network = host.network
            network.pipe(host.number, other.number, len(payload), other.sessions.receive, sender, epoch, payload)
        else:
            self.hang_up(sender, target, epoch, "the relay cannot pass it on")

    def forget(self, one: NodeId, other: NodeId, epoch: int) -> None:
        """A session does not go through this host any more."""
        for key in ((one, other, epoch), (other, one, epoch)):
            ticket = self._carried.pop(key, None)
            if ticket is not None:
                self._switchboard.hang_up(ticket)

    def hang_up(self, one: NodeId, other: NodeId, epoch: int, reason: str) -> None:
        """A session that goes through this host is over; both ends hear so, if they can be reached."""
        self.forget(one, other, epoch)
        host = self.host
        for node, peer in ((one, other), (other, one)):
            end = host.others.host_of(node)
            if end is not None and host.network.reaches(host.number, end.number):
                host.network.pipe(host.number, end.number, 0, end.sessions.broken, peer, epoch, reason)

    def vanish(self, *, silently: bool) -> None:
        """The process has died, and with it all that it carries."""
        carried = list(self._carried)
        for caller, target, epoch in carried if not silently else ():
            self.hang_up(caller, target, epoch, "reset")
        self._carried.clear()
        self._ringing.clear()
        self._switchboard = Switchboard()

    # -- the one who is called ---------------------------------------------------------------------------------------

    def meet(self, effect: Meet) -> None:
        """Dial whoever has summoned us."""
        host, middle = self.host, self.host.others.host_of(effect.relay)
        if middle is not None and host.network.dials(host.number, middle.number):
            host.later(_shaken_s(host, middle), middle.meetings._met, effect.ticket, host)

    # -- the one who knocks ------------------------------------------------------------------------------------------

    def knock(self, effect: Knock) -> None:
        """Try to dial somebody."""
        host = self.host
        target = next((other for other in map(host.others.host_at, effect.addresses) if other is not None), None)
        reached = target is not None and target.id == effect.peer and not target.is_stopped
        reached = reached and target is not None and host.network.dials(host.number, target.number)
        delay_s = _shaken_s(host, target) if reached and target is not None else KNOCK_S
        reached = reached and delay_s <= KNOCK_S
        host.later(min(delay_s, KNOCK_S), host.deliver, Knocked(effect.peer, effect.nonce, reached))


def _shaken_s(one: "Host", other: "Host") -> float:
    """How long it takes to connect and shake hands."""
    network, way, back = one.network, (one.number, other.number), (other.number, one.number)
    return network.delay_s(*way) + network.delay_s(*back) + network.delay_s(*way)
