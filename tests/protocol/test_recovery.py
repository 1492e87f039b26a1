"""Recovery: whatever becomes of a unit's holder, controller or inputs, somebody runs it, and nobody in vain."""

import math
from dataclasses import replace

import pytest

from pnode.protocol.attempts import outputs_mark
from pnode.protocol.events import CancelJob
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Statement, StatementKind
from pnode.protocol.placing import HANDOFF_S
from pnode.protocol.recovery import PATIENCE_S
from pnode.protocol.retries import PAUSE_S

from .ledgers import outcome, statement
from .partners import Circle, Mute, file, spec, task

ASSIGNED, ACCEPTED, STARTED = StatementKind.ASSIGNED, StatementKind.ACCEPTED, StatementKind.STARTED
FINISHED, FAILED, DROPPED = StatementKind.FINISHED, StatementKind.FAILED, StatementKind.DROPPED

ALONE = spec(task("only"))
CHAIN = spec(task("first", "second"), task("second", "third"), task("third"))
JOIN = spec(task("left", "last"), task("right", "last"), task("last", inputs_per_call=2))


def circle_for(job: JobSpec, *, brings: bool = True, **prefer: tuple[str, ...]) -> Circle:
    """ann's job, and who is to have which task; those beyond the first are to have it next."""
    circle = Circle("ann", "bob", "cid", "dan", brings=brings)
    for name, nodes in prefer.items():
        circle.prefer(name, *nodes)
    circle.submit("ann", job)
    circle.take()
    return circle


def why(circle: Circle, task: int, number: int) -> str:
    """What people are told about an attempt after the first."""
    (attempt,) = (each for each in circle["ann"].job.state.unit((task, 0)).attempts.values() if each.number == number)
    return attempt.why


def finish(circle: Circle) -> None:
    """Let everybody notice who is dead, all content arrive and every run end well, until there is none."""
    for partner in circle.partners.values():
        if not partner.up and partner.id not in circle["ann"].near.gone:
            circle.miss(partner.name)
    circle.bring_all()
    circle.run(1.0)
    partners = circle.partners.values()
    while running := [(each.name, run.unit.task) for each in partners for run in each.running.values()]:
        circle.end(*running[0])
        circle.run(1.0)


def outlived(circle: Circle) -> bool:
    """Whether the job ends well without further ado, and nothing is left over."""
    finish(circle)
    circle.take()
    return circle["ann"].job.state.phase is Phase.DONE and circle.is_quiet() and circle.deadline == math.inf


# Whoever has the unit is gone.


def test_a_unit_whose_holder_is_gone_is_placed_again_at_once() -> None:
    circle = circle_for(ALONE, only=("bob", "cid"))

    circle.kill("bob")

    assert circle.placed() == ["ann: only#2 to cid"]
    assert why(circle, 0, 2) == "bob is gone"
    assert outlived(circle)


def test_nothing_is_done_about_a_node_that_had_no_part() -> None:
    circle = circle_for(ALONE, only=("bob",))

    circle.kill("cid")

    assert circle.take() == []
    assert outlived(circle)


def test_a_dead_holder_that_comes_back_finds_its_unit_with_somebody_else() -> None:
    circle = circle_for(ALONE, only=("bob", "cid"))
    circle.kill("bob")
    circle.take()

    circle.restart("bob")
    circle.meet("bob")

    assert [line for line in circle.take() if line.startswith("bob")] == [
        "bob runs only#1",
        "bob > ann: STARTED only#1",
        "bob > ann: ACCEPTED only#1, STARTED only#1; STARTED only#1",  # the ends of its feeds
        "bob ends only#1",
        "bob > ann: DROPPED only#1",
    ]
    assert outlived(circle)


def test_a_unit_that_was_dropped_for_nobody_is_placed_again() -> None:
    circle = circle_for(ALONE, only=("bob",))
    circle.crash("bob")  # it does not hear what is said in its name
    circle.prefer("only", "cid")

    circle.utter("bob", "ann", statement(DROPPED))

    assert circle.placed() == ["ann: only#2 to cid"]
    assert why(circle, 0, 2) == "bob has dropped it"
    assert outlived(circle)


