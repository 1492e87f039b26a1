"""Holding: a unit's life at the node that has it, from the offer to the end, and every way out on the way there."""

from dataclasses import replace

import pytest

from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.desk import UNHURRIED_S
from pnode.protocol.effects import Unit
from pnode.protocol.events import CancelJob, RunEnded
from pnode.protocol.fetching import PAUSE_S_MAX, TRIES
from pnode.protocol.holding import LONGER_S, SECOND_THOUGHTS_MAX
from pnode.protocol.ids import JobId, job_text
from pnode.protocol.jobstate import Attempt, Phase
from pnode.protocol.ledger import STDERR_TAIL_MAX, Statement, StatementKind

from .ledgers import NOTHING, outcome, statement
from .partners import MEMORY_BYTES, Circle, file, spec, task

ASSIGNED, ACCEPTED, STARTED = StatementKind.ASSIGNED, StatementKind.ACCEPTED, StatementKind.STARTED
FINISHED = StatementKind.FINISHED

ALONE = spec(task("only"))
CHAIN = spec(task("first", "second"), task("second"))
JOIN = spec(task("left", "last"), task("right", "last"), task("last", inputs_per_call=2))


def attempt(
    circle: Circle, number: int, name: str, *, seen_by: str = "ann", unit: tuple[int, int] = (0, 0)
) -> Attempt:
    """An attempt as somebody knows it."""
    return circle[seen_by].job.state.unit(unit).attempts[(number, circle.id_of(name))]


def joined(circle: Circle) -> None:
    """JOIN with its entries at bob and cid, and the rest at dan, which waits for both."""
    circle.prefer("left", "bob")
    circle.prefer("right", "cid")
    circle.prefer("last", "dan")
    circle.submit("ann", JOIN)
    circle.take()


# A life without trouble.


def test_a_unit_is_accepted_run_and_reported_to_whoever_assigned_it() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")

    circle.submit("ann", ALONE)
    assert circle.take() == [
        "ann is told: done",
        "ann > bob: ASSIGNED only#1 to bob",
        "bob runs only#1",
        "bob > ann: ACCEPTED only#1, STARTED only#1",
    ]
    circle.end("bob", "only")

    assert circle.take() == [
        "bob > ann: FINISHED only#1",
        "ann fetches only_out from bob",
        "ann > bob: KEPT only#1, CONCLUDED",
    ]
    assert circle.is_quiet()


def test_a_short_run_is_told_of_in_one_word_with_whom_its_child_goes_to() -> None:
    circle = hurried("second", "ann")

    circle.end("bob", "first", contents=(b"first_out",))

    assert circle.take() == [
        "bob keeps first_out",
        "bob > ann: ACCEPTED first#1, STARTED first#1, ASSIGNED second#1 to ann, FINISHED first#1",
        "ann keeps first_out",
        "ann runs second#1",
    ]


def test_of_a_longer_run_others_hear_while_it_goes_on() -> None:
    circle = hurried("second", "ann")

    circle.run(2 * UNHURRIED_S)

    assert circle.take() == [
        "bob > ann: ACCEPTED first#1, STARTED first#1, ASSIGNED second#1 to ann",
        "ann > bob: ACCEPTED second#1",
    ]


def test_the_ends_of_many_commands_are_told_together_and_the_last_at_once() -> None:
    circle = Circle("ann", "bob", cores=4)
    names = [f"t{number}" for number in range(4)]
    for name in names:
        circle.prefer(name, "bob")
    circle.submit("ann", spec(*(task(name, final=name == "t3") for name in names)))
    circle["bob"].jobs.desk.unhurried_s = UNHURRIED_S
    circle.take()

    circle.end("bob", "t0")
    assert circle.take() == []
    circle.run(2 * UNHURRIED_S)
    assert circle.take() == ["bob > ann: FINISHED t0#1"]
    circle.end("bob", "t1")
    circle.end("bob", "t2")
    assert circle.take() == []
    circle.end("bob", "t3")

    assert circle.take()[0] == "bob > ann: FINISHED t1#1, FINISHED t2#1, FINISHED t3#1"


