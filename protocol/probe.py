"""Probes: finding out whether a member answers, and how far away it is (SWIM section 3, Lifeguard).

A probe begins with a burst of three pings. Whoever answers any of them is alive; the least round trip of the three
is its distance, which takes out most of the noise of a busy machine (membership.md 2.2). Regular checks of a member
whose distance and address are known begin with a single ping, three times out of four; in a large cluster those of
others do, too. The other two pings follow if it is not answered soon, so that a lost datagram means no more than in a
burst. What follows silence depends on what the probe is for:

- a *check*, the regular one, asks k others to try and at the same time pings over the session, since networks lose
  datagrams more readily than they break connections; whoever is silent to all of them by the end of the probe
  interval is accused; of two nodes that are all there are, one is spared it by the pings of the other;
- a *verdict* is the same for a member whose suspicion has run out without enough evidence: it decides;
- a *quick* one follows a broken session; silence is an accusation at once;
- one where the member's machine has *refused* a connection asks k others at once, and also decides;
- a *measurement* only wants the distance of a member that is new;
- a *reconnection* looks for somebody dead, over both ways at once;
- *help* is a probe on somebody else's behalf, who hears how it went.
"""

from enum import IntEnum, auto
from random import Random

from .awareness import Awareness
from .ids import NodeId
from .membership_settings import MembershipSettings
from .record import Address
from .roster import Member, Roster, State
from .swim import PINGS, Ack, IndirectAck, Nack, Ping, PingRequest
from .timers import Timers
from .values import dataclass, field

NONCE_BITS = 32
"""Of a probe. Answers are authenticated, so a nonce need only be another than that of any probe in progress, and of
most that anybody may have recorded before we were restarted."""

HELP_MAX = 64
"""Probes in progress on others' behalf."""

HELP_PER_PEER_MAX = 4
"""Of those for one peer: an honest one has a check and a few verdicts at a time."""


BURSTS_FIRST = 3
"""So many bursts measure a member soon: the median of three round trips minds no outlier."""

FIRST_CHECKS = 32
"""Of the checks that are to measure somebody soon the first are bursts, so that 16 nodes are measured within half
a minute; then they take turns like all others: if all were bursts, a node in a new cluster of 64 or more would send
400 bytes/s for minutes, and every second one still took as much as all checks together."""

BURST_TURN = 4
"""From then on every fourth check is a burst, which halves what probing costs: a delay is four minutes old among 64
nodes, and delays hardly change."""

BURST_S = 60.0
"""But none follows another one so soon: so a delay is a minute old among few nodes, and up to two among 16. Of four,
bursts would be a third of all datagrams."""

SPARED_SHARE = 1.05
"""Of a probe interval, after a ping of the only other member: so long ours waits for its next one. Whoever is stopped
just then is checked a twentieth later."""

SECOND_WAVE_SHARE = 0.4
"""Of the time for an answer: then a single ping is taken for lost. Who is farther away than the rest of the time, 0.3
s, is still known by the first ping."""


class Purpose(IntEnum):
    """What a probe is for. An integer, since it is a part of keys: see `chores.Chore`."""

    CHECK = auto()
    VERDICT = auto()
    QUICK = auto()
    MEASURE = auto()
    RECONNECT = auto()
    HELP = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something to a peer."""

    peer: NodeId
    message: Ping | Ack | PingRequest | IndirectAck | Nack
    address: Address | None
    """By a datagram to there; None: over the session."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """The least round trip of a burst of pings to a peer."""

    peer: NodeId
    rtt_s: float
    place: bytes = b""
    """Where the peer says it stands, if it does."""


@dataclass(frozen=True, slots=True)
class Located:
    """Somebody who has pinged us said where it stands."""

    peer: NodeId
    place: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody probed is alive."""

    member: Member
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A probe ended in silence."""

    member: Member
    purpose: Purpose
    renewed: bool = False
    """Whether the member has signed another record since the probe began: it was restarted meanwhile, or has refuted
    an accusation."""


Finding = Tell | RoundTrip | Answered | Unanswered


@dataclass(slots=True, eq=False)
class _Probe:
    nonce: int
    member: Member
    purpose: Purpose
    sent_at: float
    route: int
    """Where the burst's first ping went (see Member.address_after)."""
    incarnation: int
    """The member's when it began."""
    sent: int = PINGS
    """Pings so far."""
    measures: bool = True
    """Whether it began with a burst."""
    acked: list[int] = field(default_factory=list)
    """Indices of the pings of the burst that were answered."""
    rtt_s: float | None = None
    place: bytes = b""
    answered: bool = False
    asked: list[NodeId] | None = None
    """The others who were asked to try; None before that."""
    nacked: list[NodeId] = field(default_factory=list)
    requester: Member | None = None
    requested: int = 0
    """The nonce of whoever asked us for help."""


