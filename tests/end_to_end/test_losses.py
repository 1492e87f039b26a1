"""Nodes that go away: one in the middle of a job by a power cut, all of them in order, and what is left then."""

from pathlib import Path

import pytest

from pnode.node.api import JobDetail, Pulled

from .applications import EXAMPLES, squares
from .hosts import Host, Hosts, eventually, side_by_side

pytestmark = pytest.mark.processes

NAMES = ("alpha", "beta", "gamma", "delta")
DEATH_S_MAX = 40.0
"""Nine seconds, membership says, for a node that answers no more; more when the others have no time to ask."""


def running_elsewhere(host: Host, job: str) -> set[str]:
    """The nodes, but for this one, that run tasks of a job now."""
    units = host.ask(JobDetail, "job", job).units
    return {unit.node for unit in units if unit.state == "running" and unit.node not in (None, host.name)} - {None}


def test_a_job_survives_a_node_that_is_killed_in_the_middle_of_it(hosts: Hosts, tmp_path: Path) -> None:
    cluster = {host.name: host for host in hosts.cluster(*NAMES)}
    origin = cluster["beta"]
    dag, numbers = squares(tmp_path, range(12), pause_s=1.5)
    job = origin.submit(dag, numbers)
    victim = min(eventually(lambda: running_elsewhere(origin, job), "task on another node"))

    cluster[victim].kill()

    ended = origin.finished(job, timeout_s=90.0)
    assert ended.state == "done", ended.reason
    origin.done("pull", job, "--output", tmp_path / "results")
    assert (tmp_path / "results" / "sum.txt").read_text() == str(sum(number**2 for number in range(12)))
    assert victim not in {unit.node for unit in ended.units if unit.attempt > 1}
    assert any(unit.attempt > 1 for unit in ended.units), "what ran there was run again"
    origin.wait_for(*sorted(set(NAMES) - {victim}), timeout_s=DEATH_S_MAX)


def test_nodes_that_were_all_stopped_come_back_by_themselves_with_their_jobs(hosts: Hosts, tmp_path: Path) -> None:
    cluster = hosts.cluster(*NAMES[:3])
    done = cluster[1].submit(EXAMPLES / "diamond" / "dag.txt")
    before = cluster[1].finished(done)
    half_done = cluster[2].submit(*squares(tmp_path / "squares", range(6), pause_s=1.5))
    eventually(lambda: running_elsewhere(cluster[2], half_done), "task on another node")
    side_by_side(Host.stop, cluster)

    side_by_side(Host.start, cluster)

    for host in cluster:
        host.wait_for(*NAMES[:3])
        assert host.finished(half_done).state == "done"
        assert [(listed.id, listed.state) for listed in host.jobs()] == [(done, "done"), (half_done, "done")]
        assert host.ask(JobDetail, "job", done).units == before.units
        for job, results in ((done, ["ferry_statistics.txt", "workshop_statistics.txt"]), (half_done, ["sum.txt"])):
            pulled = host.ask(Pulled, "pull", job, "--output", tmp_path / host.name)
            assert [file.path.name for file in pulled.files] == results
        assert (tmp_path / host.name / "sum.txt").read_text() == "55"