def test_a_failed_unit_is_nobodys_business() -> None:
    circle = circle_for(ALONE, only=("bob",))

    circle.end("bob", "only", failure="it broke")
    circle.take()
    circle.kill("bob")
    circle.run(60.0)

    assert circle.placed() == []
    assert circle["ann"].job.state.phase is Phase.FAILED
    assert circle.deadline == math.inf


def test_an_unanswered_offer_of_our_own_is_left_to_placing() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob", "cid")
    circle.crash("bob")

    circle.submit("ann", ALONE)
    circle.placed()
    circle.run(HANDOFF_S + PATIENCE_S)

    assert circle.placed() == ["ann: only#2 to cid"]
    assert why(circle, 0, 2) == f"bob did not answer within {HANDOFF_S:g} s"
    assert outlived(circle)


# Whoever is to place the unit is gone, or silent.


def test_a_controller_that_places_nobody_is_given_a_while() -> None:
    circle = silent_controller()

    circle.run(PATIENCE_S - 0.1)
    assert circle.placed() == []
    circle.run(0.1)

    assert circle.placed() == ["ann: second#1 to cid"]
    assert why(circle, 1, 1) == ""
    assert outlived(circle)


def test_the_children_of_a_dead_controller_are_placed_at_once() -> None:
    circle = silent_controller(final=True)
    circle.end("bob", "first")  # of which ann has a copy
    circle.placed()

    circle.kill("bob")

    assert circle.placed() == ["ann: second#1 to cid"]
    assert outlived(circle)


def test_the_origin_places_the_children_of_what_it_holds_itself() -> None:
    circle = circle_for(CHAIN, first=("ann",), second=("bob",), third=("ann",))

    assert [name for name in ("ann", "bob") if circle[name].job.held] == ["ann", "bob"]
    assert outlived(circle)


def silent_controller(*others: str, **fields: object) -> Circle:
    """bob holds `first` and finds nobody for `second`; ann would give that to cid."""
    circle = Circle("ann", "bob", "cid", *others)
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle["bob"].jobs.desk.mappers["script"] = Mute()
    circle.submit("ann", spec(task("first", "second", **fields), task("second")))
    assert circle.placed() == ["ann: first#1 to bob"]
    return circle


def test_a_controllers_offer_that_ends_in_nothing_is_repeated() -> None:
    circle = silent_controller()
    circle.crash("cid")
    circle.prefer("second", "ann")

    circle.utter("bob", "ann", statement(ASSIGNED, (1, 0), node=circle.id_of("cid")))
    circle.run(PATIENCE_S - 0.1)
    assert circle.placed() == []
    circle.run(0.1)

    assert circle.placed() == ["ann: second#2 to ann"]
    assert why(circle, 1, 2) == "cid has not answered"
    assert outlived(circle)


def test_a_word_about_a_unit_renews_the_patience() -> None:
    circle = silent_controller()
    circle.crash("cid")
    for number in (1, 2):
        circle.run(PATIENCE_S - 0.1)
        circle.utter("bob", "ann", statement(ASSIGNED, (1, 0), number, node=circle.id_of("cid")))
        assert circle.placed() == []

    circle.prefer("second", "ann")
    circle.run(PATIENCE_S)

    assert circle.placed() == ["ann: second#3 to ann"]


def test_who_declined_and_was_not_replaced_is_replaced() -> None:
    circle = silent_controller()
    circle.crash("cid")
    circle.prefer("second", "ann")

    circle.utter("bob", "ann", statement(ASSIGNED, (1, 0), node=circle.id_of("cid")))
    circle.utter("cid", "ann", statement(StatementKind.DECLINED, (1, 0)))
    circle.run(PATIENCE_S)

    assert circle.placed() == ["ann: second#2 to ann"]
    assert why(circle, 1, 2) == "cid has declined it"


# Results that went with their node.


def test_a_result_that_somebody_waits_for_is_made_again() -> None:
    circle = circle_for(JOIN, left=("bob", "dan"), right=("cid",), last=("dan",))
    circle.end("bob", "left")
    circle.take()

    circle.kill("bob")

    assert circle.placed() == ["ann: left#2 to dan"]
    assert why(circle, 0, 2) == "bob is gone"
    assert outlived(circle)


