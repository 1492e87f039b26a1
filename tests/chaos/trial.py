"""A trial: one job on a cluster while something is done to it, from the submission to the verdict of those left."""

import contextlib
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from pnode.node.api import ApiError, JobDetail
from pnode.node.plain import to_plain
from pnode.node.recording import Recording

from . import verdict, work
from .machines import Machine, Machines, SuiteError, eventually

JOB_S_MAX = 240.0
"""Twelve times what the job takes, on a machine that others keep busy."""

EQUAL_S_MAX = 30.0
"""From the job's end until all nodes tell the same."""

KNOWN_S = 20.0
"""From the loss of a job's origin until any other node tells of the job: a verdict and an enquiry."""

ASK_S = 0.25


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended, as one node told it."""

    job: JobDetail
    recording: Recording
    complaints: tuple[str, ...]


@dataclass(slots=True)
class Trial:
    """One job on these machines."""

    machines: Machines
    place: Path
    pace: float = 1.0
    origin: Machine = field(init=False)
    job: str = ""
    key: str = ""
    submitted_s: float = 0.0
    _right: bytes = field(init=False)
    _dag: Path = field(init=False)
    _input: Path = field(init=False)
    _refusals: dict[str, str] = field(default_factory=dict)
    """What each node last said when it could not tell of the job."""

    def __post_init__(self) -> None:
        tasks = work.steps(self.pace)
        self._right = work.expected(tasks)[tasks[-1].name]
        self._dag, self._input = work.write(Path(tempfile.mkdtemp(prefix="a", dir=self.place)) / "app", tasks)

    def submit(self, origin: Machine, mapper: str = "wave-greedy") -> None:
        self.origin = origin
        self.submitted_s = time.time()
        submitted = origin.node.submit(self._dag, (self._input,), mapper, None)
        self.job, self.key = submitted.id, submitted.key

    def reach(self, results: int, rng: Random) -> float:
        """Wait until so many tasks have a result as the origin knows, and a moment longer; seconds since the
        submission. By results and not by time, since a busy machine takes twice as long as an idle one."""

        def is_reached() -> bool:
            job = self.told(self.origin)
            return job is not None and (job.units_done >= results or job.state != "running")

        eventually(is_reached, f"{results} results of {self.job}", JOB_S_MAX)
        time.sleep(rng.uniform(0.0, 1.0))
        return time.time() - self.submitted_s

    def wait(self, seconds: float) -> None:
        """Until so many seconds after the submission."""
        time.sleep(max(0.0, self.submitted_s + seconds - time.time()))

    def told(self, machine: Machine) -> JobDetail | None:
        """The job as a node tells it, None while it cannot."""
        try:
            return machine.node.job(self.job)
        except ApiError as error:
            self._refusals[machine.name] = str(error)
            return None

    def finish(self, witness: Machine, timeout_s: float = JOB_S_MAX, among: Sequence[Machine] | None = None) -> Ended:
        """Follow the job at a node to its end, fetch its results there, and see that all nodes (or those) tell the
        same."""
        knowing = self._one_that_knows(witness)
        complaints = []
        if knowing is not witness:
            complaints.append(f"{witness.name} says {self._refusals[witness.name]!r}, {knowing.name} knows it")
            witness = knowing
        job = self._followed(witness, timeout_s)
        results: dict[str, bytes] = {}
        place = Path(tempfile.mkdtemp(prefix="r", dir=self.place))
        try:
            results = {file.path.name: file.path.read_bytes() for file in witness.node.pull(self.job, place).files}
        except ApiError as error:
            complaints.append(f"{witness.name} cannot pull the results: {error}")
        complaints += self._disagreements(self.machines.up if among is None else among)
        job = self.told(witness) or job
        recording = self.recorded(witness)
        complaints = [*verdict.complaints(job, recording, results, self._right), *complaints]
        return Ended(job, recording, tuple(complaints))

    def recorded(self, machine: Machine) -> Recording:
        path = Path(tempfile.mkdtemp(prefix="t", dir=self.place)) / "recording.json"
        machine.node.record(self.job, path)
        return verdict.read(path)

    def _one_that_knows(self, witness: Machine) -> Machine:
        """That node, or if it does not find the job for KNOWN_S any that does."""
        with contextlib.suppress(SuiteError):
            eventually(lambda: self.told(witness), f"job {self.job} at {witness.name}", KNOWN_S)
            return witness
        return next((machine for machine in self.machines.up if self.told(machine) is not None), witness)

    def _followed(self, witness: Machine, timeout_s: float) -> JobDetail:
        deadline = time.monotonic() + timeout_s
        while True:
            job = self.told(witness)
            if job is not None and job.state != "running":
                return job
            if time.monotonic() > deadline:
                raise SuiteError(f"{witness.name}: after {timeout_s:g} s the job {_standing(job)}")
            time.sleep(ASK_S)

    def _disagreements(self, among: Sequence[Machine]) -> list[str]:
        """What nodes tell differently for longer than EQUAL_S_MAX."""
        found: list[str] = []

        def agree() -> bool:
            told = {machine.name: self.told(machine) for machine in among}
            silent = [f"{name} says {self._refusals[name]!r}" for name, job in told.items() if job is None]
            found[:] = silent or verdict.differences({name: job for name, job in told.items() if job is not None})
            return not found

        try:
            eventually(agree, "agreement", EQUAL_S_MAX, 0.5)
        except SuiteError:
            return found
        return []


def _standing(job: JobDetail | None) -> str:
    if job is None:
        return "is not known there"
    left = [f"{unit.task}({unit.attempt}) {unit.state} at {unit.node}" for unit in job.units if unit.state != "done"]
    return f"is still {job.state}, {job.units_done}/{job.units_total}: {'; '.join(left[:8])}"


@dataclass(slots=True)
class Watch:
    """When others learn that a machine is gone; seconds since it went. A `with` block around that."""

    watchers: Sequence[Machine]
    gone: Machine
    since_s: float
    suspected_s: float | None = None
    """When the first has suspected it."""
    dead_s: float | None = None
    """When the first has taken it for dead."""
    all_dead_s: float | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while self.all_dead_s is None and not self._over.wait(ASK_S / 2):
            states = [state for watcher in self.watchers if (state := _state_of(watcher, self.gone))]
            since = time.time() - self.since_s
            if self.suspected_s is None and any(state != "alive" for state in states):
                self.suspected_s = since
            if self.dead_s is None and "dead" in states:
                self.dead_s = since
            if states and all(state == "dead" for state in states):
                self.all_dead_s = since


def _state_of(watcher: Machine, gone: Machine) -> str:
    try:
        return next((peer.state for peer in watcher.node.peers() if peer.id == gone.id), "dead")
    except ApiError:
        return ""


class Report:
    """What a suite has seen: rounds as lines, figures as medians, and whether anything did not hold."""

    def __init__(self, name: str, trace: Path | None) -> None:
        self.name = name
        self.trace = trace
        self.failed = 0
        self.rounds = 0
        self.figures: dict[str, list[float]] = {}
        self._loads: list[float] = []

    def round(self, what: str, complaints: Iterable[str], **facts: object) -> None:
        """One round; facts that are numbers are figures, those that are None were not to be had."""
        complaints = list(complaints)
        self.rounds += 1
        self.failed += bool(complaints)
        load = os.getloadavg()[0]
        self._loads.append(load)
        numbers = {name: value for name, value in facts.items() if isinstance(value, float)}
        for name, value in numbers.items():
            self.figures.setdefault(name, []).append(value)
        said = ", ".join(f"{name} {value:.2f}" for name, value in numbers.items())
        verdict_text = "; ".join(complaints[:5]) or "ok"
        print(f"{self.name} {self.rounds}: {what}: {verdict_text} ({said}, load {load:.1f})", flush=True)
        if self.trace is not None:
            plain = {"suite": self.name, "round": self.rounds, "what": what, "complaints": complaints, "load": load}
            with self.trace.open("a") as out:
                out.write(json.dumps({**plain, **facts}, default=_plain) + "\n")

    def note(self, what: str, **figures: float) -> None:
        """What belongs to no round."""
        for name, value in figures.items():
            self.samples(name, [value])
        print(f"{self.name}: {what} (load {os.getloadavg()[0]:.1f})", flush=True)

    def samples(self, figure: str, values: Iterable[float]) -> None:
        """Further measurements of one figure, of which a round may have several."""
        self.figures.setdefault(figure, []).extend(values)

    def end(self) -> int:
        """Tell the figures; the exit status."""
        for name, values in self.figures.items():
            spread = f"{min(values):.3g} to {max(values):.3g}, {len(values)} samples"
            print(f"{self.name}_{name} {statistics.median(values):.3g} ({spread})", flush=True)
        loads = f"at a load of {min(self._loads):.1f} to {max(self._loads):.1f}" if self._loads else ""
        print(f"{self.name}_held {self.rounds - self.failed} of {self.rounds} rounds {loads}", flush=True)
        return int(self.failed > 0)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Recording | JobDetail):
        return to_plain(type(value), value)
    if isinstance(value, verdict.Lost):
        return asdict(value)
    return str(value)
