"""Membership: who belongs to the cluster, who of them is alive, how busy and how far away (SWIM with Lifeguard).

One machine that composes the others: the `census` (signed statements: who is a member, accused, dead, gone), the
prober (`probe`: who answers), the figures (`gossip`: loads and links) and anti-entropy (`push_pull`: everything, with
one member at a time). It fills datagrams with what these have to say, and gives what has changed to its owner. Five
chores recur: gossip, probing, push-pull, looking for the dead, and announcing our own record.

The formulas and figures are memberlist's (reference: membership.md 1.1). Where memberlist believes whatever a member
says, this machine wants the signature of whom it binds (`census`), and three things are added to SWIM: a burst of
pings instead of one, so that probing measures delays (`probe`); an own look before a death that too few have noticed
(`suspicion`); and time in which this node itself did not run is taken back from every clock it holds against others
(`tick`).
"""

from collections.abc import Mapping
from enum import Enum, auto
from random import Random
from types import MappingProxyType
from typing import assert_never

from .awareness import Awareness
from .broadcast import retransmit_limit
from .bucket import Buckets
from .census import Census, MemberChanged, Vouch
from .crypto import Crypto
from .effects import Effect, Send, SendDatagram
from .errors import RemoteProtocolError
from .gossip import Figures, LinksHeard, Load, LoadHeard
from .ids import ClusterId, NodeId
from .membership_settings import MembershipSettings
from .probe import Answered, Finding, Prober, Purpose, RoundTrip, Tell, Unanswered
from .push_pull import MESSAGE_BYTES_MAX, AntiEntropy, scaled_interval_s
from .record import Address, NodeRecord
from .roster import MEMBERS_MAX, Member, Roster, State
from .signed import Signed
from .swim import (
    FRAMES,
    MESSAGES_MAX,
    PACKET_BYTES_MAX,
    PACKET_HEAD_BYTES,
    Ack,
    Alive,
    Dead,
    IndirectAck,
    Left,
    LinkNews,
    LoadNews,
    Message,
    Nack,
    Ping,
    PingRequest,
    PushPull,
    Suspect,
    bundles,
    read,
    room_for,
    seal,
    spell,
    unseal,
)
from .timers import Timers
from .view import LinkFigure

DATAGRAMS_PER_S = 200
"""Datagrams of one peer that are looked at (membership.md 4.8): an honest one in a cluster of two sends about 15."""

DATAGRAMS_BURST = 400
"""What has waited for us while we did not run for two seconds."""

MEASUREMENTS_PER_TURN = 3
"""Extra bursts per gossip interval to members never measured: 64 new ones are measured within 5 s, for 4 kB/s."""

MEASUREMENTS_TRIED = 8
"""For each of them, half a second apart or more: who has not answered by then may have heard of us too late, or have
no way for datagrams; the regular checks go on."""

RECONNECTS_MAX = 4
"""The dead that are looked for in one reconnect interval: each costs a burst and an attempt to dial."""

TURN_BYTES_MAX = 4 * PACKET_BYTES_MAX
"""News of membership for one listener in one gossip interval. memberlist sends one packet; but here a record fills
most of it, and after a partition everybody signs a new one. Figures never make it more than one packet."""

TURN_MESSAGES_MAX = 4 * MESSAGES_MAX

EAGER_S = 0.5
"""After a push-pull that brought new members another one with the same peer follows so soon, until one brings none:
of nodes that join at the same moment none can hear those whom it does not know yet."""

LAG_S = 0.25
"""An event loop that ran later than this is a slow observer: half the wait for a direct answer."""

LEAVE_SPREAD = 3
"""A leaver tells so many times more members than gossip would at once, since it may stop before the next turn."""

Output = Effect | MemberChanged | RoundTrip | LoadHeard | LinksHeard

__all__ = [
    "FRAMES", "LinksHeard", "Load", "LoadHeard", "Member", "MemberChanged", "Membership", "MembershipSettings",
    "Message", "Output", "RoundTrip", "State", "Vouch",
]  # fmt: skip


