"""Installation: what pip has written down of this program, and of packages that bring further words of its command.

importlib.metadata knows that, too, and everything about mail and archives besides: loading it takes longer than
`pnode --help` takes for all else that is ours. So the few files are read here, where pip leaves them: in directories
`NAME-VERSION.dist-info` beside the packages.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

DISTRIBUTION = "pnode"
"""Our own."""

SUFFIX = ".dist-info"


def version(name: str, places: list[str] | None = None) -> str:
    """Of an installed distribution; "unknown" if it runs without having been installed."""
    for record in _records(places):
        found, _, number = record.name.removesuffix(SUFFIX).partition("-")
        if found == name:
            return number
    return "unknown"


def entry_points(group: str, places: list[str] | None = None) -> dict[str, str]:
    """What installed distributions offer under this name: where, as `module:name`, by their word for it. Of two that
    use the same word the one counts whose packages would be imported."""
    found: dict[str, str] = {}
    for record in _records(places):
        for word, where in _section(record / "entry_points.txt", group):
            found.setdefault(word, where)
    return found


def _records(places: list[str] | None) -> Iterator[Path]:
    for place in sys.path if places is None else places:
        try:
            names = sorted(os.listdir(place or "."))  # noqa: PTH208  # a Path for each name takes as long as the rest
        except OSError:  # an archive, or nothing
            continue
        yield from (Path(place, name) for name in names if name.endswith(SUFFIX))


def _section(file: Path, title: str) -> Iterator[tuple[str, str]]:
    """The lines `word = where` below `[title]`."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    inside = False
    for line in map(str.strip, lines):
        if line.startswith("["):
            inside = line == f"[{title}]"
        elif inside and "=" in line:
            word, _, where = line.partition("=")
            yield word.strip(), where.strip()
