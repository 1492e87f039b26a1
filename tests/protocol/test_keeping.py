"""Keeping: who dies or comes, the job goes on, whoever is among its replicas has all of it, and one of them leads."""

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.protocol.comparing import COMPARE_S
from pnode.protocol.events import CancelJob, FindJobs, WatchJob
from pnode.protocol.guardians import best
from pnode.protocol.guarding import COLLECT_S
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Compare
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import StatementKind
from pnode.protocol.recovery import PATIENCE_S
from pnode.protocol.strangers import STRANGER_S

from .ledgers import outcome, statement
from .partners import Circle, file, spec, task
from .test_jobs import DIAMOND, finish

INPUT = file("input")
CHAIN = (task("first", "second"), task("second"))
NAMES = ("ann", "bob", "cid", "dan", "eve")


def kept(*tasks: object, replicas: int = 2, names: tuple[str, ...] = NAMES, **fields: object) -> Circle:
    """A job of ann's with guardians, that somebody else runs: whoever is no replica."""
    circle = Circle(*names)
    job = spec(*(tasks or CHAIN), files=(INPUT,), replicas=replicas, **fields)  # type: ignore[arg-type]
    outside = _outside(circle, job)
    for each in job.dag.tasks:
        circle.prefer(each.name, *outside)
    circle.submit("ann", job)
    circle.run(1.0)
    circle.take()
    return circle


def _outside(circle: Circle, job: JobSpec) -> list[str]:
    """Who would not be among the replicas: found by submitting the same job in another circle."""
    other = Circle(*circle.partners)
    other.submit("ann", job)
    return [name for name in other.partners if name not in replicas(other)]


def replicas(circle: Circle, seen_by: str = "ann") -> list[str]:
    return [circle.name_of(node) for node in circle[seen_by].job.replicas]


def leaders(circle: Circle) -> list[str]:
    jobs = ((name, job) for name, each in circle.partners.items() if each.up for job in each.jobs.desk.jobs.values())
    return [name for name, job in jobs if job.leading]


def job_at(circle: Circle, name: str) -> Job:
    return circle[name].job


def runner(circle: Circle) -> str:
    (name,) = (name for name, each in circle.partners.items() if each.running)
    return name


# Who leads.


def test_the_origin_leads_while_it_lives() -> None:
    circle = kept()

    assert leaders(circle) == ["ann"]
    assert replicas(circle)[0] == "ann"
    assert len(replicas(circle)) == 3


def test_when_the_origin_dies_the_first_guardian_leads_and_another_takes_its_place() -> None:
    circle = kept()
    _, first, second = replicas(circle)

    circle.kill("ann")

    assert leaders(circle) == [first]
    assert replicas(circle, first) == [first, second]


def test_when_a_guardian_dies_another_has_all_of_the_job() -> None:
    circle = kept()
    _, first, second = replicas(circle)

    circle.kill(first)
    circle.run(1.0)

    now = replicas(circle)
    assert now[0] == "ann"
    assert second in now
    (new,) = (name for name in now if name not in ("ann", second))
    assert circle.id_of(new) in job_at(circle, "ann").state.guards
    assert job_at(circle, new).ledger.fingerprint() == job_at(circle, "ann").ledger.fingerprint()
    assert INPUT.digest in circle[new].store


def late(*, brings: bool = True) -> tuple[Circle, str, str]:
    """A job with one guardian; who would rather be it is there only later. Returns both, the late one first."""
    circle = Circle(*NAMES)
    job = spec(*CHAIN, files=(INPUT,), replicas=1)
    best = next(name for name in NAMES if name not in ("ann", *_outside(circle, job)))
    circle.miss(best)
    circle.prefer("first", "ann")
    circle.submit("ann", job)
    _, old = replicas(circle)
    circle.brings = brings
    return circle, best, old


