"""What `pnode profile` learns from running a graph on every node."""

from pathlib import Path

import pytest

from pnode.node.api_trials import Profiled

from .applications import squares, write
from .hosts import Hosts

pytestmark = pytest.mark.processes

FAILS = """
def task(file, pathin, pathout):
    raise ValueError("no")
"""


def test_every_task_is_timed_on_every_node_as_often_as_was_asked(hosts: Hosts, tmp_path: Path) -> None:
    ann, bob = hosts.cluster("ann", "bob")
    dag, numbers = squares(tmp_path / "app", range(2), pause_s=0.2)

    found = ann.ask(Profiled, "profile", dag, "--input", numbers, "--rounds", 2)
    only = ann.ask(Profiled, "profile", dag, "--input", numbers, "--on", "bob")

    tasks = {"deal", "square0", "square1", "add"}
    assert {(each.task, each.node, each.runs) for each in found.tasks} == {
        (task, node, 2) for task in tasks for node in ("ann", "bob")
    }
    assert all(each.seconds is not None and each.seconds > 0.2 for each in found.tasks if "square" in each.task)
    assert {each.node for each in only.tasks} == {"bob"}
    assert [job.state for job in bob.jobs() if job.origin == "ann"] == ["done"] * 5


def test_a_task_that_fails_and_a_node_that_is_not_there_are_told(hosts: Hosts, tmp_path: Path) -> None:
    (ann,) = hosts.cluster("ann")
    dag = write(tmp_path / "bad", {"dag.txt": "1\nonly 1 true home\n", "scripts/only.py": FAILS, "in.txt": "x"})

    ran = ann.pnode("profile", dag, "--input", tmp_path / "bad/in.txt")
    stranger = ann.pnode("profile", dag, "--input", tmp_path / "bad/in.txt", "--on", "zoe")

    assert ran.status == 1
    assert ran.out.splitlines()[1].split()[:4] == ["only", "ann", "0", "-"]
    assert "ValueError: no" in ran.out
    assert stranger.complaint() == "no node that computes is called zoe: 'pnode peers' lists them"
