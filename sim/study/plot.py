"""Plots of a study's table: how the ratios of each mapper are spread, and how a figure goes with a parameter."""

from collections.abc import Sequence
from dataclasses import dataclass

from .axis import Axis, label, spanning
from .drawing import DASHES, PALETTE, TEXT_PX, Drawing, fitted, text_px
from .layout import number
from .summary import numbers, parameters, quantiles
from .table import Table, Value

WIDTH = 760.0
MARGIN = 16.0
NAME_PX_MAX = 200.0
TITLE = 40.0
BOTTOM = 46.0

BOX = 34.0
"""Height of a mapper's place in the plot of ratios."""

POINTS_MAX = 300
"""Of one mapper; beyond, every so many-th is drawn, since more would be a smear and a slow page."""

HEIGHT = 320.0
"""Of the plot over a parameter."""

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
    by_mapper = _by_mapper(table, figure)
    left = MARGIN + 8 + max(text_px(fitted(name, NAME_PX_MAX)) for name in by_mapper)
    bottom = TITLE + BOX * len(by_mapper)
    every = [value for values in by_mapper.values() for value in values]
    axis = spanning(every, left, WIDTH - MARGIN)
    drawing = Drawing(WIDTH, bottom + BOTTOM, f"{_title(figure)} by mapper")
    title = f"{_title(figure)}: median, quartiles, p10 and p90 of {_counts(by_mapper)}"
    drawing.text(MARGIN, 22, fitted(title, WIDTH - 2 * MARGIN, 13), size_px=13, bold=True)
    for tick in axis.ticks(8):
        x = axis.px(tick)
        drawing.line(x, TITLE, x, bottom + 4, "faint")
        drawing.text(x, bottom + 17, label(tick), "middle", 11)
    if figure == "ratio" and axis.low < 1 < axis.high:
        drawing.line(axis.px(1), TITLE, axis.px(1), bottom, "edge", "as the baseline", 1.2)
    drawing.text((left + WIDTH - MARGIN) / 2, bottom + 38, _title(figure), "middle")
    for at, (mapper, values) in enumerate(by_mapper.items()):
        middle = TITLE + BOX * (at + 0.5)
        drawing.text(left - 8, middle + TEXT_PX / 3, fitted(mapper, NAME_PX_MAX), "end")
        _draw_spread(drawing, axis, middle, mapper, values, at % len(PALETTE))
    return drawing.svg()


def _counts(by_mapper: dict[str, list[float]]) -> str:
    counts = [len(values) for values in by_mapper.values()]
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


@dataclass(frozen=True, slots=True)
class Point:
    """What a mapper's runs with one value of the parameter come to."""

    at: Value
    median: float
    p10: float
    p90: float
    runs: int


def lines_svg(table: Table, parameter: str, figure: str = "ratio") -> str:
    """Per mapper the median over a parameter, in a band from p10 to p90. Raises PlotError."""
    lines = {mapper: _points(table, mapper, parameter, figure) for mapper in _by_mapper(table, figure)}
    places = _places([point.at for points in lines.values() for point in points], parameter)
    values = [value for points in lines.values() for point in points for value in (point.p10, point.p90)]
    names = max(text_px(fitted(name, NAME_PX_MAX)) for name in lines)
    across = spanning(list(places.values()), 74, WIDTH - MARGIN - names - 26)
    up = spanning(values, TITLE + HEIGHT, TITLE)
    drawing = Drawing(WIDTH, TITLE + HEIGHT + BOTTOM, f"{_title(figure)} over {parameter}")
    title = f"{_title(figure)} over {parameter}: median, band from p10 to p90"
    drawing.text(MARGIN, 22, fitted(title, WIDTH - 2 * MARGIN, 13), size_px=13, bold=True)
    _draw_axes(drawing, across, up, places, (parameter, _title(figure)))
    for at, points in enumerate(lines.values()):
        spots = [(across.px(places[point.at]), point) for point in points]
        band = [(x, up.px(point.p10)) for x, point in spots] + [(x, up.px(point.p90)) for x, point in spots[::-1]]
        drawing.polygon(band, f"fill{at % len(PALETTE)}", opacity=0.12)
    for at, (mapper, points) in enumerate(lines.items()):
        spots = [(across.px(places[point.at]), point) for point in points]
        colour = at % len(PALETTE)
        drawing.polyline([(x, up.px(point.median)) for x, point in spots], f"line{colour}", DASHES[colour])
        for x, point in spots:
            drawing.circle(x, up.px(point.median), 3.5, f"fill{colour}", _hint(mapper, parameter, point))
        _draw_key(drawing, across.end_px + 14, TITLE + 10 + 20 * at, mapper, colour)
    return drawing.svg()


