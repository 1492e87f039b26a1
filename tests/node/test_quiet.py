"""What is said too often is omitted, and that is said."""

import logging

import pytest

from pnode.node.quiet import AT_ONCE, PER_S, Quiet


def say(quiet: Quiet, line: int, what: str, level: int = logging.INFO) -> str | None:
    """What is written of a line of the log."""
    record = logging.LogRecord("pnode.x", level, "x.py", line, "100 %% of %s", (what,), None)
    return record.getMessage() if quiet.filter(record) else None


def test_the_same_thing_is_said_so_many_times_and_then_now_and_then() -> None:
    now = [0.0]
    quiet = Quiet(lambda: now[0])

    said = [say(quiet, 1, str(number)) for number in range(AT_ONCE + 7)]
    now[0] += 1.5 / PER_S
    later = [say(quiet, 1, "late"), say(quiet, 1, "too late")]
    now[0] += 1000.0
    in_the_end = [say(quiet, 1, "much later"), say(quiet, 1, "end")]

    assert said == [*(f"100 % of {number}" for number in range(AT_ONCE)), *[None] * 7]
    assert later == ["100 % of late (and 7 more like this before)", None]
    assert in_the_end == ["100 % of much later (and 1 more like this before)", "100 % of end"]


@pytest.mark.parametrize(("line", "level"), [(2, logging.INFO), (1, logging.ERROR), (1, logging.DEBUG)])
def test_other_things_errors_and_details_are_said(line: int, level: int) -> None:
    quiet = Quiet(lambda: 0.0)
    for _ in range(AT_ONCE + 1):
        say(quiet, 1, "flood")

    assert say(quiet, 1, "flood") is None
    assert say(quiet, line, "this", level) == "100 % of this"
