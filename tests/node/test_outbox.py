"""The outbox, a bounded queue with a peek."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.node.outbox import BATCH_BYTES, Outbox, OutboxFullError


def outbox(bytes_max: int = 100, messages_max: int = 10) -> Outbox:
    return Outbox(bytes_max, messages_max)


def test_what_is_looked_at_stays_until_it_is_dropped() -> None:
    box = outbox()
    for payload in (b"one", b"two", b"three"):
        box.put(payload)

    assert box.batch() == box.batch() == [b"one", b"two", b"three"]
    box.drop(2)
    assert box.batch() == [b"three"]
    assert len(box) == 1


def test_it_is_full_by_bytes_or_by_messages_and_says_how_full() -> None:
    by_bytes, by_messages = outbox(bytes_max=5), outbox(messages_max=1)
    by_bytes.put(b"1234")
    by_messages.put(b"")

    with pytest.raises(OutboxFullError, match="1 messages of 4 bytes wait"):
        by_bytes.put(b"56")
    with pytest.raises(OutboxFullError):
        by_messages.put(b"")
    by_bytes.put(b"5")


def test_what_was_dropped_or_cleared_makes_room() -> None:
    box = outbox(bytes_max=4)

    box.put(b"1234")
    box.drop(1)
    box.put(b"5678")
    box.clear()
    box.put(b"9abc")

    assert box.batch() == [b"9abc"]


def test_a_batch_is_bounded_but_never_empty_while_something_waits() -> None:
    box = Outbox(10 * BATCH_BYTES, 1000)
    half = bytes(BATCH_BYTES // 2)
    for payload in (bytes(2 * BATCH_BYTES), half, half, half):
        box.put(payload)

    first = box.batch()
    box.drop(1)

    assert [len(payload) for payload in first] == [2 * BATCH_BYTES]
    assert box.batch() == [half, half]


@given(payloads=st.lists(st.binary(max_size=30), max_size=20), drops=st.lists(st.integers(0, 5), max_size=20))
def test_everything_comes_out_once_and_in_order(payloads: list[bytes], drops: list[int]) -> None:
    box = outbox(1000, 1000)
    for payload in payloads:
        box.put(payload)

    out: list[bytes] = []
    for count in [*drops, len(payloads)]:
        batch = box.batch()[:count]
        box.drop(len(batch))
        out += batch

    assert out == payloads
