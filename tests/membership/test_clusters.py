"""Courses are kept and gone on with, and told beside their goals."""

from pathlib import Path

import pytest

from pnode.protocol.roster import State
from pnode.sim.study.membership import Conditions, Sighting, Stage, Trial
from pnode.sim.study.membership import Observations as Seen
from pnode.sim.study.membership_course import observe

from . import clusters, courses
from .courses import WELL, Course, Kept, course_of
from .goal import GOALS, SPEED

STAGES = tuple(stage.value for stage in WELL)


def quietly(_: str) -> None:
    """Nobody listens."""


def kept(tmp_path: Path, *found: Course) -> Kept:
    folder = Kept(tmp_path)
    for course in found:
        stages = tuple(Stage(name) for name in course.stages)
        folder.keep(course, Conditions(course.nodes, course.seed, minutes=course.minutes, stages=stages))
    return folder


def well(nodes: int, seed: int, **figures: float) -> Course:
    return Course(nodes, seed, STAGES, 10.0, "abc", figures)


def cells(lines: list[str], title: str) -> list[str]:
    """What stands in a row."""
    [line] = [line for line in lines if line.startswith(f"| {title}")]
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def test_a_course_is_observed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, folder = Conditions(3, 5, minutes=0.1, stages=(Stage.START, Stage.LOSS)), Kept(tmp_path / "new")

    folder.complete([given], quietly)
    monkeypatch.setattr(courses, "observe", None)
    folder.complete([given], quietly)

    [course] = folder.all()
    assert (course.nodes, course.seed, course.stages) == (3, 5, ("start", "loss"))
    assert course.figures["started_s"] > 0.0
    assert course.figures["loss_hours"] == pytest.approx(0.1 / 60)
    assert course.figures["loss_deaths"] == 0


def test_false_deaths_are_summed_up_over_courses(tmp_path: Path) -> None:
    death = Sighting(1.0, 0, 1, State.DEAD)
    seen = [
        course_of(Seen(Conditions(16, seed, minutes=30.0, stages=(Stage.STALLS,)), stalls=trial), "abc")
        for seed, trial in enumerate((Trial(1800.0, (death,), stalls=900), Trial(1800.0, (), stalls=1100)))
    ]
    lossy = Course(16, 0, ("loss",), 60.0, "abc", {"loss_hours": 1.0, "loss_deaths": 2, "loss_count": 0})

    lines = clusters.hard(kept(tmp_path, *seen, lossy))

    [loss, stalls] = lines[2:]
    assert [cell.strip() for cell in loss.split("|")[3:6]] == ["1.00 h", "0 in 10 h", "**2.00**"]
    assert [cell.strip() for cell in stalls.split("|")[3:6]] == ["2,000 stalls", "1 per 1,000", "0.500 (1 deaths)"]


def test_medians_stand_beside_their_goals_and_what_misses_one_is_bold(tmp_path: Path) -> None:
    found = [well(64, seed, suspected_s=seconds, started_s=99.0) for seed, seconds in enumerate((1.0, 1.5, 9.0))]

    lines = clusters.well(kept(tmp_path, *found, well(1024, 0, suspected_s=2.5, started_s=61.0)))

    assert cells(lines, "seeds") == ["", "3", "1"]
    assert cells(lines, "one crashes: s until somebody") == ["2", "1.50 (1.00 to 9.00)", "**2.50**"]
    assert cells(lines, "all start at once") == ["60 at 1,024", "99.0", "**61.0**"]
    assert cells(lines, "99 of 100") == ["2", "-", "-"]
    told = " ".join(lines)
    assert "Missed: all start at once: s until all know all, 61.0 at 1,024; one crashes" in told
    assert "64 nodes with abc" in told


def test_growth_is_told_against_sixty_four_nodes(tmp_path: Path) -> None:
    small = well(
        64, 0, quiet_bytes_per_s=200.0, quiet_datagrams_per_s=4.0, quiet_speed=100.0, quiet_alone_us_per_s=80.0
    )
    large = well(
        1024, 0, quiet_bytes_per_s=300.0, quiet_datagrams_per_s=4.0, quiet_speed=5.0, quiet_alone_us_per_s=120.0
    )

    lines = clusters.cost(kept(tmp_path, small, large))

    assert cells(lines, "membership: bytes/s") == ["200", "300", "1.50"]
    assert cells(lines, "membership: CPU us/s, by itself") == ["80.0", "120", "1.50"]
    assert cells(lines, "membership: CPU us/s, with the simulator's part") == ["156", "195", "1.25"]
    assert cells(lines, SPEED.title)[:2] == ["**100**", "5.00"]


def test_goals_have_the_names_of_figures() -> None:
    given = Conditions(3, 1, stages=WELL)

    figures = course_of(observe(given), "abc").figures

    assert [goal.figure for goal in (*GOALS, SPEED) if goal.figure not in figures] == []


def test_what_is_wanted_reaches_the_hours_that_were_asked_for() -> None:
    wanted = clusters.wanted_hard()

    for nodes in clusters.HARD_SIZES:
        lossy = [each for each in wanted if each.nodes == nodes and each.stages == (Stage.LOSS,)]
        assert sum(each.minutes for each in lossy) == 600.0
    assert len({(each.nodes, each.seed, each.stages) for each in wanted}) == len(wanted)
