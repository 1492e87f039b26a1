"""The page has a place for what is measured, and is looked at before anything is."""

import sys
from pathlib import Path

import pytest

from ..borders import ROOT
from ..membership.page import filled, markers
from . import __main__ as program
from .cost import Cost
from .course import MOST, Course, Setup, courses
from .turn import TurnError


def test_the_page_of_the_documentation_has_a_place_for_every_course() -> None:
    page = (ROOT / "docs" / "growth.md").read_text(encoding="utf-8")

    for course in courses(MOST):
        filled(page, course.key, [], program.MAKER)


def test_a_page_without_a_place_is_found_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n".join(markers("jobs")))  # of another command
    monkeypatch.setattr(sys, "argv", ["growth", str(page), "--part", "jobs"])

    assert program.main() == 1
    assert "the page has no place for jobs" in capsys.readouterr().err


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Setup]]:
    """What was played; a hundred jobs at once cannot be."""
    turns: list[tuple[str, Setup]] = []

    def take(_: Path, course: Course, setup: Setup) -> Cost:
        turns.append((course.key, setup))
        if setup.jobs == 100:
            raise TurnError("too many jobs")
        return Cost(setup.tasks, *(float(setup.tasks) for _ in range(7)))

    monkeypatch.setattr(program, "take", take)
    return turns


def test_rounds_are_played_in_turns_and_what_has_failed_is_not_played_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[tuple[str, Setup]]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n".join(markers("jobs", program.MAKER)))
    monkeypatch.setattr(sys, "argv", ["growth", str(page), "--part", "jobs", "--rounds", "2"])

    assert program.main() == 1
    assert [setup.jobs for _, setup in taken] == [1, 10, 100, 1, 10]
    text = page.read_text()
    assert "| 10 " in text
    assert "- 100 jobs: too many jobs." in text
    assert "2 rounds" in " ".join(text.split())


def test_one_course_up_to_a_most_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, taken: list[tuple[str, Setup]]
) -> None:
    words = ["growth", "--part", "calls", "--most", "1000", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", words)

    assert program.main() == 0
    assert taken == [("calls", Setup(100)), ("calls", Setup(1000))]
