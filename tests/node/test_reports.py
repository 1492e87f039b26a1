"""Reports: what people see of jobs and nodes."""

import io
from dataclasses import replace

import pytest

from pnode.node.api import RefusedError
from pnode.node.housekeeping import content_of
from pnode.node.jobtext import write_job
from pnode.node.reports import job_detail, listed_status, role_names, units_called
from pnode.node.results import Result, check_places, place_results
from pnode.protocol.dag import Task
from pnode.protocol.ids import JobId, NodeId, digest_of, job_text
from pnode.protocol.job import Job, Unplaced
from pnode.protocol.jobmessages import Summary
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import Attempt, JobState
from pnode.protocol.ledger import Ledger, StatementKind
from pnode.protocol.record import Role
from pnode.protocol.settlement import SETTLE_ITEMS_MIN
from pnode.protocol.signed import Kind, sign

from ..protocol.ledgers import CLUSTER, CRYPTO, JOB, NODES, SEEDS, job_spec, outcome, statement, task

K = StatementKind
NAMES = dict(zip(NODES, ("alpha", "beta", "gamma", "delta"), strict=True))


class Names:
    """As much of `Directory` as a report asks for."""

    def __init__(self, *gone: NodeId) -> None:
        self._gone = gone

    def name_of(self, node: NodeId) -> str:
        return NAMES[node]

    def is_gone(self, node: NodeId) -> bool:
        return node in self._gone

    def shortage(self, job: JobId, node: NodeId) -> str:
        return "cannot take in it" if node == NODES[2] else ""

    def detours(self, job: JobId) -> tuple[str, ...]:
        return ()


def job(items: int = 1) -> Job:
    spec = job_spec(task("first", "second"), task("second"), items=items)
    signed = sign(CRYPTO, SEEDS[0], Kind.JOB, CLUSTER, spec)
    ranks = {"first": 2.0, "second": 1.0}
    return Job(JOB, signed, spec, Ledger(JOB), JobState(spec, NODES[0]), ranks)


def file(name: str) -> FileRef:
    return FileRef(name, 3, digest_of(name.encode()))


def finish(made: Job, unit: tuple[int, int], node: int, *names: str) -> None:
    result = outcome(1.5, *(file(name) for name in names))
    made.state.note(NODES[0], statement(K.ASSIGNED, unit, node=NODES[node]))
    made.state.note(NODES[node], replace(statement(K.FINISHED, unit, at_s=9.0), outcome=result))


def test_a_fresh_job_waits_everywhere() -> None:
    detail = job_detail(job(items=2), Names(), 10.0)  # type: ignore[arg-type]

    assert detail.id == job_text(JOB)
    assert (detail.state, detail.units_done, detail.units_total, detail.elapsed_s) == ("running", 0, 4, 10.0)
    assert [(unit.task, unit.item, unit.state, unit.node) for unit in detail.units] == [
        ("first", 0, "waiting", None),
        ("second", 0, "waiting", None),
        ("first", 1, "waiting", None),
        ("second", 1, "waiting", None),
    ]


def test_a_unit_goes_through_its_states() -> None:
    made = job()
    seen = []
    for kind in (K.ASSIGNED, K.ACCEPTED, K.STARTED, K.FINISHED):
        said = statement(kind, at_s=float(kind))
        author, said = (NODES[0], replace(said, node=NODES[1])) if kind is K.ASSIGNED else (NODES[1], said)
        made.state.note(author, said)
        seen.append(job_detail(made, Names(), 10.0).units[0])  # type: ignore[arg-type]

    assert [unit.state for unit in seen] == ["assigned", "queued", "running", "done"]
    assert {unit.node for unit in seen} == {"beta"}
    assert (seen[-1].started_at, seen[-1].finished_at, seen[-1].seconds) == (4.0, 5.0, 1.0)


