"""Report: what was measured, as docs/performance.md tells it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .contest import Results
from .contestant import DEFAULTS, LIGHT, Contestant, Kind
from .goal import GOALS, NOBODY, Goal, Medians, Verdict, judge
from .markdown import shown, table, wrapped
from .spread import Spread, spread
from .workload import Figure, Workload

HEAD = """\
# Performance

pnode beside what people would take instead, and beside what the machine allows to programs that promise nothing of
what pnode promises. `make bench-peers` measured this and wrote this page; `make bench` measures pnode and the floors
alone. Absolute figures vary with the machine by a factor of two and more. So everybody played in turns, A B A B, in
one run, each turn in fresh processes, and what counts are the ratios: how many times as good pnode's median is as the
other's. 2 is twice as fast, or half as long or large; below 1 pnode is behind. The best peer is the best of those
that could be had, for each figure anew.
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
    share: float = 1.0
    """Of the size of each workload: less than 1 only to try something."""


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
        rounds = "1 round" if self.setting.rounds == 1 else f"{self.setting.rounds} rounds"
        when = (
            f"Measured on {self.setting.day} with pnode {self.setting.revision}, {rounds}, on "
            f"{self.setting.machine}. Load average at the beginning {first:.1f}, at the end {last:.1f}, between them "
            f"{least:.1f} to {most:.1f}, with what was measured.{self._caution()}"
        )
        rows = [(self._versioned(each), each.kind.value, each.promise) for each in self._present()]
        lines = [*wrapped(when), "", *table(("who", "", "set up how, promising what"), rows), ""]
        lines += [
            line
            for name, why in self.results.absent.items()
            for line in wrapped(f"- Not here: {name}. {why[:1].upper()}{why[1:]}.")
        ]
        return "\n".join(["## Setting", "", *lines, ""])

    def goals(self) -> str:
        figures = [figure for each in self.workloads for figure in each.figures]
        rows = [self._goal(goal, figure) for goal in GOALS for figure in figures if figure.key == goal.figure]
        head = ("figure", "who", "asked", "found", "met")
        return "\n".join(["## What was to be reached", "", *table(head, rows), ""])

    def behind(self) -> str:
        """Where pnode, as it is by default, is worse than somebody."""
        lines = [line for each in self.workloads for figure in each.figures for line in self._behind(figure)]
        measured = any(name == DEFAULTS.name for _, name in self.results.samples)
        text = lines or ["Nowhere among what was measured." if measured else "Nothing of pnode was measured."]
        return "\n".join(["## Where pnode is slower", "", *text, ""])

    def workload(self, workload: Workload) -> str:
        parts = [f"## {workload.key}: {workload.title}", "", *wrapped(workload.text), ""]
        for figure in workload.figures:
            if self.spreads(figure):
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

    def _goal(self, goal: Goal, figure: Figure) -> Sequence[str]:
        row = (self._called(figure), goal.who, asked(goal, figure))
        peers = [each.name for each in self.contestants if each.kind is Kind.PEER]
        verdict = judge(goal, self.medians(figure), peers)
        if verdict is None:
            return (*row, "not measured", "")
        return (*row, found(verdict, figure), "yes" if verdict.met else "**no**")

    def _figures(self, figure: Figure) -> list[str]:
        spreads = self.spreads(figure)
        ours = [name for name in (DEFAULTS.name, LIGHT.name) if name in spreads]
        head = (f"{figure.label}, {figure.unit}", "median", "min", "max", *(f"{name} : it" for name in ours))
        rows = []
        for name, one in spreads.items():
            ratios = ["" if our == name else shown(figure.advantage(spreads[our].median, one.median)) for our in ours]
            rows.append((name, shown(one.median), shown(one.least), shown(one.most), *ratios))
        return table(head, rows)

    def _behind(self, figure: Figure) -> Iterator[str]:
        medians = self.medians(figure)
        ours = medians.get(DEFAULTS.name)
        if ours is None:
            return
        for each in self.contestants:
            if each.kind is Kind.OURS or each.name not in medians:
                continue
            ratio = figure.advantage(ours, medians[each.name])
            if ratio < SLOWER_AT:
                numbers = f"{shown(ours)} {figure.unit} against {shown(medians[each.name])}"
                kind = " (floor)" if each.kind is Kind.FLOOR else ""
                yield from wrapped(f"- {self._called(figure)}: {numbers} of {each.name}{kind}, ratio {shown(ratio)}")

    def _caution(self) -> str:
        share = self.setting.share
        return "" if share == 1.0 else f" The workloads had {share:.0%} of the size below: this was only a trial."

    def _called(self, figure: Figure) -> str:
        [workload] = [each for each in self.workloads if figure in each.figures]
        return f"{workload.key} {figure.label}"

    def _present(self) -> list[Contestant]:
        return [each for each in self.contestants if each.name not in self.results.absent]

    def _versioned(self, contestant: Contestant) -> str:
        version = self.results.versions.get(contestant.name, "")
        return f"{contestant.name} {version}".strip()


def asked(goal: Goal, figure: Figure) -> str:
    if goal.against == NOBODY:
        return f"at most {shown(goal.bound)} {figure.unit}"
    return f"at least {shown(goal.bound)} times as good as {goal.against}"


def found(verdict: Verdict, figure: Figure) -> str:
    if verdict.other == NOBODY:
        return f"{shown(verdict.reached)} {figure.unit}"
    return f"{shown(verdict.reached)} times as good as {verdict.other}"
