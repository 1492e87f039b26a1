"""Importing: what is asked for of a network is done or refused, never passed over."""

from pathlib import Path

import pytest

from pnode.mappers.networks import communication_ratio
from pnode.sim.formats.errors import FormatError
from pnode.sim.formats.scenarios import read_scenario
from pnode.sim.formats.toml_writing import write_toml
from pnode.sim.formats.wfformat import write_wfformat
from pnode.sim.schedule.scenario import instance_of
from pnode.sim.study.importing import Wanted, imported

SCENARIO = Path(__file__).parents[3] / "examples" / "studies" / "two-sites.toml"


def test_a_scenario_is_scaled_and_keeps_the_rest() -> None:
    before = read_scenario(SCENARIO)
    after = imported(SCENARIO, Wanted(ccr=5.0))

    assert communication_ratio(instance_of(after.arrivals[0].graph, after.network)) == pytest.approx(5.0)
    assert after.network.machines == before.network.machines
    assert (after.arrivals, after.contention) == (before.arrivals, before.contention)


@pytest.mark.parametrize("wanted", [Wanted(nodes=4), Wanted(SCENARIO)])
def test_a_scenario_is_put_on_no_other_network(wanted: Wanted) -> None:
    with pytest.raises(FormatError, match="it has a network that the rest of it refers to"):
        imported(SCENARIO, wanted)


def test_a_graph_is_put_on_the_network_of_a_scenario(tmp_path: Path) -> None:
    scenario = read_scenario(SCENARIO)
    write_wfformat(tmp_path / "graph.json", scenario.arrivals[0].graph)
    write_toml(tmp_path / "there.toml", scenario)

    there = imported(tmp_path / "graph.json", Wanted(tmp_path / "there.toml"))

    assert there.network == scenario.network
    assert [task.name for task in there.arrivals[0].graph.tasks] == ["split", "left", "middle", "right", "join"]


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_graph_that_sends_nothing_is_put_on_a_drawn_network_as_well(tmp_path: Path, nodes: int) -> None:
    standard = tmp_path / "rand.stg"
    standard.write_text("1\n0 0 0\n1 2 1 0\n2 0 1 1\n")

    scenario = imported(standard, Wanted(nodes=nodes))

    assert (len(scenario.arrivals[0].graph.tasks), len(scenario.network.machines)) == (3, nodes)
    with pytest.raises(FormatError, match="no faster or slower links make it"):
        imported(standard, Wanted(nodes=nodes, ccr=0.5))
