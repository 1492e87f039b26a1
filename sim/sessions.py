"""The sessions of a simulated host: ordered pipes to other hosts, as TCP connections are.

    dialled --both accept the other's credential--> open --the other closes, or its process dies--> closed
                                                    open --nobody confirms for BREAK_S--> broken
                                                    open --nobody has been there for KEEPALIVE_S--> broken

What is sent while a link is cut waits and is sent again, as TCP does; a session over a link that heals in time has
lost nothing. Each end breaks by itself: after a cut, or when a machine loses its power, the other end is half-open
until it notices, or until whoever is back answers that it knows of no such session. A session with a host that
nobody can dial may go through a relay (`meetings`), which passes its frames on.
"""

from typing import TYPE_CHECKING

from pnode.protocol.effects import Dial, Disconnect
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.events import DialFailed, Received, SessionClosed, SessionOpened
from pnode.protocol.ids import NodeId
from pnode.protocol.record import Address
from pnode.protocol.values import dataclass, field

from .workshop import DIAL_TIMEOUT_S

if TYPE_CHECKING:
    from .host import Host

BREAK_S = 20.0
"""TCP's user timeout in the live transport: what nobody has confirmed for so long breaks the connection."""

KEEPALIVE_S = 10.0
"""How often a session is looked at on which nothing is said, and KEEPALIVES times in vain are enough."""

KEEPALIVES = 3

RETRY_S = 0.2
RETRY_S_MAX = 5.0
"""TCP's pauses before it sends again, doubled with each try."""


@dataclass(slots=True)
class Pipe:
    """Our end of a session."""

    peer: NodeId
    epoch: int
    """Grows with each session between two hosts: frames of an earlier one are void."""
    via: NodeId | None = None
    """The relay through which it goes."""
    waiting: list[bytes] = field(default_factory=list)
    """Frames that could not be sent yet."""
    stuck_s: float | None = None
    """Since when nobody has confirmed what we sent."""
    silent: int = 0
    """Looks in vain, see KEEPALIVE_S."""


