"""An origin: which code a value of a researcher's own is, as a text that is the same in every process."""

import functools
import hashlib
import sys
from dataclasses import is_dataclass
from pathlib import Path


def origin(value: object) -> str:
    """Where a function is from, or what a value holds, and what its module says.

    Recorded runs are known by it (see `journal`): it never has an address in memory, as `repr` often has, and it is
    another one after a change of the source.
    """
    if isinstance(value, functools.partial):
        words = sorted(value.keywords.items())
        return f"partial {origin(value.func)} {value.args!r} {words!r}"
    named = value if hasattr(value, "__qualname__") else type(value)
    held = repr(value) if is_dataclass(value) and not isinstance(value, type) else ""
    return f"{named.__module__}.{named.__qualname__} {_source_digest(named.__module__)} {held}"


def _source_digest(module: str) -> str:
    """Of a module's source; empty for what was typed in."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
