"""Loads and links on their way."""

import dataclasses
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.codec import MalformedError, decode, encode
from pnode.protocol.gossip import DIRECT_STEP_BACK, LINKS_TURN, Figures, LinksHeard, LoadHeard
from pnode.protocol.ids import NodeId
from pnode.protocol.links import LINKS_PERIOD_S, LINKS_REFRESH_S, Links
from pnode.protocol.load import LOAD_QUIET_S, LOAD_REFRESH_S, Load
from pnode.protocol.roster import Happening, Member, Roster
from pnode.protocol.signed import Signed
from pnode.protocol.swim import (
    LINKS_MAX,
    PACKET_BYTES_MAX,
    PACKET_ROOM_BYTES,
    Aged,
    LinkCell,
    LinkNews,
    LinkRow,
    LoadDelta,
    LoadNews,
    read,
    seal,
)
from pnode.protocol.view import LinkFigure

from .members import START, record_of

NOW = START


def node(number: int) -> NodeId:
    return NodeId(number.to_bytes(4, "big") * 8)


def figures_of(me: int, others: list[int]) -> Figures:
    roster = Roster(node(me), Random(me), 30.0)
    for other in others:
        roster.add(Member(node(other), record_of(other), Signed(node(other), b"s" * 64, b""), 1, NOW))
    return Figures(roster, boot=1)


def say_load(figures: Figures, now: float, *, free_in_s: float = 2.5) -> None:
    figures.set_load(12.4, 55.6, 3, 7, free_in_s, 0.012, now)


def is_urgent(figures: Figures) -> bool:
    return figures.urgent


def taken(figures: Figures, now: float, limit: int = 4) -> tuple[list[Aged], list[Aged]]:
    loads: list[Aged] = []
    rows: list[Aged] = []
    for data in figures.take(PACKET_ROOM_BYTES, limit, now):
        message = read(data)
        if isinstance(message, LoadNews):
            loads += message.loads
        if isinstance(message, LinkNews):
            rows += message.rows
    return loads, rows


def delta(number: int, version: int, boot: int = 1) -> Aged:
    return Aged(encode(LoadDelta(node(number)[:8], boot, version, 10, 20, 1, 2, 3000, 4)), 0)


def test_a_load_is_heard_as_it_was_said_and_aged_by_every_hop() -> None:
    author, relay, reader = figures_of(1, [2, 3]), figures_of(2, [1, 3]), figures_of(3, [1, 2])
    say_load(author, NOW)
    (news,), _ = taken(author, NOW + 0.25)
    assert relay.hear_load(news, node(1), NOW + 100.0, spread=True) is not None  # its clock is another one
    (passed_on,), _ = taken(relay, NOW + 100.5)
    heard = reader.hear_load(passed_on, node(2), NOW + 7.0, spread=True)

    assert passed_on == Aged(news.body, 750)
    assert heard == LoadHeard(
        Load(
            node(1),
            boot=1,
            version=1,
            cpu_percent=12.0,
            memory_percent=56.0,
            running=3,
            queued=7,
            free_in_s=2.5,
            lag_s=0.012,
            measured_at=NOW + 7.0 - 0.75,
        )
    )
    assert reader.load_of(node(1)) == heard.load
    own = author.load_of(node(1))
    assert own is not None
    assert own.cpu_percent == 12.4


def test_own_loads_go_out_once_a_second_at_most_and_the_latest_counts() -> None:
    figures = figures_of(1, [2])
    assert not is_urgent(figures)
    say_load(figures, NOW, free_in_s=1.0)
    say_load(figures, NOW + 0.3, free_in_s=2.0)
    say_load(figures, NOW + 0.9, free_in_s=3.0)
    (news,), _ = taken(figures, NOW + 0.9)
    assert decode(LoadDelta, news.body).free_in_ms == 1000
    own = figures.load_of(node(1))
    assert own is not None
    assert own.free_in_s == 3.0
    say_load(figures, NOW + 1.0, free_in_s=4.0)

    (news,), _ = taken(figures, NOW + 1.0)
    assert (decode(LoadDelta, news.body).free_in_ms, decode(LoadDelta, news.body).version) == (4000, 2)


