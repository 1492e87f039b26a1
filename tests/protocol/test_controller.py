"""The controller rule, against the vector that can be checked by hand (reference: jupiter.md 1.9)."""

from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.controller import controllers, controllers_of
from pnode.protocol.dag import Dag, Program, ProgramKind, Task

BIG_DAG = (
    ("task0", ("task1", "task2", "task3", "task4", "task5")),
    ("task1", ("task7", "task8")),
    ("task2", ("task6",)),
    ("task3", ("task7", "task8")),
    ("task4", ("task8",)),
    ("task5", ("task7",)),
    ("task6", ("task9",)),
    ("task7", ("task9",)),
    ("task8", ("task9",)),
    ("task9", ("home",)),
)


def dag_of(lines: tuple[tuple[str, tuple[str, ...]], ...]) -> Dag:
    program = Program(ProgramKind.COMMAND, ("true",))
    return Dag(tuple(Task(name, tuple(c for c in children if c != "home"), program) for name, children in lines))


def test_the_ten_task_graph_has_the_controllers_worked_out_by_hand() -> None:
    expected = dict.fromkeys(("task1", "task2", "task3", "task4", "task5"), "task0") | {
        "task6": "task2",
        "task7": "task1",
        "task8": "task1",
        "task9": "task6",
    }

    assert controllers(BIG_DAG) == expected
    assert controllers_of(dag_of(BIG_DAG)) == expected


def test_in_the_order_of_the_file_task1_controls_before_task2_does() -> None:
    # First appearances: 1, 2, 3, 4, 5, 7, 8, 6, 9; the relation of this graph does not depend on it.
    assert controllers(BIG_DAG, sort=False) == controllers(BIG_DAG)
    assert list(controllers(BIG_DAG, sort=False))[5:] == ["task7", "task8", "task6", "task9"]


def test_lexicographic_order_takes_task10_before_task2() -> None:
    lines = (
        ("a", ("task2", "b")),
        ("b", ("task10", "task2")),
        ("task10", ("home",)),
        ("task2", ("home",)),
    )

    # Sorted: b -> a, then task10 -> b (its only parent), then task2 has a and b, and a controls already.
    assert controllers(lines) == {"b": "a", "task10": "b", "task2": "a"}
    assert list(controllers(lines)) == ["b", "task10", "task2"]


def test_the_two_orders_differ_where_a_late_parent_became_busy_first() -> None:
    lines = (
        ("first", ("zed",)),
        ("second", ("zed", "alone")),
    )

    # v4/v5: `alone` comes first and makes `second` busy, which then gets `zed` too.
    assert controllers(lines) == {"alone": "second", "zed": "second"}
    # v1 to v3: `zed` comes first, nobody is busy, so its first parent gets it.
    assert controllers(lines, sort=False) == {"zed": "first", "alone": "second"}


def test_home_is_skipped_only_when_it_stands_first() -> None:
    assert controllers((("a", ("home", "b")),)) == {}
    assert controllers((("a", ("b", "home")),)) == {"b": "a", "home": "a"}


def test_a_task_outside_the_dag_controls_nothing() -> None:
    assert controllers((("a", ("b",)), ("slave", ("slave",)), ("b", ("home",)))) == {"b": "a"}


@given(st.lists(st.lists(st.integers(0, 200), max_size=5), min_size=1, max_size=20), st.booleans())
def test_every_task_with_parents_is_controlled_by_exactly_one_of_them(rows: list[list[int]], sort: bool) -> None:
    lines = tuple(
        (f"t{i}", tuple(dict.fromkeys(f"t{i + 1 + n % (len(rows) - i - 1)}" for n in row if len(rows) > i + 1)))
        for i, row in enumerate(rows)
    )
    dag = dag_of(lines)

    appointed = controllers_of(dag, sort)

    assert set(appointed) == {name for name, parents in dag.parents.items() if parents}
    assert all(appointed[child] in dag.parents[child] for child in appointed)
