"""Emulation: a node that is slower than its machine, for experiments with unlike nodes on one machine.

A task that takes r seconds on the machine takes r / s on a node of emulated speed s: when its processes have ended
the node waits for the rest, and accounts for all of it as run time. The speed index that the node tells is s times
the machine's. So everybody, the node itself included, sees what they would see of a slower machine, but for three
things: the processor is free while the node waits, limits of time count real seconds, and nodes that are emulated on
one machine disturb each other as soon as their tasks want more cores than it has.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio

from pnode.protocol.effects import Run
from pnode.protocol.events import RunEnded


async def run_at(speed: float, run: Callable[[Run], Awaitable[RunEnded]], unit: Run) -> RunEnded:
    """Run a unit as it would run at a share of the machine's speed, at most 1."""
    ended = await run(unit)
    seconds = ended.seconds / speed
    if seconds > ended.seconds:
        await trio.sleep(seconds - ended.seconds)
    return replace(ended, seconds=seconds)
