"""The suites by name, with as many rounds as docs/losses.md tells of."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from pnode.node.api import ApiError
from pnode.node.launch import Timing

from . import blackout, disk, losses, overhead, partitions, pauses, prediction
from .cabling import SkippedError
from .machines import LaunchError, SuiteError, workplace
from .trial import Report

INTERRUPTED = 130
"""As of a command that Ctrl-C ended."""


class Play(Protocol):
    """A suite: so many rounds with nodes of that timing, told to the report."""

    def __call__(self, report: Report, place: Path, rounds: int, timing: Timing, *, seed: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Suite:
    """What can be played."""

    play: Play
    rounds: int
    timings: tuple[Timing, ...] = ("lan",)
    """With which `run_all` plays it."""


SUITES: dict[str, Suite] = {
    "kill": Suite(partial(losses.run, victims="one"), 30, ("lan", "fast")),
    "kill-two": Suite(partial(losses.run, victims="two"), 10, ("lan", "fast")),
    "kill-origin-and-guardian": Suite(partial(losses.run, victims="origin+guardian"), 10, ("lan", "fast")),
    "pause": Suite(pauses.run, 9),
    "blackout": Suite(blackout.run, 3, ("lan", "fast")),
    "full-disk": Suite(disk.run, 3),
    "partition": Suite(partitions.run, 12),
    "slow-links": Suite(partitions.run_slow, 4),
    "overhead": Suite(overhead.run, 12),
    "prediction": Suite(prediction.run, 30, ("lan", "fast")),
}


def run_all(trace: Path | None, *, keep: bool) -> int:
    """Every suite; the exit status."""
    return max(
        run_one(name, 0, timing, 1, trace, keep=keep) for name, suite in SUITES.items() for timing in suite.timings
    )


def run_one(name: str, rounds: int, timing: Timing, seed: int, trace: Path | None, *, keep: bool) -> int:
    """One suite; the exit status."""
    suite = SUITES[name]
    report = Report(f"{name}_{timing}", trace)
    try:
        with workplace(keep=keep) as place:
            suite.play(report, place, rounds or suite.rounds, timing, seed=seed)
    except SkippedError as error:
        print(f"{report.name} SKIPPED: {error}", flush=True)
    except (SuiteError, LaunchError, ApiError) as error:
        report.round("the suite could not be played to its end", [str(error)])
    except KeyboardInterrupt:
        report.round("the suite was interrupted", ["it was not played to its end"])
        report.end()
        sys.exit(INTERRUPTED)
    return report.end()
