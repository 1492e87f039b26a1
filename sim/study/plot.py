"""The plot of a study's table: how the ratios, or another figure, of each mapper are spread."""

from collections.abc import Sequence

from .axis import TICK_PX_MAX, Axis, label, spanning
from .drawing import PALETTE, TEXT_PX, Drawing, fitted, text_px
from .layout import number
from .summary import quantiles
from .table import Table

WIDTH = 760.0
MARGIN = 16.0
NAME_PX_MAX = 200.0
TITLE = 40.0
BOTTOM = 46.0

BOX = 34.0
"""Height of a mapper's place in the plot of ratios."""

POINTS_MAX = 300
"""Of one mapper; beyond, every so many-th is drawn, since more would be a smear and a slow page."""

TITLES = {
    "ratio": "makespan / baseline's",
    "makespan_s": "makespan (s)",
    "response_s": "mean response (s)",
    "slr": "schedule length ratio",
    "speedup": "speed-up",
    "utilisation": "utilisation",
    "bytes": "bytes moved",
}
"""What axes are called; other columns by their names."""


class PlotError(ValueError):
    """A table from which that cannot be plotted; the message says what is missing."""


def spread_svg(table: Table, figure: str = "ratio") -> str:
    """Per mapper a box from the lower to the upper quartile with the median, whiskers at p10 and p90, and the runs.

    Raises PlotError.
    """
    known = by_mapper(table, figure)
    left = MARGIN + 8 + max(text_px(fitted(name, NAME_PX_MAX)) for name in known)
    bottom = TITLE + BOX * len(known)
    every = [value for values in known.values() for value in values]
    axis = spanning(every, left, WIDTH - TICK_PX_MAX / 2)
    drawing = Drawing(WIDTH, bottom + BOTTOM, f"{axis_title(figure)} by mapper")
    title = f"{axis_title(figure)}: median, quartiles, p10 and p90 of {_counts(known)}"
    drawing.headline(MARGIN, 22, title, WIDTH - 2 * MARGIN)
    for tick in axis.ticks(8):
        x = axis.px(tick)
        drawing.line(x, TITLE, x, bottom + 4, "faint")
        drawing.text(x, bottom + 17, label(tick), "middle", 11)
    if figure == "ratio" and axis.low < 1 < axis.high:
        drawing.line(axis.px(1), TITLE, axis.px(1), bottom, "edge", "as the baseline", 1.2)
    drawing.text((axis.begin_px + axis.end_px) / 2, bottom + 38, axis_title(figure), "middle")
    for at, (mapper, values) in enumerate(known.items()):
        middle = TITLE + BOX * (at + 0.5)
        drawing.text(left - 8, middle + TEXT_PX / 3, fitted(mapper, NAME_PX_MAX), "end")
        _draw_spread(drawing, axis, middle, mapper, values, at % len(PALETTE))
    return drawing.svg()


def _counts(known: dict[str, list[float]]) -> str:
    counts = [len(values) for values in known.values()]
    return f"{counts[0]} runs each" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)} runs each"


def _draw_spread(
    drawing: Drawing, axis: Axis, middle: float, mapper: str, values: Sequence[float], colour: int
) -> None:
    p10, q1, median, q3, p90 = quantiles(values, 0.1, 0.25, 0.5, 0.75, 0.9)
    every = -(-len(values) // POINTS_MAX)
    for at, value in enumerate(values[::every]):
        y = middle + (at * 0.618034 % 1 - 0.5) * BOX * 0.6  # spread evenly, whatever their number
        drawing.circle(axis.px(value), y, 1.6, f"fill{colour}", opacity=0.35)
    hint = (
        f"{mapper}: median {number(median)}, quartiles {number(q1)} and {number(q3)}, p10 {number(p10)}, "
        f"p90 {number(p90)}, {len(values)} runs"
    )
    drawing.line(axis.px(p10), middle, axis.px(p90), middle, "edge", hint, 1.5)
    for end in (p10, p90):
        drawing.line(axis.px(end), middle - 5, axis.px(end), middle + 5, "edge", hint, 1.5)
    drawing.rect(axis.px(q1), middle - 8, max(axis.px(q3) - axis.px(q1), 1.5), 16, f"fill{colour}", hint, opacity=0.6)
    drawing.line(axis.px(median), middle - 10, axis.px(median), middle + 10, "edge", hint, 3)


def by_mapper(table: Table, figure: str) -> dict[str, list[float]]:
    """The known values of a figure."""
    for name in ("mapper", figure):
        if name not in table.names:
            raise PlotError(f"the table has no column {name!r}; it has {', '.join(table.names)}")
    found: dict[str, list[float]] = {}
    for mapper, value in zip(table.column("mapper"), table.column(figure), strict=True):
        values = found.setdefault(str(mapper), [])
        if isinstance(value, int | float):
            values.append(float(value))
    known = {mapper: values for mapper, values in found.items() if values}
    if not known:
        raise PlotError(f"no run has a {figure!r}: there is nothing to plot")
    return known


def axis_title(figure: str) -> str:
    """What an axis is called."""
    return TITLES.get(figure, figure)
