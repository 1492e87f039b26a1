"""Fetching: what is asked of whom, how often, and when it is given up."""

import math
from dataclasses import replace

from pnode.protocol.effects import Fetch
from pnode.protocol.events import Fetched, FetchFailed, RunEnded
from pnode.protocol.fetching import PAUSE_S, PAUSE_S_MAX, TRIES, Purpose, Waiter
from pnode.protocol.ids import Digest
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import StatementKind
from pnode.protocol.strangers import STRANGER_S

from .ledgers import NOTHING, outcome, statement
from .partners import Circle, file, spec, task

FINISHED = StatementKind.FINISHED
JOIN = spec(task("left", "last"), task("right", "last"), task("last", inputs_per_call=2))
CHAIN = spec(task("first", "second"), task("second"))
INPUT = file("k0_in")


def waiting(*names: str) -> Circle:
    """bob waits for the input of its only task, which ann has."""
    circle = Circle("ann", "bob", *names, brings=False)
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), files=(INPUT,)))
    assert INPUT.digest in circle["bob"].fetching
    circle.take()
    return circle


def fetches(circle: Circle) -> list[str]:
    return [line for line in circle.take() if "fetches" in line]


def test_what_a_living_source_refuses_is_asked_for_again_with_growing_pauses_and_given_up() -> None:
    circle = waiting()
    pauses = []
    for _ in range(TRIES - 1):
        circle.refuse("bob", INPUT)
        assert circle.take() == []
        pauses.append(circle["bob"].jobs.fetching.deadline - circle.now)
        circle.run(pauses[-1])
        assert circle.take() == ["bob fetches k0_in from ann"]

    circle.refuse("bob", INPUT)

    assert pauses == [PAUSE_S * 2**tries for tries in range(TRIES - 1)]
    assert circle.take()[:1] == ["bob > ann: DROPPED only#1"]
    assert circle["bob"].jobs.fetching.deadline == math.inf
    assert circle.is_quiet()


def test_what_a_guardian_needs_is_fetched_to_stay_and_what_a_run_needs_is_not() -> None:
    circle = waiting()
    assert not circle["bob"].fetching[INPUT.digest].lasting

    guard = Circle("ann", "bob", brings=False)
    guard.submit_unanswered("ann", spec(task("only"), files=(INPUT,), replicas=1))

    assert guard["bob"].fetching[INPUT.digest].lasting


def test_who_needs_something_to_stay_that_is_here_or_on_its_way_has_it_put_on_the_disk() -> None:
    circle = waiting()
    bob, guard = circle["bob"], Waiter(circle["ann"].job.id, (0, 0), Purpose.GUARD)
    bob.jobs.fetching.want(INPUT, (circle.id_of("ann"),), guard)

    assert bob.jobs.fetching.fetched(Digest(INPUT.digest)) == [Waiter(guard.job, (0, 0))]
    assert bob.jobs.desk.effects == [Fetch(INPUT, (circle.id_of("ann"),), guard.job, lasting=True)]
    assert bob.jobs.fetching.fetched(Digest(INPUT.digest)) == [guard]
    assert not bob.jobs.fetching.want(INPUT, (circle.id_of("ann"),), guard)


def test_what_every_source_took_into_its_grave_is_waited_for_without_asking() -> None:
    circle = waiting()

    circle.miss("ann", "bob")
    circle.refuse("bob", INPUT)
    circle.run(600.0)
    assert circle.take() == []
    circle.meet("ann", "bob")

    assert fetches(circle) == ["bob fetches k0_in from ann"]


def test_a_source_that_dies_in_a_pause_is_not_asked_when_it_ends() -> None:
    circle = waiting()

    circle.refuse("bob", INPUT)
    circle.miss("ann", "bob")
    circle.run(600.0)

    assert fetches(circle) == []
    assert circle["bob"].jobs.fetching.deadline == math.inf


def test_a_source_that_is_back_gets_all_tries_anew() -> None:
    circle = waiting()
    for _ in range(TRIES - 1):
        circle.refuse("bob", INPUT)
        circle.run(60.0)

    circle.meet("ann", "bob")  # restarted while it was asked
    circle.refuse("bob", INPUT)

    assert circle["bob"].job.held
    assert circle["bob"].jobs.fetching.deadline == circle.now + PAUSE_S


