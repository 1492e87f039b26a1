"""Our own scenario files: what a person writes is understood, and what is wrong in it is told with its place."""

import json
import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.instance import Edge
from pnode.mappers.networks import communication_ratio
from pnode.sim.formats import toml
from pnode.sim.formats.source import unpack
from pnode.sim.formats.toml import parse_toml, read_toml
from pnode.sim.formats.toml_writing import toml_text, write_toml
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
    Spread,
    Vertex,
    instance_of,
)

from .samples import (
    SECONDS,
    accepts_or_refuses,
    damaged,
    data,
    graphs,
    mutated,
    needs_data,
    networks,
    refusal,
)
from .test_dagbench import PAIR as DAGBENCH
from .test_tgff import PAIR as TGFF
from .test_wfformat import CHAIN, OLD

NOWHERE = Path("/nowhere")

SMALL = """
[network]
nodes = 2
bandwidth = "1 MB/s"

[[job]]
[job.tasks]
a = { cost = "2 s", feeds = { b = "5 MB" } }
b = 1
"""


NODES, RATE, COST = "nodes = 2", '"1 MB/s"', '"2 s"'


TROUBLE = f'{SMALL}[[disruption]]\nat = 1\nnode = "node1"\n'


def but(old: str, new: str) -> str:
    """The small file with something else in it."""
    assert old in SMALL
    return SMALL.replace(old, new)


def parse(text: str) -> Scenario:
    return parse_toml("s.toml", text, NOWHERE)


def network(text: str) -> Network:
    return parse(f"[network]\n{text}\n[[job]]\ntasks = {{ a = 1 }}\n").network


def job(text: str) -> Arrival:
    return parse(f"[network]\nnodes = 2\nbandwidth = 1\n[[job]]\n{text}\n").arrivals[0]


def test_a_small_file_is_enough() -> None:
    assert parse(SMALL) == Scenario(
        "s",
        Network((Machine("node1"), Machine("node2")), ((0.0, 0.0), (0.0, 0.0)), ((math.inf, 1e6), (1e6, math.inf))),
        (Arrival(Graph("job", (Vertex("a", 2.0), Vertex("b", 1.0)), (Edge(0, 1, 5e6),))),),
    )


def test_the_example_of_the_docstring_is_understood(tmp_path: Path) -> None:
    assert toml.__doc__
    example = "\n".join(line[4:] for line in toml.__doc__.splitlines() if line.startswith("    "))
    for name in ("montage.json.xz", "montage-2.json.xz"):
        (tmp_path / name).write_text(json.dumps(CHAIN))
    (tmp_path / "two.toml").write_text(example)

    scenario = read_toml(tmp_path / "two.toml")

    assert (scenario.name, scenario.contention) == ("two sites", Contention.LINK)
    assert [machine.cores for machine in scenario.network.machines] == [4] * 8
    assert all(0.25 <= machine.speed <= 1.75 for machine in scenario.network.machines)
    assert scenario.network.latency_s[0][1:4] == (0.04, 0.04, 0.001)
    stream, told = scenario.arrivals
    assert (stream.graph.name, stream.at_s) == ("chain", 10.0)
    assert (stream.items, stream.period_s, stream.queue_items_max) == (100, 2.0, 4)
    assert told.graph.tasks[2] == Vertex("right", 1.375, (1, 2, 3, 1, 1, 1, 1, 1), pinned="node2")
    assert told.graph.edges == (Edge(0, 1, 5e7), Edge(0, 2, 1e6), Edge(1, 3, 2e6), Edge(2, 3, 0.0))
    assert scenario.durations == Durations(Spread.UNIFORM, 0.5, 0.3, ((("b", 1.0), ("a", 1.0)), ()))
    assert scenario.disruptions == (Disruption(30.0, 2, Fate.SPEED, 0.25),)
    assert scenario.gossip == Gossip(1.0, 0.1, 5.0)
    assert scenario.handoff == Handoff(1000.0, free=False)


