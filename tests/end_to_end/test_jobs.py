"""Jobs on four nodes, from the submission to the results."""

from itertools import combinations
from pathlib import Path

import pytest

from pnode.node.api import JobDetail, UnitStatus

from .applications import squares
from .hosts import Host

pytestmark = pytest.mark.processes


def test_a_job_submitted_at_any_node_ends_with_the_right_result(cluster: list[Host], tmp_path: Path) -> None:
    dag, numbers = squares(tmp_path / "squares", range(1, 9))
    gamma = cluster[2]

    ran = gamma.pnode("submit", dag, "--input", numbers, "--follow", "--output", tmp_path / "results")

    assert ran.status == 0, ran
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["sum.txt"]
    assert (tmp_path / "results" / "sum.txt").read_text() == "204"


def test_the_tasks_of_a_job_run_side_by_side_on_several_nodes(cluster: list[Host], tmp_path: Path) -> None:
    dag, numbers = squares(tmp_path / "squares", range(1, 9))
    delta = cluster[3]

    job = delta.finished(delta.submit(dag, numbers))

    assert job.state == "done"
    assert job.origin == "delta"
    assert any(were_together(one, other) and one.node != other.node for one, other in combinations(job.units, 2))


def were_together(one: UnitStatus, other: UnitStatus) -> bool:
    """Whether there was a moment at which both ran."""
    times = (one.started_at, one.finished_at, other.started_at, other.finished_at)
    begun, ended, other_begun, other_ended = [time or 0.0 for time in times]
    return begun < other_ended and other_begun < ended


def test_every_node_can_tell_how_a_job_is(cluster: list[Host], tmp_path: Path) -> None:
    dag, numbers = squares(tmp_path / "squares", range(3), pause_s=0)
    job = cluster[0].submit(dag, numbers)
    cluster[0].finished(job)

    told = [host.ask(JobDetail, "job", job) for host in cluster]

    assert [detail.state for detail in told] == ["done"] * 4
    assert len({detail.units for detail in told}) == 1
