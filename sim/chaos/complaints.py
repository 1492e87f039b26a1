"""Complaints: what did not hold, when and where."""

from pnode.protocol.values import dataclass, field
from pnode.sim.engine import Engine

KEPT_MAX = 20
"""The first ones say what is wrong; the rest follows from it."""


@dataclass(slots=True)
class Complaints:
    """A list that knows the time."""

    engine: Engine
    began_s: float = 0.0
    texts: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return self.engine.now - self.began_s

    def add(self, host: int | None, text: str) -> None:
        """Say what does not hold at a host, or everywhere."""
        where = "" if host is None else f"n{host}: "
        if len(self.texts) < KEPT_MAX:
            self.texts.append(f"{self.seconds:.2f} s, {where}{text}")

    def __bool__(self) -> bool:
        return bool(self.texts)
