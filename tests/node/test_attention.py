"""How often a process tree is looked at."""

from collections.abc import Awaitable, Callable

import trio
from trio.testing import MockClock

from pnode.node.attention import REST_S, Attention

POLL_S = 0.25


def looks_in(seconds: float, attention: Attention, meanwhile: Callable[[], Awaitable[None]]) -> list[float]:
    """When it was looked at, while something else went on."""
    looks: list[float] = []

    async def watch(began: float) -> None:
        while True:
            with attention.pause():
                await trio.sleep_forever()
            looks.append(trio.current_time() - began)

    async def main() -> None:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, trio.current_time())
                await meanwhile()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return looks


def test_what_works_is_looked_at_every_so_often() -> None:
    async def nothing() -> None:
        pass

    assert looks_in(1.125, Attention(POLL_S), nothing) == [0.25, 0.5, 0.75, 1.0]


def test_what_rests_is_hardly_ever_looked_at() -> None:
    attention = Attention(POLL_S)

    async def rest() -> None:
        attention.rest()

    assert len(looks_in(60.125, attention, rest)) <= 60.0 / REST_S + 1


def test_what_works_again_is_looked_at_as_soon_as_ever() -> None:
    attention = Attention(POLL_S)

    async def rest_and_work() -> None:
        attention.rest()
        await trio.sleep(7.0)
        attention.wake()

    looks = looks_in(7.625, attention, rest_and_work)

    assert looks[-2:] == [7.25, 7.5]
