"""Placing: who is asked, in which order, and who else is told."""

from dataclasses import replace

import pytest

from pnode.protocol.codec import encode
from pnode.protocol.events import Submit
from pnode.protocol.job import Job
from pnode.protocol.jobspec import PlannedTask
from pnode.protocol.ledger import Statement, StatementKind

from .partners import START, Circle, spec, task

THREE = spec(task("short", expected_s=1.0), task("long", expected_s=9.0), task("middle", expected_s=5.0))
FAN = spec(task("root", "short", "long", expected_s=1.0), task("short", expected_s=1.0), task("long", expected_s=9.0))


def assignments(job: Job) -> list[Statement]:
    """In the order in which they were made, of a job with one controller."""
    said = (statement for entry in job.ledger for statement in entry.segment.statements)
    return [statement for statement in said if statement.kind == StatementKind.ASSIGNED]


def names(job: Job) -> list[str]:
    return [job.spec.dag.tasks[statement.task].name for statement in assignments(job)]


def test_the_most_urgent_entries_are_placed_first() -> None:
    circle = Circle("ann")

    circle.submit("ann", THREE)

    assert names(circle["ann"].job) == ["long", "middle", "short"]


def test_the_most_urgent_children_are_placed_first() -> None:
    circle = Circle("ann")

    circle.submit("ann", FAN)

    assert names(circle["ann"].job) == ["root", "long", "short"]


def test_by_plan_what_starts_first_is_placed_first() -> None:
    circle = Circle("ann")
    starts_s = (1.0, 2.0, 0.0)
    plan = tuple(PlannedTask(circle.id_of("ann"), start_s, start_s + 1.0) for start_s in starts_s)

    circle.submit("ann", replace(THREE, plan=plan))

    assert names(circle["ann"].job) == ["middle", "short", "long"]


def test_a_node_with_much_to_place_does_other_things_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.placing.TURN_MAX", 2)
    circle = Circle("ann")
    jobs = circle["ann"].jobs
    circle.do(circle["ann"], jobs.handle(Submit(1, encode(THREE)), circle.now))
    told = []
    while jobs.deadline <= circle.now:
        circle.do(circle["ann"], jobs.tick(circle.now))
        told.append(len(circle["ann"].job.handoffs) + len(circle["ann"].job.held))

    assert told[0] == 2
    assert told[-1] == 3


@pytest.mark.parametrize(("expected_s", "told_s"), [(4.0, 4.0), (0.0, 0.0)])
def test_how_long_a_run_takes_is_told_where_it_is_known(expected_s: float, told_s: float) -> None:
    circle = Circle("ann")

    circle.submit("ann", spec(task("only", expected_s=expected_s)))

    [statement] = assignments(circle["ann"].job)
    assert statement.run_s == told_s


def test_whoever_a_task_was_planned_for_is_told_that_it_went_elsewhere_if_it_knows_the_job() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    for name, node in (("root", "bob"), ("short", "ann"), ("long", "ann")):
        circle.prefer(name, node)
    places = ("bob", "cid", "ann")  # `short` is planned for cid, who has nothing to do with the job
    plan = tuple(PlannedTask(circle.id_of(name), at, at + 1.0) for at, name in enumerate(places))
    circle.submit("ann", replace(FAN, plan=plan, created_s=START))
    assert circle["cid"].jobs.desk.jobs == {}

    circle["bob"].job.informed[circle.id_of("cid")] = None
    circle["bob"].jobs.placing.place(circle["bob"].job, (1, 0), circle.now)
    circle.settle()

    assert any("ASSIGNED short#2" in line and line.startswith("bob > cid") for line in circle.take())
