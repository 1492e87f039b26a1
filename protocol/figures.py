"""Figures: how busy the nodes are that we follow, what they measured of their links, and how ours are told.

A node tells its figures to those who follow it (`followers`), and knows those of whom it follows (`interest`). Nobody
passes them on, so each is as good as its owner. Earlier versions do: what they say of a node counts until
it has told us something itself.

A load is *urgent* when it changes what placement goes by (`Load.surprises`): it is said once a second at most, but at
once by who is through early, and again a little later in case the datagram was lost. All others are *quiet*, and
said once. What is to be said waits for `tick`, which is due at once: a load and a row go out together.

Cost: 86 bytes per follower for each load, so 5.5 kB/s where there are 64 of them and every second has a surprise.
"""

import math
from collections.abc import Iterator
from typing import assert_never

from .bucket import Buckets
from .census import MemberChanged
from .codec import decode, encode
from .effects import Send, SendDatagram
from .followers import FOLLOWERS_MAX, REFUSED_S, Followers
from .ids import NodeId
from .interest import Interest
from .links import LINKS_PERIOD_S, LINKS_PERIOD_S_MAX, LINKS_REFRESH_S, Links, LinksHeard, in_a_crowd, links_of
from .load import Load, LoadHeard, load_of, millis
from .piggyback import datagram
from .roster import Member, Roster, State
from .swim import (
    SHORT_BYTES,
    Aged,
    Follow,
    Full,
    LinkNews,
    LinkRow,
    LoadDelta,
    LoadNews,
    Telling,
    bundles,
    seal,
    spell,
)
from .timers import growing_s
from .view import LinkFigure

AGAIN_S = (1.5, 5.0)
"""When an urgent load is said again, unless there is a newer one: three losses in a row are one in 8,000 at 5 %, and
noticed with the next question."""

ANSWERS_PER_S = 0.5
ANSWERS_BURST = 4
"""Questions of one follower that are answered: answers are longer, and go where its record says."""


Heard = LoadHeard | LinksHeard