def test_somebody_who_is_back_without_what_is_wanted_is_not_asked() -> None:
    circle = waiting("cid")
    circle.refuse("bob", INPUT)

    circle.meet("cid", "bob")

    assert fetches(circle) == []


def test_a_source_that_membership_does_not_know_is_a_source_for_a_while() -> None:
    circle = waiting()
    circle["bob"].near.unknown.append(circle.id_of("ann"))

    circle.refuse("bob", INPUT)
    begin = circle.now
    while circle.now < begin + STRANGER_S:
        circle.run(1.0)
        if INPUT.digest in circle["bob"].fetching:
            circle.refuse("bob", INPUT)

    assert circle["bob"].job.held  # it waits
    circle.take()
    circle.run(600.0)
    assert fetches(circle) == []


def test_content_is_fetched_once_for_all_who_want_it() -> None:
    circle = Circle("ann", "bob", brings=False, cores=2)
    circle.prefer("one", "bob")
    circle.prefer("two", "bob")
    circle.submit("ann", spec(task("one"), task("two"), files=(INPUT,)))
    assert fetches(circle) == ["bob fetches k0_in from ann"]

    circle.bring("bob", INPUT, "ann")

    assert [run.unit.task for run in circle["bob"].running.values()] == ["one", "two"]
    assert circle["bob"].notes.transfers == [(circle.id_of("ann"), 5, 0.5)]


def test_nobody_asks_itself() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("first", "bob")
    circle.prefer("second", "ann")
    circle.submit("ann", spec(task("first", "second", final=True), task("second")))  # of which ann keeps a copy
    circle.take()

    circle.end("bob", "first")

    assert fetches(circle) == ["ann fetches first_out from bob"]


def test_what_is_here_for_a_running_job_is_not_asked_for_again() -> None:
    circle = Circle("ann", "bob", brings=True)
    circle.prefer("first", "bob")
    circle.prefer("second", "bob")
    circle.submit("ann", spec(task("first", "second"), task("second"), application=file("scripts")))

    assert fetches(circle) == ["bob fetches scripts from ann"]


def test_what_was_here_for_a_job_that_is_over_may_have_been_thrown_out_and_is_asked_for_again() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), files=(INPUT,)))
    circle.end("bob", "only")
    circle.take()

    circle.submit("ann", spec(task("only"), files=(INPUT,), nonce=b"m" * 16))

    assert fetches(circle) == ["bob fetches k0_in from ann"]


def test_who_needs_nothing_any_more_waits_for_nothing() -> None:
    circle = waiting("cid")
    circle.refuse("bob", INPUT)

    circle.utter("cid", "ann", statement(StatementKind.ACCEPTED, attempt=2))

    assert not circle["bob"].job.held
    assert circle["bob"].jobs.fetching.deadline == math.inf
    circle.take()
    circle.run(600.0)
    assert fetches(circle) == []


def test_a_fetch_that_nobody_waits_for_any_more_may_end_as_it_likes() -> None:
    circle = waiting("cid")
    circle.utter("cid", "ann", statement(StatementKind.ACCEPTED, attempt=2))
    circle.take()

    circle.refuse("bob", INPUT)

    assert circle["bob"].jobs.fetching.deadline == math.inf
    assert circle.is_quiet()


def test_events_that_nobody_waits_for_are_ignored() -> None:
    circle = waiting()

    circle.tell("bob", Fetched(file("other"), None, 0, 0.0))
    circle.tell("bob", FetchFailed(file("other"), "refused"))

    assert circle["bob"].notes.transfers == []  # it was there already
    assert circle.is_quiet()


def test_content_may_come_as_the_output_of_a_task_while_it_is_fetched() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    circle.prefer("left", "bob")
    circle.prefer("right", "dan")
    circle.prefer("last", "dan")
    circle.submit("ann", JOIN)
    circle.end("bob", "left", file("left_out", "same"))
    circle.take()

    circle.end("dan", "right", file("right_out", "same"))
    assert [run.unit.task for run in circle["dan"].running.values()] == ["last"]
    circle.refuse("dan", file("left_out", "same"))

    assert circle["dan"].jobs.fetching.deadline == math.inf
    circle.end("dan", "last")
    circle.bring("ann", file("last_out"))
    assert circle["ann"].job.state.phase is Phase.DONE


