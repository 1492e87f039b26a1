"""Gossip of figures: how busy every node is, and how far from each other they are.

Each node says at most once a second how busy it is and every five seconds what it measured of the ways towards
itself. A figure is passed on like any broadcast, from a queue of its own that gets what room the news of membership
leaves, and carries its age: every hop adds how long it held the figure. It is not signed (a signature would take
three times the bytes of a load figure); so a relay could lie. Two rules bound what that is worth: `boot` must be the
one in the node's signed record, and what a node says itself always beats what others said of it. Whoever acts on a
figure asks the node itself before it counts on it.

Cost: bytes/s per node = (N / period) * retransmit_limit * size, so about 5 kB/s for 16 nodes, within a ceiling of
21 kB/s given by packets (membership.md 3.3). Above the ceiling, from about 64 nodes, figures get older, nothing else.
"""

import math
from dataclasses import dataclass

from .broadcast import Broadcasts
from .codec import decode, encode
from .ids import NodeId
from .roster import Roster
from .swim import (
    FIGURE_BODY_BYTES_MAX,
    FIGURE_HEAD_BYTES,
    FIGURES_HEAD_BYTES,
    LINKS_MAX,
    MESSAGE_HEAD_BYTES,
    MESSAGES_MAX,
    SHORT_BYTES,
    Aged,
    LinkCell,
    LinkNews,
    LinkRow,
    LoadDelta,
    LoadNews,
    room_for,
    spell,
)
from .view import LinkFigure

LOAD_PERIOD_S = 1.0
"""Placement needs figures a second or two old (membership.md 3.3); fresher ones would only cost more."""

LINKS_PERIOD_S = 5.0
"""Delays hardly change, and the first row must be out within 5 s of joining."""

LINKS_REFRESH_S = 60.0
"""A row that says nearly what the last one said is only sent again after this."""

LINKS_ALIKE = 0.2
"""Latencies and bandwidths that differ by less than this share are nearly the same: it is their noise."""

LINKS_TURN = 5
"""Every so many gossip intervals links go before loads: else 64 nodes' loads would leave them no room at all."""

DIRECT_STEP_BACK = 10
"""A node that itself tells a version this much lower than what others told in its name is believed: they lied. Less
is a datagram that was overtaken."""

