"""Placing: who is asked, in which order, and who else is told."""

from dataclasses import replace

import pytest

from pnode.protocol.codec import encode
from pnode.protocol.events import Submit
from pnode.protocol.holding import SECOND_THOUGHTS_MAX
from pnode.protocol.job import Job
from pnode.protocol.jobspec import PlannedTask
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Cause, Statement, StatementKind
from pnode.protocol.placing import LOOK_AGAIN_S, PROMPT_MAX, SELDOM_S_MAX

from .partners import START, Circle, Mute, spec, task

ONE = spec(task("only"))
THREE = spec(task("short", expected_s=1.0), task("long", expected_s=9.0), task("middle", expected_s=5.0))
FAN = spec(task("root", "short", "long", expected_s=1.0), task("short", expected_s=1.0), task("long", expected_s=9.0))


def assignments(job: Job) -> list[Statement]:
    """In the order in which they were made, of a job with one controller."""
    said = (statement for entry in job.ledger for statement in entry.segment.statements)
    return [statement for statement in said if statement.kind == StatementKind.ASSIGNED]


def assignments_by(circle: Circle, name: str) -> list[Statement]:
    """What a partner has decided, as it knows it."""
    own = (entry for entry in circle[name].job.ledger if entry.author == circle.id_of(name))
    said = (statement for entry in own for statement in entry.segment.statements)
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


def test_who_can_run_a_unit_may_come_after_hours() -> None:
    circle = Circle("ann", "bob")
    script, mappers = circle.mapper, circle["ann"].jobs.desk.mappers
    mappers["script"] = Mute()
    circle.submit("ann", ONE)

    circle.run(5 * 3600.0)  # after 1,024 doublings no number could hold the pause
    mappers["script"] = script
    circle.meet("bob", "ann")

    assert names(circle["ann"].job) == ["only"]


def test_what_somebody_else_has_placed_meanwhile_is_not_placed_again() -> None:
    circle = Circle("ann", "bob", "cid")
    script, mappers = circle.mapper, circle["ann"].jobs.desk.mappers
    mappers["script"] = Mute()
    circle.submit("ann", ONE)
    assert circle["ann"].job.unplaced

    circle.utter("bob", "ann", Statement(StatementKind.ASSIGNED, 0, 0, 1, START, circle.id_of("cid")))
    mappers["script"] = script
    circle.meet("bob", "ann")

    assert not circle["ann"].job.unplaced
    assert not assignments_by(circle, "ann")


def test_what_somebody_has_begun_meanwhile_is_not_placed_either() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    circle.prefer("first", "bob")
    script, mappers = circle.mapper, circle["bob"].jobs.desk.mappers
    mappers["script"] = Mute()
    circle.submit("ann", spec(task("first", "second"), task("second")))
    assert circle["bob"].job.unplaced

    circle.utter("dan", "bob", Statement(StatementKind.STARTED, 1, 0, 1, START))
    mappers["script"] = script
    circle.meet("cid", "bob")

    assert not circle["bob"].job.unplaced
    assert not assignments_by(circle, "bob")


def test_who_is_not_answered_asks_ever_more_seldom_and_the_job_goes_on_when_it_is() -> None:
    circle = Circle("ann", "bob", "cid")
    desk = circle["ann"].jobs.desk
    desk.place = replace(desk.place, computes=False)
    circle.deaf += [("ann", "bob"), ("ann", "cid")]
    circle.submit("ann", ONE)
    circle.run(3600.0)

    asked = len(assignments(circle["ann"].job))
    circle.deaf.clear()
    circle.run(SELDOM_S_MAX)
    circle.end(next(name for name in ("bob", "cid") if circle[name].running), "only")

    assert PROMPT_MAX < asked < PROMPT_MAX + 3600.0 / SELDOM_S_MAX + 8
    assert circle["ann"].job.state.phase is Phase.DONE


def test_a_unit_that_nobody_takes_in_all_the_attempts_there_are_ends_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.placing.ATTEMPTS_MAX", PROMPT_MAX + 6)
    circle = Circle("ann")
    desk = circle["ann"].jobs.desk
    desk.place = replace(desk.place, computes=False)

    circle.submit("ann", ONE)
    circle.run(6 * SELDOM_S_MAX)

    _, why = circle["ann"].job.state.cancelled  # type: ignore[misc]
    assert why == "only was handed over 70 times without success; last: ann declined: it does not compute"


def test_a_node_that_does_not_know_the_mapper_takes_what_nobody_else_does() -> None:
    circle = Circle("ann", "bob")
    for name in ("ann", "bob"):
        circle[name].jobs.desk.mappers.clear()
        circle[name].jobs.desk.mappers["another"] = circle.mapper

    circle.submit("ann", ONE)
    circle.run(LOOK_AGAIN_S)

    attempts = circle["ann"].job.state.unit((0, 0)).attempts.values()
    assert [each.reason for each in attempts][:-1] == ["it does not know the mapper script"] * SECOND_THOUGHTS_MAX
    assert [each.phase for each in attempts][-1] == "started"


def test_that_a_run_was_lost_is_told_although_nobody_is_there_to_be_asked_at_first() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob", "cid")
    circle.submit("ann", ONE)
    circle.crash("bob")
    script, mappers = circle.mapper, circle["ann"].jobs.desk.mappers
    mappers["script"] = Mute()
    circle.miss("bob")
    mappers["script"] = script

    circle.run(LOOK_AGAIN_S)

    last = assignments(circle["ann"].job)[-1]
    assert (last.node, last.cause, last.text) == (circle.id_of("cid"), Cause.RAN, "bob is gone")