def test_a_result_that_everybody_has_read_is_not_made_again() -> None:
    circle = circle_for(CHAIN, first=("bob",), second=("cid",), third=("dan",))
    circle.end("bob", "first")
    circle.take()

    circle.kill("bob")
    circle.run(60.0)

    assert circle.placed() == []
    assert outlived(circle)


def test_a_result_of_the_job_is_made_again_until_there_is_a_copy() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("only", "bob", "cid")
    circle.submit("ann", ALONE)
    circle.end("bob", "only")
    circle.placed()

    circle.kill("bob")
    assert circle.placed() == ["ann: only#2 to cid"]
    circle.end("cid", "only", file("again"))
    circle.bring("ann", file("again"), "cid")

    assert outlived(circle)


def test_with_a_copy_nothing_is_made_again() -> None:
    circle = circle_for(spec(task("one"), task("two")), one=("bob",), two=("cid",))
    circle.end("bob", "one")
    circle.take()

    circle.kill("bob")
    circle.run(60.0)

    assert circle.placed() == []
    assert outlived(circle)


def test_what_was_made_on_the_way_is_made_again_only_as_far_up_as_it_must() -> None:
    circle = circle_for(
        spec(task("a", "b"), task("b", "c"), task("c", "d"), task("d")),
        a=("ann",), b=("bob",), c=("bob",), d=("cid",),
    )  # fmt: skip
    circle.end("ann", "a")
    circle.end("bob", "b")
    circle.prefer("b", "dan")
    circle.prefer("c", "dan")
    circle.take()

    circle.kill("bob")  # with the result of b, and c at work

    assert circle.placed() == ["ann: b#2 to dan", "ann: c#2 to dan"]  # a is at ann's
    assert outlived(circle)


def test_lost_ancestors_are_made_again_in_their_order() -> None:
    circle = circle_for(CHAIN, brings=False, first=("bob", "dan"), second=("bob", "dan"), third=("cid",))
    circle.end("bob", "first")
    circle.end("bob", "second")
    circle.take()

    circle.kill("bob")  # before cid could read a byte

    assert circle.placed() == ["ann: first#2 to dan", "ann: second#2 to dan"]
    assert outlived(circle)


def test_a_result_is_no_longer_missed_when_its_node_is_back() -> None:
    circle = circle_for(CHAIN, brings=False, first=("bob",), second=("cid",), third=("dan",))
    circle.end("bob", "first")
    circle["ann"].jobs.desk.mappers["script"] = Mute()
    circle.kill("bob")
    circle.take()

    circle.restart("bob")
    circle.meet("bob")
    circle.run(60.0)

    assert circle.placed() == []
    assert outlived(circle)


def test_what_was_not_missed_is_when_its_reader_goes_too() -> None:
    circle = circle_for(CHAIN, first=("bob", "dan"), second=("bob", "dan"), third=("cid", "dan"))
    circle.end("bob", "first")
    circle.end("bob", "second")
    circle.take()

    circle.kill("bob")
    assert circle.placed() == []  # cid has what it needs
    circle.kill("cid")
    assert circle.placed() == ["ann: first#2 to dan", "ann: second#2 to dan"]  # third when second has started
    assert outlived(circle)


def test_a_child_one_of_whose_parents_never_began_is_not_placed_for_a_dead_controller() -> None:
    circle = circle_for(
        spec(task("busy", expected_s=100.0), *JOIN.dag.tasks),
        busy=("cid",), left=("bob", "dan"), right=("cid",), last=("dan",),
    )  # fmt: skip

    circle.kill("bob")

    assert circle.placed() == ["ann: left#2 to dan"]
    assert outlived(circle)


def test_a_unit_waits_for_a_parent_that_is_to_run_again() -> None:
    circle = circle_for(JOIN, left=("bob", "cid"), right=("cid",), last=("bob", "dan"))
    circle.end("bob", "left")
    circle.take()

    circle.kill("bob")  # which had left's result and was to run last; cid is busy with right

    assert circle.placed() == ["ann: left#2 to cid"]
    circle.end("cid", "right")
    assert circle.placed() == ["ann: last#2 to dan"]  # once left has started
    assert outlived(circle)


# Who leads changes.


