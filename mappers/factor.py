"""Factor: how much longer than expected a node's tasks take, learnt from those that ended there.

A ratio of sums, shrunk towards 1 (scheduling.md 4.9):

    at the start                A = E = 3 mean tasks
    a task has ended there      A += actual, E += expected; the factor is A / E; then A and E shrink to 80 %

Sums weigh long tasks more, the prior keeps a few noisy tasks from moving the factor, and shrinking forgets after
about five mean tasks. An exponential average of ratios was tried and takes noise for news (makespan 1.12 of static
HEFT's under noise of 50 %); no factor at all misses drift (1.05 where node speeds are off by 50 %); this one does
neither.
"""

PRIOR_TASKS = 3.0
"""How many mean tasks, all as expected, every node is credited with at the start."""

KEPT_SHARE = 0.8
"""Of both sums after each task."""

STRETCH = 1.3
"""A task that is overdue is taken to need three tenths of what it has taken so far on top (scheduling.md 4.10)."""


class Factor:
    """What is known of one node: estimates there are multiplied by `value`."""

    __slots__ = ("_actual_s", "_expected_s", "value")

    def __init__(self, mean_task_s: float) -> None:
        self.value = 1.0
        self._actual_s = self._expected_s = PRIOR_TASKS * mean_task_s

    def learn(self, actual_s: float, expected_s: float) -> None:
        """A task ended there. `expected_s` is the estimate before any factor.

        A straggler that was ended because its copy was quicker counts as well, with what it had taken by then:
        without that charge the node would go on looking fast (scheduling.md 4.11).
        """
        self._actual_s += actual_s
        self._expected_s += expected_s
        if self._expected_s:
            self.value = self._actual_s / self._expected_s
        self._actual_s *= KEPT_SHARE
        self._expected_s *= KEPT_SHARE

    def suspect(self, elapsed_s: float, expected_s: float) -> None:
        """A task there is overdue: raise the factor at once, provisionally; the next `learn` sets it anew."""
        expected_s += self._expected_s
        if expected_s:
            self.value = max(self.value, (self._actual_s + STRETCH * elapsed_s) / expected_s)
