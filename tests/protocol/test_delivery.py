"""Delivery: what is on its way, and when it is sent again."""

import math

from pnode.protocol.delivery import BATCH_MAX, RESEND_S, TRIES, Delivery
from pnode.protocol.ids import JobId, NodeId

A, B = NodeId(b"a" * 32), NodeId(b"b" * 32)
JOB, OTHER = JobId(b"j" * 16), JobId(b"o" * 16)


def name(number: int) -> tuple[NodeId, int, int]:
    return (A, 1, number)


def test_an_offer_is_sent_once_and_again_until_it_has_arrived() -> None:
    delivery = Delivery()
    delivery.offer(B, JOB, name(0), 0.0)

    assert delivery.collect(0.0) == [(B, JOB, [name(0)])]
    assert delivery.collect(0.1) == []
    assert delivery.deadline == RESEND_S
    assert delivery.collect(RESEND_S) == [(B, JOB, [name(0)])]
    delivery.arrived(B, JOB, (name(0),))
    assert delivery.deadline == math.inf
    assert delivery.collect(1e9) == []


def test_the_pauses_double_and_end_after_some_tries() -> None:
    delivery, now = Delivery(), 0.0
    delivery.offer(B, JOB, name(0), now)
    pauses = []
    while delivery.deadline < math.inf:
        pauses.append(delivery.deadline - now)
        now = delivery.deadline
        delivery.collect(now)

    assert pauses == [0.0, *(RESEND_S * 2**n for n in range(TRIES - 1))]
    assert delivery.pending(B, JOB) == 1


def test_a_peer_that_is_back_gets_what_it_has_not_confirmed() -> None:
    delivery = Delivery()
    delivery.offer(B, JOB, name(0), 0.0)
    delivery.collect(0.0)

    delivery.again(B, 0.5)

    assert delivery.collect(0.5) == [(B, JOB, [name(0)])]


def test_offering_twice_is_offering_once() -> None:
    delivery = Delivery()
    delivery.offer(B, JOB, name(0), 0.0)
    delivery.offer(B, JOB, name(0), 0.0)

    assert delivery.collect(0.0) == [(B, JOB, [name(0)])]


def test_a_forgotten_peer_or_job_gets_nothing() -> None:
    delivery = Delivery()
    for peer in (A, B):
        for job in (JOB, OTHER):
            delivery.offer(peer, job, name(0), 0.0)

    delivery.forget_peer(A)
    delivery.forget_job(JOB)

    assert delivery.collect(0.0) == [(B, OTHER, [name(0)])]


def test_large_offers_go_in_batches() -> None:
    delivery = Delivery()
    for number in range(BATCH_MAX + 1):
        delivery.offer(B, JOB, name(number), 0.0)

    assert [len(batch) for _, _, batch in delivery.collect(0.0)] == [BATCH_MAX, 1]


def test_arrivals_nobody_waits_for_are_ignored() -> None:
    delivery = Delivery()

    delivery.arrived(B, JOB, (name(0),))
    delivery.again(B, 0.0)

    assert delivery.deadline == math.inf
