"""Housekeeping: what is pinned in the store, and for how long."""

from pathlib import Path
from typing import cast

import trio
import trio.testing

from pnode.node.housekeeping import FIRST_LOOK_S, PINS_S, SAMPLE_S, content_of, serve_pins, serve_samples
from pnode.node.store import Store
from pnode.protocol.events import LoadSampled
from pnode.protocol.job import Job
from pnode.protocol.ledger import StatementKind
from pnode.sim.cluster import make_cluster

from ..protocol.ledgers import NODES, statement
from .test_driver import FakePeer, make
from .test_reports import file, finish, job


def test_what_a_running_job_may_need_is_its_input_and_what_was_made_here() -> None:
    made = job()
    finish(made, (0, 0), 1, "mine")

    inputs = [found.digest for found in made.spec.items[0].files]

    assert content_of(made, NODES[1]) == [*inputs, file("mine").digest]
    assert content_of(made, NODES[2]) == inputs


def test_content_is_pinned_while_its_job_runs_and_not_longer(tmp_path: Path) -> None:
    class Noted(Store):
        pins: list[bytes] = []  # noqa: RUF012
        unpins: list[bytes] = []  # noqa: RUF012

        def pin(self, owner: bytes, digests: object) -> None:
            self.pins.append(owner)

        def unpin(self, owner: bytes) -> None:
            self.unpins.append(owner)

    made: Job = job()
    store = Noted(tmp_path)

    async def main() -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        with trio.move_on_after(FIRST_LOOK_S + 2.5 * PINS_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve_pins, store, NODES[1], lambda: [made])
                await trio.sleep(FIRST_LOOK_S + PINS_S / 2)
                assert (store.pins, store.unpins) == ([made.id], [])
                made.state.note(NODES[0], statement(StatementKind.CANCELLED, attempt=0))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert store.pins == [made.id]
    assert store.unpins == [made.id, made.spec.nonce]


def test_the_machine_is_looked_at_at_once_and_every_second(tmp_path: Path) -> None:
    seen: list[LoadSampled] = []

    async def main() -> None:
        with trio.move_on_after(2.5):
            await serve_samples(tmp_path, seen.append)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert len(seen) == 3
    assert all(sample.lag_s == 0.0 for sample in seen)


def test_a_stalled_event_loop_lowers_the_nodes_trust_in_its_own_eyes_and_is_gossiped(tmp_path: Path) -> None:
    """From the clock to membership, through the real core: only what is outside of the node is made up."""
    host = make_cluster(1, 1).hosts[0]
    peer, began_s = host.peer, host.now
    driver, _ = make(cast(FakePeer, peer), tmp_path, clock=lambda: began_s + trio.current_time())
    heard: list[tuple[int, float]] = []

    def hear() -> None:
        assert peer.membership is not None
        load = peer.membership.load_of(peer.me)
        assert load is not None
        heard.append((peer.membership.awareness, load.lag_s))

    async def main() -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        async with trio.open_nursery() as nursery:
            await nursery.start(driver.serve, list)
            nursery.start_soon(serve_samples, tmp_path, driver.deliver)
            await trio.testing.wait_all_tasks_blocked()
            for jumps_s in ([SAMPLE_S / 8] * 8, [SAMPLE_S / 8] * 8, [2.5 * SAMPLE_S]):
                for jump_s in jumps_s:
                    clock.jump(jump_s)
                    await trio.testing.wait_all_tasks_blocked()
                hear()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock())

    assert heard == [(0, 0.0), (0, 0.0), (1, 1.5)]