@dataclass(slots=True)
class Sessions:
    """One host's ends of its sessions."""

    host: "Host"
    pipes: dict[NodeId, Pipe] = field(default_factory=dict)
    outbox: dict[NodeId, list[bytes]] = field(default_factory=dict)
    """Frames that wait for a session."""
    refused_s: float = 0.001
    """How soon a dial to nobody fails: a router may say so at once, or nobody may."""
    _epoch: int = 0

    # -- opening -----------------------------------------------------------------------------------------------------

    def dial(self, dial: Dial, relays: tuple[NodeId, ...] = ()) -> None:
        """Open a session to whoever answers at one of the addresses, else through one of the relays."""
        host = self.host
        target = next((other for other in map(host.others.host_at, dial.addresses) if other is not None), None)
        if relays and (target is None or not host.network.dials(host.number, target.number)):
            host.meetings.call(dial, relays)
            return
        if target is None or target is host or (dial.peer is not None and target.id != dial.peer):
            failed = DialFailed(dial.addresses, dial.peer, "nobody answers", self._refused(dial))
            host.later(self.refused_s, self._undelivered, dial.peer, failed)
            return
        network, ways = host.network, ((host.number, target.number), (target.number, host.number))
        handshake_s = sum(network.delay_s(*way) for way in (*ways, ways[0]))
        passes = network.dials(host.number, target.number)
        if not passes or target.is_stopped or handshake_s > DIAL_TIMEOUT_S:
            failed = DialFailed(dial.addresses, dial.peer, "no answer within 5 s")
            host.later(DIAL_TIMEOUT_S, self._undelivered, target.id, failed)
            return
        host.later(handshake_s, self._meet, target, dial)

    def _refused(self, dial: Dial) -> tuple[Address, ...]:
        """Where a machine that can be reached says that no process listens."""
        machines = [(address, self.host.others.machine_at(address)) for address in dial.addresses]
        return tuple([address for address, it in machines if it and it.has_power and not it.up and self._joined(it)])

    def _joined(self, other: "Host") -> bool:
        """Whether both directions are open."""
        network, me = self.host.network, self.host.number
        return network.reaches(me, other.number) and network.reaches(other.number, me)

    def _meet(self, target: "Host", dial: Dial, middle: "Host | None" = None) -> None:
        """The handshake is through, if both accept each other's credentials."""
        host, via = self.host, None if middle is None else middle.id
        if target.id in self.pipes and (middle is not None or self.pipes[target.id].via is None):
            self._empty_outbox(target.id)
            return
        if not self._may_meet(target, middle):
            refused = self._refused(dial)
            self._undelivered(target.id, DialFailed(dial.addresses, dial.peer, "connection refused", refused))
            return
        try:
            target.peer.trust.check(host.id, host.peer.joining.credential, target.now)
            host.peer.trust.check(target.id, target.peer.joining.credential, host.now)
        except RemoteProtocolError as error:
            self._undelivered(target.id, DialFailed(dial.addresses, dial.peer, str(error)))
            return
        theirs = target.sessions
        if self._give_place(target.id):
            host.deliver(SessionClosed(target.id, "a newer session has taken its place", orderly=True))
        if theirs._give_place(host.id):  # half-open: only we knew that it is no more
            target.deliver(SessionClosed(host.id, "it has opened a new session", orderly=True))
        self._epoch = theirs._epoch = max(self._epoch, theirs._epoch) + 1
        self.pipes[target.id] = Pipe(target.id, self._epoch, via)
        theirs.pipes[host.id] = Pipe(host.id, self._epoch, via)
        if middle is not None:
            middle.meetings.carry(host.id, target.id, self._epoch)
        target.deliver(SessionOpened(host.id, host.peer.joining.credential, None, via))
        address = dial.addresses[0] if via is None else None
        host.deliver(SessionOpened(target.id, target.peer.joining.credential, address, via))
        theirs._empty_outbox(host.id)
        self._empty_outbox(target.id)

    def _give_place(self, peer: NodeId) -> bool:
        """Let a newer session take the place of one with a peer; False if there is none."""
        pipe = self.pipes.pop(peer, None)
        middle = None if pipe is None or pipe.via is None else self.host.others.host_of(pipe.via)
        if pipe is not None and middle is not None:
            middle.meetings.forget(self.host.id, peer, pipe.epoch)
        return pipe is not None

    def _may_meet(self, target: "Host", middle: "Host | None") -> bool:
        """Whether nothing has come between meanwhile."""
        if middle is None:
            return target.up and self.host.network.dials(self.host.number, target.number)
        return target.up and middle.up and self._joined(middle) and middle.sessions._joined(target)

    def _empty_outbox(self, peer: NodeId) -> None:
        for payload in self.outbox.pop(peer, []):
            self.send(peer, payload)

    def _undelivered(self, peer: NodeId | None, failed: DialFailed) -> None:
        if peer is not None:
            self.outbox.pop(peer, None)
        self.host.deliver(failed)

    # -- frames ------------------------------------------------------------------------------------------------------

    def send(self, peer: NodeId, payload: bytes) -> None:
        """Send a frame; dials first where there is no session."""
        pipe = self.pipes.get(peer)
        if pipe is None:
            waiting = self.outbox.setdefault(peer, [])
            waiting.append(payload)
            if len(waiting) == 1:
                self.dial(Dial(self.host.peer.addresses_of(peer), peer), self.host.peer.relays_of(peer))
            return
        if pipe.waiting or not self._passes(pipe):
            pipe.waiting.append(payload)
            self._watch(pipe)
        else:
            self._put(pipe, payload)

    def _passes(self, pipe: Pipe) -> bool:
        """Whether the other machine, or the relay, is there and hears us."""
        other = self.host.others.host_of(pipe.via or pipe.peer)
        return other is not None and self.host.network.reaches(self.host.number, other.number)

    def _is_whole(self, pipe: Pipe) -> bool:
        """Whether both directions are open, all the way."""
        other, way = self.host.others.host_of(pipe.peer), self
        if pipe.via is not None:
            middle = self.host.others.host_of(pipe.via)
            if middle is None or not self._joined(middle):
                return False
            way = middle.sessions
        return other is not None and way._joined(other)

    def _put(self, pipe: Pipe, payload: bytes) -> None:
        host = self.host
        other = host.others.host_of(pipe.via or pipe.peer)
        if other is None:
            return
        if pipe.via is None:
            host.network.pipe(
                host.number, other.number, len(payload), other.sessions.receive, host.id, pipe.epoch, payload
            )
        else:
            passed_on = (host.id, pipe.peer, pipe.epoch, payload)
            host.network.pipe(host.number, other.number, len(payload), other.meetings.pass_on, *passed_on)
        if not host.network.reaches(other.number, host.number):
            self._watch(pipe)  # it arrives, but we shall not hear so

    def _watch(self, pipe: Pipe) -> None:
        if pipe.stuck_s is None:
            pipe.stuck_s = self.host.engine.now
            self.host.later(RETRY_S, self._retry, pipe, RETRY_S)

    def _retry(self, pipe: Pipe, pause_s: float) -> None:
        """What waits is sent as soon as it passes; given up when it has not for too long."""
        if self.pipes.get(pipe.peer) is not pipe or pipe.stuck_s is None:
            return
        if self._passes(pipe) and pipe.waiting:
            waiting, pipe.waiting = pipe.waiting, []
            for payload in waiting:
                self._put(pipe, payload)
        if self._is_whole(pipe):
            pipe.stuck_s = None
        elif self.host.engine.now - pipe.stuck_s >= BREAK_S:
            self.broken(pipe.peer, pipe.epoch, "no answer")
        else:
            pause_s = min(2 * pause_s, RETRY_S_MAX)
            self.host.later(pause_s, self._retry, pipe, pause_s)

    def receive(self, sender: NodeId, epoch: int, payload: bytes) -> None:
        """A frame has come over the network."""
        host = self.host
        if not host.up:
            return
        pipe = self.pipes.get(sender)
        if pipe is not None and pipe.epoch == epoch:
            host.deliver(Received(sender, payload))
        else:
            self._close_other(sender, epoch, "reset")

    # -- ends --------------------------------------------------------------------------------------------------------

    def keep_alive(self) -> None:
        """Look at every session, as TCP's keep-alive does."""
        for pipe in list(self.pipes.values()):
            other = self.host.others.host_of(pipe.peer)
            if other is None or not self._is_whole(pipe):
                pipe.silent += 1
                if pipe.silent >= KEEPALIVES:
                    self.broken(pipe.peer, pipe.epoch, "keep-alive")
                continue
            pipe.silent = 0
            theirs = other.sessions.pipes.get(self.host.id)
            if theirs is None or theirs.epoch != pipe.epoch:
                self.broken(pipe.peer, pipe.epoch, "reset")

    def broken(self, peer: NodeId, epoch: int, reason: str) -> None:
        """Our end of a session is no more."""
        pipe = self.pipes.get(peer)
        if pipe is not None and pipe.epoch == epoch:
            del self.pipes[peer]
            self.host.deliver(SessionClosed(peer, reason, orderly=False))

    def disconnect(self, effect: Disconnect) -> None:
        """Hang up."""
        pipe = self.pipes.pop(effect.peer, None)
        if pipe is not None:
            self._close_other(pipe.peer, pipe.epoch, effect.reason)

    def reset(self, peer: NodeId) -> None:
        """A frame of this session was damaged on the way: neither end goes on with it."""
        pipe = self.pipes.get(peer)
        if pipe is not None:
            self._close_other(peer, pipe.epoch, "damaged")
            self.broken(peer, pipe.epoch, "damaged")

    def vanish(self, *, silently: bool) -> None:
        """Our process has died. Its machine tells the others, unless it has lost its power."""
        pipes, self.pipes = self.pipes, {}
        self.outbox.clear()
        for pipe in pipes.values():
            if not silently:
                self._close_other(pipe.peer, pipe.epoch, "reset")

    def _close_other(self, peer: NodeId, epoch: int, reason: str) -> None:
        host, other = self.host, self.host.others.host_of(peer)
        theirs = None if other is None else other.sessions.pipes.get(host.id)
        if theirs is not None and theirs.via is not None and theirs.epoch == epoch:
            middle = host.others.host_of(theirs.via)
            if middle is not None and host.network.reaches(host.number, middle.number):
                told = (host.id, peer, epoch, reason)
                host.network.pipe(host.number, middle.number, 0, middle.meetings.hang_up, *told)
        elif other is not None and host.network.reaches(host.number, other.number):
            host.network.pipe(host.number, other.number, 0, other.sessions.broken, host.id, epoch, reason)
