"""Reaching: whether others can dial this node, and what follows if they cannot.

A node cannot see that by itself. It asks a few members to dial it back (*knock*), and believes most of them:

    unknown, open, hidden --fewer than half of those who answered did not get in--> open
    unknown, open, hidden --half or more did not--> hidden
    unknown, open, hidden --nobody answers--> as it was; asks again

A *hidden* node dials all others that are not, keeps these sessions, and names up to three of them in its record as
its *relays* (`record.NodeRecord.relays`): over the session with it a relay *summons* it to meet whoever calls. What
others make of that is in `roster.Member.by_session` and in their shells, which dial its relays after its addresses.

Asking costs the others a dial, and a lie costs us a few sessions. It is repeated from time to time, and when somebody
has accused this node, who did not reach it then.
"""

import math
from collections.abc import Mapping
from enum import Enum
from random import Random

from .bucket import Buckets
from .codec import U63, Bytes16
from .cut_off import CutOff
from .effects import Dial, Disconnect, Meet, Send
from .events import Knocked
from .frames import Frames
from .ids import NodeId
from .knocking import Knocking
from .membership import Membership, Output
from .record import RELAYS_MAX, NodeRecord
from .roster import MEMBERS_MAX, State
from .swim import SHORT_BYTES, Node
from .values import dataclass, replace

ASKED_MAX = 3
"""Members asked at a time: one that is wrong, or lies, is outvoted."""

DRAWN_MAX = 64
"""Of a thousand so many are looked at to find three that can be dialled; all, if too few of them can."""

ANSWER_S = 6.0
"""How long their answers are waited for: a session may have to be opened first, and a knock takes 2 s."""

UNKNOWN_AGAIN_S = 4.0
"""Pause of a node that has had no answer yet: until it knows, whoever cannot reach it accuses it."""

AGAIN_S = 20.0
AGAIN_S_MAX = 600.0
"""Pauses between questions of a node that is open, doubled each time."""

HIDDEN_AGAIN_S = 60.0
"""The same of one that is hidden: it costs others a connection that is kept for it, and it may have moved."""

ACCUSED_AGAIN_S = 10.0
"""After an accusation it is asked, but not more often than this."""

MOVED_S = 3.0
"""How long after its addresses have changed a node asks: who is asked dials those of the record that it knows."""

KEPT_MAX = 64
"""Sessions that a hidden node keeps: one neighbourhood. Others reach it through its relays."""

DIALS_MAX = 4
"""Begun per turn, so that all that a node knows is not dialled in one moment."""

TURN_S = 1.0
"""How often a hidden node looks after its sessions."""

REDIAL_S = 2.0
REDIAL_S_MAX = 60.0
"""Pauses between dials of a member that cannot be reached, doubled each time."""

SUMMONS_PER_S = 8
SUMMONS_BURST = 32
"""Of one relay: half of a neighbourhood may call us when another relay dies; and who fetches small files by eights
has us come up to seven times a second, and waits for SUMMON_S if we do not. Each makes us dial the addresses of its
record. Of one caller a relay passes on an eighth (`switchboard.CALLS_PER_S`)."""

FRESH_S = 3.0
"""A session through a relay that was opened so lately is not to blame for silence: both ends may have given up the
one before, at different moments."""

DOUBTED_MAX = 64
"""Relays remembered for having been of no use lately."""


@dataclass(frozen=True, slots=True)
class TryMe:
    """Can you dial me? Try the addresses of my record."""

    nonce: U63


@dataclass(frozen=True, slots=True)
class Tried:
    """Whether I got in."""

    nonce: U63
    reached: bool


@dataclass(frozen=True, slots=True)
class Summon:
    """Somebody cannot dial you, and calls through me; or I want content of yours, if I am the caller myself. Dial me
    and show this ticket."""

    ticket: Bytes16
    caller: Node


Message = TryMe | Tried | Summon

FRAMES: dict[int, type] = {86: TryMe, 87: Tried, 88: Summon}


