"""Layout: tables as people read them in a terminal, text to the left and numbers to the right."""

from collections.abc import Sequence

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
