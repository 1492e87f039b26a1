"""Sealing: what each of the two ways promises beyond what `test_session` shows of both."""

import pytest

from pnode.protocol.aes import CounterOpener, CounterSealer
from pnode.protocol.sealing import (
    OVERHEAD_BYTES,
    TAG_PUSH,
    TAG_REKEY,
    Opener,
    Sealer,
    StreamOpener,
    StreamSealer,
    UnsealedError,
    has_aes,
)

KEY, CHANNEL = b"key".ljust(32), b"\2"

WAYS: list[tuple[type[Sealer], type[Opener]]] = [(StreamSealer, StreamOpener)]
if has_aes():
    WAYS.append((CounterSealer, CounterOpener))


def pair(way: tuple[type[Sealer], type[Opener]]) -> tuple[Sealer, Opener]:
    sealer, opener = way[0](KEY, CHANNEL), way[1](KEY, CHANNEL)  # type: ignore[call-arg]  # protocols say nothing of it
    opener.begin(sealer.head)
    return sealer, opener


def frame(sealer: Sealer, piece: bytes, tag: int = TAG_PUSH) -> bytes:
    return b"".join(sealer.seal(piece, tag))


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_is_as_much_longer_than_its_piece_as_is_said(way: tuple[type[Sealer], type[Opener]]) -> None:
    sealer, _ = pair(way)

    assert [len(frame(sealer, bytes(size))) - size for size in (0, 1, 1 << 20)] == [OVERHEAD_BYTES] * 3


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_is_opened_where_it_lies(way: tuple[type[Sealer], type[Opener]]) -> None:
    sealer, opener = pair(way)
    sealed = frame(sealer, b"piece")

    assert opener.open(b"before" + sealed + b"behind", 6, 6 + len(sealed)) == (b"piece", TAG_PUSH)


@pytest.mark.parametrize("way", WAYS)
def test_equal_pieces_look_different(way: tuple[type[Sealer], type[Opener]]) -> None:
    sealer, _ = pair(way)

    assert len({frame(sealer, b"same") for _ in range(3)}) == 3


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_behind_a_change_of_keys_opens(way: tuple[type[Sealer], type[Opener]]) -> None:
    sealer, opener = pair(way)
    change, behind = frame(sealer, b"", TAG_REKEY), frame(sealer, b"piece")

    assert opener.open(change, 0, len(change)) == (b"", TAG_REKEY)
    assert opener.open(behind, 0, len(behind)) == (b"piece", TAG_PUSH)


@pytest.mark.skipif(not has_aes(), reason="this processor has no AES instructions")
def test_another_tag_than_was_sealed_does_not_open() -> None:
    """It stands in the clear."""
    sealer, opener = pair((CounterSealer, CounterOpener))
    sealed = frame(sealer, b"", TAG_PUSH)

    with pytest.raises(UnsealedError):
        opener.open(bytes((TAG_REKEY,)) + sealed[1:], 0, len(sealed))


@pytest.mark.skipif(not has_aes(), reason="this processor has no AES instructions")
def test_a_changed_key_is_not_the_old_one_with_its_nonces_from_the_start() -> None:
    sealer, _ = pair((CounterSealer, CounterOpener))
    first = frame(sealer, b"piece")
    frame(sealer, b"", TAG_REKEY)

    assert frame(sealer, b"piece") != first


@pytest.mark.skipif(not has_aes(), reason="this processor has no AES instructions")
def test_the_old_key_opens_nothing_that_comes_behind_a_change_of_keys() -> None:
    """Whoever has it has the nonce, too, which is only counted on."""
    changing, old = pair((CounterSealer, CounterOpener))
    keeping, _ = pair((CounterSealer, CounterOpener))
    frame(changing, b"", TAG_REKEY)
    counted, behind, not_behind = frame(keeping, b""), frame(changing, b"piece"), frame(keeping, b"piece")
    old.open(counted, 0, len(counted))

    with pytest.raises(UnsealedError):
        old.open(behind, 0, len(behind))
    assert old.open(not_behind, 0, len(not_behind)) == (b"piece", TAG_PUSH)
