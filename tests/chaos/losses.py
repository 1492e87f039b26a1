"""Losses: machines that are lost for good in the middle of a job, one, two, or the origin and a guardian at once."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from pnode.node.launch import Timing
from pnode.protocol.guardians import best
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.jobspec import REPLICAS

from . import verdict
from .machines import Machine, Machines, SuiteError, cluster
from .trial import Report, Trial, Watch

RESULTS_MAX = 54
"""Of 60; with more of them it is too late to lose anything that is worth it."""


def run(report: Report, place: Path, rounds: int, timing: Timing, victims: str = "one", *, seed: int = 1) -> None:
    """So many rounds; a cluster goes on from one to the next, with the lost machines started again."""
    rng = Random(f"losses/{victims}/{timing}/{seed}")
    done = 0
    while done < rounds:
        with cluster(place, timing) as machines:
            nominal_s = undisturbed_s(machines, place)
            report.note(f"nobody is lost: {nominal_s:.1f} s", undisturbed_s=nominal_s)
            while done < rounds:
                done += 1
                if not _round(report, machines, place, done - 1, victims, rng):
                    break  # what is left of that cluster is no fair start for the next


def undisturbed_s(machines: Machines, place: Path) -> float:
    """How long the job takes if nothing happens to it."""
    trial = Trial(machines, place)
    trial.submit(machines[1])
    ended = trial.finish(machines[0])
    if ended.complaints:
        raise SuiteError(f"without any fault: {ended.complaints}")
    return ended.job.elapsed_s


def _round(report: Report, machines: Machines, place: Path, number: int, victims: str, rng: Random) -> bool:
    """One job; whether the cluster is as it should be afterwards."""
    trial = Trial(machines, place)
    origin, gone = chosen(list(machines), number, victims, rng)
    trial.submit(origin)
    moment_s = trial.reach(rng.randint(0, RESULTS_MAX), rng)
    if victims == "origin+guardian":
        gone = [origin, rng.choice(guardians_of(trial))]
    what = f"{origin.name} is the origin, kill {' and '.join(machine.name for machine in gone)} at {moment_s:.1f} s"
    at_s = [machine.kill() for machine in gone]
    witness = rng.choice(machines.up)
    try:
        with Watch(machines.up, gone[0], at_s[0]) as watch:
            ended = trial.finish(witness)
    except SuiteError as error:
        report.round(what, [str(error)], job=trial.job)
        return False
    lost = [
        each for machine, at in zip(gone, at_s, strict=True) for each in verdict.lost(ended.recording, machine.id, at)
    ]
    running = [each.again_s for each in lost if each.was_running and each.again_s is not None]
    report.samples("running_again_s", running)
    report.samples(
        "placed_again_s", [each.placed_s for each in lost if each.was_running and each.placed_s is not None]
    )
    report.samples(
        "waiting_again_s", [each.again_s for each in lost if not each.was_running and each.again_s is not None]
    )
    report.round(
        what, ended.complaints, makespan_s=ended.job.elapsed_s, suspected_s=watch.suspected_s, dead_s=watch.dead_s,
        all_dead_s=watch.all_dead_s, last_running_again_s=max(running, default=None), lost=lost, witness=witness.name,
        attempts=len(ended.recording.attempts), job=trial.job,
    )  # fmt: skip
    machines.revive()
    return True


def chosen(machines: Sequence[Machine], number: int, victims: str, rng: Random) -> tuple[Machine, list[Machine]]:
    """(origin, whom to lose): every machine in turn, and every third time it is the origin itself."""
    first = machines[number % len(machines)]
    others = [machine for machine in machines if machine is not first]
    if victims == "two":
        second = rng.choice(others)
        return rng.choice([*machines, first, second]), [first, second]
    if victims == "origin+guardian":
        return first, []
    return (first if number % 3 == 0 else rng.choice(others)), [first]


def guardians_of(trial: Trial) -> list[Machine]:
    """The nodes that guard a job beside its origin, while all are there."""
    machines = {
        NodeId(bytes.fromhex(machine.key)): machine for machine in trial.machines if machine is not trial.origin
    }
    standings = best(JobId(bytes.fromhex(trial.key)), REPLICAS, machines)
    return [machines[node] for _, node in standings]
