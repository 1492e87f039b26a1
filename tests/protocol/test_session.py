"""Sessions: two ends of a sealed stream, with a wire between them that may do anything."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol import session as session_module
from pnode.protocol.aes import CounterSealer
from pnode.protocol.errors import LocalProtocolError
from pnode.protocol.sealing import (
    TAG_FINAL,
    TAG_MESSAGE,
    TAG_PUSH,
    TAG_REKEY,
    Sealer,
    StreamOpener,
    StreamSealer,
    has_aes,
)
from pnode.protocol.session import (
    BULK_MESSAGES_MAX,
    FRAME_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    NEXT,
    PARTS_MAX,
    REASON_CHARACTERS_MAX,
    REKEY_PERIOD_S,
    OversizeError,
    Purpose,
    Receiving,
    Session,
    SessionError,
    SessionKeys,
    TamperedError,
    TruncatedError,
)

NOW = 1_700_000_000.0
UP, DOWN = b"up".ljust(32), b"down".ljust(32)
FRAME = FRAME_BYTES_MAX[Purpose.CONTROL]
MESSAGE = MESSAGE_BYTES_MAX[Purpose.CONTROL]


WAY = {"aes": False}
"""In which of the two ways is sealed."""


@pytest.fixture(
    scope="module",
    autouse=True,
    params=[
        False,
        pytest.param(True, marks=pytest.mark.skipif(not has_aes(), reason="this processor has no AES instructions")),
    ],
    ids=["secretstream", "AES-256-GCM"],
)
def _each_way(request: pytest.FixtureRequest) -> None:
    WAY["aes"] = request.param


def ends(purpose: Purpose = Purpose.CONTROL) -> tuple[Session, Session]:
    aes = WAY["aes"]
    return Session(SessionKeys(UP, DOWN, aes), purpose, NOW), Session(SessionKeys(DOWN, UP, aes), purpose, NOW)


def head() -> bytes:
    """Something as long as the head of a stream."""
    return bytes(0 if WAY["aes"] else StreamOpener(UP, b"").head_bytes)


class Forger:
    """An authenticated other side that does not keep to the rules."""

    def __init__(self, channel: bytes = b"\1") -> None:
        self._sealer: Sealer = (CounterSealer if WAY["aes"] else StreamSealer)(UP, channel)
        self.head = self._sealer.head

    def frame(self, piece: bytes, tag: int) -> bytes:
        sealed = b"".join(self._sealer.seal(piece, tag))
        return len(sealed).to_bytes(4, "big") + sealed


def test_messages_arrive_in_order_in_both_directions() -> None:
    ann, bob = ends()

    to_bob = ann.seal(b"one", NOW) + ann.seal_many([b"two", b"", b"three"], NOW)
    to_ann = bob.seal(b"four", NOW)

    assert bob.receive(to_bob) == [b"one", b"two", b"", b"three"]
    assert ann.receive(to_ann) == [b"four"]


def test_bytes_may_come_one_at_a_time() -> None:
    ann, bob = ends()
    stream = ann.seal_many([b"one", b"two"], NOW) + ann.close("done")

    got = [message for byte in stream for message in bob.receive(bytes([byte]))]

    assert got == [b"one", b"two"]
    assert bob.ended


def test_small_portions_of_a_large_frame_are_joined_from_time_to_time() -> None:
    ann, bob = ends()
    message = bytes(range(256)) * 40
    stream = ann.seal(message, NOW)

    got = []
    portions = 0
    for at in range(0, len(stream), 3):
        got += bob.receive(stream[at : at + 3])
        portions = max(portions, len(bob._parts))

    assert got == [message]
    assert portions <= PARTS_MAX + 1


@given(
    messages=st.lists(st.binary(max_size=300), max_size=8),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
)
def test_where_the_stream_is_cut_into_portions_makes_no_difference(messages: list[bytes], cuts: list[int]) -> None:
    ann, bob = ends()
    stream = ann.seal_many(messages, NOW) + ann.close()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    got = [message for low, high in pairwise(edges) for message in bob.receive(stream[low:high])]

    assert got == messages
    assert bob.ended


@pytest.mark.parametrize("size", [FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 5, MESSAGE])
def test_a_large_message_is_cut_and_joined_again(size: int) -> None:
    ann, bob = ends()
    message = bytes(index * 7 % 251 for index in range(1000)) * (size // 1000 + 1)

    got = bob.receive(ann.seal_many([message[:size], b"next"], NOW))

    assert got == [message[:size], b"next"]


def test_a_bulk_message_of_a_chunk_is_one_frame() -> None:
    ann, bob = ends(Purpose.BULK)
    chunk = bytes(1024 * 1024)

    sealed = ann.seal(chunk, NOW)

    assert len(sealed) == len(head()) + 4 + 17 + len(chunk)
    assert bob.receive(sealed) == [chunk]


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_message_beyond_the_bound_is_our_own_fault(purpose: Purpose) -> None:
    ann, _ = ends(purpose)

    with pytest.raises(LocalProtocolError, match="exceeds"):
        ann.seal(bytes(MESSAGE_BYTES_MAX[purpose] + 1), NOW)


# The end of a stream


def test_an_orderly_end_says_why() -> None:
    ann, bob = ends()

    bob.receive(ann.seal(b"last words", NOW))
    bob.receive(ann.close("it was idle"))
    bob.receive_eof()

    assert bob.ended
    assert bob.end_reason == "it was idle"


def test_a_reason_is_one_short_line_that_a_terminal_does_not_obey() -> None:
    ann, bob = ends()

    bob.receive(ann.close("\x1b[2J\nü" + "x" * 500))

    assert bob.end_reason == "?[2J?ü" + "x" * (REASON_CHARACTERS_MAX - 6)


def test_nothing_can_be_said_after_the_end() -> None:
    ann, _ = ends()
    ann.close()

    with pytest.raises(LocalProtocolError, match="closed"):
        ann.seal(b"x", NOW)
    with pytest.raises(LocalProtocolError, match="closed"):
        ann.close()


def test_a_stream_without_its_end_was_cut() -> None:
    for said in (0, 1):
        ann, bob = ends()
        for _ in range(said):
            bob.receive(ann.seal(b"x", NOW))

        with pytest.raises(TruncatedError):
            bob.receive_eof()


@given(keep=st.integers(0, 200))
def test_a_stream_that_is_cut_anywhere_is_not_ended(keep: int) -> None:
    ann, bob = ends()
    stream = ann.seal_many([b"one", b"two", b"three"], NOW) + ann.close("bye")
    got = bob.receive(stream[: min(keep, len(stream) - 1)])

    with pytest.raises(TruncatedError):
        bob.receive_eof()
    assert got == [b"one", b"two", b"three"][: len(got)]


def test_what_comes_after_the_end_is_refused() -> None:
    at_once, later = ends()[1], ends()[1]
    end = ends()[0].close()
    later.receive(end)

    with pytest.raises(TamperedError, match="went on"):
        at_once.receive(end + b"x")
    with pytest.raises(TamperedError, match="went on"):
        later.receive(b"x")


# Attacks from outside


def sample() -> bytes:
    ann, _ = ends()
    return ann.seal_many([b"one", b"two"], NOW) + ann.close("bye")


def receive_all(stream: bytes) -> list[bytes]:
    """What an end makes of a whole stream; raises as it does."""
    _, bob = ends()
    got = bob.receive(stream)
    bob.receive_eof()
    return got


def test_every_flipped_byte_ends_the_session() -> None:
    stream = sample()

    for index in range(len(stream)):
        flipped = stream[:index] + bytes([stream[index] ^ 1 << index % 8]) + stream[index + 1 :]
        with pytest.raises(SessionError):
            receive_all(flipped)


@given(at=st.integers(0, 160), noise=st.binary(min_size=1, max_size=64), insert=st.booleans())
def test_noise_anywhere_ends_the_session(at: int, noise: bytes, insert: bool) -> None:
    stream = sample()
    changed = stream[:at] + noise + (stream[at:] if insert else stream[at + len(noise) :])

    if changed == stream:
        assert receive_all(changed) == [b"one", b"two"]
    else:
        with pytest.raises(SessionError):
            receive_all(changed)


@given(noise=st.binary(max_size=2000))
def test_random_bytes_never_crash(noise: bytes) -> None:
    with pytest.raises(SessionError):
        receive_all(noise)


def test_a_frame_that_is_repeated_moved_or_left_out_ends_the_session() -> None:
    ann, _ = ends()
    head, first, second = ann.seal(b"", NOW), ann.seal(b"first", NOW), ann.seal(b"second", NOW)

    for stream in (head + first + first, head + second + first, head + second):
        with pytest.raises(TamperedError):
            receive_all(stream)


def test_a_stream_sent_back_to_its_sender_does_not_open() -> None:
    ann, _ = ends()

    with pytest.raises(TamperedError):
        ann.receive(ann.seal(b"mirror", NOW))


def test_a_bulk_stream_does_not_pass_for_a_control_stream() -> None:
    ann, _ = ends(Purpose.BULK)
    _, bob = ends(Purpose.CONTROL)

    with pytest.raises(TamperedError):
        bob.receive(ann.seal(b"content", NOW))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_huge_length_is_refused_before_anything_is_kept_for_it(purpose: Purpose) -> None:
    for length in (FRAME_BYTES_MAX[purpose] + 18, 2**31, 2**32 - 1):
        _, bob = ends(purpose)
        with pytest.raises(OversizeError):
            bob.receive(head() + length.to_bytes(4, "big"))
        assert bob._parts == []


def test_the_largest_length_is_waited_for() -> None:
    _, bob = ends()

    got = bob.receive(head() + (FRAME + 17).to_bytes(4, "big"))

    assert got == []


@pytest.mark.parametrize("length", [0, 1, 16])
def test_a_length_too_short_to_be_sealed_is_refused(length: int) -> None:
    _, bob = ends()

    with pytest.raises(TamperedError, match="too short"):
        bob.receive(head() + length.to_bytes(4, "big"))


def test_a_broken_session_takes_nothing_more() -> None:
    _, bob = ends()
    with pytest.raises(SessionError):
        bob.receive(bytes(100))

    with pytest.raises(LocalProtocolError, match="broken"):
        bob.receive(b"x")
    with pytest.raises(TruncatedError):
        bob.receive_eof()


# A member that does not keep to the rules


def test_a_message_that_never_ends_is_refused_at_its_bound() -> None:
    forger = Forger()
    _, bob = ends()
    bob.receive(forger.head)
    for _ in range(MESSAGE // FRAME):
        bob.receive(forger.frame(bytes(FRAME), TAG_MESSAGE))

    with pytest.raises(OversizeError, match="message exceeds"):
        bob.receive(forger.frame(b"x", TAG_PUSH)[:4])


def test_pieces_that_do_not_fill_their_frame_are_refused() -> None:
    """Else a message of empty pieces could go on for ever below its bound in bytes."""
    forger = Forger()
    _, bob = ends()

    with pytest.raises(TamperedError, match="fill"):
        bob.receive(forger.head + forger.frame(b"", TAG_MESSAGE))


def test_an_end_in_the_middle_of_a_message_is_refused() -> None:
    forger = Forger()
    _, bob = ends()

    with pytest.raises(TruncatedError, match="middle"):
        bob.receive(forger.head + forger.frame(bytes(FRAME), TAG_MESSAGE) + forger.frame(b"", TAG_FINAL))


def test_a_change_of_keys_with_a_payload_is_refused() -> None:
    forger = Forger()
    _, bob = ends()

    with pytest.raises(TamperedError, match="keys"):
        bob.receive(forger.head + forger.frame(b"x", TAG_REKEY))


def test_a_change_of_keys_right_behind_another_is_refused() -> None:
    """Else they could go on for ever, and each costs us a hash."""
    forger = Forger()
    _, bob = ends()
    changes = [forger.frame(b"", TAG_REKEY), forger.frame(b"x", TAG_PUSH), forger.frame(b"", TAG_REKEY)]

    assert bob.receive(forger.head + b"".join(changes)) == [b"x"]
    with pytest.raises(TamperedError, match="follows another"):
        bob.receive(forger.frame(b"", TAG_REKEY))


@pytest.mark.parametrize("tag", [4, 77, 255])
def test_a_tag_that_means_nothing_is_refused(tag: int) -> None:
    forger = Forger()
    _, bob = ends()

    with pytest.raises(TamperedError, match=f"the tag {tag},"):
        bob.receive(forger.head + forger.frame(b"", tag))


def test_content_does_not_come_in_crumbs() -> None:
    """A read of 2 MiB can hold a hundred thousand empty messages."""
    forger = Forger(bytes([Purpose.BULK]))
    _, bob = ends(Purpose.BULK)
    crumbs = [forger.frame(b"", TAG_PUSH) for _ in range(2 * BULK_MESSAGES_MAX + 1)]

    assert bob.receive(forger.head + b"".join(crumbs[:BULK_MESSAGES_MAX])) == [b""] * BULK_MESSAGES_MAX
    with pytest.raises(OversizeError, match="more than 1024 messages came at once"):
        bob.receive(b"".join(crumbs[BULK_MESSAGES_MAX:]))


# Keys


def test_keys_change_after_ten_minutes() -> None:
    ann, _ = ends()
    ordinary = len(ann.seal(b"x", NOW)) - len(head())
    early = ann.seal(b"x", NOW + REKEY_PERIOD_S - 1)

    late = ann.seal(b"x", NOW + REKEY_PERIOD_S)
    later = ann.seal(b"x", NOW + REKEY_PERIOD_S + 1)

    assert [len(early), len(late), len(later)] == [ordinary, ordinary + 4 + 17, ordinary]


def test_keys_change_after_a_gibibyte_and_everything_still_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "REKEY_BYTES", 1000)
    ann, bob = ends()
    messages = [bytes([index]) * 300 for index in range(20)]

    sealed = [ann.seal(message, NOW) for message in messages]

    assert bob.receive(b"".join(sealed)) == messages
    assert sum(len(frame) > 300 + 4 + 17 for frame in sealed[1:]) == 4


# The table


def test_the_life_of_a_stream_only_goes_forward() -> None:
    order = [Receiving.HEAD, Receiving.FRAMES, Receiving.ENDED, Receiving.BROKEN]

    for state, moves in NEXT.items():
        for later in moves.values():
            assert order.index(later) > order.index(state)
    assert NEXT[Receiving.BROKEN] == {}
    assert all("error" in NEXT[state] for state in order[:-1])
