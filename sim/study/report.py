"""A report: a study as one page, with its summary, its plots and how to come by it again."""

from pnode.sim.schedule.result import Result

from .gantt import gantt_svg
from .layout import SUMMARY, summary_notes, summary_rows
from .lines import lines_svg
from .page import heading, page, paragraph, table_html
from .plot import spread_svg
from .summary import parameters, summarise
from .table import Table

LINES_MAX = 6
"""Parameters that get a plot; a study that varies more is read from its table."""


def report_html(title: str, table: Table, baseline: str, command: str) -> str:
    """The page. `command` is what makes it anew."""
    summaries = summarise(table)
    seeds = len(set(table.column("seed")))
    scenarios = len(table) // len(summaries) // seeds
    parts = [
        paragraph(
            f"{len(table)} runs: {len(summaries)} mappers on {scenarios} scenarios, seeds per scenario: {seeds}"
        ),
        table_html(SUMMARY, summary_rows(summaries)),
        *(paragraph(note) for note in summary_notes(summaries, baseline)),
    ]
    figure = "ratio" if any(summary.ratio for summary in summaries) else "makespan_s"
    if any(value is not None for value in table.column(figure)):
        parts += [heading("Spread"), spread_svg(table, figure)]
        for parameter in varied(table)[:LINES_MAX]:
            parts += [heading(f"Over {parameter}"), lines_svg(table, parameter, figure)]
    return page(title, [*parts, paragraph(f"Made by: {command}")])


def varied(table: Table) -> tuple[str, ...]:
    """Parameters that have more than one value."""
    return tuple(
        name for name in parameters(table) if len({value for value in table.column(name) if value is not None}) > 1
    )


def gantt_html(result: Result, *, transfers: bool = False) -> str:
    """The Gantt chart of a run as a page."""
    title = f"{result.scenario.name}: {result.mapper}, seed {result.seed}"
    return page(title, [gantt_svg(result, transfers=transfers)])
