import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.codec import MalformedError
from pnode.protocol.content import FRAMES, LISTING_BYTES_MAX, Listing, Refusal, Want, listings
from pnode.protocol.frames import Frames


@given(st.integers(0, 3 * LISTING_BYTES_MAX // 32))
def test_a_list_of_chunks_comes_whole_in_messages_that_fit(count: int) -> None:
    chunks = b"".join(number.to_bytes(32, "big") for number in range(count))
    pieces = list(listings(count, chunks))

    assert b"".join(piece.digests for piece in pieces) == chunks
    assert [piece.more for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert all(len(piece.digests) <= LISTING_BYTES_MAX for piece in pieces)
    assert all(piece.digests for piece in pieces if piece.more)


def test_what_is_said_on_a_bulk_stream_comes_back_the_same() -> None:
    frames = Frames(FRAMES)

    for message in (Want(b"d" * 32, 7), Refusal("it does not have it"), Listing(2**40, b"c" * 64, True)):
        assert frames.decode(frames.encode(message)) == message


@given(st.binary(max_size=200))
def test_noise_is_never_a_message_by_accident_and_never_an_error_of_another_kind(noise: bytes) -> None:
    try:
        message = Frames(FRAMES).decode(noise)
    except MalformedError:
        return
    assert type(message) in FRAMES.values()


@pytest.mark.parametrize("first_chunk", [-1, 2**32])
def test_chunks_are_counted_from_nought_in_32_bits(first_chunk: int) -> None:
    frames = Frames(FRAMES)

    with pytest.raises(MalformedError):
        frames.decode(frames.encode(Want(b"d" * 32, first_chunk)))