def test_whoever_comes_to_lead_places_at_once_what_was_with_the_dead_and_soon_what_nobody_has() -> None:
    circle = circle_for(spec(task("dead"), task("unheard")), dead=("bob", "cid"), unheard=("bob", "dan"))
    ann = circle["ann"]
    ann.jobs.recovery.rest(ann.job)
    del ann.job.state.units[(1, 0)], ann.job.state.places[circle.id_of("bob")][(1, 0)]  # it has never heard of it
    ann.near.gone.append(circle.id_of("bob"))

    ann.jobs.recovery.lead(ann.job, circle.now)
    circle.settle()

    assert circle.placed() == ["ann: dead#2 to cid"]
    circle.run(PATIENCE_S)
    assert circle.placed() == ["ann: unheard#1 to dan"]


def test_whoever_leads_no_more_waits_for_nothing() -> None:
    circle = silent_controller()
    ann = circle["ann"]

    ann.jobs.recovery.rest(ann.job)
    circle.run(2 * PATIENCE_S)

    assert circle.placed() == []
    assert ann.jobs.recovery.deadline == math.inf


# What this node has forgotten, or does not know yet.


def test_after_a_restart_everybody_has_a_while_to_speak_up() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle.deaf.append(("bob", "ann"))
    circle.submit("ann", spec(task("done"), task("first", "second"), task("second")))
    circle.end("ann", "done")
    circle.crash("ann")
    circle.forget("ann", ASSIGNED)
    circle.take()

    circle.restart("ann")
    circle.run(PATIENCE_S - 0.1)
    assert circle.placed() == []
    circle.deaf.clear()
    circle.meet("ann")  # bob tells what it has
    circle.run(60.0)

    assert circle.placed() == []
    assert outlived(circle)


def test_after_a_restart_what_nobody_has_is_placed_anew() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.crash("bob")
    circle.submit("ann", CHAIN)
    circle.crash("ann")
    circle.forget("ann", ASSIGNED)
    circle.prefer("first", "cid")
    circle.take()

    circle.restart("ann")
    circle.run(PATIENCE_S)

    assert circle.placed() == ["ann: first#1 to cid", "cid: second#1 to ann"]
    assert outlived(circle)


def test_of_a_job_that_is_over_nothing_is_looked_after() -> None:
    circle = silent_controller()  # ann waits for bob to act
    assert circle["ann"].jobs.recovery.deadline < math.inf

    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    circle.kill("bob")
    circle.run(600.0)

    assert circle.placed() == []
    assert circle.deadline == math.inf


def test_a_member_that_goes_while_another_is_waited_for_does_not_prolong_that() -> None:
    circle = silent_controller("dan")
    circle.crash("cid")
    circle.prefer("second", "ann")
    circle.utter("bob", "ann", statement(ASSIGNED, (1, 0), node=circle.id_of("dan")))
    circle.utter("dan", "ann", statement(StatementKind.DECLINED, (1, 0)))
    circle.utter("bob", "ann", statement(ASSIGNED, (1, 0), 2, node=circle.id_of("cid")))
    circle.run(PATIENCE_S - 1.0)

    circle.kill("dan")
    assert circle.placed() == []
    circle.run(1.0)

    assert circle.placed() == ["ann: second#3 to ann"]


# Results that differ.


def end_as(circle: Circle, name: str, task: str, content: str) -> None:
    """A run ends with an output that this content tells from others'."""
    circle.end(name, task, file(f"{task}_out", content))


def test_what_was_made_again_and_came_out_differently_leads_to_a_consistent_end() -> None:
    circle = circle_for(JOIN, left=("bob", "dan"), right=("cid",), last=("dan", "cid"))
    end_as(circle, "bob", "left", "old")
    end_as(circle, "cid", "right", "r")
    end_as(circle, "dan", "last", "x")  # computed from the old one, and kept by the replicas
    state = circle["ann"].job.state

    circle.utter("cid", "ann", finished(circle, (0, 0), 2, "new"))

    assert state.unit((2, 0)).result is not None
    assert state.unit((0, 0)).result is state.unit((0, 0)).attempts[(1, circle.id_of("bob"))]


