"""A node whose address changes while it runs, as a laptop's does: real processes in network namespaces."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pnode.node.api import NodeStatus, PeerStatus

from ..chaos.cabling import Ethernet, SkippedError, ethernet
from .apart import PORT, Apart
from .applications import write
from .hosts import Host, eventually

pytestmark = pytest.mark.processes

ELSEWHERE = "10.77.0.77"

DAG = """
[task.only]
command = ["sh", "-c", "cat \\"$PNODE_INPUT_DIR\\"/* > \\"$PNODE_OUTPUT_DIR/result\\""]
cores = 2
"""


@pytest.fixture
def cables() -> Iterator[Ethernet]:
    try:
        with ethernet(3) as cables:
            yield cables
    except SkippedError as error:
        pytest.skip(str(error))


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory, cables: Ethernet) -> Iterator[tuple[Host, ...]]:
    """Three nodes that listen at all their addresses. Only the second has two cores."""
    place = tmp_path_factory.mktemp("m")
    three = tuple(
        Apart(place, name, cables, number, cores)
        for number, (name, cores) in enumerate({"anna": 1, "bert": 2, "carl": 1}.items())
    )
    try:
        three[0].start()
        token = three[0].token()
        for host in three[1:]:
            host.start("--token", token)
        for host in three:
            host.wait_for("anna", "bert", "carl")
        yield three
    finally:
        for host in three:
            host.pnode("stop")


def addresses_of(name: str, host: Host) -> tuple[str, ...]:
    """Where a node listens, as another one knows."""
    (found,) = [peer for peer in host.ask(tuple[PeerStatus, ...], "peers") if peer.name == name]
    return found.addresses


def test_a_node_that_gets_another_address_is_found_there_and_joined_there(
    hosts: tuple[Host, ...], cables: Ethernet, tmp_path: Path
) -> None:
    anna, bert, carl = hosts
    cables.move(1, ELSEWHERE)

    there = f"{ELSEWHERE}:{PORT}"
    for host in hosts:
        eventually(lambda host=host: addresses_of("bert", host) == (there,), f"{host.name} that knows", 10.0)  # type: ignore[misc]

    assert bert.ask(NodeStatus, "status").addresses == (there,)
    assert anna.alive() == bert.alive() == carl.alive() == {"anna", "bert", "carl"}
    given = tmp_path / "given"
    given.write_bytes(b"what is needed" * 100_000)
    job = anna.finished(anna.submit(write(tmp_path / "application", {"dag.toml": DAG}), given), timeout_s=20.0)
    assert job.state == "done", job.reason
    assert {unit.node for unit in job.units} == {"bert"}
    log = (anna.home / "node.log").read_text()
    assert "dead" not in log, log

    token = bert.token()
    carl.stop()
    anna.stop()
    dora = Apart(anna.place, "dora", cables, 2, cores=1)
    dora.start("--token", token)
    dora.wait_for("bert", "dora")
    dora.stop()
