"""Journals: what was finished is not done again, whatever happened to the file's end."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.sim.study.journal import JournalError, forget, open_journal, run_key
from pnode.sim.study.study import Study

from .fakes import Counting, scenario


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with open_journal(path) as journal:
        journal["a"] = (1.5, 2, None, True)
        assert path.read_text() == '{"key": "a", "figures": [1.5, 2, null, true]}\n', "not before it is closed"

    with open_journal(path) as journal:
        assert journal["a"] == (1.5, 2, None, True)
        assert "b" not in journal


@given(cut=st.integers(0, 200))
def test_a_line_that_was_cut_short_is_as_if_it_had_not_been(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    with open_journal(path) as journal:
        for key in "abc":
            journal[key] = (key, 0.1)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n")

    with open_journal(path) as journal:
        assert [key in journal for key in "abc"] == [number < lines for number in range(3)]
        for key in "abc"[lines:]:
            journal[key] = (key, 0.1)

    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["no json", "[1]", '{"key": "a"}', '{"key": "a", "figures": 7}', '"text"'])
def test_a_line_that_is_no_run_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"key": "x", "figures": [1]}\n' + line + "\n")

    with (
        pytest.raises(JournalError, match=r"journal.jsonl:2: found .* expected an object with key and figures"),
        open_journal(path),
    ):
        pass


def test_two_sweeps_do_not_write_to_the_same_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    with (
        open_journal(path),
        pytest.raises(JournalError, match="is being written by another sweep"),
        open_journal(path),
    ):
        pass


def test_a_journal_can_be_forgotten_but_not_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    forget(path)
    with open_journal(path) as journal:
        journal["a"] = (1.5,)
        with pytest.raises(JournalError, match="is being written by another sweep"):
            forget(path)

    with open_journal(path) as journal:
        assert "a" in journal
    forget(path)
    with open_journal(path) as journal:
        assert "a" not in journal


def test_a_key_depends_on_all_that_a_run_depends_on() -> None:
    runs = [
        ("case", "heft", 0, "e"),
        ("other", "heft", 0, "e"),
        ("case", "peft", 0, "e"),
        ("case", "heft", 1, "e"),
        ("case", "heft", 0, "f"),
    ]

    assert len({run_key(*run) for run in runs}) == len(runs)


def test_what_a_journal_has_is_not_run_again(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    first = Study([scenario()], ["slow"], range(2), engine=Counting(begun))
    first.run(journal=tmp_path / "journal.jsonl")

    more = Study([scenario()], ["slow", "fast"], range(3), engine=Counting(begun))
    told: list[tuple[int, int]] = []
    table = more.run(journal=tmp_path / "journal.jsonl", progress=lambda done, of: told.append((done, of)))

    lines = begun.read_text().splitlines()
    assert len(lines) == 9
    assert len(set(lines)) == 9
    assert told == [(done, 9) for done in range(5, 10)]
    assert table == more.run()


def test_a_changed_scenario_is_run_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Study([scenario(3, 1)], ["slow"], engine=Counting(tmp_path / "begun")).run(journal=path)

    changed = Study([scenario(4, 1)], ["slow"], engine=Counting(tmp_path / "begun"))

    assert changed.run(journal=path).column("makespan_s") == (5.0, 10.0)
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 4
