"""Enquiries: questions about the cluster's jobs get an answer, in time, from those who may give it."""

import math
from dataclasses import replace

import pytest

from pnode.protocol.delivery import RESEND_S
from pnode.protocol.enquiries import ANSWER_S, LEDGER_S, UNANSWERED_MAX, WATCH_S, summary_of
from pnode.protocol.events import FindJobs, WatchJob
from pnode.protocol.ids import JobId
from pnode.protocol.jobmessages import Deliver, JobsAnswer, LedgerShown, LedgerWanted, Summary
from pnode.protocol.jobstate import Phase

from .partners import Circle, spec, task

ALONE = spec(task("only"))
CHAIN = spec(task("first", "second"), task("second"))


def find(circle: Circle, name: str, *peers: str) -> int:
    """Ask these for their jobs; returns the number of the request."""
    request = 1000 + len(circle[name].replies)
    peer_ids = tuple(circle.id_of(peer) for peer in peers)
    circle.do(circle[name], circle[name].jobs.find(FindJobs(request), peer_ids, circle.now))
    circle.settle()
    return request


def phase(circle: Circle, name: str) -> Phase:
    return circle[name].job.state.phase


def watch(circle: Circle, name: str, job: JobId) -> int:
    return circle.ask(name, lambda request: WatchJob(request, job))


def error(circle: Circle, name: str, request: int) -> str | None:
    return circle[name].replies[request].error


def summary(job: bytes, origin: bytes) -> Summary:
    return Summary(job, origin, "theirs", "running", 0, 1, 0.0, 0.0)


# Which jobs there are.


def test_everybody_answers_for_the_jobs_that_were_submitted_to_it() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "cid")
    job = circle.submit("ann", ALONE)
    circle.take()

    find(circle, "cid", "ann", "bob")

    assert circle.take() == [
        "cid > ann: JobsWanted",
        "cid > bob: JobsWanted",
        "ann > cid: JobsAnswer",
        "bob > cid: JobsAnswer",
        "cid is told: done",
    ]
    assert circle["cid"].jobs.enquiries.listed == {job: summary_of(circle["ann"].job)}
    assert circle.is_quiet()


def test_a_summary_says_how_a_job_stands() -> None:
    circle = Circle("ann")
    circle.submit("ann", CHAIN)
    circle.end("ann", "first")
    running = summary_of(circle["ann"].job)
    circle.run(1.0)
    circle.end("ann", "second")

    done = summary_of(circle["ann"].job)

    assert (running.name, running.phase, running.done, running.size, running.ended_s) == (
        "test",
        "running",
        1,
        2,
        0.0,
    )
    assert (done.phase, done.done, done.ended_s) == ("done", 2, circle.now)


def test_a_node_that_is_alone_has_its_answer_at_once() -> None:
    circle = Circle("ann")

    find(circle, "ann")

    assert circle.take() == ["ann is told: done"]
    assert circle.deadline == math.inf


def test_nobody_is_waited_for_longer_than_was_promised() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.submit("bob", ALONE)
    circle.crash("cid")

    request = find(circle, "ann", "bob", "cid")
    circle.run(ANSWER_S - 0.01)
    assert request not in circle["ann"].replies
    circle.run(0.01)

    assert error(circle, "ann", request) is None
    assert len(circle["ann"].jobs.enquiries.listed) == 1
    assert circle["ann"].jobs.enquiries.deadline == math.inf


def test_an_answer_that_comes_too_late_or_to_another_question_is_ignored() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.crash("bob")
    find(circle, "ann", "bob")
    answer = (summary(b"j" * 16, circle.id_of("cid")),)

    circle.say("cid", "ann", JobsAnswer(1, answer))  # it was not asked
    circle.say("bob", "ann", JobsAnswer(2, ()))  # nobody has asked that
    circle.run(ANSWER_S)
    circle.say("bob", "ann", JobsAnswer(1, (summary(b"j" * 16, circle.id_of("bob")),)))

    assert circle["ann"].jobs.enquiries.listed == {}


def test_of_what_several_say_of_a_job_the_furthest_counts() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    for name in ("bob", "cid", "dan"):
        circle.crash(name)
    find(circle, "ann", "bob", "cid", "dan")
    done = [replace(summary(b"1" * 16, circle.id_of("bob")), done=number) for number in (1, 3, 2)]

    for name, told in zip(("bob", "cid", "dan"), done, strict=True):
        circle.say(name, "ann", JobsAnswer(1, (told,)))

    assert list(circle["ann"].jobs.enquiries.listed.values()) == [done[1]]


