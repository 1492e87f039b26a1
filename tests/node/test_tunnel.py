"""What a relay passes on per second, on a virtual clock."""

import pytest
import trio

from pnode.node.tunnel import AHEAD_S, Shaper

from .network import in_no_time

RATE = 1000.0


@in_no_time
async def test_what_is_little_does_not_wait() -> None:
    shaper = Shaper(RATE)
    began = trio.current_time()

    for _ in range(10):
        await shaper.admit(int(RATE * AHEAD_S / 10))

    assert trio.current_time() == began


@in_no_time
async def test_what_is_much_goes_through_at_the_rate() -> None:
    shaper = Shaper(RATE)
    began = trio.current_time()

    for _ in range(101):
        await shaper.admit(100)

    assert trio.current_time() - began == pytest.approx(10.0 - AHEAD_S)


@in_no_time
async def test_what_was_not_used_is_not_saved_up() -> None:
    shaper = Shaper(RATE)
    await shaper.admit(100)
    await trio.sleep(1000.0)
    began = trio.current_time()

    for _ in range(11):
        await shaper.admit(100)

    assert trio.current_time() - began == pytest.approx(1.0 - AHEAD_S)


@in_no_time
async def test_those_who_wait_have_their_turns_in_order() -> None:
    shaper, through = Shaper(RATE), list[int]()

    async def send(who: int) -> None:
        for _ in range(10):
            await shaper.admit(100)
            through.append(who)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, 1)
        nursery.start_soon(send, 2)

    assert abs(through[:10].count(1) - through[:10].count(2)) <= 2
