"""A membership report: the figures of many courses, by number of nodes, as a table or as plain values."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pnode.protocol.membership_settings import MembershipSettings

from . import membership_figures as figures
from . import membership_formulas as formulas
from .layout import columns, number
from .membership import TIMINGS, Episode, Observations, Traffic
from .plain import Plain

T = TypeVar("T")
Courses = Sequence[Observations]
Figure = Callable[[Courses], float | None]


def lines() -> dict[str, tuple[str, Figure]]:
    """What is told of the courses with one number of nodes: for machines by name, for people by title."""
    return dict(_lines())


def table(courses: Courses) -> str:
    """A line per figure, a column per number of nodes."""
    groups = _groups(courses)
    rows = [
        (title, *(number(figure(group)) for group in groups.values()))
        for title, figure in lines().values()
        if any(figure(group) is not None for group in groups.values())
    ]
    return columns(("", *(f"{nodes} nodes" for nodes in groups)), rows)


def to_plain(courses: Courses) -> Plain:
    """The same for machines: medians, and every course by itself."""
    return {
        "medians": [_figures(nodes, group) for nodes, group in _groups(courses).items()],
        "courses": [
            {"seed": course.conditions.seed, **_figures(course.conditions.nodes, [course])} for course in courses
        ],
    }


def _figures(nodes: int, courses: Courses) -> Plain:
    return {"nodes": nodes, **{name: figure(courses) for name, (_, figure) in lines().items()}}


def _groups(courses: Courses) -> dict[int, list[Observations]]:
    """By number of nodes, the fewest first."""
    groups: dict[int, list[Observations]] = {}
    for course in sorted(courses, key=lambda each: (each.conditions.nodes, each.conditions.seed)):
        groups.setdefault(course.conditions.nodes, []).append(course)
    return groups


def _lines() -> Iterator[tuple[str, tuple[str, Figure]]]:
    yield "started_s", ("all start at once, s until all know all", _start)
    yield (
        "known_by_all_s",
        ("one joins, s until all know it", _median(lambda course: course.join, figures.known_by_all_s)),
    )
    yield "suspected_s", ("one crashes, s until the first suspects it", _crash(figures.suspected_s))
    yield from _beside("suspected", figures.suspected_s, formulas.suspected_s)
    yield "suspected_by_all_s", ("one crashes, s until all suspect it", _crash(figures.suspected_by_all_s))
    yield "first_dead_s", ("one crashes, s until the first gives it up", _crash(figures.first_dead_s))
    yield from _beside("first_dead", figures.first_dead_s, formulas.first_dead_s)
    yield "all_dead_s", ("one crashes, s until all have given it up", _crash(figures.all_dead_s))
    yield from _beside("all_dead", figures.all_dead_s, formulas.all_dead_s)
    for name, title, traffic in TRAFFIC:
        yield f"{name}_bytes_per_s", (f"{title}: bytes/s of a node", _median(traffic, figures.bytes_per_s))
        yield (
            f"{name}_datagrams_per_s",
            (f"{title}: datagrams/s of a node", _median(traffic, figures.datagrams_per_s)),
        )
        yield f"{name}_speed", (f"{title}: simulated s per CPU second", _median(traffic, figures.speed))
        yield (
            f"{name}_alone_us_per_s",
            (f"{title}: CPU us/s of a node by itself", _median(traffic, figures.alone_us_per_s)),
        )
    yield (
        "held",
        (
            "loads that change every second: of how many a node knows",
            _median(lambda course: course.holding, figures.held),
        ),
    )
    yield (
        "age_median_s",
        ("the same: median age of what it knows, s", _median(lambda course: course.holding, figures.age_median_s)),
    )
    yield (
        "age_p99_s",
        ("the same: p99 age of what it knows, s", _median(lambda course: course.holding, figures.age_p99_s)),
    )
    yield "loss_deaths_per_hour", ("datagrams are lost: false deaths per hour", _loss)
    yield "deaths_per_1000_stalls", ("nodes stall: false deaths per 1,000 stalls", _stalls)


TRAFFIC: tuple[tuple[str, str, Callable[[Observations], Traffic | None]], ...] = (
    ("quiet", "without loads", lambda course: course.quiet),
    ("idle", "loads that never change", lambda course: course.idle),
    ("busy", "loads that change every second", lambda course: course.busy),
)


def _beside(
    name: str, figure: Callable[[Episode], float | None], formula: Callable[[MembershipSettings, int], float]
) -> Iterator[tuple[str, tuple[str, Figure]]]:
    """What memberlist would take by its formulas, and how many times as long it took here."""

    def theirs_s(courses: Courses) -> float | None:
        return figures.median_of(_crashes(courses), lambda crash: formula(crash[0], crash[1].others + 1))

    def ratio(courses: Courses) -> float | None:
        ours_s, expected_s = _crash(figure)(courses), theirs_s(courses)
        return None if ours_s is None or expected_s is None else ours_s / expected_s

    yield f"{name}_formula_s", ("    memberlist's formula, s", theirs_s)
    yield f"{name}_ratio", ("    ratio", ratio)


def _start(courses: Courses) -> float | None:
    return figures.median_of(courses, lambda course: course.started_s)


def _crash(figure: Callable[[Episode], float | None]) -> Figure:
    """The median of a figure over all crashes of all courses."""
    return lambda courses: figures.median_of(_crashes(courses), lambda crash: figure(crash[1]))


def _crashes(courses: Courses) -> list[tuple[MembershipSettings, Episode]]:
    return [(TIMINGS[course.conditions.timing](), crash) for course in courses for crash in course.crashes]


def _median(part: Callable[[Observations], T | None], figure: Callable[[T], float | None]) -> Figure:
    """The median of a figure of one stage, over the courses that went through it."""

    def of(course: Observations) -> float | None:
        seen = part(course)
        return None if seen is None else figure(seen)

    return lambda courses: figures.median_of(courses, of)


def _loss(courses: Courses) -> float | None:
    trials = [course.loss for course in courses if course.loss is not None]
    return figures.deaths_per_hour(trials) if trials else None


def _stalls(courses: Courses) -> float | None:
    return figures.deaths_per_1000_stalls([course.stalls for course in courses if course.stalls is not None])
