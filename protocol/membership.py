"""Membership: who belongs to the cluster, who of them is alive, how busy and how far away (SWIM with Lifeguard).

One machine that composes the others: the `census` (signed statements: who is a member, accused, dead, gone), the
`detector` (who answers), the `figures` (loads and links of those whom we follow), anti-entropy (`push_pull`: all that
is known, with one member at a time), the `piggyback` (what is put into datagrams) and the `chores` (what is done
unasked). It hands every message to the one it concerns and gives what has changed to its owner.

The formulas and figures are memberlist's (reference: membership.md 1.1). Where memberlist believes whatever a member
says, this machine wants the signature of whom it binds (`census`), and three things are added to SWIM: a burst of
pings instead of one, so that probing measures delays (`probe`); an own look before a death that too few have noticed
(`suspicion`); and time in which this node itself did not run is taken back from every clock it holds against others
(`detector`).
"""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import assert_never

from .awareness import Awareness
from .census import Census, MemberChanged, Vouch
from .chores import Chore, Chores
from .crypto import Crypto
from .detector import Detector, Returned, Sign
from .effects import Dial, Effect
from .errors import RemoteProtocolError
from .figures import Figures
from .ids import ClusterId, NodeId
from .interest import Interest
from .links import LinksHeard
from .load import Load, LoadHeard
from .membership_settings import MembershipSettings
from .piggyback import Piggyback, frame
from .probe import Located, RoundTrip, Tell
from .push_pull import AntiEntropy
from .record import Address, NodeRecord
from .roster import Member, Roster, State
from .signed import Signed
from .swim import (
    Ack,
    Alive,
    Compare,
    Dead,
    Follow,
    Full,
    IndirectAck,
    Left,
    LinkNews,
    LoadNews,
    Message,
    Nack,
    Packet,
    Ping,
    PingRequest,
    PushPull,
    Suspect,
    read,
    room_for,
)
from .view import LinkFigure

LEAVE_SPREAD = 3
"""A leaver tells so many times more members than gossip would at once, since it may stop before the next turn."""

Output = Effect | MemberChanged | RoundTrip | Located | LoadHeard | LinksHeard

__all__ = ["LinksHeard", "LoadHeard", "Located", "MemberChanged", "Membership", "Output", "RoundTrip"]


