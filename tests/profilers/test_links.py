import math

import pytest

from pnode.profilers.links import FIGURES_MAX, HALF_LIFE_S, ROW_AGE_S_MAX, ROWS_MAX, HeardLinks
from pnode.protocol.view import LinkFigure

from .nodes import A, B, C, node

FIGURE = LinkFigure(A, 0.01, 1e7, 0.8)


def heard(*figures: LinkFigure) -> HeardLinks:
    links = HeardLinks()
    links.observe(B, figures, 0.0)
    return links


def test_a_row_speaks_of_the_ways_towards_its_author() -> None:
    links = heard(FIGURE)

    assert links.estimate(A, B, 0.0) == (FIGURE, 0.8)
    assert links.estimate(B, A, 0.0) is None
    assert links.estimate(C, B, 0.0) is None


def test_a_new_row_replaces_the_old_one() -> None:
    links = heard(FIGURE)

    links.observe(B, (LinkFigure(C, 0.02, 0.0, 0.5),), 1.0)

    assert links.estimate(A, B, 1.0) is None
    assert list(links.figures(1.0)) == [LinkFigure(C, 0.02, 0.0, 0.5)]


def test_an_old_row_is_trusted_less_and_eventually_not_at_all() -> None:
    links = heard(FIGURE)

    aged = links.estimate(A, B, HALF_LIFE_S)

    assert aged is not None
    assert aged[1] == pytest.approx(0.4)
    assert links.estimate(A, B, ROW_AGE_S_MAX + 1.0) is None
    assert list(links.figures(ROW_AGE_S_MAX + 1.0)) == []


@pytest.mark.parametrize(
    "figure",
    [
        LinkFigure(B, 0.01, 1e7, 0.8),
        LinkFigure(A, -0.01, 1e7, 0.8),
        LinkFigure(A, 11.0, 1e7, 0.8),
        LinkFigure(A, math.nan, 1e7, 0.8),
        LinkFigure(A, 0.01, -1.0, 0.8),
        LinkFigure(A, 0.01, 1.0, 0.8),
        LinkFigure(A, 0.01, math.inf, 0.8),
        LinkFigure(A, 0.01, math.nan, 0.8),
        LinkFigure(A, 0.01, 1e7, 0.0),
        LinkFigure(A, 0.01, 1e7, 1.1),
        LinkFigure(A, 0.01, 1e7, math.nan),
    ],
)
def test_a_figure_that_no_link_can_have_is_not_taken_and_the_others_are(figure: LinkFigure) -> None:
    links = heard(figure, LinkFigure(C, 0.02, 0.0, 0.5))

    assert list(links.figures(0.0)) == [LinkFigure(C, 0.02, 0.0, 0.5)]


def test_a_row_is_cut_and_rows_are_bounded() -> None:
    links = HeardLinks()

    for author in range(1000, 1000 + ROWS_MAX + 5):
        links.observe(node(author), tuple(LinkFigure(node(n), 0.01, 0.0, 0.5) for n in range(FIGURES_MAX + 5)), 0.0)

    assert len(list(links.figures(0.0))) == ROWS_MAX * FIGURES_MAX


def test_of_a_forgotten_node_nothing_is_left_not_even_what_others_said() -> None:
    links = heard(FIGURE)
    links.observe(A, (LinkFigure(B, 0.01, 1e7, 0.8), LinkFigure(C, 0.01, 1e7, 0.8)), 0.0)

    links.forget(A)

    assert list(links.figures(0.0)) == []
