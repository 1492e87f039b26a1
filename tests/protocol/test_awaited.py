"""Awaited: a node keeps its core for what it will have to run, as long as what it has heard bears that out."""

from dataclasses import replace

from pnode.protocol.awaited import LATE_S
from pnode.protocol.jobspec import JobSpec, PlannedTask

from .partners import START, Circle, spec, task

FIRST_S, MIDDLE_S, LAST_S, LONG_S = 4.0, 5.0, 2.0, 20.0

CHAIN_AND_FILLER = spec(
    task("first", "middle", expected_s=FIRST_S),
    task("middle", "last", expected_s=MIDDLE_S),
    task("last", expected_s=LAST_S),
    task("filler", expected_s=LONG_S),
)
"""Only the filler can begin at once besides the first of the chain."""


def planned(circle: Circle, job: JobSpec = CHAIN_AND_FILLER) -> JobSpec:
    """The chain at ann but for its last task, which is bob's; he is to run the filler after it."""
    parts = (("ann", 0.0, 4.0), ("ann", 4.0, 9.0), ("bob", 9.0, 11.0), ("bob", 11.0, 31.0))
    plan = tuple(PlannedTask(circle.id_of(name), start_s, finish_s) for name, start_s, finish_s in parts)
    return replace(job, plan=plan, created_s=START)


def begun(job: JobSpec = CHAIN_AND_FILLER, **kept: str) -> Circle:
    """The job is submitted at ann, and goes by its plan except for what stands in `kept`."""
    circle = Circle("ann", "bob", "cid")
    for name, node in ({"first": "ann", "middle": "ann", "last": "bob", "filler": "bob"} | kept).items():
        circle.prefer(name, node)
    circle.submit("ann", planned(circle, job))
    return circle


def runs(circle: Circle, name: str) -> list[str]:
    return [unit.task for unit in circle[name].running]


def test_a_core_is_kept_for_what_is_planned_here_and_not_yet_bound() -> None:
    circle = begun()

    circle.run(FIRST_S)

    assert runs(circle, "bob") == []
    assert circle["bob"].jobs.deadline == START + FIRST_S + MIDDLE_S + LATE_S


def test_as_soon_as_the_inputs_are_here_what_was_awaited_runs_and_then_the_rest() -> None:
    circle = begun()
    circle.run(FIRST_S)
    circle.end("ann", "first")
    circle.run(MIDDLE_S)

    circle.end("ann", "middle")

    assert runs(circle, "bob") == ["last"]
    circle.end("bob", "last")
    assert runs(circle, "bob") == ["filler"]


def test_when_the_plan_falls_behind_the_core_is_used() -> None:
    circle = begun()

    circle.run(FIRST_S + MIDDLE_S)
    assert runs(circle, "bob") == []
    circle.run(2 * LATE_S)

    assert runs(circle, "bob") == ["filler"]


def test_once_a_parent_runs_its_inputs_are_reckoned_from_its_start() -> None:
    circle = begun()
    circle.run(FIRST_S - 1.0)
    circle.end("ann", "first")

    circle.run(MIDDLE_S - 0.5)

    assert runs(circle, "bob") == []
    assert circle["bob"].jobs.deadline == START + FIRST_S - 1.0 + MIDDLE_S + LATE_S


def test_a_core_is_used_as_soon_as_what_was_planned_here_goes_elsewhere() -> None:
    circle = begun(last="cid")
    circle.run(FIRST_S)
    assert runs(circle, "bob") == []

    circle.end("ann", "first")

    assert runs(circle, "bob") == ["filler"]


def test_a_core_is_not_kept_for_what_nobody_is_left_to_hand_over() -> None:
    circle = begun()
    circle.run(1.0)
    circle.kill("ann")

    circle.run(100.0)

    assert runs(circle, "bob") == ["filler"]


def test_without_any_estimate_no_core_is_kept() -> None:
    tasks = [replace(each, expected_s=0.0) for each in CHAIN_AND_FILLER.dag.tasks]

    circle = begun(spec(*tasks))

    assert runs(circle, "bob") == ["filler"]


def test_a_plan_for_a_stream_keeps_no_core_for_what_is_not_bound() -> None:
    circle = begun(spec(*CHAIN_AND_FILLER.dag.tasks, items=2))

    assert runs(circle, "bob") == ["filler"]


def test_without_a_plan_a_core_is_kept_for_what_is_bound_and_more_urgent() -> None:
    circle = Circle("ann", "bob", "cid")
    for name, node in (("first", "ann"), ("last", "bob"), ("gate", "cid"), ("filler", "bob")):
        circle.prefer(name, node)
    job = spec(
        task("first", "last", expected_s=FIRST_S),
        task("last", expected_s=2 * LONG_S),
        task("gate", "filler", expected_s=1.0),
        task("filler", expected_s=LONG_S),
    )
    circle.submit("ann", job)

    circle.run(1.0)
    circle.end("cid", "gate")

    assert runs(circle, "bob") == []
    assert circle["bob"].jobs.deadline == START + FIRST_S + LATE_S
    circle.run(FIRST_S)
    assert runs(circle, "bob") == ["filler"]


def test_after_a_restart_what_is_planned_is_awaited_again() -> None:
    circle = begun()
    circle.run(1.0)
    circle.crash("bob")

    circle.restart("bob")
    circle.meet("bob")
    circle.run(1.0)

    assert runs(circle, "bob") == []
    assert circle["bob"].jobs.deadline == START + FIRST_S + MIDDLE_S + LATE_S


def test_nothing_is_awaited_of_a_job_that_is_over() -> None:
    circle = begun()
    circle.run(1.0)
    circle.end("ann", "first", failure="it broke")
    other = replace(spec(task("other", expected_s=LONG_S)), nonce=b"o" * 16)
    circle.prefer("other", "bob")

    circle.submit("ann", other)

    assert runs(circle, "bob") == ["other"]