def test_a_second_failure_of_one_fetch_is_no_second_try() -> None:
    circle = waiting()
    circle.refuse("bob", INPUT)

    for _ in range(TRIES):
        circle.tell("bob", FetchFailed(INPUT, "refused"))

    assert circle["bob"].jobs.fetching.deadline == circle.now + PAUSE_S
    assert circle["bob"].job.held


def test_the_same_content_from_two_parents_may_come_from_either() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    circle.prefer("left", "bob")
    circle.prefer("right", "cid", "dan")
    circle.prefer("last", "dan")
    circle.submit("ann", JOIN)
    circle.end("bob", "left", file("left_out", "same"))
    circle.end("cid", "right", file("right_out", "same"))
    assert fetches(circle)[-1] == "dan fetches left_out from bob"

    circle.kill("cid")  # it is done again, and comes out differently
    circle.end("dan", "right", file("right_out", "other"))
    circle.refuse("dan", file("left_out", "same"))
    circle.run(PAUSE_S)

    assert fetches(circle) == ["dan fetches left_out from bob"]


def test_a_result_by_another_node_adds_a_source() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    circle.prefer("first", "bob")
    circle.prefer("second", "dan")
    circle.submit("ann", spec(task("first", "second"), task("second")))
    circle.end("bob", "first", file("same"))
    circle.refuse("dan", file("same"))
    circle.take()

    circle.utter("cid", "dan", statement(FINISHED, attempt=2, outcome=outcome(1.0, file("same"))))

    assert fetches(circle) == ["dan fetches same from cid, bob"]


def test_the_end_of_a_run_of_which_nobody_needs_the_outputs_is_no_arrival() -> None:
    circle = Circle("ann")
    circle.submit("ann", spec(task("only", final=False)))
    (unit,) = circle["ann"].running

    circle.tell("ann", RunEnded(unit, "", 0, (file("odd"),), NOTHING, NOTHING, "", 1.0))

    assert circle["ann"].job.state.phase is Phase.DONE
    assert fetches(circle) == []


def last_of_two(circle: Circle) -> None:
    """dan has `last`, and waits for what bob and cid have made for it."""
    for name, node in (("left", "bob"), ("right", "cid"), ("last", "dan")):
        circle.prefer(name, node)
    circle.submit("ann", JOIN)
    circle.end("bob", "left")
    circle.end("cid", "right")
    circle.take()


def test_what_a_living_node_does_not_give_is_lost_and_made_anew_elsewhere() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    last_of_two(circle)
    circle.prefer("left", "bob", "cid")

    for _ in range(TRIES):
        circle.refuse("dan", file("left_out"), "its disk is broken")
        circle.run(PAUSE_S_MAX)

    state = circle["ann"].job.state
    lost = state.unit((0, 0)).attempts[(1, circle.id_of("bob"))].lost
    text = "its input left_out could not be fetched from bob: its disk is broken"
    assert lost is not None
    assert lost[1] == text
    assert circle.placed() == ["ann: left#2 to cid", "ann: last#2 to ann"]
    again = state.unit((0, 0)).attempts[(2, circle.id_of("cid"))]
    assert again.why == f"bob has lost what it wrote: {text}"
    circle.bring_all()
    circle.end("cid", "left")
    assert [run.unit.task for run in circle["ann"].running.values()] == ["last"]


def test_what_went_with_its_node_is_waited_for_until_it_is_made_anew() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    last_of_two(circle)
    circle.crash("bob")
    circle.miss("bob", "dan")

    circle.refuse("dan", file("left_out"), "nobody answers")
    assert circle["dan"].job.waiting == {(2, 0): "left_out cannot be had: nobody who has it is there"}
    circle.miss("bob", "ann", "cid")
    circle.bring("dan", file("right_out"), "cid")
    assert (2, 0) in circle["dan"].job.waiting  # the other one is still missing
    circle.end("ann", "left")
    circle.bring("dan", file("left_out"), "ann")

    assert circle["dan"].job.waiting == {}
    assert circle["dan"].running


def test_our_own_store_is_asked_for_what_we_are_said_to_have_lost() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("first", "bob")
    circle.prefer("second", "bob")
    circle.submit("ann", CHAIN)
    circle.utter("ann", "bob", statement(StatementKind.LOST, node=circle.id_of("bob"), text="so they say"))
    circle.take()

    circle.end("bob", "first")
    assert fetches(circle) == ["bob fetches first_out from "]
    circle.bring("bob", file("first_out"))

    assert [run.unit.task for run in circle["bob"].running.values()] == ["second"]


