"""Comparing: whatever was lost between replicas is found, for eight bytes a job, and then there is peace."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.protocol.comparing import ASK_S, COMPARE_S, LAST_TURNS, wanted
from pnode.protocol.events import CancelJob
from pnode.protocol.jobmessages import COMPARED_MAX, Compare, Deliver
from pnode.protocol.ledger import Entry, Ledger, StatementKind

from .ledgers import statement
from .members import CLUSTER, seed_of
from .partners import Circle, spec, task

ACCEPTED = StatementKind.ACCEPTED


def shared(*names: str, replicas: int = 1) -> Circle:
    """ann runs her own job, which the others guard."""
    circle = Circle("ann", "bob", *names)
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only"), replicas=replicas))
    circle.take()
    circle.frames.clear()
    return circle


def note_alone(circle: Circle, name: str, attempt: int = 2) -> None:
    """A partner has a segment that nobody else has, nor ever will by itself."""
    partner = circle[name]
    ledger = Ledger(partner.job.id)
    seed = circle["ann"].jobs.desk.place.seed
    entry = ledger.write(circle.crypto, CLUSTER, seed, 500 + attempt, (statement(ACCEPTED, attempt=attempt),))
    partner.job.ledger.add(entry)
    partner.jobs.desk.keep(partner.job, entry)


def equal(circle: Circle, *names: str) -> bool:
    prints = [circle[name].job.ledger.fingerprint() for name in names or circle.partners]
    return all(each == prints[0] for each in prints)


def compared(circle: Circle) -> list[tuple[str, str]]:
    """Who has compared with whom since the last time."""
    frames, circle.frames = circle.frames, []
    return [(one, other) for one, other, message in frames if isinstance(message, Compare)]


@given(st.permutations(range(5)))
def test_a_fingerprint_does_not_depend_on_the_order(order: list[int]) -> None:
    circle = shared()
    seed, job = circle["ann"].jobs.desk.place.seed, circle["ann"].job.id
    feed, ledger = Ledger(job), Ledger(job)
    entries = [feed.write(circle.crypto, CLUSTER, seed, 1, (statement(ACCEPTED),)) for _ in range(5)]

    for number in order:
        ledger.add(entries[number])
        ledger.add(entries[number])

    assert ledger.fingerprint() == feed.fingerprint() != Ledger(job).fingerprint()


@pytest.mark.parametrize("name", ["ann", "bob"])
def test_whoever_has_more_both_have_it_after_a_turn(name: str) -> None:
    circle = shared()
    note_alone(circle, name)
    assert not equal(circle)

    circle.run(COMPARE_S)

    assert equal(circle)


def test_both_give_what_the_other_lacks_and_then_there_is_peace() -> None:
    circle = shared()
    note_alone(circle, "ann", 2)
    note_alone(circle, "bob", 3)

    circle.run(COMPARE_S)
    assert equal(circle)
    circle.take()
    circle.run(COMPARE_S)

    assert sorted(circle.take()) == ["ann > bob: Compare", "bob > ann: Compare"]


def test_what_is_equal_costs_one_message_a_turn() -> None:
    circle = shared("cid", "dan", replicas=3)

    circle.run(3 * COMPARE_S)

    pairs = compared(circle)
    assert len(pairs) == 12
    assert sorted(other for one, other in pairs if one == "ann") == ["bob", "cid", "dan"]
    assert {line.split(": ")[1] for line in circle.take()} == {"Compare"}


def test_all_jobs_that_two_share_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.comparing.COMPARED_MAX", 2)
    circle = shared()
    for number in (1, 2):
        circle.submit("ann", spec(task("only"), nonce=bytes([number]) * 16, replicas=1))
    circle.frames.clear()

    circle.run(COMPARE_S)

    told = [message for one, _, message in circle.frames if one == "ann" and isinstance(message, Compare)]
    assert [len(message.jobs) for message in told] == [2, 1]
    assert COMPARED_MAX >= 4096


def test_who_keeps_no_job_or_is_alone_says_nothing() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only"), replicas=0))
    alone = Circle("ann")
    alone.submit("ann", spec(task("only"), replicas=3))
    circle.take(), alone.take()

    circle.run(10 * COMPARE_S)
    alone.run(10 * COMPARE_S)

    assert circle.take() == alone.take() == []


def test_a_job_that_is_over_is_compared_with_all_a_last_time() -> None:
    circle = shared("cid", replicas=2)
    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    note_alone(circle, "bob")

    circle.run(2 * COMPARE_S)
    assert equal(circle)
    circle.frames.clear()
    circle.run((LAST_TURNS + 1) * COMPARE_S)
    circle.frames.clear()
    circle.run(10 * COMPARE_S)

    assert compared(circle) == []
    circle.take()
    assert circle.is_quiet()


def test_what_is_said_after_the_end_reaches_even_those_who_were_cut_off_just_then() -> None:
    circle = shared("cid", replicas=2)
    circle.end("ann", "only")
    circle.bring_all()
    circle.run(COMPARE_S * (LAST_TURNS + 1))
    assert equal(circle)
    assert compared(circle)
    note_alone(circle, "bob")
    assert not equal(circle)

    circle.utter("bob", "cid", statement(StatementKind.KEPT, node=circle.id_of("ann")))
    circle.run(COMPARE_S * (LAST_TURNS + 1))

    assert equal(circle)
    circle.run(COMPARE_S * (LAST_TURNS + 1))
    circle.take()
    circle.run(10 * COMPARE_S)
    assert circle.is_quiet()


def test_the_last_turns_are_made_up_for_when_there_was_no_session_for_them() -> None:
    circle = shared()
    circle.end("ann", "only")
    circle.bring_all()
    circle.run(COMPARE_S * (LAST_TURNS + 1))
    note_alone(circle, "bob")
    circle.deaf += [("ann", "bob"), ("bob", "ann")]
    circle.utter("ann", "bob", statement(StatementKind.KEPT, node=circle.id_of("ann")))
    circle.run(10 * COMPARE_S)
    assert not equal(circle)

    circle.deaf.clear()
    for one, other in (("ann", "bob"), ("bob", "ann")):
        circle[one].jobs.session_opened(circle.id_of(other))
    circle.run(COMPARE_S)

    assert equal(circle)
    circle.run(10 * COMPARE_S)
    circle.take()
    assert circle.is_quiet()


def test_who_does_not_know_a_job_gets_all_of_it() -> None:
    circle = shared("cid")
    guard = circle.name_of(circle["ann"].job.replicas[1])
    (other,) = (name for name in circle.partners if name not in ("ann", guard))
    job = circle["ann"].job

    circle.say("ann", other, Compare(((job.id, job.ledger.fingerprint()),)))

    assert equal(circle)
    assert circle[other].job.spec == job.spec


def test_a_fellow_is_not_asked_again_before_it_can_have_answered() -> None:
    circle = shared()
    circle.deaf.append(("bob", "ann"))
    differs = Compare(((circle["ann"].job.id, b"\0" * 8),))
    for _ in range(3):
        circle.say("ann", "bob", differs)
    assert circle.take() == ["bob > ann: LedgerWanted"]

    circle.run(ASK_S)
    circle.say("ann", "bob", differs)

    assert circle.take() == ["bob > ann: LedgerWanted"]


def test_a_job_that_is_forgotten_is_not_compared() -> None:
    circle = shared()
    comparing, job = circle["bob"].jobs.comparing, circle["bob"].job
    comparing.soon(job, circle.id_of("ann"))
    comparing.leave(job)
    circle["bob"].jobs.desk.forget(job)

    circle.run(COMPARE_S - 1.0)

    assert [pair for pair in compared(circle) if pair[0] == "bob"] == []


@settings(max_examples=20)  # each is a life of four ledgers
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(2, 9)), max_size=8))
def test_whatever_is_missing_where_all_are_equal_in_the_end(notes: list[tuple[int, int]]) -> None:
    circle = shared("cid", "dan", replicas=3)
    for number, attempt in dict.fromkeys(notes):
        name = list(circle.partners)[number]
        if (circle.id_of("ann"), 500 + attempt, 0) not in circle[name].job.ledger:
            note_alone(circle, name, attempt)

    circle.run(6 * COMPARE_S)

    assert equal(circle)
    assert {line.split(": ")[1] for line in circle.take() if "> " in line} >= {"Compare"}


def test_nobody_need_be_told_how_far_the_feeds_of_a_job_go_that_is_over() -> None:
    circle = shared("cid")
    (stranger,) = (name for name in circle.partners if circle.id_of(name) not in circle["ann"].job.replicas)
    same = Compare(((circle["ann"].job.id, circle["ann"].job.ledger.fingerprint()),))
    circle.say(stranger, "ann", same)
    assert circle.take()[0] == f"ann > {stranger}: LedgerWanted"

    circle.tell("ann", CancelJob(1, circle["ann"].job.id))
    circle.take()
    circle.say(stranger, "ann", Compare(((circle["ann"].job.id, circle["ann"].job.ledger.fingerprint()),)))

    assert circle.take() == []


def test_one_who_has_released_a_job_tells_that_it_is_over() -> None:
    circle = shared()
    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    circle.run(3 * COMPARE_S)
    job, bob = circle["ann"].job, circle["bob"]
    bob.jobs.retention.forget(bob.job)
    circle.frames.clear()

    circle.say("ann", "bob", Compare(((job.id, job.ledger.fingerprint()),)))

    assert [type(message) for _, _, message in circle.frames][:1] == [Deliver]
    assert not bob.jobs.desk.jobs


# Forks.


def keepers(circle: Circle) -> list[str]:
    return [circle.name_of(node) for node in circle["ann"].job.replicas]


def fork(circle: Circle, *lengths: int, author: bytes = seed_of(9)) -> list[list[Entry]]:
    """Those who keep the job have histories of a feed that have no more than the first segment in common."""
    job, seed = circle["ann"].job.id, author
    histories = []
    for number, (name, length) in enumerate(zip(keepers(circle), lengths, strict=True)):
        written = Ledger(job)
        said = [1.0, *(1000.0 * number + at for at in range(1, length))]
        history = [
            written.write(circle.crypto, CLUSTER, seed, 700, (statement(StatementKind.GUARDED, at_s=at_s),))
            for at_s in said
        ]
        for entry in history:
            circle[name].job.ledger.add(entry)
            circle[name].jobs.desk.keep(circle[name].job, entry)
        histories.append(history)
    circle.settle()
    circle.take()
    circle.frames.clear()
    return histories


def counts(circle: Circle) -> Counter[str]:
    """How many messages of each kind were sent since the last time."""
    frames, circle.frames = circle.frames, []
    return Counter(type(message).__name__ for _, _, message in frames)


@pytest.mark.parametrize("lengths", [(3, 3), (3, 300), (300, 3)])
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_fork_is_exchanged_once_and_then_there_is_peace(lengths: tuple[int, int], *, is_gone: bool) -> None:
    circle = shared()
    histories = fork(circle, *lengths)
    if is_gone:
        for name in ("ann", "bob"):
            circle[name].near.gone.append(histories[0][0].author)

    circle.run(4 * COMPARE_S)
    first = counts(circle)
    circle.run(30 * COMPARE_S)
    rest = counts(circle)

    assert not equal(circle, "ann", "bob")
    assert first["LedgerWanted"] <= 4  # each has compared with the other
    assert first["Deliver"] <= 4
    assert set(rest) == {"Compare"}
    assert rest["Compare"] == 2 * 30


def test_with_a_fork_only_what_is_new_is_sent() -> None:
    circle = shared()
    fork(circle, 300, 3)
    circle.run(4 * COMPARE_S)
    counts(circle)

    note_alone(circle, "bob", 9)
    circle.run(2 * COMPARE_S)

    delivered = [message for _, _, message in circle.frames if isinstance(message, Deliver)]
    assert {len(message.segments) for message in delivered} == {1}
    assert len(delivered) <= 2  # ann has been told what she does not remember, and answers
    assert counts(circle)["LedgerWanted"] <= 4
    assert circle["ann"].job.ledger.vector()[-2:] != circle["bob"].job.ledger.vector()[-2:]
    assert (circle.id_of("ann"), 509, 0) in circle["ann"].job.ledger


def test_no_more_is_remembered_of_what_was_refused_than_there_can_be_feeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.comparing.FEEDS_MAX", 1)
    circle = shared()
    comparing, job, bob = circle["ann"].jobs.comparing, circle["ann"].job, circle.id_of("bob")

    for segment in ((bob, 7, 3), (bob, 8, 5), (bob, 7, 4), (bob, 7, 2)):
        comparing.refused(job, bob, segment)

    assert wanted(job, bob).refused == ((bob, 7, 5),)


def test_after_a_while_the_same_two_exchange_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.comparing.REST_S", 5 * COMPARE_S)
    circle = shared()
    fork(circle, 3, 4)
    circle.run(2 * COMPARE_S)
    counts(circle)

    circle.run(5 * COMPARE_S)

    assert 2 <= counts(circle)["LedgerWanted"] <= 4


def test_a_fellow_that_is_back_may_have_another_history_and_is_shown_all() -> None:
    circle = shared()
    histories = fork(circle, 300, 3)
    circle.run(4 * COMPARE_S)
    bob = circle["bob"]
    bob.rows = {key: row for key, row in bob.rows.items() if key[1].find(histories[1][0].author) < 0}
    circle.kill("bob")
    circle.restart("bob")
    circle.meet("bob")

    circle.run(60.0)

    assert histories[0][-1].id in bob.job.ledger
    assert equal(circle, "ann", "bob")


def test_a_job_that_is_over_is_not_compared_for_ever_because_of_a_fork() -> None:
    circle = shared("cid")
    (author,) = (each for name, each in circle.partners.items() if name not in keepers(circle))
    fork(circle, 3, 30, author=author.jobs.desk.place.seed)
    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))

    circle.run(10 * COMPARE_S)
    counts(circle)
    circle.run(30 * COMPARE_S)

    assert not counts(circle)
