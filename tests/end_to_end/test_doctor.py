"""What `pnode doctor` says before there is a node, while all is well, and when another is dead."""

import pytest

from .hosts import Hosts, Ran, eventually

pytestmark = pytest.mark.processes


def lines(text: str, check: str) -> list[str]:
    return [line for line in text.splitlines() if line.split()[1:2] == [check]]


def test_a_doctor_sees_who_is_there_who_is_not_and_what_to_do(hosts: Hosts) -> None:
    ann, bob = hosts.cluster("ann", "bob")

    well = eventually(lambda: _all_known(ann.pnode("doctor").out), "bob's delay to be known")
    bob.kill()
    ill = eventually(lambda: _bereft(ann.pnode("doctor", "--seed", bob.address)), "bob to be dead")

    assert lines(well, "peers") == ["ok       peers     1 other node alive"]
    assert lines(well, "clock")[0].startswith("ok       clock     within ")
    assert lines(well, "ways") == ["ok       ways      1 other node can be dialled"]
    assert ill.status == 1
    assert lines(ill.out, "peers") == ["note     peers     bob is dead: nobody gets an answer from it"]
    (seed,) = lines(ill.out, "seed")
    assert seed.startswith(f"trouble  seed      {bob.address} is there, and nothing listens at that port")


def test_a_doctor_is_asked_before_the_first_node_is_started(hosts: Hosts) -> None:
    ran = hosts.add("nobody").pnode("doctor")

    assert lines(ran.out, "node")[0].startswith("note     node      none runs in ")
    assert "'pnode start --home " in ran.out


def _bereft(ran: Ran) -> Ran | None:
    return ran if "is dead" in ran.out else None


def _all_known(text: str) -> str | None:
    return text if len(lines(text, "peers")) == 1 else None
