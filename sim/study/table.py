"""A table: named columns and rows of plain values, in one order, that every tool of the trade can read.

The same values give the same bytes on any machine: numbers are written as the shortest text that reads back as
themselves, lines end with a line feed, and what is not known is an empty field in CSV and null in JSON lines.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pnode.protocol.values import dataclass

if TYPE_CHECKING:
    import pandas

Value = str | int | float | bool | None
"""What a field may hold; None is what is not known or makes no sense for its row. Floats are finite."""


class TableError(ValueError):
    """A file is no table; the message says where, what was found and what was expected."""


class MissingLibraryError(RuntimeError):
    """A library is needed that not everybody has; the message says how to get it."""


@dataclass(frozen=True)
class Table:
    """Rows with one value per name."""

    names: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> tuple[Value, ...]:
        """Raises KeyError, with the names that there are."""
        if name not in self.names:
            raise KeyError(f"there is no column {name!r}; known are {', '.join(self.names)}")
        at = self.names.index(name)
        return tuple(row[at] for row in self.rows)

    def records(self) -> Iterator[dict[str, Value]]:
        """Row after row, by name."""
        for row in self.rows:
            yield dict(zip(self.names, row, strict=True))

    def to_csv(self) -> str:
        """The names, then a line per row."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.names)
        writer.writerows([_csv_field(value) for value in row] for row in self.rows)
        return text.getvalue()

    def to_jsonl(self) -> str:
        """One JSON object per row and line."""
        return "".join(json.dumps(record, allow_nan=False, ensure_ascii=False) + "\n" for record in self.records())

    def to_pandas(self) -> "pandas.DataFrame":
        """A data frame of its own. Raises MissingLibraryError."""
        try:
            import pandas
        except ImportError:
            raise MissingLibraryError(
                "a data frame needs pandas, which is not installed: pip install pandas"
            ) from None
        return pandas.DataFrame(list(self.rows), columns=list(self.names))

    def to_parquet(self, path: Path) -> None:
        """Write a Parquet file. Raises MissingLibraryError, OSError."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise MissingLibraryError(
                "Parquet needs pyarrow, which is not installed: pip install 'pnode[parquet]'"
            ) from None
        columns = {name: list(self.column(name)) for name in self.names}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)


def table_of(records: Sequence[Mapping[str, Value]]) -> Table:
    """Of rows by name; the columns are those of any row, in the order in which they turn up."""
    names = tuple(dict.fromkeys(name for record in records for name in record))
    return Table(names, tuple(tuple(record.get(name) for name in names) for record in records))


def read_table(path: Path) -> Table:
    """What `to_csv` or `to_jsonl` wrote, as its suffix says. Raises TableError, OSError."""
    if path.suffix not in (".csv", ".jsonl"):
        raise TableError(f"{path} is no table of results, expected a .csv or .jsonl that a sweep or --csv wrote")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path} is no text in UTF-8: byte {error.start} is {error.object[error.start]:#x}"
        ) from None
    return _from_csv(path, text) if path.suffix == ".csv" else _from_jsonl(path, text)


def _from_jsonl(path: Path, text: str) -> Table:
    records: list[dict[str, Value]] = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):  # splitlines knows more ends than we write
        try:
            record = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise TableError(f"{path}:{number}: no JSON: {error}") from None
        if not isinstance(record, dict) or not all(_is_value(value) for value in record.values()):
            raise TableError(f"{path}:{number}: found {line[:60]!r}, expected an object of plain values")
        records.append(record)
    return table_of(records)


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no finite number")


def _is_value(value: object) -> bool:
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _from_csv(path: Path, text: str) -> Table:
    try:
        lines = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise TableError(f"{path} is no CSV: {error}") from None
    if len(lines) < 2:
        raise TableError(f"{path} has {len(lines)} lines, expected one of names and at least one row")
    names, *rows = lines
    if len(dict.fromkeys(names)) < len(names):
        raise TableError(f"{path}:1: two columns have the same name: {', '.join(names)}")
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise TableError(f"{path}:{number}: found {len(row)} fields, expected {len(names)}")
    return Table(tuple(names), tuple(tuple(map(_csv_value, row)) for row in rows))


_WORDS: dict[str, Value] = {"": None, "true": True, "false": False}


def _csv_field(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _csv_value(field: str) -> Value:
    """CSV has no types: what reads as a number is one."""
    if field in _WORDS:
        return _WORDS[field]
    for kind in (int, float):
        try:
            number = kind(field)
        except ValueError:
            continue
        return number if math.isfinite(number) else field
    return field
