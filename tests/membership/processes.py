"""Processes: sixteen real nodes on the loopback interface, beside the same sixteen in the simulator.

Both are left alone, stopped, killed and joined in the same way. The real ones are looked at through what they say
themselves: how much they sent, and when, by their logs, a member was suspected, given up or met. The load of the
machine and the round trips are noted while they are left alone, and the simulated nodes are told the same: a load
that moves is told to others, and so is a delay, and that costs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

import psutil

from ..benchmarks.figure_idle import MIB, cpu_s
from ..chaos.machines import Machine, Machines, SuiteError, cluster, eventually, workplace
from ..peers.markdown import shown, table, wrapped
from .prediction import JOINS, Load, Seen, predicted

NODES = 16
ROUNDS = 9
"""Of each kind: one death takes from five to eight seconds, depending on whose turn it is to probe."""

REST_S = 60.0
SETTLE_S = 240.0
"""Real nodes measure how fast content comes from each of the others, one every ten seconds, and tell what they find;
simulated ones do not."""

DEATH_S_MAX = 60.0
SLACK_S = 6.0
"""After a change, until all have heard of it."""

DIFFERENCE_MAX = 0.25
CPU_PERCENT_MAX = 0.5
MEMORY_MIB_MAX = 60.0 * 1e6 / MIB

NAMES = tuple(f"n{number:02}" for number in range(NODES))

Say = Callable[[str], None]


@dataclass(slots=True)
class Rest:
    """What was seen of nodes that were left alone."""

    seen: Seen = field(default_factory=Seen)
    cpu_percent: float = 0.0
    rss_mib: float = 0.0
    rtt_s: float = 0.0
    """Median of what all measured to all others."""
    loads: list[Load] = field(default_factory=list)


def told(say: Say) -> list[str]:
    """Measure for some ten minutes. No process is left behind."""
    with workplace() as place, cluster(place, "lan", NAMES) as machines:
        say(f"{NODES} nodes have found together")
        time.sleep(SETTLE_S)
        rest = _rest(machines)
        say("they were left alone")
        seen = rest.seen
        for number in range(ROUNDS):
            _stop(machines, machines[1 + number], seen)
            say(f"round {number + 1} of {ROUNDS}: one was stopped")
        for number in range(ROUNDS):
            _kill(machines, machines[1 + number], seen)
            say(f"round {number + 1} of {ROUNDS}: one was killed, and started again")
        for number in range(JOINS):
            _join(machines, f"m{number:02}", seen)
            say(f"{number + 1} of {JOINS} have joined")
    return [*_beside(seen, predicted(NODES, rest.loads, rest.rtt_s)), "", *_idle(rest)]


# ---- what is done


def _rest(machines: Machines) -> Rest:
    rest = Rest()
    processes = [psutil.Process(machine.node.status().pid) for machine in machines]
    began_s, used_s, sent = time.monotonic(), [cpu_s(each) for each in processes], _sent(machines)
    while (lasted_s := time.monotonic() - began_s) < REST_S:
        due_s = time.monotonic() + 1.0
        time.sleep(1.0)
        lag_s = max(0.0, time.monotonic() - due_s)
        rest.loads.append((psutil.cpu_percent(), psutil.virtual_memory().percent, lag_s))
    datagrams, bytes_ = (now - was for now, was in zip(_sent(machines), sent, strict=True))
    lasted_s = time.monotonic() - began_s
    rest.seen.note("bytes_per_s", bytes_ / lasted_s / NODES)
    rest.seen.note("datagrams_per_s", datagrams / lasted_s / NODES)
    used = [100 * (cpu_s(each) - was) / lasted_s for each, was in zip(processes, used_s, strict=True)]
    rest.cpu_percent = median(used)
    delays = [peer.delay_s for each in machines for peer in each.node.peers()]
    rest.rtt_s = median(delay_s for delay_s in delays if delay_s is not None)
    rest.rss_mib = median(each.memory_info().rss / MIB for each in processes)
    return rest


def _sent(machines: Machines) -> tuple[int, int]:
    statuses = [machine.node.status() for machine in machines]
    return sum(each.sent_datagrams for each in statuses), sum(each.sent_bytes for each in statuses)


def _stop(machines: Machines, victim: Machine, seen: Seen) -> None:
    """Its connections stay, but nobody answers; afterwards it runs again and all take it back."""
    began_s = victim.pause()
    _watch_death(machines, victim, began_s, "stopped", seen)
    victim.resume()
    machines.wait_until_together()
    time.sleep(SLACK_S)


def _kill(machines: Machines, victim: Machine, seen: Seen) -> None:
    """Its connections break; afterwards it is started again."""
    began_s = victim.kill()
    _watch_death(machines, victim, began_s, "killed", seen)
    victim.launch()
    machines.wait_until_together()
    time.sleep(SLACK_S)


def _join(machines: Machines, name: str, seen: Seen) -> None:
    """A node that nobody knows. How long an interpreter takes to start is no figure of membership, so what counts is
    from the first that knows it to the last."""
    others = list(machines)
    newcomer = Machine(name, machines.place / name, "lan")
    machines.machines.append(newcomer)
    newcomer.launch(others[0].node.token(1.0).token)
    machines.wait_until_together()
    met = _all_first(others, newcomer, 0.0, ("alive",))
    seen.note("join_spread_s", max(met) - min(met))
    time.sleep(SLACK_S)


def _watch_death(machines: Machines, victim: Machine, began_s: float, how: str, seen: Seen) -> None:
    others = [machine for machine in machines if machine is not victim]

    def given_up() -> bool:
        return all(_first(machine, victim, began_s, ("dead",)) is not None for machine in others)

    eventually(given_up, f"death of {victim.name} in all logs", DEATH_S_MAX, 1.0)
    suspected = _all_first(others, victim, began_s, ("suspect", "dead"))
    dead = _all_first(others, victim, began_s, ("dead",))
    seen.note(f"{how}_suspected_s", min(suspected) - began_s)
    seen.note(f"{how}_first_dead_s", min(dead) - began_s)
    seen.note(f"{how}_all_dead_s", max(dead) - began_s)


def _all_first(machines: Sequence[Machine], victim: Machine, since_s: float, states: tuple[str, ...]) -> list[float]:
    found = [_first(machine, victim, since_s, states) for machine in machines]
    if None in found:
        raise SuiteError(f"not all logs say that {victim.name} is one of {', '.join(states)}")
    return [at_s for at_s in found if at_s is not None]


def _first(machine: Machine, about: Machine, since_s: float, states: tuple[str, ...]) -> float | None:
    """When a node's log first says, since then, that another is in one of these states."""
    wanted = tuple(f"member: peer={about.id} state={state}" for state in states)
    for line in (machine.home / "node.log").read_text(errors="replace").splitlines():
        if line.endswith(wanted):
            at_s = datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()
            if at_s >= since_s:
                return at_s
    return None


