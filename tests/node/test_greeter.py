"""The greeter: who can be dialled, on a virtual clock."""

from pnode.node.greeter import KNOCK_S
from pnode.protocol.effects import Knock
from pnode.protocol.events import Knocked
from pnode.protocol.record import ADDRESSES_MAX, Address

from .network import Node, Switchboard, in_no_time


@in_no_time
async def test_a_node_is_found_at_the_last_of_its_addresses_though_nothing_comes_back_from_the_others() -> None:
    silent = [f"10.0.1.{number}" for number in range(ADDRESSES_MAX - 1)]
    board = Switchboard(silent={*silent})
    asked, asking = board.plug(Node("asked"), "10.0.0.1"), board.plug(Node("asking"), "10.0.0.2")
    addresses = tuple(Address(host, 1) for host in [*silent, "10.0.0.2"])

    async with board.running() as nursery:
        asked.perform(Knock(asking.id, addresses, 1))
        knocked = await asked.until(Knocked)
        nursery.cancel_scope.cancel()

    assert knocked.reached, f"an attempt at each takes its turn within {KNOCK_S:g} s"
