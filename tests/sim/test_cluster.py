"""The whole core on a virtual clock: nodes find each other, place a job, survive what the network does."""

from collections import Counter
from dataclasses import replace

import pytest

from pnode.protocol.certificate import NotYetValidError
from pnode.protocol.dag import Dag
from pnode.protocol.effects import Notify, Run, Unit
from pnode.protocol.events import CancelJob, FindJobs, Leave, WatchJob
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.jobstate import Phase
from pnode.sim.cluster import Cluster, make_cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

from ..protocol.ledgers import job_spec, task


def fork_join(width: int) -> Dag:
    middle = [f"middle{number}" for number in range(width)]
    return Dag(
        (task("first", *middle), *(task(name, "last") for name in middle), task("last", inputs_per_call=width))
    )


def spec(dag: Dag, items: int = 1, mapper: str = "wave-greedy") -> JobSpec:
    made = job_spec(*dag.tasks, items=items)
    return JobSpec("test", dag, made.items, mapper, 0.0, b"n" * 16)


def finish(cluster: Cluster, origin: Host, job: JobId, limit_s: float = 120.0) -> Phase:
    """Run until the origin knows that the job has ended."""
    cluster.engine.run_until(lambda: cluster.job(origin, job).state.phase is not Phase.RUNNING, limit_s)
    return cluster.job(origin, job).state.phase


def places(cluster: Cluster, origin: Host, job: JobId) -> dict[tuple[int, int], str]:
    units = cluster.job(origin, job).state.units
    return {key: cluster.name_of(unit.result.node) for key, unit in sorted(units.items()) if unit.result is not None}


@pytest.mark.parametrize("seed", range(3))
def test_ten_nodes_join_submit_and_complete(seed: int) -> None:
    cluster = make_cluster(10, seed)
    origin = cluster.hosts[7]

    job = cluster.submit(origin, spec(fork_join(8)))

    assert finish(cluster, origin, job) is Phase.DONE
    assert cluster.job(origin, job).state.results == 10
    assert len(set(places(cluster, origin, job).values())) > 4
    starts = [unit for host in cluster.hosts for _, unit in host.runs]
    assert len(starts) == len(set(starts)) == 10


@pytest.mark.parametrize("seed", range(3))
def test_nodes_that_move_in_the_middle_of_a_job_are_not_given_up(seed: int) -> None:
    given_up: list[bytes] = []

    def note(host: Host, notice: Notify) -> None:
        assert host.peer.membership is not None
        member = host.peer.membership.members.get(NodeId(notice.subject))
        if notice.topic == "members" and member is not None and not member.present:
            given_up.append(notice.subject)

    cluster = make_cluster(10, seed)
    origin, one, two = cluster.hosts[7], cluster.hosts[0], cluster.hosts[4]
    job = cluster.submit(origin, spec(fork_join(8), items=4))
    cluster.engine.run_for(1.5)
    for host in cluster.hosts:
        host.on_notice = note
    cluster.move(one)
    cluster.move(two, origin)

    assert finish(cluster, origin, job) is Phase.DONE
    cluster.engine.run_for(20.0)
    assert cluster.everyone_knows_everyone()
    assert given_up == []
    assert len([unit for host in cluster.hosts for _, unit in host.runs]) == 40, "every unit runs once"
    for host in cluster.hosts:
        seen = [other.peer.addresses_of(host.id) for other in cluster.hosts if other is not host]
        assert seen == [(host.address,)] * 9


@pytest.mark.parametrize("mapper", ["wave-random", "wave-greedy", "wave-random-classic", "wave-greedy-classic"])
def test_every_mapper_brings_a_stream_through(mapper: str) -> None:
    cluster = make_cluster(4, 1)
    origin = cluster.hosts[2]

    job = cluster.submit(origin, spec(fork_join(3), items=10, mapper=mapper))

    assert finish(cluster, origin, job) is Phase.DONE
    assert cluster.job(origin, job).state.results == 50


def test_children_are_placed_by_the_holder_of_their_controlling_parent() -> None:
    cluster = make_cluster(6, 3)
    origin = cluster.hosts[0]

    job = cluster.submit(origin, spec(fork_join(6)))
    finish(cluster, origin, job)

    state = cluster.job(origin, job).state
    dag = cluster.job(origin, job)
    for key, unit in state.units.items():
        controller = dag.controller(key)
        [attempt] = [attempt for attempt in unit.attempts.values() if attempt.number == 1]
        if controller is None:
            assert attempt.assigner == origin.id
        else:
            holders = [held.node for held in state.unit(controller).attempts.values()]
            assert attempt.assigner in holders


