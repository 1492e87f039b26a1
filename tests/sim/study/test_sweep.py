"""Sweeps: killed at any moment they go on where they were, and leave no process behind; a batch takes as long as it
should."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

import psutil
import pytest

from pnode.sim.study.batch import Outcome, do_batch
from pnode.sim.study.case import Family
from pnode.sim.study.study import Study
from pnode.sim.study.sweep import BATCH_RUNS_MAX, BATCH_S, PENDING_PER_WORKER, next_size, sweep

from .fakes import Counting, drawn, fake

ROOT = Path(__file__).parents[3]
RUNS = 60

PROGRAM = """
import sys
from pathlib import Path
from pnode.sim.study import journal
from tests.sim.study.test_sweep import patient
journal.code_digest = lambda: "the same"  # whoever edits the sources while this test runs does not disturb it
if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / "result.csv").write_text(patient(place).run(workers=2, journal=place / "journal.jsonl").to_csv())
"""


def patient(place: Path) -> Study:
    """A study whose runs take long enough to be interrupted."""
    return Study([Family("family", drawn, RUNS // 2)], ["heft", "slow"], engine=Counting(place / "begun", 0.02))


def start(place: Path) -> "subprocess.Popen[bytes]":
    (place / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, place / "program.py", place], env=environment, stderr=subprocess.PIPE)


def lines(path: Path) -> list[str]:
    """Whole ones."""
    return path.read_text().splitlines(keepends=True) if path.exists() else []


def until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def killed_after(place: Path, more: int) -> None:
    """Begin or go on, and kill with signal 9 as soon as so many more runs are in the journal."""
    journal = place / "journal.jsonl"
    had = len(lines(journal))
    with start(place) as process:
        until(lambda: journal.exists() and len(lines(journal)) >= had + more, f"{more} more runs")
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(below, timeout=20)
    assert not alive, "workers outlive the sweep"


def test_a_sweep_killed_at_any_moment_goes_on_where_it_was(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    for more, cut in ((0, 0), (1, 3), (20, 40)):
        killed_after(tmp_path, more)
        whole = journal.read_bytes()
        journal.write_bytes(whole[: len(whole) - cut])  # what a crash of the machine may leave: a torn last line
    recorded = journal.read_bytes().count(b"\n")
    begun = len(lines(tmp_path / "begun"))

    with start(tmp_path) as process:
        assert process.wait(60) == 0

    assert recorded >= 18
    assert len(lines(tmp_path / "begun")) - begun == RUNS - recorded, "none that was recorded is run again"
    assert len(lines(journal)) == RUNS
    assert (tmp_path / "result.csv").read_text() == patient(tmp_path).run().to_csv()


class Inline(Executor):
    """Does everything at once, and remembers how many batches were handed over and not yet asked for."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def submit(self, call, /, *arguments, **words):  # type: ignore[no-untyped-def]
        future: Future[Outcome] = Future()
        self.sizes.append(len(arguments[0]))
        future.set_result(call(*arguments, **words))
        return future


def test_batches_grow_while_runs_are_short() -> None:
    study = Study([Family("family", drawn, 100)], ["heft"], engine=fake)
    executor = Inline()

    rows = dict(sweep(tuple(study.at(index) for index in range(100)), fake, executor, 1))

    assert sorted(rows) == list(range(100))
    assert sum(executor.sizes) == 100
    assert executor.sizes[:PENDING_PER_WORKER] == [1] * PENDING_PER_WORKER
    assert max(executor.sizes) > 4


@pytest.mark.parametrize(
    ("done", "seconds", "size"),
    [
        (1, BATCH_S * 10, 1),
        (1, 0.0, 2),
        (8, BATCH_S, 8),
        (8, BATCH_S * 4, 2),
        (BATCH_RUNS_MAX, 1e-3, BATCH_RUNS_MAX),
    ],
)
def test_the_next_batch_takes_about_as_long_as_a_batch_should(done: int, seconds: float, size: int) -> None:
    rows = tuple((index, (1.0,)) for index in range(done))

    assert next_size(Outcome(rows, seconds)) == size


def test_what_was_done_before_a_failure_counts() -> None:
    study = Study([Family("family", drawn, 1)], ["heft", "unheard-of"], range(2), engine=fake)

    outcome = do_batch(tuple(study.at(index) for index in range(4)), fake)

    assert [index for index, _ in outcome.rows] == [0]
    assert outcome.failure.startswith("run 1: unheard-of on family 0, seed 0: ")
