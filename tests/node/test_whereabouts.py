"""Addresses that change under a node."""

import socket
from collections.abc import Collection, Sequence
from typing import NoReturn, cast

import pytest
import trio
import trio.testing

from pnode.node import whereabouts
from pnode.node.transport import Transport
from pnode.node.whereabouts import LOOK_S, SETTLE_S, Whereabouts
from pnode.protocol.events import Moved
from pnode.protocol.record import Address

HOME, CAFE, NOWHERE = (Address("192.0.2.1", 4440),), (Address("198.51.100.7", 4440),), (Address("127.0.0.1", 4440),)


class Machine:
    """Stands in for a transport on a machine whose network changes."""

    def __init__(self, *addresses: tuple[Address, ...], listens_everywhere: bool = True) -> None:
        """What is seen at each look; the last for good."""
        self.looks = list(addresses)
        self.listens_everywhere = listens_everywhere
        self.severed: list[Collection[str]] = []

    def addresses(self) -> tuple[Address, ...]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def sever(self, hosts: Collection[str]) -> None:
        self.severed.append(hosts)


@pytest.fixture(autouse=True)
def silent_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """As elsewhere than on Linux, so that time alone decides when it is looked."""
    monkeypatch.setattr(whereabouts, "_bell", lambda: None)


async def seen(machine: Machine, seconds: float) -> tuple[list[Moved], list[tuple[Address, ...]]]:
    """What is told within so many virtual seconds, and for which addresses the announcement was begun."""
    told: list[Moved] = []
    announced: list[tuple[Address, ...]] = []

    async def announce(addresses: tuple[Address, ...]) -> NoReturn:
        announced.append(addresses)
        await trio.sleep_forever()

    watched = Whereabouts(cast(Transport, machine), HOME, told.append)
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.serve)
            nursery.start_soon(watched.announce, announce)
    return told, announced


def run(machine: Machine, seconds: float) -> tuple[Sequence[Moved], Sequence[tuple[Address, ...]]]:
    return trio.run(seen, machine, seconds, clock=trio.testing.MockClock(autojump_threshold=0.01))


def test_who_stays_where_it_is_says_nothing() -> None:
    assert run(Machine(HOME), 60.0) == ([], [HOME])


def test_every_change_is_told_once_and_announced() -> None:
    machine = Machine(HOME, CAFE, CAFE, HOME)

    assert run(machine, 60.0) == ([Moved(CAFE), Moved(HOME)], [HOME, CAFE, HOME])
    assert len(machine.severed) == pytest.approx(60.0 / (LOOK_S + SETTLE_S), abs=1)
    assert all("127.0.0.1" in hosts for hosts in machine.severed)


def test_without_any_network_nobody_is_told_that_this_node_listens_at_its_loopback() -> None:
    assert run(Machine(NOWHERE, NOWHERE, CAFE), 60.0) == ([Moved(CAFE)], [HOME, CAFE])


def test_where_one_address_was_chosen_nothing_is_watched() -> None:
    machine = Machine(CAFE, listens_everywhere=False)

    assert run(machine, 60.0) == ([], [HOME])
    assert machine.severed == []


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="only Linux tells of changes")
def test_linux_tells_of_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    bell = whereabouts._bell()

    assert bell is not None
    with bell:
        assert bell.getsockname()[1] == whereabouts.GROUPS
        whereabouts._silence(bell)