def test_the_end_of_a_call_or_of_what_others_wait_for_is_told_at_once() -> None:
    calls = Program(ProgramKind.CALLS, ("x", "0", "1", "p"))
    circle = Circle("ann", "bob", cores=3)
    for name in ("first", "call", "other", "next"):
        circle.prefer(name, "bob")
    tasks = (task("first", "next"), replace(task("call"), program=calls), task("other"), task("next"))
    circle.submit("ann", spec(*tasks))
    circle["bob"].jobs.desk.unhurried_s = UNHURRIED_S
    circle.take()

    for name in ("call", "first"):
        circle.end("bob", name)

        assert any(line.startswith(f"bob > ann: FINISHED {name}#1") for line in circle.take())


def hurried(task: str, name: str) -> Circle:
    """bob runs the first of two tasks, and everybody says as soon as in reality what nobody waits for."""
    circle = Circle("ann", "bob")
    circle.prefer("first", "bob")
    circle.prefer(task, name)
    for partner in circle.partners.values():
        partner.jobs.desk.unhurried_s = UNHURRIED_S
    circle.submit_unanswered("ann", CHAIN)
    circle.take()
    return circle


def test_the_jobs_own_input_and_its_programs_come_from_the_origin() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("only", "bob")
    twice = (file("a", "same"), file("b", "same"), file("c"))
    circle.submit("ann", spec(task("only", inputs_per_call=3), files=twice, application=file("scripts")))

    assert circle.take()[2:] == [
        "bob fetches scripts from ann",
        "bob fetches a from ann",
        "bob fetches c from ann",
        "bob > ann: ACCEPTED only#1",
    ]
    circle.bring("bob", file("scripts"), "ann")
    circle.bring("bob", file("c"), "ann")
    assert circle.take() == []
    circle.bring("bob", twice[0], "ann")

    assert circle.take() == ["bob runs only#1", "bob > ann: STARTED only#1"]
    (run,) = circle["bob"].running.values()
    assert (run.calls, run.application) == ((twice,), file("scripts"))
    assert circle.is_quiet()


def test_a_task_is_told_where_and_for_what_it_runs() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")

    job = circle.submit("ann", ALONE)

    (run,) = circle["bob"].running.values()
    assert dict(run.environment) == {
        "PNODE_NODE": "bob", "PNODE_JOB": job_text(job), "PNODE_JOB_NAME": "test", "PNODE_ITEM_KEY": "k0",
    }  # fmt: skip


def test_inputs_are_fetched_as_soon_as_each_parent_has_ended() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    joined(circle)

    circle.end("cid", "right")
    early = [line for line in circle.take() if line.startswith("dan")]
    circle.end("bob", "left")
    late = [line for line in circle.take() if line.startswith("dan")]

    assert early == ["dan fetches right_out from cid"]
    assert late[:2] == ["dan fetches left_out from bob", "dan runs last#1"]
    (run,) = circle["dan"].running.values()
    assert run.calls == ((file("left_out"), file("right_out")),)  # in the order of the file, whoever was first
    assert circle.is_quiet()


def test_a_result_of_the_job_may_also_come_from_the_origin_that_keeps_a_copy() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle.submit("ann", spec(task("first", "second", final=True), task("second")))
    circle.take()

    circle.end("bob", "first")

    assert "cid fetches first_out from bob, ann" in circle.take()


def test_nobody_asks_for_what_is_here() -> None:
    circle = Circle("ann")

    circle.submit("ann", CHAIN)
    circle.end("ann", "first")
    circle.end("ann", "second")

    assert [line for line in circle.take() if "fetches" in line] == []
    assert circle["ann"].job.state.phase is Phase.DONE
    assert circle.is_quiet()


def test_run_times_are_learnt_from_successes_alone() -> None:
    circle = Circle("ann", cores=2)
    circle.submit("ann", spec(task("good"), task("bad")))

    circle.end("ann", "good")
    circle.end("ann", "bad", failure="it broke")

    assert circle["ann"].notes.runs == [("test/good", circle.id_of("ann"), 1.0)]


def calls(name: str, children: tuple[str, ...], *given: str) -> Task:
    """A task that makes four calls of a function, and names these files."""
    return Task(name, children, Program(ProgramKind.CALLS, ("f", "0", "4", *given)), final=not children)


