"""What client and node say to each other, as frames, and what is no frame."""

import concurrent.futures
import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.node.callmessages import (
    FRAME_BYTES_MAX,
    INLINE_BYTES_MAX,
    KINDS,
    PARCEL,
    PREFIX,
    Abandon,
    Batch,
    Came,
    Ended,
    Full,
    Message,
    StrangeMessageError,
    Taken,
    Unpacker,
    Welcome,
    pack,
)
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FileRef

FILE = FileRef("f.0", 3, digest_of(b"abc"))
TASK = Task("f.0", (), Program(ProgramKind.CALLS, ("f", "0", "1", PARCEL)), final=True)
BATCH = Batch(7, b"n" * 16, "try: f", "session", (TASK,), b"parcel", b"values", (FILE,), 2)
MESSAGES: tuple[Message, ...] = (
    Welcome("alpha", 4),
    BATCH,
    Abandon(7),
    Full(64),
    Taken(7, b"j" * 16),
    Came(7, 0, FILE, b"abc"),
    Came(7, 0, FILE, b"", "/somewhere"),
    Ended(7, "done"),
    Ended(7, "failed", "it was too hot"),
)


def fed(*pieces: bytes) -> list[Message]:
    unpacker = Unpacker()
    return [message for piece in pieces for message in unpacker.feed(piece)]


def test_every_kind_of_message_is_tried_here() -> None:
    assert {type(message) for message in MESSAGES} == set(KINDS)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    assert fed(pack(message)) == [message]


@given(st.lists(st.integers(0, 400), max_size=8))
def test_it_does_not_matter_in_which_pieces_frames_arrive(cuts: list[int]) -> None:
    stream = b"".join(map(pack, MESSAGES))
    ends = sorted({0, *(min(cut, len(stream)) for cut in cuts), len(stream)})

    assert fed(*(stream[begin:end] for begin, end in itertools.pairwise(ends))) == list(MESSAGES)


def test_byte_by_byte_is_a_way_too() -> None:
    stream = b"".join(map(pack, MESSAGES))

    assert fed(*(stream[at : at + 1] for at in range(len(stream)))) == list(MESSAGES)


def test_a_frame_that_is_not_complete_is_waited_for() -> None:
    assert fed(pack(BATCH)[:-1]) == []
    assert fed(pack(BATCH)[:-1], pack(BATCH)[-1:]) == [BATCH]


def test_a_kind_that_nobody_knows_is_strange() -> None:
    with pytest.raises(StrangeMessageError, match=f"kind {len(KINDS)}"):
        fed(PREFIX.pack(0, len(KINDS)))


def test_a_frame_that_is_too_long_is_not_waited_for() -> None:
    with pytest.raises(StrangeMessageError, match=str(FRAME_BYTES_MAX + 1)):
        fed(PREFIX.pack(FRAME_BYTES_MAX + 1, 0))


def test_what_a_field_cannot_hold_is_no_message() -> None:
    with pytest.raises(RemoteProtocolError, match="content"):
        fed(pack(Came(7, 0, FILE, bytes(INLINE_BYTES_MAX + 1))))


def test_what_came_before_garbage_is_heard() -> None:
    feed = Unpacker().feed(pack(Abandon(1)) + PREFIX.pack(1, 2) + b"\xc1")

    assert next(feed) == Abandon(1)
    with pytest.raises(RemoteProtocolError):
        next(feed)


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_garbage_is_a_message_or_an_error_that_is_named(pieces: list[bytes]) -> None:
    try:
        messages = fed(*pieces)
    except RemoteProtocolError:
        return
    assert all(isinstance(message, KINDS) for message in messages)


@given(st.integers(0, len(KINDS) - 1), st.binary(max_size=60))
def test_a_frame_of_garbage_is_a_message_or_an_error_that_is_named(kind: int, body: bytes) -> None:
    try:
        messages = fed(PREFIX.pack(len(body), kind) + body)
    except RemoteProtocolError:
        return
    assert [type(message) for message in messages] == [KINDS[kind]]


@given(st.data())
def test_a_message_with_a_wrong_byte_is_a_message_or_an_error_that_is_named(data: st.DataObject) -> None:
    frame = bytearray(pack(data.draw(st.sampled_from(MESSAGES))))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        messages = fed(bytes(frame))
    except RemoteProtocolError:
        return
    assert all(isinstance(message, KINDS) for message in messages)


def test_threads_may_pack_at_once() -> None:
    before = sys.getswitchinterval()
    graph = tuple(Task(f"f.{at}", (), TASK.program, final=True) for at in range(200))
    messages = [Batch(number, b"n" * 16, "try: f", "session", graph, b"parcel") for number in range(100)]
    try:
        sys.setswitchinterval(1e-5)
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            packed = list(threads.map(pack, messages))
    finally:
        sys.setswitchinterval(before)

    assert fed(*packed) == messages
