"""The switchboard of a relay: how many calls there may be, and what is said about the others."""

import pytest

from pnode.protocol.ids import NodeId
from pnode.protocol.reaching import SUMMONS_PER_S
from pnode.protocol.switchboard import (
    BULK_CALLS_MAX,
    CALLER_SHARE,
    CALLS_BURST,
    CALLS_PER_PAIR_MAX,
    CALLS_PER_S,
    CONTROL_CALLS_MAX,
    REASON_MAX,
    Answer,
    Call,
    CallRefusedError,
    Carried,
    Message,
    Met,
    Switchboard,
    read,
    spell,
)


def node(number: int) -> NodeId:
    return NodeId(number.to_bytes(32, "big"))


def ticket(number: int) -> bytes:
    return number.to_bytes(16, "big")


@pytest.mark.parametrize(
    "message", [Call(node(1), 0), Call(node(1), 1), Met(ticket(1)), Answer(""), Answer("x" * REASON_MAX)]
)
def test_every_message_survives_the_wire(message: Message) -> None:
    assert read(spell(message)) == message


@pytest.mark.parametrize(("bulk", "places"), [(False, CONTROL_CALLS_MAX), (True, BULK_CALLS_MAX)])
def test_a_relay_has_so_many_places_of_a_kind(bulk: bool, places: int) -> None:
    board = Switchboard()
    for number in range(places):
        board.take(ticket(number), Carried(node(number), node(1000 + number), bulk))

    with pytest.raises(CallRefusedError, match="which is the limit"):
        board.take(ticket(places), Carried(node(5000), node(5001), bulk))
    board.take(ticket(places), Carried(node(5000), node(5001), not bulk))
    board.hang_up(ticket(0))
    board.take(ticket(0), Carried(node(5002), node(5003), bulk))
    assert len(board) == places + 1


def test_one_caller_does_not_keep_the_others_out() -> None:
    board = Switchboard()
    for number in range(BULK_CALLS_MAX // CALLER_SHARE):
        board.take(ticket(number), Carried(node(1), node(10 + number), bulk=True))

    with pytest.raises(CallRefusedError, match="of this node"):
        board.take(ticket(99), Carried(node(1), node(99), bulk=True))
    board.take(ticket(99), Carried(node(2), node(99), bulk=True))


def test_two_nodes_have_so_many_calls_of_a_kind() -> None:
    board = Switchboard()
    for number in range(CALLS_PER_PAIR_MAX):
        board.take(ticket(number), Carried(node(1), node(2), bulk=False))

    with pytest.raises(CallRefusedError, match="between these two"):
        board.take(ticket(9), Carried(node(1), node(2), bulk=False))
    board.take(ticket(9), Carried(node(3), node(2), bulk=False))
    board.hang_up(ticket(0))
    board.take(ticket(0), Carried(node(1), node(2), bulk=False))


def test_nobody_calls_itself() -> None:
    with pytest.raises(CallRefusedError, match="itself"):
        Switchboard().take(ticket(1), Carried(node(1), node(1), bulk=False))


def test_nothing_is_left_of_calls_that_are_over() -> None:
    board = Switchboard()
    for number in range(50):
        board.take(ticket(number), Carried(node(number), node(number + 1), bulk=False))
    for number in range(50):
        board.hang_up(ticket(number))

    assert len(board) == 0
    assert not board._pairs
    assert not board._callers
    assert board._kinds.total() == 0


def test_one_caller_does_not_use_up_what_a_node_comes_for() -> None:
    board, now = Switchboard(), 100.0
    for _ in range(CALLS_BURST):
        board.ring(node(1), node(2), now)

    with pytest.raises(CallRefusedError, match="too often"):
        board.ring(node(1), node(2), now)
    board.ring(node(3), node(2), now)
    board.ring(node(1), node(4), now)
    board.ring(node(1), node(2), now + 1 / CALLS_PER_S)
    assert CALLS_PER_S <= SUMMONS_PER_S / 2, "there is something left for others"
