"""Loads and links on their way from whoever has them to whoever follows."""

import dataclasses
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.census import MemberChanged
from pnode.protocol.codec import MalformedError, decode, encode
from pnode.protocol.effects import Send, SendDatagram
from pnode.protocol.figures import AGAIN_S, ANSWERS_BURST, Figures, Heard
from pnode.protocol.followers import LEASE_S, REFUSED_S, Followers
from pnode.protocol.ids import NodeId
from pnode.protocol.interest import RENEW_S, RIDE_S, Interest
from pnode.protocol.links import LINKS_PERIOD_S, LINKS_PERIOD_S_MAX, LINKS_REFRESH_S, Links, LinksHeard
from pnode.protocol.load import LOAD_QUIET_S, LOAD_REFRESH_S, Load, LoadHeard
from pnode.protocol.roster import Happening, Member, Roster, State
from pnode.protocol.signed import Signed
from pnode.protocol.swim import (
    LINKS_MAX,
    PACKET_BYTES_MAX,
    Aged,
    Follow,
    Full,
    LinkNews,
    LinkRow,
    LoadDelta,
    LoadNews,
    Message,
    read,
    unseal,
)
from pnode.protocol.view import LinkFigure

from .members import START, record_of

NOW = START


def node(number: int) -> NodeId:
    return NodeId(number.to_bytes(4, "big") * 8)


def figures_of(me: int, others: list[int]) -> Figures:
    roster = Roster(node(me), Random(me), 30.0)
    figures = Figures(roster, Interest(roster, Random(me)), boot=1)
    for other in others:
        meet(figures, other)
    return figures


def meet(figures: Figures, other: int, *, boot: int = 1) -> None:
    record = record_of(other, boot=boot)
    member = figures._roster.members.get(node(other))
    if member is None:
        figures._roster.add(Member(node(other), record, Signed(node(other), b"s" * 64, b""), 1, NOW, proven=True))
    else:
        member.record = record
    figures.changed(MemberChanged(node(other), None, State.ALIVE), NOW)


def say_load(figures: Figures, now: float, *, free_in_s: float = 2.5) -> None:
    figures.set_load(12.4, 55.6, 3, 7, free_in_s, 0.012, now)


def said(figures: Figures, now: float) -> list[tuple[NodeId, Message]]:
    """What goes out now."""
    return [(sent.peer, read(data)) for sent in figures.tick(now) for data in unseal(sent.payload)]


def told(figures: Figures, now: float) -> list[Aged]:
    """The loads among it."""
    return [load for _, message in said(figures, now) if isinstance(message, LoadNews) for load in message.loads]


def rows_told(figures: Figures, now: float) -> list[Aged]:
    return [row for _, message in said(figures, now) if isinstance(message, LinkNews) for row in message.rows]


def answer(figures: Figures, peer: int, follow: Follow, now: float) -> list[Message]:
    sent = figures.hear(node(peer), follow, now)
    return [read(data) for each in sent if not isinstance(each, Heard) for data in unseal(each.payload)]


def delta(number: int, version: int, boot: int = 1) -> LoadNews:
    return LoadNews((Aged(encode(LoadDelta(node(number)[:8], boot, version, 10, 20, 1, 2, 3000, 4)), 0),))


def row(number: int, version: int) -> LinkNews:
    return LinkNews((Aged(encode(LinkRow(node(number)[:8], 1, version, ())), 0),))


def followed(me: int, by: int) -> Figures:
    figures = figures_of(me, [by])
    figures.hear(node(by), Follow(), NOW)
    return figures


# ---- saying


def test_a_load_is_told_to_whoever_follows_and_to_nobody_else() -> None:
    author, reader = figures_of(1, [2, 3]), figures_of(2, [1, 3])
    author.hear(node(2), Follow(), NOW)
    say_load(author, NOW)
    news = [(peer, message) for peer, message in said(author, NOW + 0.25) if isinstance(message, LoadNews)]
    heard = [each for _, message in news for each in reader.hear(node(1), message, NOW + 7.0)]

    load = Load(node(1), 1, 1, 12.0, 56.0, 3, 7, 2.5, 0.012, measured_at=NOW + 7.0 - 0.25)
    assert [peer for peer, _ in news] == [node(2)]
    assert heard == [LoadHeard(load)]
    assert reader.load_of(node(1)) == load
    own = author.load_of(node(1))
    assert own is not None
    assert own.cpu_percent == 12.4


