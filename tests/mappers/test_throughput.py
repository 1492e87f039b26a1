import math

import pytest

from pnode.mappers.draft import StrandedError
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.ranks import upward_of_jupiter
from pnode.mappers.throughput import Loads, loads, tpheft

from .golden import golden
from .instances import faults


def test_the_mapping_that_jupiter_published_to_all_digits() -> None:
    instance = golden()
    plan = tpheft(instance, ranks=upward_of_jupiter(instance))
    found = loads(instance, plan.node)

    assert plan.order == (0, 1, 2, 3)
    assert plan.node == (0, 1, 1, 0)
    assert list(found.node_s) == [1284, 517, 0, 0, 0, 0, 0]
    assert (found.link_s[0][1], found.link_s[1][0]) == (292.6742459856438, 317.12198215170037)
    assert sum(map(sum, found.link_s)) == 292.6742459856438 + 317.12198215170037
    assert faults(instance, plan) == []


def test_the_busiest_node_or_link_sets_the_pace() -> None:
    assert Loads((1.0, 2.0), ((0.0, 1.5), (0.5, 0.0))).bottleneck_s == 2.0
    assert Loads((1.0, 2.0), ((0.0, 3.0), (0.5, 0.0))).bottleneck_s == 3.0


def test_tasks_spread_until_a_link_would_have_more_to_do_than_a_node() -> None:
    def chain(size: float) -> Instance:
        return Instance(((2.0, 2.5), (2.0, 2.5)), (Edge(0, 1, size),), uniform(2, 0.0), uniform(2, 1.0))

    # Together 4 s on node 0; apart at most 2.5 s, or what the link needs.
    assert tpheft(chain(3.0)).node == (0, 1)
    assert tpheft(chain(5.0)).node == (0, 0)


def test_a_node_that_cannot_be_reached_is_no_choice() -> None:
    rows = ((1.0, math.inf), (math.inf, 1.0))

    with pytest.raises(StrandedError, match="task 1"):
        tpheft(Instance(rows, (Edge(0, 1, 0.0),), uniform(2, 0.0), uniform(2, math.inf)))
