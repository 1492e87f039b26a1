"""Values on the wire: msgpack arrays with fixed positions, explicit limits and exact types.

A wire class is a frozen, slotted dataclass whose annotations say what may stand in each position. `encode` writes
its fields (those that `__init__` takes) in order as an array; `decode` reads them back and checks every type, range
and length. Unknown trailing fields are ignored and missing trailing fields take the dataclass's default, so that
versions may differ.

msgpack itself is permissive (reference: membership.md 4.7): it accepts NaN, booleans where integers belong and
headers that announce four billion elements. Hence the limits at decoding and the exact checks after it.

Every message of every peer comes through here, so annotations are looked at once: each becomes a function, made of
the functions of what it is made of (`reader`). Not source that is written for each class and run, as dataclasses do
it: the core runs no text.
"""

import dataclasses
import functools
import math
import operator
import types
from collections.abc import Callable
from typing import Annotated, Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack

from .errors import RemoteProtocolError
from .values import dataclass

T = TypeVar("T")
Read = Callable[[Any], Any]
"""Gives the value that plain values spell, or raises MalformedError."""

SHARED_MAX = 16_384
"""Values of one class that are kept to be given again (`share`)."""

ITEMS_MAX = 65_536
"""No array in any message is longer; the largest are lists of files and of tasks."""


class MalformedError(RemoteProtocolError):
    """Bytes that do not spell the value that should stand there."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both inclusive."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Length:
    """Bounds of the length of a text (in UTF-8 bytes), a byte string or a tuple, both inclusive."""

    low: int
    high: int


U8 = Annotated[int, Range(0, 2**8 - 1)]
U16 = Annotated[int, Range(0, 2**16 - 1)]
U32 = Annotated[int, Range(0, 2**32 - 1)]
U63 = Annotated[int, Range(0, 2**63 - 1)]
Seconds = Annotated[float, Range(0.0, 1e12)]
"""A duration, or an instant as seconds since 1970 UTC."""
Name = Annotated[str, Length(1, 255)]
Text = Annotated[str, Length(0, 4096)]
Bytes8 = Annotated[bytes, Length(8, 8)]
Bytes16 = Annotated[bytes, Length(16, 16)]
Bytes32 = Annotated[bytes, Length(32, 32)]
Bytes64 = Annotated[bytes, Length(64, 64)]


def encode(value: Any) -> bytes:
    """Write a wire class as one msgpack array."""
    return pack(value)


def decode(wire_class: type[T], data: bytes) -> T:
    """Read one value of a wire class.

    Raises MalformedError unless the bytes are one array that fits the class exactly.
    """
    annotation: Any = wire_class
    known = _shared.get(annotation)
    result: T
    if known is None:
        result = reader(annotation)(unpack(data))
        return result
    if data not in known:
        if len(known) >= SHARED_MAX:
            known.clear()
        known[data] = reader(annotation)(unpack(data))
    result = known[data]
    return result


def share(*wire_classes: type) -> None:
    """Read equal bytes of these classes once from now on, in this process. That is for simulations, where each of
    many nodes reads what one has written; values are frozen, so none can tell."""
    _shared.update({wire_class: {} for wire_class in wire_classes})


def unpack(data: bytes) -> Any:
    """Plain values from msgpack, arrays as lists, within limits; nothing in it can be longer than the data.

    Raises MalformedError for anything else, maps and extension types included. Up to 1,024 levels are accepted
    (msgpack's own limit): values are checked level by level against classes of at most six, so deeper ones can only
    stand where nothing of them is looked at.
    """
    try:
        return _unpack(data) if len(data) <= ITEMS_MAX else _unpack(data, max_array_len=ITEMS_MAX)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise MalformedError(f"not a msgpack value within limits: {error}") from None


def from_wire(wire_class: type[T], plain: Any) -> T:
    """Build a wire class from what `unpack` gave; raises MalformedError."""
    annotation: Any = wire_class
    result: T = reader(annotation)(plain)
    return result


def _refuse_map(_: list[tuple[Any, Any]]) -> None:
    raise ValueError("a map")


def _refuse_extension(code: int, _: bytes) -> None:
    raise ValueError(f"extension type {code}")


_unpack = functools.partial(
    msgpack.unpackb,
    max_map_len=0,
    max_ext_len=0,
    object_pairs_hook=_refuse_map,  # the limits alone would let empty ones pass
    ext_hook=_refuse_extension,
)


# ---- writing: msgpack asks for the fields of what it does not know


def _fields_of(value: Any) -> tuple[Any, ...]:
    kind: Any = type(value)
    return _getter(kind)(value)


@functools.cache
def _getter(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the fields of a wire class; raises TypeError for any other type."""
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"a {kind.__name__} does not travel")
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    fields = operator.attrgetter(*names)
    return fields if len(names) > 1 else lambda value: (fields(value),)  # of one it gives no tuple


pack: Callable[[Any], bytes] = msgpack.Packer(use_bin_type=True, default=_fields_of).pack
"""msgpack of plain values (None, bool, int, float, str, bytes, tuples and lists of them) and of wire classes. To make
a packer costs more than most of what is packed. It keeps nothing between calls; but two threads must not pack at
once, so only the one that drives the core does."""


# ---- reading: an annotation becomes a function that returns the checked value or raises MalformedError, once


