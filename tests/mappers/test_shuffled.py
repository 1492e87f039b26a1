import math
from collections import Counter
from random import Random

from pnode.mappers.instance import Instance, uniform
from pnode.mappers.shuffled import shuffled

from .instances import TOPCUOGLU, faults


def test_every_node_that_can_run_a_task_is_as_likely() -> None:
    instance = Instance(((1.0, math.inf, 9.0),) * 3000, (), uniform(3, 0.0), uniform(3, 0.0))

    drawn = Counter(shuffled(instance, Random(1)).node)

    assert set(drawn) == {0, 2}
    assert abs(drawn[0] - 1500) < 4 * math.sqrt(3000 / 4)  # four standard deviations


def test_the_seed_says_everything() -> None:
    plans = [shuffled(TOPCUOGLU, Random(seed)) for seed in (1, 1, 2)]

    assert plans[0] == plans[1]
    assert plans[1] != plans[2]
    assert faults(TOPCUOGLU, plans[2]) == []
