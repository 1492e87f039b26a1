"""Plots: what they show is what the table says, inside the frame and readable."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.sim.study.lines import lines_svg
from pnode.sim.study.page import page, table_html
from pnode.sim.study.plot import POINTS_MAX, PlotError, spread_svg
from pnode.sim.study.report import report_html, varied
from pnode.sim.study.table import Table

from .drawings import Picture
from .tables import NAMES, made_up, row, with_column

DRAWINGS: list[Callable[[Table], str]] = [
    spread_svg,
    lambda given: lines_svg(given, "ccr"),
    lambda given: lines_svg(given, "kind"),
]


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("spread", [0.0, 0.1, 100.0])
@pytest.mark.parametrize("mappers", [("heft",), tuple(f"mapper-with-a-name-{at}" for at in range(16))])
def test_nothing_lies_over_anything_else(
    draw: Callable[[Table], str], mappers: tuple[str, ...], spread: float
) -> None:
    picture = Picture(draw(made_up(*mappers, spread=spread)))

    assert picture.complaints() == []
    assert [text.text for text in picture.texts].count(mappers[0]) == 1


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=4, unique=True), st.floats(1e-9, 1e9))
def test_any_names_and_numbers_can_be_drawn(mappers: list[str], scale: float) -> None:
    given = made_up(*mappers, runs=2)

    scaled = Table(NAMES, tuple((*line[:-1], float(str(line[-1])) * scale) for line in given.rows))

    for draw in DRAWINGS:
        assert Picture(draw(scaled)).complaints() == []


def test_a_box_tells_its_numbers() -> None:
    """Ratios 1, 2, 3, 4, 5: quartiles 2 and 4, p10 1.4 and p90 4.6."""
    rows = tuple(row(at, "m", at + 1.0) for at in range(5))

    hints = Picture(spread_svg(Table(NAMES, rows))).hints()

    assert "m: median 3, quartiles 2 and 4, p10 1.4, p90 4.6, 5 runs" in hints


def test_a_point_on_a_line_tells_its_numbers() -> None:
    rows = tuple(row(at, "m", float(at), ccr=at % 2) for at in range(10))

    hints = Picture(lines_svg(Table(NAMES, rows), "ccr")).hints()

    assert hints == [
        "m, ccr 0: median 4, p10 0.8, p90 7.2, 5 runs",
        "m, ccr 1: median 5, p10 1.8, p90 8.2, 5 runs",
    ]


def test_of_very_many_runs_some_are_drawn() -> None:
    many = spread_svg(made_up("heft", runs=1000))

    assert POINTS_MAX / 2 < many.count("<circle") <= POINTS_MAX


def test_lines_differ_even_where_colours_begin_again() -> None:
    svg = lines_svg(made_up(*(f"m{at}" for at in range(12))), "ccr")
    styles = {
        (one.get("class"), one.get("stroke-dasharray")) for one in Picture(svg).root.iter() if "polyline" in one.tag
    }

    assert len(styles) == 12


def test_words_keep_the_order_of_the_table() -> None:
    texts = [text.text for text in Picture(lines_svg(made_up("heft"), "kind")).texts]

    assert texts.index("wide") < texts.index("narrow")


@pytest.mark.parametrize(
    ("draw", "complaint"),
    [
        (lambda: spread_svg(made_up("heft"), "cost"), "the table has no column 'cost'; it has index, scenario"),
        (lambda: spread_svg(Table(("a",), ())), "the table has no column 'mapper'"),
        (lambda: spread_svg(with_column(made_up("heft"), "ratio", None)), "no run has a 'ratio'"),
        (lambda: lines_svg(made_up("heft"), "tasks"), "no parameter 'tasks'; known are ccr, kind"),
        (
            lambda: lines_svg(with_column(made_up("heft"), "ccr", 1.0), "ccr"),
            "the parameter 'ccr' has 1 values in the table",
        ),
        (
            lambda: lines_svg(with_column(made_up("heft"), "ccr", None), "ccr"),
            "the parameter 'ccr' has 0 values in the table",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why(draw: Callable[[], str], complaint: str) -> None:
    with pytest.raises(PlotError, match=complaint):
        draw()


def test_a_report_has_a_plot_for_every_parameter_that_varies() -> None:
    given = made_up("heft", "other")
    html = report_html("A <study>", given, "heft", "pnode sim sweep study.toml")

    assert varied(given) == ("ccr", "kind")
    assert html.count("<svg") == 3
    assert "<h1>A &lt;study&gt;</h1>" in html
    assert "pnode sim sweep study.toml" in html
    assert "<td>other</td>" in html


def test_a_report_without_ratios_shows_makespans() -> None:
    html = report_html("study", with_column(made_up("heft"), "ratio", None), "", "")

    assert "makespan (s): median, quartiles" in html


def test_texts_of_a_page_are_escaped() -> None:
    html = page("a & b", [table_html(("x", "<y>"), [("&", '"')])])

    assert "<title>a &amp; b</title>" in html
    assert "<th>&lt;y&gt;</th>" in html
    assert "<td>&amp;</td><td>&quot;</td>" in html