def test_who_asks_is_answered_at_once_with_what_it_does_not_have() -> None:
    author = figures_of(1, [2])
    assert answer(author, 2, Follow(), NOW) == []
    say_load(author, NOW)
    author.set_links((LinkFigure(node(2), 0.001, 1e8, 0.5),), NOW)

    assert [type(message) for message in answer(author, 2, Follow(), NOW)] == [LoadNews, LinkNews]
    assert [type(message) for message in answer(author, 2, Follow(1, 0), NOW)] == [LinkNews]
    assert answer(author, 2, Follow(1, 1), NOW) == []


def test_nobody_can_make_us_answer_for_ever() -> None:
    author = figures_of(1, [2])
    say_load(author, NOW)
    answers = [answer(author, 2, Follow(), NOW) for _ in range(2 * ANSWERS_BURST)]

    assert len([each for each in answers if each]) == ANSWERS_BURST


def test_who_finds_no_place_hears_so_and_strangers_hear_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    author = figures_of(1, [2, 3])
    say_load(author, NOW)
    monkeypatch.setattr(Followers, "add", lambda self, peer, now, *, by_session: peer == node(2))

    assert answer(author, 3, Follow(), NOW) == [Full(REFUSED_S)]
    assert answer(author, 9, Follow(), NOW) == []


def test_a_lease_that_is_not_renewed_runs_out_and_the_dead_are_told_nothing() -> None:
    author = followed(1, by=2)
    say_load(author, NOW, free_in_s=1.0)
    assert len(told(author, NOW)) == 1
    member = author._roster.members[node(2)]
    author._roster.turn(member, Happening.ACCUSED, NOW)
    author._roster.turn(member, Happening.CONDEMNED, NOW)
    author.changed(MemberChanged(node(2), State.SUSPECT, State.DEAD), NOW)
    assert told(author, NOW + AGAIN_S[0]) == []
    author._roster.turn(member, Happening.RENEWED, NOW)

    assert len(told(author, NOW + AGAIN_S[1])) == 1  # death was a mistake, and its lease has not run out
    say_load(author, NOW + LEASE_S, free_in_s=90.0)
    assert told(author, NOW + LEASE_S) == []


def test_who_has_left_is_told_nothing() -> None:
    author = followed(1, by=2)
    author.changed(MemberChanged(node(2), State.ALIVE, State.LEFT), NOW)
    say_load(author, NOW)

    assert told(author, NOW) == []


def test_own_loads_go_out_once_a_second_at_most_and_the_latest_counts() -> None:
    figures = followed(1, by=2)
    say_load(figures, NOW, free_in_s=1.0)
    say_load(figures, NOW + 0.3, free_in_s=2.0)
    say_load(figures, NOW + 0.9, free_in_s=3.0)
    (news,) = told(figures, NOW + 0.9)
    assert decode(LoadDelta, news.body).free_in_ms == 1000
    own = figures.load_of(node(1))
    assert own is not None
    assert own.free_in_s == 3.0
    say_load(figures, NOW + 1.0, free_in_s=4.0)

    (news,) = told(figures, NOW + 1.0)
    assert (decode(LoadDelta, news.body).free_in_ms, decode(LoadDelta, news.body).version) == (4000, 2)


def test_what_surprises_is_said_again_and_what_does_not_is_not() -> None:
    figures = followed(1, by=2)
    say_load(figures, NOW, free_in_s=0.0)
    surprise = [at for at in range(100) if told(figures, NOW + at / 10)]
    say_load(figures, NOW + LOAD_REFRESH_S, free_in_s=0.0)
    again = [at for at in range(100) if told(figures, NOW + LOAD_REFRESH_S + at / 10)]

    assert surprise == [0, *[round(10 * later_s) for later_s in AGAIN_S]]
    assert again == [0]


def test_who_is_through_sooner_than_was_said_says_so_at_once_but_not_that_less_is_left() -> None:
    figures = followed(1, by=2)
    said_at = []
    for tenth, (units, free_in_s) in enumerate([(82, 82.0), (9, 9.0), (0, 0.0), (30, 30.0), *[(40, 40.0)] * 8]):
        figures.set_load(10.0, 50.0, 0, units, free_in_s, 0.0, NOW + tenth / 10)
        said_at += [(tenth, decode(LoadDelta, load.body).queued) for load in told(figures, NOW + tenth / 10)]

    assert said_at == [(0, 82), (2, 0)]
    figures.set_load(10.0, 50.0, 0, 40, 40.0, 0.0, NOW + 1.2)
    assert [decode(LoadDelta, load.body).queued for load in told(figures, NOW + 1.2)] == [40]


