"""Delivery: what is on its way, and when it is sent again."""

import math

import pytest

from pnode.protocol.delivery import BATCH_MAX, RESEND_S, RESEND_S_MAX, SHOWN_FIRST, Delivery
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.ledger import Entry, Ledger, SegmentId, StatementKind

from .ledgers import CLUSTER, CRYPTO, SEEDS, statement

A, B = NodeId(b"a" * 32), NodeId(b"b" * 32)
JOB, OTHER = JobId(b"j" * 16), JobId(b"o" * 16)


def name(number: int) -> tuple[NodeId, int, int]:
    return (A, 1, number)


def offered(*numbers: int) -> Delivery:
    delivery = Delivery()
    for number in numbers:
        delivery.offer(B, JOB, name(number))
    return delivery


def test_an_offer_is_sent_once_and_again_until_it_has_arrived() -> None:
    delivery = offered(0)

    assert delivery.deadline == -math.inf
    assert delivery.collect(0.0) == [(B, JOB, [name(0)])]
    assert delivery.collect(0.1) == []
    assert delivery.deadline == RESEND_S
    assert delivery.collect(RESEND_S) == [(B, JOB, [name(0)])]
    delivery.arrived(B, JOB, (name(0),))
    assert delivery.deadline == math.inf
    assert delivery.collect(1e9) == []


def test_what_the_peer_shows_it_has_not_goes_again_before_its_time() -> None:
    delivery = offered(0, 1)
    delivery.collect(0.0)

    delivery.offer(B, JOB, name(0))
    assert delivery.collect(0.1) == []
    delivery.offer(B, JOB, name(0), again=True)
    delivery.offer(B, JOB, name(0), again=True)

    assert delivery.collect(0.1) == [(B, JOB, [name(0)])]
    assert delivery.collect(RESEND_S) == [(B, JOB, [name(1)])]


def test_the_pauses_double_up_to_a_bound_and_never_end() -> None:
    delivery, now = offered(0), 0.0
    delivery.collect(now)
    pauses = []
    for _ in range(6):
        pauses.append(delivery.deadline - now)
        now = delivery.deadline
        delivery.collect(now)

    assert pauses == [RESEND_S, 2 * RESEND_S, 4 * RESEND_S, 8 * RESEND_S, RESEND_S_MAX, RESEND_S_MAX]


def test_what_the_peer_could_not_use_goes_again_at_once() -> None:
    delivery = offered(0, 1, 2)
    delivery.collect(0.0)
    delivery.arrived(B, JOB, (name(1),))

    delivery.again(B)

    assert delivery.collect(0.5) == [(B, JOB, [name(0), name(2)])]
    assert delivery.deadline == 0.5 + RESEND_S


def test_over_a_new_session_what_was_sent_only_once_is_given_its_time() -> None:
    delivery = offered(0)
    delivery.collect(0.0)
    delivery.collect(RESEND_S)
    delivery.offer(B, JOB, name(1))
    delivery.collect(RESEND_S)  # which may have been what the session was opened for
    delivery.offer(B, JOB, name(2))

    delivery.reconnected(A)  # nothing is on its way there
    delivery.reconnected(B)
    delivery.reconnected(B)

    assert delivery.collect(RESEND_S) == [(B, JOB, [name(2), name(0)])]
    assert delivery.deadline == 2 * RESEND_S


def test_offering_twice_is_offering_once() -> None:
    delivery = offered(0, 0)

    assert delivery.collect(0.0) == [(B, JOB, [name(0)])]


def test_what_has_arrived_before_it_was_sent_is_not_sent() -> None:
    delivery = offered(0, 1)

    delivery.arrived(B, JOB, (name(0),))

    assert delivery.collect(0.0) == [(B, JOB, [name(1)])]


def test_what_is_due_again_goes_with_what_is_new() -> None:
    delivery = offered(0)
    delivery.collect(0.0)
    delivery.offer(B, JOB, name(1))

    assert delivery.collect(RESEND_S) == [(B, JOB, [name(1), name(0)])]


def test_a_forgotten_peer_or_job_gets_nothing() -> None:
    delivery = Delivery()
    for peer in (A, B):
        for job in (JOB, OTHER):
            delivery.offer(peer, job, name(0))

    delivery.forget_peer(A)
    delivery.forget_job(JOB)

    assert delivery.collect(0.0) == [(B, OTHER, [name(0)])]


def test_a_job_forgotten_after_it_was_sent_is_not_sent_again() -> None:
    delivery = offered(0)
    delivery.collect(0.0)

    delivery.forget_job(JOB)

    assert delivery.deadline == math.inf


def test_large_offers_go_in_batches() -> None:
    delivery = offered(*range(BATCH_MAX + 1))

    assert [len(batch) for _, _, batch in delivery.collect(0.0)] == [BATCH_MAX, 1]


def test_arrivals_nobody_waits_for_are_ignored() -> None:
    delivery = offered(0)

    delivery.arrived(A, JOB, (name(0),))
    delivery.arrived(B, OTHER, (name(0),))
    delivery.again(A)

    assert delivery.collect(0.0) == [(B, JOB, [name(0)])]


# Whole ledgers.


@pytest.fixture
def little_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.delivery.SHOWN_MAX", 3)


def segments(count: int) -> list[Entry]:
    ledger = Ledger(JOB)
    return [ledger.write(CRYPTO, CLUSTER, SEEDS[0], 1, (statement(StatementKind.STARTED),)) for _ in range(count)]


EIGHT = segments(8)


def sent(delivery: Delivery, now: float) -> list[int]:
    return [sequence for _, _, batch in delivery.collect(now) for _, _, sequence in batch]


def names(*numbers: int) -> tuple[SegmentId, ...]:
    return tuple(EIGHT[number].id for number in numbers)


