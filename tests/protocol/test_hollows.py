"""Hollows: runs of segments of which only the places count, and ledgers that have some."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.hollows import Changes, Hollows, Run
from pnode.protocol.ledger import FIRST, Entry, ForkError, FullLedgerError, Ledger, SegmentId
from pnode.protocol.ledger import StatementKind as K

from .ledgers import CLUSTER, CRYPTO, JOB, NODES, SEEDS, statement

FEED = (NODES[0], 1)


def entries(length: int, author: int = 0, first_at_s: float = 0.0) -> list[Entry]:
    ledger = Ledger(JOB)
    said = [replace(statement(K.STARTED), at_s=first_at_s + at) for at in range(length)]
    return [ledger.write(CRYPTO, CLUSTER, SEEDS[author], 1, (each,)) for each in said]


SIX = entries(6)


def ledger_of(*made: Entry, hollow: tuple[int, ...] = ()) -> Ledger:
    ledger = Ledger(JOB)
    for entry in made:
        ledger.add(entry)
    ledger.hollow((*FEED, sequence) for sequence in hollow)
    return ledger


def runs(ledger: Ledger) -> list[tuple[int, int]]:
    return [(run.first, run.count) for _, run in ledger.runs()]


def run_of(*sequences: int) -> Run:
    [(_, run)] = ledger_of(*SIX, hollow=sequences).runs()
    return run


def all_void(segment: SegmentId) -> bool:
    return True


def run(first: int, count: int) -> Run:
    return Run(first, count, 1 << first, bytes([first]), bytes([first + count]))


def test_a_place_is_in_a_run_or_not() -> None:
    hollows = Hollows()
    for each in (run(2, 3), run(8, 1)):
        hollows.put(each, {})

    assert [sequence for sequence in range(10) if hollows.find(sequence) is not None] == [2, 3, 4, 8]


def test_neighbours_become_one() -> None:
    hollows, changes = Hollows(), Changes()
    for each in (run(0, 2), run(3, 2), run(2, 1)):
        hollows.put(each, changes)

    [one] = hollows
    assert (one.first, one.count, one.fingerprint) == (0, 5, 0b1101)
    assert (one.previous, one.last) == (bytes([0]), bytes([5]))
    assert changes == {0: one, 3: None, 2: None} or changes == {0: one, 3: None}


def test_a_longer_run_takes_the_place_of_those_in_it() -> None:
    hollows, changes = Hollows(), Changes()
    for each in (run(1, 1), run(3, 1), run(6, 1)):
        hollows.put(each, {})
    assert hollows.within(0, 3) == [run(1, 1)]
    assert hollows.within(0, 6) == [run(1, 1), run(3, 1)]
    hollows.put(run(0, 5), changes)

    assert list(hollows) == [run(0, 5), run(6, 1)]
    assert changes == {0: run(0, 5), 1: None, 3: None}


def test_a_run_that_lies_there_with_a_part_only_is_in_the_way() -> None:
    hollows = Hollows()
    hollows.put(run(2, 4), {})

    assert hollows.within(0, 3) is None
    assert hollows.within(4, 9) is None
    assert hollows.within(2, 6) == [run(2, 4)]
    assert hollows.within(6, 9) == hollows.within(0, 2) == []


def test_a_hollow_segment_counts_as_there() -> None:
    whole, ledger = ledger_of(*SIX), ledger_of(*SIX, hollow=(1, 2))

    assert (len(ledger), ledger.vector(), ledger.fingerprint()) == (6, whole.vector(), whole.fingerprint())
    assert SIX[1].id in ledger
    assert ledger.get(SIX[1].id) is None
    assert ledger.get(SIX[0].id) == SIX[0]
    assert list(ledger) == [SIX[0], *SIX[3:]]
    assert not ledger.add(SIX[1])
    assert ledger.is_whole_up_to(SIX[5].id)
    assert ledger.ends(NODES[0]) == [SIX[5]]
    assert [entry.id[2] for entry in ledger.beyond(())] == [0, 3, 4, 5]


def test_what_changes_in_the_journal_is_told_feed_by_feed() -> None:
    other = entries(2, author=1)
    ledger = ledger_of(*SIX, *other, hollow=(1, 3))

    changes = ledger.hollow([SIX[2].id, other[0].id])

    assert {feed: sorted(each) for feed, each in changes.items()} == {FEED: [1, 2, 3], (NODES[1], 1): [0]} or {
        feed: sorted(each) for feed, each in changes.items()
    } == {FEED: [1, 3], (NODES[1], 1): [0]}
    assert changes[FEED][3] is None
    kept = changes[FEED][1]
    assert kept is not None
    assert (kept.first, kept.count) == (1, 3)


def test_an_author_goes_on_after_hollow_segments() -> None:
    ledger = ledger_of(*SIX, hollow=(0, 1, 2, 3, 4))

    entry = ledger.write(CRYPTO, CLUSTER, SEEDS[0], 1, (statement(K.DROPPED),))

    assert (entry.segment.sequence, entry.segment.previous) == (6, SIX[5].digest)
    assert ledger.is_followed(SIX[5].id)
    assert not ledger.is_followed(entry.id)


def test_forks_are_found_beside_a_run() -> None:
    others = entries(6, first_at_s=100.0)
    late, early = ledger_of(*SIX[:4], hollow=(1, 2)), ledger_of(*SIX[2:], hollow=(2, 3))
    late.adopt(FEED, run_of(3), all_void)
    late.adopt(FEED, run_of(4), all_void)

    with pytest.raises(ForkError, match="segment 5 does not follow"):
        late.add(others[5])
    with pytest.raises(ForkError, match="segment 2 does not follow"):
        early.add(others[1])
    assert late.add(SIX[5])
    assert early.add(SIX[1])


def test_runs_that_are_lacking_are_adopted() -> None:
    ledger = ledger_of(SIX[5])

    changes, replaced = ledger.adopt(FEED, run_of(0, 1, 2, 3, 4), all_void)

    assert list(changes) == [0]
    assert not replaced
    assert ledger.vector() == ((NODES[0], 1, 6),)
    assert ledger.fingerprint() == ledger_of(*SIX).fingerprint()
    assert (len(ledger), runs(ledger)) == (6, [(0, 5)])
    assert ledger.adopt(FEED, run_of(0, 1, 2, 3, 4), all_void) == ({}, [])


def test_what_is_here_and_not_void_is_not_replaced() -> None:
    ledger = ledger_of(SIX[1], SIX[5])

    assert ledger.adopt(FEED, run_of(0, 1, 2, 3, 4), lambda segment: segment != SIX[1].id) == ({}, [])
    assert list(ledger) == [SIX[1], SIX[5]]
    _, replaced = ledger.adopt(FEED, run_of(0, 1, 2, 3, 4), all_void)

    assert replaced == [SIX[1]]
    assert ledger.fingerprint() == ledger_of(*SIX).fingerprint()


def test_runs_of_ones_own_in_a_longer_one_are_replaced_and_others_are_in_the_way() -> None:
    ledger = ledger_of(*SIX[1:3], SIX[5], hollow=(1, 2))

    assert ledger.adopt(FEED, run_of(2, 3), all_void) == ({}, [])
    changes, _ = ledger.adopt(FEED, run_of(0, 1, 2, 3, 4), all_void)

    assert changes[1] is None
    assert runs(ledger) == [(0, 5)]
    assert ledger.fingerprint() == ledger_of(*SIX).fingerprint()


def test_who_has_no_segment_of_a_feed_can_tell_nobody_its_end() -> None:
    ledger = Ledger(JOB)
    ledger.adopt(FEED, run_of(0, 1, 2), all_void)

    assert ledger.ends(NODES[0]) == []
    assert ledger.vector() == ((NODES[0], 1, 3),)


def test_a_run_that_contradicts_what_is_here_is_refused() -> None:
    bad = replace(run_of(1, 2), last=bytes(32))

    with pytest.raises(ForkError):
        ledger_of(SIX[0], SIX[3]).adopt(FEED, bad, all_void)
    with pytest.raises(ForkError):
        ledger_of(SIX[0]).adopt(FEED, replace(bad, previous=bytes(32)), all_void)
    with pytest.raises(ForkError):
        Ledger(JOB).adopt(FEED, replace(run_of(0), previous=bytes([1]) * 32), all_void)


def test_a_run_that_nobody_can_keep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    good, full = run_of(0, 1, 2), ledger_of(*entries(3, author=1))
    monkeypatch.setattr("pnode.protocol.ledger.SEGMENTS_MAX", 5)

    for count in (0, 6, 2**32 - 1):
        with pytest.raises(RemoteProtocolError, match="a run of"):
            Ledger(JOB).adopt(FEED, replace(good, count=count), all_void)
    with pytest.raises(RemoteProtocolError, match="full"):
        full.adopt(FEED, good, all_void)


def test_what_is_hollow_takes_no_room_from_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    hollowed, adopted = ledger_of(*SIX, hollow=(0, 1, 3)), ledger_of(SIX[0])
    adopted.adopt(FEED, run_of(0, 1, 2), all_void)
    others = entries(7, author=1)
    monkeypatch.setattr("pnode.protocol.ledger.SEGMENTS_MAX", 6)

    assert all(hollowed.add(each) for each in others[:3])
    with pytest.raises(FullLedgerError):
        hollowed.add(others[3])
    assert all(adopted.add(each) for each in others[:6])
    with pytest.raises(FullLedgerError):
        adopted.add(others[6])


def test_a_run_is_told_with_the_segment_that_follows_it() -> None:
    ledger = ledger_of(*SIX, hollow=(0, 1, 3))

    assert [ledger.run_before(SIX[at].id) for at in (2, 4, 5)] == [run_of(0, 1), run_of(3), None]
    assert ledger.follower(SIX[0].id) == SIX[2]
    assert ledger.follower(SIX[2].id) is None
    assert next(each.previous for _, each in ledger.runs()) == FIRST


def test_what_follows_a_run_proves_its_length_and_nothing_else_does() -> None:
    ledger = ledger_of(SIX[3])

    assert ledger.proves(FEED, run_of(0, 1, 2))
    assert ledger.proves(FEED, run_of(1, 2))
    assert not ledger.proves(FEED, run_of(0, 1))
    assert not ledger.proves(FEED, run_of(0, 1, 2, 3))
    assert not ledger.proves(FEED, replace(run_of(0, 1, 2), last=bytes(32)))
    assert not ledger.proves((NODES[1], 1), run_of(0, 1, 2))


def test_a_run_proves_what_it_follows() -> None:
    ledger = ledger_of(*SIX[3:], hollow=(3, 4))

    assert ledger.proves(FEED, run_of(0, 1, 2))
    assert not ledger.proves(FEED, replace(run_of(0, 1, 2), last=bytes(32)))
    assert not ledger.proves(FEED, run_of(1, 2, 3))


@given(st.lists(st.integers(0, 4), max_size=5, unique=True), st.sets(st.integers(0, 5)), st.randoms())
def test_in_whatever_order_it_comes_the_ledger_is_the_same(
    hollow: list[int], first: set[int], rng: random.Random
) -> None:
    teller = ledger_of(*SIX, hollow=tuple(hollow))
    ledger = ledger_of(*(SIX[at] for at in sorted(first)))
    news: list[Entry | Run] = [*teller.beyond(()), *(each for _, each in teller.runs())]
    rng.shuffle(news)

    for each in news:
        if isinstance(each, Entry):
            ledger.add(each)
        else:
            ledger.adopt(FEED, each, all_void)

    assert ledger.fingerprint() == teller.fingerprint()
    assert ledger.vector() == teller.vector()
    assert len(ledger) == 6
