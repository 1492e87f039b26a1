"""ncsim's scenarios, both ways."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.instance import Edge
from pnode.sim.formats import ncsim, yaml_document
from pnode.sim.formats.ncsim import ncsim_text, parse_ncsim, read_ncsim, write_ncsim
from pnode.sim.formats.source import unpack
from pnode.sim.schedule.scenario import (
    Arrival,
    Disruption,
    Durations,
    Fate,
    Gossip,
    Graph,
    Handoff,
    Machine,
    Network,
    Scenario,
    Vertex,
)

from .samples import SECONDS, accepts_or_refuses, damaged, graphs, mutated, networks, refusal

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed, the extra `ncsim`")

TWO = """\
# Two nodes, one link.
scenario:
  name: "two nodes"
  network:
    nodes:
      - id: n0
        compute_capacity: 100
        position: {x: 0, y: 0}
      - {id: 1, compute_capacity: 50}
    links:
      - {id: l01, from: n0, to: 1, bandwidth: 0.1, latency: 0.001}
  dags:
    - id: dag_1
      inject_at: 2.5
      tasks:
        - {id: T0, compute_cost: 100, pinned_to: n0}
        - {id: T1, compute_cost: 200, pinned_to: null}
      edges:
        - {from: T0, to: T1, data_size: 0.3}
  config:
    scheduler: wba
    scheduler_options: {alpha: 0.75}
    seed: 42
    interference: none
