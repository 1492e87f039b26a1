"""The failure detector: whom to probe and when, and what follows from an answer and from silence.

`probe` finds out who answers, `census` keeps the accusations; this is the judgement between them. Silence to a
regular check, or to a quick one after a broken session, is an accusation under our own name. A case that has run out
without enough accusers is decided by a probe of our own. The dead are looked for now and then, and whoever of them
answers is to hear what is said about it.

Most deaths are those of processes, and their machines know. Where an address refuses a connection at which the member
itself has answered before, nobody listens there any more: for a process that is stopped or busy its kernel accepts,
and a machine that is cut off says nothing. That, and silence to another probe by us and by all whom we ask, is as
good as a case that has run out; unless the member has signed a new record meanwhile, as it does when it is restarted.
"""

from random import Random
from typing import assert_never

from .awareness import Awareness
from .census import Census
from .effects import Dial
from .ids import NodeId
from .membership_settings import MembershipSettings
from .newcomers import Newcomers
from .probe import Answered, Finding, Prober, Purpose, RoundTrip, Tell, Unanswered
from .record import Address
from .roster import Member, Roster, State
from .swim import Ack, IndirectAck, Nack, Ping, PingRequest
from .values import dataclass

RECONNECTS_MAX = 4
"""The dead that are looked for in one reconnect interval: each costs a burst and an attempt to dial."""

PAIR = 2
"""This node and another one."""

LAG_S = 0.25
"""An event loop that ran later than this is a slow observer: half the wait for a direct answer."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Somebody whom we took for dead answers."""

    node: NodeId


Sign = Tell | RoundTrip | Returned | Dial


