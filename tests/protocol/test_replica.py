"""Replica: who is introduced to whom, what is copied, and how a job ends for all who had a part in it."""

import pytest

from pnode.protocol.desk import UNHURRIED_S
from pnode.protocol.events import CancelJob
from pnode.protocol.fetching import TRIES
from pnode.protocol.jobmessages import Deliver
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Ledger, Outcome, StatementKind

from .ledgers import outcome, statement
from .members import CLUSTER
from .partners import Circle, file, spec, task

ACCEPTED, STARTED, FINISHED = StatementKind.ACCEPTED, StatementKind.STARTED, StatementKind.FINISHED
CANCELLED, CONCLUDED = StatementKind.CANCELLED, StatementKind.CONCLUDED

ALONE = spec(task("only"))
CHAIN = spec(task("first", "second"), task("second"))
JOIN = spec(task("left", "last"), task("right", "last"), task("last", inputs_per_call=2))


def alone(*others: str, brings: bool = True) -> Circle:
    """bob runs ann's only task."""
    circle = Circle("ann", "bob", *others, brings=brings)
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()
    return circle


def awaited(maker: str) -> tuple[Circle, Outcome]:
    """`maker` has written what dan waits for."""
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    for name, node in (("first", maker), ("second", "dan")):
        circle.prefer(name, node)
    circle.submit("ann", CHAIN)
    circle.end(maker, "first")
    written = circle[maker].job.state.unit((0, 0)).attempts[(1, circle.id_of(maker))].outcome
    assert written is not None
    return circle, written


def said_by(circle: Circle, name: str) -> list[str]:
    return [line for line in circle.take() if line.startswith(name)]


# Introductions.


def test_two_parents_that_never_heard_of_each_other_come_together_through_the_replica() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    for name, node in (("left", "bob"), ("right", "cid"), ("last", "dan")):
        circle.prefer(name, node)
    circle.deaf += [("bob", "cid"), ("cid", "bob"), ("bob", "dan"), ("cid", "dan")]

    circle.submit("ann", JOIN)

    assert circle.placed() == ["ann: left#1 to bob", "ann: right#1 to cid", "bob: last#1 to dan"]
    assert circle["bob"].job.state.unit((1, 0)).attempts[(1, circle.id_of("cid"))].phase == "started"
    assert circle["dan"].job.state.unit((1, 0)).attempts[(1, circle.id_of("cid"))].phase == "started"


def test_the_holder_of_a_child_hears_of_a_result_at_once() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    for name, node in (("left", "bob"), ("right", "cid"), ("last", "dan")):
        circle.prefer(name, node)
    circle.submit("ann", JOIN)
    circle.take()

    circle.end("cid", "right")  # which does not know who holds its child

    assert circle.take() == [
        "cid > ann: FINISHED right#1",
        "ann > dan: (cid: FINISHED right#1)",
        "dan fetches right_out from cid",
    ]
    assert circle.is_quiet()


def test_a_result_is_told_at_once_though_the_replica_has_more_to_say_that_nobody_waits_for() -> None:
    circle = Circle("ann", "bob", "cid", "dan", cores=2)
    for name, node in (("left", "bob"), ("right", "cid"), ("last", "dan"), ("aside", "cid")):
        circle.prefer(name, node)
    circle["ann"].jobs.desk.unhurried_s = UNHURRIED_S
    circle.submit("ann", spec(*JOIN.dag.tasks, task("aside")))
    circle.end("cid", "aside")
    assert circle["ann"].jobs.desk.unhurried  # that it has a copy of that
    circle.take()

    circle.end("cid", "right")

    assert "ann > dan: (cid: FINISHED right#1)" in circle.take()


def test_the_holder_of_a_child_hears_who_else_has_made_what_is_lost() -> None:
    circle, written = awaited("bob")
    circle.utter("cid", "ann", statement(FINISHED, attempt=2, outcome=written))
    circle.crash("dan")
    circle["dan"].rows.clear()
    circle.restart("dan")
    circle.meet("dan")
    assert list(circle["dan"].job.state.unit((0, 0)).attempts) == [(2, circle.id_of("cid"))]
    circle.take()

    circle.utter("cid", "ann", statement(StatementKind.LOST, attempt=2, node=circle.id_of("cid"), text="gone"))

    assert "ann > dan: (bob: FINISHED first#1)" in circle.take()


