"""The codec and the frames: what is written is read back, and nothing else is believed."""

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NewType

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pnode.protocol
from pnode.protocol.codec import (
    ITEMS_MAX,
    SHARED_MAX,
    U8,
    Bytes16,
    Length,
    MalformedError,
    Range,
    Seconds,
    decode,
    encode,
    from_wire,
    pack,
    share,
    unpack,
)
from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.frames import Frames, UnknownKindError
from pnode.protocol.jobspec import FileRef, Item, JobSpec
from pnode.protocol.record import Address, NodeRecord
from pnode.protocol.signed import Signed

from .wire import PLAIN, read_slowly, to_wire, values_of

Key = NewType("Key", bytes)


@dataclass(frozen=True, slots=True)
class Inner:
    flag: bool
    note: Annotated[str, Length(0, 8)] = "none"


@dataclass(frozen=True, slots=True)
class Sample:
    """Every kind of field that a wire class may have."""

    count: U8
    key: Annotated[Key, Length(2, 2)]
    at_s: Seconds
    name: Annotated[str, Length(1, 4)]
    inner: Inner
    pair: tuple[int, str]
    many: Annotated[tuple[Inner, ...], Length(0, 2)] = ()
    free: tuple[int, ...] = ()
    maybe: Bytes16 | None = None
    derived: int = field(init=False, default=7)


SAMPLE = Sample(
    3, Key(b"ab"), 1.5, "näm", Inner(True, "x"), (4, "four"), (Inner(False),), (1, 2), b"0123456789abcdef"
)  # fmt: skip
REQUIRED = [3, b"ab", 1.5, "näm", [True, "x"], [4, "four"]]

MODULES = [
    importlib.import_module(f"pnode.protocol.{name}") for _, name, _ in pkgutil.iter_modules(pnode.protocol.__path__)
]
TABLES: list[dict[int, type]] = list(
    {id(module.FRAMES): module.FRAMES for module in MODULES if hasattr(module, "FRAMES")}.values()
)
"""The tables of all machines, each once, though other modules may pass it on."""

WIRE_CLASSES: list[type] = [
    Sample, Program, Task, Dag, FileRef, Item, JobSpec, Address, NodeRecord, Signed,
    *(wire_class for table in TABLES for wire_class in table.values()),
]  # fmt: skip

ON_THE_EDGE = [-1, 0, 1, *(2**bits - 1 for bits in (8, 16, 32, 53, 63)), *(2**bits for bits in (8, 16, 32, 53, 63))]
ODD: list[object] = [
    True,
    None,
    1.0,
    -1.0,
    -1.5,
    1e300,
    math.nan,
    math.inf,
    "",
    "x",
    "ä" * 128,
    b"",
    b"x",
    bytes(32),
    bytes(64),
    [],
]


def spoilt(plain: Any, data: st.DataObject) -> Any:
    """The same with one place, anywhere in it, that holds something else, or with something less or more at its
    end."""
    if type(plain) is not list or data.draw(st.integers(0, 9)) == 0:
        return data.draw(st.sampled_from([*ON_THE_EDGE, *ODD]))
    if not plain or data.draw(st.integers(0, 9)) == 0:
        return data.draw(st.sampled_from([plain[:-1], [*plain, 0], [*plain, *plain]]))
    at = data.draw(st.integers(0, len(plain) - 1))
    return [*plain[:at], spoilt(plain[at], data), *plain[at + 1 :]]


def outcome_of(read: Callable[[], object]) -> str:
    """What is read, with the types of all its fields."""
    try:
        return repr(read())
    except MalformedError:
        return "malformed"


few = settings(max_examples=8, suppress_health_check=list(HealthCheck))
"""Per class; there are some forty."""


