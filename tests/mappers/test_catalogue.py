import pytest

from pnode.mappers.catalogue import NAMES, UnknownMapperError, by_name


def test_every_mapper_is_found_by_the_name_it_bears() -> None:
    assert [by_name(name).name for name in NAMES] == list(NAMES)
    assert NAMES[0] == "wave-greedy"
    assert sorted(NAMES) == [
        "wave-greedy",
        "wave-greedy-classic",
        "wave-hint",
        "wave-plan",
        "wave-random",
        "wave-random-classic",
    ]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownMapperError, match=r"'nobody'.*wave-greedy, wave-plan, wave-hint"):
        by_name("nobody")
