import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.stretches import stretches

from .instances import some_instance


def graph(tasks: int, *pairs: tuple[int, int]) -> Instance:
    edges = tuple(Edge(parent, child, float(10 * parent + child)) for parent, child in pairs)
    return Instance(((1.0,),) * tasks, edges, uniform(1, 0.0), uniform(1, 0.0))


def sequence(instance: Instance, order: tuple[int, ...]) -> list[list[int]]:
    """The tasks of each stretch, in their order."""
    return [[int(found.tasks[row]) for row in found.rows] for found in stretches(instance, order)]


def test_a_stretch_ends_before_the_first_task_that_waits_for_another_of_it() -> None:
    instance = graph(6, (0, 2), (1, 3), (3, 5))

    assert sequence(instance, (0, 1, 2, 4, 3, 5)) == [[0, 1], [2, 4, 3], [5]]


def test_a_stretch_has_no_more_inputs_than_fit_unless_one_task_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.mappers.stretches.EDGES_MAX", 2)
    instance = graph(6, (0, 2), (1, 3), (0, 4), (1, 4), (2, 4), (0, 5))

    assert sequence(instance, (0, 1, 2, 3, 4, 5)) == [[0, 1], [2, 3], [4], [5]]


def test_inputs_are_laid_out_by_turns_and_tasks_by_falling_number_of_inputs() -> None:
    _, found = stretches(graph(6, (0, 3), (0, 4), (1, 4), (2, 5), (0, 5), (1, 5)), (0, 1, 2, 3, 4, 5))

    assert found.tasks.tolist() == [5, 4, 3]
    assert found.rows == [2, 1, 0]
    assert found.widths == [3, 2, 1]
    assert found.parents.tolist() == [2, 0, 0, 0, 1, 1]
    assert found.sizes_bytes.tolist() == [[25.0], [4.0], [3.0], [5.0], [14.0], [15.0]]


@given(seed=st.integers(0, 2**32))
def test_the_latest_input_of_every_task_is_found(seed: int) -> None:
    instance = some_instance(seed, tasks_max=30)
    found: dict[int, list[float]] = {}

    for stretch in stretches(instance, instance.order):
        # As if an input arrived at its parent's number on the first node, and at its size on the second.
        latest = stretch.latest(np.column_stack([stretch.parents.astype(float), stretch.sizes_bytes]))
        found |= dict(zip(stretch.tasks.tolist(), latest.tolist(), strict=True))

    assert found == {
        task: [max((parent for parent, _ in row), default=0), max((size for _, size in row), default=0)]
        for task, row in enumerate(instance.parents)
    }
