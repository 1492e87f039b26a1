"""What people see: figures as text, and listings as tables that fit their terminal.

On a terminal a listing is drawn by rich, in colour unless NO_COLOR is set, loses the columns in which nothing stands,
and its least important ones when the window is narrow. Anywhere else it is plain aligned text with all its columns,
for `grep` and `awk`. Names and reasons come from other machines, so whatever could steer a terminal is taken out of
them first.
"""

import os
import shutil
import textwrap
from typing import TYPE_CHECKING, TextIO

from pnode.protocol.values import dataclass, replace

from .plain import instant_text

if TYPE_CHECKING:  # importing rich takes longer than answering most commands; only a real terminal needs it
    from rich.table import Table

GAP = "  "

COMFORTABLE = 20
"""Characters. To this a flexible column is cut before a less useful one goes: enough of a reason to tell it by."""

SHORTEST = 8
"""To this when nothing else can go."""

SHORT_INSTANT = len("2025-11-21T14:15:16")

SINGLE_UNITS = 2
"""Up to this many of a unit of time the next smaller one tells more: `119 s`, then `2 min`."""

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
    """May be cut short on a terminal, as texts and names may; ids and figures never are."""

    def least(self, needed: int, limit: int) -> int:
        """The width to which it may be cut."""
        return min(needed, limit) if self.flexible else needed


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of text under titles."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def widths(self) -> list[int]:
        titles = tuple([column.title for column in self.columns])
        return [max(map(len, cells)) for cells in zip(titles, *self.rows, strict=True)]

    def fitted(self, width: int) -> "Listing":
        """Without the columns in which nothing stands, without the minor ones for which there is no room beside the
        others at a comfortable width, and with what is flexible cut to what room there is."""
        listing = self._without_empty()
        while listing._width_cut_to(COMFORTABLE) > width:
            minors = [column.minor for column in listing.columns]
            if not max(minors):
                break
            listing = listing._without(minors.index(max(minors)))
        return listing._cut(width)

    def _width_cut_to(self, limit: int) -> int:
        widths = zip(self.columns, self.widths(), strict=True)
        return sum(column.least(needed, limit) for column, needed in widths) + len(GAP) * (len(self.columns) - 1)

    def _cut(self, width: int) -> "Listing":
        """The flexible columns cut, first those that can best spare it, until all fits or none can spare more."""
        widths = self.widths()
        for limit in (COMFORTABLE, SHORTEST):
            least = [column.least(needed, limit) for column, needed in zip(self.columns, widths, strict=True)]
            excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
            for _ in range(excess):
                spare = [now - floor for now, floor in zip(widths, least, strict=True)]
                if max(spare) <= 0:
                    break
                widths[spare.index(max(spare))] -= 1
        rows = [tuple([_shortened(cell, most) for cell, most in zip(row, widths, strict=True)]) for row in self.rows]
        return replace(self, rows=tuple(rows))

    def _without_empty(self) -> "Listing":
        listing = self
        for at in reversed(range(len(self.columns))):
            if self.rows and not any(row[at] for row in self.rows):
                listing = listing._without(at)
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
                min_width=needed,
            )
        for row in fitted.rows:
            cells = zip(row, fitted.columns, strict=True)
            # Text, not str: rich would read `task[0]` as markup
            table.add_row(
                *[Text(cell, STYLES.get(cell, "") if column.title == "state" else "") for cell, column in cells]
            )
        return table


def _shortened(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"


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


def show_sentence(sentence: str, stream: TextIO) -> None:
    """A line that may be long: on a terminal it goes on in the next, a little to the right."""
    if is_terminal(stream):
        width = max(SHORTEST, shutil.get_terminal_size().columns)
        sentence = textwrap.fill(
            sentence, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    stream.write(f"{sentence}\n")


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
    """A length of time with two or three digits that matter: `2.3 ms`, `58 ms`, `1.23 s`, `12.3 s`, `2 min 5 s`."""
    if seconds is None:
        return "-"
    if seconds < 0.00005:
        return "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.00995 else 0}f} ms"
    if seconds < SINGLE_UNITS * 60:
        return f"{seconds:.{2 if seconds < 9.995 else 1 if seconds < 99.95 else 0}f} s"
    return _two_units(round(seconds))


def _two_units(seconds: int) -> str:
    """`2 min 5 s`, `3 h`, `2 d 7 h`: the largest unit with the next smaller one."""
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    first = next(n for n, (_, length_s) in enumerate(units) if seconds >= length_s)
    (large, large_s), (small, small_s) = units[first], units[first + 1]
    rest = seconds % large_s // small_s
    return f"{seconds // large_s} {large}" + (f" {rest} {small}" if rest else "")


def age_text(seconds: float | None) -> str:
    """How old a figure is, in one unit: `2 s`, `5 min`, `3 h`, `4 d`."""
    if seconds is None:
        return "-"
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= SINGLE_UNITS * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


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


def short_instant(instant: float) -> str:
    """To the second."""
    return instant_text(instant)[:SHORT_INSTANT] + "Z"


def time_of_day(instant: float) -> str:
    """In UTC, where the day is told besides."""
    return instant_text(instant)[11:19] + "Z"
