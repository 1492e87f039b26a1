"""Seeds as people write them."""

import pytest

from pnode.node.seeding import StartError, seed_address
from pnode.protocol.record import Address


@pytest.mark.parametrize(
    "text", ["host:\u00b2", "host:\u0664", "host:0", "host:65536", "host:" + "9" * 5000, ":1", "host"]
)
def test_what_is_no_seed_is_said_in_a_line(text: str) -> None:
    with pytest.raises(StartError, match="is not HOST:PORT"):
        seed_address(text)


def test_a_seed_is_a_host_and_a_port() -> None:
    assert seed_address("[::1]:4440") == Address("::1", 4440)
