"""Task graphs: order, parents, ranks, and every way in which a graph can be wrong."""

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.codec import MalformedError, from_wire
from pnode.protocol.dag import (
    CYCLE_SHOWN_MAX,
    EDGES_MAX,
    CycleError,
    Dag,
    DagError,
    Program,
    ProgramKind,
    Task,
    topological,
)

PROGRAM = Program(ProgramKind.MODULE, ("task.py",))


def dag_of(**children: str) -> Dag:
    """`dag_of(a="b c", b="", c="")`: each task with its children."""
    return Dag(tuple(Task(name, tuple(below.split()), PROGRAM) for name, below in children.items()))


DIAMOND = dag_of(split="left right", left="join", right="join", join="")


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Children of each task; the tasks in any order, edges always along a hidden one."""
    count = draw(st.integers(1, 12))
    hidden = [f"t{i}" for i in range(count)]
    edges = {
        name: tuple(draw(st.permutations(hidden[i + 1 :])))[: draw(st.integers(0, 3))]
        for i, name in enumerate(hidden)
    }
    return {name: edges[name] for name in draw(st.permutations(hidden))}


def test_parents_stand_in_the_order_of_the_file() -> None:
    dag = dag_of(join="", right="join", left="join", split="right left")

    assert dag.parents == {"join": ("right", "left"), "right": ("split",), "left": ("split",), "split": ()}
    assert dag.entries == ("split",)
    assert dag.by_name["left"].children == ("join",)


def test_every_task_nobody_feeds_is_an_entry() -> None:
    assert dag_of(a="c", b="c", c="").entries == ("a", "b")


def test_among_tasks_that_are_free_the_order_of_the_file_decides() -> None:
    assert DIAMOND.order == ("split", "left", "right", "join")
    assert dag_of(a="d", b="c", c="", d="").order == ("a", "b", "c", "d")
    assert dag_of(d="", c="d", b="c", a="b").order == ("a", "b", "c", "d")


def test_a_child_named_twice_is_one_child() -> None:
    dag = dag_of(a="b b", b="")

    assert dag.parents["b"] == ("a",)
    assert dag.order == ("a", "b")
    assert dag.upward_ranks(lambda _: 1.0, lambda *_: 1.0) == {"a": 3.0, "b": 1.0}


@given(acyclic())
def test_every_task_stands_once_and_after_its_parents(children: dict[str, tuple[str, ...]]) -> None:
    dag = Dag(tuple(Task(name, below, PROGRAM) for name, below in children.items()))

    assert sorted(dag.order) == sorted(children)
    place = {name: at for at, name in enumerate(dag.order)}
    assert all(place[parent] < place[child] for child, parents in dag.parents.items() for parent in parents)


@given(acyclic())
def test_a_parent_outranks_its_children(children: dict[str, tuple[str, ...]]) -> None:
    dag = Dag(tuple(Task(name, below, PROGRAM) for name, below in children.items()))

    ranks = dag.upward_ranks(lambda _: 1.0, lambda *_: 0.5)

    assert all(ranks[name] >= ranks[child] + 1.5 for name, below in children.items() for child in below)
    assert all(ranks[name] == 1.0 for name, below in children.items() if not below)


def test_the_upward_rank_is_the_longest_way_down() -> None:
    run_s = {"split": 1.0, "left": 10.0, "right": 2.0, "join": 3.0}
    transfer_s = {("split", "left"): 0.5, ("split", "right"): 20.0, ("left", "join"): 1.0, ("right", "join"): 1.0}

    ranks = DIAMOND.upward_ranks(run_s.__getitem__, lambda parent, child: transfer_s[parent, child])

    assert ranks == {"join": 3.0, "right": 6.0, "left": 14.0, "split": 27.0}


def test_two_dags_of_the_same_tasks_are_equal() -> None:
    assert Dag(DIAMOND.tasks) == DIAMOND
    assert dag_of(a="") != DIAMOND


def test_a_job_needs_a_task() -> None:
    with pytest.raises(DagError, match="at least one task"):
        Dag(())


def test_two_tasks_of_one_name_are_refused() -> None:
    task = Task("a", (), PROGRAM)

    with pytest.raises(DagError, match="two tasks are called 'a'"):
        Dag((Task("b", (), PROGRAM), task, task))


def test_an_unknown_child_is_named() -> None:
    with pytest.raises(DagError, match="task 'a' names the child 'z', which is not a task"):
        dag_of(a="b z", b="")


def test_a_task_that_feeds_itself_is_named() -> None:
    with pytest.raises(DagError, match="task 'b' feeds itself"):
        dag_of(a="b", b="b")


def test_a_cycle_is_printed() -> None:
    with pytest.raises(CycleError) as caught:
        dag_of(start="a", a="b", b="c end", c="a", end="")

    assert str(caught.value) == "the graph has a cycle: a -> b -> c -> a"


@given(acyclic(), st.data())
def test_what_is_printed_as_a_cycle_is_one(children: dict[str, tuple[str, ...]], data: st.DataObject) -> None:
    order = topological(children)
    low, high = sorted(data.draw(st.tuples(st.integers(0, len(order) - 1), st.integers(0, len(order) - 1))))
    closed = dict(children)
    for parent, child in [*zip(order[low:high], order[low + 1 : high + 1], strict=True), (order[high], order[low])]:
        closed[parent] = tuple(dict.fromkeys((*closed[parent], child)))

    with pytest.raises(CycleError) as caught:
        topological(closed)

    cycle = caught.value.cycle
    assert cycle[0] == cycle[-1]
    assert len(set(cycle)) == len(cycle) - 1
    assert all(child in closed[parent] for parent, child in pairwise(cycle))


def test_a_cycle_of_thousands_is_found_quickly_and_shortened_in_print() -> None:
    count = 20_000
    tasks = tuple(Task(f"t{i}", (f"t{(i + 1) % count}",), PROGRAM) for i in range(count))
    begin = process_time()

    with pytest.raises(CycleError) as caught:
        Dag(tasks)

    assert process_time() - begin < 2.0  # comparing every pair would take several times that
    assert len(caught.value.cycle) == count + 1
    words = caught.value.text.split(" -> ")
    assert len(words) == CYCLE_SHOWN_MAX + 1
    assert words[0] == words[-1]
    assert words[-2] == f"({count + 1 - CYCLE_SHOWN_MAX} more)"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0", "two\nlines", "\x1b[2J", "\x7f"])
def test_a_task_has_a_name_that_a_directory_could_have(name: str) -> None:
    with pytest.raises(DagError, match="is no name for a task, expected one without '/' and control characters"):
        Task(name, (), PROGRAM)
    with pytest.raises(MalformedError):
        from_wire(Task, [name, [], [0, ["task.py"]]])


@pytest.mark.parametrize(("name", "value"), [("A=B", ""), ("", ""), ("A\0", ""), ("A", "b\0")])
def test_a_variable_that_no_environment_can_hold_is_refused(name: str, value: str) -> None:
    with pytest.raises(DagError, match=r"task 'a' has the variable .*, which no environment can hold"):
        Task("a", (), PROGRAM, environment=(("FINE", "x=y\n"), (name, value)))


def test_a_program_with_a_zero_byte_is_refused() -> None:
    with pytest.raises(DagError, match="zero byte among its arguments"):
        Program(ProgramKind.COMMAND, ("echo", "a\0b"))
    with pytest.raises(MalformedError, match="zero byte among its arguments"):
        from_wire(Program, [1, ["echo", "a\0b"]])


@pytest.mark.parametrize(
    "arguments",
    [
        ("f",), ("f", "0", "1"), ("f", "x", "1", "parcel"), ("f", "0", "0", "parcel"), ("f", "-1", "1", "parcel"),
        ("f", "0", "1", ""), ("f", "0", "1", "a/b"), ("f", "1" * 10, "1", "parcel"), ("f", "0", "1 ", "parcel"),
    ],
)  # fmt: skip
def test_calls_that_are_no_calls_of_a_parcel_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(DagError, match="expected a function, two numbers and a parcel's name"):
        Program(ProgramKind.CALLS, arguments)
    with pytest.raises(MalformedError, match="expected a function, two numbers"):
        from_wire(Program, [2, list(arguments)])


def test_calls_of_a_parcel_are_a_program_whatever_their_function_is_called() -> None:
    for name in ("f", "", "<lambda>", "a/b"):
        assert Program(ProgramKind.CALLS, (name, "0", "1", "parcel", "more")).arguments[0] == name


def test_a_task_from_elsewhere_takes_at_least_one_file_per_call() -> None:
    plain = ["a", [], [0, ["task.py"]], False, 1]

    assert from_wire(Task, plain).inputs_per_call == 1
    with pytest.raises(MalformedError, match=r"Task\.inputs_per_call: 0 is not between 1 and"):
        from_wire(Task, [*plain[:-1], 0])


def test_a_graph_of_more_edges_than_are_taken_is_refused_before_it_is_looked_at() -> None:
    last = Task("last", (), PROGRAM)
    many = Task("first", ("last",) * EDGES_MAX, PROGRAM)

    assert Dag((many, last)).parents["last"] == ("first",)
    with pytest.raises(DagError, match="the graph has 200001 edges, at most 200000 are taken"):
        Dag((many, Task("last", ("unknown",), PROGRAM)))
