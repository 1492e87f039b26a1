"""Mail: what nodes tell each other about jobs arrives whole, once and believed, or is asked for again."""

import math
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.protocol.delivery import RESEND_S, RESEND_S_MAX
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import JobId
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Deliver, Delivered, LedgerShown, LedgerWanted, SpecWanted
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import ForkError, Ledger, Statement, StatementKind
from pnode.protocol.mail import CONFIRM_S
from pnode.protocol.signed import BadSignatureError, Signed

from .ledgers import statement
from .members import CLUSTER
from .partners import Circle, file, spec, task

M = TypeVar("M")

ACCEPTED, STARTED, ASSIGNED = StatementKind.ACCEPTED, StatementKind.STARTED, StatementKind.ASSIGNED

ALONE = spec(task("only"))
CHAIN = spec(task("first", "second"), task("second"))


def alone(*others: str) -> Circle:
    """bob runs ann's only task."""
    circle = Circle("ann", "bob", *others)
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.take()
    circle.frames.clear()
    return circle


def feed(circle: Circle, name: str, *batches: tuple[Statement, ...], boot: int = 99) -> list[Signed]:
    """A feed of a partner's words, a segment per batch."""
    ledger, seed = Ledger(circle["ann"].job.id), circle[name].jobs.desk.place.seed
    return [ledger.write(circle.crypto, CLUSTER, seed, boot, batch).signed for batch in batches]


def told(circle: Circle, sender: str, receiver: str, kind: type[M]) -> list[M]:
    """The messages of one kind that went one way since the last time; forgets the rest."""
    frames, circle.frames = circle.frames, []
    between = [message for one, other, message in frames if (one, other) == (sender, receiver)]
    return [message for message in between if isinstance(message, kind)]


def facts(job: Job) -> object:
    """All that a node knows of a job's attempts."""
    return {key: sorted(map(repr, unit.attempts.values())) for key, unit in sorted(job.state.units.items())}


# The specification.


def test_the_specification_goes_once_to_each_who_does_not_have_it() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")

    circle.submit("ann", CHAIN)
    circle.end("bob", "first")

    deliveries = [(one, other, message) for one, other, message in circle.frames if isinstance(message, Deliver)]
    assert [(one, other) for one, other, message in deliveries if message.spec is not None] == [
        ("ann", "bob"),
        ("bob", "cid"),
        ("ann", "cid"),  # at the same moment
    ]
    assert circle["cid"].job.spec == CHAIN


def test_who_does_not_know_the_job_asks_for_it_and_then_knows_what_was_said() -> None:
    circle = alone("cid")
    job = circle["ann"].job
    job.informed[circle.id_of("cid")] = None  # it has forgotten

    circle["ann"].jobs.desk.show(job, circle.id_of("cid"), (0, 0), (1, circle.id_of("bob")))
    circle.settle()

    assert circle.take() == [
        "ann > cid: (bob: ACCEPTED only#1, STARTED only#1)",
        "cid > ann: SpecWanted",
        "ann > cid: (bob: ACCEPTED only#1, STARTED only#1)",
    ]
    assert (1, circle.id_of("bob")) in circle["cid"].job.state.unit((0, 0)).attempts
    assert circle.is_quiet()


def test_an_origin_that_has_forgotten_its_job_is_told_of_it() -> None:
    circle = alone()
    circle.crash("ann")
    circle["ann"].rows.clear()
    circle.restart("ann")

    circle.end("bob", "only")
    circle.run(RESEND_S)

    assert circle["ann"].job.spec == ALONE
    assert circle["ann"].job.state.unit((0, 0)).result is not None


def test_a_job_that_is_not_known_is_not_explained() -> None:
    circle = alone("cid")

    circle.say("bob", "cid", SpecWanted(circle["ann"].job.id))
    circle.say("bob", "cid", LedgerWanted(circle["ann"].job.id, ()))
    circle.say("bob", "cid", Delivered(circle["ann"].job.id, ()))

    assert circle.is_quiet()


