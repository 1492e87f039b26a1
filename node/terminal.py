"""What people see: figures as text, and listings as tables that fit their terminal.

On a terminal a listing is drawn by rich, in colour unless NO_COLOR is set, and loses its least important columns when
the window is narrow. Anywhere else it is plain aligned text with all its columns, for `grep` and `awk`. Names and
reasons come from other machines, so whatever could steer a terminal is taken out of them first.
"""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # importing rich takes longer than answering most commands; only a real terminal needs it
    from rich.table import Table

GAP = "  "

STYLES = {
    "alive": "green", "ready": "green", "done": "green",
    "running": "cyan", "fetching": "cyan", "queued": "cyan",
    "suspect": "yellow", "joining": "yellow", "starting": "yellow", "cancelled": "yellow",
    "dead": "red", "failed": "red", "left": "dim", "waiting": "dim",
}  # fmt: skip
"""Colours of the words that stand in a `state` column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a listing."""

    title: str
    minor: int = 0
    """0: always shown; of the others the highest goes first when there is no room."""
    number: bool = False
    """Aligned on the right."""
    flexible: bool = False
    """May be cut short on a terminal; ids and figures never are."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of text under titles."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def widths(self) -> list[int]:
        titles = tuple([column.title for column in self.columns])
        return [max(map(len, cells)) for cells in zip(titles, *self.rows, strict=True)]

    def fitted(self, width: int) -> "Listing":
        """Without the minor columns for which there is no room."""
        listing = self
        while sum(listing.widths()) + len(GAP) * (len(listing.columns) - 1) > width:
            minors = [column.minor for column in listing.columns]
            if not max(minors):
                break
            listing = listing._without(minors.index(max(minors)))
        return listing

    def _without(self, at: int) -> "Listing":
        columns = self.columns[:at] + self.columns[at + 1 :]
        return replace(self, columns=columns, rows=tuple([row[:at] + row[at + 1 :] for row in self.rows]))

    def text(self) -> str:
        """Aligned, without trailing spaces, one line per row and one for the titles."""
        widths = self.widths()
        rows = (tuple([column.title for column in self.columns]), *self.rows)
        return "".join(f"{self._line(row, widths)}\n" for row in rows)

    def _line(self, row: tuple[str, ...], widths: list[int]) -> str:
        cells = zip(row, widths, self.columns, strict=True)
        return GAP.join(
            cell.rjust(width) if column.number else cell.ljust(width) for cell, width, column in cells
        ).rstrip()

    def table(self, width: int) -> "Table":
        """The same for rich."""
        from rich.table import Table
        from rich.text import Text

        fitted = self.fitted(width)
        table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="bold")
        for column, needed in zip(fitted.columns, fitted.widths(), strict=True):
            table.add_column(
                column.title,
                justify="right" if column.number else "left",
                no_wrap=True,
                overflow="ellipsis",
                min_width=min(needed, 8) if column.flexible else needed,
            )
        for row in fitted.rows:
            cells = zip(row, fitted.columns, strict=True)
            # Text, not str: rich would read `task[0]` as markup
            table.add_row(
                *[Text(cell, STYLES.get(cell, "") if column.title == "state" else "") for cell, column in cells]
            )
        return table


def is_terminal(stream: TextIO) -> bool:
    """Whether a person with a cursor that can move is looking."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def show_listing(listing: Listing, stream: TextIO) -> None:
    """Write it in the form that suits the stream."""
    if not is_terminal(stream):
        stream.write(listing.text())
        return
    from rich.console import Console

    console = Console(file=stream)
    console.print(listing.table(console.width))


def clean(text: str) -> str:
    """One line that does nothing to a terminal but show."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def clean_lines(text: str) -> str:
    """The same for a text of several lines; tabs stay."""
    return "\n".join(
        "".join(letter if letter.isprintable() or letter == "\t" else "�" for letter in line)
        for line in text.splitlines()
    )


def seconds_text(seconds: float | None) -> str:
    """Three digits are as many as anybody reads: `0s`, `0.0123s`, `1.23s`, `12.3s`, `123s`."""
    if seconds is None:
        return "-"
    if seconds < 0.00005:
        return "0s"
    digits = 0 if seconds >= 99.95 else 1 if seconds >= 9.995 else 2 if seconds >= 0.0995 else 4
    return f"{seconds:.{digits}f}s"


def age_text(seconds: float | None) -> str:
    """How old a figure is, in one unit: `2s`, `5m`, `3h`, `4d`."""
    if seconds is None:
        return "-"
    for unit, length_s in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def size_text(size_bytes: int) -> str:
    """In the largest unit that leaves a digit before the point: `512 B`, `1.2 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5:
            return f"{size:.3g} {unit}"
    return f"{size / 1000:.4g} TB"


def count_text(count: int, noun: str) -> str:
    """`1 peer`, `2 peers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