def test_who_makes_a_lost_result_anew_is_shown_what_it_reads_by_whomever_it_was_assigned() -> None:
    circle = Circle("ann", "bob", "cid", "dan", "eve", brings=False)
    for name, node in (("first", "bob"), ("second", "cid"), ("third", "dan")):
        circle.prefer(name, node)
    circle.submit("ann", spec(task("first", "second"), task("second", "third"), task("third")))
    circle.end("bob", "first")
    circle.bring("cid", file("first_out"))
    circle.end("cid", "second")
    circle.kill("cid")
    circle.take()

    circle.utter("eve", "ann", statement(ACCEPTED, (1, 0), attempt=3))

    assert circle.take() == ["ann > eve: (bob: FINISHED first#1); (dan: ACCEPTED third#1)"]


def test_the_holder_of_a_child_hears_that_somebody_who_has_made_the_same_is_back() -> None:
    circle, written = awaited("cid")
    assert circle.id_of("bob") < circle.id_of("cid"), "of two attempts with one number the higher identity's counts"
    circle.miss("bob", "ann")
    circle.utter("bob", "ann", statement(FINISHED, outcome=written))
    circle.kill("cid")
    circle.take()

    circle.meet("bob", "ann")

    assert "ann > dan: (cid: FINISHED first#1); (bob: FINISHED first#1)" in circle.take()


def test_the_holder_of_a_child_hears_who_else_has_made_what_nobody_needed() -> None:
    circle, written = awaited("bob")
    circle.utter("cid", "ann", statement(FINISHED, attempt=2, at_s=circle.now + 1.0, outcome=written))
    circle.take()

    circle.utter("bob", "ann", statement(StatementKind.SPENT, attempt=1, node=circle.id_of("bob")))

    assert "ann > dan: (cid: FINISHED first#2)" in circle.take()


def test_a_holder_that_comes_late_is_shown_the_results_that_are_there() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    for name, node in (("left", "bob"), ("right", "cid"), ("last", "dan")):
        circle.prefer(name, node)
    circle.submit("ann", JOIN)
    circle.end("bob", "left")
    circle.end("cid", "right")
    circle.prefer("last", "ann")
    circle.kill("dan")

    (run,) = circle["ann"].running.values()
    assert run.calls == ((file("left_out"), file("right_out")),)


def test_a_new_holder_is_shown_the_children_that_it_is_to_control() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    for name, node in (("first", "bob"), ("second", "cid")):
        circle.prefer(name, node)
    circle.submit("ann", CHAIN)
    circle.prefer("first", "dan")

    circle.kill("bob")

    assert circle["dan"].job.state.unit((1, 0)).attempts.keys() == {(1, circle.id_of("cid"))}
    assert circle["dan"].running


def test_a_holder_of_whose_assignment_the_replica_has_not_heard_is_shown_the_results_too() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    for name, node in (("first", "bob"), ("second", "cid")):
        circle.prefer(name, node)
    circle.submit("ann", CHAIN)
    circle.end("bob", "first")
    circle.kill("bob")  # who has assigned it
    circle.take()

    circle.utter("dan", "ann", statement(ACCEPTED, (1, 0), attempt=2))

    assert "ann > dan: (bob: FINISHED first#1)" in circle.take()


def test_who_runs_what_somebody_else_has_got_further_is_shown_that() -> None:
    circle = alone("cid")

    circle.utter("cid", "ann", statement(STARTED, attempt=2))

    assert circle.take() == [
        "ann > bob: (cid: STARTED only#2)",
        "bob ends only#1",
        "bob > ann: DROPPED only#1",
    ]
    assert circle.is_quiet()


def test_nobody_is_sent_to_a_node_that_is_gone() -> None:
    circle = alone("cid")
    circle.miss("cid", "ann")

    circle.utter("cid", "ann", statement(STARTED, attempt=2))

    assert circle["bob"].running
    assert circle.is_quiet()


def test_an_end_that_comes_before_its_beginning_is_no_reason_to_remind_anybody() -> None:
    circle = alone("cid")
    circle.prefer("only", "cid")

    circle.utter("cid", "ann", statement(FINISHED, attempt=2, at_s=9.0, outcome=outcome(1.0, file("a"))))
    circle.take()
    circle.utter("cid", "ann", statement(ACCEPTED, attempt=2, at_s=7.0), statement(STARTED, attempt=2, at_s=8.0))

    assert circle.take() == []


