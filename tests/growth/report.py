"""Report: what was measured of a course, as docs/growth.md tells it."""

import math
from collections.abc import Mapping, Sequence

from ..peers.markdown import shown, table, wrapped
from .cost import FIGURES, Cost, Figure, is_flat, per_task, ratio
from .course import Course, Setup
from .turn import TurnError

Costs = Mapping[Setup, Sequence[Cost]]
Failures = Mapping[Setup, TurnError]

NOT_COMPARED = ""


def told(course: Course, costs: Costs, failures: Failures) -> list[str]:
    """A row for each size, with each figure per task and, in parentheses, how many times that of the
    reference it is; bold where that is too many."""
    head = (course.grows, *(f"{figure.label}, {figure.unit}" for figure in FIGURES), "flat")
    rows = [_row(course, setup, costs) for setup in course.setups if costs.get(setup)]
    lines = [*wrapped(course.text), "", *table(head, rows)]
    for setup, failure in failures.items():
        lines += ["", *wrapped(f"- {course.size(setup):,} {course.grows}: {failure}.")]
    return lines


def _row(course: Course, setup: Setup, costs: Costs) -> Sequence[str]:
    cells = [_cell(course, setup, figure, costs) for figure in FIGURES]
    return (f"{course.size(setup):,}", *cells, verdict(course, setup, costs))


def _cell(course: Course, setup: Setup, figure: Figure, costs: Costs) -> str:
    value, reference = _compared(course, setup, figure, costs)
    if reference is None or course.size(setup) == course.reference:
        return shown(value)
    times = ratio(value, reference)
    cell = f"{shown(value)} ({times:.2f})" if math.isfinite(times) else shown(value)
    return f"**{cell}**" if _is_missed(course, setup, figure, costs) else cell


def verdict(course: Course, setup: Setup, costs: Costs) -> str:
    """Whether all that has to stay the same does; nothing where it need not."""
    if course.size(setup) <= course.reference or _compared(course, setup, FIGURES[0], costs)[1] is None:
        return NOT_COMPARED
    return "**no**" if any(_is_missed(course, setup, figure, costs) for figure in FIGURES) else "yes"


def _is_missed(course: Course, setup: Setup, figure: Figure, costs: Costs) -> bool:
    value, reference = _compared(course, setup, figure, costs)
    grown = course.size(setup) > course.reference
    return figure.asked and grown and reference is not None and not is_flat(value, reference)


def _compared(course: Course, setup: Setup, figure: Figure, costs: Costs) -> tuple[float, float | None]:
    """The value and that of the reference, if it was measured."""
    references = [each for each in course.setups if course.size(each) == course.reference and costs.get(each)]
    reference = per_task(figure, costs[references[0]]) if references else None
    return per_task(figure, costs[setup]), reference
