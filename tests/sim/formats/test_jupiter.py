"""Jupiter's applications with what was measured of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats import jupiter
from pnode.sim.formats.jupiter import EXECUTION_LOG, NETWORK_LOG, Log, Profiled, parse_jupiter, read_jupiter
from pnode.sim.formats.source import unpack
from pnode.sim.schedule.scenario import Vertex, instance_of

from .samples import accepts_or_refuses, damaged, refusal

DAG = """\
4
task0 1 true task1 task2
task1 1 false task2 task3
task2 2 true home
task3 1 true home
watcher 1 false watcher
task0 node2
""".replace("4\n", "5\n", 1)

EXECUTIONS = """\
"home","task0","9.0","1.0"
"node1","task0","1.5","800.0"
"node2","task0","3.0","1600.0"
"node1","task1","2","400"
"node2","task1","1","400"
"node1","watcher","2","400"
"node1","task2","0.5","0"
"node2","task2","0.25","0"
"node1","task3","0.5","0"
"node2","task3","0.25","0"
"""

LINKS = """\
source,ip,destination,ip,parameters
node1,10.0.0.1,node2,10.0.0.2,"1e-06 0.25 100.0"
node2,10.0.0.2,node1,10.0.0.1,"-1e-06 0.5 200.0"
home,10.0.0.3,node1,10.0.0.1,"0 0 1"
"""


def parse(dag: str = DAG, executions: str = EXECUTIONS, links: str | None = LINKS) -> Profiled:
    return parse_jupiter("dag.txt", dag, Log("runs", executions), None if links is None else Log("links", links))


def test_costs_and_sizes_are_those_that_were_measured() -> None:
    profiled = parse()

    assert profiled.nodes == ("node1", "node2")
    assert profiled.graph.name == "dag"
    assert profiled.graph.tasks == (
        Vertex("task0", 2.25, (1.5, 3.0)),
        Vertex("task1", 1.5, (2.0, 1.0)),
        Vertex("task2", 0.375, (0.5, 0.25)),
        Vertex("task3", 0.375, (0.5, 0.25)),
    )
    assert profiled.graph.edges == (
        Edge(0, 1, 1200 * 125.0),
        Edge(0, 2, 1200 * 125.0),
        Edge(1, 2, 200 * 125.0),  # FLAG false: half of the output to each of two children
        Edge(1, 3, 200 * 125.0),
    )
    assert profiled.network is not None
    instance = instance_of(profiled.graph, profiled.network)
    assert instance.transfer_s(0, 1, 125.0 * 800) == pytest.approx((1e-6 * 800**2 + 0.25 * 800 + 100) / 1000)


def test_logs_lie_beside_the_dag(tmp_path: Path) -> None:
    (tmp_path / "dag.txt").write_text(DAG)
    assert f"expected {EXECUTION_LOG} beside it" in refusal(lambda: read_jupiter(tmp_path / "dag.txt")).reason

    (tmp_path / EXECUTION_LOG).write_text(EXECUTIONS)
    assert read_jupiter(tmp_path / "dag.txt") == parse(links=None)

    (tmp_path / NETWORK_LOG).write_text(LINKS)
    assert read_jupiter(tmp_path / "dag.txt") == parse()


@pytest.mark.parametrize(
    ("log", "old", "new", "where", "reason"),
    [
        ("dag.txt", "task0 1 true", "task0 1 maybe", "line 2", "task0 has the FLAG maybe; expected true or false"),
        ("dag.txt", "task2 2 true home", "task2 3 true task0 home", "line 2", "a cycle"),
        ("dag.txt", "5\n", "", "line 1", "the first line is"),
        ("runs", '"node1","task1","2"', '"node1","task9","2"', "line 4", "there is no task task9 in the DAG"),
        (
            "runs",
            '"node1","task1","2"',
            '"node1","task1","-2"',
            "line 4",
            "the duration is -2, expected a number from",
        ),
        ("runs", '"1.5","800.0"', '"1.5","inf"', "line 2", "the output is inf"),
        ("runs", '"node2","task1"', '"node1","task1"', "line 5", "task1 was measured a second time on node node1"),
        ("runs", '"node2","task1","1","400"\n', "", "", "task task1 was not measured on node node2"),
        ("runs", '"node1","task1","2","400"', '"node1","task1","2"', "line 4", "found 3 columns, expected 4"),
        ("runs", '"node1","task1"', '"","task1"', "line 4", "a node is called '', expected a name"),
        ("links", "node2,10.0.0.2,node1", "node1,10.0.0.2,node2", "line 3", "a second link from node1 to node2"),
        ("links", "200.0", "", "line 3", "the link is '-1e-06 0.5', expected three numbers"),
        ("links", "200.0", "nan", "line 3", "a term of the link is nan"),
        ("links", "200.0", "-200.0", "", "latency_s from machine 1 to 0 is -0.2, expected zero or more"),
        ("links", "node2,10.0.0.2,node1", "home,10.0.0.2,node1", "", "the link from node2 to node1 was not measured"),
    ],
)
def test_files_that_make_no_problem_are_refused_at_their_place(
    log: str, old: str, new: str, where: str, reason: str
) -> None:
    texts = {"dag.txt": DAG, "runs": EXECUTIONS, "links": LINKS}
    assert old in texts[log]
    texts[log] = texts[log].replace(old, new, 1)

    error = refusal(lambda: parse(texts["dag.txt"], texts["runs"], texts["links"]))

    assert (error.path, error.where) == (log, where)
    assert reason in error.reason


@pytest.mark.parametrize("log", ["", "node,task,time,output\n", '"home","task0","9.0","1.0"\n'])
def test_a_log_of_nothing_but_home_is_refused(log: str) -> None:
    assert "no node but home was measured" in refusal(lambda: parse(executions=log)).reason


def test_too_many_nodes_and_too_long_cells_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no row of comma-separated values" in refusal(lambda: parse(links="a" * 200_000)).reason

    monkeypatch.setattr(jupiter, "MACHINES_MAX", 1)
    assert "more than 1 nodes" in refusal(parse).reason


def test_no_output_is_an_output() -> None:
    graph = parse(executions=EXECUTIONS.replace("400", "0")).graph

    assert graph.edges[2:] == (Edge(1, 2, 0.0), Edge(1, 3, 0.0))


@given(st.binary(max_size=60), st.sampled_from(["dag", "executions", "links"]))
def test_any_bytes_are_read_or_refused(packed: bytes, which: str) -> None:
    accepts_or_refuses(lambda: parse(**{which: unpack("x", packed)}))


@given(damaged(DAG), damaged(EXECUTIONS), damaged(LINKS))
def test_any_damaged_text_is_read_or_refused(dag: str, executions: str, links: str) -> None:
    accepts_or_refuses(lambda: parse(dag))
    accepts_or_refuses(lambda: parse(executions=executions))
    accepts_or_refuses(lambda: parse(links=links))
