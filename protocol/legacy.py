"""Legacy: what an earlier run of a node has left to this one."""

from .jobmessages import Hollow
from .signed import Signed
from .values import dataclass, field


@dataclass(frozen=True, slots=True)
class Legacy:
    """The rows of the journal that are about jobs."""

    jobs: list[Signed] = field(default_factory=list)
    segments: list[Signed] = field(default_factory=list)
    hollows: list[Hollow] = field(default_factory=list)
