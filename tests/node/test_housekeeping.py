"""Housekeeping: what is pinned in the store, and for how long."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from pnode.node.housekeeping import PINS_S, SAMPLE_S, Pins, content_of, serve_samples
from pnode.node.store import Store, StoreFullError
from pnode.protocol.events import LoadSampled
from pnode.protocol.ids import digest_of
from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef
from pnode.protocol.ledger import StatementKind
from pnode.sim.cluster import make_cluster

from ..protocol.ledgers import NODES, outcome, statement
from .test_driver import FakePeer, make
from .test_reports import file, finish, job


def test_what_a_job_may_need_is_its_input_what_was_made_here_and_what_is_kept_here() -> None:
    made = job()
    finish(made, (0, 0), 1, "mine")
    finish(made, (1, 0), 2, "copied")
    made.state.note(NODES[1], replace(statement(StatementKind.KEPT, (1, 0)), node=NODES[2]))

    inputs = [found.digest for found in made.spec.items[0].files]
    printed = [outcome().stdout.digest, outcome().stderr.digest]

    assert content_of(made, NODES[1]) == [*inputs, file("mine").digest, *printed, file("copied").digest, *printed]
    assert content_of(made, NODES[2]) == [*inputs, file("copied").digest, *printed]
    assert content_of(made, NODES[3]) == inputs


def over(made: Job) -> None:
    made.state.note(NODES[0], statement(StatementKind.CANCELLED, attempt=0))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Room for three small files, one of which an unfinished job has made here."""
    store = Store(tmp_path, 9, reserve_bytes=0)
    store.add_bytes(b"one", "one")
    return store


def made_here() -> Job:
    made = job()
    finish(made, (0, 0), 1)
    attempt = made.state.unit((0, 0)).attempts[(1, NODES[1])]
    assert attempt.outcome is not None
    attempt.outcome = replace(attempt.outcome, outputs=(FileRef("one", 3, digest_of(b"one")),))
    return made


def fill(store: Store) -> None:
    """As much other content as there is room for."""
    for content in (b"two", b"ten", b"six"):
        with suppress(StoreFullError):
            store.add_bytes(content, "other")


def stays(store: Store) -> bool:
    fill(store)
    return store.has(digest_of(b"one"))


def test_what_nobody_has_pinned_goes_when_there_is_no_room(store: Store) -> None:
    assert not stays(store)


def test_pins_of_an_earlier_run_are_restored_before_anything_comes_in(store: Store) -> None:
    pins = Pins(store, NODES[1])
    assert not pins.restored.is_set()

    pins.restore([made_here()])

    assert pins.restored.is_set()
    assert stays(store)


def test_what_a_replica_keeps_stays_when_the_job_is_over_until_it_is_released(store: Store) -> None:
    pins, made = Pins(store, NODES[1]), made_here()
    over(made)
    made.replicas = (NODES[0], NODES[1])
    pins.restore([made])

    assert stays(store)
    pins.release(made.id)
    made.released = True  # as the origin remembers it
    pins.restore([made])
    assert not stays(store)


def test_what_a_node_that_only_ran_tasks_has_goes_when_the_job_is_over(store: Store) -> None:
    pins, made = Pins(store, NODES[1]), made_here()
    over(made)
    made.replicas = (NODES[0], NODES[2])

    pins.restore([made])

    assert not stays(store)


def test_what_comes_in_after_its_job_was_released_is_let_go_of_at_the_next_look(store: Store) -> None:
    pins, made = Pins(store, NODES[1]), made_here()
    pins.release(made.id)

    pins.pin(made.id, [digest_of(b"one")])

    assert stays(store)
    pins.restore([])
    assert not stays(store)


@pytest.mark.parametrize("forgotten", [False, True])
def test_pins_are_looked_after_once_in_a_while(store: Store, *, forgotten: bool) -> None:
    pins, jobs = Pins(store, NODES[1]), [made_here()]

    async def main() -> None:
        with trio.move_on_after(1.5 * PINS_S):
            async with trio.open_nursery() as nursery:
                pins.restore([])
                nursery.start_soon(pins.serve, lambda: jobs)
        assert stays(store)
        if forgotten:
            jobs.clear()
        else:
            over(jobs[0])
        with trio.move_on_after(1.5 * PINS_S):
            await pins.serve(lambda: jobs)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert not stays(store)


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
