"""Piggyback: the datagrams of a member, filled up with what everybody should hear (SWIM section 4.1).

What is to be broadcast is never sent by itself where it can ride along: with a ping, an answer, a request. Between
them a few members are told something in every gossip interval.

To members that can only dial out what would be a datagram goes over the session, as a frame.
"""

from .broadcast import retransmit_limit
from .bucket import Buckets
from .census import Census
from .coordinate import COORDINATE_BYTES
from .effects import Send, SendDatagram
from .errors import RemoteProtocolError
from .ids import NodeId
from .probe import Tell
from .roster import MEMBERS_MAX, Member, Roster
from .swim import (
    MESSAGES_MAX,
    PACKET_BYTES_MAX,
    PACKET_HEAD_BYTES,
    Ack,
    Message,
    Packet,
    Ping,
    Suspect,
    bundles,
    room_for,
    seal,
    spell,
    unseal,
)

DATAGRAMS_PER_S = 200
"""Datagrams of one peer that are looked at (membership.md 4.8): an honest one in a cluster of two sends about 15."""

DATAGRAMS_BURST = 400
"""What has waited for us while we did not run for two seconds."""

TURN_BYTES_MAX = 4 * PACKET_BYTES_MAX
"""News of membership for one listener in one gossip interval. memberlist sends one packet; but here a record fills
most of it, and after a partition everybody signs a new one."""

TURN_MESSAGES_MAX = 4 * MESSAGES_MAX

LONG_BYTES_MAX = 64 * 1024
"""One frame of news that fits no packet."""


def frame(peer: NodeId, message: Message) -> Send:
    """A message over a session."""
    return Send(peer, spell(message))


class Piggyback:
    """Reads the datagrams, and writes them. Every piece of news that it puts into one counts as sent once more."""

    def __init__(self, roster: Roster, census: Census, retransmit_mult: int) -> None:
        self._roster = roster
        self._census = census
        self._retransmit_mult = retransmit_mult
        self._budgets = Buckets(DATAGRAMS_PER_S, DATAGRAMS_BURST, MEMBERS_MAX)

    def opened(self, peer: NodeId, payload: bytes, now: float) -> tuple[bytes, ...]:
        """The messages of a datagram, still encoded. Raises RemoteProtocolError if it is wrong or one too many."""
        if len(payload) > PACKET_BYTES_MAX or not self.takes(peer, now):
            raise RemoteProtocolError("a datagram that is too long, or one too many")
        return unseal(payload)

    def takes(self, peer: NodeId, now: float) -> bool:
        """Whether one more packet of that peer is looked at."""
        return peer in self._roster.members and self._budgets.take(peer, now)

    @property
    def urgent(self) -> bool:
        """Whether there is anything to be told that cannot wait for a probe."""
        census = self._census
        return bool(census.news.subjects or census.long_news.subjects) and self._roster.has_listeners

    def gossip(self, nodes: int, now: float) -> list[Send | SendDatagram]:
        """Tell the next few members whatever there is to tell."""
        census = self._census
        if not self.urgent:
            return []
        told: list[Send | SendDatagram] = []
        for member in self._roster.next_listeners(nodes, now):
            told += [Send(member.node, data) for data in census.long_news.take(LONG_BYTES_MAX, 1, self._limit)]
            packets = bundles(census.news.take(TURN_BYTES_MAX, TURN_MESSAGES_MAX, self._limit))
            told += [datagram(member, messages) for messages in packets if messages]
        return told

    def probe(self, tell: Tell) -> Send | SendDatagram:
        """A probe's message, with as much news as fits beside it. Only the first ping of a burst carries news, and
        whoever stands accused finds an accusation in it (Lifeguard's buddy system); the others stay small, and fast.
        """
        if tell.address is None:
            return frame(tell.peer, tell.message)
        messages = [spell(tell.message)]
        if not isinstance(tell.message, Ping) or tell.message.index == 0:
            messages += [spell(Suspect(signed)) for signed in self._census.cases.evidence(tell.peer)[:1]]
            messages = self._with_news(messages, PACKET_BYTES_MAX)
        member = self._roster.members.get(tell.peer)
        if member is not None and member.by_session:
            return frame(tell.peer, Packet(tuple(messages)))
        return SendDatagram(tell.peer, tell.address, seal(messages))

    def acks(
        self, member: Member, pings: list[Ping], bytes_max: int, *, by_session: bool = False
    ) -> Send | SendDatagram:
        """The answer to the pings of one packet, by the same way and not longer than that: nobody can use us to
        amplify."""
        shown = self._roster.shown_place
        messages = [  # we show where we stand to whoever shows it, too
            spell(Ack(ping.nonce, ping.index, shown if len(ping.place) == COORDINATE_BYTES else b""))
            for ping in pings
        ]
        messages = self._with_news(messages, bytes_max)
        if by_session or member.by_session:
            return frame(member.node, Packet(tuple(messages)))
        return SendDatagram(member.node, member.address_after(pings[0].index), seal(messages))

    def _with_news(self, messages: list[bytes], bytes_max: int) -> list[bytes]:
        news = self._census.news
        if not news.subjects:
            return messages
        room_bytes = bytes_max - PACKET_HEAD_BYTES - room_for(messages)
        return messages + news.take(room_bytes, MESSAGES_MAX - len(messages), self._limit)

    @property
    def _limit(self) -> int:
        """Those who name this node as their relay may have no way to each other: what it knows is told to as many."""
        return max(retransmit_limit(self._retransmit_mult, self._roster.size), self._roster.ways.clients)


def datagram(member: Member, messages: list[bytes]) -> Send | SendDatagram:
    """To where a member is known to listen."""
    if member.by_session:
        return frame(member.node, Packet(tuple(messages)))
    return SendDatagram(member.node, member.address, seal(messages))
