"""A full disk: one node's home lies on a file system of a few megabytes that has no room left in the middle of a job.

The file system is mounted in a mount namespace of the node's own, so nobody else sees it and it is gone with the
node. The others shall finish the job with the right result; the node itself may do what it likes, but must not lie.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from pnode.node.launch import Timing

from .cabling import SkippedError
from .machines import NAMES, Machine, Machines, SuiteError, ended
from .trial import Report, Trial

ROOM = "96m"
"""The store leaves the last 64 MiB to the journal, and one job's files need a tenth of the rest."""

MOUNT = 'mount -t tmpfs -o size="$1",mode=700 tmpfs "$2" && shift 2 && exec "$@"'

FILL_S = 4.0
"""Into the job."""


def run(report: Report, place: Path, rounds: int, timing: Timing, *, seed: int = 1) -> None:
    """So many jobs, each on a cluster of its own. Raises SkippedError where nothing can be mounted."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise SkippedError("a file system of a node's own needs root and unshare (util-linux)")
    rng = Random(f"disk/{timing}/{seed}")
    for number in range(rounds):
        with _cluster(place, timing, small := 1 + number % (len(NAMES) - 1)) as machines:
            full = machines[small]
            origin = full if number % 3 == 2 else machines[0]
            trial = Trial(machines, place)
            trial.submit(origin)
            trial.wait(FILL_S)
            left = fill(full)
            others = [machine for machine in machines if machine is not full]
            what = f"{origin.name} is the origin, the disk of {full.name} is full, {left} bytes were left"
            try:
                over = trial.finish(rng.choice(others), among=others)
            except SuiteError as error:
                report.round(what, [str(error)], job=trial.job)
                continue
            report.round(f"{what}; it {'goes on' if full.up else 'has ended'}", over.complaints,
                         makespan_s=over.job.elapsed_s, job=trial.job)  # fmt: skip


def fill(machine: Machine) -> int:
    """Leave no byte on a machine's disk; how many there were."""
    assert machine.process is not None
    written = 0
    with (
        contextlib.suppress(OSError),
        Path(f"/proc/{machine.process.pid}/root{machine.home}/ballast").open("wb") as out,
    ):
        for size in (65_536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    written += os.write(out.fileno(), bytes(size))
    return written


@contextlib.contextmanager
def _cluster(place: Path, timing: Timing, small: int) -> Iterator[Machines]:
    homes = Path(tempfile.mkdtemp(prefix="d", dir=place))
    made = [Machine(name, homes / name, timing) for name in NAMES]
    made[small].inside = True
    made[small].prefix = ("unshare", "--mount", "sh", "-c", MOUNT, "sh", ROOM, str(made[small].home))
    machines = Machines(homes, made)
    with ended(machines):
        machines.found()
        yield machines
