"""Pauses: a machine that stands still for a while, as a laptop does with its lid closed, and then goes on.

What it has was given to others meanwhile, if the pause was long enough. When it wakes it shall find out and drop
that, and a result that it finishes all the same shall be refused.
"""

import time
from pathlib import Path
from random import Random

from pnode.node.launch import Timing

from . import verdict
from .losses import RESULTS_MAX, undisturbed_s
from .machines import Machines, SuiteError, cluster
from .trial import Report, Trial

PAUSES_S = (3.0, 15.0, 60.0)
"""Shorter than a suspicion, longer than a verdict, longer than the job."""


def run(report: Report, place: Path, rounds: int, timing: Timing, *, seed: int = 1) -> None:
    """So many rounds, each pause in turn; every third time it is the origin that stands still."""
    rng = Random(f"pauses/{timing}/{seed}")
    with cluster(place, timing) as machines:
        nominal_s = undisturbed_s(machines, place)
        report.note(f"nobody pauses: {nominal_s:.1f} s", undisturbed_s=nominal_s)
        for number in range(rounds):
            _round(report, machines, place, number, rng)


def _round(report: Report, machines: Machines, place: Path, number: int, rng: Random) -> None:
    pause_s = PAUSES_S[number % len(PAUSES_S)]
    paused = machines[number % len(machines.machines)]
    others = [machine for machine in machines if machine is not paused]
    origin = paused if number // len(PAUSES_S) % 3 == 2 else rng.choice(others)
    trial = Trial(machines, place)
    trial.submit(origin)
    moment_s = trial.reach(rng.randint(0, RESULTS_MAX), rng)
    what = f"{origin.name} is the origin, {paused.name} pauses at {moment_s:.1f} s for {pause_s:g} s"
    at_s = paused.pause()
    time.sleep(pause_s)
    paused.resume()
    try:
        ended = trial.finish(rng.choice(others))
    except SuiteError as error:
        report.round(what, [str(error)], job=trial.job)
        raise
    had = verdict.lost(ended.recording, paused.id, at_s)
    others_did = [each for each in had if each.again_s is not None]
    report.round(
        what, [*ended.complaints, *verdict.left_open(ended.recording, paused.id)],
        makespan_s=ended.job.elapsed_s, units_there=float(len(had)), done_elsewhere=float(len(others_did)),
        job=trial.job, lost=had,
    )  # fmt: skip
    machines.wait_until_together()
