"""How often nodes wake that have nothing to do: every wake costs a real one some 0.6 ms."""

import statistics
from collections.abc import Callable
from typing import Any

import pytest

from pnode.protocol.membership import Membership
from pnode.protocol.probe import BURST_S
from pnode.protocol.roster import State

from .members import Network

SETTLED_S = 300.0
"""All delays are measured by then, and nothing is news any more."""

REST_S = 120.0


@pytest.fixture
def wakes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call of a membership machine from outside for which there was a reason."""
    calls: list[str] = []

    def counted(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def wake(machine: Membership, *given: Any) -> object:
            if name != "tick" or machine.deadline <= given[-1]:  # the network's alarms may be out of date
                calls.append(name)
            return call(machine, *given)

        return wake

    for name in ("tick", "datagram", "message"):
        monkeypatch.setattr(Membership, name, counted(name, getattr(Membership, name)))
    return calls


@pytest.mark.parametrize(("size", "wakes_per_s"), [(1, 1.2), (2, 1.8), (4, 3.5), (16, 4.3)])
def test_a_node_at_rest_wakes_for_probes_and_hardly_for_anything_else(
    size: int, wakes_per_s: float, wakes: list[str]
) -> None:
    """A probe, its answer and a question make three wakes a second; among 16 every fourth probe is a burst, which has
    four datagrams more. Of two nodes one does nearly all of the asking. Other chores come every twelve seconds."""
    network = Network()
    network.cluster(size)
    network.run(SETTLED_S)
    wakes.clear()
    network.run(REST_S)

    assert len(wakes) / REST_S / size <= wakes_per_s


def wait_s(seed: int, which: int) -> float:
    """From the crash of one of two nodes until the other suspects it."""
    network = Network(seed=seed)
    hosts = network.cluster(2)
    network.run(SETTLED_S + seed * 0.37)
    victim, other = hosts[which], hosts[1 - which]
    network.crash(victim)
    crashed = network.now
    assert network.run_until(lambda: other.sees(victim) is State.SUSPECT, 10.0)
    return network.now - crashed


@pytest.mark.parametrize("which", [0, 1])
def test_of_two_nodes_either_is_missed_as_soon_as_among_many(which: int) -> None:
    """Two seconds are asked for; a check spared just before takes a twentieth longer."""
    waits_s = [wait_s(seed, which) for seed in range(20)]

    assert max(waits_s) <= 2.1
    assert statistics.median(waits_s) <= 1.7


def test_two_nodes_go_on_measuring_each_other() -> None:
    network = Network()
    hosts = network.cluster(2)
    network.run(SETTLED_S)
    for host in hosts:
        host.round_trips.clear()
    network.run(10 * BURST_S)

    assert all(len(host.round_trips) >= 9 for host in hosts)
