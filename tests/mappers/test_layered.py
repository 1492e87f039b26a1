import math
from collections import Counter
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Instance, InstanceError
from pnode.mappers.layered import SET_A_SIZE, Layering, layered, set_a
from pnode.mappers.networks import communication_ratio

LAYERINGS = st.builds(
    Layering,
    tasks=st.integers(2, 60),
    nodes=st.integers(1, 8),
    ccr=st.floats(0.001, 10.0),
    alpha=st.floats(0.1, 3.0),
    degree=st.integers(1, 5),
    heterogeneity=st.floats(0.0, 1.0),
)


def depths(instance: Instance) -> list[int]:
    """Per task: the edges on its longest way from the entry."""
    depth = [0] * instance.tasks
    for task in instance.order:
        depth[task] = max((depth[parent] + 1 for parent, _ in instance.parents[task]), default=0)
    return depth


@given(layering=LAYERINGS, seed=st.integers(0, 2**32 - 1))
def test_there_is_one_entry_and_one_exit_and_every_number_in_its_range(layering: Layering, seed: int) -> None:
    instance = layered(Random(seed), *layering)

    assert (instance.tasks, instance.nodes) == (layering.tasks, layering.nodes)
    assert [task for task, row in enumerate(instance.parents) if not row] == [0]
    assert [task for task, row in enumerate(instance.children) if not row] == [layering.tasks - 1]
    assert all(0 < edge.size_bytes <= 20 * layering.ccr for edge in instance.edges)
    speeds = [instance.cost_s[0][0] / seconds for seconds in instance.cost_s[0]]
    spread = 0.75 * layering.heterogeneity
    assert max(speeds) / min(speeds) <= (1 + spread) / (1 - spread) * (1 + 1e-9)
    links = [instance.seconds_per_byte[one][other] for one in range(layering.nodes) for other in range(one)]
    assert all(1 / 1.75 <= link <= 1 / 0.25 for link in links)
    assert instance.seconds_per_byte == tuple(zip(*instance.seconds_per_byte, strict=True))


def test_layers_are_as_wide_as_the_shape_says() -> None:
    """Widths are uniform in 1 to 2 alpha sqrt(v) - 1, hence alpha sqrt(v) on average, here 10 and 40.

    The entry, the exit and the layer before it, which takes what is left, are of other kinds.
    """
    for alpha, width in [(0.5, 10), (2.0, 40)]:
        graphs = [layered(Random(seed), 400, 2, 1.0, alpha, 1, 0.5) for seed in range(20)]
        layers = [layer for graph in graphs for layer in list(Counter(depths(graph)).values())[1:-2]]

        assert max(layers) < 2 * width
        assert fmean(layers) == pytest.approx(width, rel=0.15)


def test_every_task_draws_about_as_many_children_as_the_degree_says() -> None:
    """Apart from its children's own choice of a parent; in broad layers few choices coincide."""
    graphs = [layered(Random(seed), 1000, 4, 1.0, 2.0, 3, 0.5) for seed in range(5)]

    assert fmean(len(graph.edges) / graph.tasks for graph in graphs) == pytest.approx(3 + 1, rel=0.05)


def test_children_skip_layers_now_and_then() -> None:
    """By p = 0.7, 30 % of those drawn; parents that are chosen are always in the layer before."""
    graph = layered(Random(1), 1000, 4, 1.0, 1.0, 3, 0.5)
    depth = depths(graph)

    skipping = fmean(depth[edge.child] - depth[edge.parent] > 1 for edge in graph.edges)

    assert skipping == pytest.approx(0.3 * 3 / 4, abs=0.05)


def test_communication_is_to_computation_as_asked_for() -> None:
    """With equal speeds; a mean link moves a byte in E[1/U(0.25, 1.75)] = ln(7)/1.5 seconds."""
    graph = layered(Random(1), 2000, 30, 2.0, 1.0, 3, 0.0)

    assert communication_ratio(graph) == pytest.approx(2.0 * math.log(7) / 1.5, rel=0.05)


def test_the_same_generator_draws_the_same_instance() -> None:
    layering = Layering(50, 4, 1.0, 1.0, 3, 0.5)

    assert layered(Random(1), *layering) == layered(Random(1), *layering)
    assert layered(Random(1), *layering) != layered(Random(2), *layering)


@pytest.mark.parametrize(
    "wrong",
    [
        Layering(1, 4, 1.0, 1.0, 3, 0.5),
        Layering(50, 4, 0.0, 1.0, 3, 0.5),
        Layering(50, 4, 1.0, -1.0, 3, 0.5),
        Layering(50, 4, 1.0, 1.0, 0, 0.5),
        Layering(50, 4, 1.0, 1.0, 3, 1.5),
        Layering(50, 4, 1.0, 1.0, 3, -0.1),
    ],
)
def test_what_makes_no_layers_is_refused(wrong: Layering) -> None:
    with pytest.raises(InstanceError, match="no layers of"):
        layered(Random(1), *wrong)


def test_set_a_has_every_value_equally_often() -> None:
    chosen = set_a(Random(1))

    assert len(chosen) == SET_A_SIZE
    assert Counter(one.tasks for one in chosen) == {30: 50, 100: 50, 300: 50}
    assert Counter(one.nodes for one in chosen) == {4: 38, 8: 38, 16: 37, 32: 37}
    assert Counter(one.ccr for one in chosen) == {0.1: 30, 0.5: 30, 1: 30, 2: 30, 5: 30}
    assert Counter(one.alpha for one in chosen) == {0.5: 50, 1: 50, 2: 50}
    assert Counter(one.degree for one in chosen) == {1: 30, 2: 30, 3: 30, 4: 30, 5: 30}
    assert Counter(one.heterogeneity for one in chosen) == {0.25: 50, 0.75: 50, 1: 50}


def test_set_a_mixes_its_values_by_chance_that_can_be_repeated() -> None:
    assert set_a(Random(1)) == set_a(Random(1))
    assert set_a(Random(1)) != set_a(Random(2))
    assert len(dict.fromkeys((one.tasks, one.ccr) for one in set_a(Random(1)))) == 15
