"""Figures as text, listings that fit, and nothing from another machine that steers a terminal."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pnode.node.answers import (
    FILES_SHOWN,
    PEER_COLUMNS,
    SCORE_COLUMNS,
    silence_text,
    write_explanations,
    write_jobs,
    write_logs,
    write_pulled,
)
from pnode.node.api import JobDetail, JobState, LogChunk, Pulled, PulledFile, UnitStatus
from pnode.node.follow import UNITS_BY_LINE_MAX, Clock, Followed, JobLines, follow_job, tasks_listing, write_followed
from pnode.node.jobtext import ran_s, settled_units, units_listing, waited_s, write_failures
from pnode.node.plain import Instant
from pnode.node.terminal import (
    Column,
    Listing,
    age_text,
    clean,
    clean_lines,
    count_text,
    is_terminal,
    seconds_text,
    show_listing,
    show_sentence,
    size_text,
)

from .fake_node import ASK_THERE, DONE, ENDED, FAILED_JOB, JOB, NOON, RUNNING, STORY, WAITING

PEOPLE = Listing(
    (
        Column("name", flexible=True),
        Column("id"),
        Column("age", number=True),
        Column("town", minor=1),
        Column("state"),
    ),
    (("ada", "abcdefgh-xy", "9", "london", "alive"), ("grace", "hgfedcba-yx", "10", "new york", "dead")),
)


class Screen(io.StringIO):
    """What a terminal of that size was sent."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen()


