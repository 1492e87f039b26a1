"""Lines: how a figure of each mapper goes with a parameter of a study."""

from collections.abc import Mapping, Sequence

from pnode.protocol.values import dataclass

from .axis import Axis, label, spanning
from .drawing import DASHES, PALETTE, TEXT_PX, Drawing, fitted, text_px
from .layout import number
from .plot import BOTTOM, MARGIN, NAME_PX_MAX, TITLE, WIDTH, PlotError, axis_title, by_mapper
from .summary import numbers, parameters, quantiles
from .table import Table, Value

HEIGHT_MIN = 320.0

LEFT = 30.0
"""For the title of the upward axis; its numbers follow."""

KEY = 22.0
"""Length of a line beside its mapper's name."""

ROW = 20.0
"""From one name to the next."""

ASIDE = 10.0
"""Between the points of two mappers where the parameter is a word."""

Places = Mapping[Value, float]
"""Where on the axis across each value of the parameter stands."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a mapper's runs with one value of the parameter come to."""

    at: Value
    median: float
    p10: float
    p90: float
    runs: int


def lines_svg(table: Table, parameter: str, figure: str = "ratio") -> str:
    """Per mapper the median over a parameter, with p10 and p90: a line in a band over numbers, points over words.

    Raises PlotError.
    """
    lines = {mapper: _points(table, mapper, parameter, figure) for mapper in by_mapper(table, figure)}
    chart = _Chart(lines, parameter, figure)
    if chart.numeric:
        for at, points in enumerate(lines.values()):
            chart.draw_band(at, points)
        for at, points in enumerate(lines.values()):
            chart.draw_line(at, points)
    for at, (mapper, points) in enumerate(lines.items()):
        chart.draw_points(at, mapper, points)
        chart.draw_key(at, mapper)
    return chart.drawing.svg()


class _Chart:
    """The chart while it is drawn."""

    def __init__(self, lines: Mapping[str, Sequence[Point]], parameter: str, figure: str) -> None:
        self._parameter = parameter
        self._count = len(lines)
        known = _known([point.at for points in lines.values() for point in points], parameter)
        self.numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
        self._places: Places = {
            value: float(value) if self.numeric and isinstance(value, int | float) else float(at)
            for at, value in enumerate(known)
        }
        values = [value for points in lines.values() for point in points for value in (point.p10, point.p90)]
        height = max(HEIGHT_MIN, ROW * len(lines))
        self._up = spanning(values, TITLE + height, TITLE)
        left = LEFT + 12 + max(text_px(label(tick), 11) for tick in self._up.ticks(8))
        names = max(text_px(fitted(name, NAME_PX_MAX)) for name in lines)
        self._across = self._across_axis(left, WIDTH - MARGIN - names - KEY - 22)
        self.drawing = Drawing(WIDTH, TITLE + height + BOTTOM, f"{axis_title(figure)} over {parameter}")
        title = f"{axis_title(figure)} over {parameter}: median, p10 and p90"
        self.drawing.headline(MARGIN, 22, title, WIDTH - 2 * MARGIN)
        self._draw_axes(axis_title(figure))

    def _across_axis(self, begin_px: float, end_px: float) -> Axis:
        if self.numeric:
            return spanning(list(self._places.values()), begin_px, end_px)
        return Axis(-0.5, len(self._places) - 0.5, begin_px, end_px)

    def _draw_axes(self, title: str) -> None:
        """The lines behind, with their numbers."""
        across, up, bottom = self._across, self._up, self._up.begin_px
        for tick in up.ticks(8):
            y = up.px(tick)
            self.drawing.line(across.begin_px - 4, y, across.end_px, y, "faint")
            self.drawing.text(across.begin_px - 8, y + 4, label(tick), "end", 11)
        free_px = 0.0
        for value, place in self._places.items():
            x, shown = across.px(place), fitted(_shown(value), 90, 11)
            half = text_px(shown, 11) / 2
            self.drawing.line(x, bottom, x, bottom + 4, "edge")
            if x - half > free_px:  # labels that would lie over each other are left out
                self.drawing.text(x, bottom + 18, shown, "middle", 11)
                free_px = x + half + 4
        self.drawing.text((across.begin_px + across.end_px) / 2, bottom + 38, self._parameter, "middle")
        self.drawing.text(20, (up.begin_px + up.end_px) / 2, title, "middle", upright=False)

    def _x(self, at: int, point: Point) -> float:
        """Where a point of the mapper in that place lies: over a word, they stand side by side."""
        aside = 0.0 if self.numeric else (at - (self._count - 1) / 2) * ASIDE
        return self._across.px(self._places[point.at]) + aside

    def draw_band(self, at: int, points: Sequence[Point]) -> None:
        """From p10 to p90."""
        low = [(self._x(at, point), self._up.px(point.p10)) for point in points]
        high = [(self._x(at, point), self._up.px(point.p90)) for point in points]
        self.drawing.polygon([*low, *high[::-1]], f"fill{at % len(PALETTE)}", opacity=0.12)

    def draw_line(self, at: int, points: Sequence[Point]) -> None:
        """Of the medians."""
        spots = [(self._x(at, point), self._up.px(point.median)) for point in points]
        self.drawing.polyline(spots, f"line{at % len(PALETTE)}", _dash(at))

    def draw_points(self, at: int, mapper: str, points: Sequence[Point]) -> None:
        """The medians; over words also from p10 to p90, which has no band there."""
        colour = at % len(PALETTE)
        for point in points:
            x, hint = self._x(at, point), _hint(mapper, self._parameter, point)
            if not self.numeric:
                self.drawing.line(x, self._up.px(point.p10), x, self._up.px(point.p90), f"line{colour}", hint, 2)
            self.drawing.circle(x, self._up.px(point.median), 3.5, f"fill{colour}", hint)

    def draw_key(self, at: int, mapper: str) -> None:
        """Which colour is whose."""
        x, y = self._across.end_px + 14, TITLE + 10 + ROW * at
        self.drawing.polyline([(x, y), (x + KEY, y)], f"line{at % len(PALETTE)}", _dash(at))
        self.drawing.text(x + KEY + 6, y + TEXT_PX / 3, fitted(mapper, NAME_PX_MAX))


def _dash(at: int) -> str:
    """Another one where the colours begin again."""
    return DASHES[(at + at // len(PALETTE)) % len(DASHES)]


def _points(table: Table, mapper: str, parameter: str, figure: str) -> list[Point]:
    """In order of the parameter if it is a number, else as they come."""
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


def _known(values: Sequence[Value], parameter: str) -> list[Value]:
    known = sorted(dict.fromkeys(values), key=_order)
    if len(known) < 2:
        raise PlotError(f"the parameter {parameter!r} has {len(known)} values in the table, expected at least two")
    return known


def _order(value: Value) -> float:
    """Numbers by size; words stay in the order in which they came."""
    return float(value) if isinstance(value, int | float) else 0.0


def _shown(value: Value) -> str:
    return label(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _hint(mapper: str, parameter: str, point: Point) -> str:
    return (
        f"{mapper}, {parameter} {_shown(point.at)}: median {number(point.median)}, p10 {number(point.p10)}, "
        f"p90 {number(point.p90)}, {point.runs} runs"
    )
