"""The interest set: whose figures this node wants to know, and when it asks for them.

Up to FOLLOWED_MAX others that is everybody. In a larger cluster it is those who are near, by measured round trip, and
some who were drawn (architecture.md, "How busy the others are", has the table of states): data moves cheaply to the
near ones, and the drawn ones keep sites from herding and let work spill over.

Whoever is followed is asked (`swim.Follow`), again and again until it has told something, and then once in a while so
that it goes on. Nobody is asked before the set was `opened`: a node that does not say how busy it is itself need not
know it of others.
"""

import math
from random import Random

from .ids import NodeId
from .roster import Member, Roster, State
from .timers import Timers, growing_s
from .values import dataclass

FOLLOWED_MAX = 64
"""The least busy of so many is among the least busy 5 % of all in 96 of 100 cases (1 - 0.95 ** 64), and what each of
them tells costs 86 bytes."""

FAR_MAX = 16
"""Of those, drawn from the rest."""

NEARER = 0.8
"""Who takes another's place is nearer by this factor at least: round trips differ by as much from burst to burst."""

RENEW_S = 60.0
"""So often is whoever tells us asked to go on: a third of a lease, so that two may be lost."""

RIDE_S = 30.0
"""After so long the question rides along where a datagram goes there anyway: loads are said as often (`load`)."""

ASK_AGAIN_S = 1.0
"""When the first question is not answered; then ever more seldom. Whoever is met in its first second may not know us
yet."""

SILENT_MAX = 3
"""After so many questions in vain to whom our pings do not reach either, the next ones go over the session: there are
networks that carry no datagrams, or lose them in one direction."""


@dataclass(slots=True)
class _Followed:
    """One of those whom we follow."""

    boot: int
    tries: int = 0
    """Questions since it was met, or came back."""
    asked_at: float = -math.inf
    told: bool = False
    """Whether it has said anything itself."""
    silent: int = 0
    """Questions since it was last heard by datagram."""


