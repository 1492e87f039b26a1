"""Nodes behind a firewall, which can only dial out: real processes, and packets that come in unasked are dropped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pnode.node.api import JobDetail, NodeStatus, PeerStatus

from ..chaos.cabling import Emulated, SkippedError, emulated
from .apart import Apart
from .applications import write
from .hosts import Host, eventually

pytestmark = pytest.mark.processes

FOUND_OUT_S = 60.0
"""For everybody to be asked whether it can be dialled, on a busy machine."""

TWICE = """
def task(file, pathin, pathout):
    with open(f"{pathin}/{file}", "rb") as given, open(f"{pathout}/{file}", "wb") as output:
        output.write(given.read() * 2)
    return output.name
"""

DAG = """
[task.first]
module = "scripts/twice.py"
cores = 2
children = ["second"]

[task.second]
module = "scripts/twice.py"
cores = 2
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, ...]]:
    """anna can be dialled; carl and dora cannot."""
    place = tmp_path_factory.mktemp("w")
    try:
        with emulated(3) as cables:
            yield from _started(place, cables)
    except SkippedError as error:
        pytest.skip(str(error))


def _started(place: Path, cables: Emulated) -> Iterator[tuple[Host, ...]]:
    anna, carl, dora = three = (
        Apart(place, "anna", cables, 0, cores=1, listen=cables.address(0)),
        Apart(place, "carl", cables, 1, cores=1, listen=cables.address(1)),
        Apart(place, "dora", cables, 2, cores=2, listen=cables.address(2)),
    )
    cables.wall_in(1)
    cables.wall_in(2)
    try:
        anna.start()
        token = anna.token()
        for host in (carl, dora):
            host.start("--token", token)
        for host in three:
            host.wait_for("anna", "carl", "dora", timeout_s=FOUND_OUT_S)
        eventually(lambda: _is_hidden(carl) and _is_hidden(dora), "node that knows that it is hidden", FOUND_OUT_S)
        yield three
    finally:
        for host in three:
            host.pnode("stop")


def _is_hidden(host: Host) -> bool:
    status = host.ask(NodeStatus, "status")
    return status.reach == "hidden" and bool(status.relays)


def peers(host: Host) -> dict[str, PeerStatus]:
    return {peer.name: peer for peer in host.ask(tuple[PeerStatus, ...], "peers")}


def test_two_such_nodes_see_each_other_through_the_third(hosts: tuple[Host, ...]) -> None:
    anna, carl, dora = hosts

    assert anna.ask(NodeStatus, "status").reach == "open"
    assert peers(carl)["dora"].relays == ("anna",)
    via = eventually(lambda: peers(carl)["dora"].via, "session of the two")
    assert via == "anna"
    assert peers(dora)["carl"].state == peers(carl)["dora"].state == "alive"
    assert peers(carl)["anna"].via == ""
    assert anna.ask(NodeStatus, "status").relayed >= 1


def test_doctor_says_who_cannot_be_dialled_and_through_whom_it_is_reached(hosts: tuple[Host, ...]) -> None:
    anna, carl, _ = hosts

    told = carl.pnode("doctor").out

    assert "others cannot dial this node: anna tried" in told
    assert "come through anna" in told
    assert "other nodes can dial this one: " in anna.pnode("doctor").out


def test_a_job_of_one_runs_on_the_other_and_its_results_come_back(hosts: tuple[Host, ...]) -> None:
    carl = hosts[1]
    dag = write(carl.place / "application", {"dag.toml": DAG, "scripts/twice.py": TWICE})
    given = carl.place / "given.bin"
    given.write_bytes(bytes(range(256)) * 2000)

    job = carl.finished(carl.submit(dag, given))

    assert job.state == "done"
    assert {unit.node for unit in job.units} == {"dora"}
    carl.done("pull", job.id, "--output", carl.place / "pulled")
    (pulled,) = [path for path in (carl.place / "pulled").rglob("*") if path.is_file()]
    assert pulled.read_bytes() == given.read_bytes() * 4
    assert "dora through anna" in carl.ask(JobDetail, "job", job.id).relayed
    assert "neither can dial the other" in carl.done("job", job.id).out
    assert peers(carl)["dora"].content_via == "anna"