def ticking(*seconds: float) -> Clock:
    """A clock that shows these times after noon, then stays at the last."""
    times = list(seconds)
    return lambda: NOON + (times.pop(0) if len(times) > 1 else times[0])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0 s"), (0.00004, "0 s"), (0.00006, "0.1 ms"), (0.0023, "2.3 ms"), (0.00994, "9.9 ms"),
     (0.00996, "10 ms"), (0.0584, "58 ms"), (0.9994, "999 ms"), (0.9996, "1.00 s"), (9.994, "9.99 s"),
     (12.34, "12.3 s"), (99.99, "100 s"), (119.9, "120 s"), (120, "2 min"), (125.4, "2 min 5 s"),
     (3599.6, "1 h"), (4321, "1 h 12 min"), (200_000, "2 d 7 h")],
)  # fmt: skip
def test_a_length_of_time_has_about_three_digits(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (-0.3, "0 s"), (2.2, "2 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_ages_have_one_unit(seconds: float | None, text: str) -> None:
    assert age_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_234_567, "1.23 MB"), (999_499, "999 kB"), (999_600, "1 MB"),
     (5e9, "5 GB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_sizes_have_the_unit_that_fits(size: float, text: str) -> None:
    assert size_text(int(size)) == text


def test_one_of_a_thing_is_singular() -> None:
    assert [count_text(n, "node") for n in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]


def test_nothing_from_another_machine_steers_the_terminal() -> None:
    assert clean("a\x1b[2Jb\nc\x07\u202e") == "a [2Jb c"
    assert clean_lines("one\x1b]0;x\x07\n\ttwo\r\nthree") == "one�]0;x�\n\ttwo\nthree"


def test_a_pipe_gets_aligned_text_with_every_column() -> None:
    out = io.StringIO()

    show_listing(PEOPLE, out)

    assert out.getvalue().splitlines() == [
        "name   id           age  town      state",
        "ada    abcdefgh-xy    9  london    alive",
        "grace  hgfedcba-yx   10  new york  dead",
    ]


def test_a_terminal_gets_colours_unless_it_asks_for_none(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    show_listing(PEOPLE, screen)
    assert "\x1b[32malive" in screen.getvalue()

    monkeypatch.setenv("NO_COLOR", "1")
    plain = Screen()
    show_listing(PEOPLE, plain)
    assert "alive" in plain.getvalue()
    assert "\x1b[3" not in plain.getvalue()


def test_a_dumb_terminal_is_none(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")

    assert not is_terminal(screen)


def test_a_narrow_terminal_loses_minor_columns_and_never_cuts_an_id(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")

    show_listing(PEOPLE, screen)

    assert "town" not in screen.getvalue()
    assert "abcdefgh-xy" in screen.getvalue()


def test_a_listing_keeps_what_is_not_minor_however_narrow() -> None:
    fitted = PEOPLE.fitted(5)

    assert [column.title for column in fitted.columns] == ["name", "id", "age", "state"]
    assert fitted.rows[0] == ("ada", "abcdefgh-xy", "9", "alive")


WHY = Listing(
    (Column("job"), Column("origin", minor=2), Column("elapsed", minor=1), Column("name", flexible=True),
     Column("reason", flexible=True)),
    (("abcdefgh", "alpha", "4.20 s", "diamond", "split failed on beta: " + "exit status 3 and more " * 9),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("width", "titles", "reason_width"),
    [
        (300, ["job", "origin", "elapsed", "name", "reason"], 229),
        (80, ["job", "origin", "elapsed", "name", "reason"], 80 - 36),
        (56, ["job", "origin", "elapsed", "name", "reason"], 20),
        (55, ["job", "elapsed", "name", "reason"], 27),
        (40, ["job", "name", "reason"], 21),
        (30, ["job", "name", "reason"], 11),
        (5, ["job", "name", "reason"], 8),
    ],
)
def test_a_long_reason_is_cut_to_what_fits_and_outlasts_the_lesser_columns(
    width: int, titles: list[str], reason_width: int
) -> None:
    fitted = WHY.fitted(width)

    assert [column.title for column in fitted.columns] == titles
    reason = fitted.rows[0][-1]
    assert len(reason) == reason_width
    assert reason[:-1] == WHY.rows[0][-1][: reason_width - 1]
    assert reason.endswith("…") == (width < 300)


def test_a_terminal_is_spared_a_column_in_which_nothing_stands() -> None:
    fitted = replace(WHY, rows=(("abcdefgh", "alpha", "4.20 s", "diamond", ""),)).fitted(80)

    assert [column.title for column in fitted.columns] == ["job", "origin", "elapsed", "name"]
    assert fitted.rows == (("abcdefgh", "alpha", "4.20 s", "diamond"),)
    assert replace(WHY, rows=()).fitted(80).columns == WHY.columns


@pytest.mark.parametrize(
    ("columns", "row", "kept"),
    [
        (PEER_COLUMNS, ["alpha (this)", "k3vq7x2m-4f", "alive", "192.0.2.5:4747", "3.1 ms", "100%", "40%", "1", "2",
         "3.21 s", "0 s", "-", "compute,submit", "4", "1.00", "12 s"], ["name", "id", "state", "delay"]),
        (SCORE_COLUMNS, ["alpha", "0.2828", "149 ms", "1.49 s", "134 ms"],
         ["candidate", "total", "inputs in", "core in"]),
    ],
)  # fmt: skip
def test_no_figure_is_cut_where_a_terminal_has_forty_columns(
    columns: tuple[Column, ...], row: list[str], kept: list[str]
) -> None:
    fitted = Listing(columns, (tuple(row),)).fitted(40)

    assert [column.title for column in fitted.columns] == kept
    assert max(map(len, fitted.text().splitlines())) <= 40


def test_what_cannot_be_had_of_a_log_is_said_in_its_place() -> None:
    out = io.StringIO()
    chunks = (replace(CHUNKS[0], text="", missing="stdout of a cannot be had: n1 had it and is gone"), CHUNKS[2])

    write_logs(chunks, out, many_items=False)

    assert out.getvalue() == (
        "==> a stdout (attempt 1 on n1) <==\n(stdout of a cannot be had: n1 had it and is gone)\n"
        "==> a stderr (attempt 1 on n1) <==\nwarn\n"
    )


def test_a_pipe_gets_the_whole_reason() -> None:
    out = io.StringIO()

    write_jobs((replace(FAILED_JOB, reason="a long story " * 20),), out)

    assert out.getvalue().endswith("a long story " * 19 + "a long story\n")


def test_a_terminal_is_not_filled_with_the_names_of_results(screen: Screen) -> None:
    files = tuple([PulledFile(Path(f"/r/{n}"), 1) for n in range(FILES_SHOWN + 2)])
    piped = io.StringIO()

    write_pulled(Pulled(Path("/r"), files), screen)
    write_pulled(Pulled(Path("/r"), files), piped)

    assert screen.getvalue().splitlines()[-2:] == [f"  /r/{FILES_SHOWN - 1}  1 B", "  and 2 more"]
    assert piped.getvalue().count("\n") == len(files) + 1


def test_square_brackets_are_no_markup(screen: Screen) -> None:
    show_listing(replace(PEOPLE, rows=(("task[0]", "[red]", "1", "[/]", "done"),)), screen)

    assert "task[0]" in screen.getvalue()
    assert "[red]" in screen.getvalue()


def test_a_long_sentence_goes_on_in_the_next_line_of_a_terminal_and_of_nothing_else(screen: Screen) -> None:
    sentence = "task, attempt 1 on node: failed: " + "why-it-did " * 10
    pipe = io.StringIO()

    show_sentence(sentence, screen)
    show_sentence(sentence, pipe)

    first, *others = screen.getvalue().splitlines()
    assert len(others) == 1
    assert max(len(first), *map(len, others)) <= 80
    assert " ".join([first, *map(str.strip, others)]) == sentence.strip()
    assert others[0].startswith("  why-it-did")
    assert pipe.getvalue() == f"{sentence}\n"


def test_what_an_explanation_says_beside_its_numbers_fits_the_screen(screen: Screen) -> None:
    told = "beta has failed it: exit status 3"

    write_explanations((replace(ASK_THERE, why=told, note="there " * 30),), screen, many_items=True)

    assert max(map(len, screen.getvalue().splitlines())) <= 80
    assert screen.getvalue().startswith(f"merge[0], attempt 1 (since {told}): given to beta")


def test_a_cancelled_job_says_so_once() -> None:
    out = io.StringIO()

    write_failures(replace(JOB, state="cancelled", reason="cancelled at beta"), out)
    write_failures(replace(JOB, state="cancelled", reason="split: its results are lost"), out)

    assert out.getvalue() == "cancelled at beta\ncancelled: split: its results are lost\n"


def test_times_count_from_queueing_and_starting() -> None:
    assert waited_s(WAITING, NOON) is None
    assert waited_s(RUNNING, NOON + 9) == pytest.approx(0.5)
    assert waited_s(replace(RUNNING, started_at=None, state="queued"), NOON + 9) == pytest.approx(9)
    assert ran_s(RUNNING, NOON + 9) == pytest.approx(8.5)
    assert ran_s(DONE, NOON + 9) == 2.0
    assert ran_s(WAITING, NOON) is None


def test_a_clock_that_is_behind_shows_no_negative_times() -> None:
    assert waited_s(replace(RUNNING, started_at=Instant(NOON - 5)), NOON) == 0.0
    assert ran_s(RUNNING, NOON - 100) == 0.0


def test_a_column_is_shown_where_it_tells_something() -> None:
    alone = units_listing([DONE], many_items=False, now=NOON)
    failed = units_listing(FAILED_JOB.units, many_items=False, now=NOON)
    live = units_listing([DONE], many_items=False, now=NOON, live=True)
    several = units_listing([DONE, replace(DONE, attempt=2)], many_items=True, now=NOON)

    assert [column.title for column in alone.columns] == ["task", "state", "node", "waited", "ran", "started"]
    assert {"item", "attempt"} <= {column.title for column in several.columns}
    assert "reason" in {column.title for column in failed.columns}
    assert "started" not in {column.title for column in live.columns}


def test_a_pipe_gets_one_line_per_change() -> None:
    out = io.StringIO()

    last = follow_job(STORY, out, ticking(0, 1, 2, 3))

    assert last == ENDED
    assert out.getvalue().splitlines() == [
        "12:00:00Z split running on beta",
        "12:00:02Z split done on beta in 2.00 s",
        "12:00:02Z merge done on gamma in 2.00 s",
        "12:00:04Z job abcdefgh done: 2/2 tasks done after 4.20 s",
    ]


def test_who_comes_late_is_told_when_everything_happened_in_that_order() -> None:
    later = replace(DONE, finished_at=Instant(NOON + 3.5))

    lines = JobLines(ticking(3600)).changes(replace(ENDED, units=(later, ENDED.units[1])))

    assert lines == [
        "12:00:02Z merge done on gamma in 2.00 s",
        "12:00:03Z split done on beta in 2.00 s",
        "12:00:04Z job abcdefgh done: 2/2 tasks done after 4.20 s",
    ]


def test_a_task_that_goes_back_to_waiting_is_told() -> None:
    lines = JobLines(ticking(0))
    lines.changes(replace(JOB, units=(RUNNING,)))

    assert lines.changes(replace(JOB, units=(WAITING,))) == ["12:00:00Z split waits"]
    assert lines.changes(replace(JOB, units=(WAITING,))) == []


def test_the_items_of_a_stream_are_told_apart() -> None:
    units = (RUNNING, replace(RUNNING, item=1, node="gamma"))

    lines = JobLines(ticking(0)).changes(replace(JOB, items=2, units=units))

    assert lines == ["12:00:00Z split[0] running on beta", "12:00:00Z split[1] running on gamma"]


def test_a_failure_is_told_at_once_and_its_reason_only_once() -> None:
    out, screen_rows = io.StringIO(), units_listing(FAILED_JOB.units, many_items=False, now=NOON, live=True).rows

    follow_job([FAILED_JOB], out, ticking(0))
    write_followed(Followed(FAILED_JOB, None), out)

    assert "12:00:02Z split failed on beta\n" in out.getvalue()
    assert out.getvalue().count("exit status 3") == 1
    assert "exit status 3" not in " ".join(sum(screen_rows, ()))


def test_nothing_of_a_job_that_has_ended_goes_on() -> None:
    running = replace(RUNNING, task="b", reason="the job was cancelled: split failed: exit status 3")
    failed = replace(FAILED_JOB, units=(FAILED_JOB.units[0], running, replace(WAITING, task="c")))

    split, b, c = settled_units(failed)

    assert split == failed.units[0]
    assert (b.state, b.reason) == ("cancelled", "stopped, since split failed")
    assert (c.state, c.reason) == ("cancelled", "")
    assert settled_units(replace(failed, state="running")) == failed.units
    assert [row[1] for row in tasks_listing(failed, 9, NOON).rows] == ["failed", "cancelled", "cancelled"]
    assert [line[10:] for line in JobLines(ticking(0)).changes(failed)] == [
        "split failed on beta", "b cancelled", "job abcdefgh failed: 0/2 tasks done after 4.20 s",
    ]  # fmt: skip


def many(done: int, count: int = UNITS_BY_LINE_MAX + 1) -> JobDetail:
    """A stream of many items through one task."""
    units = tuple([replace(DONE if n < done else WAITING, item=n) for n in range(count)])
    return replace(JOB, items=count, units=units, units_done=done, units_total=count)


def test_a_long_stream_is_summed_up_by_task() -> None:
    lines = JobLines(ticking(0, 1, 7, 8))

    assert lines.changes(many(0)) == ["12:00:00Z 0/201 tasks done"]
    assert lines.changes(many(5)) == []
    assert lines.changes(many(9)) == ["12:00:07Z 9/201 tasks done"]
    assert lines.changes(many(201)) == ["12:00:02Z split: 201/201 done"]


def test_tasks_that_move_are_shown_before_those_that_do_not() -> None:
    units: list[UnitStatus] = [replace(WAITING, task=f"late{n}") for n in range(5)]
    units += [replace(DONE, task="early"), replace(RUNNING, task="now"), replace(FAILED_JOB.units[0], task="bad")]

    listing = tasks_listing(replace(JOB, units=tuple(units)), 4, NOON + 1)

    assert [row[:2] for row in listing.rows] == [
        ("bad", "failed"), ("now", "running"), ("early", "done"), ("late0", "waiting"),
    ]  # fmt: skip


def test_a_task_on_many_nodes_names_the_first_few() -> None:
    units = tuple([replace(DONE, item=n, node=f"n{n}") for n in range(5)])

    (row,) = tasks_listing(replace(JOB, items=5, units=units), 9, NOON).rows

    assert row == ("split", "done", "0", "0", "5/5", "0", "n0, n1, n2 +2", "10.0 s")


def test_a_terminal_gets_a_live_table_that_ends_with_the_last_state(screen: Screen) -> None:
    last = follow_job(STORY, screen, ticking(3))

    assert last == ENDED
    shown = screen.getvalue()
    final = shown[shown.rindex("split") :]
    assert "merge" in final
    assert "job abcdefgh done: 2/2 tasks done after 4.20 s\n" in final


def test_a_small_terminal_says_how_much_it_leaves_out(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "8")
    units = tuple([replace(RUNNING, task=f"task{n}") for n in range(30)])

    follow_job([replace(JOB, units=units, units_total=30)], screen, ticking(3))

    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).splitlines()
    assert "and 27 more tasks" in [line.strip() for line in lines]
    assert any(line.rstrip().endswith("━ 0/30 tasks done") for line in lines)
    assert max(map(len, lines)) <= 60


def test_a_live_table_of_more_units_than_lines_is_summed_up_by_task(screen: Screen) -> None:
    follow_job([many(7, 60)], screen, ticking(3))

    assert "7/60" in screen.getvalue()


CHUNKS = [
    LogChunk("a", 0, 1, "n1", "stdout", "no end", ""),
    LogChunk("a", 0, 1, "n1", "stdout", "ing", ""),
    LogChunk("a", 0, 1, "n1", "stderr", "warn\n", ""),
    LogChunk("b", 2, 3, "n2", "stdout", "", ""),
]


def test_logs_have_a_heading_wherever_the_source_changes() -> None:
    out = io.StringIO()

    write_logs(CHUNKS, out, many_items=True)

    assert out.getvalue() == (
        "==> a[0] stdout (attempt 1 on n1) <==\nno ending\n"
        "==> a[0] stderr (attempt 1 on n1) <==\nwarn\n"
        "==> b[2] stdout (attempt 3 on n2) <==\n"
    )


def test_logs_name_no_item_where_there_is_one_alone() -> None:
    out = io.StringIO()

    write_logs(CHUNKS[:1], out, many_items=False)

    assert out.getvalue() == "==> a stdout (attempt 1 on n1) <==\nno end\n"


@pytest.mark.parametrize(
    ("state", "task", "text"),
    [
        ("running", "a", "nothing printed yet: a[0] waits; a[1] is queued on n"),
        ("running", "b[1]", "nothing printed yet: b[1] is done on n"),
        ("running", None, "nothing printed yet: 1 waiting; 1 queued; 1 cancelled; 1 done"),
        (
            "cancelled", "b[0]", "nothing was printed, or it was not kept:"
            " b[0] was cancelled; what it printed is not kept",
        ),
        ("failed", "b[1]", "nothing was printed, or it was not kept: b[1] is done on n"),
        ("failed", "a[0]", "nothing was printed, or it was not kept: a[0] was never begun"),
        ("done", "b[1]", "nothing was printed"),
    ],
)  # fmt: skip
def test_silence_is_explained_by_what_the_units_do(state: JobState, task: str | None, text: str) -> None:
    units = (
        replace(WAITING, task="a"),
        replace(RUNNING, task="a", item=1, state="queued", node="n"),
        replace(RUNNING, task="b", state="cancelled", node="n"),
        replace(DONE, task="b", item=1, node="n"),
    )

    assert silence_text(replace(JOB, state=state, items=2, units=units), task) == text
