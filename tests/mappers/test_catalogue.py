import pytest

from pnode.mappers.catalogue import EVERY, NAMES, UnknownMapperError, by_name
from pnode.protocol.view import Planner


def test_every_mapper_is_found_by_the_name_it_bears() -> None:
    assert [by_name(name).name for name in EVERY] == list(EVERY)
    assert NAMES[0] == "wave-plan"
    assert sorted(NAMES) == [
        "wave-greedy",
        "wave-greedy-classic",
        "wave-hint",
        "wave-plan",
        "wave-random",
        "wave-random-classic",
    ]


def test_static_planners_may_be_asked_for_but_not_those_that_draw_or_take_long() -> None:
    static = [name for name in EVERY if name not in NAMES]

    assert {"heft", "cpop", "peft", "min-min"} <= set(static)
    assert not {"random", "optimal"} & set(static)
    assert all(isinstance(by_name(name), Planner) for name in static)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownMapperError, match=r"'nobody'; known are wave-plan, wave-hint, wave-greedy.*, heft, "):
        by_name("nobody")
