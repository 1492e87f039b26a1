"""An origin: which code a callable is, as a text that is the same in every process."""

import functools
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any


def origin(call: Callable[..., Any]) -> str:
    """Where a function is from, or what a callable value holds; never an address in memory, as `repr` gives it."""
    if isinstance(call, functools.partial):
        words = sorted(call.keywords.items())
        return f"partial {origin(call.func)} {call.args!r} {words!r}"
    if is_dataclass(call):
        return repr(call)
    named = call if hasattr(call, "__qualname__") else type(call)
    return f"{named.__module__}.{named.__qualname__}"
