"""Partitions: nodes in network namespaces whose links are cut while a job runs, and are whole again before its end.

Halves that do not hear each other, a node that nobody hears, one that only hears or is only heard, one that comes and
goes, one whose cable is pulled; and, on links with delay and loss, a node that is killed.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random

from pnode.node.launch import Timing

from .cabling import Cabling, Ethernet, ethernet, slow_links
from .losses import undisturbed_s
from .machines import NAMES, Machine, Machines, SuiteError, ended
from .trial import Report, Trial

Ways = Sequence[tuple[int, int]]

CUT_S = 30.0
"""Longer than a verdict takes: both sides take each other for dead."""

FLAP_S = 2.5
FLAPS = 6

DELAY_S, JITTER_S, LOSS = 0.04, 0.01, 0.05
"""Of each way: two sites on one continent with a bad line between them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A way in which a network breaks."""

    name: str
    ways: Callable[[int, Random], Ways]
    """What is cut, given the number of nodes."""
    flaps: int = 1
    seconds: float = CUT_S


def run(report: Report, place: Path, rounds: int, timing: Timing, *, seed: int = 1) -> None:
    """Every shape in turn. Raises SkippedError where there can be no namespaces."""
    rng = Random(f"partitions/{timing}/{seed}")
    with ethernet(len(NAMES)) as cables, _cluster(place, timing, cables) as machines:
        nominal_s = undisturbed_s(machines, place)
        report.note(f"nothing is cut: {nominal_s:.1f} s", undisturbed_s=nominal_s)
        for number in range(rounds):
            _round(report, machines, place, cables, SHAPES[number % len(SHAPES)], rng)


def run_slow(report: Report, place: Path, rounds: int, timing: Timing, *, seed: int = 1) -> None:
    """A node is killed where links are slow and lose packets. Raises SkippedError where that can not be emulated."""
    rng = Random(f"slow/{timing}/{seed}")
    with slow_links(len(NAMES)) as cables, _cluster(place, timing, cables) as machines:
        cables.shape(DELAY_S, JITTER_S, LOSS)
        nominal_s = undisturbed_s(machines, place)
        report.note(f"nobody is lost: {nominal_s:.1f} s, by {type(cables).__name__} links", undisturbed_s=nominal_s)
        for number in range(rounds):
            gone = machines[number % len(machines.machines)]
            origin = rng.choice([machine for machine in machines if machine is not gone])
            trial = Trial(machines, place)
            trial.submit(origin)
            trial.reach(rng.randint(5, 45), rng)
            gone.kill()
            _conclude(report, trial, rng, f"{origin.name} is the origin, kill {gone.name}")
            machines.revive()


@contextlib.contextmanager
def _cluster(place: Path, timing: Timing, cables: Cabling) -> Iterator[Machines]:
    homes = Path(tempfile.mkdtemp(prefix="n", dir=place))
    made = [
        Machine(name, homes / name, timing, host=cables.address(number), prefix=cables.prefix(number))
        for number, name in enumerate(NAMES)
    ]
    machines = Machines(homes, made)
    with ended(machines):
        machines.found()
        yield machines


def _round(report: Report, machines: Machines, place: Path, cables: Ethernet, shape: Shape, rng: Random) -> None:
    """One job with its partition."""
    trial = Trial(machines, place)
    origin = rng.choice(list(machines))
    ways = shape.ways(len(machines.machines), rng)
    trial.submit(origin)
    moment_s = trial.reach(rng.randint(3, 30), rng)
    before = _progress(trial)
    for flap in range(shape.flaps):
        with _broken(cables, ways):
            trial.wait(moment_s + (flap + 0.5) * shape.seconds / shape.flaps)
            during = _progress(trial) if flap == shape.flaps - 1 else {}
        trial.wait(moment_s + (flap + 1) * shape.seconds / shape.flaps)
    what = f"{shape.name}, {origin.name} is the origin, cut at {moment_s:.1f} s"
    _conclude(report, trial, rng, what, known_before=before, known_during=during)
    machines.wait_until_together()


@contextlib.contextmanager
def _broken(cables: Ethernet, ways: Ways) -> Iterator[None]:
    """Cut ways, a node's way to itself being its cable; whole again afterwards."""
    for source, target in ways:
        cables.unplug(source) if source == target else cables.cut(source, target)
    try:
        yield
    finally:
        for source, target in ways:
            cables.plug(source) if source == target else cables.heal(source, target)


def _conclude(report: Report, trial: Trial, rng: Random, what: str, **facts: object) -> None:
    try:
        over = trial.finish(rng.choice(trial.machines.up))
    except SuiteError as error:
        report.round(what, [str(error)], job=trial.job, **facts)
        raise
    attempts = over.recording.attempts
    report.round(
        what, over.complaints, makespan_s=over.job.elapsed_s, attempts=float(len(attempts)), job=trial.job,
        finished_twice=float(sum(each.phase == "finished" for each in attempts) - over.job.units_total), **facts,
    )  # fmt: skip


def _progress(trial: Trial) -> dict[str, int]:
    """How many results each node knows of."""
    told = {machine.name: trial.told(machine) for machine in trial.machines.up}
    return {name: job.units_done for name, job in told.items() if job is not None}


def halves(count: int, rng: Random) -> Ways:
    """Both directions between every node of one half and every node of the other."""
    numbers = rng.sample(range(count), count)
    pairs = list(product(numbers[: count // 2], numbers[count // 2 :]))
    return [*pairs, *((target, source) for source, target in pairs)]


def alone(count: int, rng: Random) -> Ways:
    return [*mute(count, Random(one := rng.random())), *deaf(count, Random(one))]


def mute(count: int, rng: Random) -> Ways:
    """A node that nobody hears."""
    one = rng.randrange(count)
    return [(one, other) for other in range(count) if other != one]


def deaf(count: int, rng: Random) -> Ways:
    """A node that hears nobody."""
    return [(other, one) for one, other in mute(count, rng)]


def unplugged(count: int, rng: Random) -> Ways:
    one = rng.randrange(count)
    return [(one, one)]


SHAPES = (
    Shape("halves", halves),
    Shape("one that nobody hears", mute),
    Shape("one that hears nobody", deaf),
    Shape("one alone", alone),
    Shape("one that comes and goes", alone, FLAPS, 2 * FLAPS * FLAP_S),
    Shape("one without cable", unplugged),
)
