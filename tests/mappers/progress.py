"""Progress of a job made by hand, and questions that know of it."""

from collections.abc import Mapping
from dataclasses import replace

from pnode.protocol.view import Phase, Planned, Progress, Question

from .beliefs import node


def bound(letter: str, start_s: float = 0.0, finish_s: float = 1.0) -> Progress:
    return Progress(node(letter), Phase.BOUND, start_s, finish_s)


def running(letter: str, start_s: float, finish_s: float) -> Progress:
    return Progress(node(letter), Phase.RUNNING, start_s, finish_s)


def done(letter: str, finish_s: float = 0.0) -> Progress:
    return Progress(node(letter), Phase.DONE, finish_s - 1.0, finish_s)


def knowing(
    question: Question,
    *,
    ranks: Mapping[str, float] | None = None,
    plan: Mapping[str, tuple[str, float, float]] | None = None,
    plan_age_s: float = 0.0,
    **progress: Progress,
) -> Question:
    """The question with what is known of its job; a plan is (node, start, finish) by task."""
    planned = {name: Planned(node(letter), *times) for name, (letter, *times) in (plan or {}).items()}
    return replace(question, progress=progress, ranks=ranks or {}, plan=planned, plan_age_s=plan_age_s)
