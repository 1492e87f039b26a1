"""Discovery over real multicast on the loopback interface."""

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio

from pnode.node.discovery import DiscoveryError, hears_itself, serve_discovery, service_type
from pnode.protocol.events import Discovered
from pnode.protocol.ids import ClusterId, NodeId
from pnode.protocol.record import Address

CLUSTER, OTHER_CLUSTER = ClusterId(bytes(16)), ClusterId(b"\1" * 16)
HEARD_S_MAX = 10.0


def node(number: int) -> NodeId:
    return NodeId(bytes([number]) * 32)


class Network:
    """Announcers, and what each has heard."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.heard: dict[int, set[Address]] = {}
        self._nursery = nursery

    async def announce(self, number: int, cluster: ClusterId = CLUSTER, host: str = "127.0.0.1") -> None:
        heard: set[Address] = self.heard.setdefault(number, set())

        def deliver(found: Discovered) -> None:
            heard.update(found.addresses)

        await self._nursery.start(serve_discovery, cluster, node(number), (Address(host, number),), deliver)

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(HEARD_S_MAX):
            while not condition():
                await trio.sleep(0.02)


def run(scenario: Callable[[Network], Awaitable[None]]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await scenario(Network(nursery))
            nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.parametrize("cluster", [CLUSTER, OTHER_CLUSTER])
def test_the_name_of_the_service_is_one_that_dns_allows(cluster: ClusterId) -> None:
    name, transport, domain, _ = service_type(cluster).split(".")

    assert (transport, domain) == ("_tcp", "local")
    assert len(name.removeprefix("_")) <= 15, "RFC 6335, section 5.1"


def test_nodes_of_one_cluster_hear_of_each_other_and_of_nobody_else() -> None:
    async def scenario(network: Network) -> None:
        await network.announce(1)
        await network.announce(3, OTHER_CLUSTER)
        await network.announce(2)

        await network.until(lambda: bool(network.heard[1] and network.heard[2]))

        assert network.heard == {1: {Address("127.0.0.1", 2)}, 2: {Address("127.0.0.1", 1)}, 3: set()}

    run(scenario)


def test_a_node_without_an_ipv4_address_goes_without_mdns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def scenario(network: Network) -> None:
        await network.announce(1, host="::1")

    run(scenario)

    assert "mDNS cannot be used here, only seeds and tokens lead to other nodes" in caplog.text


def test_a_machine_hears_itself_where_there_is_multicast() -> None:
    assert hears_itself(["127.0.0.1"], HEARD_S_MAX)


def test_why_a_machine_cannot_announce_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(**_options: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr("zeroconf.Zeroconf", refuses)

    with pytest.raises(DiscoveryError, match="not permitted"):
        hears_itself(["127.0.0.1"], HEARD_S_MAX)
