"""Output: what a run or a study leaves in files. A file's suffix says what is wanted."""

from collections.abc import Callable
from pathlib import Path

from pnode.sim.formats import ncsim_trace
from pnode.sim.formats.chrome import write_chrome
from pnode.sim.formats.jupiter_times import write_jupiter_times
from pnode.sim.formats.records import write_records
from pnode.sim.schedule.result import Result

from .gantt import gantt_svg
from .raster import converter, write_png
from .report import gantt_html

DRAWINGS = (".svg", ".html", ".png")


class SuffixError(ValueError):
    """A file whose suffix says nothing here; the message has those that do."""


def write_gantt(result: Result, path: Path) -> None:
    """The chart of a run, with its transfers if it was traced. Raises SuffixError, MissingLibraryError, OSError."""
    write_drawing(path, lambda: gantt_svg(result, transfers=True), lambda: gantt_html(result, transfers=True))


def check_drawing(path: Path) -> None:
    """Refuse before anything is run for it what cannot be drawn. Raises SuffixError, MissingLibraryError."""
    if path.suffix not in DRAWINGS:
        raise SuffixError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(DRAWINGS)}")
    if path.suffix == ".png":
        converter(path)


def write_drawing(path: Path, svg: Callable[[], str], html: Callable[[], str]) -> None:
    """A drawing as what the suffix asks for. Raises SuffixError, MissingLibraryError, OSError."""
    check_drawing(path)
    if path.suffix == ".png":
        write_png(svg(), path)
    else:
        path.write_text(svg() if path.suffix == ".svg" else html(), encoding="utf-8")


def check_trace(path: Path) -> None:
    """Refuse before anything is run for it what cannot be a trace. Raises SuffixError."""
    if path.suffix not in TRACES:
        raise SuffixError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(TRACES)}")


def write_trace(result: Result, path: Path) -> None:
    """What happened in a run. Raises SuffixError, FormatError."""
    check_trace(path)
    TRACES[path.suffix](path, result)


TRACES: dict[str, Callable[[Path, Result], None]] = {
    ".json": write_chrome,
    ".jsonl": ncsim_trace.write_trace,
    ".csv": write_records,
    ".txt": write_jupiter_times,
}
"""Traces by suffix."""
