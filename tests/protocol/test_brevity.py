"""Brevity: which commands are taken for as short as those before them."""

import pytest

from pnode.protocol.brevity import BRIEF_S, PROGRAMS_MAX, RUNS_MIN, Brevity
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.effects import Unit
from pnode.protocol.ids import JobId
from pnode.protocol.job import Held, Job
from pnode.protocol.turns import Piece

from .partners import Circle, file, spec, task

UNIT = Unit(JobId(b"j" * 16), "only", 0, 1)


def a_job() -> Job:
    circle = Circle("ann")
    circle.submit("ann", spec(task("only")))
    return circle["ann"].job


def command(*words: str) -> Task:
    return Task("only", (), Program(ProgramKind.COMMAND, words))


def holds(brevity: Brevity, one: Task, *, expected_s: float | None = None, held: Held | None = None) -> bool:
    piece = Piece(UNIT, 1, 1.0 if expected_s is None else expected_s, 0.0, 0, expected_s is None)
    return brevity.holds(a_job(), one, held or Held(UNIT, a_job().origin), piece)


def test_what_starts_the_same_program_as_others_that_were_brief_is_brief() -> None:
    brevity = Brevity()

    seen = []
    for _ in range(RUNS_MIN):
        seen.append(holds(brevity, command("/bin/true", "2")))
        brevity.observe(a_job(), command("/bin/true", "1"), 0.001)

    assert seen == [False] * RUNS_MIN
    assert holds(brevity, command("/bin/true", "2"))
    assert not holds(brevity, command("/bin/false"))


def test_one_that_takes_its_time_has_all_taken_for_unknown_again() -> None:
    brevity = Brevity()
    for seconds in (*[0.001] * 10, 2 * BRIEF_S):
        brevity.observe(a_job(), command("/bin/true"), seconds)

    assert not holds(brevity, command("/bin/true"))
    for _ in range(RUNS_MIN):
        brevity.observe(a_job(), command("/bin/true"), 0.001)
    assert holds(brevity, command("/bin/true"))
    brevity.stalls(a_job(), command("/bin/true"))
    assert not holds(brevity, command("/bin/true"))


@pytest.mark.parametrize(("expected_s", "is_brief"), [(BRIEF_S / 2, True), (2 * BRIEF_S, False)])
def test_what_is_known_of_a_command_itself_counts(expected_s: float, is_brief: bool) -> None:
    assert holds(Brevity(), command("/bin/true"), expected_s=expected_s) == is_brief


def test_what_needs_inputs_or_is_no_command_is_not_brief() -> None:
    fed = Held(UNIT, a_job().origin)
    fed.files["parent"] = (file("data"),)
    module = Task("only", (), Program(ProgramKind.MODULE, ("only.py",)))

    assert not holds(Brevity(), command("/bin/true"), expected_s=0.001, held=fed)
    assert not holds(Brevity(), module, expected_s=0.001)


def test_only_so_many_programs_are_remembered_those_that_ran_last() -> None:
    brevity, job = Brevity(), a_job()
    for number in range(PROGRAMS_MAX + 1):
        for _ in range(RUNS_MIN):
            brevity.observe(job, command(f"/bin/{number}"), 0.001)

    assert len(brevity._runs) == PROGRAMS_MAX
    assert not holds(brevity, command("/bin/0"))
    assert holds(brevity, command(f"/bin/{PROGRAMS_MAX}"))
