"""The runner of `make unit` leaves no test out and no failure untold."""

from pathlib import Path

import pytest

from .__main__ import NOTHING_COLLECTED, ROOT, SLOWEST, Part, Ran, main, parts, run, summary


def test_every_test_file_is_in_one_part() -> None:
    files = [ROOT / file for part in parts(ROOT / "tests") for file in part.files]

    assert sorted(files) == sorted((ROOT / "tests").rglob("test_*.py"))


def test_files_with_a_mark_are_parts_of_their_own() -> None:
    files = [file for part in parts(ROOT / "tests", "processes") for file in part.files]

    whole = [str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "end_to_end").glob("test_*.py")]
    assert sorted(files) == sorted([*whole, "tests/node/test_launch.py"])


def test_words_that_choose_nothing_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert [main(words) for words in ([], ["procesess"], ["no", "processes"])] == [2, 2, 2]
    assert "say a mark" in capsys.readouterr().err


def test_the_slowest_parts_exist() -> None:
    assert {part.name for mark in ("", "processes") for part in parts(ROOT / "tests", mark)} >= {*SLOWEST}


def test_a_part_fails_with_its_tests_and_not_for_having_none(tmp_path: Path) -> None:
    (tmp_path / "test_good.py").write_text("def test_good(): assert True")
    (tmp_path / "test_bad.py").write_text("def test_bad(): assert False")

    good, bad, none = (
        run(Part("part", (str(tmp_path / file),)), words)
        for file, words in (("test_good.py", []), ("test_bad.py", []), ("test_good.py", ["-k", "nothing"]))
    )

    assert not good.failed
    assert "1 passed" in summary(good)
    assert bad.failed
    assert "FAILED" in bad.output
    assert (none.status, none.failed) == (NOTHING_COLLECTED, False)


def test_what_was_skipped_is_told_with_its_reason() -> None:
    told = summary(
        Ran(Part("node", ()), 0, "..s\nSKIPPED [1] tests/x.py:3: no root\n2 passed, 1 skipped in 1 s\n", 1.0)
    )

    assert told == "tests/node: 2 passed, 1 skipped in 1 s\nSKIPPED [1] tests/x.py:3: no root"