class Membership:
    """The machine. Call `tick` at every `deadline`; every call returns what is to be done and what has changed."""

    def __init__(
        self,
        settings: MembershipSettings,
        crypto: Crypto,
        seed: bytes,
        cluster: ClusterId,
        vouch: Vouch,
        record: NodeRecord,
        rng: Random,
        now: float,
    ) -> None:
        self._settings = settings
        self._awareness = Awareness(settings.awareness_levels)
        me = NodeId(crypto.public_key(seed))
        self._roster = Roster(me, rng, settings.gossip_to_dead_s)
        self.ways = self._roster.ways
        self._census = Census(settings, crypto, seed, cluster, vouch, record, self._roster, self._awareness)
        self._detector = Detector(settings, self._roster, self._census, self._awareness, rng, now)
        self._interest = Interest(self._roster, rng)
        self._figures = Figures(self._roster, self._interest, record.boot)
        self._anti_entropy = AntiEntropy(self._census, settings.push_pull_timeout_s, now)
        self._piggyback = Piggyback(self._roster, self._census, settings.retransmit_mult)
        self._chores = Chores(settings, self._awareness, self._roster, rng, now)
        self._called_at = now
        self._output: list[Output] = []
        self.refused = 0  # messages dropped because they were malformed, forged or too many
        self.deadline = now
        """When `tick` is due. As what follows, worked out at the end of each call: it is read after every event."""
        self.is_alone = True  # whether nobody else is in state alive
        self._census.announce()
        self._flush(now)

    # ---- what the owner may ask

    @property
    def me(self) -> NodeId:
        return self._roster.me

    @property
    def record(self) -> NodeRecord:
        """Our own record as last signed."""
        return self._census.record

    @property
    def signed_record(self) -> Signed:
        return self._census.signed

    @property
    def members(self) -> Mapping[NodeId, Member]:
        """Everybody known but this node, the dead and the left included."""
        return MappingProxyType(self._roster.members)

    @property
    def awareness(self) -> int:
        """0 when this node is well, up to 7 when it is slow."""
        return self._awareness.score

    def alive(self) -> list[NodeId]:
        """The members in state alive, this node not included, in ascending order."""
        return list(self._roster.alive)

    def state_of(self, node: NodeId) -> State | None:
        """None for whoever is not a member."""
        if node == self.me:
            return State.ALIVE if self._census.farewell is None else State.LEFT
        member = self._roster.members.get(node)
        return member.state if member else None

    def record_of(self, node: NodeId) -> NodeRecord | None:
        if node == self.me:
            return self.record
        member = self._roster.members.get(node)
        return member.record if member else None

    def by_short(self, short: bytes) -> NodeId | None:
        """The member whose key begins with these eight bytes."""
        return self._roster.by_short(short)

    def load_of(self, node: NodeId) -> Load | None:
        """The newest figures of this node or of one that it follows; None when never heard."""
        return self._figures.load_of(node)

    def follows(self, node: NodeId) -> bool:
        """Whether it wants to know how busy a member is: up to 65 members that is so of everybody."""
        return self._interest.is_everybody or node in self._interest

    # ---- what comes from outside

    def datagram(self, peer: NodeId, payload: bytes, now: float) -> list[Output]:
        """One datagram of a peer. Whatever is wrong with it is dropped and counted in `refused`, never raised."""
        try:
            packed = self._piggyback.opened(peer, payload, now)
        except RemoteProtocolError:
            self.refused += 1
            return []
        return self._packet(self._roster.members[peer], packed, len(payload), now, by_session=False)

    def _packet(
        self, member: Member, packed: tuple[bytes, ...], size_bytes: int, now: float, *, by_session: bool
    ) -> list[Output]:
        peer, pings = member.node, []
        for data in packed:
            try:
                message = read(data)
                if isinstance(message, Ping):
                    pings.append(message)
                else:
                    self._hear(peer, message, now, by_session=False)
            except RemoteProtocolError:
                self.refused += 1
        if pings:
            self._output += [Located(peer, ping.place) for ping in pings if ping.place]
            self._output.append(self._piggyback.acks(member, pings, size_bytes, by_session=by_session))
            if not by_session and self._detector.spares(member, pings[0], now):
                self._chores.spare_probe(now)
            elif len(pings) == len(packed) and member.state is not State.DEAD:
                return self._give(now)  # half of all datagrams, and nothing has changed by them
        self._heard_of(member, now)
        return self._flush(now)

    def message(self, peer: NodeId, message: Message, now: float) -> list[Output]:
        """One message of the FRAMES table that came over a session. A packet is heard as if it were a datagram."""
        if isinstance(message, Packet):
            if not self._piggyback.takes(peer, now):
                self.refused += 1
                return []
            size_bytes = room_for(list(message.messages))
            return self._packet(self._roster.members[peer], message.messages, size_bytes, now, by_session=True)
        try:
            self._hear(peer, message, now, by_session=True)
        except RemoteProtocolError:
            self.refused += 1
        return self._flush(now)

    def session_opened(self, peer: NodeId, now: float) -> list[Output]:
        """There is a session with a peer. Nothing follows unless we took it for dead: whoever dialled joins."""
        if (member := self._roster.members.get(peer)) is not None:
            self._heard_of(member, now)
        return self._flush(now)

    def session_lost(self, peer: NodeId, now: float, refused: tuple[Address, ...] = ()) -> list[Output]:
        """A session broke, or could not be opened; `refused` says where nobody listens. Look at once."""
        self._anti_entropy.abandon(peer)
        self._follow(self._detector.check_at_once(peer, refused, now), now)
        return self._flush(now)

    def learn(self, signed_record: Signed, now: float) -> list[Output]:
        """A record from elsewhere: a snapshot on disk, a handshake."""
        try:
            self._census.hear_record(signed_record, self.me, now)
        except RemoteProtocolError:
            self.refused += 1
        return self._flush(now)

    # ---- what the owner wants

    def join(self, peer: NodeId, now: float) -> list[Output]:
        """Exchange everything with a peer to which there is a session, perhaps a moment later."""
        if not self._push_pull(peer, now):
            self._anti_entropy.once_more(peer, now)
        return self._flush(now)

    def leave(self, now: float) -> list[Output]:
        """Say farewell. The machine goes on passing the word until it is dropped, but looks after nobody any more."""
        self._census.leave()
        self._chores.retire()
        self._output += self._piggyback.gossip(LEAVE_SPREAD * self._settings.gossip_nodes, now)
        return self._flush(now)

    def expel(self, node: NodeId, now: float) -> list[Output]:
        """Drop a member: its certificate was revoked."""
        self._census.forget(node)
        return self._flush(now)

    def update_record(self, record: NodeRecord, now: float) -> list[Output]:
        """Say this of ourselves from now on (`replace` the present `record`); its incarnation rises by itself."""
        self._census.renew(record)
        return self._flush(now)

    def set_load(
        self,
        cpu_percent: float,
        memory_percent: float,
        running: int,
        queued: int,
        free_in_s: float,
        lag_s: float,
        now: float,
    ) -> list[Output]:
        """How busy this node is. Call as often as it changes: the latest goes out once a second, at a `tick`."""
        self._figures.set_load(cpu_percent, memory_percent, running, queued, free_in_s, lag_s, now)
        return self._flush(now)

    def wants_links(self, now: float) -> bool:
        """Whether to put a row together for `set_links`: they go out every five seconds, later every minute."""
        return self._figures.wants_links(now)

    def set_links(self, figures: tuple[LinkFigure, ...], now: float) -> list[Output]:
        """What this node measured of the ways towards itself, the surest first; goes out at a `tick`, if new."""
        self._figures.set_links(figures, now)
        return self._flush(now)

    def measure_all(self, now: float) -> list[Output]:
        """Measure everybody's delay once more, a few at a time."""
        self._detector.measure_again()
        return self._flush(now)

    def set_place(self, place: bytes) -> None:
        """Where this node stands from now on."""
        self._roster.place = place

    def loop_lag(self, lag_s: float, now: float) -> list[Output]:
        """The event loop ran late by so much."""
        self._detector.count_lag(lag_s, now)
        return self._flush(now)

    def tick(self, now: float) -> list[Output]:
        """Do what is due. When the call itself comes late, every wait for others is prolonged by as much."""
        self._detector.overslept(now - self.deadline, now - self._called_at, now)
        for chore in self._chores.due(now):
            self._do(chore, now)
        for peer in self._anti_entropy.due(now):
            self._push_pull(peer, now)
        self._follow(self._detector.tick(now), now)
        self._output += self._figures.tick(now)
        return self._flush(now)

    # ---- chores

    def _do(self, chore: Chore, now: float) -> None:
        match chore:
            case Chore.GOSSIP:
                self._output += self._piggyback.gossip(self._settings.gossip_nodes, now)
                self._follow(self._detector.measure(now), now)
            case Chore.PROBE:
                self._follow(self._detector.check_next(now), now)
            case Chore.PUSH_PULL:
                for member in self._roster.pick(1):
                    if self._anti_entropy.is_whole_turn(member):
                        self._push_pull(member.node, now)
                    else:
                        self._output.append(self._anti_entropy.comparison(member))
            case Chore.RECONNECT:
                for member in self._roster.gone_since(now - self._settings.tombstone_s):
                    self._census.forget(member.node)
                self._follow(self._detector.look_for_dead(now), now)
                self._figures.exchange(now)
            case Chore.COMPARE:
                self._output += map(self._anti_entropy.comparison, self._roster.pick(self._settings.gossip_nodes))
            case _:
                assert_never(chore)

    def _push_pull(self, peer: NodeId, now: float) -> bool:
        message = self._anti_entropy.begin(peer, now)
        if message is not None:
            self._output.append(frame(peer, message))
        return message is not None

    # ---- hearing

    def _hear(self, peer: NodeId, message: Message, now: float, *, by_session: bool) -> None:
        """Hand a message to the machine it belongs to; raises RemoteProtocolError. Pings that came as datagrams do
        not get here: those of one packet are answered together."""
        match message:
            case Ping():
                self._output.append(frame(peer, Ack(message.nonce, message.index)))
            case Ack() | IndirectAck() | Nack() | PingRequest():
                self._follow(self._detector.hear(peer, message, now, by_session=by_session), now)
            case Alive() | Suspect() | Dead() | Left():
                self._census.hear(message, peer, now)
            case LoadNews() | LinkNews() | Follow() | Full():
                self._output += self._figures.hear(peer, message, now, by_session=by_session)
            case Compare():
                if self._anti_entropy.differs(message, now):
                    self._push_pull(peer, now)
            case PushPull():
                self._hear_everything(peer, message, now, by_session=by_session)
            case Packet():
                raise RemoteProtocolError("a packet inside a packet")
            case _:
                assert_never(message)

    def _hear_everything(self, peer: NodeId, message: PushPull, now: float, *, by_session: bool) -> None:
        if not by_session:
            raise RemoteProtocolError("a push-pull belongs on a session")
        answer = self._anti_entropy.hear(message, peer, now)
        if answer is not None:
            self._output.append(frame(peer, answer))

    def _heard_of(self, member: Member, now: float) -> None:
        """Somebody dead who speaks should know what is said about it, and we what it knows."""
        if member.state is State.DEAD:
            self._push_pull(member.node, now)

    def _follow(self, signs: list[Sign], now: float) -> None:
        for sign in signs:
            match sign:
                case Tell():
                    self._output.append(self._piggyback.probe(sign))
                case RoundTrip():
                    self._output.append(sign)
                    self._figures.measured(sign.peer, sign.rtt_s, now)
                case Returned():
                    self._push_pull(sign.node, now)
                case Dial():
                    self._output.append(sign)
                case _:
                    assert_never(sign)

    def _flush(self, now: float) -> list[Output]:
        for change in self._census.take_changes():
            self.is_alone = not self._roster.has_alive
            self._anti_entropy.changed()
            self._output.append(change)
            self._figures.changed(change, now)
        for node in self._interest.take_newly():
            self._detector.welcome(node)
        if self._piggyback.urgent or self._detector.has_newcomers:
            self._chores.gossip_soon(now)
        self.deadline = min(
            self._chores.deadline, self._anti_entropy.deadline, self._detector.deadline, self._figures.deadline
        )
        return self._give(now)

    def _give(self, now: float) -> list[Output]:
        self._called_at = now
        output, self._output = self._output, []
        return output
