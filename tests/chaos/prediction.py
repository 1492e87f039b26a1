"""The prediction: the same job on simulated hosts, of which one or more are lost; its figures have the names of the
real ones.

Nothing here is a real process, and the origin is never the one that is lost. What is told is how the simulator
thinks that it goes. Simulated hosts have a core each and no operating system: a task takes what `work` says, a
message half a millisecond.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from pnode.node.launch import Timing
from pnode.protocol.dag import Dag
from pnode.protocol.effects import Run
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.jobstate import Phase
from pnode.protocol.membership_settings import MembershipSettings
from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

from ..protocol.ledgers import job_spec, task
from . import work
from .losses import RESULTS_MAX
from .machines import NAMES, SuiteError
from .trial import Report

SETTINGS = {"lan": MembershipSettings.lan, "wan": MembershipSettings.wan, "fast": MembershipSettings.fast}

SETTLED_S = 3.0
JOB_S_MAX = 240.0
"""Both virtual."""


def run(report: Report, place: Path, rounds: int, timing: Timing, *, seed: int = 1) -> None:
    """So many rounds, each on a cluster of its own."""
    rng = Random(f"prediction/{timing}/{seed}")
    for number in range(rounds):
        cluster = _cluster(seed * 1000 + number, timing)
        gone = cluster.hosts[number % len(cluster.hosts)]
        others = [host for host in cluster.hosts if host is not gone]
        _round(report, cluster, rng.choice(others), gone, rng)


def _cluster(seed: int, timing: Timing) -> Cluster:
    """As many hosts as there are machines, that know each other."""
    seconds = {step.name: step.seconds for step in work.steps()}

    def takes(host: Host, run: Run) -> tuple[float, str]:
        return seconds[run.task.name], ""

    engine = Engine(seed)
    cluster = Cluster(engine, Network(engine, LinkModel()), takes, SETTINGS[timing]())
    for _ in NAMES:
        cluster.add()
    if not engine.run_until(cluster.everyone_knows_everyone, JOB_S_MAX):
        raise SuiteError(f"seed {seed}: the simulated hosts did not find together")
    engine.run_for(SETTLED_S)
    return cluster


def _round(report: Report, cluster: Cluster, origin: Host, gone: Host, rng: Random) -> None:
    engine = cluster.engine
    job_id = cluster.submit(origin, _spec())
    began = engine.now
    state = cluster.job(origin, job_id).state
    results = rng.randint(0, RESULTS_MAX)
    engine.run_until(lambda: state.results >= results, JOB_S_MAX)
    engine.run_for(rng.uniform(0.0, 1.0))
    gone.crash()
    gone_s = engine.now
    facts = dict(_verdicts(cluster, gone))
    if not engine.run_until(lambda: state.phase is not Phase.RUNNING, JOB_S_MAX):
        report.round(f"seed {engine.seed}", [f"the job is {state.phase.value}"])
        return
    ended_s = state.ended_s or engine.now
    placed, again = [], []
    for unit in state.units.values():
        for attempt in unit.attempts.values():
            if attempt.node == gone.id and attempt.started_s is not None and attempt.ended_s is None:
                later = [other for other in unit.attempts.values() if other.number > attempt.number]
                placed += (
                    [min(at for other in later if (at := other.assigned_s) is not None) - gone_s] if later else []
                )
                again += [min(at for other in later if (at := other.started_s) is not None) - gone_s] if later else []
    report.samples("placed_again_s", placed)
    report.samples("running_again_s", again)
    what = f"seed {engine.seed}, {cluster.name_of(gone.id)} crashes at {gone_s - began:.1f} s"
    report.round(what, (), makespan_s=ended_s - began, last_running_again_s=max(again, default=None), **facts)


def _verdicts(cluster: Cluster, gone: Host) -> Iterator[tuple[str, float]]:
    """When the first suspected that a host is gone, the first was sure, and all were; seconds since then."""
    gone_s = cluster.engine.now
    watchers = [host.peer.membership for host in cluster.hosts if host is not gone]

    def told() -> list[str]:
        found = [None if watcher is None else watcher.state_of(gone.id) for watcher in watchers]
        return ["dead" if state is None else state.name.lower() for state in found]

    conditions = {
        "suspected_s": lambda: any(state != "alive" for state in told()),
        "dead_s": lambda: "dead" in told(),
        "all_dead_s": lambda: all(state == "dead" for state in told()),
    }
    for name, holds in conditions.items():
        if cluster.engine.run_until(holds, JOB_S_MAX):
            yield name, cluster.engine.now - gone_s


def _spec() -> JobSpec:
    """The job as the simulator's hosts take it: nobody tells them how long its tasks take."""
    children: dict[str, list[str]] = {step.name: [] for step in work.steps()}
    for step in work.steps():
        for parent in step.parents:
            children[parent].append(step.name)
    tasks = (
        task(step.name, *children[step.name], inputs_per_call=max(1, len(step.parents)), output_bytes=work.BYTES)
        for step in work.steps()
    )
    made = job_spec(*tasks)
    return JobSpec("losses", Dag(made.dag.tasks), made.items, "wave-greedy", 0.0, b"n" * 16)
