"""The plan of a run: all that a seed draws before anything happens (swarm testing).

Which troubles exist at all is drawn first, then how often each comes: a run in which everything goes wrong a little
finds less than one in which two things go wrong together all the time (Groce et al., Swarm Testing, ISSTA 2012).
Each concern has a generator of its own, so that a plan with one job less has the same faults.
"""

from collections.abc import Callable
from random import Random

from pnode.protocol.values import dataclass
from pnode.sim.network import LinkModel

from .faults import TROUBLES, Fault, Season, draw
from .work import JobPlan, draw_jobs

SURVIVING_SHARE = 0.4
"""So much of the machines is never lost for good, and at least two: somebody must be there to finish the jobs."""

CLOCK_OFFSET_S_MAX = 100.0
"""Clocks of a cluster may differ by five minutes (certificates); two hosts by at most twice this."""

HIDDEN_SHARE = 0.3
"""In so many runs some machines can only dial out, from beginning to end: half of all at the most, the founder never,
and not all of those that are never lost for good."""

TROUBLES_PER_MINUTE = (0.5, 1.5, 4.0)
"""Of each kind that exists, in a cluster of any size."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person asks for: together with the code this determines the run."""

    seed: int
    nodes: int = 32
    minutes: float = 10.0
    faults: tuple[int, ...] | None = None
    """Only these of the schedule, by number; None for all."""
    jobs: tuple[int, ...] | None = None
    """Only these of the jobs, by number."""

    @property
    def command(self) -> str:
        """What repeats the run."""
        parts = [f"pnode sim chaos --seed {self.seed} --nodes {self.nodes} --minutes {self.minutes:g}"]
        for name, numbers in (("--faults", self.faults), ("--jobs", self.jobs)):
            if numbers is not None:
                parts.append(f"{name} {','.join(map(str, numbers)) or 'none'}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to happen."""

    options: Options
    link: LinkModel
    speeds: tuple[float, ...]
    cores: tuple[int, ...]
    clock_offsets_s: tuple[float, ...]
    mortal: tuple[int, ...]
    """Hosts that may be lost for good."""
    hidden: tuple[int, ...]
    """Hosts that nobody can dial."""
    troubles: tuple[str, ...]
    faults: tuple[tuple[int, Fault], ...]
    """Numbered, by time."""
    jobs: tuple[JobPlan, ...]

    def story(self) -> list[str]:
        """The plan for people."""
        link = self.link
        lines = [
            f"{self.options.nodes} nodes, {self.options.minutes:g} min; {link.latency_s * 1e3:g} ms, "
            f"jitter {link.jitter_s * 1e3:g} ms, {link.bandwidth_bytes_per_s / 1e6:g} MB/s, "
            f"loss {link.loss:.0%}, twice {link.duplicate:.0%}, late {link.reorder:.0%}, replayed {link.replay:.0%}, "
            f"damaged {link.corrupt:.0%}",
            f"troubles: {', '.join(self.troubles) or 'none'}",
        ]
        if self.hidden:
            lines.append(f"nobody can dial {' '.join(f'n{host}' for host in self.hidden)}")
        lines += [f"job {job.number}: {job}" for job in self.jobs]
        return lines + [f"fault {number}: {fault}" for number, fault in self.faults]


def plan_of(options: Options) -> Plan:
    """What a seed has in store."""

    def generator(concern: str) -> Random:
        return Random(f"{options.seed}/plan/{concern}")  # noqa: S311 - repeatable, not secret

    seconds = options.minutes * 60.0
    hosts = generator("hosts")
    count = range(options.nodes)
    skewed = hosts.random() < 0.3
    survivors = max(2, round(options.nodes * SURVIVING_SHARE))
    season = Season(options.nodes, seconds, tuple(hosts.sample(count, min(options.nodes, survivors))))
    swarm = generator("swarm")
    troubles = tuple(name for name in TROUBLES if swarm.random() < 0.3)
    faults = _schedule(troubles, season, generator)
    jobs = draw_jobs(options.seed, options.nodes, seconds, generator("jobs"))
    return Plan(
        options,
        _link(generator("link")),
        tuple(hosts.choice((0.5, 1.0, 1.0, 2.0)) for _ in count),
        tuple(hosts.choice((1, 1, 2, 4)) for _ in count),
        tuple(hosts.uniform(-CLOCK_OFFSET_S_MAX, CLOCK_OFFSET_S_MAX) if skewed else 0.0 for _ in count),
        tuple(host for host in count if host not in season.survivors),
        _hidden(season, generator("hidden")),
        troubles,
        tuple(each for each in enumerate(faults) if options.faults is None or each[0] in options.faults),
        tuple(job for job in jobs if options.jobs is None or job.number in options.jobs),
    )


def _schedule(troubles: tuple[str, ...], season: Season, generator: Callable[[str], Random]) -> list[Fault]:
    faults: list[Fault] = []
    for name in troubles:
        rng = generator(f"trouble/{name}")
        mean = rng.choice(TROUBLES_PER_MINUTE) * season.seconds / 60.0
        for _ in range(max(1, round(rng.uniform(0.5, 1.5) * mean))):
            faults += [fault for fault in draw(name, season, rng) if fault.at_s < season.seconds]
    return sorted(faults, key=lambda fault: fault.at_s)


def _hidden(season: Season, rng: Random) -> tuple[int, ...]:
    """Who stands behind a firewall; somebody who survives does not, or nobody could be met in the end."""
    if rng.random() >= HIDDEN_SHARE:
        return ()
    open_survivor = rng.choice(season.survivors)
    able = [host for host in range(1, season.hosts) if host != open_survivor]
    return tuple(sorted(rng.sample(able, rng.randint(min(1, len(able)), min(len(able), season.hosts // 2)))))


def _link(rng: Random) -> LinkModel:
    """What every link is like when nothing else is wrong."""
    latency_s = rng.choice((0.0002, 0.001, 0.02, 0.08))
    return LinkModel(
        latency_s,
        latency_s * rng.choice((0.1, 1.0)),
        rng.choice((125e6, 125e6, 1e6)),
        loss=rng.choice((0.0, 0.0, 0.02, 0.1, 0.25)),
        duplicate=rng.choice((0.0, 0.0, 0.1)),
        reorder=rng.choice((0.0, 0.0, 0.2)),
        replay=rng.choice((0.0, 0.0, 0.1)),
        corrupt=rng.choice((0.0, 0.0, 0.05)),
    )
