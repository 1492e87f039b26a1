"""Workers do what they are given, and end with the block that wanted it."""

import time
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children

import pytest

from pnode.sim.workers import processes


def test_what_is_done_in_the_block_is_done_when_it_ends() -> None:
    with processes(2) as pool:
        futures = [pool.submit(pow, 2, number) for number in range(5)]

    assert [future.result() for future in futures] == [1, 2, 4, 8, 16]
    assert active_children() == []


@pytest.mark.parametrize("reason", [KeyboardInterrupt, GeneratorExit, ValueError])
def test_a_block_that_is_left_in_the_middle_waits_for_nothing(reason: type[BaseException]) -> None:
    begun: list[Future[None]] = []

    def leave() -> None:
        with processes(1) as pool:
            wait([pool.submit(pow, 2, 2)])
            begun.extend(pool.submit(time.sleep, 3600.0) for _ in range(4))
            raise reason

    with pytest.raises(reason):
        leave()

    assert len(begun) == 4
    for future in begun:
        assert future.cancelled() or isinstance(future.exception(), BrokenProcessPool)
    assert active_children() == []
