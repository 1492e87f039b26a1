"""Push-pull: two members tell each other everything they know of membership, over a session (anti-entropy).

It is how a node joins, how two halves of a cluster become one again, and what repairs whatever gossip has missed.
Tables only ever grow together: a record that is not newer changes nothing, and a member that is dead to the other
side becomes a suspect to ours, with the same accusations, and has its chance to answer.

Two tables are nearly always the same, so they are compared before anything is shown. Most turns begin and end with a
datagram that carries a hash (`swim.Compare`): whoever has another one begins an exchange. Of that, a *request* shows
the sender and names whom else it knows; the *answer* shows what differs from that, and what the request did not name,
and says who of the named is to be shown in turn; those are in a *supplement*, the third and last message.

The hash is over what two members can agree on by an exchange: who is present, in which incarnation and state. The
gone are not in it, since those who joined after a death never hear of it.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress

from .bucket import Bucket, Buckets
from .census import Census
from .effects import Send, SendDatagram
from .errors import RemoteProtocolError
from .ids import NodeId
from .piggyback import datagram
from .record import NodeRecord
from .roster import MEMBERS_MAX, Member, State
from .signed import Signed
from .swim import ENTRIES_MAX, SHORT_BYTES, Compare, Entry, Known, PushPull, spell
from .timers import Timers
from .values import dataclass

EXCHANGES_MAX = 8
"""Exchanges that we began and that are not answered yet (membership.md 4.8)."""

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""Of one message (membership.md 4.8): a full table of 4,096 members with short credentials, or 3,500 with long
ones."""

ENTRY_HEAD_BYTES = 128
"""What a signature, its author and the headers add to the body of a record."""

WANTED_BYTES = SHORT_BYTES + 2
"""For each name with its header."""

SPACING_S = 0.4
"""Between an answer and the next exchange with the same peer, so that somebody dead who sends a burst is answered
once."""

EAGER_S = 0.5
"""After an exchange that brought new members another one with the same peer follows so soon, until one brings none:
of nodes that join at the same moment none can hear those whom it does not know yet."""

ANSWERS_PER_S = 0.5
"""Exchanges that one peer may begin with us. An answer may be 4 MiB for a request of a few hundred bytes."""

ANSWERS_BURST = 4
"""A node that restarts a few times in a row is let in at once."""

WHOLE_TURN = 8
MEMBERS_NAMED = 256
"""Every so many turns are an exchange in any case: it also tells of the gone, and passes where datagrams do not. It
names all members. Where there are more than these it is as much rarer, so that naming them costs 6 B/s at most."""

DIFFERENCES_PER_S = 1 / 300
DIFFERENCES_BURST = 4
"""Exchanges that we begin at once because somebody has another hash: a few changes in a row are made up for. After
these the next turn is an exchange, so that whoever differs for ever, or lies, costs us what turns without comparing
would."""

MEMBERS_UNSCALED = 32
"""Up to here the interval is the one in the settings; every doubling of the cluster adds one more interval, so that
all exchanges together cost N log N (memberlist)."""


def scaled_interval_s(interval_s: float, members: int) -> float:
    """memberlist: x1 up to 32 members, x2 up to 64, x3 up to 128."""
    if members <= MEMBERS_UNSCALED:
        return interval_s
    return interval_s * (math.ceil(math.log2(members) - math.log2(MEMBERS_UNSCALED)) + 1)


@dataclass(frozen=True, slots=True)
class _Owed:
    """A supplement that a peer was asked for."""

    until: float
    strangers: bool
    """Whether we knew somebody whom it had not named."""


@dataclass(slots=True)
class _Begun:
    """An exchange that we began with a peer."""

    until: float
    """Before that no other one is begun with it."""
    named: tuple[Known, ...]
    """Whom we said we know."""
    answered: bool = False

    def shared(self, wanted: Sequence[bytes]) -> list[Known]:
        """Whom the peer knows as well: an answer shows only what differs, and asks for those that it does not know.
        Taken for strangers, they would all be told what they know: a thousand nodes that were started together told
        each other about each other for minutes, with 44 kB/s each."""
        asked_for = dict.fromkeys(wanted)
        return [each for each in self.named if each.node not in asked_for]


def whole_turn(members: int) -> int:
    """Which turn is an exchange in any case."""
    return WHOLE_TURN * math.ceil(members / MEMBERS_NAMED)


