"""The census: who is a member and how they are, as established from signed statements.

Every statement is heard in the same order: is it news (a look at tables, no arithmetic)? may whoever relays it cost
us another verification? is it signed by whom it binds? only then does it change anything, and is passed on. So a
member may relay lies about others all day and change nobody's mind: records and farewells need their owner's key, a
suspicion needs its accuser's, a verdict needs several accusers'.

What is heard about ourselves we answer: a suspicion of our present incarnation with a record of the next, and a
statement of our own key that we do not remember (from before a restart) by rising above it.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Protocol, assert_never

from .awareness import Awareness
from .broadcast import Broadcasts
from .bucket import Buckets
from .codec import decode
from .crypto import Crypto
from .errors import RemoteProtocolError
from .ids import ClusterId, NodeId
from .membership_settings import MembershipSettings
from .record import NodeRecord
from .roster import MEMBERS_MAX, Happening, Member, Roster, State
from .signed import Kind, Signed, sign, verify
from .suspicion import QUORUM, Cases, quorum
from .swim import MESSAGE_HEAD_BYTES, PACKET_ROOM_BYTES, Alive, Dead, Leave, Left, News, Suspect, Suspicion, spell
from .values import dataclass

VERIFICATIONS_PER_S = 500
"""Signatures that one peer may make us verify (membership.md 4.8): 2 % of a core."""

VERIFICATIONS_BURST = MEMBERS_MAX
"""One whole table at once, as in the push-pull of a joiner: 0.2 s of a core."""

RECORD_BYTES_MAX = 12 * 1024
"""The longest record that the limits of its fields allow, and no trailing fields to fill our memory with."""


class Vouch(Protocol):
    """Who belongs to the cluster: credentials, admissions and revocations."""

    def learn_many(
        self, shown: Iterable[tuple[NodeId, bytes]], now: float
    ) -> Sequence[tuple[NodeId, RemoteProtocolError]]:
        """Check and remember the credentials of nodes that may be each other's witnesses, in any order. Returns whose
        are not established, and why."""


class OverdrawnError(RemoteProtocolError):
    """A peer sent more statements per second than we are willing to verify."""


class UncertifiedError(RemoteProtocolError):
    """A statement of somebody who is not, or no longer, a member."""


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """A member's state or record changed. `old` None: it is new. `new` None: it was forgotten. Both alive: it signed
    a new record."""

    node: NodeId
    old: State | None
    new: State | None


class Census:
    """The keeper of the roster, of the cases against its members, and of our own record."""

    def __init__(
        self,
        settings: MembershipSettings,
        crypto: Crypto,
        seed: bytes,
        cluster: ClusterId,
        vouch: Vouch,
        record: NodeRecord,
        roster: Roster,
        awareness: Awareness,
    ) -> None:
        self.me = roster.me
        self.record = record
        self.vouch = vouch
        self.roster = roster
        self.cases = Cases(settings.suspicion_mult, settings.suspicion_max_mult, settings.probe_interval_s)
        self.news: Broadcasts[bytes] = Broadcasts()
        self.long_news: Broadcasts[bytes] = Broadcasts()
        """What does not fit a packet and goes over sessions: records with many labels."""
        self.farewell: Signed | None = None
        """Our own Leave, once signed: from then on we answer no suspicion."""
        self._crypto = crypto
        self._seed = seed
        self._cluster = cluster
        self._awareness = awareness
        self._budgets = Buckets(VERIFICATIONS_PER_S, VERIFICATIONS_BURST, MEMBERS_MAX)
        self._changes: list[MemberChanged] = []
        self.signed = self._sign(Kind.RECORD, record)

    def take_changes(self) -> list[MemberChanged]:
        """What has changed since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    # ---- what others say

    def hear(self, news: News, relay: NodeId, now: float) -> None:
        """A statement came. Raises RemoteProtocolError if it does not count."""
        match news:
            case Alive():
                self.hear_record(news.signed, relay, now)
            case Suspect():
                self.hear_suspicion(news.signed, relay, now)
            case Dead():
                self.hear_dead(news, relay, now)
            case Left():
                self.hear_leave(news.signed, relay, now)
            case _:
                assert_never(news)

    def hear_record(self, signed: Signed, relay: NodeId, now: float) -> None:
        """A record came. Raises RemoteProtocolError if it is forged or its author not certified."""
        record = self.news_in(signed, relay, now)
        if record is not None:
            self._verify(signed, Kind.RECORD, relay, now)
            for _, why in self.vouch.learn_many([(NodeId(signed.author), record.credential)], now):
                raise why
            self._admit(signed, record, now, spread=True)

    def news_in(self, signed: Signed, relay: NodeId, now: float) -> NodeRecord | None:
        """The record inside, still unverified, if it would change anything."""
        node = NodeId(signed.author)
        member = self.roster.members.get(node)
        last = self.signed if node == self.me else member.signed if member else None
        if last is not None and last.signature == signed.signature:
            return None
        if len(signed.body) > RECORD_BYTES_MAX:
            raise RemoteProtocolError(f"a record of {len(signed.body)} bytes; at most {RECORD_BYTES_MAX} are taken")
        record = decode(NodeRecord, signed.body)
        if node == self.me:
            self._hear_own(Kind.RECORD, signed, record.incarnation, relay, now)
            return None
        return record if member is None or record.incarnation > member.incarnation else None

    def admit(self, signed: Signed, record: NodeRecord, relay: NodeId, now: float, *, spread: bool) -> None:
        """Take in a record whose credential is established; raises RemoteProtocolError if it is forged."""
        self._verify(signed, Kind.RECORD, relay, now)
        self._admit(signed, record, now, spread=spread)

    def hear_suspicion(self, signed: Signed, relay: NodeId, now: float) -> None:
        """An accusation came. Raises RemoteProtocolError if it is forged or its author not a member."""
        suspicion = decode(Suspicion, signed.body)
        accused = suspicion.accused
        if accused == self.me:
            self._hear_accused(signed, suspicion.incarnation, relay, now)
            return
        member = self._accusable(accused, suspicion.incarnation)
        case = self.cases.get(accused)
        if member is None or (case is not None and (case.full or signed.author in case.accusations)):
            return
        self._check_accusation(signed, accused, suspicion.incarnation, relay, now)
        self._accuse(member, signed, now)

    def hear_dead(self, dead: Dead, relay: NodeId, now: float) -> None:
        """A verdict came. It counts if the accusations in it, with those on record, prove it; else it changes
        nothing. Raises RemoteProtocolError if any of them is forged."""
        if dead.accused == self.me:
            self._hear_accused(dead.evidence[0], dead.incarnation, relay, now)
            return
        member = self._accusable(dead.accused, dead.incarnation)
        if member is None:
            return
        case = self.cases.get(dead.accused)
        known = case.accusations if case else {}
        fresh = {NodeId(signed.author): signed for signed in dead.evidence if signed.author not in known}
        stale = not fresh and member.state is State.ALIVE  # we have looked since, and it answered
        if stale or len(known) + len(fresh) < quorum(self.roster.size):
            return
        for signed in fresh.values():
            self._check_accusation(signed, dead.accused, dead.incarnation, relay, now)
        for signed in fresh.values():
            self._accuse(member, signed, now)
        self._condemn(member, now)

    def hear_leave(self, signed: Signed, relay: NodeId, now: float) -> None:
        """A farewell came. Raises RemoteProtocolError if it is forged."""
        node, incarnation = NodeId(signed.author), decode(Leave, signed.body).incarnation
        if node == self.me:
            self._hear_own(Kind.LEAVE, signed, incarnation, relay, now)
            return
        member = self.roster.members.get(node)
        if member is None or member.state is State.LEFT or incarnation < member.incarnation:
            return
        self._verify(signed, Kind.LEAVE, relay, now)
        old = self.roster.turn(member, Happening.DEPARTED, now)
        member.leave, member.incarnation = signed, incarnation
        self._close_case(node)
        self._spread(("record", node), Left(signed))
        self._changes.append(MemberChanged(node, old, member.state))

    # ---- what we find out ourselves

    def accuse(self, member: Member, now: float) -> None:
        """Our own probe of a present member failed: say so under our name."""
        case = self.cases.get(member.node)
        if member.state is State.SUSPECT and case is not None and (case.full or self.me in case.accusations):
            return
        self._accuse(member, self._sign(Kind.SUSPICION, Suspicion(member.node, member.incarnation)), now)

    def expire(self, now: float) -> list[Member]:
        """Decide the cases whose time is up. Returns those that want an own look first (see `decide`)."""
        undecided = []
        for accused in self.cases.due(now):
            member = self.roster.members[accused]
            if member.unreachable or len(self.cases.evidence(accused)) >= quorum(self.roster.size):
                self._condemn(member, now)
            else:
                undecided.append(member)
        return undecided

    def decide(self, member: Member, *, answered: bool, now: float) -> None:
        """The own look at a member whose case had run out without enough evidence."""
        if member.state is not State.SUSPECT:
            return
        if answered:
            self.cases.settle(member.node)
            old = self.roster.turn(member, Happening.CLEARED, now)
            self._changes.append(MemberChanged(member.node, old, member.state))
        else:
            self.accuse(member, now)
            self._condemn(member, now)

    def forget(self, node: NodeId) -> None:
        """Drop a member altogether: its tombstone is old, or it was revoked."""
        member = self.roster.members.get(node)
        if member is not None:
            self.roster.remove(node)
            self._forgotten(member)

    # ---- what we say of ourselves

    def renew(self, record: NodeRecord) -> None:
        """Sign a record of ours that says this, under the next incarnation, and tell everybody. Whoever has said
        farewell says nothing more: it would be taken for alive again."""
        if self.farewell is not None:
            return
        self.record = dataclasses.replace(record, incarnation=self.record.incarnation + 1)
        self.signed = self._sign(Kind.RECORD, self.record)
        self.announce()

    def announce(self) -> None:
        """Tell everybody our record, or tell it again, since somebody has missed it."""
        self._spread(("record", self.me), Alive(self.signed))

    def leave(self) -> None:
        """Sign our farewell and tell everybody."""
        self.farewell = self._sign(Kind.LEAVE, Leave(self.record.incarnation))
        self._spread(("record", self.me), Left(self.farewell))

    # ---- inside

    def _hear_accused(self, signed: Signed, incarnation: int, relay: NodeId, now: float) -> None:
        """We are accused. An earlier incarnation was refuted, but somebody has missed it; a later one is a lie."""
        if incarnation > self.record.incarnation or self.farewell is not None:
            return
        self._check_accusation(signed, self.me, incarnation, relay, now)
        if incarnation < self.record.incarnation:
            self.announce()
        else:
            self._awareness.add(1)
            self.renew(self.record)

    def _hear_own(self, kind: Kind, signed: Signed, incarnation: int, relay: NodeId, now: float) -> None:
        """Something we signed and do not remember: from before a restart, unless it is older than what we say now."""
        if incarnation >= self.record.incarnation and self.farewell is None:
            self._verify(signed, kind, relay, now)
            self.record = dataclasses.replace(self.record, incarnation=incarnation)
            self.renew(self.record)

    def _accusable(self, accused: NodeId, incarnation: int) -> Member | None:
        member = self.roster.members.get(accused)
        return member if member and member.present and member.incarnation == incarnation else None

    def _check_accusation(self, signed: Signed, accused: NodeId, incarnation: int, relay: NodeId, now: float) -> None:
        accuser = NodeId(signed.author)
        member = self.roster.members.get(accuser)
        certified = accuser == self.me or (member is not None and member.state is not State.LEFT)
        if not certified or accuser == accused:
            raise UncertifiedError("a suspicion by somebody who may not accuse that member")
        if decode(Suspicion, signed.body) != Suspicion(accused, incarnation):
            raise RemoteProtocolError("the evidence for a death is about something else")
        self._verify(signed, Kind.SUSPICION, relay, now)

    def _verify(self, signed: Signed, kind: Kind, relay: NodeId, now: float) -> None:
        if not self._budgets.take(relay, now):
            raise OverdrawnError(f"more than {VERIFICATIONS_PER_S} statements per second from one peer")
        verify(self._crypto, signed, kind, self._cluster)

    def _admit(self, signed: Signed, record: NodeRecord, now: float, *, spread: bool) -> None:
        node = NodeId(signed.author)
        member = self.roster.members.get(node)
        if member is None:
            old = None
            evicted = self.roster.add(Member(node, record, signed, record.incarnation, now))
            if evicted is not None:
                self._forgotten(evicted)
        else:
            old = self.roster.turn(member, Happening.RENEWED, now)
            _replace_record(member, record, signed)
            self._close_case(node)
        if spread:
            self._spread(("record", node), Alive(signed))
        self.roster.members[node].renewed = now
        self._changes.append(MemberChanged(node, old, State.ALIVE))

    def _accuse(self, member: Member, signed: Signed, now: float) -> None:
        self.cases.accuse(member.node, signed, self.roster.size, now)
        old = self.roster.turn(member, Happening.ACCUSED, now)
        if old is not member.state:
            self._changes.append(MemberChanged(member.node, old, member.state))
        self._spread(("suspect", member.node, signed.author), Suspect(signed))

    def _condemn(self, member: Member, now: float) -> None:
        """Without enough accusers for a proof the accusations themselves go on travelling, and everybody looks."""
        needed = quorum(self.roster.size)
        evidence = self.cases.evidence(member.node)
        self.cases.settle(member.node)
        old = self.roster.turn(member, Happening.CONDEMNED, now)
        self._changes.append(MemberChanged(member.node, old, member.state))
        if len(evidence) >= needed:
            self._silence(member.node, [NodeId(signed.author) for signed in evidence])
            self._spread(("dead", member.node), Dead(member.node, member.incarnation, evidence[:QUORUM]))

    def _close_case(self, node: NodeId) -> None:
        self._silence(node, self.cases.close(node))
        self.news.drop(("dead", node))

    def _silence(self, accused: NodeId, accusers: Sequence[NodeId]) -> None:
        for accuser in accusers:
            self.news.drop(("suspect", accused, accuser))

    def _forgotten(self, member: Member) -> None:
        self._close_case(member.node)
        self.news.drop(("record", member.node))
        self.long_news.drop(("record", member.node))
        self._changes.append(MemberChanged(member.node, member.state, None))

    def _spread(self, subject: tuple[object, ...], message: Alive | Suspect | Dead | Left) -> None:
        data = spell(message)
        size_bytes = len(data) + MESSAGE_HEAD_BYTES
        fits = len(data) <= PACKET_ROOM_BYTES
        (self.long_news if fits else self.news).drop(subject)
        (self.news if fits else self.long_news).put(subject, data, size_bytes)

    def _sign(self, kind: Kind, value: object) -> Signed:
        return sign(self._crypto, self._seed, kind, self._cluster, value)


def _replace_record(member: Member, record: NodeRecord, signed: Signed) -> None:
    if record.addresses != member.record.addresses:
        member.route, member.proven, member.bursts, member.met = 0, False, 0, None
    member.record, member.signed, member.incarnation = record, signed, record.incarnation
    member.leave, member.unreachable = None, False
