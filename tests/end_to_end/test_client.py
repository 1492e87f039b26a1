"""Python calls, from a program to the nodes that make them and back."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from pnode.node.client import Cluster, JobLostError, ProcessDiedError, connect

from .hosts import Host, Hosts, eventually

pytestmark = pytest.mark.processes

SECONDS_MAX = 30.0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    hosts = Hosts(tmp_path_factory.mktemp("c"))
    try:
        yield hosts.cluster("alpha", "beta")
    finally:
        hosts.end()


@pytest.fixture
def cluster(nodes: list[Host]) -> Iterator[Cluster]:
    with connect(nodes[0].home, name="try") as cluster:
        yield cluster


def add(one: int, other: int) -> int:
    return one + other


def boom() -> None:
    raise ValueError("no such thing")


def slowly(seconds: float, value: int) -> int:
    time.sleep(seconds)
    return value


def noted(notes: Path, seconds: float, value: int) -> int:
    """Slowly, with a note for each time that it is made."""
    (notes / f"{value}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return slowly(seconds, value)


def test_a_call_is_made(cluster: Cluster) -> None:
    assert cluster.submit(add, 1, other=2).result(SECONDS_MAX) == 3


def test_many_calls_are_made_in_order_by_both_nodes(cluster: Cluster) -> None:
    where = list(
        cluster.map(lambda n: (n, slowly(0.02, 0), os.environ["PNODE_NODE"]), range(60), timeout=SECONDS_MAX)
    )

    assert [n for n, _, _ in where] == list(range(60))
    assert {node for _, _, node in where} == {"alpha", "beta"}


def test_calls_that_take_from_each_other_are_a_graph(cluster: Cluster) -> None:
    ones = [cluster.submit(add, n, 1) for n in range(20)]
    total = cluster.submit(sum, ones)
    more = cluster.submit(lambda parts: parts["total"] * 2, {"total": total, "ones": ones})

    assert more.result(SECONDS_MAX) == 2 * sum(range(1, 21))
    assert cluster.submit(add, more, total).result(SECONDS_MAX) == 3 * sum(range(1, 21))


def test_what_a_call_raises_is_raised_here(cluster: Cluster) -> None:
    failed = cluster.submit(boom)
    behind = cluster.submit(add, failed, 1)

    for future in (failed, behind):
        with pytest.raises(ValueError, match="no such thing") as raised:
            future.result(SECONDS_MAX)
        assert "in boom" in str(raised.value.__cause__)


def test_a_call_that_kills_its_process_is_an_error_and_no_other_is(cluster: Cluster) -> None:
    died, other = cluster.submit(os._exit, 7), cluster.submit(add, 1, 2)

    assert other.result(SECONDS_MAX) == 3
    with pytest.raises(ProcessDiedError, match="ended with status 7"):
        died.result(SECONDS_MAX)


def test_a_call_that_runs_too_long_is_an_error_and_no_other_is(cluster: Cluster) -> None:
    hasty = cluster.options(walltime_s=1.0)
    late, other = hasty.submit(slowly, 60.0, 1), hasty.submit(slowly, 0.0, 2)

    assert other.result(SECONDS_MAX) == 2
    with pytest.raises(ProcessDiedError, match="longer than its walltime"):
        late.result(SECONDS_MAX)


def test_long_values_are_files_that_go_from_node_to_node(cluster: Cluster) -> None:
    there = cluster.options(node="beta").submit(bytes, 3_000_000)
    size = cluster.options(node="alpha").submit(len, there)

    assert size.result(SECONDS_MAX) == 3_000_000
    assert there.result(SECONDS_MAX) == bytes(3_000_000)
    assert cluster.submit(len, there).result(SECONDS_MAX) == 3_000_000


def test_long_arguments_travel(cluster: Cluster, nodes: list[Host]) -> None:
    content = os.urandom(2_000_000)

    assert cluster.submit(lambda content: content[::-1], content).result(SECONDS_MAX) == content[::-1]
    assert list(nodes[0].home.glob("parcel-*")) == []


def test_hundreds_of_values_that_are_done_can_be_taken_at_once(cluster: Cluster) -> None:
    many = list(map(cluster.submit, [bytes] * 220, [5000] * 220))
    for future in many:
        future.exception(SECONDS_MAX)

    assert cluster.submit(lambda parts: sum(map(len, parts)), many).result(SECONDS_MAX) == 220 * 5000


def test_what_is_cancelled_ends(cluster: Cluster, nodes: list[Host]) -> None:
    future = cluster.submit(slowly, 60.0, 1)
    (job,) = eventually(lambda: cluster.jobs, "job")
    eventually(lambda: nodes[0].detail(job).units[0].state == "running", "call that is made")
    future.cancel()

    assert nodes[0].finished(job).state == "cancelled"
    assert future.cancelled()


def test_a_call_that_needs_more_than_any_node_has_waits_and_can_be_cancelled(cluster: Cluster) -> None:
    future = cluster.options(cores=1000).submit(add, 1, 2)
    other = cluster.submit(add, 1, 2)

    assert other.result(SECONDS_MAX) == 3
    assert not future.done()
    assert future.cancel()


def test_jobs_are_shown_under_the_names_of_program_and_function(cluster: Cluster, nodes: list[Host]) -> None:
    future = cluster.submit(slowly, 0.5, 1)
    (job,) = eventually(lambda: cluster.jobs, "job")
    shown = {each.id: each.name for each in nodes[0].jobs()}
    future.result(SECONDS_MAX)

    assert shown[job] == "try: slowly"
    assert [unit.task.partition(".")[0] for unit in nodes[0].detail(job).units] == ["slowly"]


def test_futures_can_be_awaited_under_asyncio(nodes: list[Host]) -> None:
    async def main() -> list[int]:
        async with connect(nodes[0].home) as cluster:
            futures = [cluster.submit(add, n, 1) for n in range(5)]
            return [await future for future in futures] + [await asyncio.wrap_future(cluster.submit(add, 1, 2))]

    assert asyncio.run(main()) == [1, 2, 3, 4, 5, 3]


def test_futures_can_be_awaited_under_trio(nodes: list[Host]) -> None:
    async def main() -> list[int]:
        with trio.fail_after(SECONDS_MAX):
            async with connect(nodes[0].home) as cluster:
                return [await cluster.submit(add, n, 1) for n in range(3)]

    assert trio.run(main) == [1, 2, 3]


PROGRAM = """
import os, sys, time
from pathlib import Path
from pnode.node.client import connect

