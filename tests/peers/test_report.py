"""The page says what was measured, who was not there, and where pnode is behind."""

from .contest import Results
from .contestant import CONTESTANTS
from .markdown import WIDTH, shown, table, wrapped
from .report import Report, Setting
from .turn import Played
from .workload import WORKLOADS

SETTING = Setting("a machine", "abc", "2026-01-01", 3)


def results(**medians: float) -> Results:
    """Of W1 and W2, three rounds each: the median and somewhat less and more."""
    found = Results(loads=[0.5, 3.0, 1.0])
    for words, median in medians.items():
        figure, name = words.split("_", 1)
        for share in (1.0, 0.9, 1.1):
            found.add("W1", name.replace("_", " "), Played({figure: median * share}))
    return found


def page(found: Results) -> str:
    return Report(SETTING, found, WORKLOADS, CONTESTANTS).page()


def cells(text: str, *beginning: str) -> list[str]:
    """The cells of the one row that begins with these."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    [row] = [row for row in rows if tuple(row[: len(beginning)]) == beginning]
    return row


def test_a_figure_is_told_with_its_spread_and_its_ratio() -> None:
    text = page(results(independent_pnode=4000.0, independent_Ray=1000.0))

    assert cells(text.partition("## W1")[2], "Ray") == ["Ray", "1,000", "900", "1,100", "4.00"]
    assert cells(text.partition("## W1")[2], "pnode") == ["pnode", "4,000", "3,600", "4,400", ""]


def test_a_goal_says_whether_it_was_met() -> None:
    met, missed = (page(results(independent_pnode=ours, independent_Ray=1000.0)) for ours in (2000.0, 1990.0))

    assert "| 2.00 times as good as Ray" in met
    assert cells(met.partition("## What was")[2], "W1 throughput", "pnode")[-1] == "yes"
    assert cells(missed.partition("## What was")[2], "W1 throughput", "pnode")[-1] == "**no**"


def test_the_page_says_where_pnode_is_slower_and_than_whom() -> None:
    text = page(results(chain_pnode=2.0, chain_Ray=1.0, chain_make=0.5, independent_pnode=2.0, independent_Ray=1.0))

    slower = text.partition("## Where pnode is slower")[2].partition("##")[0].strip().splitlines()
    assert slower == [
        "- W2 time per hop: 2.00 ms against 1.00 of Ray, ratio 0.500",
        "- W2 time per hop: 2.00 ms against 0.500 of make (floor), ratio 0.250",
    ]


def test_being_slower_nowhere_is_not_claimed_when_nothing_was_measured() -> None:
    assert "Nowhere" in page(results(independent_pnode=2.0, independent_Ray=1.0))
    assert "Nowhere" not in page(results(independent_Ray=1.0))


def test_who_is_not_there_is_told_with_the_reason() -> None:
    found = results(independent_pnode=1.0)
    found.absent["Dask"] = "it cannot be had"

    text = page(found)

    assert "- Not here: Dask. It cannot be had." in text
    assert not [line for line in text.splitlines() if line.startswith("| Dask")]


def test_a_failure_is_told_with_the_workload() -> None:
    found = results(independent_pnode=1.0)
    found.add("W3", "Ray", Played({}, "not done after 150 s"))

    assert (
        "- Ray did not get through: not done after 150 s" in page(found).partition("## W3")[2].partition("## W4")[0]
    )


def test_the_load_is_told_from_the_beginning_to_the_end() -> None:
    assert "at the beginning 0.5, at the end 1.0, between them 0.5 to 3.0" in " ".join(page(results()).split())


def test_a_trial_is_called_one() -> None:
    trial = Report(Setting("a machine", "abc", "2026-01-01", 3, 0.05), results(), WORKLOADS, CONTESTANTS).page()

    assert "only a trial" in " ".join(trial.split())
    assert "only a trial" not in " ".join(page(results()).split())


def test_numbers_have_three_digits_that_count() -> None:
    assert [shown(value) for value in (0.0, 0.01234, 1.234, 123.4, 12345.0, -2.5)] == [
        "0", "0.0123", "1.23", "123", "12,345", "-2.50",
    ]  # fmt: skip
    assert shown(float("inf")) == "∞"
    assert shown(0.9998) == "1.00"


def test_the_columns_of_a_table_stand_below_each_other() -> None:
    assert table(("a", "long"), [("longer", "b")]) == [
        "| a      | long |",
        "|--------|------|",
        "| longer | b    |",
    ]


def test_no_line_of_a_paragraph_is_too_long() -> None:
    lines = wrapped("- " + "word " * 100)

    assert max(map(len, lines)) <= WIDTH
    assert all(line.startswith("  ") for line in lines[1:])
