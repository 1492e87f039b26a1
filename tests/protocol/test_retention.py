"""Retention: a job that is over is kept as long as was promised, by its origin as history, and never comes back."""

import pytest

from pnode.protocol import retention
from pnode.protocol.comparing import COMPARE_S
from pnode.protocol.events import CancelJob, ResultsPulled
from pnode.protocol.ids import JobId
from pnode.protocol.jobmessages import Deliver, LedgerWanted
from pnode.protocol.ledger import StatementKind
from pnode.protocol.retention import GRACE_S, GRACE_S_MIN, RETENTION_S

from .ledgers import statement
from .partners import Circle, spec, task

PULLED = StatementKind.PULLED


def over(*, replicas: int = 1) -> Circle:
    """ann's job is over; bob guards it."""
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), replicas=replicas))
    circle.end("bob", "only")
    circle.run(60.0)
    circle.take()
    return circle


def knows(circle: Circle, name: str) -> bool:
    return bool(circle[name].jobs.desk.jobs)


def tables(circle: Circle, name: str) -> list[str]:
    return sorted(table for table, _ in circle[name].rows)


def test_who_is_not_its_origin_forgets_a_job_after_a_week() -> None:
    circle = over()

    circle.run(RETENTION_S - 61.0)
    assert knows(circle, "bob")
    circle.run(61.0)

    assert not knows(circle, "bob")
    assert tables(circle, "bob") == ["segment"]  # the one that says that it is over
    assert sorted(circle.take()) == ["ann releases what the job needed", "bob releases what the job needed"]


def test_the_origin_keeps_the_ledger_as_history() -> None:
    circle = over()
    rows = dict(circle["ann"].rows)

    circle.run(RETENTION_S)

    assert circle["ann"].job.released
    assert circle["ann"].rows == rows


def history(circle: Circle, jobs: range) -> list[JobId]:
    """Jobs of ann's with two tasks each, one after another, all released."""
    found = []
    for number in jobs:
        found.append(circle.submit("ann", spec(task("one"), task("two"), nonce=bytes([number]) * 16)))
        circle.tell("ann", CancelJob(1, found[-1]))
        circle.run(1.0)
    circle.run(RETENTION_S)
    return found


def test_history_has_room_for_so_many_units_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "HISTORY_UNITS_MAX", 5)
    circle = Circle("ann", "bob")

    first, second, third = history(circle, range(3))

    assert list(circle["ann"].jobs.desk.jobs) == [second, third]
    assert [key for table, key in circle["ann"].rows if table == "job"] == [second, third]
    assert list(circle["ann"].jobs.desk.released) == [first]


def test_the_latest_job_is_history_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "HISTORY_UNITS_MAX", 1)
    circle = Circle("ann", "bob")

    _, last = history(circle, range(2))

    assert list(circle["ann"].jobs.desk.jobs) == [last]


def test_what_was_forgotten_to_make_room_for_a_job_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "HISTORY_UNITS_MAX", 5)
    monkeypatch.setattr("pnode.protocol.register.JOBS_MAX", 2)
    circle = Circle("ann", "bob")
    _, second = history(circle, range(2))

    [third] = history(circle, range(2, 3))

    assert list(circle["ann"].jobs.desk.jobs) == [second, third]


def test_history_goes_on_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "HISTORY_UNITS_MAX", 5)
    circle = Circle("ann", "bob")
    first, second = history(circle, range(2))

    circle.crash("ann")
    circle.restart("ann")
    circle.run(1.0)
    kept = list(circle["ann"].jobs.desk.jobs)
    [third] = history(circle, range(2, 3))

    assert kept == [first, second]
    assert list(circle["ann"].jobs.desk.jobs) == [second, third]


def test_it_is_released_sooner_when_somebody_has_the_results() -> None:
    circle = over()

    circle.tell("ann", ResultsPulled(circle["ann"].job.id))
    circle.run(GRACE_S - 0.1)
    assert knows(circle, "bob")
    circle.run(0.1)

    assert not knows(circle, "bob")


