"""Belonging: the machines of a node that has been admitted to a cluster, put together."""

import math
from collections.abc import Mapping
from random import Random

from .crypto import Crypto
from .desk import Desk
from .events import LoadSampled
from .facts import Facts, Identity
from .ids import NodeId
from .jobs import Jobs
from .load import LOAD_MARGIN_S
from .membership import Membership, Output
from .membership_settings import MembershipSettings
from .neighbours import Neighbours
from .reaching import Reaching
from .record import Address
from .trust import Trust
from .values import dataclass, field, replace
from .view import Mapper, Profile


@dataclass(slots=True)
class Belonging:
    """What a member consists of."""

    membership: Membership
    reaching: Reaching
    neighbours: Neighbours
    jobs: Jobs
    boots: dict[NodeId, int] = field(default_factory=dict)
    """Which run of each member's process we know."""
    jobs_due_s: float | None = None
    """When jobs are due next; None until they are asked."""
    looked_s: float = -math.inf
    """When `reaching` looked last."""
    told_until_s: float = -math.inf
    """Until when no core is free, as the others may have been told."""

    @property
    def is_busy(self) -> bool:
        """Whether there is work for this node's cores."""
        bench = self.jobs.holding.bench
        return bool(bench.running or bench.queued)

    @property
    def jobs_deadline(self) -> float:
        """It is asked for after every event, of which most do not concern jobs; and these have many clocks."""
        if self.jobs_due_s is None:
            self.jobs_due_s = self.jobs.deadline
        return self.jobs_due_s

    @property
    def deadline(self) -> float:
        return min(self.membership.deadline, self.reaching.deadline, self.jobs_deadline)

    def busy(self) -> Jobs:
        """The jobs, about to be told something."""
        self.jobs_due_s = None
        return self.jobs

    def measured(self, speed: float, now: float) -> list[Output]:
        """It is known how fast this node is."""
        self.jobs.desk.place = replace(self.jobs.desk.place, speed=speed)
        return self.membership.update_record(replace(self.membership.record, speed=speed), now)

    def moved(self, addresses: tuple[Address, ...], now: float) -> list[Output]:
        """This node listens elsewhere from now on."""
        outputs = self.membership.update_record(replace(self.membership.record, addresses=addresses), now)
        self.reaching.moved(now)
        return outputs

    def tell_load(self, sample: LoadSampled, now: float) -> None:
        """Say how busy this node is, if it is time to."""
        bench, free_in_s = self.jobs.holding.bench, self.jobs.holding.bench.free_in_s(now)
        self.told_until_s = now + free_in_s
        self.neighbours.sampled(sample.cpu_percent, sample.memory_percent)
        self.membership.set_load(
            sample.cpu_percent, sample.memory_percent, bench.running, bench.queued, free_in_s, sample.lag_s, now
        )

    def worked(self, sample: LoadSampled | None, now: float) -> None:
        """Something has happened to jobs. Who has nothing left to do does not wait for the next sample to say so."""
        if now + LOAD_MARGIN_S < self.told_until_s and not self.is_busy and sample is not None:
            self.tell_load(sample, now)


@dataclass(frozen=True, slots=True)
class Means:
    """What a member is made of and does not find out itself."""

    identity: Identity
    facts: Facts
    crypto: Crypto
    trust: Trust
    profile: Profile
    mappers: dict[str, Mapper]
    rng: Random
    settings: MembershipSettings


def belong(
    me: NodeId, means: Means, credential: bytes, sessions: Mapping[NodeId, NodeId | None], now: float
) -> Belonging:
    """Everything of a member's life begins here. Raises RemoteProtocolError if the credential is good for nothing."""
    facts, identity, crypto, profile = means.facts, means.identity, means.crypto, means.profile
    roles = facts.roles(means.trust.check(me, credential, now).roles)
    record, place = facts.record(roles, credential), facts.place(me, identity, roles)
    membership = Membership(
        means.settings, crypto, identity.seed, identity.cluster, means.trust, record, means.rng, now
    )
    neighbours = Neighbours(me, membership, means.trust, profile)
    jobs = Jobs(Desk(place, crypto, neighbours, profile, means.mappers, means.rng))
    neighbours.free_in_s = jobs.holding.bench.free_in_s
    rng = Random(repr(means.rng.getstate()))  # noqa: S311  # not for secrets; and the others draw what they drew
    reaching = Reaching(membership, sessions, rng)
    return Belonging(membership, reaching, neighbours, jobs)
