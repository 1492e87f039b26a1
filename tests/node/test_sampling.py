"""When the machine is looked at, and what is said of the event loop."""

import math
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from pnode.node.sampling import REST_S, SAMPLE_S, Sampling
from pnode.profilers.resources import Sample, Sampler
from pnode.protocol.load import LOAD_MARGIN_LAG_S
from pnode.sim.cluster import make_cluster

from .test_driver import FakePeer, make

TURN_S = 0.125


class FakeSampler(Sampler):
    def sample(self) -> Sample:
        return Sample(10.0, 20.0)


def looks(sampling: Sampling, began_s: float, seconds: float) -> list[float]:
    """When the machine is looked at by somebody who is awake eight times a second, always in time."""
    turns = [began_s + turn * TURN_S for turn in range(round(seconds / TURN_S))]
    return [at for at in turns if sampling.look(at, at) is not None]


@pytest.mark.parametrize(("is_busy", "period_s"), [(True, SAMPLE_S), (False, REST_S)])
def test_the_machine_is_looked_at_at_once_and_then_every_so_often(is_busy: bool, period_s: float) -> None:
    sampling = Sampling(lambda: is_busy, FakeSampler())

    first, *others = looks(sampling, 100.0, 10 * period_s)

    assert first == 100.0
    assert 9 <= len(others) <= 10 / 0.8


@pytest.mark.parametrize(("is_busy", "period_s"), [(True, SAMPLE_S), (False, REST_S)])
def test_nobody_is_woken_for_a_look_who_wakes_within_the_last_fifth_of_its_time(
    is_busy: bool, period_s: float
) -> None:
    sampling = Sampling(lambda: is_busy, FakeSampler())
    sampling.look(100.0, math.inf)

    assert sampling.deadline == 100.0 + period_s
    assert sampling.look(100.0 + 0.7 * period_s, math.inf) is None
    assert sampling.look(100.0 + 0.9 * period_s, math.inf) is not None
    assert sampling.deadline == 100.0 + 1.9 * period_s


def test_when_work_comes_the_next_look_is_soon_and_one_follows_the_last_work() -> None:
    work = [""]
    sampling = Sampling(lambda: bool(work), FakeSampler())
    work.clear()
    sampling.look(100.0, math.inf)

    work.append("a unit")
    sampling.look(101.5, math.inf)
    work.clear()
    sampling.look(101.75, math.inf)

    assert sampling.deadline == 101.5 + SAMPLE_S
    assert sampling.look(102.5, math.inf) is not None
    assert sampling.deadline == 102.5 + REST_S


def test_the_lag_is_the_latest_turn_since_the_last_look() -> None:
    sampling = Sampling(lambda: False, FakeSampler())
    sampling.look(100.0, 100.0)
    sampling.look(100.5, 100.5 - LOAD_MARGIN_LAG_S / 2)
    sampling.look(101.0, 101.0)

    sample = sampling.look(103.0, math.inf)
    following = sampling.look(106.0, math.inf)

    assert sample is not None
    assert sample.lag_s == pytest.approx(LOAD_MARGIN_LAG_S / 2)
    assert following is not None
    assert following.lag_s == 0.0


def test_a_lag_is_told_soon_and_taken_back_soon() -> None:
    sampling = Sampling(lambda: False, FakeSampler())
    sampling.look(100.0, math.inf)

    late = sampling.look(102.0, 100.5)
    again = sampling.look(103.0, math.inf)

    assert (late and late.lag_s, again and again.lag_s) == (1.5, 0.0)


def test_what_is_to_be_done_at_once_is_not_late() -> None:
    sampling = Sampling(lambda: True, FakeSampler())
    sampling.look(100.0, -math.inf)

    sample = sampling.look(101.0, -math.inf)

    assert sample is not None
    assert sample.lag_s == 0.0


def test_a_stalled_event_loop_lowers_the_nodes_trust_in_its_own_eyes_and_is_gossiped(tmp_path: Path) -> None:
    """From the clock to membership, through the real core: only what is outside of the node is made up."""
    host = make_cluster(1, 1).hosts[0]
    peer, began_s = host.peer, host.now
    sampling = Sampling(lambda: peer.is_busy, FakeSampler())
    driver, _ = make(cast(FakePeer, peer), tmp_path, clock=lambda: began_s + trio.current_time(), sampling=sampling)
    heard: list[tuple[int, bool]] = []

    def hear() -> None:
        assert peer.membership is not None
        load = peer.membership.load_of(peer.me)
        assert load is not None
        heard.append((peer.membership.awareness, load.lag_s > 1.0))

    async def main() -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        async with trio.open_nursery() as nursery:
            await nursery.start(driver.serve, list)
            await trio.testing.wait_all_tasks_blocked()
            for jumps_s in ([0.05] * 100, [2.5], [0.05] * 30):
                for jump_s in jumps_s:
                    clock.jump(jump_s)
                    await trio.testing.wait_all_tasks_blocked()
                hear()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock())

    assert heard == [(0, False), (1, True), (1, False)]
