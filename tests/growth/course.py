"""Course: one thing that grows while all else stays as it is, and what it is played with."""

import math
from collections.abc import Sequence

from pnode.protocol.values import dataclass

from . import plays
from .plays import Play

LEAST = 100

MOST = 100_000


@dataclass(frozen=True, slots=True)
class Setup:
    """How large everything is in a turn."""

    tasks: int
    nodes: int = 2
    jobs: int = 1
    """At once, with all the tasks together."""


@dataclass(frozen=True, slots=True)
class Course:
    key: str
    part: str
    title: str
    text: str
    grows: str
    """The name of the field of a setup that does."""
    reference: int
    """The size that others are compared with; what is smaller is shown and not judged."""
    setups: tuple[Setup, ...]
    play: Play
    tasks_least: int
    """A turn plays the same again and again until it has played so many: less could not be told from rest."""
    apart_s_per_task: float
    """How far the ends of its first and its last job may lie apart: so long none of them is let go of."""

    def size(self, setup: Setup) -> int:
        return int(getattr(setup, self.grows))

    def up_to(self, most: int) -> Sequence[Setup]:
        return [setup for setup in self.setups if setup.tasks <= most]


def tens(least: int, most: int) -> tuple[Setup, ...]:
    """From the one to the other, each ten times as many as the last."""
    powers = range(round(math.log10(least)), math.floor(math.log10(most)) + 1)
    return tuple(Setup(10**power) for power in powers)


def courses(most: int) -> Sequence[Course]:
    """All of them, with at most so many tasks."""
    found = [*_of_tasks(most), *_of_nodes(), *_of_jobs()]
    return [_limited(course, most) for course in found if course.up_to(most)]


PARTS = ("tasks", "nodes", "jobs")

CALLS_S = 0.0005
SINGLE_S = 0.01
JOBS_S = 0.02
"""Somewhat more than what each takes on two cores that have nothing else to do."""

SINGLE_MOST = 10_000
"""More take a quarter of an hour and are no other job: one has 20,000 tasks at most."""


def _of_tasks(most: int) -> Sequence[Course]:
    return (
        Course(
            "calls", "tasks", "Python calls",
            "Calls of a function that does nothing, by `map` of a client, which makes bundles of them, and a job of "
            "up to 4,096.",
            "tasks", 1000, tens(LEAST, most), plays.calls, 5000, CALLS_S,
        ),
        Course(
            "single", "tasks", "Python calls, each a task",
            "The same calls with a walltime: then each is a task by itself.",
            "tasks", 1000, tens(LEAST, min(most, SINGLE_MOST)), plays.single_calls, 1000, SINGLE_S,
        ),
        Course(
            "commands", "tasks", "Programs",
            "A graph of programs (`/bin/true`) that know nothing of each other, in one job.",
            "tasks", 1000, tens(LEAST, min(most, SINGLE_MOST)), plays.commands, 500, 0.0,
        ),
    )  # fmt: skip


def _of_nodes() -> Sequence[Course]:
    counts = (1, 2, 4, 8)
    return (
        Course(
            "nodes-calls", "nodes", "Python calls at more nodes",
            "10,000 calls, as above. From four nodes on every job has four replicas, so what counts is what eight "
            "take beyond that.",
            "nodes", 4, tuple(Setup(10_000, nodes) for nodes in counts), plays.calls, 1, CALLS_S,
        ),
        Course(
            "nodes-commands", "nodes", "Programs at more nodes",
            "A graph of 1,000 programs, as above.",
            "nodes", 4, tuple(Setup(1000, nodes) for nodes in counts), plays.commands, 1, 0.0,
        ),
    )  # fmt: skip


def _of_jobs() -> Sequence[Course]:
    return (
        Course(
            "jobs", "jobs", "More jobs at once",
            "1,000 programs at two nodes, in one job, in ten, in a hundred.",
            "jobs", 1, tuple(Setup(1000, jobs=jobs) for jobs in (1, 10, 100)), plays.commands, 1, JOBS_S,
        ),
    )  # fmt: skip


def _limited(course: Course, most: int) -> Course:
    return Course(
        course.key, course.part, course.title, course.text, course.grows, course.reference,
        tuple(course.up_to(most)), course.play, course.tasks_least, course.apart_s_per_task,
    )  # fmt: skip
