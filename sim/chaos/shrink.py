"""Shortening: which of a schedule's faults, and which of a run's jobs, it takes to make it fail.

Delta debugging (Zeller and Hildebrandt, 2002) over the numbered faults, then over the jobs: parts are left out as
long as what is left still fails, in any way. It is the schedule that gets shorter, never what is drawn from it, since
all other draws have generators of their own.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from .batch import Outcome, outcome_of
from .plan import Options, Plan, plan_of

RUNS_MAX = 80
"""Runs that shortening may take: the order of the number of faults in a long schedule."""

Judge = Callable[[Options], Outcome]


def shorten(options: Options, judge: Judge = outcome_of, runs_max: int = RUNS_MAX) -> Plan:
    """The plan of a failing run with as few faults, then as few jobs, as could be found."""
    plan = plan_of(options)
    return Shortener(judge, runs_max).shorten(plan)


class Shortener:
    """Looks for a short schedule that still fails."""

    def __init__(self, judge: Judge, runs_max: int) -> None:
        self._judge = judge
        self._left = runs_max

    def shorten(self, plan: Plan) -> Plan:
        """Faults first, then jobs, then faults again: with fewer jobs fewer may do."""
        options = replace(
            plan.options,
            faults=tuple(number for number, _ in plan.faults),
            jobs=tuple(job.number for job in plan.jobs),
        )
        for what in ("faults", "jobs", "faults"):
            options = self._least(options, what)
        return plan_of(options)

    def _least(self, options: Options, what: str) -> Options:
        """With the fewest faults, or jobs, that could be found with which it still fails."""
        kept, parts = getattr(options, what), 1
        while kept and self._left > 0:
            smaller = next(
                (some for some in _without_parts(kept, parts) if self._fails(_with(options, what, some))), None
            )
            if smaller is not None:
                kept, parts = smaller, max(parts - 1, 1)
            elif parts >= len(kept):
                break
            else:
                parts = min(2 * parts, len(kept))
        return _with(options, what, kept)

    def _fails(self, options: Options) -> bool:
        self._left -= 1
        return self._left >= 0 and not self._judge(options).holds


def _with(options: Options, what: str, numbers: tuple[int, ...]) -> Options:
    return replace(options, faults=numbers) if what == "faults" else replace(options, jobs=numbers)


def _without_parts(numbers: tuple[int, ...], parts: int) -> list[tuple[int, ...]]:
    """The numbers without each of so many parts of about the same size."""
    ends = [len(numbers) * part // parts for part in range(parts + 1)]
    return [numbers[:begin] + numbers[end:] for begin, end in pairwise(ends)]
