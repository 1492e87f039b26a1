"""Turn: one setup of a course, played at nodes that were started for it and are ended with it."""

import math
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from pnode.node.api import ApiError

from ..chaos.machines import NAMES, LaunchError, Machine, Machines, SuiteError, ended, eventually
from .cost import Cost
from .course import Course, Setup
from .plays import Run
from .watch import Peak, jobs_kept, journal_bytes, memory_bytes, used_s

HASTY = Path(__file__).with_name("hasty.py")

TURN_S_MAX = 1800.0
"""Of a turn, until it is given up: the longest one takes five minutes on two cores that have nothing else to do."""

WARM = 200
"""Tasks before anything is measured: processes are started and functions known."""

REST_S = 4.0
"""What nodes take that have nothing to do is measured for so long, and taken off what they take afterwards."""

SETTLE_S = 1.5
"""After the last task: what nodes still have to say and to write down about it."""

GRACE_S = 10.0
RELEASE_S = 30.0
"""Beyond the grace, for the others to let go of all jobs."""


class TurnError(Exception):
    """A turn came to nothing; the message says why."""


def take(place: Path, course: Course, setup: Setup) -> Cost:
    """Play it. Raises TurnError; whatever happens, no process is left."""
    grace_s = GRACE_S + setup.tasks * course.apart_s_per_task
    repeats = math.ceil(course.tasks_least / setup.tasks)
    try:
        with _limited(TURN_S_MAX), opened(place, setup.nodes, grace_s) as machines, course.play(machines) as run:
            run(WARM, setup.jobs)
            time.sleep(SETTLE_S)
            return _measured(machines, run, setup, repeats, grace_s)
    except (SuiteError, LaunchError, ApiError, psutil.Error) as error:
        raise TurnError(f"{type(error).__name__}: {error}") from None


def _measured(machines: Machines, run: Run, setup: Setup, repeats: int, grace_s: float) -> Cost:
    origin, *others = nodes = [psutil.Process(machine.node.status().pid) for machine in machines]
    homes = [machine.home for machine in machines]
    rest = _used_s(nodes)
    time.sleep(REST_S)
    idle = (_used_s(nodes) - rest) / REST_S
    origin_bytes, others_bytes = memory_bytes(origin), sum(map(memory_bytes, others))
    journals_bytes = sum(map(journal_bytes, homes))
    before_s, client_s, began_s = _used_s(nodes), time.process_time(), time.perf_counter()
    with Peak(nodes) as peak:
        wall_s = sum(run(setup.tasks, setup.jobs) for _ in range(repeats))
        time.sleep(SETTLE_S)
    lasted_s = time.perf_counter() - began_s
    client_s, nodes_s = time.process_time() - client_s, _used_s(nodes) - before_s
    journals_bytes = sum(map(journal_bytes, homes)) - journals_bytes
    wait_for_release(machines, grace_s)
    return Cost(
        setup.tasks * repeats,
        wall_s,
        nodes_s - idle * lasted_s,
        client_s - peak.used_s,
        peak.most_bytes - origin_bytes - others_bytes,
        memory_bytes(origin) - origin_bytes,
        sum(map(memory_bytes, others)) - others_bytes,
        journals_bytes,
    )


def _used_s(nodes: Sequence[psutil.Process]) -> float:
    return sum(map(used_s, nodes))


def wait_for_release(machines: Machines, grace_s: float) -> None:
    """Until nobody but the origin has a job any more. Raises SuiteError."""
    others = machines.machines[1:]
    if not others:
        time.sleep(grace_s)
    eventually(
        lambda: not any(jobs_kept(machine.home) for machine in others),
        "node that has let go of all jobs",
        grace_s + RELEASE_S,
        1.0,
    )
    time.sleep(SETTLE_S)


@contextmanager
def opened(place: Path, nodes: int, grace_s: float) -> Iterator[Machines]:
    """Nodes of one core each that know each other and let go of what is over after so many seconds. Raises
    LaunchError and SuiteError."""
    with tempfile.TemporaryDirectory(prefix="h", dir=place, ignore_cleanup_errors=True) as homes:
        prefix = (sys.executable, "-P", str(HASTY), str(grace_s))
        machines = Machines(
            Path(homes), [Machine(name, Path(homes, name), "lan", prefix=prefix) for name in NAMES[:nodes]]
        )
        with ended(machines):
            machines.found()
            yield machines


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TurnError in the block if it takes longer."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TurnError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
