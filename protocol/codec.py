"""Values on the wire: msgpack arrays with fixed positions, explicit limits and exact types.

A wire class is a frozen, slotted dataclass whose annotations say what may stand in each position. `encode` writes
its fields (those that `__init__` takes) in order as an array; `decode` reads them back and checks every type, range
and length. Unknown trailing fields are ignored and missing trailing fields take the dataclass's default, so that
versions may differ.

msgpack itself is permissive (reference: membership.md 4.7): it accepts NaN, booleans where integers belong and
headers that announce four billion elements. Hence the limits at decoding and the exact checks after it.
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

T = TypeVar("T")
Convert = Callable[[Any], Any]

ITEMS_MAX = 65_536
"""No array in any message is longer; the largest are lists of files and of tasks."""


_PACKER = msgpack.Packer(use_bin_type=True)
"""Making one costs more than most of what is packed. It keeps nothing between calls, which are not interrupted."""


class MalformedError(RemoteProtocolError):
    """Bytes that do not spell the value that should stand there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both inclusive."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True)
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
    return pack(to_wire(value))


def decode(wire_class: type[T], data: bytes) -> T:
    """Read one value of a wire class.

    Raises MalformedError unless the bytes are one array that fits the class exactly.
    """
    return from_wire(wire_class, unpack(data))


def pack(value: Any) -> bytes:
    """msgpack of plain values (None, bool, int, float, str, bytes, tuples and lists of them)."""
    packed: bytes = _PACKER.pack(value)
    return packed


