"""Starting: commands that are over in no time are handed over behind each other, and nothing is lost by that."""

import pytest

from pnode.protocol.brevity import BRIEF_S, RUNS_MIN
from pnode.protocol.effects import Run, Unit
from pnode.protocol.events import CancelJob, RunEnded
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import Phase
from pnode.protocol.workbench import LINE_MAX, STALL_S

from .partners import Circle, spec, task

COUNT = 60
NOTHING = FileRef("stdout", 0, digest_of(b""))


def circle_of_one(count: int = COUNT) -> Circle:
    """One node with a job of many commands."""
    circle = Circle("ann")
    circle.submit("ann", spec(*(task(f"t{number}", final=False) for number in range(count)), task("last")))
    return circle


def ended(unit: Unit, seconds: float = 0.001, *, begun: bool = True) -> RunEnded:
    outputs = (FileRef("out", 5, digest_of(b"out")),) if unit.task == "last" else ()
    return RunEnded(unit, "", 0, outputs, NOTHING, NOTHING, "", seconds, begun=begun)


def first(circle: Circle) -> Run:
    """What the shell would run now: what it was given first."""
    return next(iter(circle["ann"].running.values()))


def end_first(circle: Circle, seconds: float = 0.001) -> None:
    circle.now += seconds
    unit = first(circle).unit
    del circle["ann"].running[unit]
    circle.tell("ann", ended(unit, seconds))


def warm(circle: Circle) -> None:
    """It knows that they are brief."""
    for _ in range(RUNS_MIN):
        assert len(circle["ann"].running) == 1
        end_first(circle)


def test_nothing_is_lined_up_before_some_have_been_brief() -> None:
    circle = circle_of_one()

    warm(circle)

    running = list(circle["ann"].running.values())
    assert len(running) == 1 + LINE_MAX
    assert [run.behind for run in running] == [None, *(run.unit for run in running[:-1])]


def test_commands_that_take_their_time_are_not_lined_up() -> None:
    circle = circle_of_one()

    for _ in range(RUNS_MIN + 5):
        end_first(circle, 2 * BRIEF_S)

    assert len(circle["ann"].running) == 1


def test_a_job_of_brief_commands_is_done_and_each_attempt_tells_when_it_ran() -> None:
    circle = circle_of_one()

    while circle["ann"].running:
        end_first(circle)
        circle.run(0.0)

    job = circle["ann"].job
    assert job.state.phase is Phase.DONE
    attempts = [attempt for unit in job.state.units.values() for attempt in unit.attempts.values()]
    assert len(attempts) == COUNT + 1
    for attempt in attempts:
        assert attempt.phase == "finished"
        assert attempt.started_s is not None
        assert attempt.ready_s is not None
        assert attempt.ended_s is not None
        assert attempt.ready_s <= attempt.started_s <= attempt.ended_s


def test_what_takes_longer_after_all_is_said_to_have_started_and_the_rest_is_called_back() -> None:
    circle = circle_of_one()
    warm(circle)
    end_first(circle)
    long, *behind = circle["ann"].running.values()
    circle.take()

    circle.run(STALL_S)

    lines = circle.take()
    assert sum("recalls" in line for line in lines) == len(behind)
    attempt = circle["ann"].job.state.unit(circle["ann"].job.key(long.unit.task, 0)).current
    assert attempt is not None
    assert attempt.phase == "started"


def test_what_was_called_back_is_run_later_and_alone() -> None:
    circle = circle_of_one()
    warm(circle)
    long, *behind = circle["ann"].running.values()
    circle.run(STALL_S)
    for run in behind:
        del circle["ann"].running[run.unit]
        circle.tell("ann", ended(run.unit, 0.0, begun=False))

    assert list(circle["ann"].running) == [long.unit]
    end_first(circle, 1.0)
    assert [run.behind for run in circle["ann"].running.values()] == [None]
    while circle["ann"].running:
        end_first(circle, 1.0)
    circle.run(0.0)
    assert circle["ann"].job.state.phase is Phase.DONE


@pytest.mark.parametrize("cores", [2, 3])
def test_all_cores_have_something_to_do_until_the_end(cores: int) -> None:
    circle = Circle("ann", cores=cores)
    circle.submit("ann", spec(*(task(f"t{number}", final=False) for number in range(COUNT)), task("last")))

    for left in range(COUNT, cores, -1):
        heads = [run for run in circle["ann"].running.values() if run.behind not in circle["ann"].running]
        assert len(heads) == cores, left
        end_first(circle)


def test_a_job_that_is_cancelled_ends_what_waits_in_line() -> None:
    circle = circle_of_one()
    warm(circle)

    circle.ask("ann", lambda number: CancelJob(number, circle["ann"].job.id))

    assert circle["ann"].running == {}
    assert circle["ann"].held == []