def test_a_specification_under_another_name_is_refused() -> None:
    circle = alone("cid")

    with pytest.raises(RemoteProtocolError, match="does not have the name it was sent under"):
        circle.say("ann", "cid", Deliver(b"?" * 16, (), circle["ann"].job.signed))

    assert not circle["cid"].jobs.desk.jobs


# Segments.


def test_what_was_said_twice_happened_once() -> None:
    circle = alone()
    (signed,) = feed(circle, "ann", (statement(ASSIGNED, node=circle.id_of("bob")),))

    for _ in range(2):
        circle.say("ann", "bob", Deliver(circle["ann"].job.id, (signed, signed), None))

    assert (
        told(circle, "bob", "ann", Delivered)
        == [Delivered(circle["ann"].job.id, ((circle.id_of("ann"), 99, 0),))] * 2
    )
    assert len(circle["bob"].running) == 1


def test_a_forged_segment_changes_nothing() -> None:
    circle = alone()
    (signed,) = feed(circle, "ann", (statement(ACCEPTED, attempt=2),))
    forged = replace(signed, author=circle.id_of("bob"))
    before = facts(circle["ann"].job)

    with pytest.raises(BadSignatureError):
        circle.say("bob", "ann", Deliver(circle["ann"].job.id, (forged,), None))

    assert facts(circle["ann"].job) == before
    assert circle.is_quiet()


def test_what_came_before_a_forged_segment_in_a_message_counts() -> None:
    circle = alone()
    good, bad = feed(
        circle, "bob", (statement(ASSIGNED, attempt=2, node=circle.id_of("ann")),), (statement(STARTED),)
    )

    with pytest.raises(BadSignatureError):
        circle.say("bob", "ann", Deliver(circle["ann"].job.id, (good, replace(bad, signature=bytes(64))), None))
    circle.settle()

    assert circle["ann"].job.state.unit((0, 0)).attempts[(2, circle.id_of("ann"))].phase != "assigned"


def test_a_segment_of_another_job_is_refused() -> None:
    circle = alone()
    seed = circle["bob"].jobs.desk.place.seed
    entry = Ledger(JobId(b"?" * 16)).write(circle.crypto, CLUSTER, seed, 99, (statement(STARTED),))

    with pytest.raises(RemoteProtocolError, match="about another job"):
        circle.say("bob", "ann", Deliver(circle["ann"].job.id, (entry.signed,), None))


def test_an_author_whose_certificate_is_not_here_yet_is_believed_when_it_is() -> None:
    circle = alone("cid")
    circle["ann"].near.uncertified.append(circle.id_of("cid"))

    circle.utter("cid", "ann", statement(STARTED, attempt=2))
    assert told(circle, "ann", "cid", Delivered) == []
    assert circle["bob"].running
    circle["ann"].near.uncertified.clear()
    circle.utter("cid", "ann", statement(STARTED, attempt=2))

    assert not circle["bob"].running


def test_a_replica_confirms_nothing_that_stands_after_a_gap_and_asks_for_what_is_missing() -> None:
    circle = alone()
    job = circle["ann"].job
    first, second = feed(circle, "bob", (statement(ACCEPTED),), (statement(STARTED),))

    circle.say("bob", "ann", Deliver(job.id, (second,), None))
    assert [message for one, _, message in circle.frames if one == "ann"] == [
        LedgerWanted(job.id, job.ledger.vector())
    ]
    circle.say("bob", "ann", Deliver(job.id, (first, second), None))

    assert told(circle, "ann", "bob", Delivered) == [
        Delivered(job.id, ((circle.id_of("bob"), 99, 0), (circle.id_of("bob"), 99, 1)))
    ]


def test_the_words_of_somebody_who_is_gone_come_with_what_it_was_certified_by() -> None:
    """Newcomers are told of nobody who is dead, and could not judge them."""
    circle = alone("dan")
    job, gone = circle["ann"].job, circle.id_of("bob")
    circle.crash("bob")
    circle.miss("bob")
    circle["dan"].near.uncertified.append(gone)
    circle["dan"].near.gone.clear()

    circle.say("ann", "dan", Deliver(job.id, tuple(entry.signed for entry in job.ledger.ends(gone)), job.signed))
    assert not circle["dan"].job.ledger.ends(gone)
    circle.say("dan", "ann", LedgerWanted(job.id, ()))

    assert circle["dan"].job.ledger.ends(gone)