def test_no_more_is_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.enquiries.LISTED_MAX", 2)
    circle = Circle("ann", "bob")
    circle.crash("bob")
    find(circle, "ann", "bob")

    jobs = tuple(summary(bytes([number]) * 16, circle.id_of("bob")) for number in range(4))
    circle.say("bob", "ann", JobsAnswer(1, jobs))

    assert list(circle["ann"].jobs.enquiries.listed) == [b"\2" * 16, b"\3" * 16]


def test_the_newest_jobs_are_named_when_not_all_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.enquiries.SUMMARIES_MAX", 2)
    circle = Circle("ann", "bob")
    jobs = [circle.submit("ann", spec(task("only"), nonce=bytes([number]) * 16)) for number in range(3)]

    find(circle, "bob", "ann")

    assert list(circle["bob"].jobs.enquiries.listed) == jobs[1:]


# Watching a job.


def listed(*names: str) -> tuple[Circle, JobId]:
    """The last one knows from a listing that ann has a job, of which bob runs the first half."""
    circle = Circle("ann", "bob", "cid", *names)
    circle.prefer("first", "bob")
    circle.prefer("second", "ann")
    job = circle.submit("ann", CHAIN)
    find(circle, "cid", "ann")
    circle.take()
    return circle, job


def test_a_job_of_somebody_else_is_here_when_its_whole_ledger_is() -> None:
    circle, job = listed()

    request = watch(circle, "cid", job)

    assert circle.take() == [
        "cid > ann: LedgerWanted",
        "ann > cid: LedgerShown",
        "ann > cid: (bob: ACCEPTED first#1, STARTED first#1, ASSIGNED second#1 to ann); "
        "ASSIGNED first#1 to bob; ACCEPTED second#1",
        "cid is told: done",
    ]
    assert error(circle, "cid", request) is None
    assert circle["cid"].jobs.is_watching(job)
    assert circle["cid"].job.ledger.vector() == circle["ann"].job.ledger.vector()
    assert circle.is_quiet()


def test_what_is_said_later_is_here_too() -> None:
    circle, job = listed()
    watch(circle, "cid", job)

    circle.end("bob", "first")
    circle.end("ann", "second")

    assert circle["cid"].job.state.phase is Phase.DONE
    assert circle["cid"].job.ledger.vector() == circle["ann"].job.ledger.vector()


def test_it_is_not_here_before_the_last_segment_is() -> None:
    circle, job = listed()
    circle.deaf.append(("ann", "cid"))
    request = watch(circle, "cid", job)

    ledger = circle["ann"].job.ledger
    circle.say("ann", "cid", LedgerShown(job, circle["ann"].job.signed, ledger.vector()))
    *most, last = (entry.signed for entry in ledger)
    circle.say("ann", "cid", Deliver(job, tuple(most), None))
    assert request not in circle["cid"].replies
    circle.say("ann", "cid", Deliver(job, (last,), None))

    assert error(circle, "cid", request) is None


def test_all_who_wait_for_the_same_job_are_answered() -> None:
    circle, job = listed()
    circle.deaf.append(("ann", "cid"))
    one, two = watch(circle, "cid", job), watch(circle, "cid", job)

    circle.deaf.clear()
    three = watch(circle, "cid", job)
    circle.run(RESEND_S)
    four = watch(circle, "cid", job)  # it is here

    assert [error(circle, "cid", request) for request in (one, two, three, four)] == [None] * 4
    assert circle.deadline > circle.now + RESEND_S


def test_ones_own_job_is_here_already() -> None:
    circle, job = listed()

    request = watch(circle, "ann", job)

    assert error(circle, "ann", request) is None
    assert circle.take() == ["ann is told: done"]
    assert circle.is_quiet()


def test_who_has_a_part_in_a_job_knows_whom_to_ask() -> None:
    circle, job = listed()

    request = watch(circle, "bob", job)

    assert error(circle, "bob", request) is None
    assert circle["bob"].jobs.is_watching(job)
    assert circle["bob"].job.ledger.vector() == circle["ann"].job.ledger.vector()


def test_a_job_of_which_nobody_has_heard_is_not_waited_for() -> None:
    circle = Circle("ann")

    request = watch(circle, "ann", JobId(b"?" * 16))

    assert error(circle, "ann", request) == "nobody in the cluster knows such a job"
    assert circle.deadline == math.inf


