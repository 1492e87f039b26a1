"""Blackout: all machines lose power at once in the middle of a job, and come back."""

from pathlib import Path
from random import Random

from pnode.node.launch import Timing

from . import verdict
from .losses import undisturbed_s
from .machines import Machine, SuiteError, cluster
from .trial import Report, Trial


def run(report: Report, place: Path, rounds: int, timing: Timing, *, seed: int = 1) -> None:
    """So many rounds on one cluster, which so goes through as many power cuts."""
    rng = Random(f"blackout/{timing}/{seed}")
    with cluster(place, timing) as machines:
        nominal_s = undisturbed_s(machines, place)
        report.note(f"the power stays: {nominal_s:.1f} s", undisturbed_s=nominal_s)
        for number in range(rounds):
            origin = machines[number % len(machines.machines)]
            trial = Trial(machines, place)
            trial.submit(origin)
            moment_s = trial.reach(rng.randint(20, 40), rng)
            before, at_s = _finished(trial, list(machines)), 0.0
            for machine in machines:
                at_s = machine.kill()
            what = f"{origin.name} is the origin, all lost after {moment_s:.1f} s with {len(before)} results"
            try:
                machines.revive()
                ended = trial.finish(rng.choice(list(machines)))
            except SuiteError as error:
                report.round(what, [str(error)], job=trial.job)
                raise
            again = verdict.run_again(before, ended.recording, at_s)
            report.round(
                what, [*ended.complaints, *again], makespan_s=ended.job.elapsed_s,
                results_before=float(len(before)), run_again=float(len(again)), job=trial.job,
            )  # fmt: skip


def _finished(trial: Trial, machines: list[Machine]) -> dict[verdict.Unit, tuple[int, str | None]]:
    """What some node tells to be finished: its author has it in its journal."""
    found: dict[verdict.Unit, tuple[int, str | None]] = {}
    for machine in machines:
        job = trial.told(machine)
        if job is not None:
            found.update(verdict.accepted(job))
    return found
