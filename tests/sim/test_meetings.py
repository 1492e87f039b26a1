"""Hosts that can only dial out, on a virtual clock: members like all others, through others if need be."""

from dataclasses import replace

import pytest

from pnode.protocol.dag import Dag
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.jobstate import Phase
from pnode.protocol.reaching import HIDDEN_AGAIN_S, TURN_S, Reach
from pnode.protocol.roster import State
from pnode.protocol.switchboard import CONTROL_CALLS_MAX
from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

from ..protocol.ledgers import job_spec, task

SETTLED_S = 20.0
"""For everybody to be asked, to find relays, and to have told all others."""


def cluster_with(count: int, *hidden: int, seed: int = 1, cores: dict[int, int] | None = None) -> Cluster:
    """So many hosts, some of which nobody can dial, after they have found out."""
    engine = Engine(seed)
    cluster = Cluster(engine, Network(engine, LinkModel()))
    cluster.network.hidden.update(dict.fromkeys(hidden))
    for number in range(count):
        cluster.add(cores=(cores or {}).get(number, 1))
    engine.run_for(SETTLED_S)
    return cluster


def reach_of(host: Host) -> Reach:
    assert host.peer.reaching is not None
    return host.peer.reaching.state


def relays_of(host: Host) -> int:
    assert host.peer.membership is not None
    return len(host.peer.membership.record.relays)


def state_of(host: Host, other: Host) -> State | None:
    assert host.peer.membership is not None
    return host.peer.membership.state_of(other.id)


def spec(dag: Dag) -> JobSpec:
    return JobSpec("test", dag, job_spec(*dag.tasks, items=1).items, "wave-greedy", 0.0, b"n" * 16)


def wide(width: int, cores: int, output_bytes: int = 0) -> Dag:
    """A fork and a join of tasks that need so many cores."""
    middle = [f"middle{number}" for number in range(width)]
    tasks = (task("first", *middle), *(task(name, "last") for name in middle), task("last", inputs_per_call=width))
    return Dag(tuple(replace(each, cores=cores, output_bytes=output_bytes) for each in tasks))


def watch(cluster: Cluster, seconds: float) -> list[tuple[int, int, State | None]]:
    """Whoever was ever taken for anything but alive: by whom, and for what."""
    found: list[tuple[int, int, State | None]] = []
    for _ in range(round(seconds)):
        cluster.engine.run_for(1.0)
        found += [
            (host.number, other.number, state)
            for host in cluster.hosts
            for other in cluster.hosts
            if (state := state_of(host, other)) is not State.ALIVE
        ]
    return found


def test_each_finds_out_whether_it_can_be_dialled() -> None:
    cluster = cluster_with(4, 2, 3)

    assert [reach_of(host) for host in cluster.hosts] == [Reach.OPEN, Reach.OPEN, Reach.HIDDEN, Reach.HIDDEN]
    assert [relays_of(host) for host in cluster.hosts] == [0, 0, 2, 2]


@pytest.mark.parametrize("hidden", [(2,), (2, 3), (1, 2, 3)])
def test_nobody_suspects_hosts_that_can_only_dial_out(hidden: tuple[int, ...]) -> None:
    cluster = cluster_with(4, *hidden)

    assert watch(cluster, 120) == []


def test_nobody_suspects_others_though_their_only_relay_has_no_place_for_every_pair() -> None:
    size = 22
    assert (size - 1) * (size - 2) / 2 > CONTROL_CALLS_MAX
    cluster = cluster_with(size, *range(1, size))
    relay = cluster.hosts[0]
    cluster.engine.run_for(100.0)

    before = relay.meetings.calls
    assert watch(cluster, 60) == []
    assert relay.meetings.calls - before < 10 * size, "and it is not called all the time"


def test_two_that_can_only_dial_out_have_a_session_through_a_relay() -> None:
    cluster = cluster_with(4, 2, 3)

    one, other = cluster.hosts[2:]
    assert one.pipes[other.id].via in (cluster.hosts[0].id, cluster.hosts[1].id)
    assert one.pipes[cluster.hosts[0].id].via is None


