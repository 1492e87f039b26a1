"""Values: dataclasses whose methods are made late mean what those of the standard library mean."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, field, fields, replace
from dataclasses import dataclass as ordinary
from functools import cached_property
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.values import dataclass, lazy

Decorate = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0
    marks: list[str] = field(default_factory=list, compare=False, repr=False)


@dataclass(slots=True)
class Counter:
    count: int = 0


@dataclass(frozen=True)
class Square:
    side: float

    @cached_property
    def area(self) -> float:
        return self.side**2


def both(**how: bool) -> tuple[Any, Any]:
    """The same class as ours and as the standard library's."""

    def made(decorate: Decorate) -> Any:
        @decorate(**how)
        class Drawn:
            """Something."""

            a: int
            b: str = "b"
            c: list[int] = field(default_factory=list)
            d: float = field(default=0.5, compare=False)
            e: int = field(init=False, default=3)
            hidden: str = field(default="secret", repr=False)
            unhashed: int = field(default=7, hash=False)

        return Drawn

    return made(lazy), made(ordinary)


ways = st.fixed_dictionaries({"frozen": st.booleans(), "slots": st.booleans(), "eq": st.booleans()})
some = st.fixed_dictionaries(
    {"a": st.integers(0, 2)},
    optional={"b": st.sampled_from("xy"), "c": st.lists(st.integers(0, 1), max_size=1), "d": st.floats(0, 1)},
)


@given(ways, some, some)
def test_they_are_what_the_standard_library_makes(how: dict[str, bool], one: Any, other: Any) -> None:
    ours, theirs = both(**how)

    assert repr(ours(**one)) == repr(theirs(**one))
    assert (ours(**one) == ours(**other)) == (theirs(**one) == theirs(**other))
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    assert ours.__match_args__ == theirs.__match_args__
    assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]


@given(st.integers(), st.integers())
def test_equal_values_have_equal_hashes(x: int, y: int) -> None:
    assert hash(Point(x, y, ["a"])) == hash(Point(x, y))
    assert {Point(x, y): 1}[Point(x, y)] == 1


def test_a_field_may_be_left_out_of_the_hash_alone() -> None:
    @dataclass(frozen=True, slots=True)
    class Page:
        number: int
        words: list[str] = field(hash=False)

    assert hash(Page(1, ["a"])) == hash(Page(1, []))
    assert Page(1, ["a"]) != Page(1, [])


def test_what_is_not_made_here_is_refused_and_not_taken_for_something_else() -> None:
    @lazy
    class Named:
        text: str = field(kw_only=True)

    @lazy
    class Passed:
        text: InitVar[str]

    kinds: list[Any] = [Named, Passed]
    for kind in kinds:
        with pytest.raises(TypeError, match="text of"):
            kind("a")


def test_a_value_of_another_class_is_another_value() -> None:
    @dataclass(frozen=True, slots=True)
    class Place:
        x: int
        y: int = 0

    assert Place(1) != Point(1)  # type: ignore[comparison-overlap]
    assert Point(1) != (1, 0)  # type: ignore[comparison-overlap]


def test_defaults_are_made_anew_for_every_value() -> None:
    one, other = Point(1), Point(1)

    one.marks.append("a")

    assert other.marks == []


def test_what_is_missing_or_too_much_is_a_type_error_that_names_it() -> None:
    with pytest.raises(TypeError, match="'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'z'"):
        Point(1, z=2)  # type: ignore[call-arg]


def test_what_is_frozen_stays() -> None:
    point, square = Point(1), Square(2.0)

    with pytest.raises(FrozenInstanceError, match="x"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="side"):
        del square.side

    assert (point, square.side) == (Point(1), 2.0)


def test_what_is_not_frozen_changes_and_has_no_hash() -> None:
    counter = Counter()

    counter.count += 1

    assert counter == Counter(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_a_frozen_value_with_a_dictionary_may_remember_what_follows_from_it() -> None:
    assert Square(3.0).area == 9.0


def test_values_can_be_copied_replaced_and_pickled() -> None:
    point = Point(1, 2, ["a"])

    copied, sent = copy.deepcopy(point), pickle.loads(pickle.dumps(point))

    assert (copied, copied.marks, sent, sent.marks) == (point, ["a"], point, ["a"])
    assert replace(point, y=5) == Point(1, 5)


def test_values_match_patterns() -> None:
    match Point(1, 2):
        case Point(1, y):
            assert y == 2
        case _:
            pytest.fail("it is that point")


def test_a_class_keeps_the_methods_that_it_has() -> None:
    @dataclass(frozen=True, slots=True)
    class Word:
        text: str

        def __post_init__(self) -> None:
            if not self.text:
                raise ValueError("a word has letters")

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Word) and self.text.lower() == other.text.lower()

        def __hash__(self) -> int:
            return hash(self.text.lower())

        def __repr__(self) -> str:
            return self.text

    assert {Word("One"), Word("one")} == {Word("ONE")}
    assert repr(Word("One")) == "One"
    with pytest.raises(ValueError, match="letters"):
        Word("")


def test_a_method_is_made_when_it_is_first_called_and_not_again() -> None:
    @dataclass(frozen=True, slots=True)
    class Fresh:
        a: int

    before = vars(Fresh)["__init__"]
    Fresh(1)
    made = vars(Fresh)["__init__"]
    Fresh(2)

    assert before is not made
    assert vars(Fresh)["__init__"] is made


def test_a_class_without_a_docstring_has_one_all_the_same() -> None:
    assert Counter.__doc__


def test_a_derived_class_has_the_fields_of_both() -> None:
    @dataclass(frozen=True, slots=True)
    class Cube(Square):
        colour: str

    Square(1.0)

    assert (Cube(2.0, "red").side, Cube(2.0, "red").colour) == (2.0, "red")
    assert Cube(2.0, "red") != Cube(2.0, "blue")


def test_what_contains_itself_can_be_shown() -> None:
    @dataclass(slots=True)
    class Loop:
        inside: object = None

    loop = Loop()
    loop.inside = loop

    assert "..." in repr(loop)
