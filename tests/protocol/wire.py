"""Wire classes by their annotations alone, as a check of what the codec makes of these: Hypothesis strategies for
their values, and a reader without any haste.
"""

import contextlib
import dataclasses
import functools
import math
import types
from collections.abc import Sequence
from typing import Annotated, Any, NewType, Union, get_args, get_origin, get_type_hints

from hypothesis import reject
from hypothesis import strategies as st

from pnode.protocol.codec import ITEMS_MAX, Length, MalformedError, Range, encode, unpack
from pnode.protocol.dag import Dag, Task, is_base_name
from pnode.protocol.jobspec import JobSpec, PlannedTask

ANY_LENGTH = Length(0, 4)
"""What is drawn where an annotation sets no bound: short, so that messages of many fields stay quick."""

TRIES_MAX = 8
"""What breaks the rules of its class is drawn anew a few times: rejecting it rejects all that is built around it."""

TEXT = st.characters(codec="utf-8")
INTEGERS = st.integers(-(2**63), 2**64 - 1)

PLAIN: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats() | st.text(TEXT, max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)
"""Anything that msgpack carries without maps and extension types."""


def to_wire(value: Any) -> Any:
    """What a reader gets to see of a value."""
    return unpack(encode(value))


def read_slowly(annotation: Any, plain: Any) -> Any:
    """The value that stands there by the codec's rules, or MalformedError."""
    while isinstance(annotation, NewType):
        annotation = annotation.__supertype__
    if get_origin(annotation) is Annotated:
        kind, *bounds = get_args(annotation)
        length = next((bound for bound in bounds if isinstance(bound, Length)), Length(0, ITEMS_MAX))
        value = read_slowly(kind, plain)
        _demand(all(bound.low <= value <= bound.high for bound in bounds if isinstance(bound, Range)))
        if length in bounds:
            _demand(length.low <= len(value.encode() if type(value) is str else value) <= length.high)
        return value
    if get_origin(annotation) in (types.UnionType, Union):
        kinds = [kind for kind in get_args(annotation) if kind is not types.NoneType]
        return None if plain is None else read_slowly(kinds[0], plain)
    if annotation is float:
        _demand((type(plain) is float and math.isfinite(plain)) or (type(plain) is int and abs(plain) <= 2**53))
        return float(plain)
    if annotation in (bool, int, str, bytes):
        _demand(type(plain) is annotation)
        return plain
    _demand(type(plain) is list and len(plain) <= ITEMS_MAX)
    if get_origin(annotation) is tuple:
        kinds = list(get_args(annotation))
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(plain)
        _demand(len(plain) >= len(kinds))
        return tuple(read_slowly(kind, item) for kind, item in zip(kinds, plain, strict=False))
    return _build_slowly(annotation, plain)


def _build_slowly(wire_class: Any, plain: list[Any]) -> Any:
    hints = get_type_hints(wire_class, include_extras=True)
    names = [field.name for field in dataclasses.fields(wire_class) if field.init]
    given = {name: read_slowly(hints[name], item) for name, item in zip(names, plain, strict=False)}
    try:
        return wire_class(**given)
    except (TypeError, ValueError) as error:  # a field is missing, or the class has rules of its own
        raise MalformedError(str(error)) from None


def _demand(holds: bool) -> None:
    if not holds:
        raise MalformedError("that does not belong there")


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values that an annotation allows, its bounds included."""
    if isinstance(annotation, NewType):
        return values_of(annotation.__supertype__)
    if get_origin(annotation) is Annotated:
        kind, *bounds = get_args(annotation)
        return _bounded(kind, bounds)
    if get_origin(annotation) in (types.UnionType, Union):
        return st.none() | values_of(next(kind for kind in get_args(annotation) if kind is not types.NoneType))
    if get_origin(annotation) is tuple:
        return _tuples(annotation, ANY_LENGTH)
    if annotation is Dag:
        return dags()
    if annotation is JobSpec:
        return job_specs()
    if dataclasses.is_dataclass(annotation):
        return _built(annotation)
    return _scalars(annotation, None, ANY_LENGTH)


def _bounded(kind: Any, bounds: Sequence[Any]) -> st.SearchStrategy[Any]:
    length = next((bound for bound in bounds if isinstance(bound, Length)), ANY_LENGTH)
    span = next((bound for bound in bounds if isinstance(bound, Range)), None)
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    if get_origin(kind) is tuple:
        return _tuples(kind, length)
    if kind in (bool, int, float, str, bytes):
        return _scalars(kind, span, length)
    return values_of(kind)


def _scalars(kind: type, span: Range | None, length: Length) -> st.SearchStrategy[Any]:
    longest = min(length.high, length.low + 8)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return INTEGERS if span is None else st.integers(int(span.low), int(span.high))
    if kind is float:
        low, high = (None, None) if span is None else (span.low, span.high)
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    if kind is bytes:
        return st.binary(min_size=length.low, max_size=longest)
    assert kind is str, kind
    return st.text(TEXT, min_size=length.low, max_size=longest).filter(lambda text: len(text.encode()) <= length.high)


def _tuples(annotation: Any, length: Length) -> st.SearchStrategy[tuple[Any, ...]]:
    kinds = get_args(annotation)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        most = min(length.high, length.low + 2)
        return st.lists(values_of(kinds[0]), min_size=length.low, max_size=most).map(tuple)
    return st.tuples(*(values_of(kind) for kind in kinds))


@st.composite
def _built(draw: st.DrawFn, /, wire_class: Any, **given: object) -> Any:
    """One of a class, with the fields that are given and any others."""
    for _ in range(TRIES_MAX):
        fields = {name: draw(strategy) for name, strategy in _fields_of(wire_class).items() if name not in given}
        with contextlib.suppress(ValueError):  # a class with rules of its own
            return wire_class(**fields, **given)
    return reject()


@functools.cache
def _fields_of(wire_class: Any) -> dict[str, st.SearchStrategy[Any]]:
    """What may stand in each field that travels."""
    hints = get_type_hints(wire_class, include_extras=True)
    return {field.name: values_of(hints[field.name]) for field in dataclasses.fields(wire_class) if field.init}


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Small acyclic graphs with arbitrary tasks."""
    name = values_of(get_type_hints(Task, include_extras=True)["name"]).filter(is_base_name)
    names = draw(st.lists(name, min_size=1, max_size=4, unique=True))
    tasks = []
    for at, called in enumerate(names):
        children = tuple(draw(st.permutations(names[at + 1 :])))[: draw(st.integers(0, 2))]
        sizes = tuple(draw(st.floats(0.0, 2.0**63)) for _ in children) if draw(st.booleans()) else ()
        tasks.append(draw(_built(Task, name=called, children=children, child_bytes=sizes)))
    return Dag(tuple(draw(st.permutations(tasks))))


@st.composite
def job_specs(draw: st.DrawFn) -> JobSpec:
    """Specifications of small jobs, with a plan or without."""
    name = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=8)
    spec: JobSpec = draw(_built(JobSpec, name=draw(name), mapper=draw(name), plan=()))
    return dataclasses.replace(spec, plan=tuple(draw(_planned()) for _ in spec.dag.tasks) * draw(st.booleans()))


def _planned() -> st.SearchStrategy[PlannedTask]:
    spans = st.lists(st.floats(0.0, 1e12), min_size=2, max_size=2).map(sorted)
    return st.builds(lambda node, span: PlannedTask(node, *span), st.binary(min_size=32, max_size=32), spans)
