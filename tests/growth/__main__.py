"""`python -m tests.growth docs/growth.md`: play tasks in growing numbers, and write down what each of them costs.

Courses are measured one after the other, and each turn is written into the page as soon as it is over; `--part` names
some, or all that concern tasks, nodes or jobs.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pnode.protocol.values import dataclass, field

from ..chaos.machines import workplace
from ..membership.page import PageError, fill, filled
from ..peers import machine
from ..peers.markdown import shown, wrapped
from .cost import FIGURES, Cost, per_task
from .course import MOST, PARTS, Course, Setup, courses
from .report import told
from .turn import TurnError, take

MAKER = "make growth"
"""As it stands in the markers of the page."""

ROUNDS = 3


def main() -> int:
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that nodes are ended, too
    wanted = [course for course in courses(asked.most) if not asked.part or {course.key, course.part} & {*asked.part}]
    has_failed = False
    try:
        if asked.page:
            for course in wanted:  # before minutes of measuring
                filled(asked.page.read_text(encoding="utf-8"), course.key, [], MAKER)
        for course in wanted:
            results = Results(course, [machine.load()])
            for _ in played(results, asked.rounds):
                if asked.page:
                    fill(asked.page, course.key, results.lines(), MAKER)
            print("\n".join([f"### {course.title}", "", *results.lines()]), flush=True)
            has_failed |= bool(results.failures)
    except (PageError, OSError) as error:
        say(f"cannot write {asked.page}: {error}")
        return 1
    return int(has_failed)


@dataclass(slots=True)
class Results:
    """What came out of a course so far."""

    course: Course
    loads: list[float]
    """Load averages: at the beginning, and after each turn."""
    costs: dict[Setup, list[Cost]] = field(default_factory=dict)
    failures: dict[Setup, TurnError] = field(default_factory=dict)

    def lines(self) -> list[str]:
        return [*told(self.course, self.costs, self.failures), "", *self._setting()]

    def _setting(self) -> list[str]:
        rounds = max(map(len, self.costs.values()), default=0)
        return wrapped(
            f"Written on {datetime.now(UTC):%Y-%m-%d} by pnode {machine.revision()} on {machine.described()}; "
            f"{rounds} {'round' if rounds == 1 else 'rounds'}; load average {self.loads[0]:.1f} at the beginning, "
            f"{self.loads[-1]:.1f} at the end, between them {min(self.loads):.1f} to {max(self.loads):.1f}, with "
            "what was measured."
        )


def played(results: Results, rounds: int) -> Iterator[None]:
    """All turns, the small ones first, one round after another. What has failed once is not played again."""
    course = results.course
    for number in range(rounds):
        for setup in course.setups:
            if setup in results.failures:
                continue
            with workplace() as place:
                try:
                    cost = take(place, course, setup)
                except TurnError as error:
                    results.failures[setup] = error
                    came = str(error)
                else:
                    results.costs.setdefault(setup, []).append(cost)
                    came = _numbers(cost)
            results.loads.append(machine.load())
            say(f"{course.title} round {number + 1} of {rounds}, {course.size(setup):,} {course.grows}: {came}")
            yield


def _numbers(cost: Cost) -> str:
    return ", ".join(f"{figure.label} {shown(per_task(figure, [cost]))} {figure.unit}" for figure in FIGURES)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.growth", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, metavar="PAGE", help="where to write what was measured")
    parts = [*PARTS, *(each.key for each in courses(MOST))]
    parser.add_argument("--part", action="append", choices=parts, help="only this one, or several")
    parser.add_argument("--most", type=int, default=MOST, metavar="N", help=f"tasks in a turn ({MOST})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"turns of each size ({ROUNDS})")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