def test_what_changes_nothing_for_placement_is_said_less_often_and_what_changes_nothing_least() -> None:
    figures = followed(1, by=2)
    versions = []
    for second in range(100):
        figures.hear(node(2), Follow(100, 100), NOW + second)
        cpu_percent = 90.0 if 50 <= second < 60 and second % 2 else 10.0
        figures.set_load(cpu_percent, 50.0, 0, 0, 0.0, 0.0, NOW + second)
        loads = told(figures, NOW + second)
        versions += [(decode(LoadDelta, load.body).version, second) for load in loads]
    first = dict(reversed(versions))

    assert list(reversed(first.values())) == [0, LOAD_REFRESH_S, 51, 51 + LOAD_QUIET_S, 56 + LOAD_REFRESH_S]


def test_figures_beyond_what_the_wire_can_say_are_cut_off() -> None:
    figures, reader = followed(1, by=2), figures_of(2, [1])
    figures.set_load(900.0, -3.0, 10**6, 10**6, 1e9, 1e9, NOW)
    (news,) = told(figures, NOW)
    (heard,) = reader.hear(node(1), LoadNews((news,)), NOW)

    assert isinstance(heard, LoadHeard)
    assert (heard.load.cpu_percent, heard.load.memory_percent) == (255.0, 0.0)
    assert (heard.load.running, heard.load.free_in_s) == (65_535, 4_294_967.295)


# ---- asking


def test_nobody_asks_who_does_not_tell() -> None:
    figures = figures_of(1, [2])
    assert said(figures, NOW + 9.0) == []
    say_load(figures, NOW + 9.0)

    assert said(figures, NOW + 9.0) == [(node(2), Follow(0, 0))]


def test_the_question_names_what_is_here_and_rides_along_with_a_load() -> None:
    figures = figures_of(1, [2])
    figures.hear(node(2), Follow(), NOW)
    say_load(figures, NOW, free_in_s=0.0)
    assert [type(message) for _, message in said(figures, NOW)] == [Follow, LoadNews]
    figures.hear(node(2), delta(2, 5), NOW)
    figures.hear(node(2), row(2, 3), NOW)
    assert figures.deadline == NOW + AGAIN_S[0]
    assert [type(message) for _, message in said(figures, NOW + AGAIN_S[1])] == [LoadNews]
    assert figures.deadline == NOW + RENEW_S
    say_load(figures, NOW + RIDE_S, free_in_s=0.0)

    rode = said(figures, NOW + RIDE_S)
    assert [message for _, message in rode if isinstance(message, Follow)] == [Follow(5, 3)]
    assert figures.deadline == NOW + RIDE_S + RENEW_S


# ---- hearing


def test_only_newer_figures_count() -> None:
    figures = figures_of(3, [1])

    assert len(figures.hear(node(1), delta(1, 5), NOW)) == 1
    assert figures.hear(node(1), delta(1, 5), NOW) == []
    assert figures.hear(node(1), delta(1, 4), NOW) == []
    assert len(figures.hear(node(1), delta(1, 6), NOW)) == 1
    assert len(figures.hear(node(1), row(1, 2), NOW)) == 1
    assert figures.hear(node(1), row(1, 2), NOW) == []


def test_figures_of_strangers_of_ourselves_of_the_gone_and_of_earlier_lives_are_dropped() -> None:
    figures = figures_of(3, [1, 2])
    figures._roster.turn(figures._roster.members[node(2)], Happening.DEPARTED, NOW)
    figures.changed(MemberChanged(node(2), State.ALIVE, State.LEFT), NOW)

    for number in (9, 3, 2):
        assert figures.hear(node(1), delta(number, 1), NOW) == []
    assert figures.hear(node(1), delta(1, 1, boot=7), NOW) == []
    assert figures.hear(node(9), row(9, 1), NOW) == []


def test_what_an_earlier_version_passes_on_counts_until_the_node_speaks_for_itself() -> None:
    figures = figures_of(3, [1, 2])
    lie = 4_000_000
    assert len(figures.hear(node(2), delta(1, lie), NOW)) == 1
    assert len(figures.hear(node(2), row(1, lie), NOW)) == 1

    assert len(figures.hear(node(1), delta(1, 17), NOW)) == 1
    assert len(figures.hear(node(1), row(1, 4), NOW)) == 1
    assert figures.hear(node(2), delta(1, lie + 1), NOW) == []
    load = figures.load_of(node(1))
    assert load is not None
    assert load.version == 17


