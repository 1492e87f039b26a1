"""Specifications: what no job can have is refused where it is built and where it is read."""

from dataclasses import replace
from time import process_time

import pytest

from pnode.protocol.codec import MalformedError, decode, encode, from_wire, pack
from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import SPEC_BYTES_MAX, UNITS_MAX, FileRef, Item, JobSpec, PlannedTask

from .wire import to_wire

DIGEST = digest_of(b"")
PROGRAM = Program(ProgramKind.MODULE, ("scripts/task.py",))
ONE = Dag((Task("only", (), PROGRAM),))


def spec_of(dag: Dag = ONE, items: int = 1, name: str = "app", mapper: str = "wave-greedy") -> JobSpec:
    return JobSpec(name, dag, tuple(Item(f"{i}", ()) for i in range(items)), mapper, 0.0, bytes(16))


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/b", "../up", "/etc/passwd", "a\0"])
def test_a_file_has_a_base_name(name: str) -> None:
    with pytest.raises(ValueError, match="is no base name of a file"):
        FileRef(name, 0, DIGEST)
    with pytest.raises(MalformedError):
        from_wire(FileRef, [name, 0, DIGEST])


@pytest.mark.parametrize("name", ["...", "..a", ".hidden", "two words", "\N{PARTY POPPER}", "a\\b"])
def test_a_base_name_is_taken_as_it_is(name: str) -> None:
    assert from_wire(FileRef, [name, 0, DIGEST]).name == name


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a\n"])
def test_a_key_could_be_the_name_of_a_directory(key: str) -> None:
    with pytest.raises(ValueError, match="is no key for an item"):
        Item(key, ())
    with pytest.raises(MalformedError):
        from_wire(Item, [key, []])


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2J", "zero\0"])
def test_names_of_jobs_and_mappers_do_nothing_to_a_terminal(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a job or a mapper, expected printable characters"):
        spec_of(name=name)
    with pytest.raises(ValueError, match="is no name for a job or a mapper, expected printable characters"):
        spec_of(mapper=name)
    assert spec_of(name="Größe 数据 🎈").name == "Größe 数据 🎈"


def test_more_units_than_a_machine_can_keep_are_refused() -> None:
    dag = Dag(tuple(Task(f"t{i}", (), PROGRAM) for i in range(UNITS_MAX // 1000)))

    assert len(spec_of(dag, 1000).items) == 1000
    with pytest.raises(ValueError, match="5000 tasks for 1001 items, together 5005000 units; at most 5000000 fit"):
        spec_of(dag, 1001)


def test_a_plan_has_a_place_for_every_task_or_for_none() -> None:
    part = PlannedTask(bytes(32), 1.0, 2.0)

    assert replace(spec_of(), plan=(part,)).plan == (part,)
    with pytest.raises(ValueError, match="the plan is for 2 tasks, the graph has 1"):
        replace(spec_of(), plan=(part, part))


def test_no_task_is_planned_to_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="a task is planned to start at 2 s and to end at 1 s"):
        PlannedTask(bytes(32), 2.0, 1.0)


def test_a_specification_of_an_older_version_has_no_plan_the_usual_guardians_and_no_contents() -> None:
    *older, plan, replicas, contents = to_wire(spec_of())

    assert (plan, replicas, contents) == ([], 3, [])
    assert decode(JobSpec, pack(older)) == spec_of()


def test_the_largest_graph_fits_into_a_specification_and_is_read_quickly() -> None:
    tasks = [
        Task(f"t{i}", tuple(f"t{i + step}" for step in (1, 2, 3) if i + step < 20_000), PROGRAM)
        for i in range(20_000)
    ]
    body = encode(spec_of(Dag(tuple(tasks))))
    begin = process_time()
    decode(JobSpec, body)

    assert len(body) <= SPEC_BYTES_MAX
    assert process_time() - begin < 2.0  # half a second, on a machine that has nothing else to do