@functools.cache
def reader(annotation: Any) -> Read:  # Any: an annotation may be any object
    """What reads values that are annotated like this."""
    if isinstance(annotation, NewType):
        return reader(annotation.__supertype__)
    if get_origin(annotation) is Annotated:
        kind, *bounds = get_args(annotation)
        return _bounded(_bare(kind), bounds)
    if get_origin(annotation) in _UNIONS:  # `Annotated[...] | None` is the second before Python 3.14
        return _optional(annotation)
    if get_origin(annotation) is tuple:
        return _tuple(annotation, Length(0, ITEMS_MAX))
    if dataclasses.is_dataclass(annotation):
        return _wire_class(annotation)
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    raise TypeError(f"no rule for {annotation!r} on the wire")


def _bare(annotation: Any) -> Any:
    """An annotation without its bounds and its names."""
    while isinstance(annotation, NewType) or get_origin(annotation) is Annotated:
        annotation = annotation.__supertype__ if isinstance(annotation, NewType) else get_args(annotation)[0]
    return annotation


def _bounded(kind: Any, bounds: list[Any]) -> Read:
    length = next((bound for bound in bounds if isinstance(bound, Length)), None)
    span = next((bound for bound in bounds if isinstance(bound, Range)), None)
    if length is not None:
        return _tuple(kind, length) if get_origin(kind) is tuple else _sized(kind, length)
    return reader(kind) if span is None else _ranged(kind, span)


def _ranged(kind: Any, span: Range) -> Read:
    exact, low, high = reader(kind), span.low, span.high

    def check(value: Any) -> Any:
        if type(value) is not kind:  # of the right type nothing but the range is left to check; NaN is in none
            value = exact(value)
        if not low <= value <= high:
            exact(value)
            raise MalformedError(f"{value!r} is not between {low} and {high}")
        return value

    return check


def _sized(kind: Any, length: Length) -> Read:
    exact, low, high = reader(kind), length.low, length.high

    def check(value: Any) -> Any:
        if type(value) is not kind:
            value = exact(value)
        size = len(value) if kind is bytes or value.isascii() else len(value.encode())
        if not low <= size <= high:
            raise MalformedError(f"length {size} is not between {low} and {high}")
        return value

    return check


def _optional(annotation: Any) -> Read:
    kinds = get_args(annotation)
    if len(kinds) != 2 or types.NoneType not in kinds:
        raise TypeError(f"only `X | None` unions travel, not {annotation!r}")
    inner = reader(kinds[0] if kinds[1] is types.NoneType else kinds[1])
    return lambda value: None if value is None else inner(value)


def _tuple(annotation: Any, length: Length) -> Read:
    kinds = get_args(annotation)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        inner, low, high = reader(kinds[0]), length.low, length.high

        def check_many(value: Any) -> Any:
            if type(value) is not list or not low <= len(value) <= high:
                raise MalformedError(f"not an array of {low} to {high} items")
            return tuple([inner(item) for item in value])

        return check_many
    inners = [reader(kind) for kind in kinds]

    def check_fixed(value: Any) -> Any:
        if type(value) is not list or len(value) < len(inners):
            raise MalformedError(f"not an array of {len(inners)} items")
        return tuple([inner(item) for inner, item in zip(inners, value, strict=False)])

    return check_fixed


def _wire_class(wire_class: Any) -> Read:
    """Fills a value as its `__init__` would, slot by slot, but with the slots at hand."""
    hints = get_type_hints(wire_class, include_extras=True)
    fields = [field for field in dataclasses.fields(wire_class) if field.init]
    others = [field for field in dataclasses.fields(wire_class) if not field.init]
    reads = [reader(hints[field.name]) for field in fields]
    fills = [getattr(wire_class, field.name).__set__ for field in fields]
    count, required = len(fields), sum(not _has_default(field) for field in fields)
    new, settle = object.__new__, getattr(wire_class, "__post_init__", None)

    def read(plain: Any) -> Any:
        if type(plain) is not list or len(plain) < required:
            raise MalformedError(f"not an array that spells {wire_class.__name__}")
        value = new(wire_class)
        try:
            for read_field, fill, item in zip(reads, fills, plain):  # noqa: B905 - `strict` costs as much as a field
                fill(value, read_field(item))
        except MalformedError as error:
            wrong = next(field.name for field in fields if not hasattr(value, field.name))  # where it stopped
            raise MalformedError(f"{wire_class.__name__}.{wrong}: {error}") from None
        if others or len(plain) < count:
            _fill_in(value, [*fields[len(plain) :], *others])
        if settle is not None:
            try:
                settle(value)
            except ValueError as error:  # the class has rules of its own, as Dag has
                raise MalformedError(str(error)) from None
        return value

    return read


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _fill_in(value: Any, fields: list[dataclasses.Field[Any]]) -> None:
    """Give a value the defaults of these fields, those that have one."""
    for field in fields:
        if field.default_factory is not dataclasses.MISSING:
            object.__setattr__(value, field.name, field.default_factory())
        elif field.default is not dataclasses.MISSING:
            object.__setattr__(value, field.name, field.default)


def _exactly(kind: type) -> Read:
    def check(value: Any) -> Any:
        if type(value) is not kind:  # bool is an int to isinstance, not to us
            raise MalformedError(f"{type(value).__name__} where {kind.__name__} belongs")
        return value

    return check


def _finite(value: Any) -> float:
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    if type(value) is not float or not math.isfinite(value):
        # A value of another type is not printed: its repr could be megabytes, or a thousand levels deep.
        what = repr(value) if type(value) in (int, float) else type(value).__name__
        raise MalformedError(f"{what} is not a finite number")
    return value


_shared: dict[Any, dict[bytes, Any]] = {}
"""Values that were read already, by class, of the classes that somebody shares."""

_UNIONS = (types.UnionType, Union)

_SCALARS: dict[Any, Read] = {
    bool: _exactly(bool),
    int: _exactly(int),
    float: _finite,
    str: _exactly(str),
    bytes: _exactly(bytes),
}
