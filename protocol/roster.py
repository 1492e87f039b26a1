"""The roster: every member of the cluster that this node knows, and how it is.

A member's life, as one node sees it:

- *alive*: its record is known and nobody has accused its present incarnation.
- *suspect*: somebody has, in a signed suspicion. Nothing new is placed there.
- *dead*: the suspicion was neither refuted nor cleared in its time, or enough distinct accusers prove it. Recovery
  starts. A verdict is local: each node reaches it by itself, if only by checking the proof.
- *left*: its owner said farewell. It is neither probed nor suspected.

Only the owner brings a member back, by a record of a higher incarnation (*renewed*); a suspicion is also over when
our own probe is answered at its end (*cleared*). The dead are looked for now and then, since a partition ends without
anybody saying so. After a day the dead and the left are forgotten.
"""

import math
from enum import Enum
from random import Random

from .errors import RemoteProtocolError
from .ids import NodeId
from .record import Address, NodeRecord
from .signed import Signed
from .swim import SHORT_BYTES
from .values import dataclass, field

DIRECT_MAX = 64
"""Up to so many members, this node included, every pair is measured by both; in a larger cluster nodes show each
other their coordinates (membership.md 2.2 b)."""

MEMBERS_MAX = 4096
"""Certified members only (membership.md 4.8): sixteen times what the protocol is designed for."""


class RosterFullError(RemoteProtocolError):
    """The table is full of members that are neither dead nor left."""