def test_a_node_that_was_restarted_is_asked_anew_and_its_old_figures_are_forgotten() -> None:
    figures = figures_of(3, [1])
    say_load(figures, NOW)
    said(figures, NOW)
    figures.hear(node(1), delta(1, 5), NOW)
    meet(figures, 1, boot=2)

    assert figures.load_of(node(1)) is None
    assert said(figures, NOW) == [(node(1), Follow(0, 0))]
    assert len(figures.hear(node(1), delta(1, 1, boot=2), NOW)) == 1


@pytest.mark.parametrize("body", [b"", b"?", encode(LoadDelta(b"short", 1, 1, 1, 1, 1, 1, 1, 1))])
def test_a_malformed_figure_is_refused(body: bytes) -> None:
    figures = figures_of(3, [1])
    with pytest.raises(MalformedError):
        figures.hear(node(1), LoadNews((Aged(body, 0),)), NOW)
    with pytest.raises(MalformedError):
        figures.hear(node(1), LinkNews((Aged(body, 0),)), NOW)


def test_the_figures_of_the_dead_and_of_those_who_refuse_us_are_forgotten() -> None:
    figures = figures_of(3, [1, 2])
    for number in (1, 2):
        figures.hear(node(number), delta(number, 5), NOW)
    figures.changed(MemberChanged(node(1), State.SUSPECT, State.DEAD), NOW)
    figures.hear(node(2), Full(9), NOW)

    assert figures.load_of(node(1)) is None
    assert figures.load_of(node(2)) is None
    assert figures.hear(node(2), delta(2, 6), NOW) == []


def test_what_others_said_in_a_nodes_name_is_not_taken_for_known_when_the_node_is_asked() -> None:
    figures, author = figures_of(3, [1, 2]), figures_of(1, [3])
    say_load(author, NOW)
    figures.hear(node(2), delta(1, 1), NOW)  # the true version, and a lie
    say_load(figures, NOW)
    asked = [message for peer, message in said(figures, NOW) if peer == node(1) and isinstance(message, Follow)]
    (truth,) = answer(author, 3, asked[0], NOW)
    assert isinstance(truth, LoadNews)
    figures.hear(node(1), truth, NOW)

    load = figures.load_of(node(1))
    assert load is not None
    assert load.cpu_percent == 12.0


def test_who_asks_over_a_session_is_told_over_it_until_it_asks_otherwise() -> None:
    author = figures_of(1, [2])
    say_load(author, NOW, free_in_s=1.0)
    answered = author.hear(node(2), Follow(), NOW, by_session=True)
    repeated = author.tick(NOW + AGAIN_S[0])
    author.hear(node(2), Follow(1, 0), NOW + 2.0)

    for sent in (answered, repeated):
        (frame,) = [each for each in sent if isinstance(each, Send)]
        assert isinstance(read(frame.payload), LoadNews)
    assert [type(sent) for sent in author.tick(NOW + AGAIN_S[1])] == [SendDatagram, SendDatagram]


def test_a_follower_whose_way_is_unknown_is_measured_and_one_who_has_left_gets_no_place() -> None:
    author = figures_of(1, [2, 3])
    author._interest.take_newly()
    author.hear(node(2), Follow(), NOW)
    author.hear(node(2), Follow(), NOW + 60.0)
    assert author._interest.take_newly() == [node(2)]
    author._roster.turn(author._roster.members[node(3)], Happening.DEPARTED, NOW)
    author.hear(node(3), Follow(), NOW)

    say_load(author, NOW)
    assert dict.fromkeys(peer for peer, message in said(author, NOW) if isinstance(message, LoadNews)) == {
        node(2): None
    }
    assert node(3) not in author._followers


# ---- rows


def test_a_row_is_heard_as_it_was_said() -> None:
    author, reader = followed(1, by=3), figures_of(3, [1, 2])
    figures = (
        LinkFigure(node(2), 0.000_45, 1.25e8, 0.9),
        LinkFigure(node(3), 0.020_5, 0.0, 0.25),
        LinkFigure(node(9), 0.1, 1.0, 1.0),  # the reader does not know that source
    )
    author.set_links(figures, NOW)
    (news,) = rows_told(author, NOW + 1.0)
    heard = reader.hear(node(1), LinkNews((news,)), NOW + 50.0)

    assert heard == [LinksHeard(Links(node(1), 1, figures[:2], NOW + 49.0))]


def test_the_slowest_link_ever_measured_is_not_taken_for_an_unmeasured_one() -> None:
    author, reader = followed(1, by=2), figures_of(2, [1])
    author.set_links((LinkFigure(node(2), 1e-9, 3.0, 1.0),), NOW)
    (news,) = rows_told(author, NOW)
    (heard,) = reader.hear(node(1), LinkNews((news,)), NOW)

    assert isinstance(heard, LinksHeard)
    assert heard.links.figures == (LinkFigure(node(2), 1e-6, 1000.0, 1.0),)


