"""Courses: simulated clusters that were observed, each kept in a file as soon as it is over.

Ten clusters of a thousand nodes take hours. So what was observed is kept with the revision that it was observed with,
and whoever starts again has only the rest observed.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pnode.sim.study import membership_figures
from pnode.sim.study.membership import Conditions, Observations, Stage, Trial
from pnode.sim.study.membership_course import observe
from pnode.sim.study.membership_report import to_plain

from ..peers import machine

WELL = (Stage.START, Stage.QUIET, Stage.JOIN, Stage.CRASH, Stage.IDLE, Stage.BUSY)
"""What a cluster goes through to which nothing bad happens."""

CALM, BUSY = WELL[:-1], (Stage.START, Stage.BUSY)
"""The same in two courses, where loads that change every second take as long to simulate as all the rest."""


@dataclass(frozen=True, slots=True)
class Course:
    """One cluster, as it is kept."""

    nodes: int
    seed: int
    stages: tuple[str, ...]
    minutes: float
    revision: str
    figures: Mapping[str, float]
    """By their names in `pnode sim membership --json`, and what several trials are summed up from: see `_sums`."""


def course_of(seen: Observations, revision: str) -> Course:
    """What there is to say of a cluster."""
    plain = to_plain([seen])["courses"]
    assert isinstance(plain, list)
    told = {name: value for name, value in plain[0].items() if value is not None}
    given = seen.conditions
    stages = tuple(stage.value for stage in given.stages)
    return Course(given.nodes, given.seed, stages, given.minutes, revision, {**told, **dict(_sums(seen))})


def _sums(seen: Observations) -> Iterator[tuple[str, float]]:
    trials: tuple[tuple[str, Trial | None], ...] = (("loss", seen.loss), ("stalls", seen.stalls))
    for name, trial in trials:
        if trial is not None:
            yield f"{name}_hours", trial.seconds / membership_figures.HOUR_S
            yield f"{name}_deaths", membership_figures.false_deaths(trial)
            yield f"{name}_count", trial.stalls


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of courses."""

    folder: Path

    def all(self) -> list[Course]:
        """By size, then by seed."""
        found = [_read(path) for path in self.folder.glob("*.json")]
        return sorted(found, key=lambda course: (course.nodes, course.seed))

    def has(self, given: Conditions) -> bool:
        return self._path(given).exists()

    def keep(self, course: Course, given: Conditions) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(given).write_text(json.dumps(asdict(course), indent=1), encoding="utf-8")

    def complete(self, wanted: Iterable[Conditions], say: Callable[[str], None]) -> None:
        """Observe those that are not here yet, one after the other."""
        revision = machine.revision()  # of what is loaded: the sources may change in the hours that this takes
        for given in wanted:
            if not self.has(given):
                self.keep(course_of(observe(given), revision), given)
                say(f"{given.nodes} nodes, seed {given.seed}: {', '.join(stage.value for stage in given.stages)}")

    def _path(self, given: Conditions) -> Path:
        stages = "-".join(stage.value for stage in given.stages)
        return self.folder / f"{given.nodes}-{given.seed}-{stages}-{given.minutes:g}.json"


def _read(path: Path) -> Course:
    plain = json.loads(path.read_text(encoding="utf-8"))
    return Course(**{**plain, "stages": tuple(plain["stages"])})