class AntiEntropy:
    """Both ends of push-pulls: what is said, when, and what is made of what was heard."""

    def __init__(self, census: Census, timeout_s: float, now: float) -> None:
        self._census = census
        self._timeout_s = timeout_s
        self._begun: dict[NodeId, _Begun] = {}
        self._owed: dict[NodeId, _Owed] = {}
        self._again: Timers[NodeId] = Timers()
        self._budgets = Buckets(ANSWERS_PER_S, ANSWERS_BURST, MEMBERS_MAX)
        self._differences = Bucket(DIFFERENCES_PER_S, DIFFERENCES_BURST, now)
        self._turns = census.me[0]  # nodes that were started together need not name everybody together
        self._is_owed = False
        """Whether the next turn has to make up for a difference."""
        self._total = b""
        """As it was worked out last; empty when something has become of a member since."""
        self._own = (0, False)
        """Our incarnation then, and whether we had left."""

    def is_whole_turn(self, member: Member) -> bool:
        """Whether this turn with a member is an exchange, whatever a comparison would say: also if it was probed and
        no datagram of it came, and where so few are within reach that nobody else will repair what we miss."""
        self._turns += 1
        owed, self._is_owed = self._is_owed, False
        owed = owed or bool(self._census.roster.ways.cut_off)
        in_turn = self._turns % whole_turn(self._census.roster.size) == 0
        return owed or in_turn or (member.checks > 0 and not member.proven)

    def changed(self) -> None:
        """Something has become of a member."""
        self._total = b""

    def comparison(self, member: Member) -> Send | SendDatagram:
        """What tells a member whether it knows what we know."""
        return datagram(member, [spell(Compare(self._known_total()))])

    def differs(self, theirs: Compare, now: float) -> bool:
        """Whether to begin an exchange with a member that has sent this."""
        if theirs.total == self._known_total():
            return False
        at_once = self._differences.take(now)
        self._is_owed = self._is_owed or not at_once
        return at_once

    def begin(self, peer: NodeId, now: float) -> PushPull | None:
        """What to send to a peer; None if we did so just now, or wait for too many answers."""
        self._begun = {node: begun for node, begun in self._begun.items() if begun.until > now}
        waiting = sum(not begun.answered for begun in self._begun.values())
        if peer in self._begun or waiting >= EXCHANGES_MAX:
            return None
        own, *others = self._entries()
        known = tuple([Known(_short(entry), _mark(entry), entry.state) for entry in others[:ENTRIES_MAX]])
        self._begun[peer] = _Begun(now + self._timeout_s, known)
        return PushPull(True, (own,), known=known)

    def abandon(self, peer: NodeId) -> None:
        """The session is gone: another exchange may begin when there is a new one."""
        self._begun.pop(peer, None)
        self._again.cancel(peer)

    @property
    def deadline(self) -> float:
        """When `due` has somebody to name."""
        return self._again.deadline

    def due(self, now: float) -> list[NodeId]:
        """With whom to begin now."""
        return self._again.due(now)

    def once_more(self, peer: NodeId, now: float) -> None:
        """Begin with that peer a little later."""
        self._again.set(peer, now + EAGER_S)

    def hear(self, message: PushPull, peer: NodeId, now: float) -> PushPull | None:
        """Merge what a peer says. Returns the answer or supplement, if it wants one.

        Raises RemoteProtocolError for an answer that we did not ask for and for one request too many.
        """
        reply: PushPull | None = None
        if message.reply_wanted:
            if not self._budgets.take(peer, now):
                raise RemoteProtocolError("a peer asks for everything too often")
            strangers = self._have_strangers(message, message.known)
            self._merge(message, peer, now, strangers=strangers)
            reply = self._answer(message)
            self._expect_supplement(peer, reply, strangers, now)
        elif (begun := self._begun.get(peer)) is not None and not begun.answered:
            begun.answered, begun.until = True, now + SPACING_S
            before = len(self._census.roster.members)
            self._merge(message, peer, now, strangers=self._have_strangers(message, begun.shared(message.wanted)))
            begun.named = ()  # there is a thousand of them in a large cluster
            if len(self._census.roster.members) > before:
                self.once_more(peer, now)
            reply = self._supplement(message.wanted)
        elif (owed := self._owed.pop(peer, None)) is not None and owed.until > now:
            self._merge(message, peer, now, strangers=owed.strangers)
        else:
            raise RemoteProtocolError("a peer answers what we did not ask")
        return reply

    # ---- saying

    def _known_total(self) -> bytes:
        """The hash over what we know."""
        census = self._census
        own = (census.record.incarnation, census.farewell is not None)
        if self._total and own == self._own:
            return self._total
        self._own = incarnation, has_left = own
        known = [(member.node, member.incarnation, member.state.value) for member in census.roster.present]
        if not has_left:
            known.append((census.me, incarnation, State.ALIVE.value))
        total = hashlib.blake2b(digest_size=SHORT_BYTES, person=b"pnode-members")
        for node, incarnation, state in sorted(known):
            total.update(node + incarnation.to_bytes(8, "big") + bytes((state,)))
        self._total = total.digest()
        return self._total

    def _answer(self, request: PushPull) -> PushPull:
        """All we know and the other side does not."""
        told = {_short(entry): (_mark(entry), entry.state) for entry in request.entries}
        told.update({known.node: (known.mark, known.state) for known in request.known})
        own, *others = self._entries()
        news = [entry for entry in others if told.get(_short(entry)) != (_mark(entry), entry.state)]
        wanted = tuple([known.node for known in request.known if self._want(known)])
        return _cut_off([own, *news], wanted)

    def _supplement(self, wanted: Sequence[bytes]) -> PushPull | None:
        """Those whom the other side wants to be shown."""
        if not wanted:
            return None
        shorts = dict.fromkeys(wanted)
        own, *others = self._entries()
        entries = [entry for entry in others if _short(entry) in shorts]
        return _cut_off([own, *entries], ())

    def _want(self, known: Known) -> bool:
        """Whether a peer may know something about a member that we do not. Of ourselves, too: it may accuse us, or
        remember what we said before a restart."""
        census = self._census
        node = census.roster.by_short(known.node)
        if node is not None:
            member = census.roster.members[node]
            mark, state = member.signed.signature[:SHORT_BYTES], member.state.value
        elif known.node == census.me[:SHORT_BYTES]:
            mark, state = census.signed.signature[:SHORT_BYTES], State.ALIVE.value
        else:
            return known.state not in (State.DEAD.value, State.LEFT.value)
        return known.mark != mark or known.state not in (state, State.ALIVE.value)

    def _expect_supplement(self, peer: NodeId, answer: PushPull, strangers: bool, now: float) -> None:
        self._owed = {node: owed for node, owed in self._owed.items() if owed.until > now}
        if answer.wanted:
            self._owed[peer] = _Owed(now + self._timeout_s, strangers)

    def _entries(self) -> Iterator[Entry]:
        """Ourselves, then the present members in the ring's random order, then the gone."""
        census = self._census
        if census.farewell is None:
            yield Entry(census.signed, State.ALIVE.value, ())
        else:
            yield Entry(census.signed, State.LEFT.value, (census.farewell,))
        for member in census.roster.present:
            yield self._entry(member)
        for member in census.roster.members.values():
            if not member.present:
                yield self._entry(member)

    def _entry(self, member: Member) -> Entry:
        evidence: tuple[Signed, ...] = ()
        if member.state is State.LEFT and member.leave is not None:
            evidence = (member.leave,)
        elif member.state in (State.SUSPECT, State.DEAD):
            evidence = self._census.cases.evidence(member.node)
        return Entry(member.signed, member.state.value, evidence)

    # ---- hearing

    def _merge(self, message: PushPull, peer: NodeId, now: float, *, strangers: bool) -> None:
        fresh = self._fresh(message, peer, now)
        pairs = [(NodeId(entry.record.author), record.credential) for entry, record in fresh]
        refused = dict(self._census.vouch.learn_many(pairs, now))
        for entry, record in fresh:
            node = NodeId(entry.record.author)
            known = node in self._census.roster.members
            # Who is gone before we ever met is kept out: two members that forget at different times would else remind
            # each other of the dead for ever.
            if node in refused or (not known and entry.state in (State.DEAD.value, State.LEFT.value)):
                continue
            with suppress(RemoteProtocolError):
                self._census.admit(entry.record, record, peer, now, spread=known or strangers)
        for entry in message.entries:
            self._hear_evidence(entry, peer, now)

    def _fresh(self, message: PushPull, peer: NodeId, now: float) -> list[tuple[Entry, NodeRecord]]:
        fresh = []
        for entry in message.entries:
            with suppress(RemoteProtocolError):
                record = self._census.news_in(entry.record, peer, now)
                if record is not None:
                    fresh.append((entry, record))
        return fresh

    def _have_strangers(self, message: PushPull, known: Sequence[Known]) -> bool:
        """Whether we know somebody present whom the peer did not name, and who may know as little of what is new to
        us. Else the peer's side has heard it already: a joiner need not tell the cluster about itself. `known` are
        whom it knows without showing them."""
        named = {_short(entry) for entry in message.entries} | {each.node for each in known}
        return any(member.node[:SHORT_BYTES] not in named for member in self._census.roster.present)

    def _hear_evidence(self, entry: Entry, peer: NodeId, now: float) -> None:
        """A remote dead is only a suspect to us (memberlist): it may be alive on our side of a broken network."""
        for signed in entry.evidence:
            with suppress(RemoteProtocolError):
                if entry.state in (State.SUSPECT.value, State.DEAD.value):
                    self._census.hear_suspicion(signed, peer, now)
                elif entry.state == State.LEFT.value:
                    self._census.hear_leave(signed, peer, now)


def _short(entry: Entry) -> bytes:
    return entry.record.author[:SHORT_BYTES]


def _mark(entry: Entry) -> bytes:
    return entry.record.signature[:SHORT_BYTES]


def _cut_off(entries: list[Entry], wanted: tuple[bytes, ...]) -> PushPull:
    """A reply, of all this what fits; ourselves in any case."""
    room_bytes = MESSAGE_BYTES_MAX - WANTED_BYTES * len(wanted)
    shown: list[Entry] = []
    for entry in entries[:ENTRIES_MAX]:
        room_bytes -= sum(ENTRY_HEAD_BYTES + len(signed.body) for signed in (entry.record, *entry.evidence))
        if room_bytes < 0:
            break
        shown.append(entry)
    return PushPull(False, tuple(shown or entries[:1]), wanted=wanted)
