from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Instance, InstanceError
from pnode.mappers.standard_graphs import Connection, standard_graph

BOTH = pytest.mark.parametrize("connection", Connection)


def inner_parents(instance: Instance) -> list[int]:
    """Per task between entry and exit: how many parents it has that are such tasks themselves."""
    return [sum(parent > 0 for parent, _ in row) for row in instance.parents[1:-1]]


@BOTH
@given(seed=st.integers(0, 2**32 - 1), tasks=st.integers(1, 40), amount=st.floats(0.0, 3.0), layers=st.integers(0, 6))
def test_everything_lies_between_one_entry_and_one_exit(
    connection: Connection, seed: int, tasks: int, amount: float, layers: int
) -> None:
    instance = standard_graph(Random(seed), tasks, 3, connection, amount, layers)

    assert [task for task, row in enumerate(instance.parents) if not row] == [0]
    assert [task for task, row in enumerate(instance.children) if not row] == [tasks + 1]
    assert instance.cost_s[0] == instance.cost_s[-1] == (0.0, 0.0, 0.0)
    assert all(edge.size_bytes == 0 for edge in instance.edges)
    assert standard_graph(Random(seed), tasks, 3, connection, amount, layers) == instance


def test_with_the_same_probability_later_tasks_have_more_parents() -> None:
    parents = inner_parents(standard_graph(Random(1), 1000, 2, Connection.PROBABILITY, 0.1))

    assert fmean(parents[400:600]) == pytest.approx(50, rel=0.1)
    assert fmean(parents[800:]) == pytest.approx(90, rel=0.1)


def test_with_the_same_number_of_predecessors_they_have_not() -> None:
    parents = inner_parents(standard_graph(Random(1), 1000, 2, Connection.PREDECESSORS, 3.0))

    assert fmean(parents[100:500]) == pytest.approx(3, rel=0.1)
    assert fmean(parents[500:]) == pytest.approx(3, rel=0.1)


@BOTH
def test_tasks_of_the_same_layer_do_not_know_each_other(connection: Connection) -> None:
    """With certain edges between layers, everybody has all earlier tasks as parents: as many numbers as layers."""
    certain = 1.0 if connection is Connection.PROBABILITY else 1000.0

    parents = inner_parents(standard_graph(Random(1), 100, 2, connection, certain, layers=5))

    assert len(dict.fromkeys(parents)) == 5
    assert sorted(parents) == parents


@pytest.mark.parametrize(
    ("tasks", "nodes", "amount", "layers"), [(0, 1, 1.0, 0), (1, 0, 1.0, 0), (1, 1, -1.0, 0), (1, 1, 1.0, -1)]
)
def test_what_makes_no_graph_is_refused(tasks: int, nodes: int, amount: float, layers: int) -> None:
    with pytest.raises(InstanceError, match="no graph of"):
        standard_graph(Random(1), tasks, nodes, Connection.PROBABILITY, amount, layers)
