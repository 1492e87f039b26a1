"""Doubts: a node that has missed the end of somebody else's job finds out, without knowing that there is anything."""

from pnode.protocol.doubts import DOUBT_S
from pnode.protocol.events import CancelJob
from pnode.protocol.jobmessages import Deliver

from .partners import Circle, spec, task


def onlooker(*, released: bool = False) -> Circle:
    """ann's job is over; cid, who has nothing to do with it any more, has heard of it and not of that."""
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only"), replicas=1))
    keeper, late = sorted(("bob", "cid"), key=lambda name: circle.id_of(name) not in circle["ann"].job.replicas)
    circle.say("ann", late, Deliver(circle["ann"].job.id, (), circle["ann"].job.signed))
    circle.partners = {"ann": circle["ann"], "keeper": circle[keeper], "late": circle[late]}
    for name, partner in circle.partners.items():
        partner.name = name
    circle.deaf += [("ann", "late"), ("keeper", "late")]
    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    circle.run(DOUBT_S / 2)
    if released:
        circle["keeper"].jobs.retention.forget(circle["keeper"].job)
    circle.deaf = []
    return circle


def test_who_has_missed_the_end_of_a_job_asks_for_it() -> None:
    circle = onlooker()
    assert not circle["late"].job.closed

    circle.run(DOUBT_S)

    assert circle["late"].job.closed


def test_who_has_released_it_answers_too() -> None:
    circle = onlooker(released=True)
    circle.deaf = [("ann", "late")]

    circle.run(DOUBT_S)

    assert circle["late"].job.closed


def test_who_was_restarted_asks_too() -> None:
    circle = onlooker()
    circle.crash("late")
    circle.restart("late")

    circle.run(DOUBT_S)

    assert circle["late"].job.closed


def test_who_goes_on_with_a_job_does_not_answer() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only")))
    circle.take()

    circle.run(2 * DOUBT_S)

    assert circle.take() == ["bob > ann: ", "bob > ann: "]


def test_nobody_doubts_what_it_knows() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), replicas=1))
    circle.run(60.0)
    circle.frames.clear()

    circle.run(DOUBT_S)
    assert not [frame for frame in circle.frames if isinstance(frame[2], Deliver)]
    circle.end("bob", "only")
    circle.run(60.0)

    assert circle["bob"].job.closed
    assert circle["bob"].jobs.doubts.deadline > circle.now + 10 * DOUBT_S