def finished(circle: Circle, unit: tuple[int, int], number: int, content: str, *used: str) -> Statement:
    name = circle["ann"].job.spec.dag.tasks[unit[0]].name
    marks = tuple(outputs_mark((file(f"{parent}_out", each),)) for parent, each in (one.split("=") for one in used))
    return statement(FINISHED, unit, number, outcome=replace(outcome(1.0, file(f"{name}_out", content)), used=marks))


def test_a_unit_whose_parent_was_replaced_runs_again_and_nothing_else_does() -> None:
    circle = circle_for(
        spec(task("a", "b", "c"), task("b", "d"), task("c", "d"), task("d", inputs_per_call=2, final=True)),
        a=("ann",), b=("bob", "dan"), c=("cid",), d=("ann",),
    )  # fmt: skip
    end_as(circle, "ann", "a", "same")
    end_as(circle, "bob", "b", "old")
    circle.take()

    circle["dan"].store[file("b_out", "new").digest] = None
    circle.utter("dan", "ann", finished(circle, (1, 0), 2, "new", "a=same"))
    end_as(circle, "cid", "c", "c")

    assert circle.placed() == []
    assert [run.calls for run in circle["ann"].running.values()] == [((file("b_out", "new"), file("c_out", "c")),)]


@pytest.mark.parametrize("same", [True, False])
def test_what_had_finished_with_a_replaced_result_runs_again_and_so_on_as_far_as_it_differs(same: bool) -> None:
    circle = circle_for(CHAIN, first=("ann",), second=("bob",), third=("cid",))
    end_as(circle, "ann", "first", "old")
    end_as(circle, "bob", "second", "s")
    circle.take()

    circle["dan"].store[file("first_out", "new").digest] = None
    circle.utter("dan", "ann", finished(circle, (0, 0), 2, "new"))

    assert circle.placed() == ["ann: second#2 to bob"]
    assert why(circle, 1, 2) == "what bob has made of it was computed from results that were not accepted"
    end_as(circle, "bob", "second", "s" if same else "s2")
    assert circle.placed() == ([] if same else ["ann: third#2 to ann"])
    assert outlived(circle)


def test_a_lost_result_gives_way_to_another_even_if_a_copied_one_was_computed_from_it() -> None:
    """Else whoever else needs it would wait for something that never comes out the same again."""
    circle = circle_for(
        spec(task("top", "fast", "slow"), task("fast"), task("slow")), brings=False,
        top=("bob", "dan"), fast=("cid",), slow=("dan",),
    )  # fmt: skip
    end_as(circle, "bob", "top", "old")
    circle.bring("cid", file("top_out", "old"))
    end_as(circle, "cid", "fast", "f")
    for name in ("ann", "bob", "cid", "dan"):
        if file("fast_out", "f").digest in circle[name].fetching:
            circle.bring(name, file("fast_out", "f"))
    circle.prefer("fast", "cid")
    assert circle["ann"].job.state.is_complete((1, 0))

    circle.kill("bob")  # before dan could read what it made
    end_as(circle, "dan", "top", "new")

    state = circle["ann"].job.state
    assert state.unit((0, 0)).result is state.unit((0, 0)).attempts[(2, circle.id_of("dan"))]
    assert outlived(circle)
    assert state.results == 3


# Who is suspected.


SLOW = spec(task("only", expected_s=2.0))


def test_what_should_have_ended_on_a_node_that_does_not_answer_is_copied() -> None:
    circle = circle_for(SLOW, only=("bob", "cid"))

    circle.suspect("bob")
    assert circle.placed() == []
    circle.run(2.6)

    assert circle.placed() == ["ann: only#2 to cid"]
    assert why(circle, 0, 2) == "bob does not answer, and it should have ended by now"
    assert [name for name in ("bob", "cid") if circle[name].running] == ["bob", "cid"]
    circle.end("bob", "only")
    assert not circle["cid"].running
    assert outlived(circle)


def test_a_copy_that_is_through_first_stops_what_it_is_a_copy_of() -> None:
    circle = circle_for(SLOW, only=("bob", "cid"))
    circle.run(3.0)
    circle.suspect("bob")
    assert circle.placed() == ["ann: only#2 to cid"]

    circle.end("cid", "only")

    assert not circle["bob"].running
    assert outlived(circle)