@pytest.mark.parametrize("kind", [ACCEPTED, STARTED])
def test_who_begins_what_it_has_ended_is_reminded(kind: StatementKind) -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle.submit("ann", CHAIN)
    circle.end("bob", "first")
    circle.take()

    circle.utter("bob", "ann", statement(kind, at_s=circle.now + 1.0))

    assert circle.take() == ["ann > bob: (bob: FINISHED first#1)"]
    assert circle.is_quiet()


# Copies.


def test_the_job_is_done_when_all_its_results_are_copied() -> None:
    circle = alone(brings=False)

    circle.end("bob", "only", file("a"), file("b"), file("c", "b"))
    assert circle.take() == [
        "bob > ann: FINISHED only#1",
        "ann fetches a from bob",
        "ann fetches b from bob",
    ]
    circle.bring("ann", file("a"), "bob")
    assert not circle["ann"].job.state.is_over
    assert circle.take() == []
    circle.bring("ann", file("b"), "bob")

    assert circle["ann"].job.state.phase is Phase.DONE
    assert circle.take() == ["ann > bob: KEPT only#1, CONCLUDED"]
    assert circle.is_quiet()


def test_a_result_that_was_made_here_needs_no_copy() -> None:
    circle = Circle("ann", brings=False)
    circle.submit("ann", ALONE)

    circle.end("ann", "only")

    assert circle["ann"].job.state.phase is Phase.DONE
    assert circle.take() == ["ann is told: done", "ann runs only#1"]


def test_a_copy_is_said_to_be_there_with_whatever_is_said_next_or_soon() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("one", "bob")
    circle.prefer("two", "bob")
    circle.submit("ann", spec(task("one"), task("two")))
    circle.end("bob", "one")

    assert not any("KEPT" in line for line in circle.take())
    circle.run(1.0)

    assert circle.rows_with("ann", StatementKind.KEPT) == 1


def test_another_result_takes_the_place_of_one_that_is_being_copied() -> None:
    circle = alone("cid", brings=False)
    circle.end("bob", "only", file("same"), file("old"))
    circle.take()

    circle.utter("cid", "ann", statement(FINISHED, attempt=2, outcome=outcome(1.0, file("same"), file("new"))))
    assert circle.take() == ["ann fetches new from cid"]
    circle.bring("ann", file("same"))
    circle.bring("ann", file("old"))
    assert not circle["ann"].job.state.is_over
    circle.bring("ann", file("new"))

    assert circle["ann"].job.state.phase is Phase.DONE
    result = circle["ann"].job.state.unit((0, 0)).result
    assert result is not None
    assert (result.number, result.kept) == (2, True)


def test_a_result_heard_of_twice_is_copied_once() -> None:
    circle = alone(brings=False)
    circle.end("bob", "only", file("a"))
    circle.take()

    circle.utter("bob", "ann", statement(FINISHED, at_s=9999.0, outcome=outcome(1.0, file("a"))))

    assert [line for line in circle.take() if "fetches" in line] == []


def test_a_result_that_its_living_owner_does_not_give_is_lost() -> None:
    circle = alone(brings=False)
    circle.end("bob", "only")
    for _ in range(TRIES):
        circle.refuse("ann", file("only_out"), "it does not have it")
        circle.run(60.0)

    attempt = circle["ann"].job.state.unit((0, 0)).attempts[(1, circle.id_of("bob"))]
    assert attempt.lost is not None
    assert attempt.lost[1] == "its output only_out could not be fetched from bob: it does not have it"


def test_copies_of_a_job_that_was_cancelled_are_not_waited_for() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("one", "bob")
    circle.prefer("two", "cid")
    job = circle.submit("ann", spec(task("one"), task("two")))
    circle.end("bob", "one", file("a"))

    circle.ask("ann", lambda request: CancelJob(request, job))
    circle.take()
    circle.refuse("ann", file("a"))
    circle.run(600.0)

    assert circle.take() == []
    assert circle["ann"].job.state.phase is Phase.CANCELLED


def test_copying_goes_on_after_a_restart() -> None:
    circle = alone(brings=False)
    circle.end("bob", "only")
    circle.crash("ann")
    circle.take()

    circle.restart("ann")
    assert circle.take() == ["ann fetches only_out from bob"]
    circle.bring("ann", file("only_out"), "bob")

    assert circle["ann"].job.state.phase is Phase.DONE


# Ends.


