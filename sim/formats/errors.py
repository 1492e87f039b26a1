"""A format error: a file that is not what it should be, told so that whoever wrote it can mend it."""

from collections.abc import Callable


class FormatError(ValueError):
    """What a reader refuses. As text it is one line: file, place, reason.

    `where` is a line (`line 12`) or a path within the document (`workflow.specification.tasks[3].parents[0]`); empty
    where the whole file is meant. The reason says what was found and what was expected.
    """

    def __init__(self, path: str, where: str, reason: str) -> None:
        super().__init__(path, where, reason)
        self.path = path
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.where, self.reason) if part)


Blame = Callable[[str], FormatError]
"""Turns a reason into the error that points at a place, which whoever made it knows."""


def whole_file(path: str) -> Blame:
    """For reasons that concern no place in particular."""
    return lambda reason: FormatError(path, "", reason)


def on_line(path: str, line: int) -> Blame:
    return lambda reason: FormatError(path, f"line {line}", reason)