class Detector:
    """Watches over the members. Accusations and verdicts go to the census; what is to be sent comes back."""

    def __init__(
        self,
        settings: MembershipSettings,
        roster: Roster,
        census: Census,
        awareness: Awareness,
        rng: Random,
        now: float,
    ) -> None:
        self._settings = settings
        self._roster = roster
        self._census = census
        self._awareness = awareness
        self._prober = Prober(settings, roster, awareness, rng)
        self._newcomers = Newcomers(roster, self._prober)
        self._lag_counted_at = now - settings.probe_interval_s

    @property
    def deadline(self) -> float:
        return min(self._prober.deadline, self._census.cases.deadline)

    def tick(self, now: float) -> list[Sign]:
        """End the probes and the cases whose time is up."""
        signs: list[Sign] = []
        for member in self._census.expire(now):
            signs += self._start(member, Purpose.VERDICT, now)
        return signs + self._follow(self._prober.tick(now), now)

    def overslept(self, late_s: float, idle_s: float, now: float) -> None:
        """We were called so much too late, and for `idle_s` not at all. Nobody else is to blame for that silence: the
        answers may wait unread. Nothing was due when we stopped running, so nobody knows when that was; the others
        have the benefit of the doubt."""
        if late_s > LAG_S:
            self.count_lag(late_s, now)
            self._prober.postpone(idle_s)
            self._census.cases.postpone(idle_s)

    def count_lag(self, lag_s: float, now: float) -> None:
        """A late event loop makes us doubt ourselves; once per probe interval, whoever notices it."""
        if lag_s > LAG_S and now - self._lag_counted_at >= self._settings.probe_interval_s:
            self._lag_counted_at = now
            self._awareness.add(1)

    def welcome(self, node: NodeId) -> None:
        """Somebody is to be followed, whose distance we may not know."""
        member = self._roster.members.get(node)
        if member is not None and not member.measured:
            self._newcomers.add(node)

    def measure_again(self) -> None:
        """Somebody wants to know the distances as they are now."""
        for member in self._roster.present:
            self._newcomers.add_again(member.node)

    @property
    def has_newcomers(self) -> bool:
        """Whether `measure` has somebody to measure, now or soon."""
        return bool(self._newcomers)

    def measure(self, now: float) -> list[Sign]:
        """Measure the next few newcomers."""
        return self._follow(self._newcomers.measure(now), now)

    def check_next(self, now: float) -> list[Sign]:
        """The regular check of whoever is next in the ring."""
        member = self._roster.next_to_probe()
        return [] if member is None else self._start(member, Purpose.CHECK, now)

    def spares(self, member: Member, ping: Ping, now: float) -> bool:
        """Whether to put our next check off, since the only member that there is has just checked us: that it is
        alive is known by this as well as by an answer, and a node at rest does little else."""
        return self._roster.size == PAIR and self._prober.spares(member, ping, now)

    def check_at_once(self, node: NodeId, refused: tuple[Address, ...], now: float) -> list[Sign]:
        """A session broke, or could not be opened since these addresses refused. That relays have no place for a call
        says nothing about who was called."""
        member = self._roster.members.get(node)
        if member is None or not member.present or node in self._roster.ways.cut_off:
            return []
        if member.met is not None and member.met in refused and not member.by_session:
            return self._start(member, Purpose.REFUSED, now)
        return self._start(member, Purpose.QUICK, now) if member.state is State.ALIVE else []

    def look_for_dead(self, now: float) -> list[Sign]:
        signs: list[Sign] = []
        for member in self._roster.pick_dead(RECONNECTS_MAX):
            signs += self._start(member, Purpose.RECONNECT, now)
        return signs

    def hear(
        self, peer: NodeId, message: Ack | IndirectAck | Nack | PingRequest, now: float, *, by_session: bool
    ) -> list[Sign]:
        match message:
            case Ack():
                return self._follow(self._prober.ack(peer, message, now, by_session=by_session), now)
            case IndirectAck():
                return self._follow(self._prober.indirect_ack(peer, message.nonce), now)
            case Nack():
                self._prober.nack(peer, message.nonce)
                return []
            case PingRequest():
                return self._help(peer, message, now)

    def _help(self, peer: NodeId, request: PingRequest, now: float) -> list[Sign]:
        requester, target = self._roster.members.get(peer), self._roster.members.get(request.target)
        if requester is None or target is None or target.state is State.LEFT:
            return []
        return self._follow(self._prober.help(requester, request, target, now), now)

    def _start(self, member: Member, purpose: Purpose, now: float) -> list[Sign]:
        return self._follow(self._prober.start(member, purpose, now), now)

    def _follow(self, findings: list[Finding], now: float) -> list[Sign]:
        signs: list[Sign] = []
        for finding in findings:
            match finding:
                case Tell() | RoundTrip():
                    signs.append(finding)
                case Answered():
                    signs += self._answered(finding, now)
                case Unanswered():
                    signs += self._unanswered(finding, now)
                case _:
                    assert_never(finding)
        return signs

    def _answered(self, finding: Answered, now: float) -> list[Sign]:
        member = finding.member
        member.unreachable = False
        if finding.purpose is Purpose.VERDICT:
            self._census.decide(member, answered=True, now=now)
        return [Returned(member.node)] if member.state is State.DEAD else []

    def _unanswered(self, finding: Unanswered, now: float) -> list[Sign]:
        member, purpose = finding.member, finding.purpose
        if finding.renewed and purpose is not Purpose.QUICK:
            return []  # which it has done somewhere, and later than what was asked in vain
        known = self._roster.members.get(member.node) is member  # it may have been forgotten meanwhile
        if not known or not member.present or self._census.farewell is not None:
            return []
        if purpose in (Purpose.CHECK, Purpose.VERDICT, Purpose.REFUSED):
            member.unreachable = True
        # A hidden one is to be found by another way first, and one that says otherwise to be asked again.
        hasty = purpose is Purpose.QUICK and (member.by_session or finding.renewed)
        if purpose in (Purpose.CHECK, Purpose.QUICK, Purpose.REFUSED) and not hasty:
            self._census.accuse(member, now)
        if purpose in (Purpose.VERDICT, Purpose.REFUSED):
            self._census.decide(member, answered=False, now=now)
        if purpose is not Purpose.QUICK:
            return []
        # A process that is being ended loses its sessions one by one, and perhaps before it ceases to listen.
        again = [Dial(member.record.addresses, member.node)] if member.met is not None else []
        return [*again, *self._start(member, Purpose.CHECK, now)]
