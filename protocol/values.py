"""Values: the dataclasses of this project, the standard library's but for when their methods are made.

`dataclasses` has the compiler make up to six methods as soon as a class is there: 1.1 ms for each of our three
hundred classes, half of what the start of a node took, and 3 MB that stay. Here a method is made when it is first
called, which most never are; what is the same for all classes is one function for all of them. For type checkers,
and for `fields`, `replace` and patterns, these are ordinary dataclasses. What those can beside, such as fields by
keyword only, these cannot; nor do they tell `inspect.signature` what they take before one was made.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, InitVar, field, fields, replace
from dataclasses import dataclass as ordinary
from reprlib import recursive_repr
from types import FunctionType, MemberDescriptorType
from typing import TYPE_CHECKING, TypeVar, cast

__all__ = ["dataclass", "field", "replace"]

Kind = type[object]
K = TypeVar("K", bound=Kind)
Method = Callable[..., object]


def lazy(kind: K | None = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True) -> object:
    """A decorator that means what `dataclasses.dataclass` does with these arguments."""

    def made(kind: K) -> K:
        return _complete(kind, frozen=frozen, slots=slots, eq=eq)

    return made if kind is None else made(kind)


if TYPE_CHECKING:
    from dataclasses import dataclass  # so that checkers know what it makes of a class
else:
    dataclass = lazy


def _complete(plain: K, *, frozen: bool, slots: bool, eq: bool) -> K:
    said = dict(vars(plain))
    if plain.__doc__ is None:
        plain.__doc__ = plain.__name__  # which is less than the signature, and takes no time to find out
    kind = cast(K, ordinary(init=False, repr=False, eq=False, slots=slots)(plain))  # with slots it is a new class
    methods: dict[str, Method | None] = {"__init__": _later(kind, "__init__", _init_text, frozen), "__repr__": _shown}
    if eq:
        methods["__eq__"] = _later(kind, "__eq__", _eq_text, frozen)
    if eq and said.get("__hash__") is None:
        methods["__hash__"] = _later(kind, "__hash__", _hash_text, frozen) if frozen else None
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
    if frozen and slots:
        methods |= {"__getstate__": _state, "__setstate__": _restore}
    for name, method in methods.items():
        if said.get(name) is None:
            setattr(kind, name, method)
    return kind


def _later(kind: Kind, name: str, text: Callable[[Kind, bool, dict[str, object]], str], frozen: bool) -> Method:
    """A method that puts the real one in its place when it is called, and calls that."""

    def first(*arguments: object, **named: object) -> object:
        names: dict[str, object] = {"_set": object.__setattr__}
        exec(text(kind, frozen, names), names)  # noqa: S102  # the names of fields, and words of this module
        method = names[name]
        assert isinstance(method, FunctionType)
        method.__qualname__, method.__module__ = f"{kind.__qualname__}.{name}", kind.__module__
        setattr(kind, name, method)
        return method(*arguments, **named)

    return first


def _init_text(kind: Kind, frozen: bool, names: dict[str, object]) -> str:
    """The definition of `__init__`, and in `names` what it refers to."""
    parameters, body = ["self"], []
    for each in vars(kind)["__dataclass_fields__"].values():
        if each.kw_only or isinstance(each.type, InitVar):
            raise TypeError(f"{each.name} of {kind.__qualname__} is of a sort that there is not: see dataclasses")
    for each in _fields(kind):
        value = _value(each, parameters, names)
        if value:
            body.append(_assignment(kind, each.name, value, names) if frozen else f"self.{each.name} = {value}")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    return "\n    ".join([f"def __init__({', '.join(parameters)}):", *body, "return"])


def _assignment(kind: Kind, name: str, value: str, names: dict[str, object]) -> str:
    """What sets a field of a value that is frozen. A slot sets itself a quarter faster than by its name."""
    slot = getattr(kind, name, None)
    if not isinstance(slot, MemberDescriptorType):
        return f"_set(self, {name!r}, {value})"
    names[f"_set_{name}"] = slot.__set__
    return f"_set_{name}(self, {value})"


def _value(one: "Field[object]", parameters: list[str], names: dict[str, object]) -> str:
    """What a field is set to, with the parameter for it added; empty if `__init__` leaves it alone."""
    default, make = f"_default_{one.name}", f"_make_{one.name}"
    if one.default is not MISSING:
        names[default] = one.default
    elif one.default_factory is not MISSING:
        names |= {default: MISSING, make: one.default_factory}
    if not one.init:
        return f"{make}()" if make in names else default if default in names else ""
    parameters.append(f"{one.name}={default}" if default in names else one.name)
    return f"{make}() if {one.name} is {default} else {one.name}" if make in names else one.name


def _eq_text(kind: Kind, _frozen: bool, _names: dict[str, object]) -> str:
    same = f"{_compared(kind, 'self')} == {_compared(kind, 'other')}"
    return f"def __eq__(self, other):\n    return {same} if other.__class__ is self.__class__ else NotImplemented"


def _hash_text(kind: Kind, _frozen: bool, _names: dict[str, object]) -> str:
    hashed = [each.name for each in _fields(kind) if (each.compare if each.hash is None else each.hash)]
    return f"def __hash__(self):\n    return hash({_tuple(hashed, 'self')})"


def _compared(kind: Kind, value: str) -> str:
    """The text of a tuple of the fields that count when values are compared."""
    return _tuple([each.name for each in _fields(kind) if each.compare], value)


def _tuple(names: list[str], value: str) -> str:
    return "(" + "".join([f"{value}.{name}, " for name in names]) + ")"


def _fields(value: object) -> "tuple[Field[object], ...]":
    return fields(value)  # type: ignore[arg-type]  # it is one by what was done to it


@recursive_repr()
def _shown(self: object) -> str:
    shown = [f"{each.name}={getattr(self, each.name)!r}" for each in _fields(self) if each.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: object, name: str, *_value: object) -> None:
    raise FrozenInstanceError(f"cannot change {name!r} of a {type(self).__qualname__}, which is frozen")


def _state(self: object) -> list[object]:
    return [getattr(self, each.name) for each in _fields(self)]


def _restore(self: object, state: list[object]) -> None:
    for each, value in zip(_fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