@pytest.mark.parametrize("shown", [False, True])
def test_a_ledger_that_does_not_come_is_not_waited_for(shown: bool) -> None:
    circle, job = listed()
    circle.deaf.append(("ann", "cid"))
    request = watch(circle, "cid", job)
    if shown:  # then there is as much time again for the ledger
        circle.run(LEDGER_S - 1.0)
        circle.say("ann", "cid", LedgerShown(job, circle["ann"].job.signed, circle["ann"].job.ledger.vector()))

    circle.run(LEDGER_S - 0.01)
    assert request not in circle["cid"].replies
    circle.run(0.01)

    assert error(circle, "cid", request) == "no node that keeps it answers"
    assert not circle["cid"].jobs.is_watching(job)


def test_what_somebody_else_shows_is_not_what_was_asked_for() -> None:
    circle, job = listed()
    circle.deaf.append(("ann", "cid"))
    request = watch(circle, "cid", job)

    circle.say("bob", "cid", LedgerShown(job, circle["ann"].job.signed, ()))

    assert request not in circle["cid"].replies


def test_a_ledger_that_nobody_asked_for_is_no_answer() -> None:
    circle, job = listed()

    circle.say("ann", "cid", LedgerShown(job, circle["ann"].job.signed, ()))

    assert not circle["cid"].jobs.is_watching(job)
    assert circle.is_quiet()


def test_who_looks_on_and_was_forgotten_meanwhile_asks_again_until_it_has_all() -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    circle["ann"].job.watchers.clear()  # ann took cid for dead, which cid has not noticed
    circle.end("bob", "first")
    circle.end("ann", "second")
    assert phase(circle, "cid") is Phase.RUNNING

    circle.run(WATCH_S)

    assert phase(circle, "cid") is Phase.DONE
    circle.run(WATCH_S)
    assert circle.deadline == math.inf


def test_an_origin_that_was_restarted_is_asked_again() -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    circle.crash("ann")
    circle.restart("ann")
    assert not circle["ann"].job.watchers
    circle.take()

    circle.meet("ann", "bob")  # which watches nothing
    assert not any("LedgerWanted" in line for line in circle.take())
    circle.meet("ann", "cid")

    assert circle.take() == ["cid > ann: LedgerWanted", "ann > cid: LedgerShown"]
    assert circle["ann"].job.watchers == {circle.id_of("cid"): None}
    assert circle.is_quiet()


@pytest.mark.parametrize("forgotten", [False, True])
def test_of_a_job_that_is_over_nothing_more_is_wanted(forgotten: bool) -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    circle.end("bob", "first")
    circle.end("ann", "second")
    circle.run(WATCH_S)
    if forgotten:
        circle["cid"].jobs.desk.forget(circle["cid"].job)
    circle.take()

    circle.meet("bob", "cid")
    circle.meet("ann", "cid")

    assert circle.take() == []
    assert circle.is_quiet()


def test_the_specification_is_shown_to_whoever_has_nothing_of_the_job_and_not_each_time_it_asks_again() -> None:
    circle, job = listed()
    watch(circle, "cid", job)

    circle.run(5 * WATCH_S)

    shown = [message.spec is not None for _, _, message in circle.frames if isinstance(message, LedgerShown)]
    assert shown == [True] + [False] * 5


def test_a_ledger_of_a_job_that_is_not_known_is_not_shown_without_its_specification() -> None:
    circle, job = listed()

    circle.say("ann", "cid", LedgerShown(job, None, ()))

    assert not circle["cid"].jobs.desk.jobs


def test_who_has_released_a_job_is_not_asked_for_what_follows_for_ever() -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    circle.deaf.append(("ann", "cid"))
    circle.end("bob", "first")
    circle.end("ann", "second")
    circle["ann"].jobs.retention.forget(circle["ann"].job)  # as another replica would: an origin keeps the ledger
    circle.deaf.clear()
    circle.frames.clear()

    circle.run(100 * WATCH_S)

    asked = [message for one, _, message in circle.frames if one == "cid" and isinstance(message, LedgerWanted)]
    assert 1 <= len(asked) <= 1 + UNANSWERED_MAX
    assert circle["cid"].job.state.is_over
    assert circle.deadline == math.inf


