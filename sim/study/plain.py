"""Plain values: what `--json` prints of runs and summaries."""

from collections.abc import Sequence
from dataclasses import asdict

from pnode.sim.formats.records import execution_rows
from pnode.sim.schedule.result import Result

from .figures import FIGURES, figures, yardstick
from .summary import Summary

Plain = dict[str, object]


def summaries_to_plain(summaries: Sequence[Summary]) -> list[Plain]:
    """One object per mapper."""
    return [asdict(summary) for summary in summaries]


def result_to_plain(result: Result) -> Plain:
    """A run: its figures, and every time that a task ran."""
    numbers = figures(result, yardstick(result.scenario))
    return {
        "scenario": result.scenario.name,
        "mapper": result.mapper,
        "seed": result.seed,
        **dict(zip(FIGURES, numbers, strict=True)),
        "executions": list(execution_rows(result)),
    }