"""

SAID = Scenario(
    "two nodes",
    Network(
        (Machine("n0", 100.0), Machine("1", 50.0)), ((0.0, 0.001), (0.0, 0.0)), ((math.inf, 1e5), (0.0, math.inf))
    ),
    (Arrival(Graph("dag_1", (Vertex("T0", 100.0, pinned="n0"), Vertex("T1", 200.0)), (Edge(0, 1, 3e5),)), 2.5),),
    Contention.LINK,
)


def test_a_scenario_is_read_in_seconds_and_bytes() -> None:
    assert parse_ncsim("two.yaml", TWO) == SAID


def test_the_outermost_level_and_most_of_the_rest_may_be_left_out() -> None:
    short = "network: {nodes: [{id: a, compute_capacity: 1}]}\ndags: [{id: d, tasks: [{id: t, compute_cost: 1}]}]"

    assert parse_ncsim("x/short.yaml", short) == Scenario(
        "short",
        Network((Machine("a"),), ((0.0,),), ((math.inf,),)),
        (Arrival(Graph("d", (Vertex("t", 1.0),), ())),),
        Contention.LINK,
    )


def test_aliases_stand_for_what_they_name() -> None:
    same = TWO.replace("{id: T1, compute_cost: 200,", "{id: T1, compute_cost: *c,").replace(
        "compute_cost: 100", "compute_cost: &c 100"
    )

    assert [task.cost_s for task in parse_ncsim("x", same).arrivals[0].graph.tasks] == [100.0, 100.0]


NET, DAG = "scenario.network", "scenario.dags[0]"


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ("compute_capacity: 50", "compute_capacity: 0", f"{NET}.nodes[1]", "machine 1 has the speed 0.0"),
        ("compute_capacity: 50", "compute_capacity: fast", f"{NET}.nodes[1].compute_capacity", "number is fast"),
        ("compute_capacity: 50", "compute_power: 50", f"{NET}.nodes[1]", "there is no `compute_capacity`"),
        ("id: 1,", "id: n0,", f"{NET}.nodes[1]", "a second machine is called n0"),
        ("to: 1,", "to: 2,", f"{NET}.links[0]", "there is no machine 2; machines are n0, 1"),
        ("to: 1,", "to: n0,", f"{NET}.links[0]", "leads nowhere"),
        ("bandwidth: 0.1, ", "", f"{NET}.links[0]", "there is no `bandwidth`"),
        ("bandwidth: 0.1", "bandwidth: 0", f"{NET}.links[0]", "has the bandwidth 0.0"),
        ("latency: 0.001", "latency: -1", f"{NET}.links[0].latency", "the number is -1, expected"),
        ("{id: l01, from: n0, to: 1, bandwidth: 0.1, latency: 0.001}", "", f"{NET}.links[0]", "found nothing"),
        ("pinned_to: n0", "pinned_to: n7", f"{DAG}.tasks[0].pinned_to", "there is no machine 'n7'"),
        ("id: T1", "id: T0", f"{DAG}.tasks[1]", "a second task is called T0"),
        ("compute_cost: 200", "compute_cost: 1e400", f"{DAG}.tasks[1].compute_cost", "the number is 1e400"),
        ("compute_cost: 200", "compute_cost: .nan", f"{DAG}.tasks[1].compute_cost", "the number is .nan"),
        ("to: T1, data", "to: T9, data", f"{DAG}.edges[0]", "there is no task T9; tasks are T0, T1"),
        ("data_size: 0.3", "size: 0.3", f"{DAG}.edges[0]", "there is no `data_size`"),
        ("0.3}", "0.3}\n        - {from: T1, to: T0, data_size: 1}", DAG, "a cycle: T0 -> T1 -> T0"),
        ("interference: none", "interference: proximity", "scenario.config.interference", "expected none"),
        ("seed: 42", "routing: widest_path", "scenario.config.routing", "expected direct"),
        ("  config", "    - {id: dag_1, tasks: [{id: a, compute_cost: 1}]}\n  config", "scenario.dags[1]", "second"),
        ("seed: 42", "seed: 42\n    seed: 43", "line 24, column 5", "a table has the key seed twice"),
        ("seed: 42", "<<: {seed: 42}", "line 23, column 5", "tables are not merged here"),
        ("seed: 42", "[1]: 42", "line 23, column 5", "a key is no text"),
        ("seed: 42", "seed: &a [*a]", "line 23, column 11", "a part of it contains itself"),
        ("seed: 42", "seed: *a", "line 23, column 11", "found undefined alias"),
        ("seed: 42", "seed: \0", "", "no YAML"),
        ("seed: 42", "seed: " + "[" * 51 + "]" * 51, "", "nested more than 50 levels deep"),
        (TWO, "- 1\n", "", "found a list, expected a table"),
        (TWO, "", "", "found nothing, expected a table"),
        (TWO, "a: 1\n---\nb: 1\n", "line 2, column 1", "but found another document"),
        (TWO, "scenario: {dags: []}", "scenario", "there is no `network`"),
        ("  dags:", "  dags: []\n  other:", "scenario", "has no graph, expected at least one"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_scenario_is_refused_at_its_place(old: str, new: str, where: str, reason: str) -> None:
    assert old in TWO

    error = refusal(lambda: parse_ncsim("two.yaml", TWO.replace(old, new, 1)))

    assert error.where == where
    assert reason in error.reason


def test_what_is_no_yaml_is_refused_at_a_line() -> None:
    error = refusal(lambda: parse_ncsim("x", TWO.replace("scenario:", "scenario: [")))

    assert error.where.startswith("line 4, column ")
    assert error.reason.startswith("no YAML: ")


def test_a_machine_that_nobody_can_reach_is_refused() -> None:
    alone = TWO.replace(
        "{id: 1, compute_capacity: 50}", "{id: 1, compute_capacity: 50}\n      - {id: 2, compute_capacity: 1}"
    )

    assert "machine 2 has no link" in refusal(lambda: parse_ncsim("x", alone)).reason


def test_a_few_lines_cannot_stand_for_too_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ncsim, "TASKS_MAX", 3)
    twice = TWO.replace("tasks:\n", "tasks: &t\n").replace("  config:", "    - {id: d2, tasks: *t}\n  config:")

    assert "there are 4 tasks and 1 edges" in refusal(lambda: parse_ncsim("x", twice)).reason


def test_a_bomb_of_aliases_does_no_harm() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))

    assert "there is no `network`" in refusal(lambda: parse_ncsim("x", bomb)).reason


def test_a_file_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "CHARACTERS_MAX", 10)

    assert "more than 10 characters" in refusal(lambda: parse_ncsim("x", TWO)).reason


def test_whoever_has_no_pyyaml_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)

    assert "pip install 'pnode[ncsim]'" in refusal(lambda: parse_ncsim("x", TWO)).reason


def test_pyyaml_without_its_c_library_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    assert parse_ncsim("two.yaml", TWO) == SAID
    assert "nested more than 50" in refusal(lambda: parse_ncsim("x", "[" * 100_000)).reason


# Writing.


def test_what_is_written_is_yaml_that_others_read_with_numbers_as_numbers() -> None:
    tiny = replace(SAID, arrivals=(replace(SAID.arrivals[0], at_s=1e-7),))
    plain = yaml.safe_load(ncsim_text(tiny))["scenario"]

    assert plain["network"]["nodes"] == [
        {"id": "n0", "compute_capacity": 100.0},
        {"id": "1", "compute_capacity": 50.0},
    ]
    assert plain["network"]["links"] == [{"id": "n0->1", "from": "n0", "to": "1", "bandwidth": 0.1, "latency": 0.001}]
    assert plain["dags"][0]["inject_at"] == 1e-7
    assert plain["dags"][0]["tasks"][0] == {"id": "T0", "compute_cost": 100.0, "pinned_to": "n0"}
    assert plain["dags"][0]["edges"] == [{"from": "T0", "to": "T1", "data_size": 0.3}]
    assert plain["config"] == {"scheduler": "heft", "routing": "direct", "interference": "none"}


def test_the_scheduler_is_manual_when_all_tasks_are_pinned() -> None:
    graph = replace(SAID.arrivals[0].graph, tasks=(Vertex("T0", 1.0, pinned="n0"), Vertex("T1", 1.0, pinned="1")))
    pinned = replace(SAID, arrivals=(Arrival(graph),))

    assert '    scheduler: "manual"\n' in ncsim_text(pinned)
    assert '    scheduler: "cpop"\n' in ncsim_text(pinned, "cpop")


def test_graphs_of_the_same_name_are_told_apart() -> None:
    twice = replace(SAID, arrivals=SAID.arrivals * 2)

    read = parse_ncsim("x", ncsim_text(twice))

    assert [arrival.graph.name for arrival in read.arrivals] == ["dag_1", "dag_1.2"]


WORDS = st.text(min_size=1, max_size=6).filter(str.isprintable)

MEGABYTES = st.floats(1e-290, 1e15) | st.just(0.0)
"""They are told in millionths of what they are: less would be too little for a number to hold."""


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    network = draw(networks(WORDS, cards=False))
    pins = st.sampled_from(["", *(machine.name for machine in network.machines)])
    count = draw(st.integers(1, 2))
    some = draw(
        st.lists(
            graphs(WORDS, cores=st.just(1), memory=st.just(0.0), sizes=MEGABYTES),
            min_size=count,
            max_size=count,
            unique_by=lambda graph: graph.name,
        )
    )
    arrivals = tuple(
        Arrival(replace(graph, tasks=tuple(replace(task, pinned=draw(pins)) for task in graph.tasks)), draw(SECONDS))
        for graph in some
    )
    return Scenario(draw(WORDS), network, arrivals, Contention.LINK)


@settings(max_examples=40)
@given(scenarios())
def test_what_is_written_is_read_back(scenario: Scenario) -> None:
    assert parse_ncsim("x", ncsim_text(scenario)) == scenario


def test_a_scenario_goes_through_a_file(tmp_path: Path) -> None:
    write_ncsim(tmp_path / "two.yaml", SAID)

    assert read_ncsim(tmp_path / "two.yaml") == SAID


GRAPH = SAID.arrivals[0].graph


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (replace(SAID, contention=Contention.NIC), "contention other than by links"),
        (replace(SAID, durations=Durations(node_width=0.5)), "durations that are drawn"),
        (replace(SAID, disruptions=(Disruption(1.0, 0, Fate.FAIL),)), "disruptions"),
        (replace(SAID, gossip=Gossip(1.0)), "gossip"),
        (replace(SAID, handoff=Handoff(1.0)), "hand-off"),
        (replace(SAID, arrivals=(Arrival(GRAPH, items=2),)), "streams"),
        (
            replace(SAID, network=replace(SAID.network, seconds_per_byte2=((0.0, 1.0), (1.0, 0.0)))),
            "links with a quadratic term",
        ),
        (
            replace(SAID, network=replace(SAID.network, machines=(Machine("n0", cores=2), Machine("1")))),
            "cores, memory and network cards",
        ),
        (
            replace(
                SAID, arrivals=(Arrival(replace(GRAPH, tasks=(Vertex("T0", 1.0, (1.0, 2.0)), Vertex("T1", 1.0)))),)
            ),
            "cores, memory and a cost on each node",
        ),
    ],
)
def test_what_ncsim_does_not_know_is_refused(changed: Scenario, reason: str) -> None:
    assert reason in refusal(lambda: ncsim_text(changed)).reason


# Anything.


@given(mutated(yaml.safe_load(TWO)))
def test_any_document_is_read_or_refused(document: object) -> None:
    accepts_or_refuses(lambda: parse_ncsim("x", json.dumps(document)))
    accepts_or_refuses(lambda: parse_ncsim("x", yaml.safe_dump(document)))


@given(damaged(TWO))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_ncsim("x", text))


@given(st.binary(max_size=100) | st.text("[]{}:-&*!<>| \n\"'%@,?#a1.~", max_size=30).map(str.encode))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse_ncsim("x", unpack("x", packed)))
