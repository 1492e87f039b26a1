"""The page: prose of people, and between two markers for each part what was measured last."""

from collections.abc import Sequence
from pathlib import Path


class PageError(ValueError):
    """A page has no place for a part."""


MAKER = "make membership"


def markers(part: str, maker: str = MAKER) -> tuple[str, str]:
    """Between these stands what is made."""
    return f"<!-- made by {maker}, {part}: begin -->", f"<!-- made by {maker}, {part}: end -->"


def filled(page: str, part: str, lines: Sequence[str], maker: str = MAKER) -> str:
    """The page with these lines in the place of a part. Raises PageError."""
    begin, end = markers(part, maker)
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise PageError(f"the page has no place for {part}, expected {begin!r} and {end!r} in it")
    made = "\n".join(lines)
    return f"{before}{begin}\n\n{made}\n\n{end}{after}"


def fill(path: Path, part: str, lines: Sequence[str], maker: str = MAKER) -> None:
    """The same for a file. Raises PageError, OSError."""
    path.write_text(filled(path.read_text(encoding="utf-8"), part, lines, maker), encoding="utf-8")
