"""Strangers: who is named and not known has a while to show up."""

import math

import pytest

from pnode.protocol.events import CancelJob
from pnode.protocol.ids import NodeId
from pnode.protocol.jobstate import Phase
from pnode.protocol.strangers import STRANGER_S, Strangers

from .partners import START, Circle, spec, task

ALONE = spec(task("only"))


@pytest.fixture
def circle() -> Circle:
    """bob has a unit of ann's."""
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()
    return circle


def test_whoever_is_known_is_not_waited_for() -> None:
    circle = Circle("ann", "bob")
    strangers = Strangers(circle["ann"].jobs.desk)

    strangers.meet(circle.id_of("bob"), START)

    assert strangers.deadline == math.inf
    assert strangers.due(1e9) == []


def test_time_runs_from_the_first_meeting(circle: Circle) -> None:
    circle["ann"].near.unknown.append(circle.id_of("bob"))
    strangers = Strangers(circle["ann"].jobs.desk)

    strangers.meet(circle.id_of("bob"), START)
    strangers.meet(circle.id_of("bob"), START + STRANGER_S / 2)

    assert strangers.deadline == START + STRANGER_S
    assert strangers.due(START + STRANGER_S - 0.001) == []
    assert strangers.due(START + STRANGER_S) == [circle.id_of("bob")]
    assert circle["ann"].jobs.desk.is_gone(circle.id_of("bob"))
    strangers.meet(circle.id_of("bob"), START + STRANGER_S)
    assert strangers.deadline == math.inf  # nobody waits twice


def test_who_has_shown_up_in_time_is_not_gone() -> None:
    circle = Circle("ann", "bob")
    ann, bob = circle["ann"], circle.id_of("bob")
    ann.near.unknown.append(bob)
    strangers = Strangers(ann.jobs.desk)
    strangers.meet(bob, START)

    ann.near.unknown.remove(bob)

    assert strangers.due(START + STRANGER_S) == []
    assert not ann.jobs.desk.is_gone(bob)


def test_after_a_restart_who_is_never_heard_of_again_has_lost_its_units(circle: Circle) -> None:
    circle.crash("ann")
    circle.crash("bob")
    circle.restart("ann", unknown=("bob",))  # it died unseen, and nobody tells of it

    circle.run(STRANGER_S - 1.0)
    assert circle.placed() == []
    circle.prefer("only", "ann")
    circle.run(1.0)

    assert circle.take() == ["ann runs only#2"]
    assert circle["ann"].job.state.unit((0, 0)).attempts[(2, circle.id_of("ann"))].why == "bob is gone"


def test_after_a_restart_who_shows_up_keeps_its_units(circle: Circle) -> None:
    circle.crash("ann")
    circle.restart("ann", unknown=("bob",))
    circle.run(STRANGER_S / 2)
    circle.meet("bob", "ann")
    circle.meet("ann")
    circle.take()

    circle.run(500.0)

    assert set(circle.take()) == {"bob > ann: "}, "it asks now and then whether the job is over"
    circle.end("bob", "only")
    assert circle["ann"].job.state.phase is Phase.DONE


def test_who_shows_up_too_late_is_told_what_has_become_of_its_unit(circle: Circle) -> None:
    circle.crash("ann")
    circle.restart("ann", unknown=("bob",))
    circle.prefer("only", "ann")
    circle.run(STRANGER_S)
    circle.take()

    circle.meet("bob", "ann")

    assert circle.take() == [
        "ann > bob: (bob: ACCEPTED only#1, STARTED only#1); ASSIGNED only#2 to ann, ACCEPTED only#2, STARTED only#2",
        "bob ends only#1",
        "bob > ann: DROPPED only#1",
    ]
    assert not circle["ann"].jobs.desk.is_gone(circle.id_of("bob"))
    assert circle.is_quiet()


def test_who_is_written_to_and_not_known_is_not_written_to_for_ever(circle: Circle) -> None:
    circle.crash("bob")
    circle["ann"].near.unknown.append(circle.id_of("bob"))

    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    circle.run(STRANGER_S)
    circle.take()
    circle.run(600.0)

    assert circle.deadline == math.inf
    assert circle.is_quiet()


def test_a_member_that_is_forgotten_altogether_is_gone(circle: Circle) -> None:
    circle.crash("bob")
    circle.prefer("only", "ann")
    circle["ann"].near.unknown.append(circle.id_of("bob"))

    circle.do(circle["ann"], circle["ann"].jobs.member_gone(circle.id_of("bob"), circle.now))
    circle.settle()

    assert circle.take() == ["ann runs only#2"]


def test_who_has_vanished_is_remembered_as_long_as_a_job_involves_it(circle: Circle) -> None:
    ann, bob = circle["ann"], circle.id_of("bob")
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only"), nonce=b"o" * 16))
    first, second = ann.jobs.desk.jobs.values()
    assert [job.involves(bob) for job in (first, second)] == [True, False]
    circle.crash("bob")
    ann.near.unknown.append(bob)
    circle.do(ann, ann.jobs.member_gone(bob, circle.now))
    circle.settle()
    circle.ask("ann", lambda request: CancelJob(request, first.id))
    circle.ask("ann", lambda request: CancelJob(request, second.id))

    ann.jobs.retention.forget(second)
    assert list(ann.jobs.desk.vanished) == [bob]
    ann.jobs.retention.forget(first)
    assert not ann.jobs.desk.vanished


def test_who_has_no_part_in_anything_is_forgotten_at_once(circle: Circle) -> None:
    ann = circle["ann"]
    stranger = NodeId(b"s" * 32)
    ann.near.unknown.append(stranger)

    circle.do(ann, ann.jobs.member_gone(stranger, circle.now))

    assert not ann.jobs.desk.vanished