def test_who_has_not_all_of_a_job_does_not_lead_it() -> None:
    circle, best, old = late(brings=False)
    circle.meet(best)
    assert replicas(circle) == ["ann", best]
    assert job_at(circle, best).collecting is not None
    circle.miss("ann", best)

    assert job_at(circle, best).leading  # it is the only one: better than nobody
    circle.miss(best, old)
    circle.miss("ann", old)

    assert not job_at(circle, old).leading  # others have kept it meanwhile
    circle.run(COLLECT_S)
    assert job_at(circle, old).leading
    circle.meet(best, old)
    assert replicas(circle, old) == [best]


def test_the_origin_leads_again_when_it_is_back() -> None:
    circle = kept()
    circle.crash("ann")
    circle.miss("ann")
    assert leaders(circle) != []

    circle.restart("ann")
    circle.meet("ann")
    circle.run(COMPARE_S)

    assert leaders(circle) == ["ann"]


def test_who_was_restarted_leads_again_without_waiting() -> None:
    circle = kept()
    circle.crash("ann")

    circle.restart("ann")

    assert leaders(circle) == ["ann"]


def test_an_origin_that_never_shows_up_after_a_blackout_is_not_waited_for() -> None:
    circle = kept()
    _, first, _ = replicas(circle)
    for name in circle.partners:
        circle.crash(name)
    for name in NAMES[1:]:
        circle.restart(name, unknown=("ann",))
        circle.meet(name)

    circle.run(STRANGER_S - 1.0)
    assert leaders(circle) == []
    circle.run(2.0)

    assert leaders(circle) == [first]


def test_a_job_that_only_its_origin_keeps_waits_for_it() -> None:
    circle = kept(replicas=0)
    author = runner(circle)

    circle.kill("ann")

    assert leaders(circle) == []
    assert job_at(circle, author).replicas == ()


# What follows.


def test_a_job_ends_without_its_origin() -> None:
    circle = kept(task("first", "second"), task("second"), replicas=3)
    circle.kill("ann")

    finish(circle)

    (leader,) = leaders(circle)
    assert job_at(circle, leader).state.phase is Phase.DONE
    assert job_at(circle, leader).state.is_over
    assert all(file("second_out").digest in circle[name].store for name in replicas(circle, leader))


def test_all_replicas_but_one_may_die() -> None:
    circle = kept(replicas=3)
    *dying, last = replicas(circle)
    for name in dying:
        circle.kill(name)

    finish(circle)

    assert job_at(circle, last).state.phase is Phase.DONE


def test_the_input_of_an_entry_comes_from_a_guardian_when_the_origin_is_gone() -> None:
    circle = kept()
    first = runner(circle)
    circle.kill("ann")
    circle.kill(first)
    finish(circle)

    (leader,) = leaders(circle)
    assert job_at(circle, leader).state.phase is Phase.DONE


def test_what_a_unit_waits_for_may_come_from_those_who_keep_the_job_by_now() -> None:
    circle = Circle(*NAMES, brings=False)
    job = spec(task("only"), files=(INPUT,), replicas=1)
    holder, *_ = _outside(circle, job)
    circle.prefer("only", holder)
    circle.submit_unanswered("ann", job)
    _, first = replicas(circle)
    circle.bring(first, INPUT)
    circle.refuse(holder, INPUT)
    circle.kill("ann")
    circle.take()

    circle.bring_all()
    circle.run(60.0)

    assert not circle[holder].fetching
    assert INPUT.digest in circle[holder].store


def test_a_result_that_only_a_childs_holder_has_heard_of_is_not_lost_with_its_author() -> None:
    circle = kept(replicas=2)
    author = runner(circle)
    others = [name for name in circle.partners if name not in (author, *replicas(circle))]
    circle.deaf += [(author, name) for name in replicas(circle)]
    circle.utter(author, others[0], statement(StatementKind.DROPPED, attempt=1, at_s=circle.now))

    circle.kill(author)

    assert any(attempt.phase == "dropped" for attempt in job_at(circle, "ann").state.unit((0, 0)).attempts.values())