# Networks.


def test_what_is_drawn_depends_on_the_seed_and_on_nothing_else() -> None:
    drawn = network('nodes = 5\nspeed = "uniform 0.25 1.75"\nbandwidth = "uniform 50 150 MB/s"\nseed = 7')
    with_more = network(
        'nodes = 5\nspeed = "uniform 0.25 1.75"\nbandwidth = "uniform 50 150 MB/s"\nseed = 7\nup = "uniform 1 2"'
    )
    other = network('nodes = 5\nspeed = "uniform 0.25 1.75"\nbandwidth = "uniform 50 150 MB/s"\nseed = 8')

    speeds = [machine.speed for machine in drawn.machines]
    assert len(set(speeds)) == 5
    assert all(0.25 <= speed <= 1.75 for speed in speeds)
    assert [machine.speed for machine in with_more.machines] == speeds
    assert with_more.bandwidth_bytes_per_s == drawn.bandwidth_bytes_per_s
    assert [machine.speed for machine in other.machines] != speeds
    rates = drawn.bandwidth_bytes_per_s
    assert all(rates[one][two] == rates[two][one] for one in range(5) for two in range(5))
    assert all(5e7 <= rates[one][two] <= 1.5e8 for one in range(5) for two in range(one))


def test_links_that_are_not_symmetric_are_drawn_each_way() -> None:
    rates = network('nodes = 2\nbandwidth = "uniform 1 2"\nsymmetric = false').bandwidth_bytes_per_s

    assert rates[0][1] != rates[1][0]


def test_nodes_may_have_names_and_go_by_the_rule_for_all_but_in_what_they_say_themselves() -> None:
    said = network(
        """speed = [1, 2]
        cores = 2
        bandwidth = inf
        [[network.node]]
        name = "big"
        speed = 4
        memory = "1 GiB"
        [[network.node]]
        name = "small"
        down = "8 Mbit/s"
        """
    )

    assert said.machines == (
        Machine("big", 4.0, 2, 2.0**30),
        Machine("small", 2.0, 2, down_bytes_per_s=1e6),
    )
    assert said.bandwidth_bytes_per_s[0][1] == math.inf


def test_exceptions_are_for_one_or_some_and_later_ones_outdo_earlier_ones() -> None:
    said = network(
        """nodes = 3
        bandwidth = 100
        latency = "1 ms"
        [[network.link]]
        from = "node1"
        to = ["node1", "node2", "node3"]
        bandwidth = 10
        [[network.link]]
        from = ["node2"]
        to = "node1"
        both = false
        latency = "2 s"
        bandwidth = 0
        """
    )

    assert said.bandwidth_bytes_per_s == ((math.inf, 10.0, 10.0), (0.0, math.inf, 100.0), (10.0, 100.0, math.inf))
    assert said.latency_s == ((0.0, 0.001, 0.001), (2.0, 0.0, 0.001), (0.001, 0.001, 0.0))


def test_links_may_be_told_as_matrices() -> None:
    said = network('nodes = 2\nlatency = [[0, "1 ms"], ["2 ms", 0]]\nbandwidth = [[0, "1 kB/s"], [inf, 0]]')

    assert said.latency_s == ((0.0, 0.001), (0.002, 0.0))
    assert said.bandwidth_bytes_per_s == ((0.0, 1000.0), (math.inf, 0.0))


def test_a_network_may_come_from_a_file_with_the_graph(tmp_path: Path) -> None:
    (tmp_path / "pair.tgff").write_text(TGFF)
    (tmp_path / "dag.json").write_text(json.dumps(DAGBENCH))

    measured = parse_toml("s", '[network]\nfile = "pair.tgff"\n[[job]]\ngraph = "pair.tgff"', tmp_path)
    straight = parse_toml(
        "s",
        'contention = "nic"\n[network]\nfile = "pair.tgff"\nstraight = true\n[[job]]\ngraph = "pair.tgff"',
        tmp_path,
    )
    bench = parse_toml("s", '[network]\nfile = "dag.json"\n[[job]]\ngraph = "dag.json"\nname = "x"', tmp_path)

    assert measured.network.seconds_per_byte2 is not None
    assert measured.arrivals[0].graph.tasks[0].costs_s == (0.1, 0.25)
    assert straight.network.seconds_per_byte2 is None
    assert straight.network.machines == measured.network.machines
    assert [machine.name for machine in bench.network.machines] == ["m", "n"]
    assert bench.arrivals[0].graph.name == "x"