def test_a_fast_node_gets_more_of_the_work() -> None:
    cluster = make_cluster(4, 5, speeds={1: 4.0})
    origin = cluster.hosts[0]

    job = cluster.submit(origin, spec(fork_join(30)))
    finish(cluster, origin, job)

    counts = [list(places(cluster, origin, job).values()).count(f"n{number}") for number in range(4)]
    assert counts[1] > 2 * max(counts[0], counts[2], counts[3])


def test_short_jobs_that_follow_each_other_are_shared_by_all_nodes() -> None:
    """Of unknown tasks a second each is feared. Who was through with all of them said so up to a second later, and
    meanwhile got nothing of the next job."""
    cluster = make_cluster(2, 1, run_model=lambda host, run: (0.02, ""))
    origin = cluster.hosts[0]
    shares = []
    for number in range(5):
        job = cluster.submit(origin, replace(spec(fork_join(200)), name=f"program {number}"))
        assert finish(cluster, origin, job) is Phase.DONE
        shares.append(min(Counter(places(cluster, origin, job).values()).values()))

    assert min(shares[1:]) > 95, "of 202 each"


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    def trace(seed: int) -> list[tuple[float, Unit]]:
        cluster = make_cluster(5, seed)
        job = cluster.submit(cluster.hosts[1], spec(fork_join(6)))
        finish(cluster, cluster.hosts[1], job)
        return sorted((when, unit.task, unit.attempt) for host in cluster.hosts for when, unit in host.runs)  # type: ignore[misc]

    assert trace(11) == trace(11)
    assert trace(11) != trace(12)


def test_a_failing_task_fails_the_job_with_its_reason_and_ends_the_rest() -> None:
    def model(host: Host, run: Run) -> tuple[float, str]:
        return (0.5, "exit status 3") if run.task.name == "middle1" else (20.0, "")

    cluster = make_cluster(4, 3, run_model=model)
    origin = cluster.hosts[3]

    job = cluster.submit(origin, spec(fork_join(4)))
    began = cluster.engine.now
    phase = finish(cluster, origin, job)

    assert phase is Phase.FAILED
    assert cluster.engine.now - began < 25.0
    [(key, attempt)] = cluster.job(origin, job).state.failures()
    assert (cluster.job(origin, job).task(key).name, attempt.reason) == ("middle1", "exit status 3")
    cluster.engine.run_for(2.0)
    assert all(not host.running for host in cluster.hosts)


def test_a_cancelled_job_ends_everywhere() -> None:
    cluster = make_cluster(4, 2, run_model=lambda host, run: (30.0, ""))
    origin, other = cluster.hosts[3], cluster.hosts[1]
    job = cluster.submit(origin, spec(fork_join(4)))
    cluster.engine.run_for(1.0)
    cluster.request(other, lambda request: FindJobs(request))
    cluster.request(other, lambda request: WatchJob(request, job))

    cluster.request(other, lambda request: CancelJob(request, job))
    cluster.engine.run_for(2.0)

    assert all(not host.running for host in cluster.hosts)
    assert cluster.job(origin, job).state.phase is Phase.CANCELLED
    assert cluster.job(other, job).state.phase is Phase.CANCELLED


def test_a_node_without_a_part_in_a_job_can_find_and_follow_it() -> None:
    cluster = make_cluster(3, 2)
    origin, other = cluster.hosts[0], cluster.add()
    cluster.engine.run_for(2.0)
    job = cluster.submit(origin, spec(fork_join(2), items=3))
    cluster.request(other, lambda request: FindJobs(request))
    assert other.peer.jobs is not None
    assert [summary.job for summary in other.peer.jobs.enquiries.listed.values()] == [job]

    cluster.request(other, lambda request: WatchJob(request, job))
    finish(cluster, origin, job)
    cluster.engine.run_for(1.0)

    assert cluster.job(other, job).state.phase is Phase.DONE
    assert cluster.job(other, job).ledger.vector() == cluster.job(origin, job).ledger.vector()


