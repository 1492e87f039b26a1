"""Drawings and axes: round numbers, texts that fit, XML whatever is written."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.sim.study.axis import LOG_FROM, Axis, label, spanning
from pnode.sim.study.drawing import Drawing, fitted, text_px


def test_ticks_stand_at_round_numbers() -> None:
    assert Axis(0, 10, 0, 100).ticks(6) == [0, 2, 4, 6, 8, 10]
    assert Axis(0.93, 1.17, 0, 100).ticks(6) == [0.95, 1.0, 1.05, 1.1, 1.15]
    assert Axis(0.5, 60, 0, 100, log=True).ticks(8) == [0.5, 1, 2, 5, 10, 20, 50]
    assert Axis(1e-4, 1e4, 0, 100, log=True).ticks(9) == [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4]


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(4, 12))
def test_there_are_some_ticks_and_not_too_many(low: float, span: float, most: int) -> None:
    high = low + span
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return  # doubles cannot tell numbers between them apart
    axis = Axis(low, high, 0, 100)

    ticks = axis.ticks(most)

    assert 1 <= len(ticks) <= most
    assert all(low - span * 1e-6 <= tick <= high + span * 1e-6 for tick in ticks)
    assert sorted(ticks) == ticks


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=20))
def test_all_numbers_lie_on_the_axis_in_their_order(numbers: list[float]) -> None:
    axis = spanning(numbers, 10, 110)
    places = [axis.px(number) for number in sorted(numbers)]

    assert axis.log == (max(numbers) / min(numbers) >= LOG_FROM)
    assert places == sorted(places)
    assert 10 <= places[0] <= places[-1] <= 110


def test_a_number_beyond_the_axis_lies_at_its_end() -> None:
    assert Axis(1, 2, 0, 100).px(7) == 100
    assert Axis(1, 2, 0, 100).px(-7) == 0
    assert Axis(1, 100, 0, 100, log=True).px(10) == pytest.approx(50)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (0.25, "0.25"), (1500.0, "1500"), (2e6, "2e6"), (2.5e-4, "2.5e-4"), (-3e7, "-3e7")],
)
def test_labels_are_short(number: float, text: str) -> None:
    assert label(number) == text


@given(st.text(max_size=50), st.floats(0, 400))
def test_a_fitted_text_fits(text: str, width: float) -> None:
    shown = fitted(text, width)

    assert text_px(shown) <= max(width, 0)
    assert shown in (text, "") or shown.endswith("…")


@given(st.text(), st.text())
def test_any_text_makes_xml_that_can_be_parsed(title: str, hint: str) -> None:
    drawing = Drawing(100, 100, title)
    drawing.rect(0, 0, 1, 1, "ink", hint)
    drawing.text(0, 0, hint)
    drawing.headline(0, 0, title, 1e9)

    root = ElementTree.fromstring(drawing.svg())

    assert len(list(root)) == 6


def test_coordinates_are_never_minus_nothing() -> None:
    drawing = Drawing(100, 100, "")
    drawing.line(-0.0, -0.001, 1 / 3, math.pi, "edge")

    assert 'x1="0" y1="0" x2="0.33" y2="3.14"' in drawing.svg()
