"""Tables: what is written reads back as the same, whatever is in it; what is no table says where."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.sim.study.table import MissingLibraryError, Table, TableError, Value, read_table, table_of

FIGURES = Table(
    ("mapper", "runs", "ratio", "complete"),
    (("heft", 3, 1.0, True), ('a, "b"', 0, None, False), ("é\u2028", 1, 0.1, True)),
)

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)
values: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts
)


def written(place: Path, name: str, text: str) -> Path:
    path = place / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl"])
def test_a_table_reads_back_as_itself(tmp_path: Path, name: str) -> None:
    text = FIGURES.to_csv() if name.endswith("csv") else FIGURES.to_jsonl()

    assert read_table(written(tmp_path, name, text)) == FIGURES


@given(st.lists(st.fixed_dictionaries({"a": values, "b": values}), min_size=1))
def test_any_values_read_back_from_json_lines(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Value]]
) -> None:
    table = table_of(rows)

    again = read_table(written(tmp_path_factory.getbasetemp(), "any.jsonl", table.to_jsonl()))

    assert list(again.records()) == rows
    assert again.to_jsonl() == table.to_jsonl()


def test_floats_are_written_so_that_nothing_is_lost() -> None:
    third = 1 / 3

    assert Table(("x",), ((third,), (1e300,), (5e-324,))).to_csv() == f"x\n{third!r}\n1e+300\n5e-324\n"


def test_what_is_not_known_is_empty_or_null() -> None:
    table = Table(("a", "b"), ((None, 1),))

    assert table.to_csv() == "a,b\n,1\n"
    assert json.loads(table.to_jsonl()) == {"a": None, "b": 1}


def test_no_figure_is_infinite() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Table(("a",), ((float("inf"),),)).to_jsonl()


def test_rows_may_lack_columns() -> None:
    table = table_of([{"a": 1}, {"b": 2}])

    assert table == Table(("a", "b"), ((1, None), (None, 2)))


def test_an_unknown_column_is_named_with_those_that_there_are() -> None:
    with pytest.raises(KeyError, match="no column 'makespan'; known are mapper, runs"):
        FIGURES.column("makespan")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("x.jsonl", "", "x.jsonl:1: no JSON"),
        ("x.jsonl", '{"a": 1}\n[2]\n', r"x.jsonl:2: found '\[2\]', expected an object of plain values"),
        ("x.jsonl", '{"a": NaN}\n', "x.jsonl:1: no JSON: NaN is no finite number"),
        ("x.jsonl", '{"a": 1e999}\n', "x.jsonl:1: found .*, expected an object of plain values"),
        ("x.jsonl", '{"a": {}}\n', "x.jsonl:1: found"),
        ("x.jsonl", "[" * 100_000, "x.jsonl:1: no JSON"),
        ("x.csv", "a,b\n", "x.csv has 1 lines, expected one of names and at least one row"),
        ("x.csv", "a,b\n1\n", "x.csv:2: found 1 fields, expected 2"),
        ("x.csv", "a,a\n1,2\n", "x.csv:1: two columns have the same name"),
        ("x.csv", 'a\n"1\n', "x.csv is no CSV"),
    ],
)
def test_a_file_that_is_no_table_says_where(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    with pytest.raises(TableError, match=complaint):
        read_table(written(tmp_path, name, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a\n\xff\n")

    with pytest.raises(TableError, match="no text in UTF-8: byte 2 is 0xff"):
        read_table(path)


@given(st.binary(max_size=200), st.sampled_from(["x.csv", "x.jsonl"]))
def test_any_bytes_are_a_table_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)

    try:
        table = read_table(path)
    except TableError:
        return
    assert all(len(row) == len(table.names) for row in table.rows)


@pytest.mark.parametrize(
    ("library", "command"), [("pandas", "pip install pandas"), ("pyarrow", "pnode\\[parquet\\]")]
)
def test_a_missing_library_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, command: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed

    with pytest.raises(MissingLibraryError, match=command):
        FIGURES.to_pandas() if library == "pandas" else FIGURES.to_parquet(tmp_path / "x.parquet")


def test_a_data_frame_has_the_same_columns_and_rows() -> None:
    pandas = pytest.importorskip("pandas")

    frame = FIGURES.to_pandas()

    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["mapper"]) == list(FIGURES.column("mapper"))


def test_a_parquet_file_has_the_same_columns_and_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"

    FIGURES.to_parquet(path)

    assert parquet.read_table(path).to_pydict() == {name: list(FIGURES.column(name)) for name in FIGURES.names}