# Units.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0), ("0.5", 0.5), ('"2"', 2.0), ('"2 s"', 2.0), ('"200ms"', 0.2), ('"3 us"', 3e-6), ('"3 µs"', 3e-6),
        ('"1.5 min"', 90.0), ('"2 h"', 7200.0), ('"1 d"', 86400.0), ('"4 ns"', 4e-9), ('"1e3 ms"', 1.0), ("0", 0.0),
    ],
)  # fmt: skip
def test_a_time_may_have_a_unit(text: str, seconds: float) -> None:
    assert job(f"at = {text}\ntasks = {{ a = 1 }}").at_s == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("7", 7.0), ('"50 MB"', 5e7), ('"0.1 MB"', 1e5), ('"1 kB"', 1e3), ('"1 KB"', 1e3), ('"1 KiB"', 1024.0),
        ('"2 GiB"', 2.0**31), ('"3 TB"', 3e12), ('"1 PB"', 1e15), ('"8 bit"', 1.0), ('"1 kbit"', 125.0),
        ('"1 Gbit"', 1.25e8), ('"5B"', 5.0),
    ],
)  # fmt: skip
def test_a_size_may_have_a_unit(text: str, size: float) -> None:
    assert job(f"tasks = {{ a = {{ cost = 1, feeds = {{ b = {text} }} }}, b = 1 }}").graph.edges[0].size_bytes == size


# Jobs.


def test_another_run_of_a_graph_tells_what_its_tasks_really_take(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(CHAIN))
    (tmp_path / "two.json").write_text(json.dumps(CHAIN).replace('"runtimeInSeconds": 2.5', '"runtimeInSeconds": 5'))

    scenario = parse_toml(
        "s",
        '[network]\nnodes = 1\n[[job]]\ngraph = "one.json"\ntrace = "two.json"\n[[job]]\ngraph = "one.json"',
        tmp_path,
    )

    assert scenario.durations.factors == ((("b", 1.0), ("a", 2.0)), ())
    assert scenario.arrivals[0].graph is scenario.arrivals[1].graph


@needs_data
def test_two_runs_of_a_public_trace_make_profile_and_reality() -> None:
    text = """
    ccr = 0.1
    [network]
    nodes = 8
    speed = "uniform 0.25 1.75"
    bandwidth = "uniform 0.25 1.75"
    [[job]]
    graph = "bwa-chameleon-small-001.json.xz"
    trace = "bwa-chameleon-small-003.json.xz"
    """

    scenario = parse_toml("s", text, data("wfinstances"))

    assert communication_ratio(instance_of(scenario.arrivals[0].graph, scenario.network)) == pytest.approx(0.1)
    factors = [factor for _, factor in scenario.durations.factors[0]]
    assert min(factors) == pytest.approx(0.05, abs=0.05)
    assert max(factors) == pytest.approx(24, abs=1)


@pytest.mark.parametrize("ccr", [0.1, 1.0, 7.5])
def test_the_network_is_scaled_to_all_graphs_together(ccr: float) -> None:
    text = f'ccr = {ccr}\n{SMALL}[[job]]\ntasks = {{ c = {{ cost = 7, feeds = {{ d = "1 MB" }} }}, d = 2 }}\n'
    scenario = parse(text.replace("nodes = 2", 'nodes = 2\nup = "2 MB/s"'))

    rate = scenario.network.bandwidth_bytes_per_s[0][1]
    assert (5e6 + 1e6) / 2 / rate == pytest.approx(ccr * (2 + 1 + 7 + 2) / 4)
    assert scenario.network.machines[0].up_bytes_per_s == pytest.approx(2 * rate)
    assert scenario.network.machines[0].down_bytes_per_s == math.inf


