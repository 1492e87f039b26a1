"""An origin: which code a value of a researcher's own is, as a text that is the same in every process.

Recorded runs are known by it (see `journal`), so it tells apart whatever behaves differently: another source, another
field of an object, another variable that an inner function holds on to. An address in memory, as `repr` often has
one, is never in it.
"""

import functools
import hashlib
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from pickle import PicklingError
from types import CodeType, FunctionType, MethodType

PLAIN = (str, bytes, int, float, complex, type(None), Path, Enum)
"""Their repr says all there is."""


def origin(value: object) -> str:
    """Where a function is from and what it holds, or what a value holds, and what their modules say."""
    return _told(value, ())


def _told(value: object, around: tuple[object, ...]) -> str:
    """`around` are the values that this one lies in: some hold each other."""
    if isinstance(value, PLAIN):
        return repr(value)
    if any(value is other for other in around):
        return "itself"
    within = (*around, value)
    if isinstance(value, list | tuple):
        return _several(value, within)
    if isinstance(value, dict):
        return _several([part for pair in value.items() for part in pair], within)
    if isinstance(value, set | frozenset):
        return f"set {sorted(_told(one, within) for one in value)}"
    if isinstance(value, functools.partial):
        return f"partial {_several([value.func, value.args, sorted(value.keywords.items())], within)}"
    if isinstance(value, MethodType):
        return f"{_place(value.__func__)} {_told(value.__self__, within)}"
    if isinstance(value, FunctionType):
        return f"{_place(value)} {_several([value.__defaults__, value.__kwdefaults__, _outer(value)], within)}"
    if hasattr(value, "__qualname__"):
        return _place(value)
    return f"{_place(type(value))} {_several(_held(value), within)}"


def _several(values: Iterable[object], around: tuple[object, ...]) -> str:
    return f"({', '.join(_told(one, around) for one in values)})"


def _outer(function: FunctionType) -> list[object]:
    """The variables of the functions around it that it uses, as far as they have a value yet."""
    found: list[object] = []
    for cell in function.__closure__ or ():
        with suppress(ValueError):
            found.append(cell.cell_contents)
    return found


def _held(value: object) -> list[object]:
    """What tells an object from others of its class. What a dataclass does not compare is no part of it: a cache."""
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value) if field.compare]
    try:
        reduced = value.__reduce_ex__(4)
    except (TypeError, PicklingError):  # a lock, an open file: nothing that a run's figures depend on
        return []
    if isinstance(reduced, str):  # the name of something of which there is one
        return [reduced]
    return [list(part) if hasattr(part, "__next__") else part for part in reduced[1:]]


def _place(named: object) -> str:
    """The name of a function or a class, and what its module says; of what was typed in, what it does."""
    module, name = getattr(named, "__module__", None), getattr(named, "__qualname__", "")
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    said = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else _typed(named)
    return f"{module}.{name} {said}"


def _typed(named: object) -> str:
    """Of a function, or of a class with all its methods, without a file: digests of the compiled code."""
    if isinstance(named, type):
        return " ".join(f"{name} {_typed(value)}" for name, value in vars(named).items() if _has_code(value))
    code = getattr(named, "__code__", None)
    return hashlib.sha256(_compiled(code).encode()).hexdigest() if code else ""


def _has_code(value: object) -> bool:
    return hasattr(value, "__code__")


def _compiled(code: CodeType) -> str:
    """Without its constants' addresses: an inner function's code is one of them."""
    constants = [_compiled(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code!r} {code.co_names} {constants}"
