"""Feeds: a chain that is taken in in any order, the first of two histories, and no more work than is asked for."""

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.feed import Feed, ForkError
from pnode.protocol.hollows import Run
from pnode.protocol.segments import FIRST, Entry

from .ledgers import chain


def take(feed: Feed, *entries: Entry) -> None:
    for entry in entries:
        feed.check(entry)
        feed.put(entry)


def test_a_feed_goes_as_far_as_there_is_no_gap() -> None:
    feed, (first, second, third, fourth) = Feed(), chain(4)
    lengths = []
    for entry in (fourth, first, third, second):
        take(feed, entry)
        lengths.append(feed.whole)

    assert lengths == [0, 1, 1, 4]
    assert feed.last == fourth
    assert Feed().last is None


@pytest.mark.parametrize("common", [1, 2])
def test_what_continues_another_history_is_refused_like_its_beginning(common: int) -> None:
    feed, ours = Feed(), chain(4)
    others = chain(6, forks_at=common)
    take(feed, *ours)

    for _ in range(2):
        for entry in others[common:]:
            with pytest.raises(ForkError):
                feed.check(entry)

    assert list(feed.beyond(0)) == ours
    take(feed, chain(5)[4])


def test_a_run_that_nothing_follows_counts_and_leaves_nothing_to_be_shown() -> None:
    """As the journal of an earlier version may hold it."""
    feed, (first, second, third) = Feed(), chain(3)

    feed.adopt(Run(0, 2, first.fingerprint ^ second.fingerprint, FIRST, second.digest), [])

    assert feed.whole == 2
    assert feed.last is None
    assert list(feed.beyond(0)) == []
    take(feed, third)
    assert list(feed.beyond(0)) == [third]


class Counted(dict[int, Entry]):
    """Segments that count how often one is looked up, and may not be gone through."""

    looked_up = 0

    def get(self, key: int, default: object = None) -> Entry | None:  # type: ignore[override]
        self.looked_up += 1
        return super().get(key)

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("gone through")


def test_a_part_of_a_feed_costs_no_more_than_the_part() -> None:
    feed, entries = Feed(), chain(200)
    take(feed, *entries)
    feed.entries = counted = Counted(feed.entries)

    assert list(islice(feed.beyond(100), 5)) == entries[100:105]
    assert feed.last == entries[-1]
    assert counted.looked_up <= 10


@given(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 9), unique=True), st.integers(0, 10))
def test_beyond_a_place_is_all_from_there_on_whatever_is_missing_or_hollow(
    present: list[int], hollow: list[int], first: int
) -> None:
    feed, ten = Feed(), chain(10)
    take(feed, *(ten[at] for at in present))
    for at in sorted(hollow):
        if at in feed.entries and at + 1 in feed:
            feed.hollow(at, {})

    beyond = [entry.segment.sequence for entry in feed.beyond(first)]

    followers = [run.end for run in feed.hollows if run.end > first]
    assert sorted({*beyond}) == sorted({*(at for at in feed.entries if at >= first), *followers})
    assert beyond == sorted(beyond)
