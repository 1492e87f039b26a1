"""The network as people see it: `peers --links` and `profile network` against a node behind a real control socket."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pnode.node import cli
from pnode.node.api_links import LinkStatus, Probed
from pnode.node.linktext import rate_text
from pnode.node.plain import from_plain

from .fake_node import LINKS, PROBED, FakeNode, running


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FakeNode]:
    with running(FakeNode(tmp_path)) as node:
        yield node


def run(node: FakeNode, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = cli.main([*words, "--home", str(node.home)])
    out, err = capsys.readouterr()
    assert err == ""
    return status, out


def test_links_are_a_matrix_of_delays_with_confidence_and_a_list_of_the_ways_to_this_node(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out = run(node, capsys, "peers", "--links")

    assert status == 0
    titles, alpha, beta, legend, empty, heading, columns, way = out.splitlines()
    assert re.split(" {2,}", titles) == ["from \\ to", "alpha", "beta"]
    assert re.split(" {2,}", alpha) == ["alpha", "-", "20 ms' 61%"]
    assert re.split(" {2,}", beta) == ["beta", "1.2 ms 83%", "-"]
    assert legend.startswith("round trip and confidence; ' reported")
    assert (empty, heading) == ("", "to alpha (this):")
    assert re.split(" {2,}", columns)[:5] == ["from", "delay", "known", "error", "age"]
    assert re.split(" {2,}", way) == ["beta", "1.2 ms", "direct", "8%", "7 s", "83%", "117 MB/s", "80%"]


def test_links_in_json_are_one_value_that_can_be_read_back(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out = run(node, capsys, "peers", "--links", "--json")

    assert from_plain(tuple[LinkStatus, ...], json.loads(out)) == LINKS


def test_what_has_been_measured_is_listed_and_what_could_not_be_fails_the_command(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(node, capsys, "profile", "network")[0] == 0
    node.probed = (PROBED, replace(PROBED, name="gamma", delay_s=None, bandwidth_bytes_per_s=None, reason="gone"))

    status, out = run(node, capsys, "profile", "network")

    assert status == 1
    assert [re.split(" {2,}", line) for line in out.splitlines()] == [
        ["from", "delay", "bandwidth", "reason"],
        ["beta", "1.2 ms", "117 MB/s"],
        ["gamma", "-", "-", "gone"],
    ]
    _, out = run(node, capsys, "profile", "network", "--json")
    assert from_plain(tuple[Probed, ...], json.loads(out)) == node.probed


def test_alone_there_is_nothing_to_measure(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.probed = ()

    assert run(node, capsys, "profile", "network") == (0, "there is no other node to measure\n")


def test_a_rate_is_told_in_bytes_per_second() -> None:
    assert [rate_text(rate) for rate in (None, 0.0, 12.5e6)] == ["-", "0 B/s", "12.5 MB/s"]