def test_everybody_who_had_a_part_hears_of_the_end_and_nobody_else() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    job = circle.submit("ann", CHAIN)
    circle.take()

    circle.ask("ann", lambda request: CancelJob(request, job))

    assert circle.take() == [
        "ann is told: done",
        "ann > bob: CANCELLED",
        "ann > cid: CANCELLED",
        "bob ends first#1",
        "bob > ann: DROPPED first#1",
        "cid > ann: DROPPED second#1",
        "cid > bob: DROPPED second#1",
        "bob > cid: (ann: CANCELLED)",  # not knowing that it has heard it
    ]
    assert not circle["dan"].jobs.desk.jobs
    assert circle.is_quiet()


def test_the_reason_of_a_failure_reaches_the_submitter() -> None:
    circle = alone()

    circle.end("bob", "only", failure="exit status 1")

    assert circle["ann"].job.state.cancelled is not None
    assert circle["ann"].job.state.cancelled[1] == "only failed: exit status 1"
    assert circle["ann"].job.state.phase is Phase.FAILED


def test_a_failure_that_was_not_acted_upon_before_a_restart_is_after_it() -> None:
    circle = alone()
    circle.end("bob", "only", failure="exit status 1")
    circle.crash("ann")
    circle.forget("ann", CANCELLED)
    circle.take()

    circle.restart("ann")

    assert circle.take() == ["ann > bob: CANCELLED"]
    assert circle["ann"].job.state.is_over


def test_an_end_that_was_not_concluded_before_a_restart_is_after_it() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only", final=False)))
    circle.end("bob", "only")
    circle.crash("ann")
    circle.forget("ann", CONCLUDED)
    circle.take()

    circle.restart("ann")

    assert circle.take() == ["ann > bob: CONCLUDED"]
    assert circle.is_quiet()


# Those who come back.


def test_who_missed_the_end_hears_it_when_it_is_back() -> None:
    circle = alone("cid")
    circle.crash("bob")
    circle.prefer("only", "cid")
    circle.miss("bob")
    circle.end("cid", "only")
    circle.take()

    circle.restart("bob")
    circle.meet("bob")

    assert said_by(circle, "bob") == [
        "bob runs only#1",
        "bob > ann: STARTED only#1",
        "bob > ann: ACCEPTED only#1, STARTED only#1; STARTED only#1",  # the ends of its feeds
        "bob ends only#1",
        "bob > ann: DROPPED only#1",
    ]
    assert circle["bob"].job.closed
    assert circle.is_quiet()


def test_who_knows_of_the_end_is_not_told_again_unless_it_shows_that_it_has_forgotten() -> None:
    circle = alone()
    circle.end("bob", "only")
    circle.take()

    circle.meet("bob")
    assert circle.take() == []
    circle.utter("bob", "ann", statement(ACCEPTED))

    assert circle.take() == ["ann > bob: KEPT only#1, CONCLUDED"]
    assert circle.is_quiet()


def test_what_was_over_before_a_restart_is_told_to_those_alone_who_show_that_they_do_not_know() -> None:
    circle = alone()
    circle.deaf.append(("ann", "bob"))
    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    circle.crash("ann")
    circle.deaf.clear()
    circle.restart("ann")
    circle.take()

    circle.meet("ann", "bob")
    circle.meet("bob", "ann")

    assert circle.take() == [
        "bob > ann: ACCEPTED only#1, STARTED only#1",
        "ann > bob: CANCELLED",
        "bob ends only#1",
        "bob > ann: DROPPED only#1",
    ]
    assert circle.is_quiet()


def test_who_was_restarted_is_reminded_of_what_only_others_still_know_of_it() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "cid")
    circle.deaf += [("cid", "ann")]
    circle.submit("ann", CHAIN)
    circle.crash("bob")
    circle.restart("bob")
    circle.meet("bob")
    accepted = statement(ACCEPTED, (1, 0), at_s=circle.now)
    job, bob = circle["ann"].job, circle["bob"].jobs.desk.place
    entry = Ledger(job.id).write(circle.crypto, CLUSTER, bob.seed, bob.boot - 1, (accepted,))

    circle.say("cid", "ann", Deliver(job.id, (entry.signed,), job.signed))

    assert said_by(circle, "ann > bob")[0].startswith("ann > bob: (bob: ACCEPTED second#1)")
    assert list(circle["bob"].held) == [(1, 0)]
