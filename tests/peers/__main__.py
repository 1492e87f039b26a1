"""`python -m tests.peers`: hold the contest, print what came out, and write it down if a page is named."""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from . import machine
from .contest import Results, hold, present
from .contestant import CONTESTANTS, Kind
from .family import adopting
from .report import Report, Setting
from .workload import WORKLOADS

ROUNDS = 3


def main() -> int:
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that turns are ended, too
    workloads = [each for each in WORKLOADS if not asked.workload or each.key in asked.workload]
    wanted = [each for each in CONTESTANTS if not asked.name or each.name in asked.name]
    if asked.alone:
        wanted = [each for each in wanted if each.kind is not Kind.PEER]
    results = Results()
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    setting = Setting(machine.described(), machine.revision(), day, asked.rounds, asked.share)
    with adopting() as family:
        there = present(wanted, results, say)
        hold(family, workloads, there, asked.rounds, results, say, asked.share)
    page = Report(setting, results, workloads, wanted).page()
    print(page)
    if asked.page:
        asked.page.write_text(page)
    ours = {each.name for each in CONTESTANTS if each.kind is Kind.OURS}
    return 1 if any(name in ours for _, name in results.failures) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, metavar="PAGE", help="where to write what came out")
    parser.add_argument("--alone", action="store_true", help="pnode and the floors, none of its peers")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="turns of each in each workload")
    keys = [each.key for each in WORKLOADS]
    parser.add_argument("--workload", action="append", choices=keys, help="only this one, or several")
    names = [each.name for each in CONTESTANTS]
    parser.add_argument("--name", action="append", choices=names, help="only this contestant, or several")
    parser.add_argument("--share", type=float, default=1.0, help="of the size of each workload, to try something")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
