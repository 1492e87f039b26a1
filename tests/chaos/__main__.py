"""`python -m tests.chaos`: the suites from the command line."""

import argparse
import sys
from pathlib import Path

from .suites import SUITES, run_all, run_one


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("suite", nargs="?", choices=SUITES, help="one of them; all, if none is named")
    parser.add_argument(
        "--rounds", type=int, default=0, metavar="N", help="instead of as many as docs/losses.md tells"
    )
    parser.add_argument("--timing", choices=("lan", "wan", "fast"), default="lan")
    parser.add_argument("--seed", type=int, default=1, help="draws other machines and moments")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="append every round as a line of JSON")
    parser.add_argument("--keep", action="store_true", help="leave the homes of the nodes, with their logs")
    options = parser.parse_args()
    if options.suite is None:
        return run_all(options.trace, keep=options.keep)
    return run_one(options.suite, options.rounds, options.timing, options.seed, options.trace, keep=options.keep)


if __name__ == "__main__":
    sys.exit(main())
