"""Any node may die: what is said about that at the submission, and that it is true."""

import shutil
from pathlib import Path

import psutil
import pytest

from pnode.node.api import JobDetail, Submitted

from .applications import squares
from .hosts import Host, Hosts, eventually, side_by_side

pytestmark = pytest.mark.processes

NAMES = ("n0", "n1", "n2", "n3", "n4")
ALONE = "kept here only: if this machine is lost, so is the job"
NUMBERS = range(10)
SUM = str(sum(number**2 for number in NUMBERS))


def test_a_submitter_is_told_how_many_others_keep_the_job(hosts: Hosts, tmp_path: Path) -> None:
    dag, numbers = squares(tmp_path, range(2), pause_s=6.0)  # a job that is over needs no guardians
    founder, *others = (hosts.add(name) for name in NAMES)

    def told(host: Host, *words: object) -> str:
        return host.done("submit", dag, "--input", numbers, *words).out.splitlines()[1]

    founder.start()
    assert told(founder) == f"{ALONE}; no other node is there"
    token = founder.token()
    others[0].start("--token", token)
    founder.wait_for(*NAMES[:2])
    assert told(others[0]) == "kept by 1 other node and this one: there are no more"
    side_by_side(lambda host: host.start("--token", token), others[1:])
    for host in (founder, others[3]):
        host.wait_for(*NAMES)
    assert told(others[3]) == "kept by 3 other nodes and this one"
    assert told(founder, "--replicas", 0) == ALONE
    submitted = founder.ask(Submitted, "submit", dag, "--input", numbers, "--replicas", 2)
    assert (submitted.guarded, submitted.wanted, submitted.settled) == (2, 2, True)
    keepers = eventually(lambda: founder.finished(submitted.id).keepers, "keepers")
    assert [(keeper.origin, keeper.guards) for keeper in keepers] == [(True, True), (False, True), (False, True)]


def busy(host: Host, job: str) -> JobDetail | None:
    """The job in its middle: some tasks are done, and some run."""
    found = host.detail(job)
    states = [unit.state for unit in found.units]
    return found if states.count("done") >= 3 and "running" in states else None


@pytest.mark.parametrize("guardians", [0, 1], ids=["origin", "origin and guardian"])
def test_a_job_outlives_its_origin_and_is_followed_and_fetched_elsewhere(
    hosts: Hosts, tmp_path: Path, guardians: int
) -> None:
    cluster = {host.name: host for host in hosts.cluster(*NAMES)}
    origin = cluster["n0"]
    job = origin.submit(*squares(tmp_path, NUMBERS, pause_s=1.0))
    found = eventually(lambda: busy(origin, job), "job in its middle")
    victims = ["n0", *[keeper.node for keeper in found.keepers if not keeper.origin][:guardians]]
    witnesses = [host for name, host in cluster.items() if name not in victims]

    side_by_side(Host.kill, [cluster[name] for name in victims])

    ran = witnesses[0].pnode("job", job, "--follow", "--output", tmp_path / "results")
    assert ran.status == 0, ran
    assert (tmp_path / "results" / "sum.txt").read_text() == SUM
    for host in witnesses:
        [listed] = host.jobs()
        assert (listed.state, listed.origin, listed.origin_gone) == ("done", "n0", True)
        assert not {keeper.node for keeper in host.detail(job).keepers} & set(victims)
    attempts = [each for unit in witnesses[-1].finished(job).units for each in unit.attempts]
    assert {each.node for each in attempts if each.state == "lost"} <= set(victims)
    assert all(sum(each.counts for each in unit.attempts) == 1 for unit in witnesses[-1].detail(job).units)
    text = witnesses[-1].done("job", job).out
    assert "submitted at n0 (gone)" in text
    assert "n0 is gone" in text


def test_a_job_goes_on_when_all_nodes_were_killed_and_nothing_is_done_twice(hosts: Hosts, tmp_path: Path) -> None:
    cluster = hosts.cluster(*NAMES[:4])
    diary = tmp_path / "diary"
    job = cluster[1].submit(*squares(tmp_path / "squares", NUMBERS, pause_s=1.0, diary=diary))
    done = [unit.task for unit in eventually(lambda: busy(cluster[1], job), "job").units if unit.state == "done"]

    side_by_side(Host.kill, cluster)
    told = [host.done(*host.start_words()).out for host in cluster]

    assert any("it goes on with 1 job from before" in out for out in told)
    assert cluster[3].finished(job).state == "done"
    cluster[3].done("pull", job, "--output", tmp_path / "results")
    assert (tmp_path / "results" / "sum.txt").read_text() == SUM
    begun = diary.read_text().split()
    assert {task: begun.count(task) for task in done if task != "deal"} == {
        task: 1 for task in done if task != "deal"
    }


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere the limits of another process cannot be set")
def test_a_node_that_can_write_nothing_down_any_more_leaves_and_says_why(hosts: Hosts, tmp_path: Path) -> None:
    origin, *others = hosts.cluster(*NAMES[:3])
    job = origin.submit(*squares(tmp_path, NUMBERS, pause_s=1.0))
    eventually(lambda: busy(origin, job), "job in its middle")

    origin.let_files_grow(8192)  # which is less than the journal has already

    origin.wait_for_end()
    others[0].wait_for("n1", "n2", timeout_s=3.0)  # it has said farewell: nobody had to find out
    complaint = origin.pnode("jobs").complaint()
    assert f"start one with 'pnode start --home {origin.home}'; the last one ended: cannot write" in complaint
    assert others[1].finished(job).state == "done"
    origin.start()
    assert [listed.state for listed in origin.jobs()] == ["done"]


def test_an_old_copy_of_a_nodes_home_does_no_harm(hosts: Hosts, tmp_path: Path) -> None:
    founder, node = hosts.cluster(*NAMES[:2])
    dag, numbers = squares(tmp_path, range(3), pause_s=0.1)
    jobs = [node.submit(dag, numbers)]
    node.finished(jobs[0])
    node.stop()
    shutil.copytree(node.home, tmp_path / "copy", ignore=shutil.ignore_patterns("control.sock"))
    node.start()
    jobs.append(node.submit(dag, numbers))
    node.finished(jobs[1])
    node.kill()

    shutil.rmtree(node.home)
    shutil.copytree(tmp_path / "copy", node.home)
    node.start()

    node.wait_for(*NAMES[:2])
    jobs.append(node.submit(dag, numbers))
    assert node.finished(jobs[2]).state == "done"
    for host in (founder, node):
        assert [(listed.id, listed.state) for listed in host.jobs()] == [(job, "done") for job in jobs]
    node.done("pull", jobs[1], "--output", tmp_path / "results")
    assert (tmp_path / "results" / "sum.txt").read_text() == "5"
