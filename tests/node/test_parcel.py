"""Functions, arguments and futures as bytes, read again by whoever makes the calls."""

import functools
import importlib
import math
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.node.callee import Loader, Parcel
from pnode.node.futures import Future
from pnode.node.parcel import (
    NAME_BYTES_MAX,
    ParcelError,
    fit_name,
    name_of,
    pack_call,
    pack_function,
    pack_parcel,
)


def future(number: int) -> Future[object]:
    return Future(number, lambda _: None)


def loaded(body: bytes) -> object:
    return Loader(body, lambda number: f"value {number}").load()


def greet(name: str = "you") -> str:
    return f"hello {name}"


class Greeter:
    def __call__(self) -> str:
        return "hello"

    def method(self) -> str:
        return "hello"


def test_a_call_of_plain_values_is_what_it_was() -> None:
    body, takes = pack_call(3, (1, 2.5, "a", b"b", True, None), {})

    assert pickle.loads(body) == (3, (1, 2.5, "a", b"b", True, None), {})
    assert takes == ()


def test_a_future_among_arguments_stands_for_its_value_wherever_it_is() -> None:
    one, other = future(4), future(9)
    body, takes = pack_call(0, (one, [one, {"key": other}]), {"more": (other,)})

    assert loaded(body) == (0, ("value 4", ["value 4", {"key": "value 9"}]), {"more": ("value 9",)})
    assert takes == (one, other)


def test_functions_are_arguments_too() -> None:
    body, _ = pack_call(0, (lambda x: x + 1, functools.partial(pow, 2)), {})
    found: Any = loaded(body)
    plus, power = found[1]

    assert (plus(1), power(5)) == (2, 32)


def test_an_argument_that_cannot_travel_is_refused() -> None:
    with pytest.raises(ParcelError, match="arguments of the call cannot travel"):
        pack_call(0, (threading.Lock(),), {})


class Refuses:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __reduce__(self) -> str:
        raise self.error


def test_whoever_hands_in_an_argument_is_told_what_it_has_against_travelling() -> None:
    with pytest.raises(ParcelError, match="not me"):
        pack_call(0, (Refuses(TypeError("not me")),), {})
    with pytest.raises(KeyError):
        pack_call(0, (Refuses(KeyError("a bug of its own")),), {})


def test_an_argument_that_never_ends_is_refused() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]

    with pytest.raises(ParcelError, match="recursion"):
        pack_call(0, (deep,), {})


def test_a_future_in_a_function_is_refused_since_nobody_would_put_its_value_there() -> None:
    held = future(1)

    with pytest.raises(ParcelError, match="stands for its value in the arguments"):
        pack_function(lambda: held)


@pytest.mark.parametrize(
    ("function", "args", "value"),
    [
        (math.hypot, (3, 4), 5.0),
        (greet, ("me",), "hello me"),
        (lambda x: x * 2, (4,), 8),
        (functools.partial(greet, "Ann"), (), "hello Ann"),
        (Greeter().method, (), "hello"),
        (Greeter(), (), "hello"),
        (int, ("5",), 5),
        ("a-b".split, ("-",), ["a", "b"]),
    ],
)
def test_all_that_can_be_called_travels(
    function: Callable[..., object], args: tuple[object, ...], value: object
) -> None:
    assert pickle.loads(pack_function(function))(*args) == value


def test_what_a_function_closes_over_travels_with_it() -> None:
    factor = 7

    assert pickle.loads(pack_function(lambda x: x * factor))(6) == 42


def test_a_module_beside_the_program_travels_with_its_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_it.py").write_text("def inner(): return 5\ndef outer(): return inner()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import beside_it  # type: ignore[import-not-found]  # it was just written

    packed = pack_function(beside_it.outer)
    monkeypatch.delitem(sys.modules, "beside_it")
    (tmp_path / "beside_it.py").unlink()

    assert pickle.loads(packed)() == 5


INNER = """
class Point:
    def __init__(self, x): self.x = x
def inner(): return 5
"""

OUTER = """
import os
import nearby_inner
from nearby_inner import Point
def outer(): return nearby_inner.inner(), Point(3).x, os.sep
"""


@pytest.fixture
def nearby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A program with two modules beside it; away with them."""
    (tmp_path / "nearby_inner.py").write_text(INNER)
    (tmp_path / "nearby_outer.py").write_text(OUTER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "program.py"))

    def away() -> None:
        for name in ("nearby_inner", "nearby_outer"):
            monkeypatch.delitem(sys.modules, name, raising=False)
            (tmp_path / f"{name}.py").unlink()

    return away


def test_modules_beside_the_program_travel_with_who_uses_them(nearby: Callable[[], None]) -> None:
    import nearby_outer  # type: ignore[import-not-found]  # it was just written

    packed = pack_function(nearby_outer.outer)
    nearby()

    assert pickle.loads(packed)() == (5, 3, "/")


def test_classes_of_modules_beside_the_program_are_arguments(nearby: Callable[[], None]) -> None:
    import nearby_inner  # type: ignore[import-not-found]  # it was just written

    body, _ = pack_call(0, (nearby_inner.Point(7),), {})
    nearby()
    found: Any = loaded(body)

    assert found[1][0].x == 7


def test_modules_travel_from_where_somebody_types(
    nearby: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    monkeypatch.chdir(tmp_path)
    import nearby_inner

    packed = pack_function(lambda: nearby_inner.inner())
    nearby()

    assert pickle.loads(packed)() == 5


def test_what_is_installed_travels_as_its_name() -> None:
    assert len(pack_function(pytest.raises)) < 100


@pytest.mark.parametrize("place", ["site-packages", "dist-packages"])
def test_what_a_user_or_a_distribution_has_installed_travels_as_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    name = f"installed_in_{place.partition('-')[0]}"
    (tmp_path / place).mkdir()
    (tmp_path / place / f"{name}.py").write_text("def work(): return 5\n")
    monkeypatch.syspath_prepend(tmp_path / place)

    assert len(pack_function(importlib.import_module(name).work)) < 100


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (greet, "greet"),
        (functools.partial(functools.partial(greet, "a")), "greet"),
        (lambda: 1, "<lambda>"),
        (Greeter(), "Greeter"),
        (Greeter, "Greeter"),
        (Greeter().method, "method"),
        (len, "len"),
    ],
)
def test_a_function_is_called_what_people_call_it(function: Callable[..., object], name: str) -> None:
    assert name_of(function) == name


@given(st.text(st.characters()))
def test_a_fit_name_is_short_and_does_nothing_to_terminals_and_paths(name: str) -> None:
    fit = fit_name(name)

    assert 1 <= len(fit.encode()) <= NAME_BYTES_MAX
    assert fit.isprintable()
    assert "/" not in fit


@given(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=NAME_BYTES_MAX))
def test_a_name_that_is_fit_stays_as_it_is(name: str) -> None:
    assert fit_name(name) == name


@given(
    st.dictionaries(st.integers(0, 2**40), st.binary(max_size=50), max_size=5),
    st.lists(st.binary(max_size=50), max_size=8),
    st.dictionaries(st.integers(0, 2**40), st.tuples(st.text(max_size=5), st.integers(0, 9)), max_size=5),
)
def test_a_parcel_is_read_as_it_was_packed(
    functions: dict[int, bytes], calls: list[bytes], places: dict[int, tuple[str, int]]
) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(pack_parcel(functions, calls, places))
        file.flush()
        parcel = Parcel(file.name)

    assert {number: parcel.function(number) for number in functions} == functions
    assert [parcel.call(at) for at in range(len(calls))] == calls
    assert parcel.places == places
    parcel.close()
