"""How many rows a second the driver writes down for the core, and how long after it was asked for a row is on the
disk: once with a core that only saves, once with one that is busy nearly all of the time."""

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn, cast

import trio

from pnode.node.driver import Driver
from pnode.node.hands import Hands
from pnode.node.journal import Journal, JournalFile
from pnode.node.sampling import Sampling
from pnode.node.service import SWITCH_S
from pnode.protocol.effects import Effect, Fetch, Run, Save, Sync
from pnode.protocol.events import Event, Synced
from pnode.protocol.peer import Peer

from .bench import tell

ROWS = 20_000
ROW_BYTES = 500
"""A segment of a few statements."""

ROWS_PER_TURN = 10
WORK_S = {"idle_core": 0.0, "busy_core": 0.001}
"""What the core takes for a turn besides: at 10,000 rows a second the busy one has no time left."""


class Writer:
    """A core that wants rows written down, some in every turn, until there are enough."""

    def __init__(self, work_s: float) -> None:
        self.deadline = -math.inf
        self.waits_s: list[float] = []
        self._work_s = work_s
        self._saved = 0
        self._asked_s: dict[int, float] = {}

    def handle(self, event: Event, _now: float) -> list[Effect]:
        if isinstance(event, Synced):
            self.waits_s.append(time.perf_counter() - self._asked_s.pop(event.number))
        return []

    def tick(self, _now: float) -> list[Effect]:
        until_s = time.perf_counter() + self._work_s
        while time.perf_counter() < until_s:
            pass
        rows = range(self._saved, self._saved + ROWS_PER_TURN)
        self._saved += ROWS_PER_TURN
        self._asked_s[self._saved] = time.perf_counter()
        self.deadline = math.inf if self._saved >= ROWS else -math.inf
        return [
            *(Save("segment", number.to_bytes(60, "big"), bytes(ROW_BYTES)) for number in rows),
            Sync(self._saved),
        ]


class NoLine:
    """Nothing is run."""

    def attach(self, *_: object) -> None:
        pass

    def announce(self, run: object) -> bool:
        raise AssertionError(run)

    def recall(self, unit: object) -> None:
        raise AssertionError(unit)

    cancel = leave = recall


async def never(_: object) -> NoReturn:
    await trio.sleep_forever()
    raise AssertionError


async def measure(name: str, work_s: float, place: Path) -> None:
    core, journal = Writer(work_s), Journal(JournalFile(place / f"{name}.db"))
    fetch, run = (
        cast(Callable[[Fetch], Awaitable[NoReturn]], never),
        cast(Callable[[Run], Awaitable[NoReturn]], never),
    )
    hands = Hands(run, NoLine(), fetch, keep=lambda _: None, let_go=lambda _: [], release=lambda _: None)
    driver = Driver(cast(Peer, core), NoNetwork(), journal, time.time, hands, Sampling(lambda: False))
    began_s = time.perf_counter()
    async with trio.open_nursery() as nursery:
        await nursery.start(driver.serve, list)
        while len(core.waits_s) < ROWS // ROWS_PER_TURN:
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    tell(f"journal_{name}", ROWS / (time.perf_counter() - began_s), "rows/s")
    tell(f"journal_{name}_wait", statistics.median(core.waits_s), "s")
    tell(f"journal_{name}_wait_max", max(core.waits_s), "s")
    await journal.aclose()


class NoNetwork:
    """Nobody is there."""

    def perform(self, effect: Effect) -> None:
        raise AssertionError(effect)


def main() -> None:
    sys.setswitchinterval(SWITCH_S)  # as a node does
    with tempfile.TemporaryDirectory(prefix="pnode-") as place:
        for name, work_s in WORK_S.items():
            trio.run(measure, name, work_s, Path(place))


if __name__ == "__main__":
    main()