def test_calls_get_what_they_name_of_the_jobs_input_also_where_they_have_parents() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("first", "bob")
    circle.prefer("second", "bob")
    given = (file("parcel"), file("values"), file("other"))
    tasks = (
        calls("first", ("second",), "parcel", "other"),
        calls("second", (), "parcel", "values"),
    )
    circle.submit("ann", spec(*tasks, files=given))
    asked = circle.take()
    circle.bring("bob", given[0], "ann")
    circle.bring("bob", given[2], "ann")
    circle.end("bob", "first")
    asked += circle.take()
    circle.bring("bob", given[1], "ann")

    assert [line for line in asked if "fetches" in line] == [
        f"bob fetches {name} from ann" for name in ("parcel", "other", "values")
    ]
    (run,) = circle["bob"].running.values()
    assert run.unit.task == "second"
    assert run.calls == ((file("parcel"), file("values"), file("first_out")),)


def test_run_times_of_calls_are_learnt_by_their_function_and_number_across_jobs() -> None:
    circle = Circle("ann")
    circle.submit("ann", spec(calls("f.17", (), "parcel"), files=(file("parcel"),)))

    circle.end("ann", "f.17")

    assert circle["ann"].notes.runs == [("f x 4", circle.id_of("ann"), 1.0)]


# Offers.


@pytest.mark.parametrize(
    ("wanted", "computes", "reason"),
    [
        ({"cores": 2}, True, "the task needs 2 cores, it has 1"),
        ({"memory_bytes": 2 * MEMORY_BYTES}, True, "it has 1024 MiB of memory, the task needs 2048"),
        ({}, False, "it does not compute"),
    ],
)
def test_what_a_node_cannot_run_it_declines(wanted: dict[str, int], computes: bool, reason: str) -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    desk = circle["bob"].jobs.desk
    desk.place = replace(desk.place, computes=computes)

    circle.submit("ann", spec(task("only", **wanted)))

    assert "bob > ann: DECLINED only#1" in circle.take()
    assert attempt(circle, 1, "bob").reason == reason
    assert not circle["bob"].job.held
    assert circle.is_quiet()


def test_nobody_works_for_whoever_may_not_submit() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle["bob"].near.barred.append(circle.id_of("ann"))

    circle.submit("ann", ALONE)

    assert attempt(circle, 1, "bob").reason == "ann may not submit jobs"
    assert attempt(circle, 2, "ann").phase == "started"


def test_a_job_with_a_mapper_of_a_newer_version_is_declined() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle["bob"].jobs.desk.mappers.clear()

    circle.submit("ann", ALONE)

    assert attempt(circle, 1, "bob").reason == "it does not know the mapper script"


def test_a_full_queue_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.workbench.QUEUE_MAX", 1)
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")

    circle.submit("ann", spec(task("only"), items=2))

    assert circle["bob"].job.held.keys() == {(0, 0)}
    assert attempt(circle, 1, "bob", unit=(0, 1)).reason == "its queue is full"


def test_a_second_attempt_at_what_is_here_already_is_declined() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)

    circle.utter("ann", "bob", statement(ASSIGNED, attempt=2, node=circle.id_of("bob")))

    assert attempt(circle, 2, "bob").reason == "it has the task already, as attempt 1"
    assert attempt(circle, 1, "bob").phase == "started"


@pytest.mark.parametrize(
    ("queue_s", "believed_s", "expected_s", "declines"),
    [
        (10.0, 0.0, 3.0, True),  # ten seconds more than was believed, and a run takes three
        (1.0, 1.0 - LONGER_S, 0.1, False),
        (1.0, 0.7, 0.1, True),
        (10.0, 0.0, 10.0, False),  # no longer than the run itself: not worth another round
        (10.0, 9.5, 0.1, False),  # a twentieth more than was believed
        (10.0, 8.5, 0.1, True),
    ],
)
def test_who_was_chosen_for_a_shorter_queue_has_second_thoughts(
    queue_s: float, believed_s: float, expected_s: float, declines: bool
) -> None:
    circle = Circle("ann", "bob", "cid")
    circle.mapper.queue_s = believed_s
    circle.prefer("long", "bob")
    circle.prefer("next", "bob", "cid")

    circle.submit("ann", spec(task("long", expected_s=queue_s), task("next", expected_s=expected_s)))

    answer = attempt(circle, 1, "bob", unit=(1, 0))
    assert answer.phase == ("declined" if declines else "accepted")
    assert answer.reason == (f"its queue is {queue_s} s, not {believed_s} s" if declines else "")
    assert [node for _, node in circle["ann"].job.state.unit((1, 0)).attempts] == [
        circle.id_of(name) for name in (("bob", "cid") if declines else ("bob",))
    ]


