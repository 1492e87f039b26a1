import math

import numpy as np
import pytest

from pnode.mappers.instance import Instance, uniform
from pnode.mappers.links import Links

ONE_TASK = ((1.0, 1.0, 1.0),)
LATENCY = ((0.0, 0.5, 1.0), (2.0, 0.0, 3.0), (4.0, 5.0, 0.0))
INVERSE = ((0.0, 1.0, 2.0), (3.0, 0.0, 4.0), (5.0, 6.0, 0.0))
BENT = ((0.0, 0.1, 0.2), (0.3, 0.0, 0.4), (0.5, 0.6, 0.0))

NETWORKS = [
    Instance(ONE_TASK, (), uniform(3, 0.0), INVERSE),
    Instance(ONE_TASK, (), LATENCY, INVERSE),
    Instance(ONE_TASK, (), uniform(3, 0.0), INVERSE, BENT),
    Instance(ONE_TASK, (), LATENCY, INVERSE, BENT),
]


def split(**matrices: float) -> Instance:
    """Nothing goes from node 0 to node 2."""
    rows = {"latency_s": 1.0, "seconds_per_byte": 2.0, "seconds_per_byte2": 3.0} | matrices
    latency, inverse, bent = (
        ((0.0, 1.0, value), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0)) for value in (rows[name] for name in rows)
    )
    return Instance(ONE_TASK, (), latency, inverse, bent)


@pytest.mark.parametrize("instance", NETWORKS)
def test_all_ways_of_asking_agree_with_the_instance(instance: Instance) -> None:
    links = Links(instance)

    for source in range(3):
        times = [instance.transfer_s(source, target, 2.0) for target in range(3)]
        assert links.arrivals_s(source, 2.0, 10.0) == pytest.approx([10.0 + seconds for seconds in times])
        assert links.times_s(np.array([source]), np.array([[2.0]])).tolist() == [pytest.approx(times)]


@pytest.mark.parametrize("instance", NETWORKS)
def test_a_factor_scales_every_part_of_a_transfer(instance: Instance) -> None:
    once, thrice = Links(instance), Links(instance, 3.0)

    assert thrice.arrivals_s(0, 2.0, 0.0) == pytest.approx([3.0 * time for time in once.arrivals_s(0, 2.0, 0.0)])


@pytest.mark.parametrize("where", ["latency_s", "seconds_per_byte", "seconds_per_byte2"])
@pytest.mark.parametrize("size_bytes", [0.0, 1.0])
@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_where_there_is_no_link_not_even_nothing_goes(where: str, size_bytes: float, factor: float) -> None:
    instance = split(**{where: math.inf})
    links = Links(instance, factor)

    assert instance.transfer_s(0, 2, size_bytes) == math.inf
    assert links.arrivals_s(0, size_bytes, 1.0)[2] == math.inf
    assert links.times_s(np.array([0]), np.array([[size_bytes]]))[0, 2] == math.inf
    assert math.isfinite(links.arrivals_s(2, size_bytes, 1.0)[0])


def test_a_mean_transfer_is_one_between_nodes_that_can_talk() -> None:
    latency = ((0.0, 1.0, 5.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0))
    inverse = ((0.0, 2.0, math.inf), (2.0, 0.0, 2.0), (2.0, 2.0, 0.0))

    assert Instance(ONE_TASK, (), latency, inverse).mean_transfer_s(3.0) == pytest.approx(1.0 + 3.0 * 2.0)


def test_a_lonely_node_needs_no_time_for_transfers() -> None:
    assert Instance(((1.0,),), (), uniform(1, 0.0), uniform(1, 0.0)).mean_transfer_s(3.0) == 0.0