class Figures:
    """The newest figures of whom we follow, and ours."""

    def __init__(self, roster: Roster, interest: Interest, boot: int) -> None:
        self._roster = roster
        self._interest = interest
        self._followers = Followers()
        self._boot = boot
        self._loads: dict[NodeId, Load] = {}
        self._rows: dict[NodeId, int] = {}
        """The version of each."""
        self._said_load: Load | None = None
        self._said_links = Links(roster.me, 0, (), -LINKS_REFRESH_S)
        self._links_looked_at = -LINKS_REFRESH_S
        self._row = b""
        """Our own, as it was last said."""
        self._due_load: tuple[float, ...] = ()
        """When our load is to be said."""
        self._due_row = math.inf
        self._answers = Buckets(ANSWERS_PER_S, ANSWERS_BURST, FOLLOWERS_MAX)

    @property
    def deadline(self) -> float:
        """When `tick` is due."""
        own = min(self._due_load[0], self._due_row) if self._due_load else self._due_row
        return min(own, self._interest.deadline)

    def load_of(self, node: NodeId) -> Load | None:
        """What a node said last, or we measured last."""
        return self._loads.get(node)

    # ---- ours

    def set_load(
        self,
        cpu_percent: float,
        memory_percent: float,
        running: int,
        queued: int,
        free_in_s: float,
        lag_s: float,
        now: float,
    ) -> None:
        """Our own, as it is now; said if it is time to."""
        self._interest.open(now)
        last = self._said_load
        load = self._loads[self._roster.me] = Load(
            node=self._roster.me,
            boot=self._boot,
            version=last.version + 1 if last else 1,
            cpu_percent=cpu_percent,
            memory_percent=memory_percent,
            running=running,
            queued=queued,
            free_in_s=free_in_s,
            lag_s=lag_s,
            measured_at=now,
        )
        if last is None or now - last.measured_at >= load.pause_s(last):
            self._said_load = load
            # What was urgent and may not have come everywhere stays urgent.
            is_urgent = bool(self._due_load) or load.surprises(last)
            self._due_load = (now, *[now + later_s for later_s in AGAIN_S]) if is_urgent else (now,)

    def wants_links(self, now: float) -> bool:
        """Whether to look again at our own row; ever more seldom, since what it says settles."""
        rows_said = self._said_links.version
        pause_s = growing_s(LINKS_PERIOD_S, max(0, rows_said - 1), LINKS_PERIOD_S_MAX)
        return now - self._links_looked_at >= pause_s

    def set_links(self, figures: tuple[LinkFigure, ...], now: float) -> None:
        """Our own row, the most certain figures first; said if it is time to."""
        self._interest.open(now)
        self._links_looked_at = now
        place = self._roster.shown_place
        said = in_a_crowd(figures) if place else figures
        links = Links(self._roster.me, self._said_links.version + 1, said, now, place)
        if links.worth_saying(self._said_links):
            self._said_links, self._row, self._due_row = links, links.row(self._boot), now

    def tick(self, now: float) -> list[Send | SendDatagram]:
        """Tell our figures to those who follow us, and ask those whom we follow for theirs."""
        messages = list(self._due(now))
        told = self._tell_all(messages, now) if messages else []
        for node in self._interest.due(now):
            by_session = self._interest.wants_session(node)
            told += _sent(self._roster.members[node], [self._question(node)], by_session=by_session)
        return told

    def _due(self, now: float) -> Iterator[bytes]:
        if self._due_load and self._due_load[0] <= now:
            self._due_load = tuple([at for at in self._due_load if at > now])
            yield from self._own_load(now)
        if self._due_row <= now:
            self._due_row = math.inf
            yield from self._own_row(now)

    def _own_load(self, now: float) -> Iterator[bytes]:
        load = self._said_load
        if load is not None:
            yield spell(LoadNews((Aged(encode(load.delta()), millis(now - load.measured_at)),)))

    def _own_row(self, now: float) -> Iterator[bytes]:
        if self._row:
            yield spell(LinkNews((Aged(self._row, millis(now - self._said_links.measured_at)),)))

    def _tell_all(self, messages: list[bytes], now: float) -> list[Send | SendDatagram]:
        """To all followers the same bytes, but that some are asked something in them."""
        payloads = [seal(packed) for packed in bundles(messages)]
        told: list[Send | SendDatagram] = []
        for node, by_session in self._followers.current(now):
            member = self._roster.members.get(node)
            if member is None or not member.present:
                continue
            if by_session or member.by_session:
                told += _sent(member, messages, by_session=True)
            elif not self._interest.wants_session(node) and self._interest.rides(node, now):
                told += _sent(member, [self._question(node), *messages])
            else:
                told += [SendDatagram(node, member.address, payload) for payload in payloads]
        return told

    def _question(self, node: NodeId) -> bytes:
        """What others said in its name is not what it has told: it may be a lie of the same version."""
        if not self._interest.has_told(node):
            return spell(Follow())
        load = self._loads.get(node)
        return spell(Follow(0 if load is None else load.version, self._rows.get(node, 0)))

    # ---- theirs

    def hear(
        self, peer: NodeId, message: Telling, now: float, *, by_session: bool = False
    ) -> list[Send | SendDatagram | Heard]:
        """What a peer tells or asks; raises MalformedError."""
        match message:
            case Follow():
                return [*self._answer(peer, message, now, by_session=by_session)]
            case Full():
                self._forget_all(self._interest.refused(peer, message.pause_s, now))
                return []
            case LoadNews():
                loads = [self._hear_load(news, peer, now, by_session=by_session) for news in message.loads]
                return [heard for heard in loads if heard is not None]
            case LinkNews():
                rows = [self._hear_row(news, peer, now, by_session=by_session) for news in message.rows]
                return [heard for heard in rows if heard is not None]
            case _:
                assert_never(message)

    def _answer(self, peer: NodeId, follow: Follow, now: float, *, by_session: bool) -> list[Send | SendDatagram]:
        member = self._roster.members.get(peer)
        if member is None or member.state is State.LEFT:
            return []
        if peer not in self._followers:
            self._interest.meet(peer)
        if not self._followers.add(peer, now, by_session=by_session):
            return _sent(member, [spell(Full(REFUSED_S))], by_session=by_session)
        if not self._answers.take(peer, now):
            return []
        messages: list[bytes] = []
        if self._said_load is not None and follow.load != self._said_load.version:
            messages += self._own_load(now)
        if follow.row != self._said_links.version:
            messages += self._own_row(now)
        return _sent(member, messages, by_session=by_session)

    def _hear_load(self, news: Aged, relay: NodeId, now: float, *, by_session: bool) -> LoadHeard | None:
        """A load came; its value if it is newer than what was known."""
        delta = decode(LoadDelta, news.body)
        node = self._source(delta.node, delta.boot, relay, by_session=by_session)
        if node is None:
            return None
        known = self._loads.get(node)
        if known is not None and known.version >= delta.version:
            return None
        load = self._loads[node] = load_of(node, delta, now - news.age_ms / 1000)
        return LoadHeard(load)

    def _hear_row(self, news: Aged, relay: NodeId, now: float, *, by_session: bool) -> LinksHeard | None:
        """The same for a row."""
        row = decode(LinkRow, news.body)
        node = self._source(row.node, row.boot, relay, by_session=by_session)
        if node is None or self._rows.get(node, 0) >= row.version:
            return None
        self._rows[node] = row.version
        return LinksHeard(links_of(node, row, now - news.age_ms / 1000, self._named))

    def _source(self, short: bytes, boot: int, relay: NodeId, *, by_session: bool) -> NodeId | None:
        """Whose figure it is. None if it is nobody's whom we follow, or from an earlier life, or hearsay about
        somebody who speaks for itself."""
        node = self._roster.by_short(short)
        if node is None or node not in self._interest or self._roster.members[node].record.boot != boot:
            return None
        has_told = self._interest.has_told(node)
        if relay == node:
            if not has_told:
                self._forget(node)  # what others said in its name may have been a lie
            self._interest.told(node, by_session=by_session)
            return node
        return None if has_told else node

    def _named(self, short: bytes) -> NodeId | None:
        me = self._roster.me
        return me if short == me[:SHORT_BYTES] else self._roster.by_short(short)

    # ---- who comes and goes

    def changed(self, change: MemberChanged, now: float) -> None:
        """Something has become of a member."""
        node, interest = change.node, self._interest
        match change.new:
            case State.ALIVE:
                if interest.met(self._roster.members[node], now):
                    self._forget(node)
            case State.SUSPECT:
                self._forget_all(interest.suspected(node, now))
            case State.DEAD:
                self._forget_all(interest.gone(node, now))  # it may follow us still: death may be a mistake
            case State.LEFT | None:
                self._forget_all(interest.gone(node, now))
                self._followers.drop(node)
            case _:
                assert_never(change.new)

    def measured(self, node: NodeId, rtt_s: float, now: float) -> None:
        """The round trip to a member."""
        self._forget_all(self._interest.measured(node, rtt_s, now))

    def exchange(self, now: float) -> None:
        """Follow somebody else once in a while."""
        self._forget_all(self._interest.exchange(now))

    def _forget_all(self, nodes: list[NodeId]) -> None:
        for node in nodes:
            self._forget(node)

    def _forget(self, node: NodeId) -> None:
        self._loads.pop(node, None)
        self._rows.pop(node, None)


def _sent(member: Member, messages: list[bytes], *, by_session: bool = False) -> list[Send | SendDatagram]:
    """In as many datagrams as it takes, or each in a frame."""
    if by_session:
        return [Send(member.node, message) for message in messages]
    return [datagram(member, packed) for packed in bundles(messages) if packed]
