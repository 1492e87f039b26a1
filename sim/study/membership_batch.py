"""A membership batch: many courses, on all cores."""

from collections.abc import Callable, Sequence

from pnode.sim.workers import processes

from .membership import Conditions, Observations
from .membership_course import observe
from .options import cores


def observe_many(
    conditions: Sequence[Conditions],
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Observations]:
    """One course for each, in their order."""
    workers = min(workers or cores(), len(conditions))
    courses: list[Observations] = []
    if workers <= 1:
        for done, each in enumerate(conditions, 1):
            courses.append(observe(each))
            if progress is not None:
                progress(done, len(conditions))
        return courses
    with processes(workers) as pool:
        for done, course in enumerate(pool.map(observe, conditions), 1):
            courses.append(course)
            if progress is not None:
                progress(done, len(conditions))
    return courses
