"""Progress: what a mapper is told of the other tasks of a job."""

import math

import pytest

from pnode.protocol.ids import NodeId
from pnode.protocol.job import Job
from pnode.protocol.jobstate import JobState
from pnode.protocol.ledger import ANY_QUEUE, Ledger, StatementKind
from pnode.protocol.progress import JobProgress
from pnode.protocol.signed import Kind, sign
from pnode.protocol.view import Link, Moment, PeerView, Phase, Progress, View
from pnode.protocol.workbench import OVERDUE_SHARE

from .ledgers import CLUSTER, CRYPTO, JOB, NODES, SEEDS, job_spec, statement, task

K = StatementKind
RUN_S = 10.0
LATENCY_S = 0.5
BANDWIDTH = 100.0


def a_job(items: int = 1) -> Job:
    """Two parents of one child, and somebody who has nothing to do with them."""
    spec = job_spec(
        task("left", "last", output_bytes=200), task("right", "last"), task("last"), task("alone"), items=items
    )
    signed = sign(CRYPTO, SEEDS[0], Kind.JOB, CLUSTER, spec)
    return Job(JOB, signed, spec, Ledger(JOB), JobState(spec, NODES[0]), dict.fromkeys(spec.dag.order, 1.0))


def a_view(free_in_s: float = 0.0) -> View:
    """Everything runs for RUN_S everywhere, and any two nodes are LATENCY_S apart."""
    peers = tuple(PeerView(node, node.hex(), 1, 1.0, free_in_s, 0.0, 0.0, 0.0, 2**30) for node in sorted(NODES))

    def link(source: NodeId, target: NodeId) -> Link:
        return Link(0.0, math.inf, 1.0) if source == target else Link(LATENCY_S, BANDWIDTH, 1.0)

    return View(NODES[0], peers, link, lambda name, node: RUN_S)


def look(job: Job, now: float, *, gone: int | None = None, item: int = 0, free_in_s: float = 0.0) -> JobProgress:
    return JobProgress(
        job, item, a_view(free_in_s), lambda node: gone is not None and node == NODES[gone], now, Moment()
    )


def assign(job: Job, name: str, node: int, at_s: float = 1.0, queue_s: float = ANY_QUEUE, item: int = 0) -> None:
    unit = job.key(name, item)
    job.state.note(NODES[0], statement(K.ASSIGNED, unit, at_s=at_s, node=NODES[node], queue_s=queue_s))


def tell(job: Job, name: str, node: int, kind: StatementKind, at_s: float) -> None:
    job.state.note(NODES[node], statement(kind, job.key(name, 0), at_s=at_s))


def test_a_task_without_a_node_is_not_there() -> None:
    job = a_job()
    assign(job, "right", 1)

    progress = look(job, 2.0)

    assert list(progress) == ["right"]
    assert len(progress) == 1
    assert "left" not in progress
    assert "no such task" not in progress
    assert progress.get("left") is None
    assert progress.get("no such task") is None
    assert progress.get("right") == progress["right"]
    with pytest.raises(KeyError):
        progress["left"]
    with pytest.raises(KeyError):
        progress["no such task"]


def test_tasks_stand_in_the_order_of_the_file_whoever_was_heard_of_first() -> None:
    job = a_job()
    for name in ("alone", "last", "left"):
        assign(job, name, 1)

    assert list(look(job, 2.0)) == ["left", "last", "alone"]


def test_each_item_has_a_progress_of_its_own() -> None:
    job = a_job(items=2)
    assign(job, "left", 1, item=1)

    assert list(look(job, 2.0, item=0)) == []
    assert list(look(job, 2.0, item=1)) == ["left"]


def test_a_running_task_ends_when_it_has_run_as_long_as_expected() -> None:
    job = a_job()
    assign(job, "left", 1)
    tell(job, "left", 1, K.STARTED, 4.0)

    assert look(job, 6.0)["left"] == Progress(NODES[1], Phase.RUNNING, -2.0, RUN_S - 2.0)