def test_a_copy_is_as_good_as_the_original() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    circle.prefer("first", "bob")
    circle.prefer("second", "dan")
    circle.submit("ann", spec(task("first", "second", final=True), task("second")))
    circle.end("bob", "first")
    circle.take()

    circle.utter("cid", "dan", statement(StatementKind.KEPT, node=circle.id_of("bob")))
    circle.refuse("dan", file("first_out"), "nobody answers")
    circle.miss("bob", "dan")
    circle.run(PAUSE_S)

    assert [line for line in fetches(circle) if line.startswith("dan fetches first_out from ")]


def test_what_was_given_up_is_tried_for_once_per_pause_for_all_who_go_on() -> None:
    circle = waiting("cid")
    bob = circle["bob"]
    (key,) = bob.job.held
    other = Waiter(bob.job.id, (9, 9), Purpose.GUARD)
    circle.utter("cid", "ann", statement(StatementKind.ACCEPTED, attempt=2))
    circle.refuse("bob", INPUT)  # which nobody waits for any more

    for waiter in (other, Waiter(bob.job.id, key)):
        bob.jobs.fetching.want_again(INPUT, (circle.id_of("ann"),), waiter, "refused", circle.now)
        circle.run(1.0)

    assert bob.jobs.fetching.deadline == circle.now - 2.0 + PAUSE_S_MAX
    bob.jobs.fetching.over(bob.job.id)
    assert bob.jobs.fetching.deadline == math.inf


def chained(*names: str, contents: tuple[bytes, ...] = (b"first_out",), final: bool = False) -> Circle:
    """bob has made what dan's task takes, and ann asked for both; the result has come with these contents."""
    circle = Circle("ann", "bob", "dan", *names, brings=False)
    circle.prefer("first", "bob")
    circle.prefer("second", "dan")
    circle.submit("ann", spec(task("first", "second", final=final), task("second")))
    circle.end("bob", "first", contents=contents)
    return circle


def test_what_comes_with_a_result_is_not_fetched() -> None:
    circle = chained()

    assert "dan keeps first_out" in (lines := circle.take())
    assert not [line for line in lines if "fetches first_out" in line]
    assert [unit.task for unit in circle["dan"].running] == ["second"]


def test_who_hears_of_a_final_result_with_its_content_has_a_copy() -> None:
    circle = chained(final=True)

    result = circle["ann"].job.state.unit((0, 0)).result

    assert result is not None
    assert [circle.name_of(node) for node in result.keepers] == ["ann"]
    assert not [line for line in fetches(circle) if line.startswith("ann ")]


def test_content_that_is_not_what_it_is_said_to_be_is_fetched() -> None:
    circle = chained(contents=(b"something else",))

    assert [line for line in fetches(circle) if line.startswith("dan fetches first_out from bob")]
    assert circle["dan"].running == {}


def test_who_waits_for_content_goes_on_when_it_comes_with_a_result() -> None:
    circle = chained(contents=())
    dan, first = circle["dan"], file("first_out")
    assert first.digest in dan.fetching
    circle.miss("bob")
    circle.refuse("dan", first, "nobody answers")
    assert dan.fetching == {}

    dan.jobs.fetching.given(dan.job.id, replace(outcome(1.0, first), contents=(b"first_out",)))
    circle.tell("dan", FetchFailed(file("other"), "of no matter"))
    circle.bring_all()

    assert [unit.task for unit in dan.running] == ["second"]


def test_what_was_given_while_it_was_fetched_need_not_arrive() -> None:
    circle = chained(contents=())
    dan, first = circle["dan"], file("first_out")

    dan.jobs.fetching.given(dan.job.id, replace(outcome(1.0, first), contents=(b"first_out",)))
    circle.refuse("dan", first, "the transfer broke off")
    circle.bring_all()

    assert [unit.task for unit in dan.running] == ["second"]


def test_after_a_restart_what_the_journal_tells_of_is_there_again() -> None:
    circle = chained()
    circle["dan"].store.clear()
    circle.take()

    circle.restart("dan")

    assert "dan keeps first_out" in circle.take()


def test_what_comes_with_a_job_is_not_fetched() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("only", "bob")

    circle.submit("ann", replace(spec(task("only"), files=(INPUT,)), contents=(b"k0_in",)))

    assert fetches(circle) == []
    assert [unit.task for unit in circle["bob"].running] == ["only"]