class Reach(Enum):
    """Whether others can dial this node; the value is what people read."""

    UNKNOWN = "unknown"
    OPEN = "open"
    HIDDEN = "hidden"


class Finding(Enum):
    """What can be found out."""

    REACHED = "most of those who answered got in"
    LOCKED = "half of them or more did not"
    SILENCE = "nobody answered"


NEXT: dict[Reach, dict[Finding, Reach]] = {
    state: {Finding.REACHED: Reach.OPEN, Finding.LOCKED: Reach.HIDDEN, Finding.SILENCE: state} for state in Reach
}


class Reaching:
    """The machine of one member. `sessions` are the open ones: with whom, and through whom."""

    def __init__(self, membership: Membership, sessions: Mapping[NodeId, NodeId | None], rng: Random) -> None:
        self.state = Reach.UNKNOWN
        self.testimony: dict[NodeId, bool] = {}
        """Who tried last, and whether it got in."""
        self._membership = membership
        self._sessions = sessions
        self._rng = rng
        self._is_news = True
        """Whether something has become of a member since it was looked at who names this node as its relay."""
        self._ask_at = math.inf
        self._asked_at = -math.inf
        self._asked: dict[NodeId, bool | None] = {}
        """In this round: the answer of each; None while there is none."""
        self._nonce = 0
        self._ends_at = math.inf
        self._pause_s = AGAIN_S
        self._turn_at = math.inf
        self._incarnation = membership.record.incarnation
        """Of our own record when we looked last: it rises when somebody accuses us."""
        self._redial: dict[NodeId, tuple[float, float]] = {}
        """Members that we could not dial: not before, and how long to wait the next time."""
        self._knocking = Knocking(membership)
        self._cut_off = CutOff(membership, sessions)
        self._opened: dict[NodeId, tuple[float, int]] = {}
        """When sessions that go through relays were opened, and how often the other side had been silent by then
        (`roster.Member.route` moves on with each probe that is not answered)."""
        self._doubted: dict[NodeId, float] = {}
        """Relays through which somebody was not reached, and when that was; the latest last."""
        self._frames = Frames(FRAMES)
        self._summon_budgets = Buckets(SUMMONS_PER_S, SUMMONS_BURST, MEMBERS_MAX)

    @property
    def deadline(self) -> float:
        return min(self._ask_at, self._ends_at, self._turn_at)

    def relays_of(self, node: NodeId) -> tuple[NodeId, ...]:
        """Through whom a member can be reached, best first; nobody if it is to be dialled itself."""
        record = self._membership.record_of(node)
        if record is None or not record.relays:
            return ()
        named = [self._membership.by_short(short) for short in record.relays]
        usable = [relay for relay in named if relay is not None and relay != node and self._can_dial(relay)]
        return tuple(sorted(usable, key=self._doubts))

    # ---- what happens

    def met(self, now: float) -> None:
        """Somebody is alive: whoever knows nothing yet, or had nobody to ask when it was time, asks now."""
        self._is_news = True
        if not self._asked and (self.state is Reach.UNKNOWN or self._ask_at == math.inf):
            self._ask_at = min(self._ask_at, now)

    def left(self, node: NodeId) -> list[Output]:
        """Somebody is suspect, or gone: sessions that go through it are given up before they are missed."""
        self._is_news = True
        return [_another_way(peer) for peer, via in self._sessions.items() if via == node]

    def is_cut_off(self, node: NodeId, now: float) -> bool:
        """Whether a word of membership is not worth trying to open a session for, once more, already."""
        return self._cut_off.covers(node, now)

    def moved(self, now: float) -> None:
        """This node listens elsewhere from now on, and its record says so: ask once that is known. Answers that are
        still to come are about where it listened."""
        self._incarnation = self._membership.record.incarnation
        self._asked, self._ends_at = {}, math.inf
        self._ask_at, self._pause_s = now + MOVED_S, AGAIN_S

    def dial_failed(self, node: NodeId, now: float) -> None:
        """Somebody could not be reached."""
        self._cut_off.failed(node, now)

    def session_opened(self, peer: NodeId, now: float) -> None:
        """There is a session."""
        self._cut_off.reached(peer)
        self._opened = {node: opened for node, opened in self._opened.items() if node in self._sessions}
        member = self._membership.members.get(peer)
        if member is not None and self._sessions.get(peer) is not None:
            self._opened[peer] = (now, member.route)

    def look(self, now: float) -> list[Output]:
        """Call about once a second: ask soon if somebody has accused us, and leave relays that are deaf."""
        self._cut_off.tell()
        if self._is_news:
            self._count_clients()
        incarnation, self._incarnation = self._incarnation, self._membership.record.incarnation
        if incarnation < self._incarnation and self._ends_at == math.inf:
            self._ask_at = min(self._ask_at, max(now, self._asked_at + ACCUSED_AGAIN_S))
        silent = [node for node in self._opened if self._is_silent(node, now)]
        for node in silent:
            self._doubt(self._sessions[node], now)
        return [*map(_another_way, silent)]

    def message(self, peer: NodeId, message: Message, now: float) -> list[Output]:
        """A message of FRAMES from a member."""
        match message:
            case TryMe():
                return [*self._knocking.asked(peer, message.nonce, now)]
            case Tried():
                return self._tried(peer, message, now)
            case Summon() if self._summon_budgets.take(peer, now):
                return [Meet(peer, message.ticket, NodeId(message.caller))]
        return []

    def knocked(self, event: Knocked, now: float) -> list[Output]:
        """We have tried to dial somebody who wanted to know."""
        return [self._send(event.peer, Tried(event.nonce, event.reached)), *self._knocking.ended(event.peer, now)]

    def tick(self, now: float) -> list[Output]:
        outputs: list[Output] = []
        if self._ends_at <= now:
            outputs += self._conclude(now)
        if self._ask_at <= now:
            outputs += self._ask(now)
        if self._turn_at <= now:
            self._turn_at = now + TURN_S
            outputs += [*self._dials(now), *self._name_relays(now)]
        return outputs

    # ---- asking

    def _ask(self, now: float) -> list[Output]:
        """Begin a round. As long as nothing is known those with whom there is a session are asked: it costs nothing,
        and others may be hidden and not know it yet either."""
        alive = self._membership.alive()
        near = [node for node in alive if node in self._sessions] if self.state is Reach.UNKNOWN else []
        drawn = near or self._rng.sample(alive, min(DRAWN_MAX, len(alive)))
        candidates = [*filter(self._can_dial, drawn)]
        if len(candidates) < (1 if near else ASKED_MAX):
            candidates = [*filter(self._can_dial, alive)]
        self._ask_at = math.inf
        if not candidates:
            return []
        self._asked = dict.fromkeys(self._rng.sample(candidates, min(ASKED_MAX, len(candidates))))
        self._nonce, self._asked_at, self._ends_at = self._rng.getrandbits(62), now, now + ANSWER_S
        return [self._send(node, TryMe(self._nonce)) for node in self._asked]

    def _tried(self, peer: NodeId, message: Tried, now: float) -> list[Output]:
        if message.nonce != self._nonce or peer not in self._asked:
            return []
        self._asked[peer] = message.reached
        return self._conclude(now) if None not in self._asked.values() else []

    def _conclude(self, now: float) -> list[Output]:
        """The round is over."""
        self.testimony = {node: reached for node, reached in self._asked.items() if reached is not None}
        self._asked, self._ends_at = {}, math.inf
        before, self.state = self.state, NEXT[self.state][self._finding()]
        self._pause_s = AGAIN_S if self.state is not before else min(2 * self._pause_s, AGAIN_S_MAX)
        self._ask_at = now + self._until_next_s()
        self._turn_at = now if self.state is Reach.HIDDEN else math.inf
        if self.state is not Reach.HIDDEN:
            self._redial.clear()
            return self._say(self._membership.record, (), now)
        return []

    def _until_next_s(self) -> float:
        match self.state:
            case Reach.UNKNOWN:
                return UNKNOWN_AGAIN_S
            case Reach.HIDDEN:
                return HIDDEN_AGAIN_S
            case Reach.OPEN:
                return self._pause_s

    def _finding(self) -> Finding:
        answers = list(self.testimony.values())
        if not answers:
            return Finding.SILENCE
        return Finding.LOCKED if 2 * answers.count(False) >= len(answers) else Finding.REACHED

    # ---- being hidden

    def _dials(self, now: float) -> list[Output]:
        """Open the sessions that are to be kept; one through a relay is no substitute for a direct one."""
        kept = [node for node in self._membership.alive() if self._can_dial(node)]
        kept.sort(key=self._is_apart)
        apart = [node for node in kept[:KEPT_MAX] if self._is_apart(node)]
        self._redial = {node: self._redial.get(node, (now, REDIAL_S)) for node in apart}
        due = [node for node, (when, _) in self._redial.items() if when <= now][:DIALS_MAX]
        for node in due:
            pause_s = self._redial[node][1]
            self._redial[node] = (now + pause_s, min(2 * pause_s, REDIAL_S_MAX))
        return [Dial(record.addresses, node) for node in due if (record := self._membership.record_of(node))]

    def _name_relays(self, now: float) -> list[Output]:
        """Those named already, as long as there is a session with them. That somebody suspects one of them is none of
        it: all its clients would sign and spread new records, and again when it has answered."""
        record = self._membership.record
        stay = [short for short in record.relays if self._relays(self._membership.by_short(short))]
        able = [node[:SHORT_BYTES] for node in self._membership.alive() if self._relays(node)]
        new = [short for short in able if short not in stay]
        chosen = (*stay, *self._rng.sample(new, min(len(new), RELAYS_MAX - len(stay))))
        return self._say(record, chosen, now) if chosen else []  # whoever was named may come back

    def _relays(self, node: NodeId | None) -> bool:
        """Whether a member is fit to relay."""
        if node is None or self._is_apart(node) or not self._can_dial(node):
            return False
        return self._membership.state_of(node) in (State.ALIVE, State.SUSPECT)

    def _say(self, record: NodeRecord, relays: tuple[bytes, ...], now: float) -> list[Output]:
        if record.relays == relays or self._membership.state_of(self._membership.me) is not State.ALIVE:
            return []
        outputs = self._membership.update_record(replace(record, relays=relays), now)
        self._incarnation = self._membership.record.incarnation
        return outputs

    def _send(self, peer: NodeId, message: Message) -> Send:
        return Send(peer, self._frames.encode(message))

    def _is_silent(self, node: NodeId, now: float) -> bool:
        """Whether nothing comes back through the relay of a session that is not new: our own last probe was not
        answered, whatever others say of that member."""
        member, via = self._membership.members.get(node), self._sessions.get(node)
        opened_at, route = self._opened[node]
        if member is None or via is None or now - opened_at < FRESH_S:
            return False
        return not member.proven and member.route != route

    def _doubt(self, relay: NodeId | None, now: float) -> None:
        assert relay is not None, "the session goes through one"
        self._doubted.pop(relay, None)
        self._doubted[relay] = now
        if len(self._doubted) > DOUBTED_MAX:
            del self._doubted[next(iter(self._doubted))]

    def _doubts(self, relay: NodeId) -> tuple[bool, float]:
        """Smaller for a better one."""
        return self._membership.state_of(relay) is not State.ALIVE, self._doubted.get(relay, -math.inf)

    def _count_clients(self) -> None:
        self._is_news = False
        me, members = self._membership.me[:SHORT_BYTES], self._membership.members.values()
        self._membership.ways.clients = sum(me in member.record.relays for member in members if member.present)

    def _is_apart(self, node: NodeId) -> bool:
        """Whether there is no direct session."""
        return self._sessions.get(node, node) is not None

    def _can_dial(self, node: NodeId | None) -> bool:
        """Whether it is another member, and not hidden itself."""
        if node is None or node == self._membership.me:
            return False
        record = self._membership.record_of(node)
        return record is not None and not record.relays


def _another_way(peer: NodeId) -> Disconnect:
    return Disconnect(peer, "another way is tried")
