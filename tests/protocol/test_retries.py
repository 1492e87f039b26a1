"""Retries: how long the next attempt at a unit waits."""

import pytest

from pnode.protocol.attempts import Attempt, UnitState
from pnode.protocol.ids import NodeId
from pnode.protocol.retries import GIVEN_BACK_MAX, PAUSE_S, PAUSE_S_MAX, needs_pause, pause_s

NODE = NodeId(b"n" * 32)


def unit(*phases: str) -> UnitState:
    """A unit whose attempts have come this far."""
    attempts = [Attempt(number, NODE, phase) for number, phase in enumerate(phases, 1)]
    return UnitState({attempt.key: attempt for attempt in attempts})


@pytest.mark.parametrize(
    ("phases", "expected_s"),
    [
        (("failed",), PAUSE_S),
        (("failed", "failed"), 2 * PAUSE_S),
        (("failed",) * 60, PAUSE_S_MAX),
        (("dropped",) * (GIVEN_BACK_MAX + 1), PAUSE_S),
        (("dropped",) * (GIVEN_BACK_MAX + 1) + ("failed",), 2 * PAUSE_S),
    ],
)
def test_the_next_attempt_waits_longer_with_each_setback(phases: tuple[str, ...], expected_s: float) -> None:
    assert needs_pause(unit(*phases))
    assert pause_s(unit(*phases)) == expected_s


@pytest.mark.parametrize(
    "phases",
    [(), ("declined",) * 9, ("dropped",) * GIVEN_BACK_MAX, ("failed", "started"), ("failed", "declined")],
)
def test_there_is_no_pause_without_a_setback_nor_after_something_else(phases: tuple[str, ...]) -> None:
    assert not needs_pause(unit(*phases))


def test_what_was_given_back_counts_although_an_earlier_attempt_is_still_open() -> None:
    """Its node may be gone: then every replacement would follow at once."""
    assert needs_pause(unit("started", *["dropped"] * (GIVEN_BACK_MAX + 1)))
