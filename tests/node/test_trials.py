"""Profiling a graph, from the command line to the request and back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pnode.node import cli
from pnode.node.trials import names_it

from .fake_node import FakeNode, running

DIAMOND = Path(__file__).parents[2] / "examples" / "diamond"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FakeNode]:
    with running(FakeNode(tmp_path)) as node:
        yield node


def profiled(node: FakeNode, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    status = cli.main(["profile", *map(str, words), "--home", str(node.home)])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err


def test_a_graph_is_profiled_where_and_as_often_as_asked(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    status, (titles, line), err = profiled(node, capsys, DIAMOND, "--on", "alpha", "--rounds", 3)

    assert status == 0
    assert node.asked[-1] == ("profile", DIAMOND / "dag.txt", (), ("alpha",), 3)
    assert titles.split() == ["task", "node", "runs", "median", "spread", "wrote", "trouble"]
    assert re.split(" {2,}", line) == ["split", "alpha", "3", "1.50 s", "250 ms", "2.05 kB"]
    assert err == "round 1 of 3 runs on 1 node\nround 3 of 3 runs on 1 node\n"


def test_trouble_is_told_and_is_a_failure(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.trial_trouble = "exit status 3"

    status, (_, line), _ = profiled(node, capsys, DIAMOND)

    assert status == 1
    assert line.endswith("exit status 3")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["network", "--on", "beta"], "--input, --on and --rounds are for a DAG"),
        (["network", "--rounds", 2], "--input, --on and --rounds are for a DAG"),
        (["nowhere.txt"], "Invalid value for 'DAG|network': Path 'nowhere.txt' does not exist"),
    ],
)
def test_what_cannot_be_profiled_so_is_refused(
    node: FakeNode, capsys: pytest.CaptureFixture[str], words: list[object], told: str
) -> None:
    status, out, err = profiled(node, capsys, *words)

    assert (status, out, node.asked) == (2, [], [])
    assert err.startswith(f"pnode: {told}")
    assert err.endswith("(see 'pnode profile --help')\n")


def test_a_node_that_ends_in_between_is_told(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.settles = False

    status, out, err = profiled(node, capsys, DIAMOND)

    assert (status, out) == (1, [])
    assert err.endswith(
        f"pnode: the node ended before it had measured everything: see 'pnode status --home {node.home}'\n"
    )


def test_what_is_neither_a_graph_nor_the_network_is_a_mistake(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profiled(node, capsys, "nothing.txt")[0] == cli.USED_WRONGLY


def test_a_node_is_named_by_its_name_or_by_how_its_id_begins() -> None:
    assert names_it(("alpha",), "alpha", "k3vq7x2m-4f")
    assert names_it(("zoe", "k3vq"), "alpha", "k3vq7x2m-4f")
    assert not names_it(("alp",), "alpha", "k3vq7x2m-4f")
