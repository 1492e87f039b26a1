"""The page keeps its prose, and what is measured stands between its markers."""

import sys
from pathlib import Path

import pytest

from ..borders import ROOT
from . import __main__ as program
from .page import PageError, filled, markers

BEGIN, END = markers("well")


def test_what_is_measured_replaces_what_was_there_and_nothing_else() -> None:
    page = f"# Title\n{BEGIN}\nold\n{END}\nend\n"

    once = filled(page, "well", ["new", "lines"])

    assert once == f"# Title\n{BEGIN}\n\nnew\nlines\n\n{END}\nend\n"
    assert filled(once, "well", ["new", "lines"]) == once


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}{BEGIN}"])
def test_a_page_without_a_place_is_refused(page: str) -> None:
    with pytest.raises(PageError, match="no place for well"):
        filled(page, "well", [])


def test_the_page_of_the_documentation_has_a_place_for_every_part() -> None:
    page = (ROOT / "docs" / "membership.md").read_text()

    for part in program.PARTS:
        filled(page, part, [])


def test_a_page_without_a_place_is_found_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    monkeypatch.setattr(sys, "argv", ["membership", str(page), "--part", "hard"])

    assert program.main() == 1
    assert "the page has no place for hard" in capsys.readouterr().err


def test_what_is_kept_is_written_without_simulating_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n".join(markers("hard")))
    words = ["membership", str(page), "--part", "hard", "--only-kept", "--kept", str(tmp_path / "none")]
    monkeypatch.setattr(sys, "argv", words)

    assert program.main() == 0
    assert "false deaths" in page.read_text()
