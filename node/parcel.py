"""The parcel: the calls of a batch as bytes, as `callee` reads them, and how functions and arguments become bytes."""

import functools
import io
import pickle
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from pnode.protocol.values import dataclass

from .callee import COUNTS, END
from .futures import Future

PLAIN = (int, float, str, bytes, bool, type(None))
"""Arguments of these types are the same everywhere and name nothing of the caller's program."""

INSTALLED = frozenset(("site-packages", "dist-packages"))
"""Also a user's own, or a distribution's, of which `sysconfig` does not know."""

NAME_BYTES_MAX = 60
"""Of the name of a function or of a program: a job's has four of them, and 255 are a name's limit."""


class ParcelError(Exception):
    """Something cannot travel: it cannot be pickled."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it travels."""

    number: int
    """In its session."""
    content: bytes
    name: str
    """For people."""


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """Pickles by value what other machines do not have; notes which futures stand in it."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.futures: dict[Future[object], None] = {}

    def persistent_id(self, value: object) -> int | None:
        if not isinstance(value, Future):
            return None
        self.futures[value] = None
        return value.number


def pack_call(
    function: int, args: Sequence[object], kwargs: Mapping[str, object]
) -> tuple[bytes, tuple[Future[object], ...]]:
    """A call as bytes, and the futures in it, each once. Raises ParcelError."""
    if not kwargs and all(type(each) in PLAIN for each in args):
        return pickle.dumps((function, args, kwargs), pickle.HIGHEST_PROTOCOL), ()
    _all_beside_by_value(len(sys.modules), next(reversed(sys.modules)))
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    try:
        pickler.dump((function, tuple(args), dict(kwargs)))
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise ParcelError(f"the arguments of the call cannot travel: {error}") from error
    return buffer.getvalue(), tuple(pickler.futures)


def pack_function(function: Callable[..., object]) -> bytes:
    """A function as bytes: by value, unless its module is installed. Raises ParcelError."""
    _by_value(function)
    _all_beside_by_value(len(sys.modules), next(reversed(sys.modules)))
    try:
        return bytes(cloudpickle.dumps(function))
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise ParcelError(f"the function {name_of(function)} cannot travel: {error}") from error


def name_of(function: Callable[..., object]) -> str:
    """What people call it, as far as a task may be called so."""
    while isinstance(function, functools.partial):
        function = function.func
    return fit_name(str(getattr(function, "__name__", type(function).__name__)))


def fit_name(name: str) -> str:
    """The same without what would do something to a terminal or a path, and not too long for several in one name."""
    shown = (each if each.isprintable() and each != "/" else "?" for each in name)
    return "".join(shown).encode()[:NAME_BYTES_MAX].decode(errors="ignore") or "?"


def pack_parcel(
    functions: Mapping[int, bytes], calls: Sequence[bytes], places: Mapping[int, tuple[str, int]]
) -> bytes:
    """All of a batch. `functions` are by their numbers in the session; `places` says in which file, and as the
    how-manieth in it, the outcome of each call is that others take."""
    tables = ({number: at for at, number in enumerate(functions)}, dict(places))
    pieces = [*functions.values(), *calls, pickle.dumps(tables, pickle.HIGHEST_PROTOCOL)]
    ends, end = bytearray(), 0
    for piece in pieces:
        end += len(piece)
        ends += END.pack(end)
    return b"".join((COUNTS.pack(len(functions), len(calls)), ends, *pieces))


def _by_value(function: object) -> None:
    """A module that is not installed is not on other machines: it travels with the function."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if module is not None and module.__name__ != "__main__" and not _is_installed(module):
        cloudpickle.register_pickle_by_value(module)


@functools.lru_cache(maxsize=1)
def _all_beside_by_value(_count: int, _newest: str) -> None:
    """The same for all modules that lie beside the program, or where somebody types, once for so many modules of
    which this is the newest: also what a function only uses, and classes of arguments, may be from there."""
    program = getattr(sys.modules["__main__"], "__file__", None)
    place = Path.cwd() if program is None else Path(program).resolve().parent
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        ours = name == "__main__" or name.partition(".")[0] == __name__.partition(".")[0]
        if file is None or ours or not Path(file).resolve().is_relative_to(place) or _is_installed(module):
            continue
        cloudpickle.register_pickle_by_value(module)


@functools.cache
def _installed_places() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in names)


@functools.cache
def _is_installed(module: ModuleType) -> bool:
    file: Any = getattr(module, "__file__", None)
    if file is None:  # built in
        return True
    path = Path(file).resolve()
    return not INSTALLED.isdisjoint(path.parts) or any(path.is_relative_to(place) for place in _installed_places())