@pytest.mark.parametrize("wire_class", WIRE_CLASSES, ids=lambda wire_class: wire_class.__name__)
@few
@given(data=st.data())
def test_what_is_written_is_read_back(wire_class: type, data: st.DataObject) -> None:
    value = data.draw(values_of(wire_class))

    encoded = encode(value)

    assert decode(wire_class, encoded) == value
    assert encode(decode(wire_class, encoded)) == encoded


@pytest.mark.parametrize("wire_class", WIRE_CLASSES, ids=lambda wire_class: wire_class.__name__)
@few
@given(data=st.data(), extra=st.lists(PLAIN, min_size=1, max_size=3))
def test_trailing_fields_of_a_newer_version_are_ignored(
    wire_class: type, data: st.DataObject, extra: list[object]
) -> None:
    value = data.draw(values_of(wire_class))

    assert decode(wire_class, pack([*to_wire(value), *extra])) == value


def test_trailing_values_of_a_pair_are_ignored() -> None:
    assert from_wire(Sample, [*REQUIRED[:5], [4, "four", "new"]]).pair == (4, "four")


def test_what_is_shared_is_read_once_and_checked_as_before() -> None:
    @dataclass(frozen=True, slots=True)
    class Shared:
        number: U8

    first = decode(Shared, pack([1]))
    share(Shared)

    assert decode(Shared, pack([1])) == first
    assert decode(Shared, pack([1])) is decode(Shared, pack([1]))
    assert decode(Shared, pack([2])) == Shared(2)
    for _ in range(2):
        with pytest.raises(MalformedError):
            decode(Shared, pack([256]))


def test_what_is_shared_is_not_kept_without_end() -> None:
    @dataclass(frozen=True, slots=True)
    class Crowd:
        number: int

    share(Crowd)
    first = decode(Crowd, pack([0]))
    for number in range(1, SHARED_MAX):
        decode(Crowd, pack([number]))

    assert decode(Crowd, pack([0])) is first
    decode(Crowd, pack([SHARED_MAX]))
    assert decode(Crowd, pack([0])) is not first


def test_missing_trailing_fields_take_their_defaults() -> None:
    assert decode(Sample, pack(REQUIRED)) == Sample(3, Key(b"ab"), 1.5, "näm", Inner(True, "x"), (4, "four"))
    assert decode(Inner, pack([True])) == Inner(True, "none")


@pytest.mark.parametrize("length", range(len(REQUIRED)))
def test_a_missing_required_field_is_refused(length: int) -> None:
    with pytest.raises(MalformedError, match="not an array that spells Sample"):
        decode(Sample, pack(REQUIRED[:length]))


def test_a_field_that_init_does_not_take_does_not_travel() -> None:
    assert len(unpack(encode(SAMPLE))) == 9
    assert decode(Sample, encode(SAMPLE)).derived == 7


