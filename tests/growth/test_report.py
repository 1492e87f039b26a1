"""The page says what a task costs at each size, and whether that is the same."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from . import plays
from .cost import Cost
from .course import Course, Setup, tens
from .report import told
from .turn import TurnError

COURSE = Course("c", "tasks", "Tasks", "What they are.", "tasks", 1000, tens(100, 100_000), plays.calls, 1, 0.0)


def costs(per_task_s: Callable[[int], float]) -> dict[Setup, list[Cost]]:
    """By size: processor time as it says, and a millisecond or a kilobyte of all else."""
    plain = {setup: setup.tasks for setup in COURSE.setups}
    return {
        setup: [replace(Cost(n, *(1e-3 * n,) * 3, *(1e3 * n,) * 4), nodes_s=n * per_task_s(n))]
        for setup, n in plain.items()
    }


def cells(lines: Sequence[str], size: str) -> list[str]:
    """Of the one row of that size."""
    [row] = [line for line in lines if line.startswith(f"| {size} ")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_what_is_the_same_for_all_is_flat() -> None:
    lines = told(COURSE, costs(lambda _: 0.002), {})

    assert cells(lines, "10,000") == ["10,000", "1.00 (1.00)", "2.00 (1.00)", *["1.00 (1.00)"] * 5, "yes"]
    assert cells(lines, "1,000") == ["1,000", "1.00", "2.00", *["1.00"] * 5, ""]


def test_what_grows_with_the_number_is_bold_and_not_flat() -> None:
    lines = told(COURSE, costs(lambda tasks: 0.001 if tasks < 100_000 else 0.0013), {})

    assert cells(lines, "10,000")[-1] == "yes"
    assert cells(lines, "100,000")[2] == "**1.30 (1.30)**"
    assert cells(lines, "100,000")[-1] == "**no**"


def test_what_is_smaller_than_the_reference_is_shown_and_not_judged() -> None:
    lines = told(COURSE, costs(lambda tasks: 0.010 if tasks < 1000 else 0.001), {})

    assert cells(lines, "100")[2] == "10.0 (10.00)"
    assert cells(lines, "100")[-1] == ""


def test_memory_that_is_left_may_grow() -> None:
    found = costs(lambda _: 0.001)
    last = COURSE.setups[-1]
    found[last] = [replace(found[last][0], origin_bytes=1e9)]

    assert cells(told(COURSE, found, {}), "100,000")[-1] == "yes"


def test_a_size_that_was_not_reached_has_its_reason_and_no_row() -> None:
    found = costs(lambda _: 0.001)
    last = COURSE.setups[-1]
    del found[last]

    lines = told(COURSE, found, {last: TurnError("not done after 60 s")})

    assert lines[-1] == "- 100,000 tasks: not done after 60 s."
    assert not [line for line in lines if line.startswith("| 100,000")]


def test_without_the_reference_nothing_is_compared() -> None:
    found = costs(lambda _: 0.001)
    del found[Setup(1000)]

    assert cells(told(COURSE, found, {}), "10,000") == ["10,000", *["1.00"] * 7, ""]