def test_what_changes_nothing_for_placement_is_said_less_often_and_what_changes_nothing_least() -> None:
    figures = figures_of(1, [2])
    said = []
    for second in range(100):
        cpu_percent = 90.0 if 50 <= second < 60 and second % 2 else 10.0
        figures.set_load(cpu_percent, 50.0, 0, 0, 0.0, 0.0, NOW + second)
        if taken(figures, NOW + second, limit=1)[0]:
            said.append(second)

    assert said == [0, LOAD_REFRESH_S, 51, 51 + LOAD_QUIET_S, 56 + LOAD_REFRESH_S]


def test_a_relay_passes_quiet_figures_on_but_not_at_once() -> None:
    figures = figures_of(3, [1, 2])
    figures.hear_load(delta(1, 5), node(1), NOW, spread=True)
    assert is_urgent(figures)
    while is_urgent(figures):
        taken(figures, NOW)
    again = Aged(encode(LoadDelta(node(1)[:8], 1, 6, 10, 20, 1, 2, 3000 - 2000, 4)), 0)
    figures.hear_load(again, node(1), NOW + 2.0, spread=True)

    assert not is_urgent(figures)
    assert taken(figures, NOW + 2.0)[0] == [again]


def test_news_that_has_not_reached_everybody_stays_urgent_when_it_is_said_again() -> None:
    figures = figures_of(3, [1, 2])
    figures.hear_load(delta(1, 5), node(1), NOW, spread=True)
    figures.hear_load(delta(1, 6), node(1), NOW, spread=True)

    assert is_urgent(figures)


def test_of_the_rows_of_a_node_only_the_first_is_urgent() -> None:
    figures = figures_of(1, [2])
    figures.set_links((LinkFigure(node(2), 0.001, 1e8, 0.5),), NOW)
    assert is_urgent(figures)
    taken(figures, NOW, limit=1)
    figures.set_links((LinkFigure(node(2), 0.1, 1e8, 0.5),), NOW + LINKS_PERIOD_S)

    assert not is_urgent(figures)
    assert len(taken(figures, NOW)[1]) == 1


def test_figures_beyond_what_the_wire_can_say_are_cut_off() -> None:
    figures, reader = figures_of(1, [2]), figures_of(2, [1])
    figures.set_load(900.0, -3.0, 10**6, 10**6, 1e9, 1e9, NOW)
    (news,), _ = taken(figures, NOW - 5.0)  # a clock that goes back is not our doing, but must not raise
    heard = reader.hear_load(news, node(1), NOW, spread=True)

    assert news.age_ms == 0
    assert heard is not None
    assert (heard.load.cpu_percent, heard.load.memory_percent) == (255.0, 0.0)
    assert (heard.load.running, heard.load.free_in_s) == (65_535, 4_294_967.295)


def test_a_figure_is_passed_on_so_many_times_and_a_known_one_is_not_heard_again() -> None:
    figures = figures_of(3, [1, 2])
    assert figures.hear_load(delta(1, 5), node(2), NOW, spread=True) is not None
    assert figures.hear_load(delta(1, 5), node(2), NOW + 9, spread=True) is None
    counts = [len(taken(figures, NOW, limit=3)[0]) for _ in range(5)]

    assert counts == [1, 1, 1, 0, 0]


def test_only_newer_figures_count() -> None:
    figures = figures_of(3, [1, 2])
    figures.hear_load(delta(1, 5), node(2), NOW, spread=True)

    assert figures.hear_load(delta(1, 4), node(2), NOW, spread=True) is None
    assert figures.hear_load(delta(1, 6), node(2), NOW, spread=True) is not None


def test_figures_of_strangers_of_ourselves_of_the_gone_and_of_earlier_lives_are_dropped() -> None:
    figures = figures_of(3, [1, 2])
    roster = figures._roster
    roster.turn(roster.members[node(2)], Happening.DEPARTED, NOW)

    assert figures.hear_load(delta(9, 1), node(1), NOW, spread=True) is None
    assert figures.hear_load(delta(3, 1), node(1), NOW, spread=True) is None
    assert figures.hear_load(delta(2, 1), node(1), NOW, spread=True) is None
    assert figures.hear_load(delta(1, 1, boot=7), node(1), NOW, spread=True) is None
    assert figures.hear_links(Aged(encode(LinkRow(node(9)[:8], 1, 1, ())), 0), node(1), NOW, spread=True) is None
    assert not is_urgent(figures)


