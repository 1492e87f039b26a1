"""Scenarios from any file; and that what is read is what runs."""

import json
import math
from pathlib import Path

import pytest

from pnode.sim.formats.chrome import write_chrome
from pnode.sim.formats.ncsim import ncsim_text, parse_ncsim
from pnode.sim.formats.ncsim_trace import Trace, parse_trace, trace_text
from pnode.sim.formats.scenarios import read_scenario
from pnode.sim.formats.toml_writing import write_toml
from pnode.sim.schedule.run import simulate

from .runs import SCENARIO
from .samples import data, needs_data, refusal
from .test_dagbench import PAIR as DAGBENCH
from .test_tgff import PAIR as TGFF
from .test_toml import SMALL
from .test_wfformat import CHAIN


def test_a_scenario_comes_from_any_file_with_a_graph_and_a_network(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(SMALL)
    (tmp_path / "b").write_text(TGFF)
    (tmp_path / "c.json").write_text(json.dumps(DAGBENCH))

    names = [read_scenario(tmp_path / name).arrivals[0].graph.name for name in ("a.toml", "b", "c.json")]

    assert names == ["job", "b", "pair"]


def test_a_scenario_of_ncsim_is_told_by_its_suffix(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML is not installed, the extra `ncsim`")
    plain = parse_ncsim("x", ncsim_text(read_scenario(toml_of(tmp_path, 'contention = "link"' + SMALL))))
    (tmp_path / "a.yaml").write_text(ncsim_text(plain))

    assert read_scenario(tmp_path / "a.yaml") == plain


def toml_of(folder: Path, text: str) -> Path:
    (folder / "s.toml").write_text(text)
    return folder / "s.toml"


def test_a_graph_without_a_network_is_no_scenario(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(CHAIN))

    assert "a graph in it and no network" in refusal(lambda: read_scenario(tmp_path / "a.json")).reason


def test_a_task_that_can_run_nowhere_is_refused(tmp_path: Path) -> None:
    path = toml_of(tmp_path, SMALL.replace("b = 1", "b = { cost = 1, cores = 2 }"))

    assert "graph 'job': task 'b' fits no machine, it asks for 2 cores" in refusal(lambda: read_scenario(path)).reason


# Together with the simulator.


def test_the_small_file_takes_as_long_as_by_hand(tmp_path: Path) -> None:
    """2 s, then 5 MB at 1 MB/s or nothing at all on the same node, then 1 s."""
    assert simulate(read_scenario(toml_of(tmp_path, SMALL)), "heft").makespan_s == 3.0


ONE_TRANSFER = """
network:
  nodes: [{id: n0, compute_capacity: 100}, {id: n1, compute_capacity: 50}]
  links: [{id: l01, from: n0, to: n1, bandwidth: 100, latency: 0.001}]
dags:
  - id: dag_1
    tasks: [{id: T0, compute_cost: 100, pinned_to: n0}, {id: T1, compute_cost: 200, pinned_to: n1}]
    edges: [{from: T0, to: T1, data_size: 50}]
"""
TWO_TRANSFERS = """
network:
  nodes: [{id: n0, compute_capacity: 1000}, {id: n2, compute_capacity: 1000}]
  links: [{id: l02, from: n0, to: n2, bandwidth: 100}]
dags:
  - id: dag_1
    tasks:
      - {id: T0, compute_cost: 10, pinned_to: n0}
      - {id: T1, compute_cost: 10, pinned_to: n0}
      - {id: T2, compute_cost: 10, pinned_to: n2}
    edges: [{from: T0, to: T2, data_size: 100}, {from: T1, to: T2, data_size: 100}]
"""


@pytest.mark.parametrize(("text", "makespan_s"), [(ONE_TRANSFER, 5.501), (TWO_TRANSFERS, 2.020)])
def test_scenarios_of_ncsim_take_as_long_as_ncsim_says(text: str, makespan_s: float) -> None:
    """The values that were verified with ncsim (jupiter.md 7.2), and by hand:

    1 + 0.001 + 0.5 + 4 s. And: transfers begin at 0.01 and 0.02; until then the first has moved 1 MB, then both move
    at 50 MB/s until it ends at 0.02 + 99 / 50 = 2.00, the other moves its last 1 MB by 2.01, and the last task ends.
    """
    pytest.importorskip("yaml", reason="PyYAML is not installed, the extra `ncsim`")

    assert simulate(parse_ncsim("x", text), "heft").makespan_s == pytest.approx(makespan_s, abs=1e-9)


@needs_data
@pytest.mark.parametrize(("name", "makespan_s"), [("golden_7node_4task", 1.778009), ("real_30node_10task", 3.213252)])
def test_a_measured_cluster_runs_as_heft_plans_it(name: str, makespan_s: float) -> None:
    result = simulate(read_scenario(data(f"{name}.tgff")), "heft", trace=True)

    assert result.makespan_s == pytest.approx(makespan_s, abs=5e-7)


@needs_data
def test_a_run_of_a_trace_is_read_back_from_its_trace(tmp_path: Path) -> None:
    toml = f"""
    contention = "link"
    ccr = 1
    [network]
    nodes = 8
    speed = "uniform 0.25 1.75"
    bandwidth = "uniform 0.25 1.75"
    [[job]]
    graph = "{data("wfinstances", "montage-chameleon-dss-05d-001.json.xz")}"
    items = 2
    period = "10 s"
    """
    scenario = read_scenario(toml_of(tmp_path, toml))

    result = simulate(scenario, "heft", trace=True)
    back = parse_trace("x", trace_text(result), scenario)

    assert set(back.executions) == set(result.executions)
    assert set(back.transfers) == set(result.transfers)
    write_chrome(tmp_path / "chrome.json", result)
    drawn = json.loads((tmp_path / "chrome.json").read_text())["traceEvents"]
    assert sum(event["ph"] == "X" for event in drawn) == 2 * 58


def test_the_scenario_of_the_hand_made_run_runs_so(tmp_path: Path) -> None:
    write_toml(tmp_path / "pair.toml", SCENARIO)

    result = simulate(read_scenario(tmp_path / "pair.toml"), "heft", trace=True)

    assert result.complete
    assert parse_trace("x", trace_text(result), SCENARIO) == Trace(result.executions, result.transfers)
    assert math.isfinite(result.makespan_s)