def test_second_thoughts_end_when_everybody_is_busy() -> None:
    names = ("ann", "bob", "cid", "dan")
    circle = Circle(*names)
    for name in names:
        circle.prefer(f"long_{name}", name)
    circle.mapper.queue_s = 0.0

    circle.submit("ann", spec(*(task(f"long_{name}", expected_s=10.0) for name in names), task("next")))

    ends = [each.phase for each in circle["ann"].job.state.unit((len(names), 0)).attempts.values()]
    assert ends == ["declined"] * SECOND_THOUGHTS_MAX + ["accepted"]


def test_an_offer_of_a_job_that_is_over_is_answered_with_its_end() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.end("bob", "only")
    circle.take()

    circle.utter("cid", "bob", statement(ASSIGNED, attempt=2, node=circle.id_of("bob")))

    assert circle["bob"].job.state.unit((0, 0)).attempts[(2, circle.id_of("bob"))].reason == "the job is over"
    assert circle.take() == [
        "bob > ann: DROPPED only#2",
        "bob > cid: DROPPED only#2; (ann: KEPT only#1, CONCLUDED)",
    ]
    assert circle.is_quiet()


def test_an_offer_that_another_attempt_has_superseded_is_answered_with_that() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    joined(circle)
    circle.end("bob", "left")
    circle.take()

    circle.utter("cid", "dan", statement(ASSIGNED, (0, 0), node=circle.id_of("dan")))

    assert attempt(circle, 1, "dan", seen_by="dan").reason == "attempt 1 has superseded it"
    assert circle.take() == [
        "dan > ann: DROPPED left#1",
        "dan > cid: DROPPED left#1; (bob: FINISHED left#1)",
    ]
    assert circle.is_quiet()


def test_a_second_controller_with_the_same_idea_is_told_how_it_stands() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()

    circle.utter("cid", "bob", statement(ASSIGNED, node=circle.id_of("bob")))

    assert circle.take() == ["bob > cid: ACCEPTED only#1, STARTED only#1"]
    assert circle.is_quiet()


# Ends.


def test_a_failure_is_reported_with_its_reason_and_ends_the_job() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("first", "bob")
    circle.prefer("second", "bob")
    circle.submit("ann", CHAIN)
    circle.take()

    circle.end("bob", "first", failure="it broke")

    failed = attempt(circle, 1, "bob")
    assert failed.outcome is not None
    assert (failed.phase, failed.reason, failed.outcome.exit_status) == ("failed", "it broke", 1)
    assert circle.take() == [
        "bob > ann: FAILED first#1",
        "ann > bob: CANCELLED",
        "bob > ann: DROPPED second#1",
    ]
    assert circle.is_quiet()


def test_the_tail_of_stderr_is_cut_to_what_travels() -> None:
    circle = Circle("ann")
    circle.submit("ann", ALONE)
    (unit,) = circle["ann"].running

    tail = "x" + "y" * STDERR_TAIL_MAX
    circle.tell("ann", RunEnded(unit, "it broke", 1, (), NOTHING, NOTHING, tail, 1.0))

    failed = attempt(circle, 1, "ann")
    assert failed.outcome is not None
    assert failed.outcome.stderr_tail == "y" * STDERR_TAIL_MAX


def test_outputs_that_cannot_go_where_the_graph_sends_them_are_a_failure() -> None:
    circle = Circle("ann")
    circle.submit("ann", spec(task("deals", "one", "two", broadcast=False), task("one"), task("two")))

    circle.end("ann", "deals", file("odd"))

    failed = attempt(circle, 1, "ann")
    assert failed.phase == "failed"
    assert "expected a multiple of 2" in failed.reason


def test_a_task_for_whose_outputs_nobody_waits_need_not_write_any() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only", final=False)))
    (unit,) = circle["bob"].running
    circle.take()

    circle.tell("bob", RunEnded(unit, "", 0, (), NOTHING, NOTHING, "", 1.0))

    assert circle["ann"].job.state.phase is Phase.DONE
    assert circle.take() == ["bob > ann: FINISHED only#1", "ann > bob: CONCLUDED"]
    assert circle.is_quiet()


