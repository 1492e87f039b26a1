"""Layout: tables as people read them in a terminal, text to the left and numbers to the right."""

from collections.abc import Mapping, Sequence

from pnode.sim.schedule.result import Result

from .figures import FIGURES, figures, yardstick
from .summary import Summary

DIGITS = 4
"""Significant ones: a fifth says nothing about a schedule."""


def number(value: float | None) -> str:
    """A figure for people; a dash for none."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 10**DIGITS else f"{value:.{DIGITS}g}"


def columns(titles: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Lines with two spaces between columns; the first `text_columns` are text."""
    widths = [max(len(row[at]) for row in (titles, *rows)) for at in range(len(titles))]
    return "".join(_line(row, widths, text_columns) for row in (titles, *rows))


def _line(row: Sequence[str], widths: Sequence[int], text_columns: int) -> str:
    fields = [
        field.ljust(width) if at < text_columns else field.rjust(width)
        for at, (field, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(fields).rstrip() + "\n"


SUMMARY = (
    "mapper", "runs", "ratio", "95% interval", "p10", "p90", "won/tied/lost", "makespan s", "SLR", "speedup", "busy",
    "messages", "moves",
)  # fmt: skip
"""Titles of a summary's columns."""


def summary_text(summaries: Sequence[Summary], baseline: str) -> str:
    """A line per mapper, and what to know about it."""
    text = columns(SUMMARY, summary_rows(summaries))
    return text + "".join(f"{note}\n" for note in summary_notes(summaries, baseline))


def summary_rows(summaries: Sequence[Summary]) -> list[tuple[str, ...]]:
    """Per mapper what stands under SUMMARY."""
    return [_summary_fields(summary) for summary in summaries]


def summary_notes(summaries: Sequence[Summary], baseline: str) -> list[str]:
    """What the figures are."""
    notes = [
        f"{summary.mapper}: {summary.incomplete} of {summary.runs} runs did not complete; they count in no time"
        for summary in summaries
        if summary.incomplete
    ]
    if any(summary.ratio for summary in summaries):
        notes.insert(0, f"ratio: makespan / {baseline}'s on the same scenario and seed, median; others are medians")
    return notes


def _summary_fields(summary: Summary) -> tuple[str, ...]:
    ratio = summary.ratio
    quantiles = ("-", "-", "-", "-", "-")
    if ratio is not None:
        quantiles = (
            f"{ratio.median:.3f}",
            f"{ratio.low:.3f}-{ratio.high:.3f}",
            f"{ratio.p10:.3f}",
            f"{ratio.p90:.3f}",
            f"{summary.wins}/{summary.ties}/{summary.losses}",
        )
    busy = "-" if summary.utilisation is None else f"{summary.utilisation:.0%}"
    return (
        summary.mapper,
        str(summary.runs),
        *quantiles,
        number(summary.makespan_s),
        number(summary.slr),
        number(summary.speedup),
        busy,
        number(summary.messages),
        number(summary.moves),
    )


def result_text(result: Result) -> str:
    """The figures of one run; of several graphs, the end of each."""
    told = dict(zip(FIGURES, figures(result, yardstick(result.scenario)), strict=True))
    head = f"{result.scenario.name}, {result.mapper}, seed {result.seed}"
    lines = [head if result.complete else f"{head}: did not complete; {_unfinished(result)}"]
    for name, value in told.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            lines.append(f"  {TITLES.get(name, name).ljust(12)}  {number(value)}")
    if len(result.scenario.arrivals) > 1:
        lines.append("")
    return "".join(f"{line}\n" for line in lines) + _arrivals_text(result)


def _unfinished(result: Result) -> str:
    """The tasks without a result, with the item where there are several."""
    done = {(one.job, one.item, one.task) for one in result.executions if one.kept}
    missing = [
        task.name if arrival.items == 1 else f"{task.name}[{item}]"
        for job, arrival in enumerate(result.scenario.arrivals)
        for item in range(arrival.items)
        for number, task in enumerate(arrival.graph.tasks)
        if (job, item, number) not in done
    ]
    more = f" and {len(missing) - UNFINISHED_MAX} more" if len(missing) > UNFINISHED_MAX else ""
    return f"never done: {', '.join(missing[:UNFINISHED_MAX])}{more}"


UNFINISHED_MAX = 5
"""Names in a line; the first are enough to see where it came to a halt."""

TITLES = {
    "makespan_s": "makespan s",
    "response_s": "response s",
    "slr": "SLR",
}
"""What columns are called for people; the others by their names."""


def _arrivals_text(result: Result) -> str:
    arrivals = result.scenario.arrivals
    if len(arrivals) < 2:
        return ""
    rows = [
        (
            str(job),
            arrival.graph.name,
            result.scenario.network.machines[arrival.origin].name,
            number(arrival.at_s),
            number(response_s) if result.complete else "-",
        )
        for job, (arrival, response_s) in enumerate(zip(arrivals, result.responses_s, strict=True))
    ]
    return columns(("job", "graph", "origin", "at s", "response s"), rows, text_columns=3)


def matrix_text(mappers: Sequence[str], ratios: Mapping[tuple[str, str], float]) -> str:
    """Ratios by (target, base): a column per target, a row per base, and how bad each can be at all."""
    rows = [
        (base, *("-" if base == target else f"{ratios[target, base]:.2f}" for target in mappers)) for base in mappers
    ]
    worst = [max(ratios[target, base] for base in mappers if base != target) for target in mappers]
    return columns(("", *mappers), [*rows, ("worst", *(f"{ratio:.2f}" for ratio in worst))])