def forgetful(*names: str, nonce: bytes = b"n" * 16) -> tuple[Circle, str, str]:
    """A job whose first task has ended, as only the holder of the second has heard: who ran it, and that one. Whoever
    ran it was restarted since without the memory of it."""
    circle = Circle(*NAMES, *names)
    job = spec(*CHAIN, files=(INPUT,), replicas=1, nonce=nonce)
    author, holder, *_ = _outside(circle, job)
    circle.prefer("first", author)
    circle.prefer("second", holder)
    circle.submit("ann", job)
    circle.run(1.0)
    keepers = replicas(circle)
    circle.deaf += [(author, name) for name in keepers]
    circle.brings = False
    circle.end(author, "first")
    assert tells_of_the_end(circle, holder, author)
    assert not any(tells_of_the_end(circle, name, author) for name in keepers)
    circle.crash(author)
    circle[author].rows.clear()
    circle.deaf.clear()
    return circle, author, holder


def tells_of_the_end(circle: Circle, name: str, author: str) -> bool:
    """Whether a partner's ledger has what another one has said of the end of its first run."""
    said = (entry for entry in job_at(circle, name).ledger if entry.author == circle.id_of(author))
    old = (statement for entry in said if entry.segment.boot == 1 for statement in entry.segment.statements)
    return any(statement.kind == StatementKind.FINISHED for statement in old)


def test_a_result_that_only_a_childs_holder_has_heard_of_is_not_lost_with_its_authors_memory() -> None:
    circle, author, _ = forgetful()

    circle.restart(author)
    circle.meet(author)

    assert tells_of_the_end(circle, "ann", author)


def test_who_comes_after_all_replicas_are_gone_hears_also_what_others_have_forgotten_that_they_said() -> None:
    others = (forgetful("fay", nonce=bytes([number]) * 16) for number in range(64))
    circle, author, holder = next(each for each in others if _comes_next(*each))
    first = replicas(circle)
    circle.deaf += [(holder, name) for name in first]
    circle.restart(author)
    circle.meet(author)
    circle.run(1.0)
    for name in first:
        circle.kill(name)
    circle.run(1.0)

    (new,) = replicas(circle, seen_by=holder)
    assert tells_of_the_end(circle, new, author)


def _comes_next(circle: Circle, author: str, holder: str) -> bool:
    """Whether somebody keeps the job next who has heard of nothing so far."""
    job, gone = job_at(circle, "ann"), [circle.id_of(name) for name in replicas(circle)]
    ((_, new),) = best(job.id, 1, [each.id for each in circle.partners.values() if each.id not in gone])
    return circle.name_of(new) not in (author, holder)


def test_every_participant_offers_the_newcomer_the_last_of_its_own_words() -> None:
    circle = kept(replicas=1)
    author, (_, first) = runner(circle), replicas(circle)
    circle.deaf += [("ann", name) for name in circle.partners]

    circle.kill(first)

    (_, new) = replicas(circle)
    assert new == author or circle.id_of(author) in {entry.author for entry in job_at(circle, new).ledger}


def test_who_hands_over_compares_until_the_others_have_what_it_has() -> None:
    circle, best, old = late()
    circle.deaf += [(old, name) for name in NAMES]
    circle[old].jobs.desk.say(job_at(circle, old), statement(StatementKind.ACCEPTED, attempt=7), ())
    circle.settle()

    circle.meet(best)
    assert replicas(circle, old) == ["ann", best]
    circle.deaf.clear()
    circle.run(2 * COMPARE_S)

    for name in ("ann", best):
        assert (7, circle.id_of(old)) in job_at(circle, name).state.unit((0, 0)).attempts