def test_inputs_that_make_no_call_are_a_failure_of_what_was_never_run() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")

    circle.submit("ann", spec(task("only", inputs_per_call=2), files=(file("a"), file("b"), file("c"))))

    failed = attempt(circle, 1, "bob")
    assert failed.phase == "failed"
    assert "only got 1 file with the key 'a'" in failed.reason
    assert circle.take()[2:] == [
        "bob fetches a from ann",
        "bob fetches b from ann",
        "bob fetches c from ann",
        "bob > ann: ACCEPTED only#1",
        "bob > ann: FAILED only#1",
        "ann > bob: CANCELLED",
    ]
    assert circle["bob"].jobs.holding.bench.queued == circle["bob"].jobs.holding.bench.running == 0
    assert circle.is_quiet()


def refuse_all(circle: Circle, name: str, content: str) -> None:
    """Whoever should have some content does not give it to a partner, however often that asks."""
    for _ in range(TRIES):
        circle.refuse(name, file(content), "it does not have it")
        circle.run(PAUSE_S_MAX)


def without_input(*names: str) -> Circle:
    """Nobody gets the first input of the only task, which is offered to these in turn."""
    circle = Circle("ann", "bob", "cid", "dan", brings=False, computes=True)
    circle.prefer("only", *names)
    circle.submit("ann", spec(task("only", inputs_per_call=2), files=(file("a"), file("b"))))
    circle.placed()
    return circle


def test_who_cannot_get_the_jobs_input_gives_the_unit_back_and_the_third_fails() -> None:
    circle = without_input("bob", "cid", "dan")

    refuse_all(circle, "bob", "a")
    assert attempt(circle, 1, "bob").phase == "dropped"
    assert circle.placed() == ["ann: only#2 to cid"]
    assert attempt(circle, 2, "cid").why == (
        "bob has dropped it: its input a could not be fetched from ann: it does not have it"
    )
    refuse_all(circle, "cid", "a")
    assert circle.placed() == ["ann: only#3 to dan"]
    refuse_all(circle, "dan", "a")

    assert attempt(circle, 3, "dan").reason == "its input a could not be fetched from ann: it does not have it"
    assert circle["ann"].job.state.phase is Phase.FAILED
    assert not circle["bob"].held + circle["cid"].held + circle["dan"].held


def test_that_others_have_declined_a_unit_does_not_make_it_fail_where_its_input_cannot_be_had() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    for name in ("cid", "dan"):
        desk = circle[name].jobs.desk
        desk.place = replace(desk.place, computes=False)
    circle.prefer("only", "cid", "dan", "bob")
    circle.submit("ann", spec(task("only"), files=(file("a"),)))

    refuse_all(circle, "bob", "a")

    assert attempt(circle, 3, "bob").phase == "dropped"
    assert circle["ann"].job.state.phase is Phase.RUNNING


def test_an_input_is_tried_for_as_long_as_somebody_who_had_it_may_come_back() -> None:
    circle = without_input("bob", "cid", "dan")
    refuse_all(circle, "bob", "a")
    refuse_all(circle, "cid", "a")
    circle.utter("cid", "dan", Statement(StatementKind.GUARDED, 0, 0, 0, 1.0))
    circle.crash("cid")
    circle.miss("cid", "dan")

    refuse_all(circle, "dan", "a")
    for _ in range(10):
        circle.run(PAUSE_S_MAX)
        assert file("a").digest in circle["dan"].fetching
        assert circle["dan"].job.waiting == {
            (0, 0): f"a could not be fetched from ann: it does not have it; it is tried {TRIES} times"
        }
        circle.refuse("dan", file("a"), "it does not have it")
    circle.run(PAUSE_S_MAX)
    circle.bring("dan", file("a"), "ann")
    circle.bring("dan", file("b"), "ann")

    assert list(circle["dan"].running)
    assert circle["dan"].job.waiting == {}


def test_what_was_cancelled_while_it_ran_is_ended_and_its_end_is_no_news() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    job = circle.submit("ann", ALONE)
    (unit,) = circle["bob"].running
    circle.take()

    circle.ask("ann", lambda request: CancelJob(request, job))
    assert circle.take() == [
        "ann is told: done",
        "ann > bob: CANCELLED",
        "bob ends only#1",
        "bob > ann: DROPPED only#1",
    ]
    circle.tell("bob", RunEnded(unit, "cancelled", -15, (), NOTHING, NOTHING, "", 1.0))

    assert attempt(circle, 1, "bob", seen_by="bob").reason == "the job is over"
    assert circle.take() == []
    assert circle.is_quiet()