import helper

def work(place):
    time.sleep(0.5)
    Path(place).write_text(helper.word())

cluster = connect(sys.argv[1], name="short-lived")
cluster.submit(work, sys.argv[2])
while not cluster.jobs:
    time.sleep(0.01)
print(*cluster.jobs, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_job_goes_on_when_its_program_has_been_killed_with_what_lay_beside_it(
    nodes: list[Host], tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "helper.py").write_text("def word(): return 'hello'")
    words = [sys.executable, str(tmp_path / "program.py"), str(nodes[0].home), str(tmp_path / "done")]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS_MAX)
    job = ran.stdout.strip()

    assert ran.returncode == -signal.SIGKILL
    assert nodes[0].finished(job).state == "done"
    assert (tmp_path / "done").read_text() == "hello"


# -- nodes that end; these come last, and leave both running --------------------------------------------------------


def test_when_the_node_is_started_again_all_values_come(nodes: list[Host], tmp_path: Path) -> None:
    with connect(nodes[0].home) as cluster:
        done = cluster.submit(bytes, 1_000_000)
        done.exception(SECONDS_MAX)
        futures = [cluster.submit(noted, tmp_path, 0.2, n) for n in range(8)]
        eventually(lambda: any(tmp_path.iterdir()), "call that is made")
        nodes[0].kill()
        held = cluster.submit(add, cluster.submit(len, done), 1)
        nodes[0].start()

        assert [future.result(SECONDS_MAX) for future in futures] == list(range(8))
        assert held.result(SECONDS_MAX) == 1_000_001


def test_when_the_other_node_is_killed_at_work_all_values_come(nodes: list[Host], tmp_path: Path) -> None:
    nodes[0].wait_for("alpha", "beta")
    with connect(nodes[0].home) as cluster:
        there = cluster.options(node="beta")
        futures = [there.submit(noted, tmp_path, 0.3, n) for n in range(4)]
        eventually(lambda: any(tmp_path.iterdir()), "call that is made")
        nodes[1].kill()

        assert [future.result(SECONDS_MAX) for future in futures] == list(range(4))


def test_when_no_node_comes_back_everything_is_lost(nodes: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.node.line.RECONNECT_S_MAX", 0.5)
    cluster = connect(nodes[0].home)
    future = cluster.submit(slowly, 60.0, 1)
    eventually(lambda: cluster.jobs, "job")
    nodes[0].kill()

    with pytest.raises(JobLostError, match="is gone"):
        future.result(SECONDS_MAX)
    cluster.shutdown()
