"""Quality: tables from a file of measures, put into a page between two markers."""

import re
from pathlib import Path

import pytest

from pnode.sim.study.conditions import Condition
from pnode.sim.study.quality import (
    BEGIN,
    END,
    Measure,
    QualityError,
    filled,
    main,
    markdown,
    over,
    read_measures,
    run,
)
from pnode.sim.study.table import table_of

ROOT = Path(__file__).resolve().parents[3]

MEASURE = """
[[measure]]
name = "Perfect"
condition = "perfect"
tasks_max = 30
count = 2
mappers = ["wave-random", "wave-greedy"]
"""


def test_the_committed_measures_can_be_read() -> None:
    measures = read_measures(ROOT / "examples" / "studies" / "quality.toml")

    assert {measure.condition for measure in measures} >= {Condition.PERFECT, Condition.SLOW, Condition.LOSS}


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("[[measure]]\n", "expected name, condition, tasks_max, count, mappers"),
        (MEASURE.replace('"perfect"', '"prefect"'), "known are perfect, iid30"),
        (MEASURE.replace("tasks_max = 30", 'tasks_max = "many"'), "whole numbers"),
        (MEASURE + "seed = 3\n", "measure 0 has name"),
        (
            re.sub("mappers = .*", 'mappers = ["nope"]', MEASURE),
            "measure 0: there is no mapper 'nope'; known are wave-",
        ),
        (re.sub("mappers = .*", "mappers = []", MEASURE), "expected at least one, each once"),
        (re.sub("mappers = .*", 'mappers = ["heft", "heft"]', MEASURE), "expected at least one, each once"),
        (
            re.sub("mappers = .*", 'mappers = ["heft"]', MEASURE).replace('"perfect"', '"loss"'),
            "heft, a plan that never ends",
        ),
        ("nothing = 1\n", "expected tables called"),
        ("measure = 7\n", "expected tables called"),
        ("[[measure\n", "measures.toml"),
    ],
)
def test_a_wrong_file_of_measures_is_refused_with_the_place(tmp_path: Path, wrong: str, complaint: str) -> None:
    path = tmp_path / "measures.toml"
    path.write_text(wrong)

    with pytest.raises(QualityError, match=complaint):
        read_measures(path)


def test_a_page_is_filled_between_its_markers_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "measures.toml").write_text(MEASURE)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    status = main([str(tmp_path / "measures.toml"), str(page), "--workers", "1"])

    text = page.read_text()
    assert status == 0
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| `wave-greedy` |" in text
    assert (tmp_path / "figures" / "perfect-a.svg").read_text().startswith("<svg")


def test_a_page_without_markers_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "measures.toml").write_text(MEASURE)
    page = tmp_path / "page.md"
    page.write_text("no place for tables\n")

    status = main([str(tmp_path / "measures.toml"), str(page), "--workers", "1"])

    assert status == 1
    assert "no place for tables" in capsys.readouterr().err
    assert page.read_text() == "no place for tables\n"


def test_what_is_filled_twice_is_filled_once() -> None:
    page = f"{BEGIN}{END}"

    assert filled(filled(page, "one"), "two") == filled(page, "two")


def test_losses_are_told_over_the_plan_that_loses_nothing() -> None:
    lost = table_of(
        [
            {"scenario": "A0", "number": 0, "mapper": "wave", "makespan_s": 6.0, "complete": True, "ratio": 0.1},
            {"scenario": "A0", "number": 0, "mapper": "heft", "makespan_s": 1.0, "complete": False, "ratio": 1.0},
            {"scenario": "A1", "number": 0, "mapper": "wave", "makespan_s": 1.0, "complete": False, "ratio": 0.2},
        ]
    )
    calm = table_of(
        [
            {"scenario": "A0", "number": 0, "mapper": "heft", "makespan_s": 4.0, "complete": True},
            {"scenario": "A1", "number": 0, "mapper": "heft", "makespan_s": 4.0, "complete": True},
        ]
    )

    assert over(lost, calm).column("ratio") == (1.5, None)


def test_a_table_has_a_line_per_mapper_and_says_who_did_not_complete() -> None:
    measure = Measure("Loss", Condition.LOSS, 30, 2, ("wave-greedy",))

    lines = markdown(measure, run(measure, None, 1)).splitlines()

    assert lines[0].startswith("| mapper | A: median")
    assert [line for line in lines if "wave-greedy" in line] == [lines[2]]
    assert "not completed" not in lines[2]


def test_a_page_without_a_place_is_found_before_anything_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "measures.toml").write_text(MEASURE)
    (tmp_path / "page.md").write_text("nothing\n")

    status = main(
        [str(tmp_path / "measures.toml"), str(tmp_path / "page.md"), "--journal", str(tmp_path / "journal")]
    )

    assert status == 1
    assert "the page has no place for tables" in capsys.readouterr().err
    assert not (tmp_path / "journal").exists()
