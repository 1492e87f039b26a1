"""Gossip of figures: how busy every node is, and how far from each other they are.

A figure is passed on like any broadcast, from a queue of its own that gets what room the news of membership leaves,
and carries its age: every hop adds how long it held the figure. It is not signed (a signature would take three times
the bytes of a load figure); so a relay could lie. Two rules bound what that is worth: `boot` must be the one in the
node's signed record, and what a node says itself always beats what others said of it. Whoever acts on a figure asks
the node itself before it counts on it.

A figure is *urgent* when it changes what placement goes by: it is said at most once a second, and every node passes
it on in its next gossip intervals. That is so for a load with other numbers of units, or whose queue is not what
everybody takes it for by counting down the last one (`Load.surprises`), and for the first row of a node. All others
are *quiet*: processor and memory, which move all the time, rows that differ from the last, and what is only said
again because it was said long ago. They ride along with probes and urgent news and are never a reason for a datagram,
so that a cluster in which nothing happens is nearly silent. Each relay judges by what it held before, so nobody need
say which it is. An old load is therefore no worse than a new one, as long as it would have been said again by now
(`Load.overdue_s`).

Cost: an urgent figure takes retransmit_limit * size bytes of every node, so loads that surprise every second 5 kB/s
for 16 nodes, within a ceiling of 21 kB/s given by packets (membership.md 3.3). Above the ceiling, from about 64 nodes
that are all busy, figures get older, nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .broadcast import Broadcasts
from .codec import decode, encode
from .ids import NodeId
from .links import LINKS_PERIOD_S, LINKS_REFRESH_S, Links, in_a_crowd, links_of
from .load import Load, load_of, millis
from .roster import Roster
from .swim import (
    FIGURE_HEAD_BYTES,
    FIGURES_HEAD_BYTES,
    MESSAGE_HEAD_BYTES,
    MESSAGES_MAX,
    SHORT_BYTES,
    Aged,
    LinkNews,
    LinkRow,
    LoadDelta,
    LoadNews,
    room_for,
    spell,
)
from .view import LinkFigure

__all__ = ["Figures", "Heard", "Links", "LinksHeard", "Load", "LoadHeard"]

LINKS_TURN = 5
"""In every so many packets links go before loads: else 64 nodes' loads would leave them no room at all."""

DIRECT_STEP_BACK = 10
"""A node that itself tells a version this much lower than what others told in its name is believed: they lied. Less
is a datagram that was overtaken."""


@dataclass(frozen=True, slots=True)
class LoadHeard:
    """A newer load of another node."""

    load: Load


@dataclass(frozen=True, slots=True)
class LinksHeard:
    """A newer row of another node."""

    links: Links


Heard = LoadHeard | LinksHeard


@dataclass(frozen=True, slots=True)
class _Held:
    """A figure as it is passed on."""

    boot: int
    version: int
    body: bytes
    measured_at: float

    def aged(self, now: float) -> Aged:
        return Aged(self.body, millis(now - self.measured_at))


class _Shelf:
    """The newest figure of one kind from every node, and the queues of those to pass on."""

    __slots__ = ("_held", "_known", "_quiet", "_urgent")

    def __init__(self) -> None:
        self._held: dict[NodeId, _Held] = {}
        self._known: dict[bytes, None] = {}
        self._urgent: Broadcasts[_Held] = Broadcasts()
        self._quiet: Broadcasts[_Held] = Broadcasts()

    def get(self, node: NodeId) -> _Held | None:
        return self._held.get(node)

    def knows(self, body: bytes) -> bool:
        """Most of what comes is a copy of what is here already and need not be decoded."""
        return body in self._known

    def wants(self, node: NodeId, boot: int, version: int, *, direct: bool) -> bool:
        """Whether this is newer than what is here."""
        held = self._held.get(node)
        if held is None or (boot, version) > (held.boot, held.version):
            return True
        return direct and boot == held.boot and version <= held.version - DIRECT_STEP_BACK

    def put(self, node: NodeId, held: _Held, *, spread: bool, urgent: bool) -> None:
        """Keep a figure instead of the node's last; what was urgent and has not reached everybody stays urgent."""
        urgent = urgent or node in self._urgent
        self.forget(node)
        self._held[node] = held
        self._known[held.body] = None
        if spread:
            (self._urgent if urgent else self._quiet).put(node, held, len(held.body) + FIGURE_HEAD_BYTES)

    def forget(self, node: NodeId) -> None:
        held = self._held.pop(node, None)
        if held is not None:
            del self._known[held.body]
            self._urgent.drop(node)
            self._quiet.drop(node)

    @property
    def urgent(self) -> bool:
        """Whether any is to be passed on at once."""
        return bool(self._urgent.subjects)

    @property
    def pending(self) -> bool:
        """Whether any is to be passed on."""
        return bool(self._urgent.subjects or self._quiet.subjects)

    def take(self, room_bytes: int, limit: int, now: float) -> tuple[Aged, ...]:
        """Figures to pass on in a message of at most so many bytes."""
        room_bytes -= MESSAGE_HEAD_BYTES + FIGURES_HEAD_BYTES
        figures = self._urgent.take(room_bytes, MESSAGES_MAX, limit) if self._urgent.subjects else []
        if self._quiet.subjects:
            room_bytes -= sum([len(held.body) + FIGURE_HEAD_BYTES for held in figures])
            figures += self._quiet.take(room_bytes, MESSAGES_MAX - len(figures), limit)
        return tuple([held.aged(now) for held in figures])

    def aged(self, now: float, wanted: Callable[[NodeId], bool]) -> list[Aged]:
        """The figures of those who are wanted."""
        return [held.aged(now) for node, held in self._held.items() if wanted(node)]