def test_what_a_node_says_itself_beats_what_was_said_in_its_name() -> None:
    figures = figures_of(3, [1, 2])
    lie = 4_000_000
    figures.hear_load(delta(1, lie), node(2), NOW, spread=True)
    assert figures.hear_load(delta(1, lie - DIRECT_STEP_BACK + 1), node(1), NOW, spread=True) is None  # overtaken
    assert figures.hear_load(delta(1, 17), node(2), NOW, spread=True) is None
    heard = figures.hear_load(delta(1, 17), node(1), NOW, spread=True)

    assert heard is not None
    assert heard.load.version == 17
    (news,), _ = taken(figures, NOW)
    assert decode(LoadDelta, news.body).version == 17


@pytest.mark.parametrize("body", [b"", b"?", encode(LoadDelta(b"short", 1, 1, 1, 1, 1, 1, 1, 1))])
def test_a_malformed_figure_is_refused(body: bytes) -> None:
    figures = figures_of(3, [1])
    with pytest.raises(MalformedError):
        figures.hear_load(Aged(body, 0), node(1), NOW, spread=True)
    with pytest.raises(MalformedError):
        figures.hear_links(Aged(body, 0), node(1), NOW, spread=True)


def test_a_row_is_heard_as_it_was_said() -> None:
    author, reader = figures_of(1, [2, 3]), figures_of(3, [1, 2])
    row = (
        LinkFigure(node(2), 0.000_45, 1.25e8, 0.9),
        LinkFigure(node(3), 0.020_5, 0.0, 0.25),
        LinkFigure(node(9), 0.1, 1.0, 1.0),  # the reader does not know that source
    )
    author.set_links(row, NOW)
    _, (news,) = taken(author, NOW + 1.0)
    heard = reader.hear_links(news, node(1), NOW + 50.0, spread=True)

    assert heard == LinksHeard(Links(node(1), 1, row[:2], NOW + 49.0))
    assert reader.hear_links(news, node(1), NOW + 50.0, spread=True) is None
    _, (passed_on,) = taken(reader, NOW + 50.0)
    assert passed_on == Aged(news.body, 1000)


def test_the_slowest_link_ever_measured_is_not_taken_for_an_unmeasured_one() -> None:
    author, reader = figures_of(1, [2]), figures_of(2, [1])
    author.set_links((LinkFigure(node(2), 1e-9, 3.0, 1.0),), NOW)
    _, (news,) = taken(author, NOW)
    heard = reader.hear_links(news, node(1), NOW, spread=True)

    assert heard is not None
    assert heard.links.figures == (LinkFigure(node(2), 1e-6, 1000.0, 1.0),)


def test_rows_go_out_every_five_seconds_if_they_say_something_new() -> None:
    figures = figures_of(1, [2])
    published = []
    for second in range(700):
        at = NOW + second
        noise = 1.0 + 0.05 * (second % 2)
        latency_s = (0.001 if second < 20 else 0.002) * noise
        figures.set_links((LinkFigure(node(2), latency_s, 1e8 * noise, 0.5),), at)
        if taken(figures, at, limit=1)[1]:
            published.append(second)

    assert published == [0, 20, 20 + LINKS_REFRESH_S, 20 + 2 * LINKS_REFRESH_S]


def test_a_row_is_wanted_as_soon_as_it_may_be_said() -> None:
    figures = figures_of(1, [2])
    assert figures.wants_links(NOW)
    figures.set_links((LinkFigure(node(2), 0.001, 1e8, 0.5),), NOW)

    assert not figures.wants_links(NOW + LINKS_PERIOD_S - 0.1)
    assert figures.wants_links(NOW + LINKS_PERIOD_S)


