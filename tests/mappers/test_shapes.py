from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Instance
from pnode.mappers.shapes import SHAPES, chains, in_tree, out_tree, set_c

SEEDS = st.integers(0, 2**32 - 1)


def ends(rows: tuple[tuple[tuple[int, float], ...], ...]) -> int:
    """How many tasks have no parents, or no children."""
    return sum(not row for row in rows)


def depth(instance: Instance) -> int:
    """Tasks on the longest way."""
    below = [0] * instance.tasks
    for task in reversed(instance.order):
        below[task] = 1 + max((below[child] for child, _ in instance.children[task]), default=0)
    return max(below)


@given(seed=SEEDS)
def test_an_out_tree_branches_alike_everywhere(seed: int) -> None:
    tree = out_tree(Random(seed))

    assert [len(row) for row in tree.parents] == [0] + [1] * (tree.tasks - 1)
    branching = {len(row) for row in tree.children if row}
    assert branching in ({2}, {3})
    assert 2 <= depth(tree) <= 4
    assert tree.tasks == sum(min(branching) ** level for level in range(depth(tree)))


@given(seed=SEEDS)
def test_an_in_tree_is_an_out_tree_turned_round(seed: int) -> None:
    one, other = in_tree(Random(seed)), out_tree(Random(seed))

    assert [(edge.child, edge.parent) for edge in one.edges] == [(edge.parent, edge.child) for edge in other.edges]
    assert ends(one.children) == 1


@given(seed=SEEDS)
def test_chains_run_side_by_side_from_one_entry_to_one_exit(seed: int) -> None:
    instance = chains(Random(seed))

    assert (ends(instance.parents), ends(instance.children)) == (1, 1)
    count, length = len(instance.children[0]), depth(instance) - 2
    assert 2 <= count <= 5
    assert 2 <= length <= 5
    assert instance.tasks == 2 + count * length
    assert all(len(row) == 1 for row in instance.children[1:-1])
    assert all(len(row) == 1 for row in instance.parents[1:-1])


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
@given(seed=SEEDS)
def test_weights_are_clipped_normals_on_three_to_five_nodes(make: Callable[[Random], Instance], seed: int) -> None:
    instance = make(Random(seed))

    assert 3 <= instance.nodes <= 5
    assert all(0.001 <= edge.size_bytes <= 2 for edge in instance.edges)
    assert all(0.001 / 2 <= seconds <= 2 / 0.05 for row in instance.cost_s for seconds in row)
    links = [value for row in instance.seconds_per_byte for value in row if value]
    assert all(1 / 2 <= value <= 1 / 0.05 for value in links)
    assert len(links) == instance.nodes * (instance.nodes - 1)


def test_set_c_has_a_hundred_of_each() -> None:
    instances = set_c(Random(1))

    assert len(instances) == 300
    assert set_c(Random(1)) == instances
    assert all(ends(tree.children) == 1 for tree in instances[:100])
    assert all(ends(tree.parents) == 1 for tree in instances[100:200])
    mean = sum(edge.size_bytes for instance in instances for edge in instance.edges) / sum(
        len(instance.edges) for instance in instances
    )
    assert mean == pytest.approx(1.0, abs=0.02)