class Interest:
    """Who is in the set. Whoever changes it need not look after the rest: a place given away is filled at once."""

    def __init__(self, roster: Roster, rng: Random) -> None:
        self._roster = roster
        self._rng = rng
        self._followed: dict[NodeId, _Followed] = {}
        self._far: dict[NodeId, None] = {}
        """Who was drawn, in the order in which they were."""
        self._rtts_s: dict[NodeId, float] = {}
        self._farthest: NodeId | None = None
        """Of those who were not drawn, while no place is free: until somebody is followed, or measured, it stays the
        same. It is asked for whenever a round trip is measured, mostly in vain."""
        self._refused: dict[NodeId, float] = {}
        """Until when."""
        self._questions: Timers[NodeId] = Timers()
        self._newly: list[NodeId] = []
        self._is_open = False

    def __contains__(self, node: NodeId) -> bool:
        return node in self._followed

    @property
    def is_everybody(self) -> bool:
        """Whether there is a place for each."""
        return self._roster.size <= FOLLOWED_MAX + 1

    @property
    def deadline(self) -> float:
        """When somebody is to be asked."""
        return self._questions.deadline

    def take_newly(self) -> list[NodeId]:
        """Who is followed, or follows us, since the last call."""
        newly, self._newly = self._newly, []
        return newly

    # ---- who

    def open(self, now: float) -> None:
        """Begin to ask."""
        if not self._is_open:
            self._is_open = True
            for node in self._followed:
                self._questions.set(node, now)

    def met(self, member: Member, now: float) -> bool:
        """Somebody is alive: new, back, or with a new record. Says whether what we know of it is from an earlier
        life."""
        followed = self._followed.get(member.node)
        if followed is None:
            if len(self._followed) < FOLLOWED_MAX and self._refused.get(member.node, now) <= now:
                self._follow(member, now)
            return False
        is_reborn = followed.boot != member.record.boot
        if is_reborn:
            self._follow(member, now)
        return is_reborn

    def suspected(self, node: NodeId, now: float) -> list[NodeId]:
        """Nothing new is placed there: in a crowd somebody else takes its place. Returns who is followed no more."""
        return [] if self.is_everybody else self.gone(node, now)

    def gone(self, node: NodeId, now: float) -> list[NodeId]:
        """Somebody is dead, left or forgotten. The same."""
        self._rtts_s.pop(node, None)
        if node not in self._followed:
            return []
        self._drop(node)
        self._fill(now)
        return [node]

    def refused(self, node: NodeId, pause_s: float, now: float) -> list[NodeId]:
        """Somebody has no place for us, for so long; or says so again and again to keep us busy. The same."""
        if node not in self._followed:
            return []
        self._drop(node)
        self._refused[node] = now + max(RENEW_S, pause_s)
        self._fill(now)
        return [node]

    def measured(self, node: NodeId, rtt_s: float, now: float) -> list[NodeId]:
        """A round trip was measured. The same."""
        member = self._roster.members.get(node)
        if member is None or not member.present:
            return []
        self._rtts_s[node] = rtt_s = min(rtt_s, (rtt_s + self._rtts_s.get(node, rtt_s)) / 2)
        if node in self._followed:
            self._farthest = None
            return []
        if member.state is not State.ALIVE or self._refused.get(node, now) > now:
            return []
        if len(self._followed) < FOLLOWED_MAX:
            self._follow(member, now)
            return []
        farthest = self._farthest = self._farthest or self._farthest_near()
        if rtt_s >= NEARER * self._rtt_s(farthest):
            return []
        self._drop(farthest)
        self._follow(member, now)
        return [farthest]

    def exchange(self, now: float) -> list[NodeId]:
        """Draw somebody else instead of whoever was drawn first; or all who are to be drawn, if the cluster has only
        become a crowd. The same."""
        self._refused = {node: until for node, until in self._refused.items() if until > now}
        self._fill(now)  # whoever had no place for us may have one now
        if self.is_everybody:
            return []
        left: list[NodeId] = []
        for node in self._drawn(max(1, FAR_MAX - len(self._far)), now):
            full = len(self._far) >= FAR_MAX
            left.append(next(iter(self._far)) if full else self._farthest_near())
            self._drop(left[-1])
            self._follow(self._roster.members[node], now)
            self._far[node] = None
        return left

    # ---- asking

    def told(self, node: NodeId, *, by_session: bool = False) -> None:
        """It has said something itself: from now on it is asked to go on."""
        followed = self._followed.get(node)
        if followed is None:
            return
        if not by_session:
            followed.silent = 0
        if not followed.told:
            followed.told = True
            if followed.tries:  # else the first question is due, since nobody knows how long a lease of ours is left
                self._questions.set(node, followed.asked_at + RENEW_S)

    def has_told(self, node: NodeId) -> bool:
        followed = self._followed.get(node)
        return followed is not None and followed.told

    def wants_session(self, node: NodeId) -> bool:
        """Whether to ask it over the session."""
        followed = self._followed.get(node)
        return followed is not None and followed.silent >= SILENT_MAX and not self._roster.members[node].proven

    def meet(self, node: NodeId) -> None:
        """Somebody follows us: the way there is to be found, as to those whom we follow."""
        self._newly.append(node)

    def due(self, now: float) -> list[NodeId]:
        """Whom to ask now; counts as asked."""
        nodes = self._questions.due(now)
        for node in nodes:
            self._asked(node, now)
        return nodes

    def rides(self, node: NodeId, now: float) -> bool:
        """Whether to ask in a datagram that goes there now; then it counts as asked."""
        followed = self._followed.get(node)
        rides = self._is_open and followed is not None and now - followed.asked_at >= RIDE_S
        if rides:
            self._asked(node, now)
        return rides

    def _asked(self, node: NodeId, now: float) -> None:
        followed = self._followed[node]
        pause_s = RENEW_S if followed.told else growing_s(ASK_AGAIN_S, followed.tries, RENEW_S)
        followed.asked_at, followed.tries, followed.silent = now, followed.tries + 1, followed.silent + 1
        self._questions.set(node, now + pause_s)

    # ---- places

    def _follow(self, member: Member, now: float) -> None:
        node = member.node
        self._farthest = None
        self._followed[node] = _Followed(member.record.boot)
        self._newly.append(node)
        if self._is_open:
            self._questions.set(node, now)

    def _drop(self, node: NodeId) -> None:
        del self._followed[node]
        self._far.pop(node, None)
        self._questions.cancel(node)

    def _fill(self, now: float) -> None:
        """Give the free places to whoever is drawn."""
        free = FOLLOWED_MAX - len(self._followed)
        for node in self._drawn(free, now) if free > 0 else ():
            self._follow(self._roster.members[node], now)

    def _drawn(self, count: int, now: float) -> list[NodeId]:
        """So many at random of those who are alive and might be followed, or all of them. As many more are looked at
        as might turn out to be none of these, not all of a thousand."""
        alive = self._roster.alive
        some = min(len(alive), count + len(self._followed) + len(self._refused))
        others = [node for node in self._rng.sample(alive, some) if self._may_be_followed(node, now)]
        return others[:count]

    def _may_be_followed(self, node: NodeId, now: float) -> bool:
        return node not in self._followed and self._refused.get(node, now) <= now

    def _farthest_near(self) -> NodeId:
        """Of those who were not drawn."""
        return max((near for near in self._followed if near not in self._far), key=self._rtt_s)

    def _rtt_s(self, node: NodeId) -> float:
        """Who was never measured is the farthest."""
        return self._rtts_s.get(node, math.inf)
