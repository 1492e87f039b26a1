"""Guarding: who has become a replica gathers what the job needs, says so when it is safe, and gives up never."""

import math
from collections.abc import Callable

from pnode.protocol.effects import Sync
from pnode.protocol.events import CancelJob, Synced
from pnode.protocol.fetching import TRIES
from pnode.protocol.guarding import COLLECT_S, PAUSE_S, PAUSE_S_MAX, needs
from pnode.protocol.ids import JobId
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Deliver, LedgerWanted
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.ledger import StatementKind

from .ledgers import statement
from .partners import Circle, file, spec, task

GUARDED = StatementKind.GUARDED
INPUT, SCRIPTS = file("input"), file("scripts")
KEPT = spec(task("only"), files=(INPUT,), application=SCRIPTS, replicas=1)


def guarded(circle: Circle, seen_by: str = "ann") -> list[str]:
    """Who has said so, in the eyes of a partner."""
    return [circle.name_of(node) for node in circle[seen_by].job.state.guards]


def two(*, brings: bool = False, deaf: bool = False) -> Circle:
    """ann has a job, bob is its guardian."""
    circle = Circle("ann", "bob", brings=brings)
    circle.prefer("only", "ann")
    if deaf:
        circle.deaf.append(("ann", "bob"))
    circle.submit_unanswered("ann", KEPT)
    circle.take()
    return circle


def test_a_job_needs_its_application_and_all_its_inputs() -> None:
    circle = two()

    assert list(needs(circle["ann"].job)) == [SCRIPTS, INPUT]
    assert list(needs(_only(spec(task("only"))))) == []


def _only(job: JobSpec) -> Job:
    circle = Circle("ann")
    circle.submit("ann", job)
    return circle["ann"].job


def test_a_guardian_says_so_when_all_is_on_its_disk() -> None:
    circle = two()
    assert sorted(circle["bob"].fetching) == sorted((INPUT.digest, SCRIPTS.digest))
    assert guarded(circle) == ["ann"]

    circle.bring("bob", INPUT, "ann")
    assert guarded(circle) == ["ann"]
    circle.bring("bob", SCRIPTS, "ann")

    assert guarded(circle) == ["ann", "bob"]
    assert circle["bob"].job.collecting is None


def test_the_origin_says_so_without_fetching_anything() -> None:
    circle = Circle("ann", brings=False)

    circle.submit("ann", KEPT)

    assert guarded(circle) == ["ann"]
    assert not circle["ann"].fetching


def test_a_job_that_nobody_else_is_to_keep_is_not_guarded() -> None:
    circle = Circle("ann", "bob")

    circle.submit("ann", spec(task("only"), files=(INPUT,)))

    assert guarded(circle) == []


def test_nothing_is_said_before_the_disk_has_it() -> None:
    circle = two()
    circle.slow_disks = True
    circle.bring("bob", INPUT)
    circle.bring("bob", SCRIPTS)

    assert guarded(circle, "bob") == ["ann"]
    circle.sync("bob")

    assert guarded(circle, "bob") == ["ann", "bob"]


def test_what_cannot_be_had_is_asked_for_again_after_growing_pauses() -> None:
    circle = two()
    circle.bring("bob", SCRIPTS)
    pauses = []
    for _ in range(8):
        for _ in range(TRIES):
            circle.run(16.0)
            circle.refuse("bob", INPUT)
        began_s = circle.now
        while not circle["bob"].fetching:
            circle.run(1.0)
        pauses.append(circle.now - began_s)

    assert pauses == [min(PAUSE_S * 2**times, PAUSE_S_MAX) for times in range(8)]
    assert circle["bob"].job.state.phase.value == "running"
    circle.bring("bob", INPUT)

    assert guarded(circle) == ["ann", "bob"]


def test_two_things_that_cannot_be_had_are_asked_for_together() -> None:
    circle = two()
    for _ in range(TRIES):
        circle.run(16.0)
        circle.refuse("bob", INPUT)
        circle.refuse("bob", SCRIPTS)
    circle.take()

    circle.run(PAUSE_S)

    assert circle.take() == ["bob fetches scripts from ann", "bob fetches input from ann"]


def test_whoever_says_that_it_has_it_is_asked_next() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("only", "ann")
    circle.submit_unanswered("ann", spec(task("only"), files=(INPUT,), replicas=2))
    circle.kill("ann")
    circle.take()

    circle.refuse("bob", INPUT)
    circle.bring("cid", INPUT)
    circle.bring_all()
    circle.run(1.0)

    assert guarded(circle, "bob") == ["ann", "cid", "bob"]