def test_who_answers_late_is_asked_until_nothing_is_lacking() -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    circle.end("bob", "first")
    circle.end("ann", "second")
    lacking = (*circle["ann"].job.ledger.vector(), (circle.id_of("bob"), 99, 1))

    for _ in range(3 * UNANSWERED_MAX):
        circle.deaf = [("cid", "ann")]
        circle.run(WATCH_S)
        circle.say("ann", "cid", LedgerShown(job, circle["ann"].job.signed, lacking))
    circle.take()
    circle.run(WATCH_S)

    assert "cid > ann: LedgerWanted" in circle.take()


def test_the_ledger_of_a_job_that_is_over_is_asked_for_once() -> None:
    circle, job = listed()
    circle.end("bob", "first")
    circle.end("ann", "second")
    circle.frames.clear()

    request = watch(circle, "cid", job)
    circle.run(3 * WATCH_S)

    assert error(circle, "cid", request) is None
    assert phase(circle, "cid") is Phase.DONE
    assert sum(isinstance(message, LedgerWanted) for _, _, message in circle.frames) == 1


def test_of_a_job_that_is_forgotten_nothing_more_is_wanted() -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    circle["cid"].jobs.desk.forget(circle["cid"].job)
    circle.frames.clear()

    circle.run(3 * WATCH_S)

    assert not [message for one, _, message in circle.frames if one == "cid" and isinstance(message, LedgerWanted)]


def test_a_job_that_was_forgotten_and_is_heard_of_again_is_not_watched() -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    signed = circle["ann"].job.signed
    circle["cid"].jobs.desk.forget(circle["cid"].job)

    circle.say("bob", "cid", Deliver(job, (), signed))

    assert not circle["cid"].jobs.is_watching(job)


def test_a_watcher_that_is_gone_is_not_written_to() -> None:
    circle, job = listed()
    watch(circle, "cid", job)
    circle.take()

    circle.kill("cid")

    assert not circle["ann"].job.watchers
    circle.end("bob", "first")
    assert not any("> cid" in line for line in circle.take())


# Jobs that others keep, too.


def guarded() -> tuple[Circle, JobId]:
    """cid knows from a listing of a job that ann and bob keep."""
    circle = Circle("ann", "bob", "cid")
    for name in ("first", "second"):
        circle.prefer(name, "ann")
    circle.miss("cid", "ann", "bob")  # or it might be a guardian
    job = circle.submit("ann", replace(CHAIN, replicas=1))
    circle.run(1.0)
    find(circle, "cid", "ann", "bob")
    circle["ann"].near.gone.clear()
    circle["bob"].near.gone.clear()
    circle.take()
    return circle, job


def test_every_replica_answers_for_a_job() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "ann")
    job = circle.submit("ann", replace(CHAIN, replicas=2))
    circle.crash("ann")

    find(circle, "cid", "bob")

    assert list(circle["cid"].jobs.enquiries.listed) == [job]


def test_when_the_first_does_not_answer_the_next_is_asked() -> None:
    circle, job = guarded()
    circle.crash("ann")
    request = watch(circle, "cid", job)
    assert circle.take() == ["cid > ann: LedgerWanted"]

    circle.run(LEDGER_S)

    assert error(circle, "cid", request) is None
    assert "cid > bob: LedgerWanted" in circle.take()


def test_when_the_first_is_gone_the_next_is_asked_at_once() -> None:
    circle, job = guarded()
    circle.crash("ann")
    request = watch(circle, "cid", job)

    circle.miss("ann", "cid")

    assert error(circle, "cid", request) is None


def test_when_all_are_gone_nobody_is_waited_for() -> None:
    circle, job = guarded()
    circle.crash("ann")
    circle.crash("bob")
    request = watch(circle, "cid", job)

    circle.miss("bob", "cid")
    circle.miss("ann", "cid")

    assert error(circle, "cid", request) == "no node that keeps it answers"
    assert not circle["cid"].jobs.is_watching(job)


def test_somebody_elses_death_does_not_matter_to_a_question() -> None:
    circle, job = guarded()
    circle.deaf.append(("ann", "cid"))
    request = watch(circle, "cid", job)
    circle.take()

    circle.miss("bob", "cid")

    assert request not in circle["cid"].replies


def test_a_watcher_that_becomes_a_replica_need_not_be_told_apart() -> None:
    circle, job = guarded()
    watch(circle, "cid", job)
    assert circle["cid"].jobs.is_watching(job)

    circle.kill("bob")

    assert circle.id_of("cid") in circle["cid"].job.replicas
    assert not circle["cid"].jobs.is_watching(job)
    assert error(circle, "cid", watch(circle, "cid", job)) is None
