from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol import broadcast
from pnode.protocol.broadcast import CROWD, CROWD_LIMIT, MISFITS_MAX, Broadcasts, retransmit_limit


@pytest.mark.parametrize(
    ("members", "limit"), [(1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12), (1000, 16), (10_000, 20)]
)
def test_the_number_of_transmissions_is_memberlists(members: int, limit: int) -> None:
    assert retransmit_limit(4, members) == limit


def test_each_piece_is_sent_so_many_times_and_then_forgotten() -> None:
    queue: Broadcasts[str] = Broadcasts()
    queue.put("x", "piece", 10)
    taken = [queue.take(100, 10, 3) for _ in range(4)]

    assert taken == [["piece"], ["piece"], ["piece"], []]
    assert len(queue) == 0


def test_in_a_crowd_a_piece_is_forgotten_sooner_and_afterwards_as_ever() -> None:
    queue: Broadcasts[int] = Broadcasts()
    for number in range(5 * CROWD):
        queue.put(number, number, 10)
    taken: Counter[int] = Counter()
    while len(queue):
        taken.update(queue.take(100, 10, 12))

    told = Counter(taken.values())
    assert set(told) == {CROWD_LIMIT, 12}
    assert told[12] <= CROWD


def test_what_was_sent_least_goes_first_and_then_what_has_waited_longest() -> None:
    queue: Broadcasts[str] = Broadcasts()
    queue.put("a", "a", 10)
    queue.put("b", "b", 10)
    assert queue.take(10, 10, 5) == ["a"]
    queue.put("c", "c", 10)

    assert queue.take(30, 10, 5) == ["b", "c", "a"]


def test_a_newer_piece_about_a_subject_replaces_the_older() -> None:
    queue: Broadcasts[str] = Broadcasts()
    queue.put("x", "old", 10)
    assert queue.take(100, 10, 5) == ["old"]
    queue.put("x", "new", 10)

    assert len(queue) == 1
    assert queue.take(100, 10, 2) == ["new"]
    assert queue.take(100, 10, 2) == ["new"]
    assert queue.take(100, 10, 2) == []


def test_a_dropped_subject_is_not_mentioned_again() -> None:
    queue: Broadcasts[str] = Broadcasts()
    queue.put("x", "piece", 10)
    queue.drop("x")
    queue.drop("y")

    assert queue.take(100, 10, 5) == []


def test_pieces_share_the_room_and_smaller_ones_pass_those_that_do_not_fit() -> None:
    queue: Broadcasts[str] = Broadcasts()
    for name, size_bytes in (("big", 80), ("bigger", 90), ("small", 20)):
        queue.put(name, name, size_bytes)

    assert queue.take(100, 10, 5) == ["big", "small"]
    assert queue.take(100, 10, 5) == ["bigger"]
    assert queue.take(200, 1, 5) == ["big"]


def test_the_search_for_something_that_fits_is_bounded() -> None:
    queue: Broadcasts[int] = Broadcasts()
    for number in range(MISFITS_MAX):
        queue.put(number, number, 50)
    queue.put("small", -1, 1)

    assert queue.take(40, 10, 5) == []


def test_beyond_its_bound_the_queue_drops_what_was_sent_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "SUBJECTS_MAX", 3)
    queue: Broadcasts[str] = Broadcasts()
    queue.put("a", "a", 10)
    queue.take(10, 1, 5)
    for name in ("b", "c", "d"):
        queue.put(name, name, 10)

    assert len(queue) == 3
    assert queue.take(100, 10, 5) == ["b", "c", "d"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=40), st.integers(1, 5))
def test_whatever_is_queued_every_piece_is_sent_the_limit_and_no_packet_overflows(
    pieces: list[tuple[int, int]], limit: int
) -> None:
    queue: Broadcasts[tuple[int, int]] = Broadcasts()
    for subject, size_bytes in pieces:
        queue.put(subject, (subject, size_bytes), size_bytes)
    sent: dict[tuple[int, int], int] = {}
    while queue:
        packet = queue.take(60, 4, limit)
        assert packet
        assert sum(size_bytes for _, size_bytes in packet) <= 60
        assert len(packet) <= 4
        for piece in packet:
            sent[piece] = sent.get(piece, 0) + 1

    assert sent == dict.fromkeys(dict(pieces).items(), limit)