def test_an_overdue_task_needs_a_little_more() -> None:
    job = a_job()
    assign(job, "left", 1)
    tell(job, "left", 1, K.STARTED, 4.0)

    assert look(job, 100.0)["left"] == Progress(NODES[1], Phase.RUNNING, -96.0, OVERDUE_SHARE * RUN_S)


def test_a_task_that_is_through_has_its_times_behind_it() -> None:
    job = a_job()
    assign(job, "left", 1)
    tell(job, "left", 1, K.FINISHED, 8.0)

    assert look(job, 10.0)["left"] == Progress(NODES[1], Phase.DONE, -3.0, -2.0)


def test_nothing_that_has_happened_lies_in_the_future_though_clocks_differ() -> None:
    job = a_job()
    assign(job, "left", 1)
    tell(job, "left", 1, K.FINISHED, 8.0)
    assign(job, "right", 2)
    tell(job, "right", 2, K.STARTED, 8.0)

    assert look(job, 7.0)["left"] == Progress(NODES[1], Phase.DONE, -1.0, 0.0)
    assert look(job, 7.0)["right"] == Progress(NODES[2], Phase.RUNNING, 0.0, RUN_S)


def test_a_bound_task_waits_for_the_last_of_its_inputs() -> None:
    job = a_job()
    for name, node in (("left", 1), ("right", 2), ("last", 2)):
        assign(job, name, node)
    tell(job, "left", 1, K.STARTED, 4.0)
    tell(job, "right", 2, K.FINISHED, 5.0)
    arrives_in_s = RUN_S - 1.0 + LATENCY_S + 200 / BANDWIDTH

    assert look(job, 5.0)["last"] == Progress(NODES[2], Phase.BOUND, arrives_in_s, arrives_in_s + RUN_S)


def test_a_parent_that_waits_itself_counts_as_starting_now() -> None:
    job = a_job()
    assign(job, "right", 2)
    assign(job, "last", 2)

    assert look(job, 5.0)["last"].start_in_s == RUN_S


def test_a_bound_task_waits_for_the_queue_that_its_controller_believed_to_be_there() -> None:
    job = a_job()
    assign(job, "alone", 1, at_s=1.0, queue_s=4.0)

    assert look(job, 3.0)["alone"] == Progress(NODES[1], Phase.BOUND, 2.0, 2.0 + RUN_S)
    assert look(job, 9.0)["alone"].start_in_s == 0.0


def test_where_nobody_has_said_how_long_the_queue_is_the_task_counts_as_its_last() -> None:
    job = a_job()
    assign(job, "alone", 1)

    assert look(job, 3.0, free_in_s=RUN_S + 7.0)["alone"].start_in_s == 7.0
    assert look(job, 3.0, free_in_s=1.0)["alone"].start_in_s == 0.0


def test_what_a_node_has_promised_that_is_gone_counts_for_nothing() -> None:
    job = a_job()
    assign(job, "left", 1)
    tell(job, "left", 1, K.STARTED, 4.0)
    assign(job, "right", 1)
    tell(job, "right", 1, K.FINISHED, 5.0)

    assert list(look(job, 6.0, gone=1)) == ["right"]


def test_a_lost_result_is_none() -> None:
    job = a_job()
    assign(job, "right", 1)
    tell(job, "right", 1, K.FINISHED, 5.0)
    job.lost[job.key("right", 0)] = None

    assert list(look(job, 6.0)) == []
    job.state.note(NODES[0], statement(K.ASSIGNED, job.key("right", 0), attempt=2, node=NODES[2]))
    assert look(job, 6.0)["right"].node == NODES[2]


def test_a_task_that_was_declined_or_dropped_has_no_node() -> None:
    job = a_job()
    assign(job, "left", 1)
    tell(job, "left", 1, K.DECLINED, 2.0)
    assign(job, "right", 1)
    tell(job, "right", 1, K.DROPPED, 2.0)

    assert list(look(job, 6.0)) == []
