"""The work: a job of 60 tasks in eight layers, of which it is known beforehand what comes out.

Every task reads all that its parents have written and writes what follows from it (`step`), so a single wrong,
missing or mixed up input anywhere changes the one result. Every other task computes for a sixth of a second and
sleeps for half a one, the others sleep for one to two: eight nodes can then share two cores, and a task is still long
enough to be lost in the middle.
"""

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .step import written

LAYERS = (1, 12, 12, 12, 12, 8, 2, 1)
"""Tasks in each; 60 in all."""

FAN_IN = 3
"""Parents of a task in the layer above, at least; the narrow layers at the end take all of them together."""

ROUNDS = 300_000
"""A sixth of a second of SHA-256 on the machine of docs/losses.md."""

BYTES = 60_000
"""Written by a task: small enough not to matter, and not so small that nothing is moved."""

STEP = Path(__file__).with_name("step.py")

INPUT = b"what the job is given\n"


@dataclass(frozen=True, slots=True)
class Step:
    """One task."""

    name: str
    parents: tuple[str, ...]
    rounds: int
    sleep_s: float
    seconds: float
    """How long it takes on an idle machine, processes and all; for simulations."""


def steps(pace: float = 1.0) -> tuple[Step, ...]:
    """The job's tasks, parents before children; with another pace it takes so many times as long."""
    layers = [[f"l{layer}t{number}" for number in range(width)] for layer, width in enumerate(LAYERS)]
    made: list[Step] = []
    for above, names in zip([[], *layers], layers, strict=False):
        for number, name in enumerate(names):
            computes = len(made) % 2 == 1
            rounds, sleep_s = (ROUNDS, 0.5) if computes else (0, 1.0 + (number % 3) * 0.5)
            seconds = sleep_s * pace + (0.17 if computes else 0.0) + 0.1
            made.append(Step(name, _parents(above, number, len(names)), rounds, sleep_s * pace, seconds))
    return tuple(made)


def _parents(above: list[str], number: int, width: int) -> tuple[str, ...]:
    """Some in the layer above, so that every one there is somebody's parent."""
    count = min(len(above), max(FAN_IN, -(-len(above) // width)))
    first = number * len(above) // width
    return tuple(above[(first + offset) % len(above)] for offset in range(count))


@functools.cache  # five seconds of SHA-256
def expected(tasks: tuple[Step, ...]) -> Mapping[str, bytes]:
    """What every task writes, by its name."""
    contents: dict[str, bytes] = {}
    for step in tasks:
        inputs = [contents[parent] for parent in step.parents] or [INPUT]
        contents[step.name] = written(step.name, inputs, step.rounds, BYTES)
    return contents


def write(directory: Path, tasks: tuple[Step, ...]) -> tuple[Path, Path]:
    """Make the application; (its DAG, its input)."""
    (directory / "scripts").mkdir(parents=True)
    (directory / "scripts" / STEP.name).write_bytes(STEP.read_bytes())
    (directory / "given.txt").write_bytes(INPUT)
    dag = directory / "dag.toml"
    dag.write_text("".join(map(_table, tasks)))
    return dag, directory / "given.txt"


def _table(step: Step) -> str:
    words = [sys.executable, f"scripts/{STEP.name}", str(step.rounds), f"{step.sleep_s:g}", str(BYTES)]
    after = ", ".join(f'"{parent}"' for parent in step.parents)
    command = ", ".join(f"'{word}'" for word in words)
    parents = f"after = [{after}]\n" if step.parents else ""
    return f"[task.{step.name}]\ncommand = [{command}]\n{parents}\n"
