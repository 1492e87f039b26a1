"""Nodes for the tests of the whole, each a real process with a home of its own on the loopback interface."""

from collections.abc import Iterator

import pytest

from .hosts import Host, Hosts


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """For a test that starts nodes itself. (The name of a home is short: a socket's name has 103 bytes.)"""
    hosts = Hosts(tmp_path_factory.mktemp("h"))
    try:
        yield hosts
    finally:
        hosts.end()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    """Four nodes that know each other, the founder first, for all tests of a module."""
    hosts = Hosts(tmp_path_factory.mktemp("c"))
    try:
        yield hosts.cluster("alpha", "beta", "gamma", "delta")
    finally:
        hosts.end()
