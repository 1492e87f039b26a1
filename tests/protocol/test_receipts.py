"""Receipts: a submitter is told how many guard the job, when all do or when it has waited long enough."""

from dataclasses import replace

import pytest

from pnode.protocol.events import CancelJob
from pnode.protocol.jobmessages import Receipt
from pnode.protocol.jobspec import FileRef
from pnode.protocol.receipts import RECEIPT_S, RECEIPT_S_MAX, SLOW_BYTES_PER_S

from .partners import Circle, file, spec, task

INPUT = file("input")


def submitted(circle: Circle, *, replicas: int = 2, size_bytes: int = 5) -> int:
    circle.prefer("only", "ann")
    content = replace(INPUT, size_bytes=size_bytes)
    return circle.submit_unanswered("ann", spec(task("only"), files=(content,), replicas=replicas))


def numbers(receipt: Receipt) -> tuple[int, int]:
    return (receipt.guarded, receipt.wanted)


def test_the_receipt_comes_when_all_guardians_have_said_so() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    request = submitted(circle)

    circle.bring("bob", INPUT)
    assert request not in circle["ann"].replies
    circle.bring("cid", INPUT)

    assert numbers(circle.receipt("ann", request)) == (2, 2)
    assert circle.receipt("ann", request).job == circle["ann"].job.id


def test_the_job_does_not_wait_for_it() -> None:
    circle = Circle("ann", "bob", brings=False)

    submitted(circle)

    assert circle["ann"].running


def test_no_more_guardians_are_waited_for_than_there_are_other_members() -> None:
    circle = Circle("ann", "bob")

    request = submitted(circle, replicas=16)

    assert numbers(circle.receipt("ann", request)) == (1, 1)


def test_who_is_alone_is_told_so_at_once() -> None:
    circle = Circle("ann")

    request = submitted(circle)

    assert numbers(circle.receipt("ann", request)) == (0, 0)


@pytest.mark.parametrize(
    ("size_bytes", "wait_s"),
    [
        (0, RECEIPT_S),
        (int(SLOW_BYTES_PER_S), RECEIPT_S + 2.0),  # twice a second's worth
        (2**40, RECEIPT_S_MAX),
    ],
)
def test_nobody_waits_longer_than_the_inputs_need_at_a_slow_rate(size_bytes: int, wait_s: float) -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    request = submitted(circle, size_bytes=size_bytes)
    circle.bring("bob", FileRef(INPUT.name, size_bytes, INPUT.digest))

    circle.run(wait_s - 0.01)
    assert request not in circle["ann"].replies
    circle.run(0.01)

    assert numbers(circle.receipt("ann", request)) == (1, 2)


def test_a_guardian_that_dies_is_not_waited_for() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    request = submitted(circle)
    circle.bring("bob", INPUT)

    circle.kill("cid")

    assert numbers(circle.receipt("ann", request)) == (1, 1)


def test_a_job_that_is_over_before_it_is_guarded_is_not_waited_for() -> None:
    circle = Circle("ann", "bob", brings=False)
    request = submitted(circle)

    circle.ask("ann", lambda number: CancelJob(number, circle["ann"].job.id))

    assert numbers(circle.receipt("ann", request)) == (0, 1)
