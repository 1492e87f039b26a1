"""Delivery: what is on its way, and when it is sent again."""

import math

from pnode.protocol.delivery import BATCH_MAX, RESEND_S, RESEND_S_MAX, Delivery
from pnode.protocol.ids import JobId, NodeId

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
