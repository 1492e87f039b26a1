"""Explanations: the numbers behind a choice where it was made, and elsewhere where to ask."""

from dataclasses import replace

import pytest

from pnode.node import explanations as module
from pnode.node.api import Explanation
from pnode.node.explanations import explanations
from pnode.node.reports import units_called
from pnode.protocol.dag import Dag
from pnode.protocol.events import CancelJob, WatchJob
from pnode.protocol.ids import JobId, job_text
from pnode.protocol.jobstate import Phase
from pnode.sim.cluster import Cluster, make_cluster
from pnode.sim.host import Host

from ..protocol.ledgers import job_spec, task

CHAIN = Dag((task("first", "last", expected_s=4.0), task("last")))
WIDE = Dag((task("wide", cores=9),))


def submit(cluster: Cluster, dag: Dag, *, items: int = 1) -> JobId:
    """At the first host."""
    return cluster.submit(cluster.hosts[0], replace(job_spec(*dag.tasks, items=items), dag=dag))


def finish(cluster: Cluster, job: JobId) -> None:
    cluster.engine.run_until(lambda: cluster.job(cluster.hosts[0], job).state.phase is not Phase.RUNNING, 60.0)


def ask(cluster: Cluster, host: Host, job: JobId, task: str | None) -> tuple[Explanation, ...]:
    assert host.peer.jobs is not None
    assert host.peer.neighbours is not None
    found = cluster.job(host, job)
    return explanations(found, units_called(found, task), host.peer.jobs.desk, host.peer.neighbours)


def test_the_node_that_chose_tells_the_candidates_as_it_saw_them() -> None:
    cluster = make_cluster(3, 1, speeds={1: 2.0})
    job = submit(cluster, CHAIN)
    finish(cluster, job)

    [told] = ask(cluster, cluster.hosts[0], job, "first")

    assert (told.task, told.attempt, told.state, told.mapper) == ("first", 1, "done", "wave-greedy")
    assert (told.node, told.decider) == ("n1", "n0")
    assert [score.node for score in told.scores] == ["n1", "n0", "n2"]
    assert told.scores[0].run_s == pytest.approx(2.0)
    assert told.scores[1].run_s == pytest.approx(4.0)
    assert all(score.total_s >= score.run_s for score in told.scores)
    assert (told.note, told.passed) == ("", ())


def test_of_the_choices_of_others_it_is_said_where_to_ask() -> None:
    cluster = make_cluster(3, 1, speeds={1: 2.0})
    job = submit(cluster, CHAIN)
    finish(cluster, job)

    [here] = ask(cluster, cluster.hosts[0], job, "last")
    cluster.request(cluster.hosts[1], lambda request: WatchJob(request, job))
    [there] = ask(cluster, cluster.hosts[1], job, "last")

    assert here.decider == there.decider == "n1"
    assert here.scores == ()
    assert here.note == (
        f"the numbers behind this choice are at n1: 'pnode explain {job_text(job)} last' there shows them"
    )
    assert [score.node for score in there.scores] != []


def test_numbers_are_not_sent_for_to_a_node_that_is_gone() -> None:
    cluster = make_cluster(3, 1, speeds={1: 2.0})
    job = submit(cluster, CHAIN)
    finish(cluster, job)
    cluster.hosts[1].crash()
    cluster.engine.run_for(20.0)

    told, *_ = ask(cluster, cluster.hosts[0], job, "last")

    assert told.note == "the numbers behind this choice were at n1, which is gone"


def test_an_attempt_whose_node_is_gone_is_lost() -> None:
    cluster = make_cluster(3, 1, speeds={1: 2.0})
    job = submit(cluster, CHAIN)
    cluster.engine.run_for(1.0)
    cluster.hosts[1].crash()
    finish(cluster, job)

    lost, again = ask(cluster, cluster.hosts[0], job, "first")

    assert (lost.node, lost.state) == ("n1", "lost")
    assert again.state == "done"
    assert again.why.startswith("n1 ")


def test_a_node_that_was_gone_or_too_small_is_told_with_the_reason() -> None:
    cluster = make_cluster(3, 1)
    cluster.hosts[2].crash()
    cluster.engine.run_for(20.0)
    job = submit(cluster, Dag((task("only"),)))
    finish(cluster, job)

    [told] = ask(cluster, cluster.hosts[0], job, "only")

    assert [(passed.node, passed.why) for passed in told.passed] == [("n2", "it is dead")]


def test_a_task_that_nobody_can_run_is_told_with_what_is_missing_everywhere() -> None:
    cluster = make_cluster(2, 1)
    job = submit(cluster, WIDE)
    cluster.engine.run_for(1.0)

    [told] = ask(cluster, cluster.hosts[0], job, "wide")

    assert (told.attempt, told.state, told.node, told.decider) == (0, "waiting", None, None)
    assert told.note == "it needs 9 cores, and no node offers more than 1"
    assert {passed.why for passed in told.passed} == {"the task needs 9 cores, it has 1"}
    assert len(told.passed) == 2


def test_a_task_whose_parents_have_not_started_waits_for_them() -> None:
    cluster = make_cluster(2, 1)
    wide = Dag((task("wide", "last", cores=9), task("last")))
    job = submit(cluster, wide)
    cluster.engine.run_for(1.0)

    [told] = ask(cluster, cluster.hosts[0], job, "last")

    assert told.note == "a node is chosen when all its parents have started, and wide has not"


def test_numbers_that_are_no_longer_kept_are_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.decisions.DECISIONS_MAX", 1)
    cluster = make_cluster(1, 1)
    job = submit(cluster, CHAIN)
    finish(cluster, job)

    [told] = ask(cluster, cluster.hosts[0], job, "first")

    assert told.note == "the numbers behind this choice are no longer kept"


def test_each_item_of_a_stream_has_its_own_and_there_is_an_end_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXPLANATIONS_MAX", 2)
    cluster = make_cluster(2, 1)
    job = submit(cluster, CHAIN, items=3)
    finish(cluster, job)

    assert [told.item for told in ask(cluster, cluster.hosts[0], job, "first")] == [0, 1]
    assert [told.item for told in ask(cluster, cluster.hosts[0], job, "first[2]")] == [2]


def test_a_job_that_is_over_waits_for_nothing() -> None:
    cluster = make_cluster(2, 1)
    job = submit(cluster, WIDE)
    cluster.request(cluster.hosts[0], lambda request: CancelJob(request, job))

    [told] = ask(cluster, cluster.hosts[0], job, "wide")

    assert told.note == "the job is over"
