"""Plain values: our dataclasses as what JSON can say, and back.

The control socket carries them and `--json` prints them, so one set of rules serves both: a dataclass is an object
with its fields, a tuple an array, an instant an ISO 8601 text in UTC, a path a text, and what is not known is null.
The annotations decide, in both directions. Fields that a reader does not know are ignored and fields that are missing
take their defaults, so that a command and a node of neighbouring versions understand each other.
"""

import dataclasses
import functools
import types
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from pnode.protocol.values import dataclass

T = TypeVar("T")

Instant = NewType("Instant", float)
"""Seconds since 1970 UTC; in JSON a text like `2025-11-21T14:15:16.123Z`."""

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can say."""


class PlainError(ValueError):
    """A plain value does not fit the annotation; the message says where and what was expected."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """How values of one annotation are written and read."""

    write: Callable[[Any], Plain]  # Any: the annotation, known only at run time, says what it is
    read: Callable[[Plain], Any]


def to_plain(kind: Any, value: object) -> Plain:
    """Write a value of that annotation."""
    return _rule(kind).write(value)


def from_plain(kind: type[T], plain: Plain) -> T:
    """Read a value of that annotation. Raises PlainError."""
    any_kind: Any = kind
    value: T = _rule(any_kind).read(plain)
    return value


def instant_text(instant: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def read_instant(plain: Plain) -> Instant:
    """The inverse of `instant_text`. Raises PlainError."""
    try:
        return Instant(datetime.fromisoformat(_exact(str, plain)).timestamp())
    except (ValueError, OverflowError):  # PlainError is a ValueError
        raise PlainError(f"{plain!r} is not an instant in ISO 8601") from None


@functools.cache
def _rule(kind: Any) -> _Rule:
    origin = get_origin(kind)
    if kind is Instant:
        return _Rule(instant_text, read_instant)
    if isinstance(kind, NewType):
        return _rule(kind.__supertype__)
    if kind is Path:
        return _Rule(str, lambda plain: Path(_exact(str, plain)))
    if kind is float:
        return _Rule(float, _read_float)
    if kind in (bool, int, str):
        return _Rule(lambda value: value, lambda plain: _exact(kind, plain))
    if kind is types.NoneType:
        return _Rule(lambda _: None, lambda plain: _exact(types.NoneType, plain))
    if origin is Literal:
        return _literal(get_args(kind))
    if origin in (types.UnionType, Union):  # the latter from `Instant | None`
        return _optional(get_args(kind))
    if origin is tuple:
        return _array(get_args(kind))
    if dataclasses.is_dataclass(kind):
        return _object(kind)
    raise TypeError(f"no rule for {kind!r} as a plain value")


def _exact(kind: type[T], plain: Plain) -> T:
    if type(plain) is not kind:  # bool is an int to isinstance, not to us
        raise PlainError(f"{plain!r} stands where {kind.__name__} belongs")
    return plain


def _read_float(plain: Plain) -> float:
    return float(plain) if type(plain) is int else _exact(float, plain)


def _literal(words: tuple[Plain, ...]) -> _Rule:
    def read(plain: Plain) -> Plain:
        if plain not in words:
            raise PlainError(f"{plain!r} is none of {', '.join(map(str, words))}")
        return plain

    return _Rule(lambda value: value, read)


def _optional(kinds: tuple[Any, ...]) -> _Rule:
    if len(kinds) != 2 or kinds[1] is not types.NoneType:
        raise TypeError(f"only `X | None` unions have a rule, not {kinds!r}")
    inner = _rule(kinds[0])
    return _Rule(
        lambda value: None if value is None else inner.write(value),
        lambda plain: None if plain is None else inner.read(plain),
    )


def _array(kinds: tuple[Any, ...]) -> _Rule:
    if len(kinds) != 2 or kinds[1] is not Ellipsis:
        raise TypeError(f"only `tuple[X, ...]` has a rule, not {kinds!r}")
    inner = _rule(kinds[0])
    return _Rule(
        lambda values: [inner.write(value) for value in values],
        lambda plain: tuple([inner.read(item) for item in _exact(list, plain)]),
    )


def _object(kind: Any) -> _Rule:
    hints = get_type_hints(kind)
    rules = {field.name: _rule(hints[field.name]) for field in dataclasses.fields(kind)}

    def write(value: Any) -> Plain:
        return {name: rule.write(getattr(value, name)) for name, rule in rules.items()}

    def read(plain: Plain) -> Any:
        given = _exact(dict, plain)
        try:
            fields = {name: rule.read(given[name]) for name, rule in rules.items() if name in given}
            return kind(**fields)
        except PlainError as error:
            raise PlainError(f"{kind.__name__}: {error}") from None
        except TypeError:
            missing = [field.name for field in dataclasses.fields(kind) if field.name not in given]
            raise PlainError(f"{kind.__name__} lacks {', '.join(missing)}") from None

    return _Rule(write, read)