def _draw_axes(drawing: Drawing, across: Axis, up: Axis, places: dict[Value, float], names: tuple[str, str]) -> None:
    """The lines behind, with their numbers; `names` of what goes across and of what goes up."""
    bottom = up.begin_px
    for tick in up.ticks(8):
        y = up.px(tick)
        drawing.line(across.begin_px - 4, y, across.end_px, y, "faint")
        drawing.text(across.begin_px - 8, y + 4, label(tick), "end", 11)
    last = -1e9
    for value, place in places.items():
        x, shown = across.px(place), fitted(_shown(value), 90, 11)
        half = text_px(shown, 11) / 2
        drawing.line(x, bottom, x, bottom + 4, "edge")
        if x - half > last + 4:  # labels that would lie over each other are left out
            drawing.text(x, bottom + 18, shown, "middle", 11)
            last = x + half
    drawing.text((across.begin_px + across.end_px) / 2, bottom + 38, names[0], "middle")
    drawing.text(20, (up.begin_px + up.end_px) / 2, names[1], "middle", upright=False)


def _draw_key(drawing: Drawing, x: float, y: float, mapper: str, colour: int) -> None:
    drawing.polyline([(x, y), (x + 22, y)], f"line{colour}", DASHES[colour])
    drawing.text(x + 26, y + TEXT_PX / 3, fitted(mapper, NAME_PX_MAX))


def _by_mapper(table: Table, figure: str) -> dict[str, list[float]]:
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


def _points(table: Table, mapper: str, parameter: str, figure: str) -> list[Point]:
    """In order of the parameter."""
    if parameter not in table.names:
        raise PlotError(
            f"the table has no parameter {parameter!r}; known are {', '.join(parameters(table)) or 'none'}"
        )
    groups: dict[Value, list[tuple[Value, ...]]] = {}
    at, whose = table.names.index(parameter), table.names.index("mapper")
    for row in table.rows:
        if row[whose] == mapper and row[at] is not None:
            groups.setdefault(row[at], []).append(row)
    points: list[Point] = []
    for value, rows in groups.items():
        known = numbers(Table(table.names, tuple(rows)), figure)
        if known:
            p10, median, p90 = quantiles(known, 0.1, 0.5, 0.9)
            points.append(Point(value, median, p10, p90, len(known)))
    return sorted(points, key=lambda point: _order(point.at))


def _places(values: Sequence[Value], parameter: str) -> dict[Value, float]:
    """Numbers stand where they belong, words one after the other."""
    known = sorted(dict.fromkeys(values), key=_order)
    if len(known) < 2:
        raise PlotError(
            f"the parameter {parameter!r} has {len(known)} values in the table, a line needs at least two"
        )
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return {value: float(value) for value in known if isinstance(value, int | float)}
    return {value: float(at) for at, value in enumerate(known)}


def _order(value: Value) -> tuple[bool, float, str]:
    """Numbers first, by size; then words."""
    return (False, float(value), "") if isinstance(value, int | float) else (True, 0.0, str(value))


def _shown(value: Value) -> str:
    return label(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _title(figure: str) -> str:
    return TITLES.get(figure, figure)


def _hint(mapper: str, parameter: str, point: Point) -> str:
    return (
        f"{mapper}, {parameter} {_shown(point.at)}: median {number(point.median)}, p10 {number(point.p10)}, "
        f"p90 {number(point.p90)}, {point.runs} runs"
    )