def test_the_end_of_what_nobody_knows_is_no_news() -> None:
    circle = Circle("ann")

    circle.tell("ann", RunEnded(Unit(JobId(b"?" * 16), "only", 0, 1), "", 0, (), NOTHING, NOTHING, "", 1.0))

    assert circle.is_quiet()


@pytest.mark.parametrize("started", [False, True])
def test_a_unit_that_somebody_else_has_got_further_is_dropped(started: bool) -> None:
    circle = Circle("ann", "bob", "cid", brings=started)
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), files=(file("a"),)))
    circle.take()

    circle.utter("cid", "ann", statement(ACCEPTED, attempt=2))

    assert attempt(circle, 1, "bob").reason == "attempt 2 has superseded it"
    assert circle.take() == [
        "ann > bob: (cid: ACCEPTED only#2)",
        *(["bob ends only#1"] if started else []),
        "bob > ann: DROPPED only#1",
    ]
    assert not circle["bob"].job.held
    assert circle.is_quiet()


def test_a_word_about_an_attempt_that_supersedes_nothing_changes_nothing() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()

    circle.utter("cid", "bob", statement(ASSIGNED, attempt=2, node=circle.id_of("cid")))

    assert circle["bob"].running
    assert circle.is_quiet()


# Inputs that change.


def test_another_result_of_a_parent_takes_the_place_of_one_that_is_not_here_yet() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    joined(circle)
    circle.end("bob", "left", file("old"))
    circle.end("cid", "right")
    circle.take()

    circle.utter("cid", "dan", statement(FINISHED, attempt=2, outcome=outcome(1.0, file("new"))))
    assert [line for line in circle.take() if line.startswith("dan")] == ["dan fetches new from cid"]
    circle.bring("dan", file("old"))
    circle.bring("dan", file("right_out"))
    assert not circle["dan"].running
    circle.bring("dan", file("new"))

    (run,) = circle["dan"].running.values()
    assert run.calls == ((file("new"), file("right_out")),)


def test_a_result_replaced_while_its_reader_waits_for_a_core_is_waited_for() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("first", "ann")
    circle.prefer("busy", "bob")
    circle.prefer("second", "bob")
    circle.submit("ann", spec(task("first", "second"), task("second"), task("busy")))
    circle.end("ann", "first", file("old"))
    circle.bring("bob", file("old"))

    circle.utter("cid", "bob", statement(FINISHED, attempt=2, outcome=outcome(1.0, file("new"))))
    circle.end("bob", "busy")
    assert not circle["bob"].running
    circle.bring("bob", file("new"))

    (run,) = circle["bob"].running.values()
    assert run.calls == ((file("new"),),)


def test_content_that_two_inputs_share_is_waited_for_until_neither_needs_it() -> None:
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    joined(circle)
    circle.end("bob", "left", file("left_out", "same"))
    circle.end("cid", "right", file("right_out", "same"))
    circle.take()

    circle.utter("cid", "dan", statement(FINISHED, attempt=2, outcome=outcome(1.0, file("new"))))
    circle.bring("dan", file("new"))
    assert not circle["dan"].running
    circle.bring("dan", file("right_out", "same"))

    (run,) = circle["dan"].running.values()
    assert run.calls == ((file("new"), file("right_out", "same")),)


def test_a_result_that_does_not_fit_the_graph_is_no_input() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle.submit("ann", CHAIN)

    circle.utter("bob", "cid", statement(FINISHED))  # without any output

    assert circle["cid"].job.held[(1, 0)].files == {}


def test_a_unit_is_dropped_when_the_result_that_it_uses_is_replaced() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle.submit("ann", CHAIN)
    circle.end("bob", "first")
    circle.take()

    circle["bob"].store[file("new").digest] = None
    circle.utter("bob", "ann", statement(FINISHED, attempt=2, outcome=outcome(1.0, file("first_out"))))
    assert circle["cid"].running  # it is the same

    circle.utter("bob", "ann", statement(FINISHED, attempt=3, outcome=outcome(1.0, file("new"))))

    assert attempt(circle, 1, "cid", unit=(1, 0)).reason == "the result of first that it used was not accepted"
    assert circle.placed() == ["ann: second#2 to ann"]
    (run,) = circle["ann"].running.values()
    assert run.calls == ((file("new"),),)