def test_so_do_the_words_of_somebody_who_was_not_met_since_a_restart() -> None:
    """Whoever dies while a node is off is never known to it again."""
    circle = alone("dan")
    job, gone = circle["ann"].job, circle.id_of("bob")
    circle.crash("bob")
    circle["ann"].near.unknown.append(gone)
    circle["dan"].near.uncertified.append(gone)

    circle.say("dan", "ann", LedgerWanted(job.id, ()))

    assert circle["dan"].job.ledger.ends(gone)


def test_what_shows_whose_words_a_node_keeps_is_journaled_unless_it_has_met_the_author() -> None:
    circle = alone("dan")
    job, gone = circle["ann"].job, circle.id_of("bob")
    circle.crash("bob")
    circle.miss("bob")
    circle["dan"].near.uncertified.append(gone)
    circle["dan"].near.unknown.append(gone)

    circle.say("dan", "ann", LedgerWanted(job.id, ()))

    assert circle["dan"].rows[("credential", gone)] == b"credential"
    assert ("credential", gone) not in circle["ann"].rows


def test_a_gap_in_what_was_said_before_a_restart_is_asked_for_once_and_may_stay() -> None:
    circle = alone()
    job = circle["ann"].job
    _, second = feed(circle, "bob", (statement(ACCEPTED),), (statement(STARTED),))
    circle["bob"].jobs.desk.place = replace(circle["bob"].jobs.desk.place, boot=100)

    circle.say("bob", "ann", Deliver(job.id, (second,), None))

    assert "ann > bob: LedgerWanted" in circle.take()
    assert told(circle, "ann", "bob", Delivered) == [Delivered(job.id, ((circle.id_of("bob"), 99, 1),))]


def test_of_anothers_feed_a_replica_confirms_what_it_gets() -> None:
    circle = alone("cid")
    job = circle["ann"].job
    _, second = feed(circle, "bob", (statement(ACCEPTED),), (statement(STARTED),))

    circle.say("cid", "ann", Deliver(job.id, (second,), job.signed))

    assert told(circle, "ann", "cid", Delivered) == [Delivered(job.id, ((circle.id_of("bob"), 99, 1),))]


def test_who_is_no_replica_takes_what_it_gets() -> None:
    circle = alone()
    job = circle["ann"].job
    nobody = statement(ASSIGNED, attempt=2, node=b"x" * 32)
    _, second = feed(circle, "ann", (nobody,), (nobody,))

    circle.say("ann", "bob", Deliver(job.id, (second,), None))

    assert told(circle, "bob", "ann", Delivered) == [Delivered(job.id, ((circle.id_of("ann"), 99, 1),))]


def test_a_gap_is_filled_by_whoever_left_it() -> None:
    circle = alone()
    circle.deaf.append(("bob", "ann"))
    circle["bob"].jobs.desk.say(circle["bob"].job, statement(ACCEPTED), ())
    circle.settle()
    (lost,) = circle["bob"].job.ledger.ends(circle.id_of("bob"))
    circle["bob"].jobs.desk.delivery.arrived(circle.id_of("ann"), circle["bob"].job.id, (lost.id,))  # so it believes
    circle.deaf.clear()

    circle.end("bob", "only")

    assert circle["ann"].job.ledger.is_whole_up_to(lost.id)
    circle.run(RESEND_S)  # what stood behind the gap was not confirmed
    circle.take()
    assert circle.is_quiet()


def test_a_replica_that_hears_of_an_end_and_does_not_know_how_it_came_asks() -> None:
    circle = alone()
    circle.run(1.0)
    circle.end("bob", "only")
    circle.crash("ann", unsynced=True)  # that the task has finished, and that the job is over
    circle.take()

    circle.restart("ann")
    circle.meet("ann")

    assert circle["ann"].job.state.phase is Phase.DONE
    assert "ann > bob: LedgerWanted" in circle.take()
    assert circle.is_quiet()