def test_a_failure_names_task_node_and_reason() -> None:
    made = job(items=2)
    made.state.note(NODES[0], statement(K.ASSIGNED, (0, 1), node=NODES[2]))
    bad = replace(outcome(), stderr_tail="Traceback ...\nValueError: no", exit_status=1)
    made.state.note(NODES[2], statement(K.FAILED, (0, 1), text="exit status 1", outcome=bad))

    detail = job_detail(made, Names(), 10.0)  # type: ignore[arg-type]

    assert (detail.state, detail.reason) == ("failed", "first[1] failed on gamma: exit status 1")
    assert detail.units[2].stderr_tail.endswith("ValueError: no")


def test_a_cancelled_job_says_who_did_it() -> None:
    made = job()
    made.state.note(NODES[1], statement(K.CANCELLED, attempt=0, text="cancelled at beta"))

    assert job_detail(made, Names(), 10.0).reason == "cancelled at beta"  # type: ignore[arg-type]


def test_a_second_attempt_says_why_there_is_one() -> None:
    made = job()
    made.state.note(NODES[0], statement(K.ASSIGNED, node=NODES[1]))
    made.state.note(NODES[0], statement(K.ASSIGNED, attempt=2, node=NODES[2], text="beta is gone"))

    [unit, _] = job_detail(made, Names(), 10.0).units  # type: ignore[arg-type]

    assert (unit.attempt, unit.node, unit.reason) == (2, "gamma", "beta is gone")


def test_what_was_cancelled_is_shown_where_it_was_last() -> None:
    made = job()
    made.state.note(NODES[0], statement(K.ASSIGNED, node=NODES[1]))
    made.state.note(NODES[0], statement(K.ASSIGNED, attempt=2, node=NODES[2], text="beta is gone"))
    made.state.note(NODES[0], statement(K.CANCELLED, attempt=0))
    made.state.note(NODES[2], statement(K.DROPPED, attempt=2))

    unit = job_detail(made, Names(NODES[1]), 10.0).units[0]  # type: ignore[arg-type]

    assert (unit.attempt, unit.node, unit.state) == (2, "gamma", "cancelled")


def test_what_nobody_took_before_the_job_was_over_is_shown_where_it_was_declined() -> None:
    made = job()
    made.state.note(NODES[0], statement(K.ASSIGNED, node=NODES[1]))
    made.state.note(NODES[1], statement(K.DECLINED, text="its queue is full"))
    made.state.note(NODES[0], statement(K.CANCELLED, attempt=0))

    assert job_detail(made, Names(), 10.0).units[0].node == "beta"  # type: ignore[arg-type]


def test_what_was_lost_too_often_has_failed() -> None:
    made = job()
    made.state.note(NODES[0], statement(K.ASSIGNED, node=NODES[1]))
    made.state.note(NODES[1], statement(K.STARTED))
    made.state.note(NODES[0], statement(K.ABANDONED, node=NODES[1], text="the node that ran it was lost"))

    detail = job_detail(made, Names(NODES[1]), 10.0)  # type: ignore[arg-type]

    assert (detail.state, detail.reason) == ("failed", "first failed: the node that ran it was lost")
    assert (detail.units[0].state, detail.units[0].reason) == ("failed", "the node that ran it was lost")


def test_a_job_of_which_only_a_summary_is_known_can_be_listed() -> None:
    summary = Summary(JOB, NODES[3], "far", "done", 2, 2, 100.0, 130.0)

    listed = listed_status(summary, Names(), 1000.0)  # type: ignore[arg-type]

    assert (listed.name, listed.state, listed.origin, listed.elapsed_s) == ("far", "done", "delta", 30.0)
    assert not listed.origin_gone
    assert listed_status(summary, Names(NODES[3]), 1000.0).origin_gone  # type: ignore[arg-type]


def test_a_phase_of_a_newer_version_is_shown_as_running() -> None:
    summary = Summary(JOB, NODES[3], "far", "paused", 0, 2, 100.0, 0.0)

    assert listed_status(summary, Names(), 1000.0).state == "running"  # type: ignore[arg-type]


