"""An axis: numbers along a line of pixels, with ticks at round ones."""

import math
from collections.abc import Sequence

from pnode.protocol.values import dataclass

STEPS = (1, 2, 5, 10)
"""Between ticks, times a power of ten."""

LOG_FROM = 8.0
"""Largest over smallest number from which on a logarithmic axis shows more than an even one."""


TICK_PX_MAX = 60.0
"""Width of a tick's number, about: half of it stands out at the end of an axis."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Numbers from `low` to `high`, which differ, on pixels from `begin` to `end`."""

    low: float
    high: float
    begin_px: float
    end_px: float
    log: bool = False

    def px(self, number: float) -> float:
        """Where a number lies; one beyond the axis lies at its end."""
        number = min(max(number, self.low), self.high)
        if self.log:
            share = math.log(number / self.low) / math.log(self.high / self.low)
        else:
            share = (number - self.low) / (self.high - self.low)
        return self.begin_px + share * (self.end_px - self.begin_px)

    def ticks(self, most: int = 10) -> list[float]:
        """Round numbers on the axis, at most so many."""
        return _log_ticks(self.low, self.high, most) if self.log else _even_ticks(self.low, self.high, most)


def spanning(numbers: Sequence[float], begin_px: float, end_px: float, *, from_zero: bool = False) -> Axis:
    """An axis on which all these numbers lie, with a little air; logarithmic if they are far apart and positive."""
    low, high = min(numbers), max(numbers)
    if not from_zero and low > 0 and high / low >= LOG_FROM:
        return Axis(low / 1.05, high * 1.05, begin_px, end_px, log=True)
    air = 0.03 * (high - low) or 0.05 * abs(high) or 1.0
    return Axis(0.0 if from_zero else low - air, high + air, begin_px, end_px)


def label(number: float) -> str:
    """A tick's number as people write it."""
    if number and not 1e-3 <= abs(number) < 1e6:
        mantissa, _, exponent = f"{number:.3e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{number:.6g}"


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(step * power for step in (*STEPS, 20, 50) if (high - low) / (step * power) <= most - 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(count * step, 12 - math.floor(math.log10(step))) for count in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """Of every decade 1, 2 and 5, or only 1, or every so many decades, whatever is not too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for parts in ((1, 2, 5), (1, 3), (1,)):
        ticks = [part * 10.0**power for power in powers for part in parts if low <= part * 10.0**power <= high]
        if len(ticks) <= most:
            return ticks
    return [10.0**power for power in powers[:: math.ceil(len(powers) / most)] if low <= 10.0**power <= high]