@pytest.mark.parametrize(
    ("position", "wrong", "complaint"),
    [
        (0, True, "Sample.count: bool where int belongs"),
        (0, 3.0, "Sample.count: float where int belongs"),
        (0, -1, "Sample.count: -1 is not between 0 and 255"),
        (0, 256, "Sample.count: 256 is not between 0 and 255"),
        (0, None, "Sample.count: NoneType where int belongs"),
        (1, b"abc", "Sample.key: length 3 is not between 2 and 2"),
        (1, "ab", "Sample.key: str where bytes belongs"),
        (2, float("nan"), "Sample.at_s: nan is not a finite number"),
        (2, float("inf"), "Sample.at_s: inf is not a finite number"),
        (2, -0.5, "Sample.at_s: -0.5 is not between 0.0 and"),
        (2, True, "Sample.at_s: bool is not a finite number"),
        (2, "1", "Sample.at_s: str is not a finite number"),
        (2, 2**53 + 1, "Sample.at_s: 9007199254740993 is not a finite number"),
        (3, "", "Sample.name: length 0 is not between 1 and 4"),
        (3, "äää", "Sample.name: length 6 is not between 1 and 4"),
        (3, b"abc", "Sample.name: bytes where str belongs"),
        (4, [1], "Sample.inner: Inner.flag: int where bool belongs"),
        (4, [], "Sample.inner: not an array that spells Inner"),
        (4, 5, "Sample.inner: not an array that spells Inner"),
        (5, [4], "Sample.pair: not an array of 2 items"),
        (5, "ab", "Sample.pair: not an array of 2 items"),
        (6, [[True]] * 3, "Sample.many: not an array of 0 to 2 items"),
        (6, None, "Sample.many: not an array of 0 to 2 items"),
        (7, [1, "2"], "Sample.free: str where int belongs"),
        (8, b"short", "Sample.maybe: length 5 is not between 16 and 16"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(position: int, wrong: object, complaint: str) -> None:
    plain = to_wire(SAMPLE)
    plain[position] = wrong

    with pytest.raises(MalformedError) as caught:
        decode(Sample, pack(plain))

    assert complaint in str(caught.value)


def test_a_whole_number_may_stand_for_a_float() -> None:
    assert from_wire(Sample, [*REQUIRED[:2], 2, *REQUIRED[3:]]).at_s == 2.0
    assert type(from_wire(Sample, [*REQUIRED[:2], 2, *REQUIRED[3:]]).at_s) is float


def test_a_value_that_breaks_the_rules_of_its_class_is_malformed() -> None:
    program = Program(ProgramKind.COMMAND, ("true",))
    cycle = [to_wire(Task("a", ("b",), program)), to_wire(Task("b", ("a",), program))]

    with pytest.raises(MalformedError, match="a -> b -> a"):
        decode(Dag, pack([cycle]))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc1", id="a byte that msgpack never uses"),
        pytest.param(b"\x80", id="an empty map"),
        pytest.param(b"\x81\x01\x02", id="a map"),
        pytest.param(b"\xde\xff\xff", id="a map header of 65,535 pairs"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="a map header of four billion pairs"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="an array header of four billion items"),
        pytest.param(b"\xdc\xff\xff\x01", id="an array header of 65,535 items"),
        pytest.param(b"\xdb\xff\xff\xff\xff", id="a text header of four gigabytes"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="a bytes header of four gigabytes"),
        pytest.param(b"\xc9\xff\xff\xff\xff\x05", id="an extension header of four gigabytes"),
        pytest.param(b"\xc7\x00\x05", id="an empty extension"),
        pytest.param(b"\xd6\xff\x00\x00\x00\x00", id="a timestamp"),
        pytest.param(b"\x92\x01", id="an array cut short"),
        pytest.param(b"\x01\x02", id="two values"),
        pytest.param(b"\xa3\xed\xa0\x80", id="a lone surrogate"),
        pytest.param(b"\x91" * 2000 + b"\x90", id="2,000 levels"),
        pytest.param(b"\xdd\x00\x01\x00\x01" + b"\xc0" * (ITEMS_MAX + 1), id="one item too many"),
    ],
)
def test_bytes_that_are_not_one_value_within_limits_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="not a msgpack value within limits"):
        unpack(data)


def test_a_full_array_is_within_limits() -> None:
    assert len(unpack(pack([None] * ITEMS_MAX))) == ITEMS_MAX


@pytest.mark.parametrize("position", range(9))
def test_a_thousand_levels_where_a_value_belongs_are_refused(position: int) -> None:
    # A careless message would print the value, and Python cannot print what is nested this deep.
    deep = unpack(b"\x91" * 1000 + b"\x90")
    plain = to_wire(SAMPLE)
    plain[position] = deep

    with pytest.raises(MalformedError):
        from_wire(Sample, plain)


@given(st.binary(max_size=64))
def test_random_bytes_are_a_value_or_malformed(data: bytes) -> None:
    try:
        value = unpack(data)
    except MalformedError:
        return
    repacked = pack(value)

    assert pack(unpack(repacked)) == repacked