def test_who_is_no_replica_any_more_stops_collecting_and_copying() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.miss("cid", "ann", "bob")
    circle.miss("bob", "ann", "cid")
    circle.submit_unanswered("ann", spec(task("only"), files=(INPUT,), replicas=1))
    circle.meet("bob", "ann")
    circle.meet("cid", "ann")
    circle.meet("bob", "cid")
    circle.meet("cid", "bob")
    circle.settle()

    (_, guardian) = replicas(circle)
    others = [name for name in ("bob", "cid") if name != guardian and circle[name].jobs.desk.jobs]
    assert circle[guardian].job.collecting is not None
    assert all(circle[name].job.collecting is None for name in others)


def test_who_comes_first_among_many_at_once_is_not_taken_for_a_guardian() -> None:
    circle = kept(replicas=1)
    _, first = replicas(circle)
    circle.run(3 * COMPARE_S)
    circle.crash("ann")
    circle.restart("ann")
    circle.frames.clear()
    ann = circle["ann"]

    effects = [effect for name in NAMES[1:] for effect in ann.jobs.member_back(circle.id_of(name), circle.now)]
    circle.do(ann, effects)
    circle.settle()

    assert {other for one, other, message in circle.frames if one == "ann" and isinstance(message, Compare)} == {
        first
    }


def test_a_watcher_follows_the_job_elsewhere_when_whom_it_followed_is_gone() -> None:
    circle = kept(replicas=1)
    watcher = next(name for name in NAMES if not circle[name].jobs.desk.jobs)
    asked = FindJobs(99), (circle.id_of("ann"),)
    circle.do(circle[watcher], circle[watcher].jobs.find(*asked, circle.now))
    circle.settle()
    job = job_at(circle, "ann").id
    circle.ask(watcher, lambda request: WatchJob(request, job))
    assert circle[watcher].jobs.is_watching(job)

    circle.kill("ann")
    finish(circle)

    assert job_at(circle, watcher).state.phase is Phase.DONE


def test_the_ends_of_a_job_that_is_over_are_not_offered_but_its_results_are_copied_by_who_comes() -> None:
    circle = kept(replicas=1)
    finish(circle)
    _, first = replicas(circle)
    assert job_at(circle, "ann").state.is_over

    circle.kill(first)
    circle.run(2 * COMPARE_S)

    (_, new) = replicas(circle)
    assert file("second_out").digest in circle[new].store
    assert job_at(circle, new).state.phase is Phase.DONE


def test_who_begins_to_lead_what_is_just_over_tells_those_who_may_not_know() -> None:
    circle = kept(replicas=1)
    author = runner(circle)
    circle.deaf += [("ann", author)]
    circle.ask("ann", lambda request: CancelJob(request, job_at(circle, "ann").id))
    assert not job_at(circle, author).state.is_over

    circle.kill("ann")

    assert job_at(circle, author).state.is_over


def test_what_has_been_over_for_long_is_not_told_again() -> None:
    circle = kept(replicas=1)
    finish(circle)
    circle.run(600.0)
    circle.take()

    circle.kill("ann")

    assert not any("CONCLUDED" in line for line in circle.take())


def test_a_released_job_is_let_be() -> None:
    circle = kept(replicas=1)
    finish(circle)
    circle.run(8 * 86_400.0)
    assert job_at(circle, "ann").released
    circle.take()

    circle.kill("bob")
    circle.crash("cid")
    circle.restart("cid")
    circle.meet("cid")

    assert circle.take() == []


def test_what_is_done_without_the_origin_is_not_done_again_when_it_is_back() -> None:
    circle = kept(replicas=2)
    circle.crash("ann")
    circle.miss("ann")
    finish(circle)
    circle.take()

    circle.restart("ann")
    circle.meet("ann")
    circle.run(PATIENCE_S + COMPARE_S)

    assert not any(" runs " in line for line in circle.take())
    assert job_at(circle, "ann").state.is_over


