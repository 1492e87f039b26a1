"""Noise: how much longer a message usually takes than the quickest of a burst of three.

The minimum of three pings is a steady figure, and lies below what messages take: by a fifth where delays vary by a
quarter. How far follows from how far minima of the same peer differ from one to the next, and that is much the same
for all peers of a node, whose own system makes most of it. So all peers share one figure, which is good after a dozen
probes, when there are one or two of each peer.

For normal noise (of logarithms of delays), of deviation d, the minimum of three lies 0.846 d below the middle and
deviates by 0.748 d itself; two of them differ by 1.414 times that, and the median of such differences is 0.674 of
their deviation (order statistics of the normal distribution; D. Teichroew, 1956). Queues make noise of another shape;
for exponential noise of a fifth of the delay the figure that follows is right to 4 % (test_delay).
"""

import math
from collections import deque
from statistics import median

DIFFERENCES_MAX = 64
"""Enough for a median that is right to a tenth; a busy hour is forgotten after a minute or two."""

DIFFERENCES_MIN = 8
"""Fewer say nothing: one of them may be a change."""

LIFT_PER_DIFFERENCE = 0.846 / (0.748 * math.sqrt(2.0) * 0.674)

LIFT_MAX = 1.5
"""More than this is no noise: delays change while they are measured."""


class Noise:
    """Of all peers together."""

    def __init__(self) -> None:
        self._differences: deque[float] = deque(maxlen=DIFFERENCES_MAX)
        self.lift = 1.0
        """What a minimum is to be multiplied with."""

    def observe(self, before_s: float, after_s: float) -> None:
        """Take in two minima in a row of one peer."""
        if before_s <= 0.0 or after_s <= 0.0:
            return
        self._differences.append(abs(math.log(after_s / before_s)))
        if len(self._differences) >= DIFFERENCES_MIN:
            self.lift = min(LIFT_MAX, math.exp(LIFT_PER_DIFFERENCE * median(self._differences)))