def test_who_answers_again_is_left_alone_and_what_is_being_offered_is_not_copied_twice() -> None:
    circle = circle_for(SLOW, only=("bob", "cid"))
    circle.suspect("bob")
    circle["ann"].near.suspect.clear()
    circle.run(10.0)
    assert circle.placed() == []

    circle.crash("cid")
    circle.suspect("bob")
    assert circle.placed() == ["ann: only#2 to cid"]
    circle.suspect("bob")
    circle.run(HANDOFF_S)

    assert circle.placed() == ["ann: only#3 to ann"]
    assert outlived(circle)


def test_what_nobody_has_an_estimate_of_is_not_copied() -> None:
    circle = circle_for(ALONE, only=("bob", "cid"))

    circle.suspect("bob")
    circle.run(60.0)

    assert circle.placed() == []
    assert outlived(circle)


def test_what_somebody_else_looks_after_or_what_is_over_is_not_copied() -> None:
    circle = circle_for(SLOW, only=("bob", "cid"))
    circle.suspect("bob", "cid")
    circle.run(3.0)
    assert circle.placed() == []

    circle.end("bob", "only")
    circle.suspect("bob")

    assert circle.placed() == []


# What has failed, or was lost too often.


def test_a_task_that_may_is_tried_again_elsewhere_after_a_pause_that_doubles() -> None:
    circle = circle_for(spec(task("only", retries_failed=2)), only=("bob", "cid", "dan"))

    circle.end("bob", "only", failure="it broke")
    assert circle.placed() == []
    assert circle["ann"].job.waiting == {(0, 0): "bob has failed it: it broke; it is tried again in 1 s"}
    circle.run(PAUSE_S)
    assert circle.placed() == ["ann: only#2 to cid"]
    assert circle["ann"].job.waiting == {}
    circle.end("cid", "only", failure="it broke again")
    circle.run(2 * PAUSE_S - 0.1)
    assert circle.placed() == []
    circle.run(0.1)
    assert circle.placed() == ["ann: only#3 to dan"]
    assert why(circle, 0, 3) == "cid has failed it: it broke again"
    circle.end("dan", "only", failure="it always does")

    assert circle["ann"].job.state.phase is Phase.FAILED
    circle.take()
    assert circle.is_quiet()
    assert circle.deadline == math.inf


def test_a_node_that_failed_a_unit_gets_it_again_if_there_is_nobody_else() -> None:
    circle = Circle("ann")
    circle.submit("ann", spec(task("only", retries_failed=1)))

    circle.end("ann", "only", failure="it broke")
    circle.run(10.0)

    assert circle["ann"].running
    circle.end("ann", "only")
    assert circle["ann"].job.state.phase is Phase.DONE


def test_time_outs_are_counted_by_themselves() -> None:
    circle = circle_for(spec(task("only", retries_timeout=1)), only=("bob", "cid"))

    circle.end("bob", "only", failure="it took too long", timed_out=True)
    circle.run(PAUSE_S)
    assert circle.placed() == ["ann: only#2 to cid"]
    circle.end("cid", "only", failure="it broke")

    assert circle["ann"].job.state.phase is Phase.FAILED


def test_a_task_whose_nodes_are_lost_while_it_runs_is_abandoned_after_so_many() -> None:
    circle = circle_for(spec(task("only", retries_lost=1)), only=("bob", "cid"))

    circle.kill("bob")
    assert circle.placed() == ["ann: only#2 to cid"]
    circle.kill("cid")

    assert circle.placed() == []
    state = circle["ann"].job.state
    assert state.phase is Phase.FAILED
    assert state.cancelled is not None
    assert state.cancelled[1] == "only failed: the nodes that ran it were lost 2 times: bob, cid"


def test_a_node_that_is_lost_before_it_has_begun_does_not_count() -> None:
    circle = circle_for(spec(task("only", retries_lost=0), files=(file("in"),)), brings=False, only=("bob", "cid"))

    circle.kill("bob")

    assert circle.placed() == ["ann: only#2 to cid"]
    assert outlived(circle)


