"""Summaries: quantiles by hand, an interval that is what it says, and a table that people can read."""

from random import Random

import pytest

from pnode.sim.study.layout import matrix_text, number, summary_text
from pnode.sim.study.plain import summaries_to_plain
from pnode.sim.study.summary import TIE, parameters, summarise
from pnode.sim.study.table import Table

from .tables import NAMES, made_up, row, with_column


def table(*ratios: float | None, mapper: str = "m") -> Table:
    return Table(NAMES, tuple(row(at, mapper, ratio) for at, ratio in enumerate(ratios)))


def test_quantiles_lie_between_order_statistics() -> None:
    [summary] = summarise(table(5, 1, 4, 2, 3))

    assert summary.ratio is not None
    assert [summary.ratio.p10, summary.ratio.median, summary.ratio.p90] == pytest.approx([1.4, 3, 4.6])


def test_wins_and_losses_are_beyond_rounding() -> None:
    [summary] = summarise(table(0.5, 1, 1 + TIE / 2, 1 - TIE / 2, 1 + 3 * TIE, 2))

    assert (summary.wins, summary.ties, summary.losses) == (1, 3, 2)


def test_a_run_without_a_ratio_counts_in_none() -> None:
    given = with_column(table(None, None), "complete", False)

    [summary] = summarise(given)

    assert summary.ratio is None
    assert (summary.runs, summary.incomplete) == (2, 2)
    assert (summary.wins, summary.ties, summary.losses) == (0, 0, 0)
    assert "m: 2 of 2 runs did not complete" in summary_text([summary], "heft")


def test_other_figures_are_medians() -> None:
    [summary] = summarise(table(1, 2, 3))

    assert (summary.makespan_s, summary.slr, summary.speedup) == (1.0, 2.0, 3.0)
    assert (summary.utilisation, summary.messages, summary.decisions, summary.moves) == (0.5, 4, 5, 0)


def test_mappers_keep_the_order_of_the_table() -> None:
    assert [summary.mapper for summary in summarise(made_up("zeta", "alpha"))] == ["zeta", "alpha"]


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    """Of samples of 30 from U(0, 2), whose median is 1. A percentile interval of so few covers a little less."""
    rng = Random(0)
    covered = 0
    for _ in range(100):
        [summary] = summarise(table(*(rng.uniform(0, 2) for _ in range(30))))
        assert summary.ratio is not None
        covered += summary.ratio.low <= 1 <= summary.ratio.high

    assert 87 <= covered <= 99


def test_seeds_of_one_scenario_are_no_independent_witnesses() -> None:
    """Ten scenarios with one run each, and the same with a hundred equal runs each, leave as much open."""
    ratios = [1 + at / 10 for at in range(10)]
    few = Table(NAMES, tuple(row(at, "m", ratio) for at, ratio in enumerate(ratios)))
    many = Table(
        NAMES, tuple(row(at, "m", ratio, seed=seed) for at, ratio in enumerate(ratios) for seed in range(100))
    )

    [one], [other] = summarise(few), summarise(many)

    assert one.ratio is not None
    assert other.ratio is not None
    assert other.ratio.high - other.ratio.low > 0.7 * (one.ratio.high - one.ratio.low)


def test_of_a_single_scenario_its_runs_are_drawn() -> None:
    rows = tuple(row(0, "m", 1 + seed / 10, seed=seed) for seed in range(10))

    [summary] = summarise(Table(NAMES, rows))

    assert summary.ratio is not None
    assert summary.ratio.low < summary.ratio.median < summary.ratio.high


def test_the_draws_follow_from_the_seed() -> None:
    given = made_up("m")

    assert summarise(given, seed=1) == summarise(given, seed=1)
    assert summarise(given, seed=1) != summarise(given, seed=2)


def test_parameters_are_the_columns_between_scenario_and_mapper() -> None:
    assert parameters(made_up("m")) == ("ccr", "kind")


def test_people_read_a_line_per_mapper() -> None:
    text = summary_text(summarise(table(0.5, 1, 2)), "heft")

    title, line, note = text.splitlines()
    assert title.split("  ")[0] == "mapper"
    assert line.split()[:3] == ["m", "3", "1.000"]
    assert "1/1/1" in line
    assert "makespan / heft's" in note


def test_programs_read_every_figure() -> None:
    [plain] = summaries_to_plain(summarise(table(0.5, 1, 2)))

    assert plain["mapper"] == "m"
    assert isinstance(plain["ratio"], dict)
    assert list(plain["ratio"]) == ["median", "p10", "p90", "low", "high"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (3, "3"),
        (1234.5678, "1235"),
        (12345.678, "12346"),
        (0.00012345, "0.0001234"),
        (2.5e9, "2500000000"),
    ],
)
def test_numbers_have_as_many_digits_as_mean_something(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_matrix_has_a_column_per_target_and_the_worst_below() -> None:
    text = matrix_text(("a", "b"), {("a", "b"): 2.0, ("b", "a"): 1.25})

    assert [line.split() for line in text.splitlines()] == [
        ["a", "b"], ["a", "-", "1.25"], ["b", "2.00", "-"], ["worst", "2.00", "1.25"],
    ]  # fmt: skip
