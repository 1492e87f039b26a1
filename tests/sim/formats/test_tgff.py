"""TGFF: the measured clusters are read to the last digit, and what is written is read back."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge
from pnode.sim.formats.drupe import SAMPLES_KBIT, Fit, straightened
from pnode.sim.formats.errors import whole_file
from pnode.sim.formats.source import unpack
from pnode.sim.formats.tgff import Arc, Tgff, parse_tgff, read_tgff, tgff_of, tgff_text, write_tgff
from pnode.sim.schedule.scenario import Graph, Machine, Network, Vertex, instance_of

from .samples import accepts_or_refuses, damaged, data, graphs, needs_data, refusal

PAIR = """\
@TASK_GRAPH 0 {
\tAPERIODIC

\tTASK task0\tTYPE 0\x20
\tTASK task1\tTYPE 1\x20

\tARC a0_0 \tFROM t0_0 TO t0_1 \tTYPE 800

}
@computation_cost 0 {
# type version node1 node2
  t0_0    0\t100 250
  t0_1    0\t300 50
}



@quadratic 0 {
# Source Destination a b c
  node1\tnode2\t-1e-06 0.25 100.0
  node2\tnode1\t2e-06 -0.125 200.0
}
"""

SAID = Tgff(
    ("task0", "task1"),
    (Arc(0, 1, 800.0),),
    ("node1", "node2"),
    ((100.0, 250.0), (300.0, 50.0)),
    ((Fit(), Fit(-1e-6, 0.25, 100.0)), (Fit(2e-6, -0.125, 200.0), Fit())),
)


def test_a_file_is_read_in_its_own_units() -> None:
    assert parse_tgff("pair.tgff", PAIR) == SAID


def test_a_file_is_written_as_jupiter_writes_it() -> None:
    assert tgff_text(SAID) == PAIR


def test_the_instance_keeps_milliseconds_and_kbit() -> None:
    instance = SAID.instance

    assert instance.cost_s == SAID.cost_ms
    assert instance.transfer_s(1, 0, 800.0) == pytest.approx(2e-6 * 800**2 - 0.125 * 800 + 200.0, rel=1e-15)


def test_graph_and_network_are_in_seconds_and_bytes() -> None:
    graph, network = parse_tgff("some/pair.tgff", PAIR).graph(), SAID.network()

    assert graph == Graph(
        "pair", (Vertex("task0", 0.175, (0.1, 0.25)), Vertex("task1", 0.175, (0.3, 0.05))), (Edge(0, 1, 1e5),)
    )
    instance = instance_of(graph, network)
    assert instance.transfer_s(0, 1, 1e5) == pytest.approx((-1e-6 * 800**2 + 0.25 * 800 + 100.0) / 1000)
    assert instance.transfer_s(1, 0, 1e5) == pytest.approx((2e-6 * 800**2 - 0.125 * 800 + 200.0) / 1000)


def test_straight_links_are_latency_and_bandwidth_and_nothing_below_zero() -> None:
    network = SAID.network(straight=True)

    assert network.seconds_per_byte2 is None
    assert all(seconds >= 0 for row in network.latency_s for seconds in row)
    assert all(rate > 0 for row in network.bandwidth_bytes_per_s for rate in row)


def test_a_network_without_a_quadratic_term_is_straight_already() -> None:
    network = SAID.network(straight=True)

    assert straightened(network, whole_file("x")) is network
    assert straightened(SAID.network(), whole_file("x")).seconds_per_byte2 is None


@given(st.floats(0, 1), st.floats(0, 5000))
def test_a_link_that_is_straight_stays_as_it_is(b: float, c: float) -> None:
    straight = Fit(0.0, b, c).straight

    for size in SAMPLES_KBIT:
        assert straight.delay_ms(size) == pytest.approx(b * size + c, rel=1e-6, abs=1e-6)


@given(st.floats(-1e-4, 1e-4), st.floats(-1, 1), st.floats(-5000, 5000))
def test_no_line_without_negative_terms_is_nearer_than_the_straight_one(a: float, b: float, c: float) -> None:
    fit = Fit(a, b, c)

    def distance(line: Fit) -> float:
        return math.fsum((line.delay_ms(size) - fit.delay_ms(size)) ** 2 for size in SAMPLES_KBIT)

    straight = fit.straight
    assert straight.b >= 0
    assert straight.c >= 0
    for db, dc in ((1e-6, 0), (-1e-6, 0), (0, 1e-2), (0, -1e-2)):
        other = Fit(0.0, max(0.0, straight.b + db), max(0.0, straight.c + dc))
        assert distance(straight) <= distance(other) * (1 + 1e-9) + 1e-6


def test_a_constant_below_zero_makes_no_network() -> None:
    said = replace(SAID, fits=((Fit(), Fit(0, 0, -1)), (Fit(), Fit())), file="odd.tgff")

    error = refusal(said.network)
    assert (error.path, error.reason) == (
        "odd.tgff",
        "latency_s from machine 0 to 1 is -0.001, expected zero or more",
    )
    assert said.network(straight=True).latency_s[0][1] == 0.0


# The measured clusters.


@needs_data
@pytest.mark.parametrize(
    ("name", "sizes", "makespan_ms"),
    [("golden_7node_4task", (4, 4, 7), 1778.009), ("real_30node_10task", (10, 15, 30), 3213.252)],
)
def test_heft_reaches_the_known_makespan_on_a_measured_cluster(
    name: str, sizes: tuple[int, int, int], makespan_ms: float
) -> None:
    tgff = read_tgff(data(f"{name}.tgff"))

    assert (len(tgff.tasks), len(tgff.arcs), len(tgff.nodes)) == sizes
    assert heft(tgff.instance).makespan_s == pytest.approx(makespan_ms, abs=5e-4)
    in_seconds = instance_of(tgff.graph(), tgff.network())
    assert heft(in_seconds).makespan_s == pytest.approx(makespan_ms / 1000, abs=5e-7)


@needs_data
def test_the_upward_ranks_of_the_golden_instance_are_published_to_all_digits() -> None:
    """With Jupiter's formulas, integer floor included (jupiter.md 2.3, 2.6)."""
    tgff = read_tgff(data("golden_7node_4task.tgff"))
    nodes = range(len(tgff.nodes))
    rank: dict[int, float] = {}
    for task in (3, 2, 1, 0):
        below = [0.0]
        for arc in tgff.arcs:
            if arc.parent == task:
                total = 0.0
                for source in nodes:
                    for target in nodes:
                        if source != target:
                            fit = tgff.fits[source][target]
                            total += fit.a * arc.size_kbit**2 + fit.b * arc.size_kbit + fit.c
                below.append(total / (len(nodes) ** 2 - len(nodes)) + rank[arc.child])
        rank[task] = int(sum(tgff.cost_ms[task])) // len(nodes) + max(below)

    assert [rank[task] for task in range(4)] == pytest.approx(
        [3690.3906482137563, 2037.6415230118039, 1942.6682854018732, 865.0], rel=1e-15
    )