def test_a_result_that_is_lost_and_cannot_be_made_again_ends_the_job() -> None:
    circle = circle_for(spec(task("only", retries_lost=0)), brings=False, only=("bob", "cid"))
    circle.end("bob", "only")
    circle.kill("bob")
    assert circle.placed() == ["ann: only#2 to cid"]

    circle.kill("cid")

    state = circle["ann"].job.state
    assert state.cancelled is not None
    assert state.cancelled[1] == "only: the node that ran it was lost: cid"


def test_a_result_that_is_lost_and_fails_when_it_is_made_again_ends_the_job_as_any_failure_does() -> None:
    circle = circle_for(spec(task("only", retries_failed=1)), brings=False, only=("bob", "cid", "dan"))
    circle.end("bob", "only")
    circle.kill("bob")
    circle.end("cid", "only", failure="it broke")
    circle.run(PAUSE_S)
    assert not circle["ann"].job.state.is_over
    circle.end("dan", "only", failure="it broke again")
    circle.run(2 * PAUSE_S)

    state = circle["ann"].job.state
    assert state.cancelled is not None
    assert state.cancelled[1] == "only: what bob had made was lost, and then it failed: it broke again"


@pytest.mark.parametrize("lost", [0, 1])
def test_a_job_whose_result_has_gone_with_all_copies_and_cannot_be_made_anew_is_not_done(lost: int) -> None:
    only = task("only", retries_failed=0, retries_lost=1 - lost)
    circle = circle_for(spec(only), brings=False, only=("bob", "dan"))
    circle.end("bob", "only")
    circle.utter("cid", "ann", statement(StatementKind.KEPT, node=circle.id_of("bob")))
    state = circle["ann"].job.state
    assert state.is_complete((0, 0))
    circle.kill("cid")
    circle.kill("bob")
    assert circle.placed() == ["ann: only#2 to dan"]

    if lost:
        circle.kill("dan")
    else:
        circle.end("dan", "only", failure="it broke")
    circle.run(PAUSE_S)

    assert state.is_over
    assert state.phase is Phase.CANCELLED
    assert circle["ann"].job.copying == {}


def test_whoever_begins_to_lead_or_comes_back_is_shown_all_of_what_is_contested() -> None:
    circle = circle_for(CHAIN, first=("ann",), second=("bob",), third=("cid",))
    end_as(circle, "ann", "first", "old")
    end_as(circle, "bob", "second", "s")
    ann = circle["ann"]
    circle.utter("dan", "ann", finished(circle, (0, 0), 2, "new"))
    assert circle.id_of("cid") in ann.job.watchers

    ann.job.watchers.clear()
    ann.jobs.recovery.rest(ann.job)
    ann.jobs.recovery.lead(ann.job, circle.now)
    assert circle.id_of("cid") in ann.job.watchers

    ann.job.watchers.clear()
    circle.crash("cid")
    circle.restart("cid")
    circle.meet("cid")
    assert circle.id_of("cid") in ann.job.watchers


def test_who_comes_back_with_an_old_disk_is_shown_again_all_of_what_is_contested() -> None:
    circle = circle_for(CHAIN, first=("ann",), second=("bob",), third=("cid",))
    end_as(circle, "ann", "first", "old")
    end_as(circle, "bob", "second", "s")
    backup = dict(circle["cid"].rows)
    circle.utter("dan", "ann", finished(circle, (0, 0), 2, "new"))
    known = circle["cid"].job.ledger.vector()

    circle.crash("cid")
    circle["cid"].rows = backup
    circle.restart("cid")
    assert circle["cid"].job.ledger.lacks(known)
    circle.meet("cid")

    assert not circle["cid"].job.ledger.lacks(known)


def test_only_what_is_not_known_to_be_lost_is_said_to_be() -> None:
    circle = circle_for(
        spec(task("top", "fast", "slow"), task("fast"), task("slow")), brings=False,
        top=("bob", "dan"), fast=("cid",), slow=("dan",),
    )  # fmt: skip
    end_as(circle, "bob", "top", "old")
    circle.bring("cid", file("top_out", "old"))
    end_as(circle, "cid", "fast", "f")
    circle.bring("ann", file("fast_out", "f"))
    circle.utter("cid", "ann", finished(circle, (0, 0), 2, "old"))
    circle.utter("ann", "ann", statement(StatementKind.LOST, (0, 0), 2, node=circle.id_of("cid"), text="before"))
    circle.prefer("top", "dan")

    circle.kill("bob")
    end_as(circle, "dan", "top", "new")

    lost = [each.lost for _, each in sorted(circle["ann"].job.state.unit((0, 0)).attempts.items()) if each.lost]
    assert [text for _, text in lost] == ["bob is gone", "before"]


