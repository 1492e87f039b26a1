"""Report: what was measured, as docs/performance.md tells it."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .contest import Results
from .contestant import DEFAULTS, LIGHT, Contestant, Kind
from .goal import GOALS, NOBODY, Medians, judge
from .spread import Spread, advantage, spread
from .workload import Figure, Workload

WIDTH = 118

HEAD = """\
# Performance

pnode beside what people would take instead, and beside what the machine allows to programs that promise nothing of
what pnode promises. `make bench-peers` measured this and wrote this page; `make bench` measures pnode and the floors
alone. Absolute figures vary with the machine by a factor of two and more. So everybody played in turns, A B A B, in
one run, each turn in fresh processes, and what counts are the ratios: how many times as good pnode's median is as the
other's. 2 is twice as fast, or half as long or large; below 1 pnode is behind.
"""

SLOWER_AT = 0.995
"""A ratio that rounds to 1.00 is not told as being behind."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when it was measured."""

    machine: str
    revision: str
    day: str
    rounds: int


@dataclass(frozen=True, slots=True)
class Report:
    """The page, in parts."""

    setting: Setting
    results: Results
    workloads: Sequence[Workload]
    contestants: Sequence[Contestant]
    """All that there could be, in the order of the tables."""

    def page(self) -> str:
        parts = [HEAD, self.setup(), self.goals(), self.behind(), *map(self.workload, self.workloads)]
        return "\n".join(parts)

    def setup(self) -> str:
        """Machine, versions, guarantees, and who is not there."""
        least, most = min(self.results.loads), max(self.results.loads)
        first, last = self.results.loads[0], self.results.loads[-1]
        when = (
            f"Measured on {self.setting.day} with pnode {self.setting.revision}, {self.setting.rounds} rounds, on "
            f"{self.setting.machine}. Load average at the beginning {first:.1f}, at the end {last:.1f}, between them "
            f"{least:.1f} to {most:.1f}, with what was measured."
        )
        rows = [(self._versioned(each), each.kind.value, each.promise) for each in self._present()]
        lines = [*wrapped(when), "", *table(("who", "", "set up how, promising what"), rows), ""]
        lines += [
            line for name, why in self.results.absent.items() for line in wrapped(f"- Not here: {name}. {why}.")
        ]
        return "\n".join(["## Setting", "", *lines, ""])

    def goals(self) -> str:
        rows = []
        peers = [each.name for each in self.contestants if each.kind is Kind.PEER]
        for goal in GOALS:
            figure = self._figure(goal.figure)
            if figure is None:
                continue
            verdict = judge(goal, self.medians(figure), peers)
            unit = f" {figure.unit}" if goal.against == NOBODY else " times"
            asked = (
                f"at most {shown(goal.bound)}{unit}"
                if goal.against == NOBODY
                else f"{goal.bound:g} times {goal.against}"
            )
            found = (
                "not measured" if verdict is None else f"{shown(verdict.reached)}{unit}{self._other(verdict.other)}"
            )
            rows.append(
                (
                    self._called(figure),
                    goal.who,
                    asked,
                    found,
                    "" if verdict is None else "yes" if verdict.met else "**no**",
                )
            )
        return "\n".join(
            ["## What was to be reached", "", *table(("figure", "who", "asked", "found", "met"), rows), ""]
        )

    def behind(self) -> str:
        """Where pnode, as it is by default, is worse than somebody."""
        lines = [line for each in self.workloads for figure in each.figures for line in self._behind(figure)]
        text = lines or ["Nowhere among what was measured."]
        return "\n".join(["## Where pnode is slower", "", *text, ""])

    def workload(self, workload: Workload) -> str:
        parts = [f"## {workload.key}: {workload.title}", "", *wrapped(workload.text), ""]
        for figure in workload.figures:
            parts += [*self._figures(figure), ""]
        for (key, name), why in self.results.failures.items():
            if key == workload.key:
                parts += [*wrapped(f"- {name} did not get through: {why}"), ""]
        return "\n".join(parts)

    def spreads(self, figure: Figure) -> dict[str, Spread]:
        """By contestant, in their order."""
        samples = {each.name: self.results.samples.get((figure.key, each.name)) for each in self.contestants}
        return {name: spread(values) for name, values in samples.items() if values}

    def medians(self, figure: Figure) -> Medians:
        return {name: found.median for name, found in self.spreads(figure).items()}

    def _figures(self, figure: Figure) -> list[str]:
        found = self.spreads(figure)
        ours = [name for name in (DEFAULTS.name, LIGHT.name) if name in found]
        head = (f"{figure.label}, {figure.unit}", "median", "min", "max", *(f"{name} : it" for name in ours))
        rows = []
        for name, one in found.items():
            ratios = [advantage(found[our].median, one.median, more_is_better=figure.more_is_better) for our in ours]
            numbers = [shown(one.median), shown(one.least), shown(one.most)]
            rows.append(
                (
                    name,
                    *numbers,
                    *("" if our == name else shown(ratio) for our, ratio in zip(ours, ratios, strict=True)),
                )
            )
        return table(head, rows)

    def _behind(self, figure: Figure) -> Iterator[str]:
        found = self.medians(figure)
        ours = found.get(DEFAULTS.name)
        if ours is None:
            return
        for each in self.contestants:
            if each.kind is Kind.OURS or each.name not in found:
                continue
            ratio = advantage(ours, found[each.name], more_is_better=figure.more_is_better)
            if ratio < SLOWER_AT:
                numbers = f"{shown(ours)} {figure.unit} against {shown(found[each.name])}"
                kind = " (floor)" if each.kind is Kind.FLOOR else ""
                yield from wrapped(f"- {self._called(figure)}: {numbers} of {each.name}{kind}, ratio {shown(ratio)}")

    def _figure(self, key: str) -> Figure | None:
        return next((figure for each in self.workloads for figure in each.figures if figure.key == key), None)

    def _called(self, figure: Figure) -> str:
        [workload] = [each for each in self.workloads if figure in each.figures]
        return f"{workload.key} {figure.label}"

    def _other(self, name: str) -> str:
        return f" {name}" if name else ""

    def _present(self) -> list[Contestant]:
        return [each for each in self.contestants if each.name not in self.results.absent]

    def _versioned(self, contestant: Contestant) -> str:
        version = self.results.versions.get(contestant.name, "")
        return f"{contestant.name} {version}".strip()


def shown(value: float) -> str:
    """Three digits that count, without an exponent."""
    if not math.isfinite(value):
        return "∞"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown that is one in a terminal, too."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    told = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return [told[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *told[1:]]


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  " if text.startswith("- ") else "")
