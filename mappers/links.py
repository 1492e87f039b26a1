"""Links: how long data takes between the nodes of an instance, laid out for planning."""

import numpy as np
import numpy.typing as npt

from .instance import Floats, Instance


class Links:
    """Transfer times from a node to all nodes; 0 to itself.

    A pair that cannot talk is infinitely far for data of any size, none included: where nothing goes, not even the
    news goes that there is nothing.
    """

    def __init__(self, instance: Instance, communication: float = 1.0) -> None:
        """`communication` scales every transfer: planned with inflated ones, tasks keep closer together
        (scheduling.md 4.13)."""
        apart, inverse2 = instance.apart, instance.inverse2
        delay: Floats = np.where(apart, 0.0, instance.latency) * communication
        self.latency: Floats | None = np.where(apart, np.inf, delay) if apart.any() or delay.any() else None
        """None when it is zero everywhere, as in most of the literature: one operation less on every way."""
        self.inverse: Floats = np.where(apart, 0.0, instance.inverse) * communication
        self.inverse2: Floats | None = None if inverse2 is None else np.where(apart, 0.0, inverse2) * communication
        self._latency = None if self.latency is None else self.latency.tolist()
        self._inverse = self.inverse.tolist()
        self._inverse2 = None if self.inverse2 is None else self.inverse2.tolist()

    def arrivals_s(self, source: int, size_bytes: float, at_s: float) -> list[float]:
        """Per node: when data that leaves at `at_s` is there."""
        inverse = self._inverse[source]
        # One comprehension per kind of network: a second pass would take half as long again, at every edge of a plan.
        if self._inverse2 is not None:
            rows = zip(inverse, self._inverse2[source], self._delays(source), strict=True)
            square = size_bytes * size_bytes
            return [size_bytes * linear + square * bent + delay + at_s for linear, bent, delay in rows]
        if self._latency is not None:
            return [size_bytes * x + delay + at_s for x, delay in zip(inverse, self._latency[source], strict=True)]
        return [size_bytes * x + at_s for x in inverse]

    def times_s(self, sources: npt.NDArray[np.intp], sizes_bytes: Floats) -> Floats:
        """Per source and node: seconds of the transfer. `sizes_bytes` is a column with one size for each source."""
        times: Floats = self.inverse.take(sources, 0)
        times *= sizes_bytes
        if self.inverse2 is not None:
            times += self.inverse2.take(sources, 0) * (sizes_bytes * sizes_bytes)
        if self.latency is not None:
            times += self.latency.take(sources, 0)
        return times

    def matrix_s(self, size_bytes: float) -> Floats:
        """Seconds from every node to every node."""
        return self.times_s(np.arange(len(self._inverse)), np.array([[size_bytes]]))

    def _delays(self, source: int) -> list[float]:
        return [0.0] * len(self._inverse) if self._latency is None else self._latency[source]
