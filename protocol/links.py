"""Links: what a node measured of the ways towards itself, when that is news, and how it travels as a row."""

import math
from collections.abc import Callable, Iterable

from .codec import encode
from .coordinate import unpack_coordinate
from .ids import NodeId
from .swim import FIGURE_BODY_BYTES_MAX, LINKS_MAX, SHORT_BYTES, LinkCell, LinkRow
from .values import dataclass
from .view import LinkFigure

LINKS_PERIOD_S = 5.0
"""Delays hardly change, and the first row must be out within 5 s of joining."""

LINKS_PERIOD_S_MAX = 60.0
"""From row to row the pause is doubled up to here: in the first minutes delays and bandwidths become known, and all
followers are told a kilobyte each time."""

LINKS_REFRESH_S = 300.0
"""A row that says nearly what the last one said is only sent again after this: a reader's confidence in it has fallen
to seven tenths then (`profilers.links`). Rows are long, and there is one of each node."""

LINKS_ALIKE = 0.2
LINKS_ALIKE_S = 0.0005
"""Latencies and bandwidths that differ by less than this share are nearly the same: it is their noise. So are
latencies that differ by less than half a millisecond, which no task notices."""

CROWD_LINKS_MAX = 16
"""In a row that says where its node stands: delays follow from that, so it names the sources whose bandwidth is known
best and nobody else. What every node keeps of the others and passes on grows with their number as it is."""

FIELD_MAX = 2**32 - 1
"""What a LinkCell has room for."""


@dataclass(frozen=True, slots=True)
class Links:
    """What a node measured of the ways towards itself, by `measured_at`."""

    node: NodeId
    version: int
    figures: tuple[LinkFigure, ...]
    measured_at: float
    place: bytes = b""
    """Where the node stands, if it says so (see `coordinate`)."""

    def worth_saying(self, last: "Links") -> bool:
        """Whether a node that said that last should say this now."""
        said_s = self.measured_at - last.measured_at
        if said_s < LINKS_PERIOD_S or said_s >= LINKS_REFRESH_S:
            return said_s >= LINKS_REFRESH_S
        return not _alike(self.figures, last.figures) or _moved(self.place, last.place)

    def row(self, boot: int) -> bytes:
        """As they travel; the last of them are left out where the row gets too long."""
        cells = [_cell(figure) for figure in self.figures[:LINKS_MAX]]
        while len(body := self._spelt(boot, cells)) > FIGURE_BODY_BYTES_MAX:
            del cells[-1]
        return body

    def _spelt(self, boot: int, cells: list[LinkCell]) -> bytes:
        return encode(LinkRow(self.node[:SHORT_BYTES], boot, self.version, tuple(cells), self.place))


@dataclass(frozen=True, slots=True)
class LinksHeard:
    """A newer row of another node."""

    links: Links


def in_a_crowd(figures: Iterable[LinkFigure]) -> tuple[LinkFigure, ...]:
    """What of a row is said beside a place."""
    return tuple([figure for figure in figures if figure.bandwidth_bytes_per_s])[:CROWD_LINKS_MAX]


def links_of(node: NodeId, row: LinkRow, measured_at: float, by_short: Callable[[bytes], NodeId | None]) -> Links:
    """What a node says. Sources that we do not know yet are left out; the next row names them again."""
    named = [(by_short(cell.source), cell) for cell in row.cells]
    figures = tuple([_figure(source, cell) for source, cell in named if source is not None])
    return Links(node, row.version, figures, measured_at, row.place)


def _cell(figure: LinkFigure) -> LinkCell:
    """Rounded up, so that what was measured does not become 0, which means never measured."""
    return LinkCell(
        source=figure.source[:SHORT_BYTES],
        latency_us=min(FIELD_MAX, math.ceil(figure.latency_s * 1e6)),
        bandwidth_kb_per_s=min(FIELD_MAX, math.ceil(figure.bandwidth_bytes_per_s / 1000)),
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
        and (abs(new.latency_s - old.latency_s) <= LINKS_ALIKE_S or _near(new.latency_s, old.latency_s))
        and _near(new.bandwidth_bytes_per_s, old.bandwidth_bytes_per_s)
        for new in ours
    )


def _moved(place: bytes, said: bytes) -> bool:
    """Whether a node stands elsewhere than it said, by more than LINKS_ALIKE of its way from the middle of all."""
    here, there = unpack_coordinate(place), unpack_coordinate(said)
    if here is None or there is None:
        return here is not there
    away_s = math.dist(here.position, there.position) + abs(here.height_s - there.height_s)
    return away_s > LINKS_ALIKE_S + LINKS_ALIKE * math.hypot(*here.position, here.height_s)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= LINKS_ALIKE * max(one, other)
