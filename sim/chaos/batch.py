"""A batch: many seeds, on all cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from pnode.protocol.values import dataclass, replace
from pnode.sim.workers import processes

from .plan import Options
from .run import Verdict, run


@dataclass(frozen=True, slots=True)
class Outcome:
    """What of a verdict is worth sending between processes."""

    options: Options
    complaints: tuple[str, ...]
    trace: str
    events: int
    seconds: float
    deaths: int
    segments: int
    safe: int
    spared: int

    @property
    def holds(self) -> bool:
        return not self.complaints


def outcome_of(options: Options) -> Outcome:
    """Run a seed. A peer that raises has broken a promise like any other: it takes and gives values only."""
    try:
        verdict = run(options)
    except (AssertionError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        return Outcome(options, (f"{type(error).__name__}: {error}",), "", 0, 0.0, 0, 0, 0, 0)
    return _outcome(options, verdict)


def _outcome(options: Options, verdict: Verdict) -> Outcome:
    return Outcome(
        options, verdict.complaints, verdict.trace, verdict.events, verdict.seconds, verdict.deaths, verdict.segments,
        verdict.safe, verdict.spared,
    )  # fmt: skip


def run_many(
    options: Options, count: int, workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Iterator[Outcome]:
    """Run so many seeds from that of `options` on; their outcomes as they come."""
    each = (replace(options, seed=options.seed + step) for step in range(count))
    workers = workers or os.cpu_count() or 1
    if count == 1 or workers == 1:
        for done, one in enumerate(each, 1):
            yield outcome_of(one)
            if progress is not None:
                progress(done, count)
        return
    with processes(workers) as pool:
        waiting: set[Future[Outcome]] = set()
        done = 0
        for one in each:
            waiting.add(pool.submit(outcome_of, one))
            if len(waiting) >= 2 * workers:
                ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    done += 1
                    yield future.result()
                if progress is not None:
                    progress(done, count)
        for future in waiting:
            done += 1
            yield future.result()
            if progress is not None:
                progress(done, count)