def test_a_relay_that_dies_is_replaced_by_another() -> None:
    cluster = cluster_with(5, 3, 4)
    one, other = cluster.hosts[3:]
    relay = next(host for host in cluster.hosts if host.id == one.pipes[other.id].via)

    relay.crash(silently=True)
    cluster.engine.run_for(60.0)

    survivors = [host for host in cluster.hosts if host is not relay]
    assert all(state_of(host, each) is State.ALIVE for host in survivors for each in survivors)
    assert one.pipes[other.id].via not in (None, relay.id)


def test_a_relay_that_passes_nothing_on_is_left() -> None:
    cluster = cluster_with(6, 4, 5)
    one, other = cluster.hosts[4:]
    relay = next(host for host in cluster.hosts if host.id == one.pipes[other.id].via)

    relay.meetings.is_deaf = True
    found = watch(cluster, 60)

    assert one.pipes[other.id].via not in (None, relay.id)
    assert all(state is State.SUSPECT for _, _, state in found), "nobody is taken for dead"
    assert watch(cluster, 60) == []


def test_a_job_comes_from_one_such_host_and_runs_on_another() -> None:
    cluster = cluster_with(4, 2, 3, cores={3: 2})
    origin, worker = cluster.hosts[2:]

    job = cluster.submit(origin, spec(wide(4, cores=2, output_bytes=1_000_000)))
    cluster.engine.run_until(lambda: cluster.job(origin, job).state.phase is not Phase.RUNNING, 60.0)

    assert cluster.job(origin, job).state.phase is Phase.DONE
    assert len(worker.runs) == 6
    assert sum(len(host.runs) for host in cluster.hosts) == 6
    cluster.engine.run_for(10.0)
    assert (worker.id, cluster.hosts[0].id) in origin.meetings.relayed or (
        (worker.id, cluster.hosts[1].id) in origin.meetings.relayed
    ), "the results were copied to the origin, which keeps the job"


def test_a_job_ends_right_though_its_relay_dies_under_it() -> None:
    cluster = cluster_with(5, 3, 4, cores={4: 2})
    origin, worker = cluster.hosts[3:]

    job = cluster.submit(origin, spec(wide(6, cores=2, output_bytes=100_000)))
    cluster.engine.run_for(2.5)
    relay = next(host for host in cluster.hosts if host.id == origin.pipes[worker.id].via)
    relay.crash()
    cluster.engine.run_until(lambda: cluster.job(origin, job).state.phase is not Phase.RUNNING, 120.0)

    assert cluster.job(origin, job).state.phase is Phase.DONE
    assert len(worker.runs) == 8, "nothing was taken for lost and made again"


def test_content_does_not_go_through_a_relay_where_one_can_dial_the_other() -> None:
    cluster = cluster_with(4, 3, cores={3: 2})
    origin, worker = cluster.hosts[1], cluster.hosts[3]

    job = cluster.submit(origin, spec(wide(4, cores=2, output_bytes=1_000_000)))
    cluster.engine.run_until(lambda: cluster.job(origin, job).state.phase is not Phase.RUNNING, 60.0)
    cluster.engine.run_for(10.0)

    assert cluster.job(origin, job).state.phase is Phase.DONE
    assert len(worker.runs) == 6
    assert all(host.meetings.relayed == [] for host in cluster.hosts)


def test_who_can_be_dialled_again_names_no_relays_any_more() -> None:
    cluster = cluster_with(4, 2)
    host = cluster.hosts[2]

    cluster.network.hidden.clear()
    cluster.engine.run_for(HIDDEN_AGAIN_S + 10.0)

    assert reach_of(host) is Reach.OPEN
    assert relays_of(host) == 0
    membership = cluster.hosts[1].peer.membership
    assert membership is not None
    assert membership.members[host.id].record.relays == ()


def test_a_host_behind_a_new_firewall_is_noticed_by_those_who_cannot_reach_it() -> None:
    cluster = cluster_with(4)
    host = cluster.hosts[2]

    cluster.network.hidden[2] = None
    for other in cluster.hosts:
        if other is not host:
            host.sessions.reset(other.id)
    cluster.engine.run_for(60.0)

    assert reach_of(host) is Reach.HIDDEN
    assert watch(cluster, 60) == []


def test_a_session_through_a_relay_gives_way_to_a_direct_one() -> None:
    cluster = cluster_with(4, 2)
    host, other = cluster.hosts[2], cluster.hosts[1]

    host.sessions.reset(other.id)
    other.sessions.send(host.id, b"")
    cluster.engine.run_for(TURN_S + 5.0)

    assert host.pipes[other.id].via is None