def test_a_row_that_was_not_worth_saying_is_not_looked_at_again_at_once() -> None:
    figures = figures_of(1, [2])
    row = (LinkFigure(node(2), 0.001, 1e8, 0.5),)
    figures.set_links(row, NOW)
    figures.set_links(row, NOW + LINKS_PERIOD_S)

    assert not figures.wants_links(NOW + 2 * LINKS_PERIOD_S - 0.1)
    assert figures.wants_links(NOW + 2 * LINKS_PERIOD_S)


def test_a_row_with_a_new_source_or_bandwidth_says_something_new() -> None:
    figures = figures_of(1, [2, 3, 4])
    rows = [
        (LinkFigure(node(2), 0.001, 0.0, 0.5),),
        (LinkFigure(node(2), 0.001, 1e8, 0.5),),
        (LinkFigure(node(3), 0.001, 1e8, 0.5),),
        (LinkFigure(node(3), 0.001, 1e8, 0.5), LinkFigure(node(4), 0.001, 1e8, 0.5)),
    ]
    for turn, row in enumerate(rows):
        figures.set_links(row, NOW + turn * LINKS_PERIOD_S)
        assert len(taken(figures, NOW, limit=1)[1]) == 1


def test_a_row_too_long_for_a_packet_loses_its_least_certain_figures() -> None:
    others = list(range(2, 90))
    author, reader = figures_of(1, others), figures_of(2, [1, *others[1:]])
    row = tuple(LinkFigure(node(other), 99.0, 1e9, 1.0) for other in others)
    author.set_links(row, NOW)
    (data,) = author.take(PACKET_ROOM_BYTES + 3, 4, NOW)
    message = read(data)
    assert isinstance(message, LinkNews)
    heard = reader.hear_links(message.rows[0], node(1), NOW, spread=True)

    assert len(seal([data])) <= PACKET_BYTES_MAX
    assert heard is not None
    assert 50 < len(heard.links.figures) < LINKS_MAX
    assert heard.links.figures == row[: len(heard.links.figures)]


def test_loads_go_before_links_but_do_not_starve_them() -> None:
    figures = figures_of(1, list(range(2, 60)))
    for other in range(2, 60):
        figures.hear_load(delta(other, 1), node(2), NOW, spread=True)
    row = LinkRow(node(2)[:8], 1, 1, tuple(LinkCell(node(other)[:8], 900, 10**6, 50) for other in range(40)))
    figures.hear_links(Aged(encode(row), 0), node(2), NOW, spread=True)
    turns = []
    for _ in range(2 * LINKS_TURN):
        _, rows = taken(figures, NOW, limit=100)
        turns.append(len(rows))

    assert turns == [0] * (LINKS_TURN - 1) + [1] + [0] * (LINKS_TURN - 1) + [1]


def test_the_figures_of_the_forgotten_are_forgotten() -> None:
    figures = figures_of(3, [1, 2])
    figures.hear_load(delta(1, 5), node(1), NOW, spread=True)
    figures.forget(node(1))
    figures.forget(node(2))

    assert figures.load_of(node(1)) is None
    assert figures.loads(NOW) == []
    assert not is_urgent(figures)
    assert figures.hear_load(delta(1, 5), node(1), NOW, spread=False) is not None
    assert not is_urgent(figures)
    assert len(figures.loads(NOW)) == 1


@given(
    st.builds(
        LinkFigure,
        st.just(node(2)),
        st.floats(0, 1000),
        st.floats(0, 1e12),
        st.floats(0, 1),
    )
)
def test_whatever_was_measured_is_close_after_the_wire(figure: LinkFigure) -> None:
    author, reader = figures_of(1, [2]), figures_of(2, [1])
    author.set_links((figure,), NOW)
    _, (news,) = taken(author, NOW)
    heard = reader.hear_links(news, node(1), NOW, spread=True)
    assert heard is not None
    (back,) = heard.links.figures

    assert back.latency_s == pytest.approx(figure.latency_s, abs=1.1e-6)
    assert back.bandwidth_bytes_per_s == pytest.approx(figure.bandwidth_bytes_per_s, abs=1000.1)
    assert back.confidence == pytest.approx(figure.confidence, abs=0.0051)
    assert dataclasses.replace(back, latency_s=0.0).source == node(2)