@pytest.mark.parametrize("wire_class", WIRE_CLASSES, ids=lambda wire_class: wire_class.__name__)
@few
@given(data=st.data())
def test_a_value_with_anything_in_one_place_is_read_or_malformed(wire_class: Any, data: st.DataObject) -> None:
    plain = to_wire(data.draw(values_of(wire_class)))
    plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(PLAIN)
    encoded = pack(plain)

    try:
        value = decode(wire_class, encoded)
    except MalformedError:
        return
    assert decode(wire_class, encode(value)) == value


@pytest.mark.parametrize("wire_class", WIRE_CLASSES, ids=lambda wire_class: wire_class.__name__)
@few
@given(data=st.data())
def test_what_is_read_and_what_is_refused_follows_from_the_annotations_alone(
    wire_class: Any, data: st.DataObject
) -> None:
    plain = spoilt(to_wire(data.draw(values_of(wire_class))), data)

    expected = outcome_of(lambda: read_slowly(wire_class, plain))
    assert outcome_of(lambda: from_wire(wire_class, plain)) == expected


def test_an_annotation_without_a_rule_is_our_own_mistake() -> None:
    with pytest.raises(TypeError, match="no rule for"):
        from_wire(dict, {})
    union: Any = int | str
    with pytest.raises(TypeError, match="unions travel"):
        from_wire(union, [])
    three: Any = int | str | None
    with pytest.raises(TypeError, match="unions travel"):
        from_wire(three, [])


def test_an_optional_value_may_name_none_first() -> None:
    optional: Any = None | Annotated[int, Range(0, 1)]

    assert from_wire(optional, 1) == 1
    assert from_wire(optional, None) is None


def test_an_enumeration_travels_as_its_number() -> None:
    program = decode(Program, encode(Program(ProgramKind.COMMAND, ("true",))))

    assert program.kind == ProgramKind.COMMAND
    assert type(program.kind) is int


FRAMES = Frames({1: Inner}, {2: Sample})


def test_a_frame_is_read_back_as_the_class_of_its_number() -> None:
    assert FRAMES.decode(FRAMES.encode(SAMPLE)) == SAMPLE
    assert FRAMES.decode(FRAMES.encode(Inner(True))) == Inner(True)


def test_a_frame_of_a_newer_version_may_have_more_to_it() -> None:
    assert FRAMES.decode(pack([1, [True, "x", 5], "signature"])) == Inner(True, "x")


def test_a_frame_of_an_unknown_number_is_told_apart_from_a_malformed_one() -> None:
    with pytest.raises(UnknownKindError, match="no message has the number 3"):
        FRAMES.decode(pack([3, []]))


@pytest.mark.parametrize("plain", [None, 1, [], [1], [True, []], ["1", []], [1.0, []], [[1], []], [1, 5], [1, []]])
def test_what_is_not_a_number_and_its_fields_is_malformed(plain: object) -> None:
    with pytest.raises(MalformedError) as caught:
        FRAMES.decode(pack(plain))

    assert not isinstance(caught.value, UnknownKindError)


def test_one_number_in_two_tables_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match=r"kinds \[2\] stand in two tables"):
        Frames({1: Inner, 2: Inner}, {2: Sample})


def test_no_number_stands_for_two_messages_of_the_protocol() -> None:
    Frames(*TABLES)  # asserts it

    assert TABLES


@given(PLAIN)
def test_any_frame_is_a_message_or_malformed(plain: object) -> None:
    try:
        message = FRAMES.decode(pack(plain))
    except MalformedError:
        return
    assert isinstance(message, Inner | Sample)


def test_msgpack_itself_is_as_permissive_as_the_codec_assumes() -> None:
    # If these change, limits that the codec adds may go.
    assert msgpack.unpackb(b"\x80", max_map_len=0) == {}
    assert msgpack.unpackb(msgpack.packb(float("nan"))) != 0