# What is wrong.


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("x = ", "", "no TOML: Invalid value (at end of document)"),
        ("x = ?", "line 1, column 5", "no TOML: Invalid value"),
        ("x = " + "[" * 5000, "", "nested too deeply"),
        ("x = " + "1" * 5000, "", "no TOML"),
        ("a = 1\na = 2\n", "line 2, column 6", "no TOML: Cannot overwrite"),
        ("contenton = 1", "", "unknown key contenton, did you mean `contention`?"),
        ("[[job]]\ntasks = {a = 1}", "", "there is no `network`"),
        ("[network]\nnodes = 1", "", "there is no `job`"),
        ("job = []\n[network]\nnodes = 1", "", "has no graph, expected at least one"),
        (but(NODES, "nodes = 0"), "network.nodes", "found 0, expected a whole number from 1 to 1024"),
        (but(NODES, "nodes = 2\nspeed = 0"), "network.speed", "found 0, expected a number"),
        (but(NODES, "nodes = 2\nspeed = [1]"), "network.speed", "found 1 numbers, expected one for each"),
        (but(NODES, "nodes = 2\nspeed = [1, 0]"), "network.speed[1]", "found 0"),
        (but(NODES, 'nodes = 2\nspeed = "2 MB"'), "network.speed", "MB is no unit of a number"),
        (but(NODES, 'nodes = 2\nspeed = "uniform 2 1"'), "network.speed", "the lower number first"),
        (but(NODES, 'nodes = 2\nspeed = "uniform 2"'), "network.speed", '"uniform LOW HIGH UNIT"'),
        (but(NODES, 'nodes = 2\nspeed = "normal 2 1"'), "network.speed", "found the text 'normal 2 1'"),
        (but(NODES, "nodes = 2\nspeed = nan"), "network.speed", "found nan"),
        (but(RATE, '"uniform 1 2"\nseed = -1'), "network.seed", "found -1, expected a whole number"),
        (but(NODES, "nodes = 2\ncores = 1.5"), "network.cores", "found 1.5, expected a whole number"),
        (but(NODES, ""), "network", "expected either `nodes`, how many there are, or a table"),
        (but(NODES, "nodes = 2\nnode = []"), "network", "expected either `nodes`"),
        (but(NODES, "node = []"), "network", "there is no node, expected at least one"),
        (
            but(NODES, 'node = [{name = "a"}, {name = "a"}]'),
            "network.node[1]",
            "a second machine is called a",
        ),
        (but(NODES, "node = [{}]"), "network.node[0]", "there is no `name`"),
        (but(NODES, 'node = [{name = "a", sped = 1}]'), "network.node[0]", "did you mean `speed`?"),
        (but(NODES, 'nodes = 2\nfile = "x"'), "network", "unknown key nodes, expected file, straight"),
        (but('bandwidth = "1 MB/s"', ""), "network", "no link from node1 to node2 is told"),
        (but(RATE, '"1 MB"'), "network.bandwidth", "MB is no unit of a bandwidth"),
        (but(RATE, '"-1 MB/s"'), "network.bandwidth", "found the text '-1 MB/s', expected a bandwidth"),
        (but(RATE, "-1"), "network.bandwidth", "found -1, expected a bandwidth"),
        (but(RATE, "0"), "network", "node node1 cannot talk to any other"),
        (but(RATE, '"uniform 0 1"'), "network.bandwidth", "expected a bandwidth"),
        (but(RATE, "[[0, 1], [2]]"), "network.bandwidth", "expected 2 lists of 2 numbers"),
        (but(RATE, "[[0, 1], 2]"), "network.bandwidth[1]", "found 2, expected a list"),
        (but(RATE, "[[0, 1], [-2, 0]]"), "network.bandwidth[1][0]", "found -2"),
        (but(RATE, "1\nlatency = inf"), "network.latency", "found inf, expected a time"),
        (but(RATE, '1\nlink = [{from = "node1"}]'), "network.link[0]", "expected a `latency`, a `band"),
        (
            but(RATE, '1\nlink = [{from = "node1", to = "nodeX", latency = 1}]'),
            "network.link[0].to",
            "there is no node nodeX",
        ),
        (
            but(RATE, '1\nlink = [{from = "node1", to = ["node1"], latency = 1}]'),
            "network.link[0]",
            "the link leads nowhere",
        ),
        ('contention = "fair"\n' + SMALL, "contention", "found the text fair, expected one of none, link, nic"),
        ("ccr = 0\n" + SMALL, "ccr", "found 0, expected a number from 1e-30"),
        ("ccr = 1\n" + but("5 MB", "0 MB"), "ccr", "the ratio of communication to computation is 0"),
        ("ccr = 1\n" + but(RATE, "inf"), "ccr", "the ratio of communication to computation is 0"),
        ("ccr = 1\n" + but(COST, "0").replace("b = 1", "b = 0"), "ccr", "computation is inf"),
        (but(COST, '"-2 s"'), "job[0].tasks.a.cost", "expected a time, like"),
        (but(COST, '"2 m"'), "job[0].tasks.a.cost", "m is no unit of a time"),
        (but(COST, '"1e400 s"'), "job[0].tasks.a.cost", "a time is 1e400"),
        (but(COST, '"2 2 s"'), "job[0].tasks.a.cost", "found the text '2 2 s', expected a time"),
        (but(COST, '"1.2.3 s"'), "job[0].tasks.a.cost", "a time is 1.2.3"),
        (but('cost = "2 s", ', ""), "job[0].tasks.a", "expected a `cost`, or `costs` on every node"),
        (but('cost = "2 s"', "costs = [1]"), "job[0].tasks.a.costs", "found 1 costs, expected one for each of 2"),
        (but('cost = "2 s"', 'cost = 1, node = "n"'), "job[0].tasks.a.node", "there is no node n; nodes are"),
        (but('cost = "2 s"', "cost = 1, core = 2"), "job[0].tasks.a", "unknown key core, did you mean `cores`?"),
        (but("b = 1", "c = 1"), "job[0].tasks.a.feeds.b", "there is no task b; tasks are a, c"),
        (but("b = 1", "b = { cost = 1, feeds = { a = 1 } }"), "job[0].tasks", "a cycle: a -> b -> a"),
        (but("feeds = { b", "feeds = { a"), "job[0].tasks.a.feeds.a", "task a waits for itself"),
        (but("b = 1", 'b = 1\n"" = 1'), "job[0].tasks.''", "a task is called '', expected a name of 1 to 512"),
        (but("[[job]]", '[[job]]\norigin = "x"'), "job[0].origin", "there is no node x; nodes are node1, node2"),
        (but("[[job]]", "[[job]]\nitems = 2\nqueue = -1"), "job[0].queue", "found -1, expected a whole number"),
        (but("[[job]]", "[[job]]\nitems = 0"), "job[0].items", "found 0, expected a whole number from 1"),
        (but("[[job]]", '[[job]]\ngraph = "x.json"'), "job[0]", "expected either `graph`, a file, or a table"),
        (but("[[job]]", '[[job]]\nperod = "1 s"'), "job[0]", "unknown key perod, did you mean `period`?"),
        (SMALL + "[job.factors]\nc = 1", "job[0].factors.c", "graph job has no task c"),
        (SMALL + "[job.factors]\na = -1", "job[0].factors.a", "found -1"),
        (SMALL + '[durations]\nspread = "even"', "durations.spread", "expected one of exact, uniform, lognormal"),
        (SMALL + '[durations]\nspread = "uniform"\nwidth = 1.5', "durations.width", "found 1.5, expected"),
        (SMALL + "[durations]\nnode_width = 2", "durations.node_width", "found 2"),
        (TROUBLE.replace("node1", "x") + 'fate = "fail"', "disruption[0].node", "there is no machine 'x'"),
        (TROUBLE + 'fate = "dead"', "disruption[0].fate", "expected one of speed"),
        (TROUBLE, "disruption[0]", "there is no `fate`"),
        (TROUBLE + 'fate = "speed"', "disruption[0]", "expected a `factor` with"),
        (TROUBLE + 'fate = "fail"\nfactor = 2', "disruption[0]", "only with it"),
        (SMALL + '[gossip]\nperiod = "x"', "gossip.period", "found the text x, expected a time"),
        (SMALL + "[gossip]\nage = 1", "gossip", "unknown key age"),
        (SMALL + "[handoff]\nfree = 1", "handoff.free", "found 1, expected true or false"),
        ("name = 5\n" + SMALL, "name", "found 5, expected a text"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_scenario_is_refused_at_its_place(text: str, where: str, reason: str) -> None:
    error = refusal(lambda: parse(text))

    assert error.path == "s.toml"
    assert error.where == where
    assert reason in error.reason


def test_errors_in_files_that_are_named_name_those(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "pair.tgff").write_text(TGFF)
    (tmp_path / "chain.json").write_text(json.dumps(CHAIN))
    (tmp_path / "old.json").write_text(json.dumps(OLD))

    def error(text: str) -> tuple[str, str, str]:
        refused = refusal(lambda: parse_toml("s.toml", text, tmp_path))
        return Path(refused.path).name, refused.where, refused.reason

    base = "[network]\nnodes = 1\n[[job]]\n"
    assert error(f'{base}graph = "broken.json"')[0] == "broken.json"
    for name in ("none.json", "n" * 300):
        where, reason = error(f'{base}graph = "{name}"')[1:]
        assert (where, reason) == ("job[0].graph", f"there is no file {tmp_path / name}")
    assert error(f'{base}graph = "pair.tgff"')[:2] == ("s.toml", "job[0].graph")
    assert "expected another run of chain" in error(f'{base}graph = "chain.json"\ntrace = "old.json"')[2]
    assert error(f'{base}graph = "chain.json"\ntrace = "chain.json"\nfactors = {{}}')[1] == "job[0]"
    assert error('[network]\nfile = "chain.json"\n[[job]]\ntasks = { a = 1 }') == (
        "chain.json",
        "",
        "there is a graph in it and no network",
    )
    quadratic = '[network]\nfile = "pair.tgff"\n[[job]]\ntasks = { a = 1 }'
    assert error(f'contention = "link"\n{quadratic}')[1] == "contention"
    assert error(f"ccr = 1\n{quadratic}")[1:] == ("ccr", "links with a quadratic term cannot be scaled to a CCR")


def test_a_task_that_takes_no_time_cannot_take_some_in_another_run(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(DAGBENCH))
    (tmp_path / "zero.json").write_text(json.dumps(DAGBENCH).replace('"cost": 4', '"cost": 0'))

    def factors(graph: str, trace: str) -> Scenario:
        text = f'[network]\nnodes = 1\n[[job]]\ngraph = "{graph}.json"\ntrace = "{trace}.json"'
        return parse_toml("s", text, tmp_path)

    assert "task b takes time there and none in pair" in refusal(lambda: factors("zero", "one")).reason
    assert factors("zero", "zero").durations.factors == ((("b", 1.0), ("a", 1.0)),)


def test_a_file_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toml, "CHARACTERS_MAX", 10)

    assert "more than 10 characters" in refusal(lambda: parse("a = 1234567")).reason