def unpack(data: bytes) -> Any:
    """Plain values from msgpack, arrays as lists, within limits; texts and bytes can be no longer than the data.

    Raises MalformedError for anything else, maps and extension types included. Up to 1,024 levels are accepted
    (msgpack's own limit): values are checked level by level against classes of at most six, so deeper ones can only
    stand where nothing of them is looked at.
    """
    try:
        return msgpack.unpackb(
            data,
            max_array_len=min(len(data), ITEMS_MAX),
            max_map_len=0,
            max_ext_len=0,
            object_pairs_hook=_refuse_map,  # the limits alone would let empty ones pass
            ext_hook=_refuse_extension,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise MalformedError(f"not a msgpack value within limits: {error}") from None


def _refuse_map(_: list[tuple[Any, Any]]) -> None:
    raise ValueError("a map")


def _refuse_extension(code: int, _: bytes) -> None:
    raise ValueError(f"extension type {code}")


def to_wire(value: Any) -> Any:
    """Plain values for msgpack: wire classes and tuples become lists."""
    kind: Any = type(value)  # Any: whether a checker sees that `type` is hashable depends on what it has read before
    if kind is tuple or kind is list:
        return [to_wire(item) for item in value]
    spell = _class_speller(kind)
    return value if spell is None else spell(value)


def from_wire(wire_class: type[T], plain: Any) -> T:
    """Build a wire class from what `unpack` gave; raises MalformedError."""
    annotation: Any = wire_class
    result: T = _checker(annotation)(plain)
    return result


# ---- writing: an annotation becomes a function that makes plain values, once


@functools.cache
def _class_speller(kind: Any) -> Convert | None:
    """What turns a wire class into a list; None for any other type."""
    if not dataclasses.is_dataclass(kind):
        return None
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    hints = get_type_hints(kind, include_extras=True)
    spellers = [(at, _speller(hints[name])) for at, name in enumerate(names)]
    nested = [(at, spell) for at, spell in spellers if spell is not None]
    if len(names) == 1:  # of which attrgetter gives no tuple
        (name,), spell_one = names, spellers[0][1] or _as_it_is
        return lambda value: [spell_one(getattr(value, name))]
    fields = operator.attrgetter(*names)

    def spell_class(value: Any) -> list[Any]:
        plain = list(fields(value))
        for at, spell in nested:
            plain[at] = spell(plain[at])
        return plain

    return spell_class


def _speller(annotation: Any) -> Convert | None:
    """What a field needs; None where its value can stay as it is."""
    bare = _bare(annotation)
    if get_origin(bare) in _UNIONS:
        return to_wire
    if get_origin(bare) is not tuple:
        return _class_speller(bare)
    kinds = get_args(bare)
    if len(kinds) != 2 or kinds[1] is not Ellipsis:
        return to_wire
    spell = _speller(kinds[0])
    return list if spell is None else lambda values: [spell(value) for value in values]


def _as_it_is(value: Any) -> Any:
    return value


def _bare(annotation: Any) -> Any:
    """An annotation without its bounds and its names."""
    while isinstance(annotation, NewType) or get_origin(annotation) is Annotated:
        annotation = annotation.__supertype__ if isinstance(annotation, NewType) else get_args(annotation)[0]
    return annotation


# ---- reading: an annotation becomes a function that returns the checked value or raises MalformedError, once


@functools.cache
def _checker(annotation: Any) -> Convert:  # Any: an annotation may be any object
    if isinstance(annotation, NewType):
        return _checker(annotation.__supertype__)
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


def _bounded(kind: Any, bounds: list[Any]) -> Convert:
    length = next((bound for bound in bounds if isinstance(bound, Length)), None)
    span = next((bound for bound in bounds if isinstance(bound, Range)), None)
    if length is not None:
        return _tuple(kind, length) if get_origin(kind) is tuple else _sized(kind, length)
    return _checker(kind) if span is None else _ranged(kind, span)


def _ranged(kind: Any, span: Range) -> Convert:
    exact, low, high = _checker(kind), span.low, span.high

    def check(value: Any) -> Any:
        if type(value) is not kind:  # of the right type nothing but the range is left to check; NaN is in none
            value = exact(value)
        if not low <= value <= high:
            exact(value)
            raise MalformedError(f"{value!r} is not between {low} and {high}")
        return value

    return check


def _sized(kind: Any, length: Length) -> Convert:
    exact, low, high = _checker(kind), length.low, length.high

    def check(value: Any) -> Any:
        if type(value) is not kind:
            value = exact(value)
        size = len(value) if kind is bytes else len(value.encode())
        if not low <= size <= high:
            raise MalformedError(f"length {size} is not between {low} and {high}")
        return value

    return check


def _optional(annotation: Any) -> Convert:
    kinds = get_args(annotation)
    if len(kinds) != 2 or types.NoneType not in kinds:
        raise TypeError(f"only `X | None` unions travel, not {annotation!r}")
    inner = _checker(kinds[0] if kinds[1] is types.NoneType else kinds[1])
    return lambda value: None if value is None else inner(value)


def _tuple(annotation: Any, length: Length) -> Convert:
    kinds = get_args(annotation)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        inner, low, high = _checker(kinds[0]), length.low, length.high

        def check_many(value: Any) -> Any:
            if type(value) is not list or not low <= len(value) <= high:
                raise MalformedError(f"not an array of {low} to {high} items")
            return tuple([inner(item) for item in value])

        return check_many
    inners = [_checker(kind) for kind in kinds]

    def check_fixed(value: Any) -> Any:
        if type(value) is not list or len(value) < len(inners):
            raise MalformedError(f"not an array of {len(inners)} items")
        return tuple([inner(item) for inner, item in zip(inners, value, strict=False)])

    return check_fixed


def _wire_class(wire_class: Any) -> Convert:
    hints = get_type_hints(wire_class, include_extras=True)
    fields = [field for field in dataclasses.fields(wire_class) if field.init]
    checks = [_checker(hints[field.name]) for field in fields]
    required = sum(
        field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING for field in fields
    )

    def check(value: Any) -> Any:
        if type(value) is not list or len(value) < required:
            raise MalformedError(f"not an array that spells {wire_class.__name__}")
        given: list[Any] = []
        try:
            for inner, item in zip(checks, value):  # noqa: B905 - `strict` by name costs as much as a field
                given.append(inner(item))  # where it stops tells which field is wrong
        except MalformedError as error:
            raise MalformedError(f"{wire_class.__name__}.{fields[len(given)].name}: {error}") from None
        try:
            return wire_class(*given)
        except ValueError as error:  # the class has rules of its own, as Dag has
            raise MalformedError(str(error)) from None

    return check


def _exactly(kind: type) -> Convert:
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


_UNIONS = (types.UnionType, Union)

_SCALARS: dict[Any, Convert] = {
    bool: _exactly(bool),
    int: _exactly(int),
    float: _finite,
    str: _exactly(str),
    bytes: _exactly(bytes),
}