def test_what_was_gathered_for_a_job_that_is_over_is_of_no_use() -> None:
    circle = two()
    circle.bring("bob", INPUT)

    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    circle.bring("bob", SCRIPTS)

    assert circle["bob"].job.collecting is None
    assert guarded(circle) == ["ann"]


def test_a_sync_that_nobody_waits_for_any_more_says_nothing() -> None:
    circle = two()
    circle.slow_disks = True
    circle.bring("bob", INPUT)
    circle.bring("bob", SCRIPTS)
    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))

    circle.sync("bob")
    circle.tell("bob", Synced(99))

    assert guarded(circle) == ["ann"]


def test_who_comes_late_guards_when_it_has_the_ledger_too() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only"), replicas=2))
    late, gone = _late_and_gone(circle)
    circle.deaf += [(name, late) for name in circle.partners]

    circle.kill(gone)
    circle["ann"].jobs.desk.say(circle["ann"].job, statement(StatementKind.ACCEPTED), ())
    circle.settle()
    assert not circle[late].jobs.desk.jobs
    circle.deaf.clear()
    circle.run(30.0)

    assert late in guarded(circle)
    assert circle[late].job.ledger.vector() == circle["ann"].job.ledger.vector()


def _late_and_gone(circle: Circle) -> tuple[str, str]:
    """Who is no guardian yet, and a guardian whose place it would take."""
    names = [circle.name_of(node) for node in circle["ann"].job.replicas]
    (late,) = (name for name in circle.partners if name not in names)
    return late, names[1]


def test_who_has_got_the_whole_ledger_before_it_compares_is_told_so() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "ann")
    circle.deaf += [("ann", "cid"), ("bob", "cid")]
    circle.submit_unanswered("ann", spec(task("only"), replicas=2))
    circle.deaf.clear()
    ann, cid = circle["ann"], circle["cid"]

    for name in ("bob", "ann"):  # in this order, and before it could do anything
        segments = tuple(entry.signed for entry in ann.job.ledger if entry.author == circle.id_of(name))
        said = Deliver(ann.job.id, segments, ann.job.signed)
        circle.do(cid, cid.jobs.message(circle.id_of(name), said, circle.now))
    circle.settle()

    assert "cid" in guarded(circle)


def test_a_fellow_that_never_says_how_much_there_is_keeps_nobody_from_guarding() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only"), replicas=1))
    names = [circle.name_of(node) for node in circle["ann"].job.replicas]
    (late,) = (name for name in circle.partners if name not in names)
    circle.miss(names[1], late)
    circle.deaf.append(("ann", late))
    circle.utter(names[1], late, statement(StatementKind.ACCEPTED, attempt=9))  # from whom it hears of the job
    assert late not in guarded(circle, late)

    circle.run(COLLECT_S)

    assert late in guarded(circle, late)


def test_who_is_restarted_and_has_said_so_before_does_not_say_it_again() -> None:
    circle = two(brings=True)
    circle.crash("bob")

    circle.restart("bob")
    circle.run(60.0)

    assert circle.rows_with("bob", GUARDED) == 2  # ann's and its own


def test_who_is_restarted_without_having_said_so_waits_before_it_counts_itself_in() -> None:
    circle = two()
    circle.crash("bob")
    circle.restart("bob")
    assert not circle["bob"].fetching

    circle.run(20.0)
    circle.bring_all()
    circle.run(60.0)

    assert guarded(circle) == ["ann", "bob"]


def test_how_far_somebodys_ledger_goes_matters_only_while_it_is_collected() -> None:
    circle = two(brings=True)

    circle.say("ann", "bob", LedgerWanted(circle["ann"].job.id, ()))

    assert circle["bob"].job.collecting is None


def test_syncs_are_numbered() -> None:
    circle = Circle("ann", brings=False)
    circle.slow_disks = True
    circle.submit_unanswered("ann", KEPT)
    circle.submit_unanswered("ann", spec(task("only"), nonce=b"m" * 16, replicas=1))

    assert circle["ann"].syncs == [Sync(1), Sync(2)]
    assert JobId(b"") not in circle["ann"].jobs.desk.jobs
    assert circle.deadline < math.inf


def test_who_has_got_everything_before_its_pause_is_over_asks_for_nothing_more() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("only", "ann")
    circle.submit_unanswered("ann", spec(task("only"), files=(INPUT,), replicas=2))
    for _ in range(TRIES):
        circle.run(16.0)
        circle.refuse("bob", INPUT)
    circle.bring("cid", INPUT)
    circle.bring("bob", INPUT)
    assert "bob" in guarded(circle)

    circle.run(PAUSE_S_MAX)

    assert circle["bob"].job.collecting is None
    assert not circle["bob"].fetching


