"""Calls that are handed in together, as the graph of one job, and their outcomes as they come back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.node.bundling import TASK_S, Call, Kind, Pace
from pnode.node.callee import DIED, HEADER, RAISED, SAME_UNIT, VALUE, Outcomes, Parcel, dump
from pnode.node.callgraph import (
    CALLS_MAX,
    GRAPH_BYTES_MAX,
    NAMED_MAX,
    PARCEL_BYTES_MAX,
    SHORT_BYTES,
    Graph,
    Made,
    Room,
    Wishes,
    graph_of,
    outcomes_of,
)
from pnode.node.callmessages import FILES_MAX, INLINE_BYTES_MAX, PARCEL, VALUES
from pnode.node.futures import Outcome, Payload
from pnode.node.parcel import Function
from pnode.protocol.certificate import NAME_BYTES_MAX
from pnode.protocol.codec import encode
from pnode.protocol.dag import Dag
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import GIVEN_BYTES_MAX, SPEC_BYTES_MAX, FileRef, Item, JobSpec
from pnode.protocol.routing import ALL_GIVEN

KIND: Kind = (0,)

FUNCTIONS = (Function(0, b"first", "f"), Function(1, b"second", "f"), Function(2, b"third", "g"))


def quick(cores: int = 1) -> Pace:
    pace = Pace(cores)
    pace.observe(KIND, TASK_S / 2)
    return pace


def made(number: int, *waits_for: int, kind: Kind = KIND, function: int = 0) -> Made:
    return Made(Call(number, kind, waits_for), FUNCTIONS[function], b"body %d" % number, Wishes())


def outcome(value: object, name: str = "other.9", at: int = 0) -> Outcome:
    payload = Payload(dump(value))
    return Outcome(VALUE, payload, 0.0, FileRef(name, payload.size + HEADER.size, digest_of(name.encode())), at)


def graph(*calls: Made, done: dict[int, Outcome] | None = None, wanted: set[int] | None = None, pace: Pace) -> Graph:
    return graph_of(calls, done or {}, wanted or set(), pace)


def children(found: Graph) -> dict[str, tuple[str, ...]]:
    return {task.name: task.children for task in found.tasks}


def parcel(found: Graph, place: Path) -> Parcel:
    (place / "parcel").write_bytes(found.parcel)
    return Parcel(str(place / "parcel"))


def test_a_task_is_called_after_its_function_and_first_call() -> None:
    found = graph(made(3), made(4), made(5, 3), pace=Pace())
    together = graph(*(made(number) for number in range(10, 18)), pace=quick())

    assert [task.name for task in found.tasks] == ["f.3", "f.4", "f.5"]
    assert [task.name for task in together.tasks] == ["f.10+1", "f.12+1", "f.14+1", "f.16+1"]


def test_a_bundle_feeds_a_bundle_once() -> None:
    found = graph(made(0), *(made(number, 0) for number in range(1, 9)), made(9, *range(1, 9)), pace=quick())

    assert children(found) == {
        "f.0": ("f.1+1", "f.3+1", "f.5+1", "f.7+1"),
        "f.1+1": ("f.9",), "f.3+1": ("f.9",), "f.5+1": ("f.9",), "f.7+1": ("f.9",), "f.9": (),
    }  # fmt: skip


def test_what_others_take_and_nobody_wants_is_not_kept() -> None:
    calls = made(0), made(1), made(2, 0, 1)

    assert [task.final for task in graph(*calls, pace=Pace()).tasks] == [False, False, True]
    assert [task.final for task in graph(*calls, wanted={1}, pace=Pace()).tasks] == [False, True, True]


def test_a_bundle_is_kept_for_the_sake_of_any_of_its_calls() -> None:
    calls = [made(number) for number in range(8)]
    last = made(9, *range(8))

    assert [task.final for task in graph(*calls, last, wanted={3}, pace=quick()).tasks] == [
        False, True, False, False, True,
    ]  # fmt: skip


def test_every_call_is_in_the_parcel_where_its_task_says(tmp_path: Path) -> None:
    found = graph(made(0), made(1, 0), made(2), made(3, kind=(1,), function=1), pace=quick())
    opened = parcel(found, tmp_path)
    bodies = []
    for task, numbers in zip(found.tasks, found.numbers, strict=True):
        _, first, count, name = task.program.arguments
        assert (int(count), name) == (len(numbers), PARCEL)
        bodies += [(number, opened.call(int(first) + at)) for at, number in enumerate(numbers)]
    functions = [opened.function(0), opened.function(1)]
    opened.close()

    assert sorted(bodies) == [(number, b"body %d" % number) for number in range(4)]
    assert functions == [b"first", b"second"]


def test_what_takes_less_than_a_task_costs_is_one_whatever_waits_for_what_in_it(tmp_path: Path) -> None:
    pace = Pace()
    pace.observe(KIND, 1e-6)
    pace.observe((1,), 1e-6)
    done = {7: outcome("earlier")}
    calls = made(0, 7), made(1, 0), made(2, 0, kind=(1,), function=2), made(3, 1, 2, 7)
    found = graph(*calls, done=done, wanted={3}, pace=pace)
    opened = parcel(found, tmp_path)
    opened.close()

    (task,) = found.tasks
    assert (task.name, task.children, task.final, task.program.arguments[:4]) == (
        "f+g.0+3", (), True, ("f+g", "0", "4", PARCEL),
    )  # fmt: skip
    assert task.expected_s == pytest.approx(4e-6)
    assert found.numbers == ((0, 1, 2, 3),)
    assert opened.places == {0: (SAME_UNIT, 0), 1: (SAME_UNIT, 1), 2: (SAME_UNIT, 2), 7: (VALUES, 0)}


def test_functions_that_no_call_has_stay_at_home() -> None:
    assert b"second" not in graph(made(0), pace=Pace()).parcel


def test_a_call_finds_what_it_takes_from_its_graph(tmp_path: Path) -> None:
    calls = [made(number) for number in range(8)]
    opened = parcel(graph(*calls, made(9, 2, 5), pace=quick()), tmp_path)
    opened.close()

    assert opened.places == {2: ("f.2+1", 0), 5: ("f.4+1", 1)}


def test_a_call_finds_what_is_done_among_values_if_it_is_short_and_in_a_file_if_not(tmp_path: Path) -> None:
    done = {1: outcome("one"), 2: outcome(bytes(SHORT_BYTES + 1), "long.2", 7), 3: outcome("three")}
    found = graph(made(10, 1, 2), made(11, 3, 1), done=done, pace=Pace())
    opened = parcel(found, tmp_path)
    opened.close()
    (tmp_path / "values").write_bytes(found.values)
    values = Outcomes(str(tmp_path / "values"), None)
    name = digest_of(b"long.2").hex()

    assert opened.places == {1: (VALUES, 0), 2: (name, 7), 3: (VALUES, 1)}
    assert [values.value(0), values.value(1)] == ["one", "three"]
    assert [(file.name, file.digest) for file in found.files] == [(name, digest_of(b"long.2"))]
    assert [task.program.arguments[4:] for task in found.tasks] == [(VALUES, name), (VALUES,)]
    values.close()


def test_short_values_that_are_too_many_for_a_message_are_in_files(tmp_path: Path) -> None:
    done = {number: outcome(bytes(SHORT_BYTES - 100), f"f.{number}") for number in range(100)}
    found = graph(made(200, *done), done=done, pace=Pace())

    assert INLINE_BYTES_MAX - SHORT_BYTES < len(found.values) <= INLINE_BYTES_MAX
    assert len(found.files) == 100 - len(found.values) // (SHORT_BYTES - 100)


@pytest.mark.parametrize("files", [NAMED_MAX, NAMED_MAX + 1])
def test_a_task_that_takes_more_files_than_it_can_name_takes_all(files: int) -> None:
    done = {number: outcome(bytes(SHORT_BYTES + 1), f"f.{number}") for number in range(files)}
    (task,) = graph(made(1000, *done), done=done, pace=Pace()).tasks

    assert len(task.program.arguments) <= 256
    assert (task.program.arguments[4:] == (ALL_GIVEN,)) == (files > NAMED_MAX)


def test_a_parcel_that_is_too_long_for_a_message_is_not_in_it() -> None:
    long = Made(Call(0, KIND, ()), FUNCTIONS[0], bytes(INLINE_BYTES_MAX), Wishes())
    batches = [graph(call, pace=Pace()).batch(1, bytes(16), "n", "s", 3) for call in (made(0), long)]

    assert [bool(batch.parcel) for batch in batches] == [True, False]


def test_a_task_is_expected_to_take_as_long_as_its_calls() -> None:
    pace = Pace()
    pace.observe(KIND, 0.01)
    found = graph(*(made(number) for number in range(16)), pace=pace)

    assert [task.expected_s for task in found.tasks] == [pytest.approx(0.04)] * 4
    assert graph(made(0, kind=(5,)), pace=pace).tasks[0].expected_s == 0.0


# -- room --------------------------------------------------------------------------------------------------------


def long_named(number: int, *waits_for: int) -> Made:
    function = Function(0, b"", "n" * NAME_BYTES_MAX)
    return Made(Call(number, (0, number), waits_for), function, b"", Wishes(2**16 - 1, 2**63 - 1, 1e9, function.name))


def of_job(found: Graph) -> JobSpec:
    batch = found.batch(1, bytes(16), "n" * NAME_BYTES_MAX, "s" * NAME_BYTES_MAX, 3)
    contents = (bytes(GIVEN_BYTES_MAX), bytes(GIVEN_BYTES_MAX))
    item = Item(batch.session, batch.files)
    return JobSpec(batch.name, Dag(batch.tasks), (item,), "m", 1e9, bytes(16), contents=contents)


def test_a_graph_has_room_for_so_many_calls_and_edges() -> None:
    room, edges = Room(), Room()
    many = GRAPH_BYTES_MAX // 40

    assert [room.take(made(0), [], 0) for _ in range(CALLS_MAX + 1)] == [True] * CALLS_MAX + [False]
    assert [edges.take(made(0), [], many) for _ in range(3)] == [True, True, False]
    assert edges.take(made(0), [], 0)


def test_a_graph_is_full_after_the_call_that_fills_it() -> None:
    room = Room()

    assert room.take(Made(Call(0, KIND, ()), FUNCTIONS[0], bytes(PARCEL_BYTES_MAX + 1), Wishes()), [], 0)
    assert not room.take(made(0), [], 0)


def test_a_graph_has_room_for_so_many_files_each_once() -> None:
    room = Room()
    many = [outcome(bytes(SHORT_BYTES + 1), str(number)) for number in range(FILES_MAX)]

    assert room.take(made(0), many, 0)
    assert room.take(made(0), many[:5], 0)
    assert not room.take(made(0), [outcome(bytes(SHORT_BYTES + 1), "one more")], 0)
    assert room.take(made(0), [outcome("short")], 0)


@pytest.mark.parametrize("earlier", [0, 1, 60, NAMED_MAX, NAMED_MAX + 1])
@pytest.mark.parametrize("same", [True, False], ids=["all the same", "each others"])
@pytest.mark.parametrize("others", [0, 1, 300])
def test_what_a_graph_has_room_for_fits_the_specification_of_a_job(earlier: int, same: bool, others: int) -> None:
    done = {-at: outcome(bytes(SHORT_BYTES + 1), f"f.{at}") for at in range(1, 2 * NAMED_MAX)}
    room, calls = Room(), list[Made]()
    while True:
        number = len(calls)
        takes = [-1 - (at if same else (number + at) % len(done)) for at in range(earlier)]
        call = long_named(number, *takes, *range(min(others, number)))
        if not room.take(call, [done[each] for each in takes], min(others, number)):
            break
        calls.append(call)

    spec = of_job(graph(*calls, done=done, pace=Pace()))
    assert len(calls) > (len(spec.items[0].files) > 0)
    assert len(encode(spec)) <= SPEC_BYTES_MAX


def test_many_calls_that_take_the_same_values_are_one_graph() -> None:
    done = {-at: outcome(bytes(SHORT_BYTES + 1), f"f.{at}") for at in range(1, 61)}
    room = Room()
    calls = [long_named(number, *done) for number in range(1000)]

    assert all(room.take(call, list(done.values()), 0) for call in calls)
    taken = [task.program.arguments[4:] for task in graph(*calls, done=done, pace=Pace()).tasks]
    assert len(taken[0]) == 60
    assert taken[-1] == (ALL_GIVEN,)


# -- what comes back ---------------------------------------------------------------------------------------------

FILE = FileRef("f.0", 1, digest_of(b"f"))

said = st.lists(
    st.tuples(st.sampled_from([VALUE, RAISED, DIED]), st.binary(max_size=30), st.floats(0, 1e6)),
    min_size=1,
    max_size=5,
)


def written(outcomes: list[tuple[int, bytes, float]]) -> bytes:
    return b"".join(HEADER.pack(kind, len(payload), seconds) + payload for kind, payload, seconds in outcomes)


@given(said)
def test_outcomes_are_read_as_they_were_written(outcomes: list[tuple[int, bytes, float]]) -> None:
    numbers = range(7, 7 + len(outcomes))
    found = list(outcomes_of(numbers, FILE, written(outcomes), ""))

    assert [(number, each.at) for number, each in found] == [(7 + at, at) for at in range(len(outcomes))]
    assert [(each.kind, each.payload.read(), each.seconds) for _, each in found] == outcomes
    assert {each.file for _, each in found} == {FILE}


def test_outcomes_in_a_file_are_left_there(tmp_path: Path) -> None:
    outcomes = [(VALUE, b"first", 1.0), (RAISED, b"second", 2.0)]
    (tmp_path / "f").write_bytes(written(outcomes))
    found = list(outcomes_of([1, 2], FILE, b"", str(tmp_path / "f")))
    (tmp_path / "f").unlink()

    assert [(each.kind, each.payload.read(), each.seconds) for _, each in found] == outcomes


@pytest.mark.parametrize("inline", [True, False])
def test_outcomes_that_are_missing_are_noticed(tmp_path: Path, inline: bool) -> None:
    content = written([(VALUE, b"first", 1.0)])
    (tmp_path / "f").write_bytes(content)

    with pytest.raises(EOFError):
        list(outcomes_of([1, 2], FILE, content if inline else b"", str(tmp_path / "f")))


def test_an_outcome_that_is_cut_short_is_noticed(tmp_path: Path) -> None:
    content = written([(VALUE, b"first", 1.0)])[:-1]

    with pytest.raises(EOFError):
        list(outcomes_of([1], FILE, content, ""))
