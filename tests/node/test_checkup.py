"""Checkup: what is said of a machine."""

import importlib.metadata
import socket
import sys
from pathlib import Path

import pytest

from pnode.node import checkup
from pnode.node.checkup import Finding
from pnode.node.discovery import DiscoveryError
from pnode.node.home import hold_home, prepare_home
from pnode.node.listening import Interface

LAN = Interface("eth0", ("192.0.2.1",))


def words(findings: object) -> list[str]:
    return [f"{each.verdict} {each.text}" for each in findings]  # type: ignore[attr-defined]


def test_this_machine_can_run_pnode() -> None:
    (found,) = checkup.software()

    assert found.verdict == "ok"
    assert f"trio {importlib.metadata.version('trio')}" in found.text


def test_what_is_not_installed_and_an_old_python_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    requires = ["trio>=0.27", "nosuchpackage (>=1) ; python_version > '3'", "pytest>=8; extra == 'dev'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _name: requires)
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))

    old, missing, _ = checkup.software()

    assert (old.text, old.advice) == ("Python 3.10.1", "pnode needs Python 3.11 or newer")
    assert (missing.text, missing.advice) == ("not installed: nosuchpackage", "pip install nosuchpackage")


def test_a_home_that_others_may_read_and_a_full_disk_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "DISK_BYTES_MIN", 1 << 80)
    tmp_path.chmod(0o755)

    readable, full = checkup.home(tmp_path)

    assert (readable.verdict, readable.advice) == ("note", f"chmod 700 {tmp_path}")
    assert full.verdict == "trouble"


def test_a_port_in_use_is_no_trouble_and_none_is_looked_for_where_a_node_runs(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    with socket.create_server(("", 0)) as other:
        number = other.getsockname()[1]
        assert words(checkup.port(tmp_path, number)) == [
            f"note {number} is in use: a node that is started now takes any other that is free"
        ]
        with hold_home(tmp_path):
            assert words(checkup.port(tmp_path, number)) == []
    assert words(checkup.port(tmp_path, number)) == [f"ok {number} is free, TCP and UDP"]


def test_several_ways_and_a_vpn_are_told() -> None:
    vpn, bridge = Interface("wg0", ("198.51.100.1",)), Interface("docker0", ("172.17.0.1",))

    assert words(checkup.network(())) == [
        "note no interface but loopback is up: only nodes on this machine can be met"
    ]
    assert words(checkup.network((LAN, bridge))) == [
        "ok eth0: 192.0.2.1",
        "ok docker0 (of containers or virtual machines): 172.17.0.1",
    ]
    assert words(checkup.network((LAN, vpn)))[1:] == [
        "ok wg0 (a VPN): 198.51.100.1",
        "note there are several ways to other machines: a node names all its addresses, and others try them in turn",
        "note most VPNs carry no multicast: mDNS does not find nodes behind them",
    ]


def test_whether_announcements_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_hosts: list[str], _wait_s: float) -> bool:
        raise DiscoveryError("not permitted")

    assert words(checkup.mdns((Interface("eth0", ("2001:db8::1",)),))) == [
        "note there is no interface to announce at"
    ]
    monkeypatch.setattr(checkup, "hears_itself", lambda hosts, wait_s: True)
    assert words(checkup.mdns((LAN,))) == ["ok what this machine announces comes back to it"]
    monkeypatch.setattr(checkup, "hears_itself", lambda hosts, wait_s: False)
    assert words(checkup.mdns((LAN,))) == [
        "trouble what this machine announces at 192.0.2.1 does not come back to it"
    ]
    monkeypatch.setattr(checkup, "hears_itself", fails)
    (found,) = checkup.mdns((LAN,))
    assert found == Finding("mDNS", "trouble", "cannot be used: not permitted", found.advice)