class Figures:
    """The newest figures of every member, ours included, and what of them is to be passed on."""

    def __init__(self, roster: Roster, boot: int) -> None:
        self._roster = roster
        self._boot = boot
        self._loads: dict[NodeId, Load] = {}
        self._load_shelf = _Shelf()
        self._link_shelf = _Shelf()
        self._said_load: Load | None = None
        self._said_links = Links(roster.me, 0, (), -LINKS_REFRESH_S)
        self._links_looked_at = -LINKS_REFRESH_S
        self._turn = 0

    def load_of(self, node: NodeId) -> Load | None:
        """What a node said last, or we measured last."""
        return self._loads.get(node)

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
            held = _Held(load.boot, load.version, encode(load.delta()), now)
            self._load_shelf.put(load.node, held, spread=True, urgent=load.surprises(last))

    def wants_links(self, now: float) -> bool:
        """Whether to look again at our own row; not at once after one that was not worth saying."""
        return now - self._links_looked_at >= LINKS_PERIOD_S

    def set_links(self, figures: tuple[LinkFigure, ...], now: float) -> None:
        """Our own row, the most certain figures first; said if it is time to."""
        self._links_looked_at = now
        place = self._roster.shown_place
        said = in_a_crowd(figures) if place else figures
        links = Links(self._roster.me, self._said_links.version + 1, said, now, place)
        if links.worth_saying(self._said_links):
            self._said_links = links
            held = _Held(self._boot, links.version, links.row(self._boot), now)
            self._put_row(links.node, held, spread=True)

    def hear_load(self, news: Aged, relay: NodeId, now: float, *, spread: bool) -> LoadHeard | None:
        """A load came; its value if it is newer than what was known. Raises MalformedError."""
        if self._load_shelf.knows(news.body):
            return None
        delta = decode(LoadDelta, news.body)
        node = self._source(delta.node, delta.boot)
        if node is None or not self._load_shelf.wants(node, delta.boot, delta.version, direct=relay == node):
            return None
        measured_at = now - news.age_ms / 1000
        load = load_of(node, delta, measured_at)
        urgent = load.surprises(self._loads.get(node))
        held = _Held(delta.boot, delta.version, news.body, measured_at)
        self._load_shelf.put(node, held, spread=spread, urgent=urgent)
        self._loads[node] = load
        return LoadHeard(load)

    def hear_links(self, news: Aged, relay: NodeId, now: float, *, spread: bool) -> LinksHeard | None:
        """The same for a row."""
        if self._link_shelf.knows(news.body):
            return None
        row = decode(LinkRow, news.body)
        node = self._source(row.node, row.boot)
        if node is None or not self._link_shelf.wants(node, row.boot, row.version, direct=relay == node):
            return None
        measured_at = now - news.age_ms / 1000
        self._put_row(node, _Held(row.boot, row.version, news.body, measured_at), spread=spread)
        return LinksHeard(links_of(node, row, measured_at, self._named))

    @property
    def urgent(self) -> bool:
        """Whether anything is to be passed on at once."""
        return self._load_shelf.urgent or self._link_shelf.urgent

    @property
    def pending(self) -> bool:
        """Whether anything is to be passed on."""
        return self._load_shelf.pending or self._link_shelf.pending

    def take(self, room_bytes: int, limit: int, now: float) -> list[bytes]:
        """Figures for the rest of a packet, encoded: at most one message of each kind, loads first but for once in a
        while."""
        messages: list[bytes] = []
        self._turn = (self._turn + 1) % LINKS_TURN
        for kind in (LinkNews, LoadNews) if self._turn == 0 else (LoadNews, LinkNews):
            shelf = self._load_shelf if kind is LoadNews else self._link_shelf
            if not shelf.pending:
                continue
            figures = shelf.take(room_bytes - room_for(messages), limit, now)
            if figures:
                messages.append(spell(kind(figures)))
        return messages

    def loads(self, now: float, wanted: Callable[[NodeId], bool] = lambda _: True) -> list[Aged]:
        """For a push-pull."""
        return self._load_shelf.aged(now, wanted)

    def rows(self, now: float, wanted: Callable[[NodeId], bool] = lambda _: True) -> list[Aged]:
        """For a push-pull."""
        return self._link_shelf.aged(now, wanted)

    def forget(self, node: NodeId) -> None:
        self._loads.pop(node, None)
        self._load_shelf.forget(node)
        self._link_shelf.forget(node)

    def _source(self, short: bytes, boot: int) -> NodeId | None:
        """Whose figure it is; None if it is nobody's, ours, or from an earlier life."""
        node = self._roster.by_short(short)
        member = self._roster.members.get(node) if node is not None else None
        return node if member is not None and member.present and member.record.boot == boot else None

    def _put_row(self, node: NodeId, held: _Held, *, spread: bool) -> None:
        last = self._link_shelf.get(node)
        self._link_shelf.put(node, held, spread=spread, urgent=last is None or last.boot != held.boot)

    def _named(self, short: bytes) -> NodeId | None:
        me = self._roster.me
        return me if short == me[:SHORT_BYTES] else self._roster.by_short(short)