def test_results_of_the_same_inputs_have_the_same_lineage() -> None:
    def lineage(*files: str) -> bytes:
        circle = Circle("ann")
        circle.submit("ann", spec(task("only", inputs_per_call=len(files)), files=tuple(map(file, files))))
        circle.end("ann", "only")
        done = attempt(circle, 1, "ann")
        assert done.outcome is not None
        return done.outcome.lineage

    assert lineage("a", "b") == lineage("a", "b")
    assert len({lineage("a", "b"), lineage("b", "a"), lineage("a", "c"), lineage("a")}) == 4


# A life after a restart.


def restarted(circle: Circle, name: str, *forgotten: StatementKind) -> None:
    circle.crash(name)
    circle.forget(name, *forgotten)
    circle.restart(name)
    circle.meet(name)


def test_what_was_accepted_is_run_from_the_beginning_after_a_restart() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()

    restarted(circle, "bob")

    assert circle.take() == [
        "bob runs only#1",
        "bob > ann: STARTED only#1",
        "ann > bob: (bob: ACCEPTED only#1, STARTED only#1)",
        "bob > ann: ACCEPTED only#1, STARTED only#1; STARTED only#1",  # the ends of its feeds
    ]
    circle.end("bob", "only")
    assert circle["ann"].job.state.phase is Phase.DONE
    circle.take()
    assert circle.is_quiet()


def test_an_offer_that_was_not_answered_before_a_restart_is_answered_after_it() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()

    restarted(circle, "bob", ACCEPTED, STARTED)

    assert circle.take()[:2] == ["bob runs only#1", "bob > ann: ACCEPTED only#1, STARTED only#1"]


def test_what_somebody_else_has_taken_meanwhile_is_not_kept_after_a_restart() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.deaf.append(("bob", "ann"))
    circle.utter("cid", "ann", statement(ACCEPTED, attempt=2))
    circle.crash("bob")
    circle.forget("bob", StatementKind.DROPPED)  # and nobody else has heard it
    circle.deaf.clear()
    circle.take()

    circle.restart("bob")
    assert circle.take() == ["bob > ann: DROPPED only#1"]
    circle.kill("cid")

    assert circle.placed() == ["ann: only#3 to bob"]


def test_who_has_forgotten_everything_is_reminded_and_goes_on() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()

    circle["bob"].rows.clear()
    restarted(circle, "bob")

    assert circle.take() == [
        "ann > bob: (bob: ACCEPTED only#1, STARTED only#1)",
        "bob runs only#1",
        "bob > ann: STARTED only#1",
    ]
    assert circle.is_quiet()


def test_who_has_forgotten_that_it_was_through_is_told_so_and_says_nothing() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle.submit("ann", CHAIN)
    circle.end("bob", "first")
    circle.take()

    circle.crash("bob")
    circle.forget("bob", FINISHED)
    circle.run(1.0)
    circle.restart("bob")

    assert circle.take() == [
        "bob runs first#1",
        "bob > ann: STARTED first#1",
        "ann > bob: (bob: FINISHED first#1)",
        "bob ends first#1",
    ]
    assert not circle["bob"].job.held
    assert circle["ann"].job.state.unit((0, 0)).result is not None
    assert circle.is_quiet()


def test_who_has_forgotten_what_it_gave_itself_is_reminded_of_it() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("first", "bob")
    circle.prefer("second", "bob")
    circle.submit("ann", CHAIN)
    circle.take()

    restarted(circle, "bob", ASSIGNED, ACCEPTED, STARTED)

    assert circle["bob"].job.held.keys() == {(0, 0), (1, 0)}
    circle.end("bob", "first")
    circle.end("bob", "second")
    assert circle["ann"].job.state.phase is Phase.DONE
    assert len(circle["ann"].job.state.unit((1, 0)).attempts) == 1


def test_a_unit_is_taken_up_for_the_origin_when_nobody_says_who_assigned_it() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "cid")
    circle.submit("ann", ALONE)
    circle.take()

    circle.utter("ann", "bob", statement(ACCEPTED, attempt=2), signer="bob")

    assert circle["bob"].job.held[(0, 0)].assigner == circle.id_of("ann")
    assert circle["bob"].running


def test_of_a_job_that_is_over_nothing_is_taken_up() -> None:
    circle = Circle("ann", "bob")
    job = circle.submit("ann", spec(task("only", final=False)))
    circle.utter("ann", "bob", statement(StatementKind.CANCELLED))
    circle.take()

    circle.utter("ann", "bob", statement(ACCEPTED), signer="bob")

    assert circle["bob"].job.id == job
    assert circle.is_quiet()
