"""STG: graphs without communication costs, with their dummies."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats.source import unpack
from pnode.sim.formats.stg import parse_stg, read_stg
from pnode.sim.schedule.scenario import Graph, Vertex

from .samples import accepts_or_refuses, damaged, refusal

FOUR = """\
          3
          0          0          0
          1          2          1          0
          2          3          1          0
          3          1          2          1          2
          4          0          1          3
# Standard Task Graph Set
#   Tasks : 3 (+dummy tasks : 2)
"""


def test_the_dummies_are_kept_and_edges_cost_nothing() -> None:
    assert parse_stg("rand0000.stg", FOUR) == Graph(
        "rand0000",
        (Vertex("0", 0.0), Vertex("1", 2.0), Vertex("2", 3.0), Vertex("3", 1.0), Vertex("4", 0.0)),
        (Edge(0, 1, 0.0), Edge(0, 2, 0.0), Edge(1, 3, 0.0), Edge(2, 3, 0.0), Edge(3, 4, 0.0)),
    )


@pytest.mark.parametrize(
    ("line", "new", "where", "reason"),
    [
        (1, "3 2", "line 1", "expected the number of tasks alone"),
        (1, "x", "line 1", "the number of tasks is x, expected a whole number"),
        (1, "300000", "line 1", "expected a whole number of at most 199998"),
        (1, "4", "", "found 5 tasks, expected 6, dummies included"),
        (1, "2", "line 6", "found another task after the 4 that were announced"),
        (4, "7 3 1 0", "line 4", "found task 7, expected task 2"),
        (4, "2 -3 1 0", "line 4", "the time of task 2 is -3"),
        (4, "2 nan 1 0", "line 4", "the time of task 2 is nan"),
        (4, "2 3 x 0", "line 4", "the number of parents of task 2 is x"),
        (6, "4 0", "line 6", "found 2 numbers, expected"),
        (6, "4 0 1 3 5", "line 6", "task 4 has 1 parents and names 2"),
        (6, "4 0 1 9", "line 6", "there is no task 9; tasks are 0, 1"),
        (6, "4 0 1 4", "line 6", "task 4 waits for itself"),
        (5, "3 1 2 1 1", "line 5", "there is a second edge from 1 to 3"),
        (3, "1 2 1 4", "", "a cycle: 1 -> 3 -> 4 -> 1"),
    ],
)
def test_a_file_that_makes_no_graph_is_refused_at_its_line(line: int, new: str, where: str, reason: str) -> None:
    rows = FOUR.split("\n")
    rows[line - 1] = new

    error = refusal(lambda: parse_stg("x.stg", "\n".join(rows)))

    assert error.where == where
    assert reason in error.reason


def test_a_graph_goes_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "rand.stg").write_text(FOUR)

    assert read_stg(tmp_path / "rand.stg") == parse_stg("rand.stg", FOUR)


def test_an_empty_file_is_refused() -> None:
    assert "the number of tasks" in refusal(lambda: parse_stg("x", "# nothing")).reason


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse_stg("x", unpack("x", packed)))


@given(damaged(FOUR) | st.text("0123456789 \n-#", max_size=60))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_stg("x", text))
