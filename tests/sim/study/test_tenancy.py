"""Tenancy: the same graphs at every age of views, and a table of slowdowns."""

from pathlib import Path

import pytest

from pnode.sim.schedule.run import simulate
from pnode.sim.study.tenancy import BEGIN, END, EXACT, main, markdown, scenario, slowdown


def test_only_the_age_of_views_differs() -> None:
    fresh, old = scenario(1, 0.0), scenario(1, 3.0)

    assert fresh.arrivals == old.arrivals
    assert fresh.network == old.network
    assert (fresh.gossip.period_s, old.gossip.period_s > 0) == (0.0, True)


def test_sharing_slows_everybody_down() -> None:
    assert slowdown(simulate(scenario(0, 0.0), EXACT)) > 1.0


def test_exact_calendars_are_their_own_measure() -> None:
    lines = markdown([EXACT], [0.0], 1).splitlines()

    assert lines[0] == "| mapper | exact |"
    assert lines[2].endswith(", 1.000 |")


def test_a_page_without_a_place_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.md").write_text(f"{END} {BEGIN}")

    assert main([str(tmp_path / "page.md")]) == 1
    assert "no place for tables" in capsys.readouterr().err