@needs_data
@pytest.mark.parametrize("name", ["golden_7node_4task", "real_30node_10task"])
def test_a_measured_cluster_is_read_again_from_what_is_written_of_it(name: str, tmp_path: Path) -> None:
    tgff = read_tgff(data(f"{name}.tgff"))
    write_tgff(tmp_path / "again.tgff", tgff)

    assert read_tgff(tmp_path / "again.tgff") == tgff


# Both ways.

TERMS = st.floats(-1e6, 1e6)
WORDS = st.text("abcxyz0123456789-_.#{}@", min_size=1, max_size=8).filter(lambda word: word[0] != "#")


@st.composite
def tgffs(draw: st.DrawFn) -> Tgff:
    graph = draw(graphs(names=WORDS))
    nodes = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    costs = st.floats(0, 1e9) | st.integers(0, 10**6).map(float)
    return Tgff(
        tuple(task.name for task in graph.tasks),
        tuple(Arc(edge.parent, edge.child, edge.size_bytes) for edge in graph.edges),
        tuple(nodes),
        tuple(tuple(draw(costs) for _ in nodes) for _ in graph.tasks),
        tuple(
            tuple(Fit() if source == target else Fit(draw(TERMS), draw(TERMS), draw(TERMS)) for target in nodes)
            for source in nodes
        ),
    )


@settings(max_examples=40)
@given(tgffs())
def test_what_is_written_is_read_back(tgff: Tgff) -> None:
    assert parse_tgff("x", tgff_text(tgff)) == tgff


def test_a_graph_on_a_network_is_told_in_whole_milliseconds_and_kbit() -> None:
    graph = Graph("g", (Vertex("a", 0.1234), Vertex("b", 1.0)), (Edge(0, 1, 1e5 + 20),))
    network = Network(
        (Machine("m", 1.0), Machine("n", 2.0)), ((0.0, 0.5), (0.25, 0.0)), ((math.inf, 1.25e6), (math.inf, math.inf))
    )

    tgff = tgff_of(graph, network)

    assert tgff.cost_ms == ((123.0, 62.0), (1000.0, 500.0))
    assert tgff.arcs == (Arc(0, 1, 800.0),)
    assert tgff.fits == ((Fit(), Fit(0.0, 0.1, 500.0)), (Fit(0.0, 0.0, 250.0), Fit()))