def test_rows_go_out_if_they_say_something_new() -> None:
    figures = figures_of(1, [2])
    published = []
    for second in range(700):
        at = NOW + second
        figures.hear(node(2), Follow(0, 100), at)
        noise = 1.0 + 0.05 * (second % 2)
        latency_s = (0.001 if second < 20 else 0.002) * noise
        figures.set_links((LinkFigure(node(2), latency_s, 1e8 * noise, 0.5),), at)
        if rows_told(figures, at):
            published.append(second)

    assert published == [0, 20, 20 + LINKS_REFRESH_S, 20 + 2 * LINKS_REFRESH_S]


def test_a_row_is_looked_at_ever_more_seldom() -> None:
    figures = figures_of(1, [2])
    looked = []
    for second in range(400):
        if figures.wants_links(NOW + second):
            looked.append(second)
            figures.set_links((LinkFigure(node(2), 1.0 + second, 1e8, 0.5),), NOW + second)
    pauses_s = [after - before for before, after in pairwise(looked)]

    assert pauses_s[:5] == [LINKS_PERIOD_S * 2**step for step in range(4)] + [LINKS_PERIOD_S_MAX]
    assert dict.fromkeys(pauses_s[4:]) == {LINKS_PERIOD_S_MAX: None}


def test_a_row_that_was_not_worth_saying_is_not_looked_at_again_at_once() -> None:
    figures = figures_of(1, [2])
    links = (LinkFigure(node(2), 0.001, 1e8, 0.5),)
    assert figures.wants_links(NOW)
    figures.set_links(links, NOW)
    figures.set_links(links, NOW + LINKS_PERIOD_S)

    assert not figures.wants_links(NOW + 2 * LINKS_PERIOD_S - 0.1)
    assert figures.wants_links(NOW + 2 * LINKS_PERIOD_S)


def test_a_row_with_a_new_source_or_bandwidth_says_something_new() -> None:
    figures = figures_of(1, [2, 3, 4])
    figures.hear(node(2), Follow(), NOW)
    rows = [
        (LinkFigure(node(2), 0.001, 0.0, 0.5),),
        (LinkFigure(node(2), 0.001, 1e8, 0.5),),
        (LinkFigure(node(3), 0.001, 1e8, 0.5),),
        (LinkFigure(node(3), 0.001, 1e8, 0.5), LinkFigure(node(4), 0.001, 1e8, 0.5)),
    ]
    for turn, links in enumerate(rows):
        figures.set_links(links, NOW + turn * LINKS_PERIOD_S)
        assert len(rows_told(figures, NOW + turn * LINKS_PERIOD_S)) == 1


def test_a_row_too_long_for_a_packet_loses_its_least_certain_figures() -> None:
    others = list(range(2, 66))
    author, reader = followed(1, by=2), figures_of(2, [1, *others[1:]])
    links = tuple(LinkFigure(node(other), 99.0, 1e9, 1.0) for other in others)
    author.set_links(links, NOW)
    say_load(author, NOW)
    sent = author.tick(NOW)
    messages = [read(data) for each in sent for data in unseal(each.payload)]
    (news,) = [message for message in messages if isinstance(message, LinkNews)]
    (heard,) = reader.hear(node(1), news, NOW)

    assert max(len(each.payload) for each in sent) <= PACKET_BYTES_MAX
    assert isinstance(heard, LinksHeard)
    assert 50 < len(heard.links.figures) < LINKS_MAX
    assert heard.links.figures == links[: len(heard.links.figures)]


@given(st.builds(LinkFigure, st.just(node(2)), st.floats(0, 1000), st.floats(0, 1e12), st.floats(0, 1)))
def test_whatever_was_measured_is_close_after_the_wire(figure: LinkFigure) -> None:
    author, reader = followed(1, by=2), figures_of(2, [1])
    author.set_links((figure,), NOW)
    (news,) = rows_told(author, NOW)
    (heard,) = reader.hear(node(1), LinkNews((news,)), NOW)
    assert isinstance(heard, LinksHeard)
    (back,) = heard.links.figures

    assert back.latency_s == pytest.approx(figure.latency_s, abs=1.1e-6)
    assert back.bandwidth_bytes_per_s == pytest.approx(figure.bandwidth_bytes_per_s, abs=1000.1)
    assert back.confidence == pytest.approx(figure.confidence, abs=0.0051)
    assert dataclasses.replace(back, latency_s=0.0).source == node(2)
