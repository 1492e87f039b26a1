"""Run tests on all cores: `python -m tests MARK`, those with a mark; `python -m tests not MARK`, the others.

The others run one directory beside another, those with the mark one file beside another: the few that are long. Each
is a pytest of its own, the slowest first, and its output appears when it has ended. The exit status is 1 if any has
failed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

SLOWEST = (
    "sim/chaos", ".", "protocol", "sim/study", "mappers", "node", "sim/formats",
    "end_to_end/test_joining.py", "end_to_end/test_jobs.py", "end_to_end/test_losses.py",
)  # fmt: skip
"""To be begun first, so that none of them is alone at the end."""

NOTHING_COLLECTED = 5
"""pytest's exit status where a directory has no test of the kind that is asked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """Test files that run together: of one directory, or just one."""

    name: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """How the tests of a part have ended."""

    part: Part
    status: int
    output: str
    seconds: float

    @property
    def failed(self) -> bool:
        return self.status not in (0, NOTHING_COLLECTED)


def parts(tests: Path, mark: str = "") -> list[Part]:
    """Every directory with tests, or every file in which a mark stands, the slowest first."""
    together: dict[str, list[str]] = {}
    for file in sorted(tests.rglob("test_*.py")):
        if mark and f"pytest.mark.{mark}" not in file.read_text():
            continue
        name = file if mark else file.parent
        together.setdefault(str(name.relative_to(tests)), []).append(str(file.relative_to(tests.parent)))
    names = sorted(together, key=lambda name: SLOWEST.index(name) if name in SLOWEST else len(SLOWEST))
    return [Part(name, tuple(together[name])) for name in names]


def run(part: Part, words: Sequence[str]) -> Ran:
    """Run one part to its end."""
    begun_s = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, *part.files]
    ended = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return Ran(part, ended.returncode, ended.stdout, time.monotonic() - begun_s)


def main(words: Sequence[str]) -> int:
    """Run all parts. Gives the exit status."""
    *negated, mark = words or [""]
    chosen = parts(ROOT / "tests", "" if negated else mark) if mark and negated in ([], ["not"]) else []
    if not chosen:
        print(f"{' '.join(words) or 'nothing'}: say a mark that tests have, or 'not' and a mark", file=sys.stderr)
        return 2
    selection = ("-m", " ".join(words))
    failed: list[str] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        running: list[Future[Ran]] = [threads.submit(run, part, selection) for part in chosen]
        for future in as_completed(running):
            ran = future.result()
            if ran.status == NOTHING_COLLECTED:
                continue
            print(ran.output if ran.failed else summary(ran), flush=True)
            failed += [ran.part.name] * ran.failed
    if failed:
        print(f"failed: {', '.join(sorted(failed))}")
    return 1 if failed else 0


def summary(ran: Ran) -> str:
    """A line for a part that has passed, and what it has skipped and why."""
    *rest, last = ran.output.strip().splitlines()
    skipped = [line for line in rest if line.startswith("SKIPPED")]
    return "\n".join([f"tests/{ran.part.name}: {last}", *skipped])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
