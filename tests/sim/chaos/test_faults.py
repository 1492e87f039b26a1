from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.sim.chaos.faults import FOR_EVER, TROUBLES, Fault, Kind, Season, draw

SEASONS = st.builds(Season, st.integers(2, 32), st.floats(1.0, 600.0), st.just((0, 1)))


@given(st.sampled_from(sorted(TROUBLES)), SEASONS, st.integers())
def test_a_trouble_hits_only_hosts_that_there_are(name: str, season: Season, seed: int) -> None:
    for fault in draw(name, season, Random(seed)):
        assert fault.at_s >= 0.0
        assert fault.hosts
        assert {*fault.hosts, *fault.others} <= set(range(season.hosts))
        assert not {*fault.hosts} & {*fault.others}


@given(SEASONS, st.integers())
def test_survivors_are_never_lost_for_good(season: Season, seed: int) -> None:
    faults = [fault for name in TROUBLES for fault in draw(name, season, Random(seed))]

    for fault in faults:
        if fault.for_s == FOR_EVER:
            assert not {*fault.hosts} & {*season.survivors}


@pytest.mark.parametrize("name", sorted(TROUBLES))
def test_every_trouble_comes_up(name: str) -> None:
    drawn = [draw(name, Season(8, 60.0, (0, 1, 2)), Random(seed)) for seed in range(5)]

    assert any(drawn)


def test_on_a_ring_everybody_sees_a_majority_and_no_two_see_the_same() -> None:
    hosts = 9
    cut = {
        pair
        for fault in draw("ring", Season(hosts, 60.0, ()), Random(1))
        for host in fault.hosts
        for other in fault.others
        for pair in ((host, other), (other, host))
    }

    views = [frozenset(other for other in range(hosts) if (host, other) not in cut) for host in range(hosts)]

    assert all(len(view) > hosts / 2 for view in views)
    assert len(set(views)) == hosts


def test_a_bridge_is_the_only_one_that_both_halves_reach() -> None:
    [fault] = draw("bridge", Season(7, 60.0, ()), Random(1))

    assert len(fault.hosts) == len(fault.others) == 3


def test_a_fault_says_what_it_is() -> None:
    assert str(Fault(1.5, Kind.CUT, (1,), 2.0, (0, 2))) == "   1.50 s  cut n1 | n0 n2 for 2.00 s"
    assert str(Fault(1.5, Kind.POWER, (1, 3), FOR_EVER)) == "   1.50 s  power n1 n3 for ever"
    assert str(Fault(1.5, Kind.SLOW, (1,), 4.0, (), 12.0)) == "   1.50 s  slow 12 n1 for 4.00 s"
    assert str(Fault(1.5, Kind.RESET, (1,), 0.0, (2,))) == "   1.50 s  reset n1 | n2"