def test_a_holder_that_begins_anew_after_a_restart_gets_made_anew_what_it_had_read() -> None:
    circle = circle_for(CHAIN, first=("bob", "cid"), second=("dan",))
    circle.end("bob", "first")
    circle.take()
    circle.kill("bob")
    assert circle.placed() == [], "dan has read it, and runs"
    circle.crash("dan")
    circle["dan"].store.clear()
    circle.restart("dan")
    circle.miss("bob", "dan")

    circle.meet("dan")

    assert "ann: first#2 to cid" in circle.placed()
    assert outlived(circle)


def test_what_waits_for_a_result_that_is_gone_goes_on_when_another_takes_its_place() -> None:
    circle = circle_for(CHAIN, brings=False, first=("bob",), second=("dan", "ann"))
    circle.end("bob", "first")
    another = outcome(1.0, file("first_out", "made by cid"))
    circle.utter("cid", "ann", statement(FINISHED, (0, 0), attempt=2, at_s=circle.now, outcome=another))
    circle.crash("cid")
    circle.crash("dan")
    circle["ann"].near.gone.append(circle.id_of("cid"))  # whom ann is about to miss
    circle.take()

    circle.miss("dan")

    assert circle["ann"].job.state.unit((0, 0)).result.node == circle.id_of("bob")  # type: ignore[union-attr]
    assert circle.placed() == ["ann: second#2 to ann"]


def test_what_counts_again_by_what_is_said_of_another_task_is_made_anew_where_it_is_gone() -> None:
    """dan waits for what bob has made and taken with him. It is being made anew, from something else, when it turns
    out that what cid has made of it before is kept: so it counts again, and whoever makes it anew stops."""
    fork = spec(task("base", "mid"), task("mid", "side", "slow"), task("side"), task("slow"))
    circle = circle_for(fork, brings=False, base=("bob", "ann"), mid=("bob", "cid"), side=("cid",), slow=("dan",))
    end_as(circle, "bob", "base", "old")
    end_as(circle, "bob", "mid", "old")
    circle.bring("cid", file("mid_out", "old"))
    end_as(circle, "cid", "side", "old")
    circle.kill("bob")
    end_as(circle, "ann", "base", "new")
    circle.bring("cid", file("base_out", "new"))
    assert [run.unit.task for run in circle["cid"].running.values()] == ["mid"]

    circle.bring("ann", file("side_out", "old"))
    circle.run(1.0)
    assert "cid ends mid#2" in circle.take()

    circle.bring_all()
    assert outlived(circle)


def test_what_waits_for_a_result_that_is_gone_goes_on_when_another_counts_by_what_is_said_of_another_task() -> None:
    fork = spec(task("base", "mid"), task("mid", "side", "slow"), task("side"), task("slow"))
    circle = circle_for(fork, brings=False, base=("bob", "ann"), mid=("dan",), side=("cid",), slow=("bob", "dan"))
    end_as(circle, "bob", "base", "old")
    circle.bring("dan", file("base_out", "old"))
    end_as(circle, "dan", "mid", "old")
    circle.bring("cid", file("mid_out", "old"))
    end_as(circle, "cid", "side", "old")
    circle.utter("cid", "ann", finished(circle, (0, 0), 2, "new"), finished(circle, (1, 0), 2, "new", "base=new"))
    circle.placed()

    circle["ann"].near.gone.append(circle.id_of("bob"))  # whom ann is about to miss
    circle.kill("cid")
    circle.crash("bob")
    circle.miss("bob")
    assert not any("slow" in line for line in circle.placed()), "what cid has made of mid has gone with it"
    circle.utter("dan", "ann", statement(StatementKind.KEPT, (2, 0), node=circle.id_of("cid")))

    assert "ann: slow#2 to dan" in circle.placed()
