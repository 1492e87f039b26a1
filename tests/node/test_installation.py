"""What pip has written down is read as importlib.metadata reads it."""

import importlib.metadata
from pathlib import Path

from pnode.node.installation import DISTRIBUTION, entry_points, version


def test_our_version_and_our_words_are_those_that_pip_knows() -> None:
    known = {point.name: point.value for point in importlib.metadata.entry_points(group="pnode.commands")}

    assert version(DISTRIBUTION) == importlib.metadata.version("pnode")
    assert entry_points("pnode.commands") == known


def test_scripts_of_all_packages_are_found() -> None:
    known = {point.name for point in importlib.metadata.entry_points(group="console_scripts")}

    assert entry_points("console_scripts").keys() == known


def test_what_would_be_imported_counts(tmp_path: Path) -> None:
    for place, where in (("first", "a:b"), ("second", "c:d")):
        record = tmp_path / place / f"{place}-1.0.dist-info"
        record.mkdir(parents=True)
        (record / "entry_points.txt").write_text(f"[other]\nword = x:y\n\n[ours]\nword = {where}\n")
    places = [str(tmp_path / "first"), str(tmp_path / "none"), str(tmp_path / "second")]

    found = entry_points("ours", places)

    assert found == {"word": "a:b"}


def test_what_was_never_installed_has_no_version(tmp_path: Path) -> None:
    assert version("pnode", [str(tmp_path)]) == "unknown"


def test_packages_that_offer_nothing_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "plain-2.0.dist-info").mkdir()

    assert entry_points("ours", [str(tmp_path)]) == {}
    assert version("plain", [str(tmp_path)]) == "2.0"
