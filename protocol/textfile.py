"""Text files that people write: reading their lines within bounds, and errors that point at one of them."""

import re
from collections.abc import Iterable, Iterator

CHARACTERS_MAX = 4 * 1024 * 1024
"""A job specification has at most as many bytes when it is signed, so a longer file could not be submitted anyway."""

NAME_BYTES_MAX = 128
"""Names of tasks and nodes become parts of file names, which end at 255 bytes."""

SHOWN_MAX = 60
"""Characters of a foreign text that a message repeats."""

LISTED_MAX = 6
"""Names that a message lists."""


class FormatError(ValueError):
    """A file that a person wrote is not what it should be; the person can mend it at `file`:`line`.

    `line` is 0 where the whole file is meant. As text it is one line.
    """

    def __init__(self, file: str, line: int, found: str, expected: str) -> None:
        super().__init__(file, line, found, expected)
        self.file = file
        self.line = line
        self.found = found
        self.expected = expected

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.found}; expected {self.expected}"


def decode_text(file: str, data: bytes) -> str:
    """The text of a file's bytes; raises FormatError if they are none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8"
        raise FormatError(file, line, found, "a text file") from None


def check_text(file: str, text: str) -> str:
    """The text without its byte order mark. Raises FormatError if it is too long or has control characters."""
    if len(text) > CHARACTERS_MAX:
        raise FormatError(file, 0, f"{len(text)} characters", f"at most {CHARACTERS_MAX}")
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise FormatError(file, line, f"the control character 0x{ord(control[0]):02x}", "a text file")
    return text.removeprefix("\ufeff")


def rows(file: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of every line that has any. Raises FormatError as `check_text` does."""
    for line, words in enumerate(_NEWLINE.split(check_text(file, text)), start=1):
        split = words.split()
        if split:
            yield line, split


def check_name(file: str, line: int, word: str, what: str) -> str:
    """The word itself, if it may name a task or a node (`what`). Raises FormatError."""
    if not word.isprintable() or "/" in word or "\\" in word or word.startswith((".", "-")):
        expected = "a name of printable characters without slashes that does not begin with '.' or '-'"
        raise FormatError(file, line, f"{what} is called {shown(word)}", expected)
    if len(word.encode()) > NAME_BYTES_MAX:
        raise FormatError(file, line, f"{what} is called {shown(word)}", f"a name of at most {NAME_BYTES_MAX} bytes")
    return word


def shown(text: str) -> str:
    """A foreign text for a message: on one line, in quotes where it needs them, and not too long."""
    cut = text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."
    return cut if _PLAIN.fullmatch(cut) else repr(cut)


def listed(names: Iterable[str]) -> str:
    """The first few of many names for a message."""
    first = [shown(name) for _, name in zip(range(LISTED_MAX + 1), names, strict=False)]
    return ", ".join([*first[:LISTED_MAX], "..."] if len(first) > LISTED_MAX else first)


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_PLAIN = re.compile(r"[!-~]+")