# Both ways.


WORDS = st.text(min_size=1, max_size=6).filter(str.isprintable)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    machines = draw(networks(WORDS))
    if draw(st.booleans()):
        square = tuple(
            tuple(draw(st.floats(-1, 1)) if a != b else 0.0 for b in machines.machines) for a in machines.machines
        )
        machines = replace(machines, seconds_per_byte2=square)
    kinds = [Contention.NONE] if machines.seconds_per_byte2 else list(Contention)
    numbers = st.integers(0, len(machines.machines) - 1)
    arrivals = []
    for _ in range(draw(st.integers(1, 2))):
        graph = draw(graphs(WORDS))
        if draw(st.booleans()):
            pin = st.sampled_from(["", *(machine.name for machine in machines.machines)])
            rows = st.tuples(*(SECONDS for _ in machines.machines))
            graph = replace(
                graph, tasks=tuple(replace(task, costs_s=draw(rows), pinned=draw(pin)) for task in graph.tasks)
            )
        items = draw(st.integers(1, 3))
        stream = (items, draw(SECONDS), draw(st.integers(0, 2))) if items > 1 else ()
        arrivals.append(Arrival(graph, draw(SECONDS), draw(numbers), *stream))
    factors = tuple(
        tuple((task.name, draw(SECONDS)) for task in arrival.graph.tasks[: draw(st.integers(0, 2))])
        for arrival in arrivals
    )
    fates = st.sampled_from(Fate)
    disruptions = tuple(
        Disruption(draw(SECONDS), draw(numbers), fate, draw(SECONDS) if fate is Fate.SPEED else 1.0)
        for fate in draw(st.lists(fates, max_size=2))
    )
    widths = st.floats(0, 1)
    return Scenario(
        draw(WORDS),
        machines,
        tuple(arrivals),
        draw(st.sampled_from(kinds)),
        Durations(draw(st.sampled_from(Spread)), draw(widths), draw(widths), factors if any(factors) else ()),
        disruptions,
        draw(st.builds(Gossip, SECONDS, SECONDS, SECONDS) | st.just(Gossip())),
        draw(st.builds(Handoff, SECONDS, st.booleans())),
    )


