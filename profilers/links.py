"""Links heard: the rows of link figures that other nodes measured of the ways towards themselves."""

import math
from collections.abc import Iterator

from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass
from pnode.protocol.view import LinkFigure

from .bandwidth import BYTES_PER_S_MAX, BYTES_PER_S_MIN
from .delay import RTT_S_MAX
from .recent import Recent

ROWS_MAX = 512
"""Rows are heard of a neighbourhood (about 64 nodes), not of a whole large cluster; these take 10 MB at most."""

FIGURES_MAX = 64
"""Of one row: what `view.Profile.my_figures` may give."""

HALF_LIFE_S = 600.0
"""Confidence in a row halves in this time; the author's own ageing is in its figures already."""

ROW_AGE_S_MAX = 3600.0
"""A row that was not renewed for an hour is not believed at all: its author says it anew every five minutes."""


@dataclass(frozen=True, slots=True)
class _Row:
    figures: dict[NodeId, LinkFigure]
    at_s: float


class HeardLinks:
    """What others say of the links towards themselves, within bounds and aged."""

    def __init__(self) -> None:
        self._rows: Recent[NodeId, _Row] = Recent(ROWS_MAX)

    def observe(self, node: NodeId, figures: tuple[LinkFigure, ...], now: float) -> None:
        """A row replaces the author's last one. Figures that no link can have are not taken."""
        sound = (figure for figure in figures[:FIGURES_MAX] if figure.source != node and _is_sound(figure))
        self._rows.put(node, _Row({figure.source: figure for figure in sound}, now))

    def estimate(self, source: NodeId, target: NodeId, now: float) -> tuple[LinkFigure, float] | None:
        """What the target said of that way, and the confidence that is left of it; None if nothing that counts."""
        row = self._rows.get(target)
        if row is None or now - row.at_s > ROW_AGE_S_MAX:
            return None
        figure = row.figures.get(source)
        if figure is None:
            return None
        return figure, figure.confidence * math.exp2(-max(0.0, now - row.at_s) / HALF_LIFE_S)

    def age_s(self, node: NodeId, now: float) -> float | None:
        """How long ago a node measured what its row says."""
        row = self._rows.get(node)
        return None if row is None else max(0.0, now - row.at_s)

    def figures(self, now: float) -> Iterator[LinkFigure]:
        """Everything that counts, row by row, not aged."""
        for row in self._rows.values():
            if now - row.at_s <= ROW_AGE_S_MAX:
                yield from row.figures.values()

    def forget(self, node: NodeId) -> None:
        """The node's row and what others said of it."""
        self._rows.drop(node)
        for row in self._rows.values():
            row.figures.pop(node, None)


def _is_sound(figure: LinkFigure) -> bool:
    """False for NaN too: a lying or broken node must not bend the beliefs about everybody's links."""
    return (
        0.0 <= figure.latency_s <= RTT_S_MAX
        and (
            figure.bandwidth_bytes_per_s == 0.0 or BYTES_PER_S_MIN <= figure.bandwidth_bytes_per_s <= BYTES_PER_S_MAX
        )
        and 0.0 < figure.confidence <= 1.0
    )