class _Chore(Enum):
    GOSSIP = auto()
    PROBE = auto()
    PUSH_PULL = auto()
    RECONNECT = auto()
    ANNOUNCE = auto()


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
        self._census = Census(settings, crypto, seed, cluster, vouch, record, self._roster, self._awareness)
        self._prober = Prober(settings, self._roster, self._awareness, rng)
        self._figures = Figures(self._roster, record.boot)
        self._anti_entropy = AntiEntropy(self._census, self._figures, settings.push_pull_timeout_s)
        self._datagrams = Buckets(DATAGRAMS_PER_S, DATAGRAMS_BURST, MEMBERS_MAX)
        self._unmeasured: dict[NodeId, int] = {}
        """How often each of them was tried."""
        self._lag_counted_at = now - settings.probe_interval_s
        self._timers: Timers[_Chore] = Timers()
        self._again: Timers[NodeId] = Timers()
        """With whom to exchange everything once more."""
        self._output: list[Output] = []
        self.refused = 0
        """Messages dropped because they were malformed, forged or too many."""
        # The first turn of each chore comes at random, so that nodes started together do not work together.
        for chore in _Chore:
            self._timers.set(chore, now + rng.random() * self._period_s(chore))
        self._census.announce()

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

    @property
    def deadline(self) -> float:
        """When `tick` is due."""
        return min(self._timers.deadline, self._again.deadline, self._prober.deadline, self._census.cases.deadline)

    def alive(self) -> list[NodeId]:
        """The members in state alive, this node not included, in ascending order."""
        return sorted(member.node for member in self._roster.present if member.state is State.ALIVE)

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
        """The newest figures of a member or of this node; None when never heard."""
        return self._figures.load_of(node)

    # ---- what comes from outside

    def datagram(self, peer: NodeId, payload: bytes, now: float) -> list[Output]:
        """One datagram of a peer. Whatever is wrong with it is dropped and counted in `refused`, never raised."""
        member = self._roster.members.get(peer)
        if member is None or len(payload) > PACKET_BYTES_MAX or not self._datagrams.take(peer, now):
            self.refused += 1
            return []
        try:
            packed = unseal(payload)
        except RemoteProtocolError:
            self.refused += 1
            return []
        acks = []
        for data in packed:
            try:
                message = read(data)
                if isinstance(message, Ping):
                    acks.append(message)
                else:
                    self._hear(peer, message, now, by_session=False)
            except RemoteProtocolError:
                self.refused += 1
        if acks:
            self._acknowledge(member, acks, len(payload), now)
        self._heard_of(member, now)
        return self._flush()

    def message(self, peer: NodeId, message: Message, now: float) -> list[Output]:
        """One message of the FRAMES table that came over a session."""
        try:
            self._hear(peer, message, now, by_session=True)
        except RemoteProtocolError:
            self.refused += 1
        return self._flush()

    def session_opened(self, peer: NodeId, now: float) -> list[Output]:
        """There is a session with a peer. Nothing follows unless we took it for dead: whoever dialled joins."""
        member = self._roster.members.get(peer)
        if member is not None:
            self._heard_of(member, now)
        return self._flush()

    def session_lost(self, peer: NodeId, now: float) -> list[Output]:
        """A session broke, or could not be opened: look at once, and accuse if there is no quick answer."""
        self._anti_entropy.abandon(peer)
        self._again.cancel(peer)
        member = self._roster.members.get(peer)
        if member is not None and member.state is State.ALIVE:
            self._found(self._prober.start(member, Purpose.QUICK, now), now)
        return self._flush()

    def learn(self, signed_record: Signed, now: float) -> list[Output]:
        """A record from elsewhere: a snapshot on disk, a handshake."""
        try:
            self._census.hear_record(signed_record, self.me, now)
        except RemoteProtocolError:
            self.refused += 1
        return self._flush()

    # ---- what the owner wants

    def join(self, peer: NodeId, now: float) -> list[Output]:
        """Exchange everything with a peer to which there is a session; a moment later if too much is under way."""
        if not self._push_pull(peer, now):
            self._again.set(peer, now + EAGER_S)
        return self._flush()

    def leave(self, now: float) -> list[Output]:
        """Say farewell. The machine goes on passing the word until it is dropped, but looks after nobody any more."""
        self._census.leave()
        for chore in (_Chore.PROBE, _Chore.PUSH_PULL, _Chore.RECONNECT, _Chore.ANNOUNCE):
            self._timers.cancel(chore)
        self._gossip(LEAVE_SPREAD * self._settings.gossip_nodes, now)
        return self._flush()

    def expel(self, node: NodeId) -> list[Output]:
        """Drop a member: its certificate was revoked."""
        self._census.forget(node)
        return self._flush()

    def update_record(self, record: NodeRecord) -> list[Output]:
        """Say this of ourselves from now on (`dataclasses.replace` the present `record`); its incarnation rises by
        itself."""
        self._census.renew(record)
        return self._flush()

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
        """How busy this node is. Call as often as it changes: the latest figures go out once a second."""
        self._figures.set_load(cpu_percent, memory_percent, running, queued, free_in_s, lag_s, now)
        return self._flush()

    def set_links(self, figures: tuple[LinkFigure, ...], now: float) -> list[Output]:
        """What this node measured of the ways towards itself, the most certain first; goes out every five seconds, if
        it has changed."""
        self._figures.set_links(figures, now)
        return self._flush()

    def loop_lag(self, lag_s: float, now: float) -> list[Output]:
        """The event loop ran late by so much: beyond LAG_S we are a slow observer. Counted once per probe interval,
        whoever notices it."""
        self._count_lag(lag_s, now)
        return self._flush()

    def tick(self, now: float) -> list[Output]:
        """Do what is due. When the call itself comes late, nobody else is to blame for the silence: the answers may
        wait unread, so every wait for others is prolonged by as much."""
        late_s = now - self.deadline
        if late_s > LAG_S:
            self._count_lag(late_s, now)
            self._prober.postpone(late_s)
            self._census.cases.postpone(late_s)
        for chore in self._timers.due(now):
            self._timers.set(chore, now + self._period_s(chore))
            self._do(chore, now)
        for peer in self._again.due(now):
            self._push_pull(peer, now)
        for member in self._census.expire(now):
            self._found(self._prober.start(member, Purpose.VERDICT, now), now)
        self._found(self._prober.tick(now), now)
        return self._flush()

    def _count_lag(self, lag_s: float, now: float) -> None:
        if lag_s > LAG_S and now - self._lag_counted_at >= self._settings.probe_interval_s:
            self._lag_counted_at = now
            self._awareness.add(1)

    # ---- chores

    def _period_s(self, chore: _Chore) -> float:
        settings = self._settings
        match chore:
            case _Chore.GOSSIP:
                return settings.gossip_interval_s
            case _Chore.PROBE:
                return self._awareness.scale(settings.probe_interval_s)
            case _Chore.PUSH_PULL:
                return scaled_interval_s(settings.push_pull_interval_s, self._roster.size)
            case _Chore.RECONNECT:
                return settings.reconnect_interval_s
            case _Chore.ANNOUNCE:
                return settings.record_interval_s
            case _:
                assert_never(chore)

    def _do(self, chore: _Chore, now: float) -> None:
        match chore:
            case _Chore.GOSSIP:
                self._gossip(self._settings.gossip_nodes, now)
                self._measure(now)
            case _Chore.PROBE:
                self._probe_next(now)
            case _Chore.PUSH_PULL:
                for member in self._roster.pick(1):
                    self._push_pull(member.node, now)
            case _Chore.RECONNECT:
                self._reconnect(now)
            case _Chore.ANNOUNCE:
                self._census.announce()
            case _:
                assert_never(chore)

    def _gossip(self, nodes: int, now: float) -> None:
        self._figures.publish()
        self._figures.next_turn()
        if not (self._census.news or self._census.long_news or self._figures.waiting):
            return
        for member in self._roster.next_listeners(nodes, now):
            for data in self._census.long_news.take(MESSAGE_BYTES_MAX, 1, self._limit):
                self._output.append(Send(member.node, data))
            *full, last = bundles(self._census.news.take(TURN_BYTES_MAX, TURN_MESSAGES_MAX, self._limit))
            for messages in (*full, self._with_figures(last, PACKET_BYTES_MAX, now)):
                if messages:
                    self._post(member.node, member.address, messages)

    def _measure(self, now: float) -> None:
        started = 0
        for node, tried in list(self._unmeasured.items()):
            if started == MEASUREMENTS_PER_TURN:
                break
            del self._unmeasured[node]
            member = self._roster.members.get(node)
            if member is None or not member.present or member.measured or tried == MEASUREMENTS_TRIED:
                continue
            findings = self._prober.start(member, Purpose.MEASURE, now)
            self._unmeasured[node] = tried + bool(findings)  # none: the last one is still waited for
            started += bool(findings)
            self._found(findings, now)

    def _probe_next(self, now: float) -> None:
        member = self._roster.next_to_probe()
        if member is not None:
            self._found(self._prober.start(member, Purpose.CHECK, now), now)

    def _push_pull(self, peer: NodeId, now: float) -> bool:
        message = self._anti_entropy.begin(peer, now)
        if message is not None:
            self._send(peer, message)
        return message is not None

    def _reconnect(self, now: float) -> None:
        for member in self._roster.gone_since(now - self._settings.tombstone_s):
            self._census.forget(member.node)
        for member in self._roster.pick_dead(RECONNECTS_MAX):
            self._found(self._prober.start(member, Purpose.RECONNECT, now), now)

    # ---- hearing

    def _hear(self, peer: NodeId, message: Message, now: float, *, by_session: bool) -> None:
        """Hand a message to the machine it belongs to; raises RemoteProtocolError. Pings that came as datagrams do not
        get here: those of one packet are answered together."""
        match message:
            case Ping():
                self._send(peer, Ack(message.nonce, message.index))
            case Ack():
                self._found(self._prober.ack(peer, message, now, by_session=by_session), now)
            case IndirectAck():
                self._found(self._prober.indirect_ack(peer, message.nonce), now)
            case Nack():
                self._prober.nack(peer, message.nonce)
            case PingRequest():
                self._help(peer, message, now)
            case Alive():
                self._census.hear_record(message.signed, peer, now)
            case Suspect():
                self._census.hear_suspicion(message.signed, peer, now)
            case Dead():
                self._census.hear_dead(message, peer, now)
            case Left():
                self._census.hear_leave(message.signed, peer, now)
            case LoadNews():
                heard = [self._figures.hear_load(load, peer, now, spread=True) for load in message.loads]
                self._output += [load for load in heard if load is not None]
            case LinkNews():
                links = [self._figures.hear_links(row, peer, now, spread=True) for row in message.rows]
                self._output += [row for row in links if row is not None]
            case PushPull():
                self._hear_everything(peer, message, now, by_session=by_session)
            case _:
                assert_never(message)

    def _hear_everything(self, peer: NodeId, message: PushPull, now: float, *, by_session: bool) -> None:
        if not by_session:
            raise RemoteProtocolError("a push-pull belongs on a session")
        known = len(self._roster.members)
        answer, heard = self._anti_entropy.hear(message, peer, now)
        if len(self._roster.members) > known and not message.reply_wanted:
            self._again.set(peer, now + EAGER_S)
        if answer is not None:
            self._send(peer, answer)
        self._output += heard

    def _help(self, peer: NodeId, request: PingRequest, now: float) -> None:
        requester, target = self._roster.members.get(peer), self._roster.members.get(request.target)
        if requester is not None and target is not None and target.state is not State.LEFT:
            self._found(self._prober.help(requester, request, target, now), now)

    def _heard_of(self, member: Member, now: float) -> None:
        """Somebody dead who speaks should know what is said about it, and we what it knows."""
        if member.state is State.DEAD:
            self._push_pull(member.node, now)

    def _found(self, findings: list[Finding], now: float) -> None:
        for finding in findings:
            match finding:
                case Tell():
                    self._tell(finding, now)
                case RoundTrip():
                    self._output.append(finding)
                case Answered():
                    self._answered(finding, now)
                case Unanswered():
                    self._unanswered(finding, now)
                case _:
                    assert_never(finding)

    def _answered(self, finding: Answered, now: float) -> None:
        member = finding.member
        member.unreachable = False
        if finding.purpose is Purpose.VERDICT:
            self._census.decide(member, answered=True, now=now)
        self._heard_of(member, now)

    def _unanswered(self, finding: Unanswered, now: float) -> None:
        member, purpose = finding.member, finding.purpose
        known = self._roster.members.get(member.node) is member  # it may have been forgotten meanwhile
        if not known or not member.present or self._census.farewell is not None:
            return
        if purpose in (Purpose.CHECK, Purpose.VERDICT):
            member.unreachable = True
        if purpose in (Purpose.CHECK, Purpose.QUICK):
            self._census.accuse(member, now)
        if purpose is Purpose.QUICK:
            self._found(self._prober.start(member, Purpose.CHECK, now), now)
        if purpose is Purpose.VERDICT:
            self._census.decide(member, answered=False, now=now)

    # ---- saying

    def _tell(self, tell: Tell, now: float) -> None:
        """A probe's message, with as much news as fits beside it. Only the first ping of a burst carries news, and
        whoever stands accused finds an accusation in it (Lifeguard's buddy system); the others stay small, and
        fast."""
        if tell.address is None:
            self._send(tell.peer, tell.message)
            return
        messages = [spell(tell.message)]
        if not isinstance(tell.message, Ping) or tell.message.index == 0:
            messages += [spell(Suspect(signed)) for signed in self._census.cases.evidence(tell.peer)[:1]]
            messages = self._with_broadcasts(messages, PACKET_BYTES_MAX, now)
        self._post(tell.peer, tell.address, messages)

    def _acknowledge(self, member: Member, pings: list[Ping], bytes_max: int, now: float) -> None:
        """In one datagram, not longer than what it answers: nobody can use us to amplify."""
        messages = [spell(Ack(ping.nonce, ping.index)) for ping in pings]
        messages = self._with_broadcasts(messages, bytes_max, now)
        self._post(member.node, member.address_after(pings[0].index), messages)

    def _with_broadcasts(self, messages: list[bytes], bytes_max: int, now: float) -> list[bytes]:
        """Add what is to be broadcast to a packet: news of membership first, then figures."""
        room_bytes = bytes_max - PACKET_HEAD_BYTES - room_for(messages)
        news = self._census.news.take(room_bytes, MESSAGES_MAX - len(messages), self._limit)
        return self._with_figures(messages + news, bytes_max, now)

    def _with_figures(self, messages: list[bytes], bytes_max: int, now: float) -> list[bytes]:
        room_bytes = bytes_max - PACKET_HEAD_BYTES - room_for(messages)
        return messages + self._figures.take(room_bytes, self._limit, now)

    @property
    def _limit(self) -> int:
        return retransmit_limit(self._settings.retransmit_mult, self._roster.size)

    def _post(self, peer: NodeId, address: Address, messages: list[bytes]) -> None:
        self._output.append(SendDatagram(peer, address, seal(messages)))

    def _send(self, peer: NodeId, message: Message) -> None:
        self._output.append(Send(peer, spell(message)))

    def _flush(self) -> list[Output]:
        for change in self._census.take_changes():
            self._output.append(change)
            if change.new in (None, State.DEAD, State.LEFT):
                self._figures.forget(change.node)
            elif change.new is State.ALIVE and not self._roster.members[change.node].measured:
                self._unmeasured.setdefault(change.node, 0)
        output, self._output = self._output, []
        return output
