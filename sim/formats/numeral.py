"""A numeral: a number as a word of a text file spells it."""

import math
import re

from pnode.protocol.textfile import shown

from .errors import Blame

LARGEST = 1e30
"""No file may have a larger number of seconds, bytes or anything else: far beyond all sense, and what comes of
multiplying a few of them is still a number."""

SMALLEST = 1e-30
"""Likewise of what is divided by: speeds and bandwidths."""


def numeral(word: str, what: str, blame: Blame, low: float = 0.0) -> float:
    """The number that a word spells, at least `low`; `what` says whose it is, for the error."""
    number = float(word) if _NUMERAL.fullmatch(word) else math.nan
    if not low <= number <= LARGEST:
        raise blame(f"{what} is {shown(word)}, expected {expected_from(low)}")
    return number


def expected_from(low: float) -> str:
    """For errors: what a number should have been."""
    return f"a number up to {LARGEST:g} either way" if low < 0 else f"a number from {low:g} to {LARGEST:g}"


def spelt(number: float) -> str:
    """The shortest word that is read back as the same number; whole ones without a point."""
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else repr(number)


_EXACT = 2.0**53
"""Up to here every whole number is a float."""

_NUMERAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""`float` itself takes more: underscores, digits of other scripts, `nan`."""