def kept_by(keepers: tuple[str, ...], begun: Callable[[bytes], Circle]) -> Circle:
    """A circle in which just these keep ann's job; they follow from its id, and that from a nonce."""
    circles = (begun(bytes([number]) * 16) for number in range(100))
    return next(one for one in circles if set(one["ann"].job.replicas) == {one.id_of(name) for name in keepers})


def test_when_all_who_should_have_it_are_gone_whoever_took_part_is_asked() -> None:
    def begun(nonce: bytes) -> Circle:
        circle = Circle("ann", "bob", "cid", brings=False)
        circle.prefer("only", "cid")
        circle.submit_unanswered("ann", spec(task("only"), files=(INPUT,), nonce=nonce, replicas=1))
        return circle

    circle = kept_by(("ann", "bob"), begun)
    circle.bring("cid", INPUT)
    circle.kill("ann")
    circle.take()

    circle.refuse("bob", INPUT)
    circle.run(1.0)

    assert "bob fetches input from cid" in circle.take()


def test_whoever_took_part_is_asked_for_what_those_have_lost_who_should_have_it() -> None:
    def begun(nonce: bytes) -> Circle:
        circle = Circle("ann", "bob", "cid", "dan")
        circle.prefer("only", "dan")
        circle.submit("ann", spec(task("only"), files=(INPUT,), replicas=2, nonce=nonce))
        return circle

    circle = kept_by(("ann", "bob", "cid"), begun)
    for name in ("bob", "cid"):  # each takes the other for ready by what it once said
        circle.crash(name)
        circle[name].rows.clear()
        circle[name].store.clear()
        circle.brings = False
        circle.restart(name)
        circle.meet(name)
        circle.run(1.0)

    circle.kill("ann")
    circle.bring_all()
    circle.run(60.0)

    assert all(INPUT.digest in circle[name].store for name in ("bob", "cid"))


def test_who_begins_to_lead_reminds_all_who_have_a_unit_open_not_only_the_latest() -> None:
    def begun(nonce: bytes) -> Circle:
        circle = Circle("ann", "bob", "cid", "dan")
        circle.prefer("only", "cid")
        circle.submit("ann", spec(task("only"), replicas=1, nonce=nonce))
        return circle

    circle = kept_by(("ann", "bob"), begun)
    circle.utter("dan", "bob", statement(StatementKind.ACCEPTED, attempt=2))
    circle.crash("cid")
    circle["cid"].rows.clear()
    circle.restart("cid")
    circle.meet("cid", "bob")
    circle.take()

    circle.kill("ann")

    assert any(line.startswith("bob > cid") and "cid: ACCEPTED only#1" in line for line in circle.take())


def test_who_kept_a_job_before_and_does_again_collects_first_what_was_said_meanwhile() -> None:
    circle = Circle("ann", "bob", "cid", "dan", "eve", brings=True, cores=8)
    for name in ("one", "two", "three"):
        circle.prefer(name, "cid")
    circle.submit("ann", spec(task("one", "two"), task("two", "three"), task("three"), replicas=1))
    best = circle.name_of(circle["ann"].job.replicas[1])
    circle.kill(best)
    circle.run(COLLECT_S)
    stand_in = circle.name_of(circle["ann"].job.replicas[1])
    assert circle[stand_in].job.equipped
    circle.restart(best)
    circle.meet(best)
    circle.run(60.0)
    circle.end("cid", "one")
    circle.run(5.0)
    circle.crash("ann")
    circle.crash(best)
    circle.miss("ann", stand_in)
    circle.miss(best, stand_in)

    job = circle[stand_in].job
    assert job.collecting is not None
    assert not job.leading
    circle.run(COLLECT_S)
    assert job.leading


def test_an_origin_without_the_inputs_neither_says_that_it_has_them_nor_runs_without_them() -> None:
    circle = Circle("ann", brings=False)
    circle.submit("ann", spec(task("only"), files=(INPUT,), application=SCRIPTS, replicas=1))
    circle.crash("ann")
    circle.forget("ann", GUARDED)
    circle["ann"].store.clear()
    circle.take()

    circle.restart("ann")
    circle.run(60.0)

    assert "ann runs only#1" not in circle.take()
    assert not circle["ann"].job.equipped
