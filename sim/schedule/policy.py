"""A policy: what decides during a run. The world says what has happened; the policy answers by the world's actions.

There are several: plans carried out as they are (`static`), mappers that decide inside the run (`deciding`), the
dispatchers of a stream (`dispatch`). A policy is made for one run of one world, and keeps its own books. It acts
through `World.bind`, `move`, `copy`, `abandon`, `rekey`, `watch`, `at` and `message`, and changes nothing else. What
it does about attempts on a machine that has failed, which it does not know yet, comes to nothing.

Whatever happens at one instant is told first, then stations start what may start, then `settled` is called, and all
of it again until nothing more happens at that instant. So a decision that waits for `settled` sees all that is true
at its moment, and does not depend on the order of events that happen together.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from pnode.mappers.plan import Planner
from pnode.protocol.values import dataclass

from .queues import Queue
from .units import Attempt, Job

if TYPE_CHECKING:
    from .machines import Station
    from .world import World


class Policy(Protocol):
    """What decides. Nothing need be done in answer to anything."""

    def queue(self, station: "Station") -> Queue:
        """The queue of a machine, empty; asked for once per machine, and again when one has recovered."""

    def arrived(self, job: Job, item: int) -> None:
        """An item of a job is here; nothing of it has a machine. The first item comes with the job."""

    def started(self, attempt: Attempt) -> None:
        """It runs."""

    def ended(self, attempt: Attempt) -> None:
        """It has produced its outputs, which are on their way to the children that have a machine."""

    def overdue(self, attempt: Attempt) -> None:
        """It still runs at an instant that was asked for by `World.watch`."""

    def accepts(self, attempt: Attempt) -> bool:
        """Whether its machine takes what it was given, now that the assignment is there."""

    def declined(self, attempt: Attempt) -> None:
        """Whoever gave it away hears that it was not taken; the unit has no machine, or no copy."""

    def died(self, machine: int, lost: Sequence[Attempt]) -> None:
        """It is known that a machine has failed; the units of these attempts, started or not, have no machine."""

    def recovered(self, machine: int) -> None:
        """A machine is back, empty."""

    def settled(self) -> None:
        """Everything of this instant has happened, as far as it depends on others."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A policy by name, to be made anew for each run."""

    name: str
    policy: "Callable[[World], Policy]"
    planner: Planner | None = None
    """Set if the policy only carries out this planner's plans, in strict order unless there are streams."""


class Quiet:
    """The answers of a policy that has nothing to say: to be overridden one by one."""

    def started(self, attempt: Attempt) -> None:
        """Nothing follows from it."""

    def ended(self, attempt: Attempt) -> None:
        """Nothing follows from it."""

    def overdue(self, attempt: Attempt) -> None:
        """Nothing follows from it."""

    def accepts(self, attempt: Attempt) -> bool:  # noqa: ARG002  others look
        """It does what it is told."""
        return True

    def declined(self, attempt: Attempt) -> None:
        """Does not happen."""

    def died(self, machine: int, lost: Sequence[Attempt]) -> None:
        """Nothing follows from it."""

    def recovered(self, machine: int) -> None:
        """Nothing follows from it."""

    def settled(self) -> None:
        """Nothing follows from it."""