def test_an_unknown_job_is_not_waited_for() -> None:
    cluster = make_cluster(2, 2)

    with pytest.raises(AssertionError, match="nobody in the cluster knows such a job"):
        cluster.request(cluster.hosts[0], lambda request: WatchJob(request, JobId(b"x" * 16)))


def test_a_lossy_network_delays_a_job_but_does_not_lose_it() -> None:
    cluster = make_cluster(6, 4, model=LinkModel(latency_s=0.02, jitter_s=0.01, loss=0.1))
    origin = cluster.hosts[5]

    job = cluster.submit(origin, spec(fork_join(6), items=2))

    assert finish(cluster, origin, job) is Phase.DONE


def test_work_of_a_crashed_node_is_done_again_elsewhere() -> None:
    cluster = make_cluster(5, 6, run_model=lambda host, run: (4.0, ""))
    origin = cluster.hosts[0]
    job = cluster.submit(origin, spec(fork_join(8)))
    cluster.engine.run_for(6.0)
    victim = next(host for host in cluster.hosts[1:] if host.running)

    victim.crash()

    assert finish(cluster, origin, job, 300.0) is Phase.DONE
    last = max(cluster.job(origin, job).state.units)
    again = [unit for unit in cluster.job(origin, job).state.units.values() if len(unit.attempts) > 1]
    assert again
    assert cluster.job(origin, job).state.unit(last).result is not None


def test_a_restarted_cluster_takes_its_jobs_up_again() -> None:
    cluster = make_cluster(3, 8, run_model=lambda host, run: (5.0, ""))
    origin = cluster.hosts[1]
    job = cluster.submit(origin, spec(fork_join(3)))
    cluster.engine.run_for(7.0)
    for host in cluster.hosts:
        host.crash(keep_writes=True)  # what one task made for others need not outlive the machine
    for host in cluster.hosts:
        cluster.restart(host)

    assert finish(cluster, origin, job, 300.0) is Phase.DONE
    firsts = [unit for host in cluster.hosts for _, unit in host.runs if unit.task == "first"]
    assert len(firsts) == 1


def test_a_clock_an_hour_ahead_is_refused_with_the_reason() -> None:
    cluster = make_cluster(2, 1)

    early = cluster.add(clock_offset_s=3600.0)
    cluster.engine.run_for(5.0)

    assert not early.peer.is_member
    reasons = [early.peer.joining.refusal or "", *early.peer.joining.dial_failures.values()]
    assert any("clock" in reason for reason in reasons), reasons


def test_a_clock_an_hour_behind_is_noticed_by_its_own_node() -> None:
    cluster = make_cluster(2, 1)

    with pytest.raises(NotYetValidError, match="clocks differ"):
        cluster.add(clock_offset_s=-3600.0)


def test_an_engine_without_events_stands_still() -> None:
    engine = Engine(1)
    network = Network(engine, LinkModel())

    assert not engine.step()
    network.cut(0, 1)
    assert not network.reaches(0, 1)
    network.heal(0, 1)
    assert network.reaches(0, 1)


def test_a_node_that_left_in_order_and_comes_back_is_seen_by_all_again() -> None:
    cluster = make_cluster(3, 1)
    leaver = cluster.hosts[0]
    cluster.request(leaver, Leave)
    leaver.crash()
    cluster.engine.run_for(3.0)

    cluster.restart(leaver)

    assert cluster.engine.run_until(cluster.everyone_knows_everyone, 10.0)


def test_a_node_remembers_who_they_were_of_whom_it_has_only_heard_from_others() -> None:
    cluster = make_cluster(4, 1)
    author, newcomer = cluster.hosts[3], cluster.hosts[2]
    finish(cluster, author, cluster.submit(author, replace(spec(fork_join(3)), replicas=3)))
    newcomer.crash()
    author.crash()
    cluster.engine.run_for(30.0)
    cluster.restart(newcomer, keep_disk=False)
    cluster.engine.run_for(60.0)
    assert newcomer.peer.trust.standing(author.id) is not None

    newcomer.crash(keep_writes=True)
    cluster.restart(newcomer)

    assert newcomer.peer.membership is not None
    assert newcomer.peer.membership.state_of(author.id) is None
    assert [node for node, _ in newcomer.peer.trust.path(author.id)] == [cluster.hosts[0].id, author.id]
