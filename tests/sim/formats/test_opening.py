"""Opening: whatever has a graph is recognised by what is in it."""

import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.sim.formats.jupiter import EXECUTION_LOG, NETWORK_LOG
from pnode.sim.formats.opening import parse_problem, read_graph, read_network, read_problem

from .samples import accepts_or_refuses, refusal
from .test_dagbench import PAIR as DAGBENCH
from .test_dax import PAIR as DAX
from .test_jupiter import DAG, EXECUTIONS, LINKS
from .test_stg import FOUR
from .test_tgff import PAIR as TGFF
from .test_wfformat import CHAIN, OLD


@pytest.mark.parametrize(
    ("text", "tasks", "machines"),
    [
        (json.dumps(CHAIN), ["b", "a"], None),
        (json.dumps(OLD), ["first", "second"], None),
        (json.dumps(DAGBENCH), ["b", "a"], ["m", "n"]),
        (TGFF, ["task0", "task1"], ["node1", "node2"]),
        (DAX, ["ID1", "ID2", "ID3"], None),
        (FOUR, ["0", "1", "2", "3", "4"], None),
    ],
)
def test_a_format_is_recognised_whatever_its_file_is_called(
    text: str, tasks: list[str], machines: list[str] | None, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(lzma.compress(text.encode()))

    graph, network = read_problem(tmp_path / "file")

    assert [task.name for task in graph.tasks] == tasks
    assert (network and [machine.name for machine in network.machines]) == machines
    if machines is None:
        assert "no network" in refusal(lambda: read_network(tmp_path / "file")).reason


def test_a_dag_of_jupiter_is_read_with_the_logs_beside_it(tmp_path: Path) -> None:
    (tmp_path / "configuration.txt").write_text(DAG)
    (tmp_path / EXECUTION_LOG).write_text(EXECUTIONS)
    assert len(read_graph(tmp_path / "configuration.txt").tasks) == 4

    (tmp_path / NETWORK_LOG).write_text(LINKS)
    assert [machine.name for machine in read_network(tmp_path / "configuration.txt").machines] == ["node1", "node2"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty, expected WfFormat or DAGBench (JSON), DAX (XML), TGFF"),
        ("hello world", "it begins with 'hello world', expected"),
        ("{}", "expected `workflow` (WfFormat) or `task_graph` (DAGBench)"),
        ('{"format": "pnode-recording"}', "it records a live job, which 'pnode sim replay' reads"),
        ("{", "no JSON"),
    ],
)
def test_anything_else_is_refused(text: str, reason: str) -> None:
    assert reason in refusal(lambda: parse_problem("x", text)).reason


@given(st.text(max_size=40) | st.sampled_from("{<@0").flatmap(lambda start: st.text(max_size=20).map(start.__add__)))
def test_any_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_problem("x", text))