def test_roles_have_names() -> None:
    assert role_names(Role.COMPUTE | Role.SUBMIT) == ("compute", "submit")
    assert role_names(0) == ()


def test_results_lie_side_by_side_while_their_names_differ() -> None:
    made = job(items=2)
    finish(made, (1, 0), 1, "k0_out")
    finish(made, (1, 1), 2, "k1_out")

    assert [(found.place, found.file.name, found.attempt.node) for found in place_results(made)] == [
        ("", "k0_out", NODES[1]),
        ("", "k1_out", NODES[2]),
    ]


def test_results_with_one_name_get_directories_by_item_and_task() -> None:
    made = job(items=2)
    finish(made, (1, 0), 1, "out")
    finish(made, (1, 1), 2, "out")

    assert [found.place for found in place_results(made)] == ["k0/second", "k1/second"]


def settled(made: Job, item: int, name: str) -> None:
    """Of an item of a long stream only the results are known any more."""
    result = outcome(1.5, file(name))
    made.state.note(NODES[0], replace(statement(K.SETTLED, (1, item), at_s=9.0), node=NODES[2], outcome=result))


def test_of_a_settled_item_the_results_are_still_there() -> None:
    made = job(items=SETTLE_ITEMS_MIN)
    settled(made, 3, "k3_out")
    made.replicas = (NODES[0], NODES[1])
    made.state.note(NODES[1], statement(K.GUARDED, attempt=0))

    detail = job_detail(made, Names(), 10.0)  # type: ignore[arg-type]

    [first, second] = [unit for unit in detail.units if unit.item == 3]
    assert (first.state, first.node, first.attempts) == ("done", None, ())
    assert (second.state, second.node) == ("done", "gamma")
    assert [(each.state, each.counts) for each in second.attempts] == [("finished", True)]
    assert [keeper.results for keeper in detail.keepers] == [1, 1]
    assert [found.file.name for found in place_results(made)] == ["k3_out"]
    assert file("k3_out").digest in content_of(made, NODES[1])


def test_of_a_stream_people_are_told_how_many_items_are_settled() -> None:
    made = job(SETTLE_ITEMS_MIN)
    made.replicas = NODES[:1]
    for item in (0, 1):
        made.state.note(NODES[0], statement(K.SETTLED, (1, item), 1, node=NODES[2], outcome=outcome(1.0, file("b"))))
    detail = job_detail(made, Names(), 30.0)  # type: ignore[arg-type]
    text = io.StringIO()
    write_job(detail, text)

    assert detail.items_settled == 2
    assert "2 of 256 items are settled: only their results are kept" in text.getvalue()


def test_what_only_children_get_is_no_result() -> None:
    made = job()
    finish(made, (0, 0), 1, "between")

    assert place_results(made) == []


def test_an_item_key_that_leads_elsewhere_is_not_followed() -> None:
    made = Attempt(1, NODES[1])
    check_places([Result("k0/second", file("ok"), made)])
    with pytest.raises(RefusedError, match="no name for a file"):
        check_places([Result("../k0/second", file("ok"), made)])


def test_a_task_and_one_item_of_it_can_be_named_as_listings_do() -> None:
    made = job(items=3)

    assert list(units_called(made, "second")) == [(1, 0), (1, 1), (1, 2)]
    assert list(units_called(made, "second[2]")) == [(1, 2)]
    assert len(units_called(made, None)) == 6


@pytest.mark.parametrize("name", ["third", "second[3]", "second[", "second[x]", "second[1", "[0]", ""])
def test_a_task_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="it has first, second, items 0 to 2"):
        units_called(job(items=3), name)


def test_a_unit_that_nobody_can_run_says_why_it_waits() -> None:
    class Small(Names):
        def why_nobody(self, task: Task) -> str:
            return f"{task.name} is too large"

    made = job()
    made.unplaced[(0, 0)] = Unplaced()

    [first, second] = job_detail(made, Small(), 10.0).units  # type: ignore[arg-type]

    assert (first.state, first.reason) == ("waiting", "first is too large")
    assert second.reason == ""
