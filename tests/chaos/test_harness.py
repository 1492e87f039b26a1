"""The harness sees what is wrong: its job, its verdict and its links, without any node."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from pnode.node.api import AttemptStatus, JobDetail, UnitStatus
from pnode.node.plain import Instant
from pnode.node.recording import RecordedAttempt, Recording

from . import emulator, partitions, verdict, work
from .emulator import Star, Way
from .losses import chosen
from .machines import NAMES, Machine
from .step import written

T = TypeVar("T")

SUBMITTED_S = 1000.0


def attempt(
    task: str = "a", number: int = 1, node: str = "n1", phase: str = "finished", **more: object
) -> RecordedAttempt:
    times: dict[str, object] = {"assigned_s": 1.0, "accepted_s": 1.0, "started_s": 2.0, "ended_s": 3.0, "reason": ""}
    facts = {**times, "ready_s": None, "seconds": None, "expected_s": 0.0, "assigner": None, **more}
    return RecordedAttempt(task, 0, number, node, phase=phase, **facts)  # type: ignore[arg-type]


def recording(*attempts: RecordedAttempt) -> Recording:
    return filled(Recording, submitted_at=Instant(SUBMITTED_S), attempts=attempts)


def filled(kind: type[T], **known: object) -> T:
    """A value of which only some fields matter; the others are None."""
    unknown = {each.name: None for each in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    return kind(**{**unknown, **known})


def tried(
    number: int = 1, state: str = "finished", *, counts: bool = True, why: str = "", end: str = ""
) -> AttemptStatus:
    return filled(AttemptStatus, attempt=number, node="alpha", state=state, counts=counts, why=why, end=end)


def unit(task: str = "a", number: int = 1, state: str = "done", *attempts: AttemptStatus) -> UnitStatus:
    known = attempts or (tried(),)
    return filled(UnitStatus, task=task, item=0, attempt=number, state=state, node="alpha", attempts=known)


def job(*units: UnitStatus, state: str = "done") -> JobDetail:
    done = sum(each.state == "done" for each in units)
    return filled(JobDetail, state=state, units_done=done, units_total=len(units), units=units)


RIGHT = {"z.txt": b"right"}
FIRST = tried(1, "lost", counts=False, end="its node is gone")
LATER = tried(2, why="alpha is gone")


def test_a_job_that_ended_well_gives_no_reason_to_complain() -> None:
    assert verdict.complaints(job(unit()), recording(attempt()), RIGHT, b"right") == []


@pytest.mark.parametrize(
    ("told", "recorded", "results"),
    [
        (job(unit(state="running"), state="running"), recording(attempt()), RIGHT),
        (job(unit()), recording(attempt()), {"z.txt": b"wrong"}),
        (job(unit()), recording(attempt()), {}),
        (job(unit(), unit()), recording(attempt()), RIGHT),
        (job(unit()), recording(attempt(phase="dropped")), RIGHT),
        (job(unit("a", 2, "done", FIRST, tried(2))), recording(attempt(), attempt(number=2)), RIGHT),
        (job(unit("a", 2, "done", tried(), LATER)), recording(attempt(), attempt(number=2)), RIGHT),
        (
            job(unit("a", 2, "done", tried(1, "lost", counts=False), LATER)),
            recording(attempt(), attempt(number=2)),
            RIGHT,
        ),
        (job(unit("a", 2, "done", FIRST, LATER)), recording(attempt(number=2)), RIGHT),
    ],
    ids=[
        "still runs",
        "wrong result",
        "no result",
        "a task twice",
        "result of what was dropped",
        "no reason",
        "two results",
        "no end",
        "an attempt missing",
    ],
)
def test_what_is_wrong_is_seen(told: JobDetail, recorded: Recording, results: dict[str, bytes]) -> None:
    assert verdict.complaints(told, recorded, results, b"right")


def test_nodes_that_tell_different_results_are_told_apart() -> None:
    one, two = job(unit(), unit("b")), job(unit(), unit("b", 2))

    assert verdict.differences({"alpha": one, "beta": one}) == []
    assert len(verdict.differences({"alpha": one, "beta": two, "gamma": one})) == 1


def test_what_a_machine_had_when_it_went_is_what_was_lost() -> None:
    running = attempt("a", node="gone", phase="started", ended_s=None)
    waiting = attempt("b", node="gone", phase="accepted", started_s=None, ended_s=None)
    over = attempt("c", node="gone", ended_s=4.0)
    elsewhere = attempt("d", phase="started", ended_s=None)
    again = attempt("a", 2, assigned_s=9.5, accepted_s=9.5, started_s=10.0, ended_s=11.0, reason="lost")

    found = verdict.lost(recording(running, waiting, over, elsewhere, again), "gone", SUBMITTED_S + 5.0)

    assert found == (verdict.Lost("a", True, 4.5, 5.0), verdict.Lost("b", False, None, None))


def test_a_task_with_a_result_that_is_started_again_is_seen() -> None:
    before = verdict.accepted(job(unit("a"), unit("b", state="running")))
    again = attempt("a", 2, started_s=6.0, reason="why not")
    first = attempt("b", 2, started_s=6.0)

    assert len(verdict.run_again(before, recording(attempt("a"), again, first), SUBMITTED_S + 5.0)) == 1
    assert verdict.run_again(before, recording(attempt("a"), again), SUBMITTED_S + 7.0) == []


def test_what_was_taken_and_never_given_back_is_seen() -> None:
    made = recording(
        attempt("a", node="n1", phase="started"), attempt("b", node="n1"), attempt("c", phase="accepted")
    )

    assert len(verdict.left_open(made, "n1")) == 2
    assert verdict.left_open(made, "n2") == []


def test_the_job_has_sixty_tasks_and_a_single_result() -> None:
    tasks = work.steps()
    parents = Counter(parent for step in tasks for parent in step.parents)

    assert len(tasks) == len({step.name for step in tasks}) == 60
    assert [step.name for step in tasks if not parents[step.name]] == [tasks[-1].name]
    assert max(len(step.parents) for step in tasks) >= work.FAN_IN


def test_a_step_writes_what_is_expected_of_it(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(work.INPUT)
    (tmp_path / "list").write_text(f"{given}\n")
    environment = {
        **os.environ,
        "PNODE_TASK": "first",
        "PNODE_INPUT_LIST": str(tmp_path / "list"),
        "PNODE_OUTPUT_DIR": str(tmp_path),
    }

    subprocess.run([sys.executable, work.STEP, "7", "0", "100"], env=environment, check=True)

    assert (tmp_path / "first.txt").read_bytes() == written("first", [work.INPUT], 7, 100)
    assert written("first", [work.INPUT], 7, 100) != written("first", [work.INPUT + b"."], 7, 100)


def test_every_machine_is_lost_the_founder_and_the_origin_included() -> None:
    machines = [Machine(name, Path(name), "lan") for name in NAMES]
    rounds = [chosen(machines, number, "one", Random(1)) for number in range(30)]

    assert {gone.name for _, [gone] in rounds} == set(NAMES)
    assert sum(origin is gone for origin, [gone] in rounds) == 10
    assert all(len({*map(id, gone)}) == 2 for _, gone in (chosen(machines, n, "two", Random(n)) for n in range(8)))


def test_every_shape_of_partition_cuts_ways_that_there_are() -> None:
    for shape in partitions.SHAPES:
        ways = shape.ways(8, Random(3))

        assert ways
        assert all(0 <= source < 8 and 0 <= target < 8 for source, target in ways)
        assert len(set(ways)) == len(ways)
    assert len(partitions.halves(8, Random(3))) == 2 * 4 * 4
    assert len(partitions.alone(8, Random(3))) == 2 * 7


def packet(source: int, target: int, size: int = 100) -> bytes:
    head = bytes([0x45, *([0] * 11), 10, 77, 0, source + 1, 10, 77, 0, target + 1])
    return head + bytes(size - len(head))


def test_a_packet_arrives_after_its_delay_at_whom_it_is_for() -> None:
    star = Star(Random(1))
    star.ways[0, 1] = Way(delay_s=0.01)
    star.offer(packet(0, 1), 5.0)
    star.offer(packet(1, 0), 5.0)

    assert list(star.arrived(5.0)) == [(0, packet(1, 0))]
    assert star.deadline == pytest.approx(5.01)
    assert list(star.arrived(5.0099)) == []
    assert list(star.arrived(5.0101)) == [(1, packet(0, 1))]


def test_a_way_that_is_cut_carries_nothing_and_its_way_back_everything() -> None:
    star = Star(Random(1))
    star.ways[0, 1] = Way(loss=1.0)
    for _ in range(50):
        star.offer(packet(0, 1), 5.0)
        star.offer(packet(1, 0), 5.0)

    assert [target for target, _ in star.arrived(6.0)] == [0] * 50


def test_loss_is_the_share_that_was_asked_for() -> None:
    star = Star(Random(1))
    star.ways[0, 1] = Way(loss=0.1)
    for _ in range(2000):
        star.offer(packet(0, 1), 5.0)

    assert len(list(star.arrived(5.0))) == pytest.approx(1800, abs=60)  # four standard deviations


def test_a_way_with_a_rate_takes_turns_and_drops_what_would_wait_too_long() -> None:
    star = Star(Random(1))
    star.ways[0, 1] = Way(bytes_per_s=10_000.0)
    for _ in range(100):
        star.offer(packet(0, 1), 5.0)  # a hundredth of a second each

    assert len(list(star.arrived(5.055))) == 5
    assert len(list(star.arrived(9.0))) == round(emulator.QUEUE_S_MAX / 0.01) + 1 - 5


def test_what_is_no_ipv4_packet_is_not_carried() -> None:
    star = Star(Random(1))
    star.offer(b"\x60" + bytes(60), 5.0)
    star.offer(b"", 5.0)

    assert list(star.arrived(9.0)) == []


def test_a_second_attempt_with_its_reasons_gives_none_to_complain() -> None:
    made = recording(attempt(phase="started"), attempt(number=2))

    assert verdict.complaints(job(unit("a", 2, "done", FIRST, LATER)), made, RIGHT, b"right") == []
