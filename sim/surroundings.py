"""The surroundings of a simulated host: the others, and who looks over its shoulder."""

from typing import TYPE_CHECKING, Protocol

from pnode.protocol.effects import Effect
from pnode.protocol.events import Event
from pnode.protocol.ids import NodeId
from pnode.protocol.record import Address

if TYPE_CHECKING:
    from .host import Host


class Neighbourhood(Protocol):
    """What a host needs to know of the others."""

    def host_at(self, address: Address) -> "Host | None":
        """Whoever listens there and is up."""

    def host_of(self, node: NodeId) -> "Host | None":
        """The host of a node, if it is up."""

    def machine_at(self, address: Address) -> "Host | None":
        """The host there, up or not."""


class Observer(Protocol):
    """Somebody who looks over the shoulder of a host."""

    def before(self, host: "Host", event: Event | None) -> None:
        """The peer is about to be told this, or with None that its deadline has come."""

    def after(self, host: "Host", effects: list[Effect]) -> None:
        """This is what it wants done."""
