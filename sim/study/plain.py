"""Plain values: what `--json` prints of runs and summaries."""

from collections.abc import Sequence
from dataclasses import asdict

from pnode.sim.schedule.result import Execution, Result

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
        "executions": [_execution(result, execution) for execution in result.executions],
    }


def _execution(result: Result, execution: Execution) -> Plain:
    """By names instead of numbers."""
    names = {
        "task": result.scenario.arrivals[execution.job].graph.tasks[execution.task].name,
        "machine": result.scenario.network.machines[execution.machine].name,
    }
    return {**asdict(execution), **names}