# ---- what is told


TITLES = {
    "stopped_suspected_s": "SIGSTOP: s until somebody suspects it",
    "stopped_first_dead_s": "SIGSTOP: s until somebody gives it up",
    "stopped_all_dead_s": "SIGSTOP: s until all have given it up",
    "killed_suspected_s": "SIGKILL: s until somebody suspects it",
    "killed_first_dead_s": "SIGKILL: s until somebody gives it up",
    "killed_all_dead_s": "SIGKILL: s until all have given it up",
    "join_spread_s": "one more: s from the first that knows it to the last",
    "bytes_per_s": "at rest: bytes/s of a node",
    "datagrams_per_s": "at rest: datagrams/s of a node",
}


def _beside(real: Seen, simulated: Seen) -> list[str]:
    rows = []
    for name, title in TITLES.items():
        ours, theirs = median(real.samples[name]), median(simulated.samples[name])
        ratio = ours / theirs
        text = f"{ratio:.2f}"
        is_near = 1 / (1 + DIFFERENCE_MAX) <= ratio <= 1 + DIFFERENCE_MAX
        rows.append((title, _text(real, name), _text(simulated, name), text if is_near else f"**{text}**"))
    return table(("16 nodes, medians (least to most)", "real", "simulated", "real / simulated"), rows)


def _text(seen: Seen, name: str) -> str:
    samples = seen.samples[name]
    low, middle, high = shown(min(samples)), shown(median(samples)), shown(max(samples))
    return middle if len(samples) == 1 else f"{middle} ({low} to {high})"


def _idle(rest: Rest) -> list[str]:
    cpu = f"{rest.cpu_percent:.2f} % of a core"
    memory = f"{rest.rss_mib * MIB / 1e6:.0f} MB"
    return wrapped(
        f"A node at rest among them takes {cpu if rest.cpu_percent <= CPU_PERCENT_MAX else f'**{cpu}**'} (asked: at "
        f"most {CPU_PERCENT_MAX:g} %) and {memory if rest.rss_mib <= MEMORY_MIB_MAX else f'**{memory}**'} of memory "
        f"(asked: at most 60 MB), medians over the nodes. A round trip took {1000 * rest.rtt_s:.2g} ms, and the "
        f"machine's cores were busy for {median(load[0] for load in rest.loads):.0f} %."
    )
