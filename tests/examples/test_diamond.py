"""The diamond does what its README says, without any node."""

from collections import Counter
from pathlib import Path

import pytest

from .bare import TaskFailedError, run

DIAMOND = Path(__file__).parents[2] / "examples" / "diamond"


def test_each_text_of_the_sample_becomes_one_page(tmp_path: Path) -> None:
    texts = sorted((DIAMOND / "sample_input").iterdir())

    results = run(DIAMOND / "dag.txt", texts, tmp_path)

    assert [result.name for result in results] == ["ferry_statistics.txt", "workshop_statistics.txt"]
    for text, result in zip(texts, results, strict=True):
        words = [word.strip(".,:;?!-") for word in text.read_text().lower().replace("-", " ").split()]
        words = [word for word in words if word]
        first, _, *rows = result.read_text().splitlines()
        assert first.startswith(f"{len(words)} words, {len(set(words))} different, ")
        assert f"{sum(map(len, words)) / len(words):.2f} letters" in first
        frequent = [row.split() for row in rows[:5]]
        assert [int(count) for count, _ in frequent] == sorted(Counter(words).values(), reverse=True)[:5]
        assert all(Counter(words)[word] == int(count) for count, word in frequent)
        lengths = {int(row.split()[2]): int(row.split()[0]) for row in rows[6:]}
        assert lengths == Counter(map(len, words))


def test_the_order_in_which_the_two_halves_arrive_makes_no_difference(tmp_path: Path) -> None:
    texts = [DIAMOND / "sample_input" / "ferry.txt"]

    [forwards] = run(DIAMOND / "dag.txt", texts, tmp_path / "forwards", arrival=sorted)
    [backwards] = run(DIAMOND / "dag.txt", texts, tmp_path / "backwards", arrival=lambda files: sorted(files)[::-1])

    assert forwards.read_bytes() == backwards.read_bytes()


def test_a_text_without_words_has_a_page_too(tmp_path: Path) -> None:
    text = tmp_path / "empty.txt"
    text.write_bytes(b"")

    [result] = run(DIAMOND / "dag.txt", [text], tmp_path / "work")

    assert result.read_text().startswith("0 words, 0 different, 0.00 letters on average")


def test_a_file_that_is_not_text_is_a_stated_failure(tmp_path: Path) -> None:
    noise = tmp_path / "noise.txt"
    noise.write_bytes(bytes(range(256)))

    with pytest.raises(TaskFailedError, match=r"(?s)^task0 ended.*UnicodeDecodeError"):
        run(DIAMOND / "dag.txt", [noise], tmp_path / "work")
