"""DAX: workflows of Pegasus, the synthetic ones and others with run times and sizes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats.dax import parse_dax, read_dax
from pnode.sim.formats.source import unpack
from pnode.sim.schedule.scenario import Graph, Vertex

from .samples import accepts_or_refuses, damaged, refusal

PAIR = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- generated -->
<adag xmlns="http://pegasus.isi.edu/schema/DAX" version="2.1" name="pair" jobCount="2">
  <job id="ID1" namespace="Montage" name="mProject" version="1.0" runtime="13.59">
    <argument>-x <file name="not a use"/></argument>
    <uses file="in" link="input" size="99"/>
    <uses file="image" link="output" size="4000"/>
    <uses file="area" link="inout" size="2e3"/>
  </job>
  <job id="ID2" namespace="Montage" name="mDiff" runtime="10">
    <uses name="image" link="input" size="4001"/>
    <uses name="area" link="input"/>
  </job>
  <job id="ID3" name="mAdd" runtime="0"/>
  <child ref="ID2"><parent ref="ID1"/></child>
  <child ref="ID3"><parent ref="ID1"/><parent ref="ID2"/></child>
</adag>
"""


def test_edges_carry_what_the_parent_writes_and_the_child_reads() -> None:
    assert parse_dax("x/pair.xml", PAIR) == Graph(
        "pair",
        (Vertex("ID1", 13.59), Vertex("ID2", 10.0), Vertex("ID3", 0.0)),
        (Edge(0, 1, 6000.0), Edge(0, 2, 0.0), Edge(1, 2, 0.0)),
    )


def test_a_graph_goes_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "pair.xml").write_text(PAIR)

    assert read_dax(tmp_path / "pair.xml") == parse_dax("pair.xml", PAIR)


def test_a_graph_without_a_name_is_called_after_its_file() -> None:
    assert parse_dax("x/pair.xml", PAIR.replace(' name="pair"', "")).name == "pair"


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ("<adag", "<adag<", "line 3, column 6", "no XML: not well-formed"),
        ("</adag>", "", "line 18, column 1", "no XML: no element found"),
        ("<adag ", "<adig ", "line 3", "found <adig>, expected <adag>"),
        (' runtime="10"', "", "line 10", "a <job> has no `runtime`"),
        ('runtime="10"', 'runtime="-10"', "line 10", "the run time of job ID2 is -10, expected a number from 0"),
        ('runtime="10"', 'runtime="1e400"', "line 10", "the run time of job ID2 is 1e400"),
        ('id="ID2"', 'id="ID1"', "line 10", "a second job has the id ID1"),
        ('size="4000"', 'size="nan"', "line 7", "the size of file image is nan"),
        ('link="inout"', 'link="none"', "line 8", "the link of file area is none, expected one of input, output"),
        ('file="in" ', "", "line 6", "a <uses> has neither `file` nor `name`"),
        (' size="2e3"', "", "line 15", "the file area goes from ID1 to ID2 without size"),
        ('<child ref="ID2">', "<child>", "line 15", "a <child> has no `ref`"),
        ('<child ref="ID2">', '<child ref="ID4">', "line 15", "there is no job ID4 before this line"),
        ('<child ref="ID2">', '<child ref="ID1">', "line 15", "task ID1 waits for itself"),
        ('<parent ref="ID2"/>', '<parent ref="ID1"/>', "line 16", "there is a second edge from ID1 to ID3"),
        ('ref="ID2"><parent ref="ID1"', 'ref="ID2"><parent ref="ID3"', "", "a cycle: ID2 -> ID3 -> ID2"),
        ("<!-- generated -->", '<!DOCTYPE adag [<!ENTITY a "aaaa">]>', "", "the file defines an entity a"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_graph_is_refused_at_its_place(old: str, new: str, where: str, reason: str) -> None:
    assert old in PAIR

    error = refusal(lambda: parse_dax("pair.xml", PAIR.replace(old, new)))

    assert error.where == where
    assert reason in error.reason


def test_a_file_without_jobs_is_refused() -> None:
    assert "there is no task" in refusal(lambda: parse_dax("x", "<adag/>")).reason


def test_deep_nesting_does_no_harm() -> None:
    accepts_or_refuses(lambda: parse_dax("x", "<adag>" * 100_000))
    accepts_or_refuses(lambda: parse_dax("x", "<adag>" * 50_000 + "</adag>" * 50_000))


def test_elements_in_other_places_say_nothing() -> None:
    elsewhere = (
        '<adag><job id="a" runtime="1"><job id="b"/><x><uses/></x></job><x><child/><job><uses/></job></x></adag>'
    )

    assert parse_dax("x", elsewhere).tasks == (Vertex("a", 1.0),)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse_dax("x", unpack("x", packed)))


@given(damaged(PAIR))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_dax("x", text))


WORDS = st.sampled_from(
    ["<", ">", "/", "adag", "job", "uses", "child", "parent", " ", '="', '"', "id", "ref", "runtime", "1", "&"]
)


@given(st.lists(WORDS, max_size=30).map("".join))
def test_any_order_of_elements_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_dax("x", text))
