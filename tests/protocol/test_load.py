"""When a load is news."""

import dataclasses
from typing import Any

import pytest

from pnode.protocol.ids import NodeId
from pnode.protocol.load import LOAD_REFRESH_S, Load

NOW = 1_700_000_000.0
SAID = Load(NodeId(b"n" * 32), 1, 1, 30.0, 40.0, 2, 3, 10.0, 0.0, NOW)


@pytest.mark.parametrize(
    ("changes", "surprises", "differs"),
    [
        ({}, False, False),
        ({"free_in_s": 6.0, "measured_at": NOW + 4.0}, False, False),
        ({"free_in_s": 6.0 + 0.39, "measured_at": NOW + 4.0}, False, False),
        ({"free_in_s": 6.0 + 0.45, "measured_at": NOW + 4.0}, True, False),
        ({"free_in_s": 5.5, "measured_at": NOW + 4.0}, True, False),
        ({"free_in_s": 0.0, "measured_at": NOW + 20.0}, False, False),
        ({"free_in_s": 0.2, "measured_at": NOW + 20.0}, True, False),
        ({"running": 1}, True, False),
        ({"queued": 4}, True, False),
        ({"boot": 2}, True, False),
        ({"cpu_percent": 39.0, "memory_percent": 31.0, "lag_s": 0.09}, False, False),
        ({"cpu_percent": 41.0}, False, True),
        ({"memory_percent": 29.0}, False, True),
        ({"lag_s": 0.2}, False, True),
    ],
)
def test_a_load_surprises_by_what_counting_down_does_not_foretell(
    changes: dict[str, Any], surprises: bool, differs: bool
) -> None:
    load = dataclasses.replace(SAID, **changes)

    assert load.surprises(None)
    assert load.surprises(SAID) is surprises
    assert load.differs(SAID) is differs


def test_a_load_is_doubtful_from_when_it_would_have_been_said_again() -> None:
    assert SAID.overdue_s(NOW + LOAD_REFRESH_S) == 0.0
    assert SAID.overdue_s(NOW + LOAD_REFRESH_S + 2.5) == 2.5
