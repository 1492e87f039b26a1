import pytest

from pnode.node import early
from pnode.node.early import Early
from pnode.protocol.events import Discovered, Event


def events(count: int) -> list[Event]:
    return [Discovered(()) for _ in range(count)]


def test_what_came_early_is_delivered_once_and_in_order() -> None:
    waiting, delivered = Early(), list[Event]()
    came = events(3)
    for event in came:
        waiting.keep(event)

    waiting.hand_over(delivered.append)
    waiting.hand_over(delivered.append)

    assert [id(event) for event in delivered] == [id(event) for event in came]


def test_there_is_room_for_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "EVENTS_MAX", 2)
    waiting, delivered = Early(), list[Event]()

    for event in events(3):
        waiting.keep(event)
    waiting.hand_over(delivered.append)

    assert len(delivered) == 2