class Prober:
    """All probes in progress; at most one for each member and purpose (help: for each requester)."""

    def __init__(self, settings: MembershipSettings, roster: Roster, awareness: Awareness, rng: Random) -> None:
        self._settings = settings
        self._roster = roster
        self._awareness = awareness
        self._rng = rng
        self._probes: dict[int, _Probe] = {}
        self._running: dict[tuple[NodeId, Purpose], int] = {}
        self._help: dict[tuple[NodeId, NodeId], int] = {}
        self._timers: Timers[int] = Timers()
        self._first_checks = 0
        """Checks so far of members that were to be measured soon."""

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def postpone(self, by_s: float) -> None:
        """Wait longer for every answer, by time in which we did not listen."""
        self._timers.postpone(by_s)

    def start(self, member: Member, purpose: Purpose, now: float) -> list[Finding]:
        """Begin a probe, unless one for that purpose is in progress."""
        if (member.node, purpose) in self._running:
            return []
        single = purpose is Purpose.CHECK and not self._takes_burst(member, now)
        quick = purpose in (Purpose.QUICK, Purpose.REFUSED)
        timeout_s = self._settings.quick_timeout_s if quick else self._settings.probe_timeout_s
        probe = self._begin(member, purpose, now, SECOND_WAVE_SHARE * timeout_s if single else timeout_s)
        if single:
            probe.sent, probe.measures = 1, False
        else:
            member.burst_at = now
        self._running[member.node, purpose] = probe.nonce
        findings = self._pings(probe, 0, probe.sent)
        if purpose is Purpose.RECONNECT:
            findings.append(Tell(member.node, Ping(probe.nonce, 0), None))
        if purpose is Purpose.REFUSED:
            findings += self._ask_helpers(probe)
            if probe.asked:  # who have their own time for an answer, and then tell us
                self._timers.set(probe.nonce, now + self._settings.probe_timeout_s + timeout_s)
        return findings

    def spares(self, member: Member, ping: Ping, now: float) -> bool:
        """Whether a ping of a member that is known well does for the next check of it; counts as one, then."""
        measured = member.bursts >= BURSTS_FIRST and member.proven
        if ping.index or not measured or member.state is not State.ALIVE or _is_burst_due(member, now):
            return False
        member.checks += 1
        return True

    def help(self, requester: Member, request: PingRequest, target: Member, now: float) -> list[Finding]:
        """Begin a probe on behalf of a member; silently not, if too many are in progress."""
        mine = [key for key in self._help if key[0] == requester.node]
        if len(self._help) >= HELP_MAX or len(mine) >= HELP_PER_PEER_MAX or (requester.node, target.node) in mine:
            return []
        probe = self._begin(target, Purpose.HELP, now, self._settings.probe_timeout_s)
        probe.requester, probe.requested = requester, request.nonce
        self._help[requester.node, target.node] = probe.nonce
        return self._pings(probe, 0, PINGS)

    def ack(self, peer: NodeId, ack: Ack, now: float, *, by_session: bool) -> list[Finding]:
        """An answer from a peer itself."""
        probe = self._probes.get(ack.nonce)
        if probe is None or probe.member.node != peer or (ack.index in probe.acked and not by_session):
            return []
        findings = self._answered(probe)
        if not by_session:
            self._note_round_trip(probe, ack, now)
        if len(probe.acked) == probe.sent or probe.asked is not None:
            findings += self._end(probe)
        return findings

    def indirect_ack(self, peer: NodeId, nonce: int) -> list[Finding]:
        """One of those we asked got an answer."""
        probe = self._probes.get(nonce)
        if probe is None or probe.asked is None or peer not in probe.asked:
            return []
        return [*self._answered(probe), *self._end(probe)]

    def nack(self, peer: NodeId, nonce: int) -> None:
        """One of those we asked got no answer either."""
        probe = self._probes.get(nonce)
        if probe is not None and probe.asked is not None and peer in probe.asked and peer not in probe.nacked:
            probe.nacked.append(peer)

    def tick(self, now: float) -> list[Finding]:
        findings = []
        for nonce in self._timers.due(now):
            findings += self._time_up(self._probes[nonce], now)
        return findings

    def _takes_burst(self, member: Member, now: float) -> bool:
        """Whether the next regular check of a member does. Where nobody knows which of several addresses is good, all
        of them are tried at once."""
        is_due = _is_burst_due(member, now)
        member.checks += 1
        if not member.proven and len(member.record.addresses) > 1:
            return True
        if member.bursts >= BURSTS_FIRST:
            return is_due
        self._first_checks += 1
        return self._first_checks <= FIRST_CHECKS or self._first_checks % BURST_TURN == 1

    def _begin(self, member: Member, purpose: Purpose, now: float, wait_s: float) -> _Probe:
        probe = _Probe(self._rng.getrandbits(NONCE_BITS), member, purpose, now, member.route, member.incarnation)
        self._probes[probe.nonce] = probe
        self._timers.set(probe.nonce, now + wait_s)
        return probe

    def _pings(self, probe: _Probe, first: int, end: int) -> list[Finding]:
        """The first of a burst shows where we stand."""
        member = probe.member
        pings = [Ping(probe.nonce, index) for index in range(first, end)]
        if first == 0 and probe.measures:
            pings[0] = Ping(probe.nonce, 0, self._roster.shown_place)
        return [Tell(member.node, ping, member.address_after(ping.index)) for ping in pings]

    def _second_wave(self, probe: _Probe, now: float) -> list[Finding]:
        """The rest of the burst; the time for an answer counts from the first ping."""
        findings = self._pings(probe, probe.sent, PINGS)
        probe.sent = PINGS
        self._timers.set(probe.nonce, now + (1.0 - SECOND_WAVE_SHARE) * self._settings.probe_timeout_s)
        return findings

    def _note_round_trip(self, probe: _Probe, ack: Ack, now: float) -> None:
        member = probe.member
        if not member.proven:  # the first answer in came by the best way
            member.route, member.proven = probe.route + ack.index, True
            if not member.by_session:  # of one that can only dial out the address says nothing
                member.met = member.address
        probe.acked.append(ack.index)
        probe.place = ack.place or probe.place
        if not probe.measures:
            return
        rtt_s = max(0.0, now - probe.sent_at)
        probe.rtt_s = rtt_s if probe.rtt_s is None else min(probe.rtt_s, rtt_s)

    def _answered(self, probe: _Probe) -> list[Finding]:
        if probe.answered:
            return []
        probe.answered = True
        if probe.purpose is Purpose.CHECK:
            self._awareness.add(-1)
        if probe.requester is not None:
            return [Tell(probe.requester.node, IndirectAck(probe.requested), probe.requester.address)]
        return [Answered(probe.member, probe.purpose)]

    def _time_up(self, probe: _Probe, now: float) -> list[Finding]:
        if probe.sent < PINGS:
            return self._second_wave(probe, now)
        if not probe.acked and probe.asked is None:
            probe.member.route, probe.member.proven = probe.route + PINGS, False
        if probe.answered:
            return self._end(probe)
        if probe.asked is None and probe.purpose in (Purpose.CHECK, Purpose.VERDICT):
            return self._ask_others(probe, now)
        self._end(probe)
        if probe.purpose is Purpose.CHECK:
            missing = len(probe.asked or ()) - len(probe.nacked)
            self._awareness.add(missing if probe.asked else 1)
        if probe.requester is not None:
            return [Tell(probe.requester.node, Nack(probe.requested), probe.requester.address)]
        return [Unanswered(probe.member, probe.purpose, probe.member.incarnation != probe.incarnation)]

    def _ask_helpers(self, probe: _Probe) -> list[Finding]:
        helpers = self._helpers(probe.member)
        probe.asked = [helper.node for helper in helpers]
        request = PingRequest(probe.nonce, probe.member.node)
        return [Tell(helper.node, request, helper.address) for helper in helpers]

    def _helpers(self, target: Member) -> list[Member]:
        """Who is asked to try: of a member that can only dial out those first who have a session with it. There may
        be too many of its kind for each to have one with every other (`switchboard.CONTROL_CALLS_MAX`)."""
        count = self._settings.indirect_probes
        named = [self._roster.by_short(short) for short in target.record.relays[:count]]
        relays = [self._roster.members[node] for node in named if node is not None and node != self._roster.me]
        relays = [relay for relay in relays if relay.present and relay is not target]
        others = [helper for helper in self._roster.pick(count, avoid=target.node) if helper not in relays]
        return [*relays, *others][:count]

    def _ask_others(self, probe: _Probe, now: float) -> list[Finding]:
        interval_s = self._settings.probe_interval_s
        if probe.purpose is Purpose.CHECK:
            interval_s = self._awareness.scale(interval_s)
        self._timers.set(probe.nonce, now + interval_s - self._settings.probe_timeout_s)
        return [*self._ask_helpers(probe), Tell(probe.member.node, Ping(probe.nonce, 0), None)]

    def _end(self, probe: _Probe) -> list[Finding]:
        del self._probes[probe.nonce]
        self._timers.cancel(probe.nonce)
        if probe.requester is not None:
            del self._help[probe.requester.node, probe.member.node]
        else:
            del self._running[probe.member.node, probe.purpose]
        if probe.rtt_s is None:
            return []
        probe.member.bursts += 1
        return [RoundTrip(probe.member.node, probe.rtt_s, probe.place)]


def _is_burst_due(member: Member, now: float) -> bool:
    """Whether the next check of somebody whose distance is known is to measure it again."""
    return (member.checks + 1) % BURST_TURN == 0 and now - member.burst_at >= BURST_S
