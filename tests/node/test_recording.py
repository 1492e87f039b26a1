"""Recordings: what a simulation of a run needs is in them, as the ledger and the asked node have it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pnode.node import recording as module
from pnode.node.api import RefusedError
from pnode.node.plain import from_plain
from pnode.node.recording import FORMAT, VERSION, Recording, recording, write_recording
from pnode.protocol.dag import Dag
from pnode.protocol.events import WatchJob
from pnode.protocol.ids import JobId, node_text
from pnode.protocol.jobspec import PlannedTask
from pnode.protocol.jobstate import Phase
from pnode.sim.cluster import Cluster, make_cluster
from pnode.sim.host import Host

from ..protocol.ledgers import job_spec, task

# Two outputs dealt to two children, whose outputs go to one.
SPLIT = Dag(
    (
        task("split", "left", "right", output_bytes=600, broadcast=False),
        task("left", "join", output_bytes=50, expected_s=2.0),
        task("right", "join", output_bytes=70),
        task("join", inputs_per_call=2, cores=1),
    )
)


def run(cluster: Cluster, *, items: int = 1, plan: tuple[PlannedTask, ...] = ()) -> JobId:
    """Submit at the first host and wait for the end."""
    spec = replace(job_spec(*SPLIT.tasks, items=items), mapper="wave-random", plan=plan)
    job = cluster.submit(cluster.hosts[0], spec)
    cluster.engine.run_until(lambda: cluster.job(cluster.hosts[0], job).state.phase is not Phase.RUNNING, 60.0)
    return job


def recorded(cluster: Cluster, job: JobId, by: Host | None = None) -> Recording:
    host = by or cluster.hosts[0]
    assert host.peer.neighbours is not None
    return recording(cluster.job(host, job), host.peer.neighbours, host.peer.profile, host.now)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return make_cluster(3, 2, speeds={1: 0.5})


def test_every_attempt_has_its_node_and_its_instants_since_the_submission(cluster: Cluster) -> None:
    document = recorded(cluster, run(cluster))

    assert [attempt.task for attempt in document.attempts] == ["split", "left", "right", "join"]
    nodes = {node.id: node for node in document.nodes}
    for attempt in document.attempts:
        assert attempt.phase == "finished"
        instants = (attempt.assigned_s, attempt.accepted_s, attempt.ready_s, attempt.started_s, attempt.ended_s)
        assert None not in instants
        assert sorted(instants) == list(instants)  # type: ignore[type-var]  # none is None, see above
        assert 0.0 <= (attempt.assigned_s or 0.0) < 60.0
        expected_s = 2.0 if attempt.task == "left" else 1.0
        assert attempt.seconds == expected_s / nodes[attempt.node].speed
    assert document.ended_s == max(attempt.ended_s or 0.0 for attempt in document.attempts)
    assert (document.format, document.version, document.state) == (FORMAT, VERSION, "done")


def test_edges_have_the_sizes_that_were_seen(cluster: Cluster) -> None:
    document = recorded(cluster, run(cluster, items=2))

    edges = {(edge.parent, edge.child): (edge.size_bytes, edge.items_observed) for edge in document.edges}
    assert edges == {
        ("split", "left"): (300.0, 2),
        ("split", "right"): (300.0, 2),
        ("left", "join"): (50.0, 2),
        ("right", "join"): (70.0, 2),
    }
    assert [(item.key, item.size_bytes) for item in document.inputs] == [("k0", 5), ("k1", 5)]


def test_what_was_never_sent_has_the_size_that_the_job_states() -> None:
    cluster = make_cluster(1, 2)

    document = recorded(cluster, cluster.submit(cluster.hosts[0], job_spec(*SPLIT.tasks)))

    assert [(edge.size_bytes, edge.items_observed) for edge in document.edges] == [
        (300.0, 0), (300.0, 0), (50.0, 0), (70.0, 0),
    ]  # fmt: skip
    assert (document.state, document.ended_s) == ("running", None)


def test_all_nodes_and_the_ways_between_them_are_there(cluster: Cluster) -> None:
    document = recorded(cluster, run(cluster))

    assert {(node.name, node.cores, node.speed) for node in document.nodes} == {
        ("n0", 1, 1.0), ("n1", 1, 0.5), ("n2", 1, 1.0),
    }  # fmt: skip
    ids = [node.id for node in document.nodes]
    assert sorted((link.source, link.target) for link in document.links) == sorted(
        (source, target) for source in ids for target in ids if source != target
    )
    profile = cluster.hosts[0].peer.profile
    link = next(link for link in document.links if link.source == ids[1] and link.target == ids[0])
    known = {node_text(host.id): host.id for host in cluster.hosts}
    believed = profile.link(known[ids[1]], known[ids[0]], cluster.hosts[0].now)
    assert (link.latency_s, link.bandwidth_bytes_per_s) == (believed.latency_s, believed.bandwidth_bytes_per_s)


def test_the_graph_says_who_decides_about_whom(cluster: Cluster) -> None:
    document = recorded(cluster, run(cluster))

    assert [(task.name, task.controller, task.final) for task in document.tasks] == [
        ("split", None, False),
        ("left", "split", False),
        ("right", "split", False),
        ("join", "left", True),
    ]
    deciders = {attempt.task: attempt.assigner for attempt in document.attempts}
    homes = {attempt.task: attempt.node for attempt in document.attempts}
    assert deciders["split"] == document.origin
    assert deciders["join"] == homes["left"]


def test_a_plan_is_told_as_it_was_made(cluster: Cluster) -> None:
    node = cluster.hosts[1].id

    document = recorded(cluster, run(cluster, plan=tuple(PlannedTask(node, at, at + 1.0) for at in range(4))))

    assert [(part.task, part.node, part.start_s, part.finish_s) for part in document.plan] == [
        (name, node_text(node), at, at + 1.0) for at, name in enumerate(("split", "left", "right", "join"))
    ]


def test_whoever_has_the_ledger_tells_the_same_run(cluster: Cluster) -> None:
    job = run(cluster)
    other = cluster.hosts[2]
    cluster.request(other, lambda request: WatchJob(request, job))

    one, another = recorded(cluster, job), recorded(cluster, job, other)

    assert (one.tasks, one.edges, one.attempts, one.nodes) == (
        another.tasks, another.edges, another.attempts, another.nodes,
    )  # fmt: skip
    assert one.recorded_by != another.recorded_by


def test_a_recording_is_written_in_one_step_and_can_be_read_back(cluster: Cluster, tmp_path: Path) -> None:
    document = recorded(cluster, run(cluster))
    path = tmp_path / "run.json"
    path.write_text("an earlier one")

    write_recording(document, path)

    read = from_plain(Recording, json.loads(path.read_text()))
    # Instants are told to the millisecond.
    assert replace(read, submitted_at=document.submitted_at, recorded_at=document.recorded_at) == document
    assert [found.name for found in tmp_path.iterdir()] == ["run.json"]


def test_more_than_a_machine_can_hold_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    job = run(cluster)
    monkeypatch.setattr(module, "ATTEMPTS_MAX", 3)

    with pytest.raises(RefusedError, match="has 4 attempts at its tasks, at most 3 can be recorded"):
        recorded(cluster, job)


def test_of_many_nodes_those_with_a_part_in_the_job_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NODES_MAX", 2)
    cluster = make_cluster(6, 2)
    spec = replace(job_spec(task("only")), mapper="wave-random")
    job = cluster.submit(cluster.hosts[3], spec)
    cluster.engine.run_until(lambda: cluster.job(cluster.hosts[3], job).state.phase is Phase.DONE, 60.0)

    document = recorded(cluster, job, cluster.hosts[3])

    [attempt] = document.attempts
    assert {attempt.node, document.origin} <= {node.id for node in document.nodes}
    assert len(document.nodes) == 2
