"""Goals: what the figures of simulated clusters must reach, by number of nodes."""

from collections.abc import Callable
from dataclasses import dataclass

SIZES = (16, 64, 256, 1024)


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of a course, and its bound."""

    figure: str
    """Its name in `pnode sim membership --json`."""
    title: str
    asked: str = ""
    """The bound in words; nothing where the figure stands there to be known."""
    bound: Callable[[int], float | None] = lambda nodes: None
    """By number of nodes; None where none was set."""
    at_least: bool = False

    def met(self, value: float, nodes: int) -> bool:
        """Whether a value is as good as it must be; true where nothing was asked."""
        bound = self.bound(nodes)
        if bound is None:
            return True
        return value >= bound if self.at_least else value <= bound


GOALS = (
    Goal("started_s", "all start at once: s until all know all", "60 at 1,024", {1024: 60.0}.get),
    Goal(
        "known_by_all_s", "one joins: s until all know it", "2 at 64, 4 at 1,024", lambda n: 2.0 if n <= 64 else 4.0
    ),
    Goal("suspected_s", "one crashes: s until somebody suspects it", "2", lambda _: 2.0),
    Goal("first_dead_s", "s until somebody gives it up"),
    Goal("all_dead_s", "s until all have given it up"),
    Goal("all_dead_ratio", "that over memberlist's formula", "1.2", lambda _: 1.2),
    Goal("quiet_bytes_per_s", "membership: bytes/s of a node", "300", lambda _: 300.0),
    Goal("idle_bytes_per_s", "and loads that rest: bytes/s of a node", "12,000", lambda _: 12_000.0),
    Goal("busy_bytes_per_s", "and loads that change every second: bytes/s", "12,000", lambda _: 12_000.0),
    Goal("held", "of how many others a node knows the load"),
    Goal("age_p99_s", "99 of 100 of these are younger than, s", "2", lambda _: 2.0),
)
"""In the order of the table."""

SPEED = Goal(
    "quiet_speed", "simulated s per CPU second", "300 at 64, 3 at 1,024", {64: 300.0, 1024: 3.0}.get, at_least=True
)  # fmt: skip

DEATHS_PER_1000_STALLS_MAX = 1.0
LOSS_HOURS = 10.0
"""Of virtual time without a false death, at 5 % of datagrams lost."""

GROWTH_MAX = 1024 / 64
"""What must not be: as much more of anything, from 64 nodes to 1,024, as there are more nodes."""
