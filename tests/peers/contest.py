"""Contest: every workload, played by everybody in turns, A B A B, so that whatever else the machine does hits all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import indent

from .contestant import Contestant
from .environment import AbsentError, look_for, provide
from .family import Family
from .machine import load
from .turn import Played, Turn
from .workload import FIGURES, Workload

Say = Callable[[str], None]


@dataclass(slots=True)
class Results:
    """What came out, to be added to until the contest is over."""

    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """By (figure, contestant), a value for each round."""
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    """By (workload, contestant): why it could not be played to its end."""
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """By contestant: why it is not here."""
    loads: list[float] = field(default_factory=list)
    """Load averages: one before every round of a workload, and one at the end."""

    def add(self, workload: str, contestant: str, played: Played) -> None:
        for figure, value in played.figures.items():
            self.samples.setdefault((figure, contestant), []).append(value)
        if played.reason:
            self.failures[workload, contestant] = played.reason


def present(contestants: Iterable[Contestant], results: Results, say: Say) -> list[Contestant]:
    """Those that are here or can be installed; of the others it is told why not."""
    found = []
    for contestant in contestants:
        try:
            if contestant.requirements:
                results.versions[contestant.name] = provide(contestant.requirements, contestant.programs)
            for program, *_ in contestant.commands.values():
                look_for(program)
        except AbsentError as absence:
            results.absent[contestant.name] = str(absence)
            say(f"{contestant.name} is left out: {absence}")
        else:
            found.append(contestant)
    return found


def hold(
    family: Family,
    workloads: Sequence[Workload],
    contestants: Sequence[Contestant],
    rounds: int,
    results: Results,
    say: Say,
    share: float = 1.0,
) -> None:
    """Play everything. Who fails at a workload does not play it again: that may have lasted to the deadline."""
    for workload in workloads:
        for number in range(rounds):
            results.loads.append(load())
            for contestant in contestants:
                command = contestant.commands.get(workload.key)
                if command is None or (workload.key, contestant.name) in results.failures:
                    continue
                played = Turn(family, command, contestant.search).play(share)
                results.add(workload.key, contestant.name, played)
                say(f"{workload.key} round {number + 1} of {rounds}, {contestant.name}: {_told(played)}")
                if played.reason:
                    say(indent(played.complaints, "    "))
    results.loads.append(load())


def _told(played: Played) -> str:
    figures: Mapping[str, float] = played.figures
    told = [f"{value:.4g} {FIGURES[key].unit}" for key, value in figures.items()]
    return ", ".join([*told, played.reason] if played.reason else told)
