"""Workload: what is played, and the figures that come out of it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a turn of a workload tells."""

    key: str
    """What the players call it."""
    label: str
    unit: str
    more_is_better: bool = False

    def advantage(self, ours: float, theirs: float) -> float:
        """How many times as good as theirs ours is: 2 is twice as fast, or half as long; 1 is the same."""
        better, worse = (ours, theirs) if self.more_is_better else (theirs, ours)
        if worse:
            return better / worse
        return math.inf if better else 1.0


@dataclass(frozen=True, slots=True)
class Workload:
    key: str
    title: str
    text: str
    figures: tuple[Figure, ...]


WORKLOADS = (
    Workload(
        "W1",
        "Independent tasks",
        "10,000 Python tasks that do nothing and know nothing of each other, handed in at once.",
        (Figure("independent", "throughput", "tasks/s", more_is_better=True),),
    ),
    Workload(
        "W2",
        "A chain",
        "500 Python tasks of which each takes the result of the one before, on alternating nodes, handed in at once; "
        "and 100 single tasks of which each is handed in when the result of the last one has come.",
        (Figure("chain", "time per hop", "ms"), Figure("asked", "from submission to result", "ms")),
    ),
    Workload(
        "W3",
        "Fork and join",
        "One task, then 100 that take its result, then one that takes all of theirs; the median of five such blocks. "
        "pnode has learned by then how short they are, and makes of a block one task of its own "
        "(docs/architecture.md, Bundles).",
        (Figure("forks", "time per block", "ms"),),
    ),
    Workload(
        "W4",
        "Data",
        "A value of 50 MB, made at a node, through a chain of 20 tasks on alternating nodes. Each makes a new value "
        "of it, and a last one tells how often it was handed on.",
        (Figure("data", "throughput", "MB/s", more_is_better=True),),
    ),
    Workload(
        "W5",
        "Programs",
        "500 times `/bin/true`. For pnode it is a job of 500 commands, each with its own directory and its output "
        "kept, from the job's submission to its end; for the frameworks of Python tasks, a task that starts the "
        "program and waits for it.",
        (Figure("commands", "throughput", "commands/s", more_is_better=True),),
    ),
    Workload(
        "W6",
        "Start and rest",
        "From the start of a first process, interpreter and imports included, over the start of two nodes to the "
        "first result; then the memory (proportional set size) and the cores that all daemons together use while "
        "nothing happens, 3 s later and for 10 s.",
        (
            Figure("cold", "until the first result", "s"),
            Figure("idle_memory", "memory at rest", "MB"),
            Figure("idle_cpu", "use at rest", "% of a core"),
        ),
    ),
    Workload(
        "W7",
        "A lost worker",
        "SIGKILL for the worker process that runs a task: how long until that runs again, and how many of 20 tasks "
        "that had ended before are run again, too.",
        (Figure("lost", "until it runs again", "s"), Figure("repeated", "ended tasks run again", "tasks")),
    ),
    Workload(
        "W7k",
        "A killed node",
        "SIGKILL for the node that runs a task, not the client's one, and for all that it runs: how long until the "
        "task runs on the other node. After 60 s it is given up.",
        (Figure("killed", "until it runs again", "s"),),
    ),
    Workload(
        "W7f",
        "A frozen node",
        "The same with SIGSTOP: no connection is closed, and nothing answers.",
        (Figure("frozen", "until it runs again", "s"),),
    ),
    Workload(
        "W8",
        "The command line",
        "What somebody waits for who asks something small, with the start of the interpreter; the median of five.",
        (Figure("help", "`pnode --help`", "s"), Figure("jobs", "`pnode jobs`", "s")),
    ),
)

FIGURES = {figure.key: figure for workload in WORKLOADS for figure in workload.figures}
