"""Ledgers: feeds are chains, merging is a union."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.codec import encode
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.ledger import (
    FIRST,
    Entry,
    ForkError,
    FullLedgerError,
    Ledger,
    Segment,
    StatementKind,
    segment_digest,
)
from pnode.protocol.signed import Kind, sign

from .ledgers import CLUSTER, CRYPTO, JOB, NODES, SEEDS, statement

STARTED = statement(StatementKind.STARTED)


def feed(author: int, length: int, boot: int = 1) -> list[Entry]:
    ledger = Ledger(JOB)
    return [
        ledger.write(CRYPTO, CLUSTER, SEEDS[author], boot, (replace(STARTED, at_s=float(n)),)) for n in range(length)
    ]


def handmade(author: int, sequence: int, previous: bytes, job: JobId = JOB) -> Entry:
    segment = Segment(job, 1, sequence, previous, (STARTED,))
    signed = sign(CRYPTO, SEEDS[author], Kind.SEGMENT, CLUSTER, segment)
    return Entry(signed, segment, segment_digest(signed))


def test_merging_twice_changes_nothing() -> None:
    ledger = Ledger(JOB)
    [entry] = feed(0, 1)

    assert ledger.add(entry)
    assert not ledger.add(entry)
    assert len(ledger) == 1


def test_segments_may_come_in_any_order_and_the_vector_counts_up_to_the_first_gap() -> None:
    ledger = Ledger(JOB)
    first, second, third = feed(0, 3)

    ledger.add(third)
    assert ledger.vector() == ((NODES[0], 1, 0),)
    ledger.add(first)
    assert ledger.vector() == ((NODES[0], 1, 1),)
    ledger.add(second)
    assert ledger.vector() == ((NODES[0], 1, 3),)


def test_two_segments_in_one_place_are_a_fork() -> None:
    ledger = Ledger(JOB)
    ledger.add(handmade(0, 0, FIRST))
    other = feed(0, 1)[0]

    with pytest.raises(ForkError, match="two different segments"):
        ledger.add(other)


def test_a_segment_that_does_not_follow_its_predecessor_is_refused() -> None:
    ledger = Ledger(JOB)
    ledger.add(feed(0, 1)[0])

    with pytest.raises(ForkError, match="does not follow"):
        ledger.add(handmade(0, 1, b"x" * 32))


def test_a_segment_that_its_successor_does_not_follow_is_refused() -> None:
    ledger = Ledger(JOB)
    ledger.add(feed(0, 2)[1])

    with pytest.raises(ForkError, match="segment 1 does not follow"):
        ledger.add(handmade(0, 0, FIRST))


def test_a_first_segment_has_no_predecessor() -> None:
    with pytest.raises(ForkError, match="names a predecessor"):
        Ledger(JOB).add(handmade(0, 0, b"x" * 32))


def test_a_segment_of_another_job_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="another job"):
        Ledger(JOB).add(handmade(0, 0, FIRST, JobId(b"k" * 16)))


def test_a_restarted_author_begins_a_feed_of_its_own() -> None:
    ledger = Ledger(JOB)
    ledger.add(feed(0, 1, boot=1)[0])
    ledger.add(feed(0, 1, boot=2)[0])

    assert ledger.vector() == ((NODES[0], 1, 1), (NODES[0], 2, 1))


def test_a_full_ledger_takes_in_no_more_feeds_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(JOB)
    first, second = feed(0, 2)
    ledger.add(first)
    monkeypatch.setattr("pnode.protocol.ledger.FEEDS_MAX", 1)

    with pytest.raises(FullLedgerError, match="1 feeds"):
        ledger.add(feed(0, 1, boot=2)[0])
    assert ledger.add(second)


def test_there_is_always_room_for_what_is_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(JOB)
    monkeypatch.setattr("pnode.protocol.ledger.SEGMENTS_MAX", 0)
    monkeypatch.setattr("pnode.protocol.ledger.FEEDS_MAX", 0)

    entry = ledger.write(CRYPTO, CLUSTER, SEEDS[0], 1, (statement(StatementKind.CANCELLED),))

    assert entry.id in ledger


def test_a_full_ledger_refuses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(JOB)
    first, second = feed(0, 2)
    ledger.add(first)
    monkeypatch.setattr("pnode.protocol.ledger.SEGMENTS_MAX", 1)

    with pytest.raises(RemoteProtocolError, match="full"):
        ledger.add(second)
    with pytest.raises(RemoteProtocolError, match="full"):
        ledger.add(feed(1, 1)[0])
    assert ledger.vector() == ((NODES[0], 1, 1),)


def test_beyond_a_vector_is_exactly_what_its_owner_lacks() -> None:
    whole, part = Ledger(JOB), Ledger(JOB)
    entries = [*feed(0, 3), *feed(1, 2)]
    for entry in entries:
        whole.add(entry)
    for entry in entries[:2]:
        part.add(entry)

    for entry in whole.beyond(part.vector()):
        part.add(entry)

    assert part.vector() == whole.vector()
    assert [entry.id for entry in part] == [entry.id for entry in whole]


def test_a_ledger_knows_what_it_holds() -> None:
    ledger = Ledger(JOB)
    [entry] = feed(0, 1)
    ledger.add(entry)

    assert entry.id in ledger
    assert ledger[entry.id] is entry
    assert (NodeId(NODES[1]), 1, 0) not in ledger
    assert encode(entry.segment) == entry.signed.body


@given(st.randoms(use_true_random=False))
def test_any_order_of_merging_gives_the_same_ledger(rng: random.Random) -> None:
    entries = [*feed(0, 4), *feed(1, 3), *feed(2, 1)]
    shuffled = entries[:]
    rng.shuffle(shuffled)
    ledger = Ledger(JOB)
    for entry in [*shuffled, *shuffled[:3]]:
        ledger.add(entry)

    assert [entry.id for entry in ledger] == [entry.id for entry in sorted(entries, key=lambda entry: entry.id)]
