"""A document: nested tables, lists, texts and numbers, as JSON and TOML have them, whose parts know their place."""

import difflib
import json
from collections.abc import Collection, Iterator

from pnode.protocol.textfile import listed, shown

from .errors import FormatError
from .numeral import LARGEST, expected_from

NAME_CHARACTERS_MAX = 512
"""Of tasks, machines and files: four times what a live node takes, since traces name tasks by paths."""

NAME_EXPECTED = f"a name of 1 to {NAME_CHARACTERS_MAX} printable characters"

Key = str | int


def is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_CHARACTERS_MAX and text.isprintable()


class Value:
    """A part of a document. Whatever it is asked for and is not, it raises FormatError that points at it."""

    __slots__ = ("_key", "_parent", "file", "plain")

    def __init__(self, file: str, plain: object, parent: "Value | None" = None, key: Key = "") -> None:
        self.file = file
        self.plain = plain
        self._parent = parent
        self._key = key

    @property
    def where(self) -> str:
        """The way from the top: `workflow.tasks[3].name`; empty at the top."""
        keys: list[str] = []
        value: Value = self
        while value._parent is not None:
            key = value._key
            keys.append(f"[{key}]" if isinstance(key, int) else f".{shown(key)}")
            value = value._parent
        return "".join(reversed(keys)).removeprefix(".")

    def error(self, reason: str) -> FormatError:
        return FormatError(self.file, self.where, reason)

    def wrong(self, expected: str) -> FormatError:
        return self.error(f"found {worth(self.plain)}, expected {expected}")

    # Tables

    def __getitem__(self, key: str) -> "Value":
        """What a table must have."""
        found = self.get(key)
        if found is None:
            raise self.error(f"there is no `{key}`")
        return found

    def get(self, key: str) -> "Value | None":
        """What a table may have; null counts as nothing."""
        plain = self.table().get(key)
        return None if plain is None else Value(self.file, plain, self, key)

    def items(self) -> Iterator[tuple[str, "Value"]]:
        return ((key, Value(self.file, plain, self, key)) for key, plain in self.table().items())

    def table(self) -> dict[str, object]:
        if not isinstance(self.plain, dict):
            raise self.wrong("a table")
        return self.plain

    def allow(self, known: Collection[str]) -> None:
        """Refuse keys that nobody reads: a misspelt one would silently do nothing."""
        for key in self.table():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"did you mean `{near[0]}`?" if near else f"expected {listed(known)}"
                raise self.error(f"unknown key {shown(key)}, {hint}")

    # Lists

    def list(self) -> Iterator["Value"]:
        plain = self.plain
        if not isinstance(plain, list):
            raise self.wrong("a list")
        return (Value(self.file, part, self, at) for at, part in enumerate(plain))

    # Single values

    def text(self) -> str:
        if not isinstance(self.plain, str):
            raise self.wrong("a text")
        return self.plain

    def name(self) -> str:
        """A text that may name a task, a machine or a file."""
        text = self.text()
        if not is_name(text):
            raise self.wrong(NAME_EXPECTED)
        return text

    def number(self, low: float = 0.0, expected: str = "") -> float:
        """A number of at least `low`, and not beyond all sense; `expected` says better what it should be."""
        plain = self.plain
        if (type(plain) is not int and type(plain) is not float) or not low <= plain <= LARGEST:
            raise self.wrong(expected or expected_from(low))
        return float(plain)

    def whole(self, low: int, high: int) -> int:
        if type(self.plain) is not int or not low <= self.plain <= high:
            raise self.wrong(f"a whole number from {low} to {high}")
        return self.plain

    def truth(self) -> bool:
        if type(self.plain) is not bool:
            raise self.wrong("true or false")
        return self.plain


def worth(plain: object) -> str:
    """A value for a message: numbers and texts as they are, of others only the type."""
    match plain:
        case None:
            return "nothing"
        case bool():
            return str(plain).lower()
        case int() if abs(plain) >= 10**20:
            return "a number of more than 20 digits"
        case str():
            return f"the text {shown(plain)}"
        case int() | float():
            return str(plain)
        case dict():
            return "a table"
        case list():
            return "a list"
    return f"a {type(plain).__name__}"


def parse_json(file: str, text: str) -> Value:
    """Strict JSON: no NaN, no key twice in a table. Raises FormatError."""
    try:
        return Value(file, json.loads(text, object_pairs_hook=_table, parse_constant=_refuse))
    except json.JSONDecodeError as error:
        raise FormatError(file, f"line {error.lineno}, column {error.colno}", f"no JSON: {error.msg}") from None
    except RecursionError:
        raise FormatError(file, "", "the JSON is nested too deeply to be read") from None
    except ValueError as error:  # of ours below, or a number of thousands of digits
        raise FormatError(file, "", f"no JSON that is read here: {error}") from None


def _table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for at, name in enumerate(names) if name in names[:at])
        raise ValueError(f"a table has the key {shown(doubled)} twice")
    return table


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no number")
