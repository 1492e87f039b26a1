"""A node that is made slow for an experiment is slow in all that it tells."""

from pathlib import Path

import pytest

from pnode.node.api import NodeStatus, PeerStatus

from .applications import squares
from .hosts import Hosts

pytestmark = pytest.mark.processes

SHARE = 0.25
PAUSE_S = 0.2


def test_a_slow_node_takes_its_time_and_says_that_it_is_an_experiment(hosts: Hosts, tmp_path: Path) -> None:
    slow = hosts.add("slow")
    slow.start("--emulate-speed", SHARE)
    dag, numbers = squares(tmp_path / "squares", range(2), pause_s=PAUSE_S)

    job = slow.finished(slow.submit(dag, numbers))

    assert job.state == "done"
    for unit in job.units:
        assert unit.seconds is not None
        assert unit.started_at is not None
        assert unit.finished_at is not None
        assert unit.finished_at - unit.started_at >= unit.seconds - 0.002  # told to the millisecond
        assert unit.seconds >= PAUSE_S / SHARE or not unit.task.startswith("square")
    assert slow.ask(NodeStatus, "status").emulated_speed == SHARE
    assert "tasks run as on a machine of 0.25 times this one's speed" in slow.done("status").out
    [peer] = slow.ask(tuple[PeerStatus, ...], "peers")
    assert "emulated-speed/0.25" in peer.software


def test_a_slow_node_is_as_fast_as_its_machine_when_nobody_says_otherwise(hosts: Hosts) -> None:
    node = hosts.add("node")
    node.start("--emulate-speed", SHARE)
    node.stop()

    assert node.start().emulated_speed == 1.0
