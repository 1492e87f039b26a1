"""The messages and the packet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.codec import MalformedError
from pnode.protocol.frames import Frames, UnknownKindError
from pnode.protocol.signed import Signed
from pnode.protocol.swim import (
    EVIDENCE_MAX,
    FIGURE_BODY_BYTES_MAX,
    FRAMES,
    MESSAGES_MAX,
    PACKET_BYTES_MAX,
    PACKET_ROOM_BYTES,
    Ack,
    Aged,
    Alive,
    Compare,
    Dead,
    Entry,
    Follow,
    Full,
    IndirectAck,
    Left,
    LinkNews,
    LoadNews,
    Message,
    Nack,
    Packet,
    Ping,
    PingRequest,
    PushPull,
    Suspect,
    bundles,
    read,
    room_for,
    seal,
    spell,
    unseal,
)

SIGNED = Signed(b"a" * 32, b"s" * 64, b"body")
NODE = b"n" * 32
MESSAGES: list[Message] = [
    Ping(2**63 - 1, 2),
    Ack(0, 0),
    PingRequest(5, NODE),  # type: ignore[arg-type]
    IndirectAck(5),
    Nack(5),
    Packet((b"x", b"yz")),
    Alive(SIGNED),
    Suspect(SIGNED),
    Left(SIGNED),
    Dead(NODE, 3, (SIGNED,) * EVIDENCE_MAX),  # type: ignore[arg-type]
    LoadNews((Aged(b"load", 5), Aged(b"other", 0))),
    LinkNews((Aged(b"row", 2**32 - 1),)),
    PushPull(True, (Entry(SIGNED, 2, (SIGNED,)),), (Aged(b"load", 5),), ()),
    Follow(2**32 - 1, 7),
    Full(300),
    Compare(b"12345678"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_survives_the_wire(message: Message) -> None:
    assert read(spell(message)) == message


def test_every_kind_is_tried_here_and_numbered_within_our_range() -> None:
    assert {type(message) for message in MESSAGES} == set(FRAMES.values())
    assert all(1 <= kind <= 39 for kind in FRAMES)


def test_a_joined_table_reads_the_same_bytes() -> None:
    assert Frames(FRAMES, {40: Signed}).decode(spell(Nack(5))) == Nack(5)


def test_an_answer_is_as_long_as_its_ping() -> None:
    for nonce in (0, 127, 2**32, 2**63 - 1):
        assert len(seal([spell(Ack(nonce, 1))])) == len(seal([spell(Ping(nonce, 1))]))


@pytest.mark.parametrize(
    "message",
    [
        Ping(-1, 0),
        Ping(2**63, 0),
        Ping(1, 3),
        PingRequest(1, b"short"),  # type: ignore[arg-type]
        Dead(NODE, 1, ()),  # type: ignore[arg-type]
        Dead(NODE, 1, (SIGNED,) * (EVIDENCE_MAX + 1)),  # type: ignore[arg-type]
        LoadNews(()),
        LoadNews((Aged(b"x", 0),) * (MESSAGES_MAX + 1)),
        LoadNews((Aged(bytes(FIGURE_BODY_BYTES_MAX + 1), 0),)),
        PushPull(True, (), (), ()),
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_not_read(message: Message) -> None:
    with pytest.raises(MalformedError):
        read(spell(message))


def test_a_kind_of_a_later_version_is_told_from_garbage() -> None:
    later = Frames({39: Nack}).encode(Nack(1))
    with pytest.raises(UnknownKindError):
        read(later)


def test_a_packet_holds_at_most_so_many_messages() -> None:
    assert unseal(seal([b"x"] * MESSAGES_MAX)) == (b"x",) * MESSAGES_MAX
    with pytest.raises(MalformedError):
        unseal(seal([b"x"] * (MESSAGES_MAX + 1)))
    with pytest.raises(MalformedError):
        unseal(seal([]))


def test_a_message_of_the_greatest_length_fills_a_packet() -> None:
    assert len(seal([bytes(PACKET_ROOM_BYTES)])) <= PACKET_BYTES_MAX


@given(st.lists(st.binary(min_size=1, max_size=PACKET_ROOM_BYTES), max_size=150))
def test_bundles_keep_the_order_and_fit_packets(messages: list[bytes]) -> None:
    packets = bundles(messages)

    assert [message for packet in packets for message in packet] == messages
    assert all(len(packet) <= MESSAGES_MAX for packet in packets)
    assert all(len(seal(packet)) <= PACKET_BYTES_MAX for packet in packets if packet)
    assert all(packets) or packets == [[]]


@given(st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=20))
def test_the_room_that_messages_take_is_not_underrated(messages: list[bytes]) -> None:
    assert len(seal(messages)) <= room_for(messages) + 4


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail_in_another_way(data: bytes) -> None:
    for reader in (read, unseal):
        try:
            reader(data)
        except MalformedError:
            continue
