"""Units: numbers that people write with what they measure, `"50 MB"` or `"2 ms"`, and draws of such numbers."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from random import Random

from pnode.protocol.textfile import listed, shown
from pnode.protocol.values import dataclass

from .document import Value
from .numeral import LARGEST, expected_from, numeral


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a number measures."""

    name: str
    """For errors: "a time"."""
    units: Mapping[str, Decimal]
    """Each in the unit that a bare number has."""
    example: str

    @property
    def expected(self) -> str:
        return f"{self.name}, like {self.example}"


def _scaled(unit: str, factor: int, prefixes: str, base: int) -> dict[str, Decimal]:
    return {f"{prefix}{unit}": Decimal(factor * base**power) for power, prefix in enumerate(prefixes, start=1)}


_BYTES = (
    {"B": Decimal(1), "bit": Decimal("0.125"), "kB": Decimal(1000)}
    | _scaled("B", 1, "KMGTP", 1000)
    | {f"{prefix}bit": Decimal(125 * 1000**power) for power, prefix in enumerate("kMGT")}
    | {f"{prefix}iB": Decimal(1024**power) for power, prefix in enumerate("KMGTP", start=1)}
)

PLAIN = Dimension("a number", {}, "1.5")
TIME = Dimension(
    "a time",
    {
        "ns": Decimal("1e-9"),
        "us": Decimal("1e-6"),
        "µs": Decimal("1e-6"),
        "ms": Decimal("1e-3"),
        "s": Decimal(1),
        "min": Decimal(60),
        "h": Decimal(3600),
        "d": Decimal(86400),
    },
    '"200 ms" or a number of seconds',
)
SIZE = Dimension("a size", _BYTES, '"50 MB" or a number of bytes')
RATE = Dimension(
    "a bandwidth",
    {f"{unit}/s": factor for unit, factor in _BYTES.items()},
    '"1 Gbit/s" or a number of bytes per second',
)


@dataclass(frozen=True, slots=True)
class Uniform:
    """A number yet to be drawn: every one between these is as likely."""

    low: float
    high: float

    def draw(self, rng: Random) -> float:
        return rng.uniform(self.low, self.high)


def quantity(value: Value, dimension: Dimension, low: float = 0.0, *, infinite: bool = False) -> float:
    """The number of base units (seconds, bytes, bytes per second) that a value says. Raises FormatError."""
    plain = value.plain
    if infinite and plain == math.inf and type(plain) is float:
        return math.inf
    if not isinstance(plain, str):
        return value.number(low, f"{dimension.expected}; {expected_from(low)}")
    said = _QUANTITY.fullmatch(plain.strip())
    if said is None:
        raise value.wrong(dimension.expected)
    return _number(value, said[1], said[2], dimension, low)


def drawn(value: Value, dimension: Dimension, low: float = 0.0) -> Uniform | None:
    """What `"uniform LOW HIGH UNIT"` says; None for a value that is no draw. Raises FormatError."""
    plain = value.plain
    if not isinstance(plain, str) or not plain.split() or plain.split()[0] != "uniform":
        return None
    said = _UNIFORM.fullmatch(plain.strip())
    if said is None:
        raise value.wrong(f'{dimension.expected}, or "uniform LOW HIGH UNIT"')
    ends = [_number(value, word, said[3], dimension, low) for word in (said[1], said[2])]
    if ends[0] > ends[1]:
        raise value.wrong("the lower number first")
    return Uniform(*ends)


def _number(value: Value, word: str, unit: str, dimension: Dimension, low: float) -> float:
    number = numeral(word, dimension.name, value.error, -math.inf)
    if unit:
        factor = dimension.units.get(unit)
        if factor is None:
            known = listed(dimension.units) if dimension.units else "none"
            raise value.error(
                f"{shown(unit)} is no unit of {dimension.name}; expected {dimension.expected} ({known})"
            )
        # Decimal, so that "0.1 MB" is 100000 bytes and not 100000.00000000001.
        number = float(Decimal(word) * factor) if number else 0.0
    if not low <= number <= LARGEST:
        raise value.wrong(f"{dimension.expected}; {expected_from(low)}")
    return number


_NUMBER = r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)"
_UNIT = r"((?:[a-zA-Zµ]+(?:/s)?)?)"
_QUANTITY = re.compile(rf"{_NUMBER}\s*{_UNIT}")
_UNIFORM = re.compile(rf"uniform\s+{_NUMBER}\s+{_NUMBER}\s*{_UNIT}")
