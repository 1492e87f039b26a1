"""Seeds: where a person says that members listen, and what to say when a node cannot begin."""

from pnode.protocol.record import Address

PORT_DIGITS_MAX = 5


class StartError(Exception):
    """The node cannot do its work; the message says why and what to do."""


def seed_address(text: str) -> Address:
    """`host:port` of a seed. Raises StartError."""
    host, _, port = text.rpartition(":")
    if (
        not host
        or not (port.isascii() and port.isdigit() and len(port) <= PORT_DIGITS_MAX)
        or not 0 < int(port) < 65536
    ):
        raise StartError(f"--seed {text!r} is not HOST:PORT, for example 192.168.1.5:4440")
    return Address(host.strip("[]"), int(port))