def test_what_is_lost_on_the_way_is_sent_again() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.deaf.append(("ann", "bob"))
    circle.submit("ann", ALONE)
    circle.take()

    circle.deaf.clear()
    circle.run(RESEND_S)

    assert circle.take() == [
        "ann > bob: ASSIGNED only#1 to bob",
        "bob > ann: SpecWanted",  # that was lost, too
        "ann > bob: ASSIGNED only#1 to bob",
        "bob runs only#1",
        "bob > ann: ACCEPTED only#1, STARTED only#1",
    ]
    assert circle.is_quiet()


@pytest.mark.parametrize(("bytes_max", "messages"), [(1, 4), (10**6, 1)])
def test_much_goes_in_several_messages(bytes_max: int, messages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.mail.MESSAGE_BYTES", bytes_max)
    circle = alone("cid")
    circle.end("bob", "only")
    circle.frames.clear()

    circle.say("cid", "ann", LedgerWanted(circle["ann"].job.id, ()))

    deliveries = [message for one, other, message in circle.frames if (one, other) == ("ann", "cid")]
    assert len(deliveries) == messages
    assert circle["cid"].job.ledger.vector() == circle["ann"].job.ledger.vector()
    assert circle.deadline == math.inf


def test_whoever_asks_for_all_and_confirms_nothing_is_not_sent_it_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnode.protocol.delivery.SHOWN_MAX", 10)
    circle = alone("cid")
    job = circle["ann"].job
    for signed in feed(circle, "bob", *((statement(StatementKind.GUARDED, at_s=float(at)),) for at in range(100))):
        circle.say("bob", "ann", Deliver(job.id, (signed,), None))
    circle.frames.clear()
    circle.deaf.append(("ann", "cid"))

    for _ in range(50):
        circle.say("cid", "ann", LedgerWanted(job.id, ()))
    at_once = told(circle, "ann", "cid", Deliver)
    circle.run(300.0)
    later = told(circle, "ann", "cid", Deliver)

    assert [len(message.segments) for message in at_once] == [10]
    assert all(len(message.segments) <= 10 for message in later)
    assert sum(message.spec is not None for message in (*at_once, *later)) == 1
    assert len(later) <= 4 + 300 / RESEND_S_MAX
    circle.deaf.clear()
    circle.run(RESEND_S_MAX)
    assert circle["cid"].job.ledger.vector() == job.ledger.vector()


def test_only_what_is_lacking_is_sent() -> None:
    circle = alone("cid")
    job = circle["ann"].job
    vector = tuple(each for each in job.ledger.vector() if each[0] == circle.id_of("bob"))

    circle.say("cid", "ann", LedgerWanted(job.id, vector))

    assert circle.take()[0] == "ann > cid: ASSIGNED only#1 to bob"
    assert circle.is_quiet()


def test_who_asked_to_follow_gets_what_is_said_later() -> None:
    circle = alone("cid")
    job = circle["ann"].job
    circle.say("cid", "ann", LedgerWanted(job.id, (), follow=True))
    assert told(circle, "ann", "cid", LedgerShown) == [LedgerShown(job.id, job.signed, job.ledger.vector())]
    circle.take()

    circle.end("bob", "only")

    assert [line for line in circle.take() if line.startswith("ann > cid")] == [
        "ann > cid: (bob: FINISHED only#1)",
        "ann > cid: KEPT only#1, CONCLUDED",
    ]


def test_who_confirms_the_end_is_not_told_of_it_again() -> None:
    circle = alone()
    circle.end("bob", "only")
    circle.take()

    circle.utter("bob", "ann", statement(ACCEPTED, at_s=1.0))
    circle["ann"].job.informed_of_end.clear()
    assert circle.take() == []
    circle.say("bob", "ann", Delivered(circle["ann"].job.id, tuple(circle["ann"].job.endings)))
    circle.utter("bob", "ann", statement(ACCEPTED, at_s=2.0))

    assert circle.take() == []
    assert circle.is_quiet()


@settings(max_examples=30)  # each is a whole job
@given(order=st.randoms(use_true_random=False), cuts=st.lists(st.integers(1, 3), max_size=4))
def test_in_whatever_order_and_however_often_segments_come_they_say_the_same(order: Random, cuts: list[int]) -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    circle.prefer("first", "bob")
    circle.prefer("second", "cid")
    circle.submit("ann", CHAIN)
    circle.end("bob", "first", file("a"))
    circle.kill("bob")
    job = circle["ann"].job
    segments = [entry.signed for entry in job.ledger] * 2
    order.shuffle(segments)

    for size in (*cuts, len(segments)):
        batch, segments = segments[:size], segments[size:]
        circle.say("ann", "dan", Deliver(job.id, tuple(batch), job.signed))

    assert facts(circle["dan"].job) == facts(job)
    assert circle["dan"].job.ledger.vector() == job.ledger.vector()
    assert not circle["dan"].running


# What cannot be taken in.


def test_who_has_no_room_for_a_job_loses_no_session_and_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("bob", replace(ALONE, nonce=b"b" * 16))
    monkeypatch.setattr("pnode.protocol.register.JOBS_MAX", 1)
    circle.submit("ann", ALONE)
    assert len(circle["bob"].jobs.desk.jobs) == 1

    circle.say("ann", "bob", LedgerShown(circle["ann"].job.id, circle["ann"].job.signed, ()))
    assert len(circle["bob"].jobs.desk.jobs) == 1
    monkeypatch.undo()
    circle.run(RESEND_S)

    assert len(circle["bob"].jobs.desk.jobs) == 2


def test_what_there_is_no_room_for_is_nobodys_fault_and_offered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = alone()
    count = len(circle["ann"].job.ledger)
    monkeypatch.setattr("pnode.protocol.ledger.SEGMENTS_MAX", count)
    circle.frames.clear()

    circle.utter("bob", "ann", statement(STARTED))

    assert len(circle["ann"].job.ledger) == count
    assert not [each for _, _, each in circle.frames if isinstance(each, Delivered)]


def fork(circle: Circle) -> tuple[Signed, Signed]:
    """Two segments of bob's for the same place."""
    (one,) = feed(circle, "bob", (statement(STARTED),))
    (other,) = feed(circle, "bob", (statement(ACCEPTED),))
    return one, other


def test_a_forked_segment_is_not_taken_from_its_author() -> None:
    circle = alone()
    one, other = fork(circle)
    circle.say("bob", "ann", Deliver(circle["ann"].job.id, (one,), None))
    before = circle["ann"].job.ledger.fingerprint()

    with pytest.raises(ForkError):
        circle.say("bob", "ann", Deliver(circle["ann"].job.id, (other,), None))

    assert circle["ann"].job.ledger.fingerprint() == before


def test_whoever_passes_a_forked_segment_on_is_not_to_blame_but_it_does_not_count() -> None:
    circle = alone("cid")
    one, other = fork(circle)
    circle.say("bob", "ann", Deliver(circle["ann"].job.id, (one,), None))
    before = circle["ann"].job.ledger.fingerprint()

    circle.say("cid", "ann", Deliver(circle["ann"].job.id, (other,), circle["ann"].job.signed))

    assert circle["ann"].job.ledger.fingerprint() == before
    assert told(circle, "ann", "cid", Delivered) != []


def test_what_comes_one_after_the_other_is_confirmed_together() -> None:
    circle = alone()
    job, circle["ann"].jobs.mail.confirm_within_s = circle["ann"].job, CONFIRM_S
    first, second = feed(circle, "bob", (statement(ACCEPTED),), (statement(STARTED),))

    circle.say("bob", "ann", Deliver(job.id, (first,), None))
    circle.run(CONFIRM_S / 2)
    circle.say("bob", "ann", Deliver(job.id, (second,), None))
    before = told(circle, "ann", "bob", Delivered)
    circle.run(CONFIRM_S / 2)

    assert before == []
    assert told(circle, "ann", "bob", Delivered) == [
        Delivered(job.id, ((circle.id_of("bob"), 99, 0), (circle.id_of("bob"), 99, 1)))
    ]