MILLIS_MAX = 2**32 - 1
COUNT_MAX = 2**16 - 1
PERCENT_MAX = 255


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a node was at `measured_at`."""

    node: NodeId
    boot: int
    version: int
    cpu_percent: float
    memory_percent: float
    running: int
    """Units."""
    queued: int
    """Units."""
    free_in_s: float
    """From `measured_at` until a core is free, running and queued work included."""
    lag_s: float
    """How late its event loop ran."""
    measured_at: float
    """By our clock: when it was heard, less its age then."""


@dataclass(frozen=True, slots=True)
class Links:
    """What a node measured of the ways towards itself, by `measured_at`."""

    node: NodeId
    version: int
    figures: tuple[LinkFigure, ...]
    measured_at: float


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
        return Aged(self.body, _millis(now - self.measured_at))


class _Shelf:
    """The newest figure of one kind from every node, and the queue of those to pass on."""

    __slots__ = ("_held", "_known", "_queue")

    def __init__(self) -> None:
        self._held: dict[NodeId, _Held] = {}
        self._known: dict[bytes, None] = {}
        self._queue: Broadcasts[_Held] = Broadcasts()

    def knows(self, body: bytes) -> bool:
        """Most of what comes is a copy of what is here already and need not be decoded."""
        return body in self._known

    def wants(self, node: NodeId, boot: int, version: int, *, direct: bool) -> bool:
        """Whether this is newer than what is here."""
        held = self._held.get(node)
        if held is None or (boot, version) > (held.boot, held.version):
            return True
        return direct and boot == held.boot and version <= held.version - DIRECT_STEP_BACK

    def put(self, node: NodeId, held: _Held, *, spread: bool) -> None:
        self.forget(node)
        self._held[node] = held
        self._known[held.body] = None
        if spread:
            self._queue.put(node, held, len(held.body) + FIGURE_HEAD_BYTES)

    def forget(self, node: NodeId) -> None:
        held = self._held.pop(node, None)
        if held is not None:
            del self._known[held.body]
            self._queue.drop(node)

    @property
    def waiting(self) -> int:
        """How many are to be passed on."""
        return len(self._queue)

    def take(self, room_bytes: int, limit: int, now: float) -> tuple[Aged, ...]:
        """Figures to pass on in a message of at most so many bytes."""
        if not self._queue:
            return ()
        room_bytes -= MESSAGE_HEAD_BYTES + FIGURES_HEAD_BYTES
        return tuple([held.aged(now) for held in self._queue.take(room_bytes, MESSAGES_MAX, limit)])

    def all_aged(self, now: float) -> list[Aged]:
        return [held.aged(now) for held in self._held.values()]


class Figures:
    """The newest figures of every member, ours included, and what of them is to be passed on."""

    def __init__(self, roster: Roster, boot: int) -> None:
        self._roster = roster
        self._boot = boot
        self._loads: dict[NodeId, Load] = {}
        self._load_shelf = _Shelf()
        self._link_shelf = _Shelf()
        self._next_load: Load | None = None
        self._next_links: Links | None = None
        self._said_links = Links(roster.me, 0, (), -LINKS_REFRESH_S)
        self._turn = 0

    def load_of(self, node: NodeId) -> Load | None:
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
        """Our own; published by the next `publish` that is a period after the last. Only the latest counts."""
        last = self._loads.get(self._roster.me)
        self._next_load = Load(
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

    def set_links(self, figures: tuple[LinkFigure, ...], now: float) -> None:
        """Our own row, the most certain figures first; published like a load."""
        self._next_links = Links(self._roster.me, self._said_links.version + 1, figures, now)

    def publish(self) -> None:
        """Put our own figures into the queues, if they are due."""
        me = self._roster.me
        load, last = self._next_load, self._loads.get(me)
        if load is not None and (last is None or load.measured_at - last.measured_at >= LOAD_PERIOD_S):
            self._next_load, self._loads[me] = None, load
            self._load_shelf.put(
                me, _Held(load.boot, load.version, encode(_delta(load)), load.measured_at), spread=True
            )
        links = self._next_links
        if links is not None and links.measured_at - self._said_links.measured_at >= LINKS_PERIOD_S:
            self._next_links = None
            self._say_links(links)

    def hear_load(self, news: Aged, relay: NodeId, now: float, *, spread: bool) -> LoadHeard | None:
        """A load came; its value if it is newer than what was known. Raises MalformedError."""
        if self._load_shelf.knows(news.body):
            return None
        delta = decode(LoadDelta, news.body)
        node = self._source(delta.node, delta.boot)
        if node is None or not self._load_shelf.wants(node, delta.boot, delta.version, direct=relay == node):
            return None
        measured_at = now - news.age_ms / 1000
        self._load_shelf.put(node, _Held(delta.boot, delta.version, news.body, measured_at), spread=spread)
        self._loads[node] = load = _load(node, delta, measured_at)
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
        self._link_shelf.put(node, _Held(row.boot, row.version, news.body, measured_at), spread=spread)
        return LinksHeard(Links(node, row.version, self._figures(row), measured_at))

    @property
    def waiting(self) -> bool:
        """Whether there is anything to pass on."""
        return bool(self._load_shelf.waiting or self._link_shelf.waiting)

    def take(self, room_bytes: int, limit: int, now: float) -> list[bytes]:
        """Figures for the rest of a packet, encoded: at most one message of each kind, loads first."""
        messages: list[bytes] = []
        for kind in (LinkNews, LoadNews) if self._turn == 0 else (LoadNews, LinkNews):
            shelf = self._load_shelf if kind is LoadNews else self._link_shelf
            figures = shelf.take(room_bytes - room_for(messages), limit, now)
            if figures:
                messages.append(spell(kind(figures)))
        return messages

    def next_turn(self) -> None:
        """A gossip interval begins: once in a while links go first."""
        self._turn = (self._turn + 1) % LINKS_TURN

    def all_loads(self, now: float) -> list[Aged]:
        """For a push-pull."""
        return self._load_shelf.all_aged(now)

    def all_rows(self, now: float) -> list[Aged]:
        """For a push-pull."""
        return self._link_shelf.all_aged(now)

    def forget(self, node: NodeId) -> None:
        self._loads.pop(node, None)
        self._load_shelf.forget(node)
        self._link_shelf.forget(node)

    def _source(self, short: bytes, boot: int) -> NodeId | None:
        """Whose figure it is; None if it is nobody's, ours, or from an earlier life."""
        node = self._roster.by_short(short)
        member = self._roster.members.get(node) if node is not None else None
        return node if member is not None and member.present and member.record.boot == boot else None

    def _say_links(self, links: Links) -> None:
        fresh = links.measured_at - self._said_links.measured_at < LINKS_REFRESH_S
        if fresh and _alike(links.figures, self._said_links.figures):
            return
        self._said_links = links
        cells = [_cell(figure) for figure in links.figures[:LINKS_MAX]]
        row = LinkRow(self._roster.me[:SHORT_BYTES], self._boot, links.version, tuple(cells))
        while len(body := encode(row)) > FIGURE_BODY_BYTES_MAX:
            row = LinkRow(row.node, row.boot, row.version, row.cells[:-1])
        self._link_shelf.put(self._roster.me, _Held(row.boot, row.version, body, links.measured_at), spread=True)

    def _figures(self, row: LinkRow) -> tuple[LinkFigure, ...]:
        """Sources that we do not know yet are left out; the next row names them again."""
        named = [(self._named(cell.source), cell) for cell in row.cells]
        return tuple([_figure(source, cell) for source, cell in named if source is not None])

    def _named(self, short: bytes) -> NodeId | None:
        me = self._roster.me
        return me if short == me[:SHORT_BYTES] else self._roster.by_short(short)