@settings(max_examples=40)
@given(scenarios())
def test_what_is_written_is_read_back(scenario: Scenario) -> None:
    assert parse(toml_text(scenario)) == scenario


def test_a_scenario_goes_through_a_file(tmp_path: Path) -> None:
    scenario = replace(parse(SMALL), name="small")
    write_toml(tmp_path / "small.toml", scenario)

    assert read_toml(tmp_path / "small.toml") == scenario
    assert re.search("^bandwidth = 1000000$", (tmp_path / "small.toml").read_text(), re.MULTILINE)


def test_a_name_that_is_no_text_is_told_when_it_is_written(tmp_path: Path) -> None:
    scenario = replace(parse(SMALL), name="\ud800")

    assert "a name in it is no text" in refusal(lambda: write_toml(tmp_path / "x", scenario)).reason


# Anything.

WHOLE = tomllib.loads(
    SMALL
    + """
    [durations]
    spread = "lognormal"
    width = 0.5
    [[disruption]]
    at = "1 s"
    node = "node2"
    fate = "speed"
    factor = 0.5
    [gossip]
    period = "1 s"
    [handoff]
    message = 5
    [[network.link]]
    from = "node1"
    to = "node2"
    latency = "1 ms"
    """
)


def as_toml(plain: object) -> str:
    """Any document of JSON in one line of TOML, so that Hypothesis may change documents."""
    match plain:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(value)}" for key, value in plain.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_toml, plain)) + "]"
        case float() if not math.isfinite(plain):
            return repr(plain)
        case None:
            return "1979-05-27"
    return json.dumps(plain)


@given(mutated(WHOLE))
def test_any_document_is_read_or_refused(document: object) -> None:
    table = document if isinstance(document, dict) else {"network": document}
    text = "\n".join(f"{json.dumps(key)} = {as_toml(value)}" for key, value in table.items())

    accepts_or_refuses(lambda: parse(text))


@given(damaged(SMALL))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse(text))


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse(unpack("x", packed)))
