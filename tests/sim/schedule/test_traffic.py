"""Traffic: transfers that name what there is not, or bytes that are no number, are found and not stumbled over."""

import math
from dataclasses import replace

import pytest

from pnode.sim.schedule.errors import InfeasibleError
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.validator import validate

from . import worlds


def sent() -> Result:
    """x on a, then y on b."""
    pair = worlds.graph({"x": 1.0, "y": 1.0}, {"xy": 100.0})
    return simulate(worlds.scenario(worlds.network(*worlds.machines(2)), pair), worlds.at(0, 1), trace=True)


@pytest.mark.parametrize("facts", [{"job": 1}, {"job": -1}, {"source": 2}, {"target": 2}, {"target": -1}])
def test_a_transfer_of_a_job_or_a_machine_that_there_is_not_is_found(facts: dict[str, int]) -> None:
    good = sent()
    stray = replace(good.transfers[0], **facts)

    with pytest.raises(InfeasibleError, match="names something that the scenario does not have"):
        validate(replace(good, transfers=(*good.transfers, stray), bytes_moved=200.0))


def test_bytes_that_are_no_number_are_found() -> None:
    with pytest.raises(InfeasibleError, match="the result says nan"):
        validate(replace(sent(), bytes_moved=math.nan))