def test_what_the_format_cannot_say_is_refused() -> None:
    machines = (Machine("m"), Machine("n", memory_bytes=1.0))
    graph = Graph("g", (Vertex("a", 1.0, memory_bytes=2.0),), ())
    linked = Network(machines, ((0.0, 0.0), (0.0, 0.0)), ((math.inf, 1.0), (1.0, math.inf)))
    apart = replace(linked, bandwidth_bytes_per_s=((math.inf, 0.0), (1.0, math.inf)))

    assert "task a cannot run on every node" in refusal(lambda: tgff_of(graph, linked)).reason
    small = Graph("g", (Vertex("a", 1.0),), ())
    assert "there is no link from m to n" in refusal(lambda: tgff_of(small, apart)).reason
    huge = Graph("g", (Vertex("a", 1e308),), ())
    assert "expected a number from 0 to 1e+30" in refusal(lambda: tgff_of(huge, linked)).reason
    looped = Graph("g", (Vertex("a", 1.0),), (Edge(0, 0, 1.0),))
    assert "no edge can go" in refusal(lambda: tgff_of(looped, linked)).reason


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("@TASK_GRAPH 0 {", "@TASK_GRAPHS 0 {", 1, "expected one of @TASK_GRAPH 0 {, @computation_cost 0 {"),
        ("\tAPERIODIC", "\tPERIODIC", 2, "found PERIODIC, expected `TASK name TYPE number`"),
        ("TYPE 1", "TYPE 2", 5, "task task1 has the TYPE 2, expected 1"),
        ("TASK task1", "TASK task0", 5, "a second task is called task0"),
        ("TO t0_1", "TO t0_2", 7, "there is no task t0_2; tasks are t0_0, t0_1"),
        ("FROM t0_0", "FROM t0_1", 7, "task t0_1 waits for itself"),
        ("TYPE 800", "TYPE -800", 7, "the size of the arc is -800, expected a number from 0 to 1e+30"),
        ("TYPE 800", "TYPE", 7, "expected `TASK name TYPE number` or `ARC"),
        ("TYPE 800", "TYPE 800\n\tARC a FROM t0_1 TO t0_0 TYPE 1", 0, "a cycle: t0_0 -> t0_1 -> t0_0"),
        ("}\n@comp", "@comp", 9, "@computation_cost begins before @TASK_GRAPH has been closed"),
        ("# type version node1 node2", "# type", 11, "that names 1 to 1024 nodes"),
        ("node1 node2", "node1 node1", 11, "two nodes are called node1"),
        ("node1 node2", "#1 node2", 11, "a node is called #1"),
        ("TASK task1", "TASK a\0b", 5, "a task is called 'a\\x00b', expected a name"),
        ("# type version node1 node2\n", "", 11, "a cost stands before the line"),
        ("100 250", "100", 12, "t0_0 has 2 numbers, expected the version and one for each of 2 nodes"),
        ("100 250", "100 1e400", 12, "a cost of task t0_0 is 1e400"),
        ("100 250", "100 1_0", 12, "a cost of task t0_0 is 1_0"),
        ("t0_1    0", "t0_0    0", 13, "task t0_0 has a second line"),
        ("t0_1    0", "t0_7    0", 13, "there is no task t0_7, expected t0_0 to t0_1"),
        ("  t0_1    0\t300 50\n", "", 0, "@computation_cost has no line for t0_1"),
        ("-0.125", "nan", 21, "a term of the link is nan, expected a number up to 1e+30 either way"),
        ("-0.125 ", "", 21, "expected `source destination a b c`"),
        ("node2\tnode1", "node3\tnode1", 21, "there is no node node3; nodes are node1, node2"),
        ("node2\tnode1", "node1\tnode2", 21, "there is a second link from node1 to node2"),
        ("200.0\n}", "200.0", 0, "the file ends before @quadratic has been closed"),
        ("@quadratic 0 {", "@computation_cost 0 {", 18, "the section @computation_cost begins a second time"),
    ],
)
def test_a_file_that_makes_no_problem_is_refused_at_its_line(old: str, new: str, line: int, reason: str) -> None:
    assert old in PAIR

    error = refusal(lambda: parse_tgff("pair.tgff", PAIR.replace(old, new, 1)))

    assert error.where == (f"line {line}" if line else "")
    assert reason in error.reason


def test_a_file_without_a_section_is_refused() -> None:
    assert "no section @computation_cost" in refusal(lambda: parse_tgff("x", PAIR[: PAIR.index("@comp")])).reason


def test_a_pair_without_a_line_is_free_as_the_format_says() -> None:
    text = PAIR.replace("  node2\tnode1\t2e-06 -0.125 200.0\n", "  node2\tnode2\t1 1 1\n")

    assert parse_tgff("x", text).fits == ((Fit(), Fit(-1e-6, 0.25, 100.0)), (Fit(), Fit()))


@pytest.mark.parametrize("name", ["", "a b", "#a", "a\n", "\x1b"])
def test_a_name_that_would_be_misread_is_not_written(name: str) -> None:
    assert "cannot be written" in refusal(lambda: tgff_text(replace(SAID, tasks=(name, "c")))).reason


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse_tgff("x", unpack("x", packed)))


@given(damaged(PAIR))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_tgff("x", text).graph())
    accepts_or_refuses(lambda: parse_tgff("x", text).network())
    accepts_or_refuses(lambda: parse_tgff("x", text).network(straight=True))