@settings(max_examples=15)  # each is a whole life of a cluster
@given(seed=st.integers(0, 2**32))
def test_whoever_dies_for_good_the_job_ends_as_long_as_one_replica_lives(seed: int) -> None:
    rng = Random(seed)
    circle = Circle(*NAMES, cores=2)
    for name in ("top", "left", "right", "end"):
        circle.prefer(name, *rng.sample(NAMES, 3))
    circle.submit("ann", spec(*DIAMOND.dag.tasks, items=2, files=(INPUT,), replicas=3))
    circle.run(1.0)
    dying = rng.sample(NAMES, 3)
    for name in dying:
        for _ in range(rng.randint(0, 3)):
            _end_one(circle, rng)
        circle.crash(name)
        circle.run(rng.choice((0.0, 0.1, 6.0)))
        circle.miss(name)

    finish(circle)

    (leader,) = leaders(circle)
    assert job_at(circle, leader).state.phase is Phase.DONE
    assert job_at(circle, leader).state.is_over


def _end_one(circle: Circle, rng: Random) -> None:
    runs = [(name, unit) for name, each in circle.partners.items() if each.up for unit in each.running]
    if runs:
        name, unit = rng.choice(runs)
        circle.end(name, unit.task, item=unit.item)


@pytest.mark.parametrize("number", range(3))
def test_after_the_end_nobody_has_anything_to_do(number: int) -> None:
    circle = kept(replicas=2)
    if number:
        circle.kill(replicas(circle)[number - 1])
    finish(circle)

    circle.run(5 * COMPARE_S)

    circle.take()
    assert circle.is_quiet()
    assert circle.deadline == math.inf


def test_whoever_begins_to_lead_introduces_those_who_have_something_to_do() -> None:
    circle = kept(*JOIN, replicas=1)
    author = runner(circle)
    _, first = replicas(circle)
    circle.utter(author, first, statement(StatementKind.DECLINED, (1, 0), attempt=7))  # of that nothing has come
    circle.take()

    circle.kill("ann")

    assert leaders(circle) == [first]
    assert circle["ann"].job.state.unit((0, 0)).current is not None


JOIN = (task("left", "last"), task("right", "last"), task("last", inputs_per_call=2))


def test_who_was_restarted_takes_no_part_in_what_is_over_before_it_counts_itself_in() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("only", "ann")
    circle.submit_unanswered("ann", spec(task("only"), files=(INPUT,), replicas=1))
    circle.crash("bob")
    circle.restart("bob")
    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))

    circle.run(STRANGER_S)

    assert job_at(circle, "bob").closed
    assert job_at(circle, "bob").collecting is None


def test_who_counted_itself_in_while_it_knew_nobody_takes_no_part_once_it_knows_better() -> None:
    circle = kept(task("only"), replicas=1)
    name = next(name for name, each in circle.partners.items() if each.running)
    outsider = circle[name]
    circle.crash(name)
    circle.restart(name, unknown=NAMES)
    assert outsider.jobs.desk.keeps(outsider.job)
    circle.meet(name)
    circle.frames.clear()

    circle.run(2 * STRANGER_S)

    assert not outsider.jobs.desk.keeps(outsider.job)
    assert circle.id_of(name) not in circle["ann"].job.state.guards
    assert not [message for one, _, message in circle.frames if one == name and isinstance(message, Compare)]


def test_a_replica_that_hears_of_a_cancellation_before_it_hears_that_all_was_done_copies_the_results() -> None:
    out = file("only_out")
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("only", "ann")
    circle.submit_unanswered("ann", spec(task("only"), replicas=1))
    circle.deaf.append(("ann", "bob"))
    circle.end("ann", "only", out)
    circle.utter("ann", "bob", statement(StatementKind.CANCELLED))
    assert out.digest not in circle["bob"].fetching

    said = statement(StatementKind.FINISHED, outcome=outcome(1.0, out))
    circle.utter("ann", "bob", said, statement(StatementKind.KEPT, node=circle.id_of("ann")))

    assert circle["bob"].job.state.phase is Phase.DONE
    assert out.digest in circle["bob"].fetching