class State(Enum):
    """How a member is; the values travel in a push-pull."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Happening(Enum):
    """What can happen to a member."""

    RENEWED = "a record of a higher incarnation came"
    ACCUSED = "somebody signed a suspicion"
    CLEARED = "our own probe was answered when the suspicion ran out"
    CONDEMNED = "the suspicion ran out, or was proved"
    DEPARTED = "its owner signed a leave"


LIFE_CYCLE: dict[State, dict[Happening, State]] = {
    State.ALIVE: {
        Happening.RENEWED: State.ALIVE,
        Happening.ACCUSED: State.SUSPECT,
        Happening.DEPARTED: State.LEFT,
    },
    State.SUSPECT: {
        Happening.RENEWED: State.ALIVE,
        Happening.ACCUSED: State.SUSPECT,
        Happening.CLEARED: State.ALIVE,
        Happening.CONDEMNED: State.DEAD,
        Happening.DEPARTED: State.LEFT,
    },
    State.DEAD: {
        Happening.RENEWED: State.ALIVE,
        Happening.DEPARTED: State.LEFT,
    },
    State.LEFT: {
        Happening.RENEWED: State.ALIVE,
        Happening.DEPARTED: State.LEFT,
    },
}


@dataclass(slots=True, eq=False)
class Member:
    """One member; only the roster and the census change it."""

    node: NodeId
    record: NodeRecord
    signed: Signed
    """The record as its owner signed it."""
    incarnation: int
    """The highest the owner has signed: that of the record or of a later leave."""
    since: float
    """When the present state began."""
    state: State = State.ALIVE
    leave: Signed | None = None
    route: int = 0
    """Which of the addresses to use."""
    proven: bool = False
    """Whether a datagram to that address has been answered."""
    met: Address | None = None
    """Where a datagram was last answered, however long ago."""
    bursts: int = 0
    """How often its round trip has been measured."""
    burst_at: float = -math.inf
    """When that was begun last."""
    checks: int = 0
    """Regular probes of it so far."""
    unreachable: bool = False
    """Whether our own last probe failed, indirect probes and session included."""
    renewed: float = 0.0
    """When the record came, by our clock."""

    @property
    def measured(self) -> bool:
        """Whether a round trip has been measured."""
        return self.bursts > 0

    @property
    def by_session(self) -> bool:
        """Whether datagrams do not come in there: it can only dial out. The dead are not worth a connection: who is
        none of them dials us, and then hears what is said about it."""
        return bool(self.record.relays) and self.state is not State.DEAD

    @property
    def present(self) -> bool:
        """Neither dead nor left."""
        return self.state in (State.ALIVE, State.SUSPECT)

    @property
    def address(self) -> Address:
        return self.address_after(0)

    def address_after(self, steps: int) -> Address:
        """Until one has answered nobody knows which of the addresses is good, so different ones are tried."""
        skip = 0 if self.proven else steps
        return self.record.addresses[(self.route + skip) % len(self.record.addresses)]


@dataclass(slots=True)
class Ways:
    """What `reaching` knows of the ways to members."""

    cut_off: dict[NodeId, None] = field(default_factory=dict)
    """Those to whom there is none for the moment: gossip and turns pass them over."""
    clients: int = 0
    """Those who name this node as their relay."""


class Roster:
    """The table, and the shuffled ring in which its present members are probed (SWIM section 4.3)."""

    def __init__(self, me: NodeId, rng: Random, gossip_to_dead_s: float) -> None:
        self.me = me
        self.ways = Ways()
        self.place = b""
        """Where this node stands, as it travels (see `coordinate`); empty while nobody has said so."""
        self.members: dict[NodeId, Member] = {}
        self._rng = rng
        self._shorts: dict[bytes, NodeId] = {}
        self._ring: list[Member] = []
        self._next = 0
        self._listener = 0
        self._alive: tuple[NodeId, ...] | None = ()
        self._fresh_dead: dict[NodeId, Member] = {}
        self._gossip_to_dead_s = gossip_to_dead_s

    @property
    def size(self) -> int:
        """Members neither dead nor left, this node included: the N of every formula."""
        return len(self._ring) + 1

    @property
    def shown_place(self) -> bytes:
        """What others are told of where this node stands: nothing while the cluster is small."""
        return self.place if self.size > DIRECT_MAX else b""

    @property
    def present(self) -> tuple[Member, ...]:
        """Members neither dead nor left, in the order of the ring."""
        return tuple(self._ring)

    @property
    def alive(self) -> tuple[NodeId, ...]:
        """Members in state alive, in ascending order; worked out anew only when somebody's state has changed."""
        if self._alive is None:
            self._alive = tuple(sorted([member.node for member in self._ring if member.state is State.ALIVE]))
        return self._alive

    @property
    def has_alive(self) -> bool:
        """Whether anybody is in state alive; the first that is looked at usually is."""
        return any(member.state is State.ALIVE for member in self._ring)

    @property
    def has_listeners(self) -> bool:
        """Whether there is anybody to tell anything."""
        return bool(self._within_reach or self._fresh_dead)

    def by_short(self, short: bytes) -> NodeId | None:
        return self._shorts.get(short)

    def add(self, member: Member) -> Member | None:
        """Take in a new member. Returns whoever had to make room; raises RosterFullError if nobody can."""
        evicted = None
        if len(self.members) >= MEMBERS_MAX:
            evicted = min((gone for gone in self.members.values() if not gone.present), key=_since, default=None)
            if evicted is None:
                raise RosterFullError(f"there are {MEMBERS_MAX} members already: a new one is refused")
            self.remove(evicted.node)
        self.members[member.node] = member
        self._alive = None
        self._shorts.setdefault(member.node[:SHORT_BYTES], member.node)
        self._into_ring(member)
        return evicted

    def remove(self, node: NodeId) -> None:
        """Forget a member altogether."""
        member = self.members.pop(node)
        self._alive = None
        if self._shorts.get(node[:SHORT_BYTES]) == node:
            del self._shorts[node[:SHORT_BYTES]]
        self._fresh_dead.pop(node, None)
        if member.present:
            self._out_of_ring(member)

    def turn(self, member: Member, happening: Happening, now: float) -> State:
        """Let something happen to a member; returns the state it had."""
        old, new = member.state, LIFE_CYCLE[member.state][happening]
        if new is old:
            return old
        self._alive = None
        was_present = member.present
        member.state, member.since = new, now
        if was_present and not member.present:
            self._out_of_ring(member)
        if member.present and not was_present:
            self._into_ring(member)
        self._fresh_dead.pop(member.node, None)
        if new is State.DEAD:
            self._fresh_dead[member.node] = member
        return old

    def next_to_probe(self) -> Member | None:
        """Round robin over the ring, which is shuffled anew after each round: so a dead node is noticed after at most
        2N - 1 intervals, and nobody can tell who is next."""
        if not self._ring:
            return None
        if self._next >= len(self._ring):
            self._rng.shuffle(self._ring)
            self._next = 0
        member = self._ring[self._next]
        self._next += 1
        return member

    def pick(self, count: int, avoid: NodeId | None = None) -> list[Member]:
        """At most `count` distinct present members at random, but not `avoid`."""
        return self._draw(self._within_reach, count, avoid)

    def next_listeners(self, count: int, now: float) -> list[Member]:
        """For gossip: whoever comes next in the ring, those who died lately included, since they should hear what is
        said about them. memberlist draws at random; in turn, a piece that is sent four times reaches four, and fewer
        members of a small cluster miss it."""
        while self._fresh_dead:
            oldest = next(iter(self._fresh_dead.values()))
            if oldest.since + self._gossip_to_dead_s > now:
                break
            del self._fresh_dead[oldest.node]
        ring = self._within_reach
        candidates = [*ring, *self._fresh_dead.values()] if self._fresh_dead else ring
        size = len(candidates)
        listeners = [candidates[(self._listener + step) % size] for step in range(min(count, size))]
        self._listener = (self._listener + len(listeners)) % max(1, size)
        return listeners

    def pick_dead(self, count: int) -> list[Member]:
        """Some of the dead, to be looked for. Linear in the table if there are any, or have left: for use once in a
        reconnect interval."""
        dead = [member for member in self._gone if member.state is State.DEAD]
        return self._draw(dead, count, None)

    def gone_since(self, instant: float) -> list[Member]:
        """The dead and the left that have been so since before an instant. Linear, like `pick_dead`."""
        return [member for member in self._gone if member.since <= instant]

    @property
    def _gone(self) -> list[Member]:
        if len(self.members) == len(self._ring):
            return []
        return [member for member in self.members.values() if not member.present]

    @property
    def _within_reach(self) -> list[Member]:
        """Linear only for nodes from which somebody is cut off."""
        cut_off = self.ways.cut_off
        return [member for member in self._ring if member.node not in cut_off] if cut_off else self._ring

    def _draw(self, candidates: list[Member], count: int, avoid: NodeId | None) -> list[Member]:
        drawn = self._rng.sample(range(len(candidates)), min(len(candidates), count + (avoid is not None)))
        members = [candidates[at] for at in drawn]
        return [member for member in members if member.node != avoid][:count]

    def _into_ring(self, member: Member) -> None:
        """A new member is inserted at a random place, so that a crowd of joiners is not probed in one row."""
        at = self._rng.randrange(len(self._ring) + 1)
        self._ring.insert(at, member)
        if at < self._next:
            self._next += 1

    def _out_of_ring(self, member: Member) -> None:
        at = self._ring.index(member)
        del self._ring[at]
        if at < self._next:
            self._next -= 1


def _since(member: Member) -> float:
    return member.since