def test_of_many_whose_results_were_fetched_the_earliest_are_released_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that goes on without a pause would else fill the memory of all replicas within the hour."""
    monkeypatch.setattr(retention, "GRACE_UNITS_MAX", 2)
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    found = []
    for number in range(3):
        found.append(circle.submit("ann", spec(task("only"), replicas=1, nonce=bytes([number]) * 16)))
        circle.end("bob", "only")
        circle.run(60.0)
    for each in found:
        circle.tell("ann", ResultsPulled(each))

    circle.run(GRACE_S_MIN - 0.1)
    assert list(circle["bob"].jobs.desk.jobs) == found
    circle.run(0.2)
    assert list(circle["bob"].jobs.desk.jobs) == found[1:]
    circle.run(GRACE_S - GRACE_S_MIN - 0.3)
    assert list(circle["bob"].jobs.desk.jobs) == found[1:]
    circle.run(0.4)
    assert list(circle["bob"].jobs.desk.jobs) == []


def test_so_it_is_by_whoever_has_only_run_a_part_of_it() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    circle.prefer("only", "dan")
    circle.submit("ann", spec(task("only"), replicas=1))
    circle.end("dan", "only")
    circle.run(60.0)
    assert not circle["dan"].jobs.desk.keeps(circle["dan"].job)

    circle.tell("ann", ResultsPulled(circle["ann"].job.id))
    circle.run(GRACE_S - 0.1)
    assert knows(circle, "dan")
    circle.run(0.2)

    assert not knows(circle, "dan")
    assert tables(circle, "dan") == ["segment"]


def test_that_is_said_once() -> None:
    circle = over()
    job = circle["ann"].job.id

    circle.tell("bob", ResultsPulled(job))
    circle.tell("ann", ResultsPulled(job))
    circle.tell("ann", ResultsPulled(JobId(b"?" * 16)))

    assert [line for line in circle.take() if "PULLED" in line] == ["bob > ann: PULLED"]
    assert circle.rows_with("ann", PULLED) == 1


def test_of_a_job_that_is_not_done_nobody_has_the_results() -> None:
    circle = Circle("ann")
    circle.submit("ann", spec(task("only")))

    circle.tell("ann", ResultsPulled(circle["ann"].job.id))

    assert circle.rows_with("ann", PULLED) == 0


def test_a_clock_that_is_a_year_behind_releases_nothing_that_has_just_ended() -> None:
    circle = over()

    circle.utter("bob", "ann", statement(PULLED, at_s=0.0))
    circle.utter("ann", "bob", statement(PULLED, at_s=0.0))
    circle.run(GRACE_S - 100.0)

    assert knows(circle, "bob")
    assert not circle["ann"].job.released


def test_a_clock_that_is_years_ahead_postpones_no_release() -> None:
    circle = Circle("ann", "bob")
    circle.submit("ann", spec(task("only"), replicas=1))
    for author, hearer in (("ann", "bob"), ("bob", "ann")):
        circle.utter(author, hearer, statement(StatementKind.CANCELLED, at_s=circle.now + 1e9))
        circle.utter(author, hearer, statement(PULLED, at_s=circle.now + 1e9))
    circle.run(60.0)

    circle.run(RETENTION_S)

    assert not knows(circle, "bob")
    assert circle["ann"].job.released


def test_nor_does_it_after_a_restart() -> None:
    circle = Circle("ann", "bob")
    circle.submit("ann", spec(task("only"), replicas=1))
    circle.utter("ann", "bob", statement(StatementKind.CANCELLED, at_s=circle.now + 1e9))
    circle.run(60.0)
    circle.crash("bob")
    circle.restart("bob")
    circle.utter("ann", "bob", statement(PULLED, at_s=circle.now + 1e9))

    circle.run(RETENTION_S)

    assert not knows(circle, "bob")


def test_a_release_that_is_due_before_the_end_is_known_waits_for_it() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), replicas=1))

    circle.utter("bob", "ann", statement(PULLED))
    circle.run(GRACE_S)

    assert knows(circle, "ann")
    assert not circle["ann"].job.released


def test_what_was_released_does_not_come_back() -> None:
    circle = over()
    circle.crash("bob")
    stale = dict(circle["bob"].rows)
    circle.restart("bob")
    circle.meet("bob")
    circle.run(RETENTION_S)
    assert not knows(circle, "bob")

    for name in ("ann", "bob"):  # a whole cluster is switched on again, one of them with an old disk
        circle.crash(name)
    circle["ann"].rows = stale
    circle.forget("ann", StatementKind.CONCLUDED)
    circle.forget("ann", StatementKind.KEPT)
    for name in ("ann", "bob"):
        circle.restart(name)
        circle.meet(name)
    circle.run(60.0)

    assert not knows(circle, "bob")
    assert circle["ann"].job.state.is_over


def test_whoever_goes_on_about_a_released_job_is_told_once_and_falls_silent() -> None:
    circle = over()
    circle["bob"].jobs.retention.forget(circle["bob"].job)
    circle.frames.clear()

    circle["ann"].jobs.desk.offer(circle["ann"].job, circle.id_of("bob"), next(iter(circle["ann"].job.ledger)).id)
    circle.settle()

    assert len([message for one, _, message in circle.frames if one == "bob" and isinstance(message, Deliver)]) == 1
    circle.take()
    assert circle.is_quiet()
    assert not knows(circle, "bob")


def test_whoever_tells_us_how_it_ended_need_not_be_told() -> None:
    circle = over()
    job, ending = circle["bob"].job, min(circle["bob"].job.endings)
    signed = circle["bob"].job.ledger[ending].signed
    circle["bob"].jobs.retention.forget(circle["bob"].job)
    circle.settle()
    circle.take()

    circle.say("ann", "bob", Deliver(job.id, (signed,), None))

    assert circle.take() == []


def test_two_that_have_kept_different_words_of_the_end_do_not_go_on_telling_each_other() -> None:
    circle = Circle("ann", "bob", "cid")
    job = circle.submit("ann", spec(task("only"), replicas=2))
    circle.deaf += [(one, other) for one in circle.partners for other in circle.partners]
    for name in ("bob", "cid"):
        circle.ask(name, lambda request: CancelJob(request, job))
        circle[name].jobs.retention.forget(circle[name].job)
    circle.settle()
    circle.deaf.clear()
    circle.take()

    circle.say("bob", "cid", Deliver(job, (circle["bob"].jobs.desk.released[job].signed,), None))

    assert circle.take() == []


def test_whoever_follows_a_released_job_is_told_that_it_is_over() -> None:
    circle = over()
    job = circle["bob"].job.id
    circle["bob"].jobs.retention.forget(circle["bob"].job)
    circle.settle()
    circle.frames.clear()

    circle.say("ann", "bob", LedgerWanted(job, (), follow=True))

    assert [type(message) for one, _, message in circle.frames if one == "bob"] == [Deliver]


def test_of_what_was_said_in_the_moment_of_its_release_nothing_follows() -> None:
    circle = over()
    job = circle["bob"].job

    circle["bob"].jobs.desk.note(job, statement(StatementKind.KEPT, node=circle.id_of("bob")))
    circle["bob"].jobs.retention.forget(job)
    circle.run(2 * COMPARE_S)

    assert not knows(circle, "bob")
    assert tables(circle, "bob") == ["segment"]


def test_a_node_that_was_restarted_still_knows_what_it_has_released() -> None:
    circle = over()
    circle["bob"].jobs.retention.forget(circle["bob"].job)
    circle.settle()
    circle.crash("bob")

    circle.restart("bob")

    assert list(circle["bob"].jobs.desk.released) == [circle["ann"].job.id]


def test_a_restart_does_not_prolong_a_jobs_life() -> None:
    circle = over()
    circle.run(RETENTION_S / 2)
    circle.crash("bob")
    circle.restart("bob")

    circle.run(RETENTION_S / 2)

    assert not knows(circle, "bob")


def test_no_more_ends_are_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.retention.RELEASED_MAX", 1)
    circle = Circle("ann")
    jobs = []
    for number in range(3):
        jobs.append(circle.submit("ann", spec(task("only"), nonce=bytes([number]) * 16)))
        circle.ask("ann", lambda request: CancelJob(request, jobs[-1]))
    for job in jobs:
        circle["ann"].jobs.retention.forget(circle["ann"].jobs.desk.jobs[job])
    circle.settle()

    assert list(circle["ann"].jobs.desk.released) == jobs[-1:]
    assert tables(circle, "ann") == ["segment"]


def test_segments_that_say_nothing_of_an_end_and_belong_to_no_job_are_erased() -> None:
    circle = over()
    circle.crash("bob")
    del circle["bob"].rows[("job", circle["ann"].job.id)]

    circle.restart("bob")

    assert tables(circle, "bob") == ["segment"]
    assert not knows(circle, "bob")
