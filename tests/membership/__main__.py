"""`python -m tests.membership docs/membership.md`: measure what membership must reach, and write it down.

Parts are measured one after the other, the quick ones first, and each is written into the page as soon as it is
there; `--part` names some.
"""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from ..peers import machine
from ..peers.markdown import wrapped
from . import clusters, estimates, lag, processes
from .courses import Kept
from .page import PageError, fill, filled

KEPT = Path(".cache") / "membership"
"""Courses that are over: those of a thousand nodes take half an hour each."""


def measured(part: str, kept: Kept, *, only_kept: bool) -> list[str]:
    """What stands in a part of the page."""
    match part:
        case "estimates":
            return estimates.told()
        case "lag":
            return lag.told()
        case "processes":
            return processes.told(say)
    if not only_kept:
        kept.complete(clusters.wanted_hard() if part == "hard" else clusters.wanted_well(), say)
    return {"well": clusters.well, "cost": clusters.cost, "hard": clusters.hard}[part](kept)


PARTS = ("estimates", "lag", "processes", "hard", "well", "cost")


def main() -> int:
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that nodes are ended, too
    try:
        for part in asked.part or PARTS:
            filled(asked.page.read_text(encoding="utf-8"), part, [])  # before hours of measuring
            began = machine.load()
            lines = measured(part, Kept(asked.kept), only_kept=asked.only_kept)
            fill(asked.page, part, [*lines, "", *_setting(part, began)])
    except (PageError, OSError) as error:
        say(f"cannot write {asked.page}: {error}")
        return 1
    return 0


def _setting(part: str, load_before: float) -> list[str]:
    """On what it was measured. Courses are measured when there is time; their revisions stand by themselves."""
    told = f"Written on {datetime.now(UTC):%Y-%m-%d} by pnode {machine.revision()} on {machine.described()}"
    if part in ("well", "cost", "hard"):
        return wrapped(f"{told}.")
    return wrapped(f"{told}; load average {load_before:.1f} at the beginning, {machine.load():.1f} at the end.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.membership", description=__doc__)
    parser.add_argument("page", type=Path, metavar="PAGE", help="where to write what was measured")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one, or several")
    parser.add_argument("--kept", type=Path, default=KEPT, metavar="FOLDER", help=f"of courses ({KEPT})")
    parser.add_argument("--only-kept", action="store_true", help="write what there is, and simulate no more clusters")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