@pytest.mark.usefixtures("little_by_little")
def test_more_of_a_ledger_follows_when_the_peer_has_what_was_sent() -> None:
    delivery = Delivery()
    delivery.show(B, JOB, iter(EIGHT))

    assert sent(delivery, 0.0) == [0, 1, 2]
    delivery.arrived(B, JOB, names(0, 2))
    assert sent(delivery, 0.1) == [3, 4]
    delivery.arrived(B, JOB, names(1, 0))
    assert sent(delivery, 0.2) == [5]
    assert delivery.is_showing(B, JOB)
    delivery.arrived(B, JOB, names(3, 4, 5))
    assert sent(delivery, 0.3) == [6, 7]
    delivery.arrived(B, JOB, names(6, 7))

    assert not delivery.is_showing(B, JOB)
    assert delivery.deadline == math.inf


def test_large_segments_follow_each_other_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.delivery.SHOWN_MAX", SHOWN_FIRST)
    monkeypatch.setattr("pnode.protocol.delivery.SHOWN_BYTES", len(EIGHT[0].signed.body) + 1)
    delivery = Delivery()

    delivery.show(B, JOB, iter(EIGHT))

    assert sent(delivery, 0.0) == [0, 1]


def test_whoever_keeps_up_is_shown_more_at_a_time() -> None:
    delivery, entries = Delivery(), segments(8 * SHOWN_FIRST)
    delivery.show(B, JOB, iter(entries))
    counts = []
    for now in range(4):
        arriving = [segment for _, _, batch in delivery.collect(float(now)) for segment in batch]
        counts.append(len(arriving))
        delivery.arrived(B, JOB, tuple(arriving))

    assert counts == [SHOWN_FIRST, 2 * SHOWN_FIRST, 4 * SHOWN_FIRST, SHOWN_FIRST]


@pytest.mark.usefixtures("little_by_little")
def test_whoever_asks_again_and_has_confirmed_nothing_gets_the_beginning_when_that_is_due() -> None:
    delivery = Delivery()
    for now in (0.0, 0.1, 0.2):
        delivery.show(B, JOB, iter(EIGHT))
        assert sent(delivery, now) == ([0, 1, 2] if now == 0.0 else [])

    assert sent(delivery, RESEND_S) == [0, 1, 2]


@pytest.mark.usefixtures("little_by_little")
def test_what_it_lacks_then_takes_the_place_of_what_it_lacked_before() -> None:
    delivery = Delivery()
    delivery.show(B, JOB, iter(EIGHT))
    delivery.collect(0.0)

    delivery.show(B, JOB, iter(EIGHT[6:]))
    delivery.arrived(B, JOB, names(0, 1, 2))

    assert sent(delivery, 0.1) == [6, 7]


@pytest.mark.usefixtures("little_by_little")
def test_whoever_has_lost_what_came_before_is_shown_that_first() -> None:
    """It confirms nothing after a gap, and would wait for the beginning, and the beginning for its confirmation."""
    delivery = Delivery()
    delivery.show(B, JOB, iter(EIGHT[5:]))
    delivery.collect(0.0)

    delivery.show(B, JOB, iter(EIGHT))
    assert sent(delivery, 0.1) == [0, 1, 2]
    delivery.arrived(B, JOB, names(0, 1, 2))
    assert sent(delivery, RESEND_S) == [3, 4, 5]
    delivery.arrived(B, JOB, names(3, 4, 5))
    assert sent(delivery, RESEND_S) == [6, 7]
    delivery.arrived(B, JOB, names(6, 7))

    assert delivery.deadline == math.inf


def test_whoever_has_got_everything_meanwhile_is_shown_nothing_more() -> None:
    delivery = Delivery()
    delivery.show(B, JOB, iter(EIGHT))
    delivery.collect(0.0)

    delivery.show(B, JOB, iter(()))

    assert not delivery.is_showing(B, JOB)
    assert delivery.deadline == math.inf


@pytest.mark.usefixtures("little_by_little")
def test_what_a_peer_cannot_use_does_not_hold_up_the_rest() -> None:
    delivery, arrived = Delivery(), []
    delivery.show(B, JOB, iter(EIGHT))

    for now in range(8):
        arriving = [at for at in sent(delivery, now / 10) if at not in (0, 2)]
        arrived += arriving
        delivery.arrived(B, JOB, names(*arriving))

    assert arrived == [1, 3, 4, 5, 6, 7]
    assert sent(delivery, RESEND_S) == [0, 2]


@pytest.mark.usefixtures("little_by_little")
def test_what_is_offered_does_not_wait_for_what_is_shown() -> None:
    delivery = Delivery()
    delivery.show(B, JOB, iter(EIGHT))
    delivery.collect(0.0)

    delivery.offer(B, JOB, EIGHT[7].id)

    assert sent(delivery, 0.1) == [7]
    delivery.arrived(B, JOB, names(7))
    assert sent(delivery, 0.2) == []


def test_nobody_is_shown_nothing() -> None:
    delivery = offered(0)

    delivery.show(A, JOB, iter(()))
    delivery.show(B, JOB, iter(()))

    assert not delivery.is_showing(A, JOB)
    assert delivery.collect(0.0) == [(B, JOB, [name(0)])]


@pytest.mark.parametrize("forget", ["peer", "job"])
def test_of_what_is_forgotten_nothing_more_is_shown(forget: str) -> None:
    delivery = Delivery()
    delivery.show(B, JOB, iter(EIGHT))
    delivery.collect(0.0)

    if forget == "peer":
        delivery.forget_peer(B)
    else:
        delivery.forget_job(JOB)
    delivery.arrived(B, JOB, names(*range(8)))

    assert delivery.deadline == math.inf
