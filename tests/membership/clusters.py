"""Simulated clusters, as the page tells of them: in good weather, what growing costs, and under hardship."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pnode.sim.study.membership import Conditions, Stage

from ..peers.markdown import shown, table, wrapped
from .courses import BUSY, CALM, WELL, Course, Kept
from .goal import DEATHS_PER_1000_STALLS_MAX, GOALS, LOSS_HOURS, SIZES, SPEED, Goal

SEEDS = 10

LARGE = 1024
"""From here on a course is two."""

HARD_SIZES = (16, 64)
"""Ten virtual hours of more nodes would take a day."""

LOSS_MINUTES = 60.0
STALLS_MINUTES = 60.0
STALLS_SEEDS = {16: 12, 64: 4}
"""A tenth of the nodes stall three times a minute: together some 4,000 stalls at either size."""


def wanted_well() -> list[Conditions]:
    """Small clusters first."""
    return [
        Conditions(nodes, seed, stages=stages)
        for nodes in SIZES
        for seed in range(SEEDS)
        for stages in ((WELL,) if nodes < LARGE else (CALM, BUSY))
    ]


def wanted_hard() -> list[Conditions]:
    lossy = [
        Conditions(nodes, seed, minutes=LOSS_MINUTES, stages=(Stage.LOSS,))
        for nodes in HARD_SIZES
        for seed in range(round(60.0 * LOSS_HOURS / LOSS_MINUTES))
    ]
    stalling = [
        Conditions(nodes, seed, minutes=STALLS_MINUTES, stages=(Stage.STALLS,))
        for nodes in HARD_SIZES
        for seed in range(STALLS_SEEDS[nodes])
    ]
    return lossy + stalling


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several courses."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self) -> str:
        """The median, with the least and the most where they differ as far as is shown."""
        low, middle, high = (shown(value) for value in (min(self.values), self.median, max(self.values)))
        return middle if low == high else f"{middle} ({low} to {high})"


def spread(courses: Sequence[Course], figure: str) -> Spread | None:
    """None where no course has the figure."""
    values = tuple(course.figures[figure] for course in courses if figure in course.figures)
    return Spread(values) if values else None


# ---- good weather


def well(kept: Kept) -> list[str]:
    """A row per figure, a column per size; what misses its goal is bold."""
    by_size = {nodes: _well(kept, nodes) for nodes in SIZES}
    sizes = [nodes for nodes, courses in by_size.items() if courses]
    head = ("", "at most", *(f"{nodes:,} nodes" for nodes in sizes))
    counts = ("seeds", "", *(_seeds(by_size[nodes]) for nodes in sizes))
    rows = [(goal.title, goal.asked, *(_cell(goal, by_size[nodes], nodes) for nodes in sizes)) for goal in GOALS]
    missed = [missed for goal in GOALS for missed in _missed(goal, by_size)]
    verdict = f"Missed: {'; '.join(missed)}." if missed else "All goals are met at every size that was run."
    return [*table(head, [counts, *rows]), "", *wrapped(verdict), "", *wrapped(_revisions(by_size))]


def _well(kept: Kept, nodes: int) -> list[Course]:
    """Those to which nothing bad happened, whole or in parts."""
    return [course for stages in (WELL, CALM, BUSY) for course in _of(kept, nodes, stages)]


def _seeds(courses: Sequence[Course]) -> str:
    calm, busy = (sum(stage.value in course.stages for course in courses) for stage in (Stage.CRASH, Stage.BUSY))
    return str(calm) if calm == busy else f"{calm}, {busy} with loads that change"


def _of(kept: Kept, nodes: int, stages: Sequence[Stage]) -> list[Course]:
    names = tuple(stage.value for stage in stages)
    return [course for course in kept.all() if course.nodes == nodes and course.stages == names]


def _cell(goal: Goal, courses: Sequence[Course], nodes: int) -> str:
    found = spread(courses, goal.figure)
    if found is None:
        return "-"
    return found.text() if goal.met(found.median, nodes) else f"**{found.text()}**"


def _missed(goal: Goal, by_size: dict[int, list[Course]]) -> Iterator[str]:
    for nodes, courses in by_size.items():
        found = spread(courses, goal.figure)
        if found is not None and not goal.met(found.median, nodes):
            yield f"{goal.title}, {shown(found.median)} at {nodes:,}"


def _revisions(by_size: dict[int, list[Course]]) -> str:
    told = [
        f"{nodes:,} nodes with {' and '.join(dict.fromkeys(course.revision for course in courses))}"
        for nodes, courses in by_size.items()
        if courses
    ]
    return f"Revisions: {', '.join(told)}."


# ---- what growing costs


COSTS = (
    ("quiet", "membership"),
    ("idle", "and loads that rest"),
    ("busy", "and loads that change every second"),
)


def cost(kept: Kept) -> list[str]:
    """What a node costs, by number of nodes, and how fast all of them are simulated."""
    by_size = {nodes: courses for nodes in SIZES if (courses := _well(kept, nodes))}
    head = ("of one node", *(f"{nodes:,} nodes" for nodes in by_size), "times as much at the most as at 64")
    rows = [row for name, title in COSTS for row in _costs(name, title, by_size)]
    speeds = (
        f"{SPEED.title} (asked: {SPEED.asked})",
        *(_cell(SPEED, by_size[nodes], nodes) for nodes in by_size),
        "",
    )
    return table(head, [*rows, speeds])


def _costs(name: str, title: str, by_size: dict[int, list[Course]]) -> Iterator[tuple[str, ...]]:
    bytes_, datagrams, alone_us, cpu_us = {}, {}, {}, {}
    for nodes, courses in by_size.items():
        sent, packets, speed = (
            spread(courses, f"{name}_{figure}") for figure in ("bytes_per_s", "datagrams_per_s", "speed")
        )
        if sent is not None and packets is not None and speed is not None:
            bytes_[nodes], datagrams[nodes] = sent.median, packets.median
            cpu_us[nodes] = 1e6 / speed.median / nodes
        alone = spread(courses, f"{name}_alone_us_per_s")
        if alone is not None:
            alone_us[nodes] = alone.median
    yield _growing(f"{title}: bytes/s", bytes_, by_size)
    yield _growing(f"{title}: datagrams/s", datagrams, by_size)
    yield _growing(f"{title}: CPU us/s, by itself", alone_us, by_size)
    yield _growing(f"{title}: CPU us/s, with the simulator's part", cpu_us, by_size)


def _growing(title: str, values: dict[int, float], sizes: dict[int, list[Course]]) -> tuple[str, ...]:
    cells = [shown(values[nodes]) if nodes in values else "-" for nodes in sizes]
    grown = shown(values[max(values)] / values[64]) if 64 in values and max(values) > 64 else "-"
    return (title, *cells, grown)


# ---- hardship


def hard(kept: Kept) -> list[str]:
    """False deaths where datagrams are lost and where nodes stall."""
    rows = []
    for nodes in sorted({course.nodes for course in kept.all()}):
        lossy, stalling = _of(kept, nodes, (Stage.LOSS,)), _of(kept, nodes, (Stage.STALLS,))
        if lossy:
            hours, deaths = _sum(lossy, "loss_hours"), _sum(lossy, "loss_deaths")
            found = shown(deaths) if not deaths else f"**{shown(deaths)}**"
            asked = f"0 in {LOSS_HOURS:g} h"
            rows.append((f"{nodes:,}", "5 % of the datagrams are lost", f"{shown(hours)} h", asked, found))
        if stalling:
            stalls, deaths = _sum(stalling, "stalls_count"), _sum(stalling, "stalls_deaths")
            per_1000 = 1000 * deaths / stalls
            text = f"{shown(per_1000)} ({deaths:.0f} deaths)"
            found = text if per_1000 <= DEATHS_PER_1000_STALLS_MAX else f"**{text}**"
            asked = f"{DEATHS_PER_1000_STALLS_MAX:g} per 1,000"
            rows.append(
                (f"{nodes:,}", "a tenth of the nodes stalls 2 s in 20", f"{stalls:,.0f} stalls", asked, found)
            )
    return table(("nodes", "what happens", "for how long", "false deaths, at most", "found"), rows)


def _sum(courses: Sequence[Course], figure: str) -> float:
    return sum(course.figures[figure] for course in courses)