def _millis(seconds: float) -> int:
    return max(0, min(MILLIS_MAX, round(seconds * 1000)))


def _delta(load: Load) -> LoadDelta:
    return LoadDelta(
        node=load.node[:SHORT_BYTES],
        boot=load.boot,
        version=load.version,
        cpu_percent=max(0, min(PERCENT_MAX, round(load.cpu_percent))),
        memory_percent=max(0, min(PERCENT_MAX, round(load.memory_percent))),
        running=min(COUNT_MAX, load.running),
        queued=min(COUNT_MAX, load.queued),
        free_in_ms=_millis(load.free_in_s),
        lag_ms=_millis(load.lag_s),
    )


def _load(node: NodeId, delta: LoadDelta, measured_at: float) -> Load:
    return Load(
        node=node,
        boot=delta.boot,
        version=delta.version,
        cpu_percent=float(delta.cpu_percent),
        memory_percent=float(delta.memory_percent),
        running=delta.running,
        queued=delta.queued,
        free_in_s=delta.free_in_ms / 1000,
        lag_s=delta.lag_ms / 1000,
        measured_at=measured_at,
    )


def _cell(figure: LinkFigure) -> LinkCell:
    """Rounded up, so that what was measured does not become 0, which means never measured."""
    return LinkCell(
        source=figure.source[:SHORT_BYTES],
        latency_us=min(MILLIS_MAX, math.ceil(figure.latency_s * 1e6)),
        bandwidth_kb_per_s=min(MILLIS_MAX, math.ceil(figure.bandwidth_bytes_per_s / 1000)),
        confidence_percent=max(0, min(100, round(figure.confidence * 100))),
    )


def _figure(source: NodeId, cell: LinkCell) -> LinkFigure:
    return LinkFigure(
        source=source,
        latency_s=cell.latency_us / 1e6,
        bandwidth_bytes_per_s=cell.bandwidth_kb_per_s * 1000.0,
        confidence=cell.confidence_percent / 100,
    )


def _alike(ours: tuple[LinkFigure, ...], said: tuple[LinkFigure, ...]) -> bool:
    """Whether a row says nearly what was said: the same sources, and no figure off by more than LINKS_ALIKE."""
    before = {figure.source: figure for figure in said}
    return len(ours) == len(said) and all(
        (old := before.get(new.source)) is not None
        and _near(new.latency_s, old.latency_s)
        and _near(new.bandwidth_bytes_per_s, old.bandwidth_bytes_per_s)
        for new in ours
    )


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= LINKS_ALIKE * max(one, other)
