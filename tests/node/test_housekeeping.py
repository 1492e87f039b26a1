"""Housekeeping: what is pinned in the store, and for how long."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from pnode.node.housekeeping import PINS_S, Pins, content_of
from pnode.node.store import Store
from pnode.node.trouble import StoreFullError
from pnode.protocol.effects import LetGo
from pnode.protocol.ids import Digest, JobId, digest_of
from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef
from pnode.protocol.ledger import StatementKind

from ..protocol.ledgers import NODES, outcome, statement
from .test_reports import file, finish, job

JOB = JobId(b"j" * 16)


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


def test_of_what_is_spent_only_what_it_printed_is_needed() -> None:
    made = job()
    finish(made, (0, 0), 1, "mine")
    made.state.note(NODES[2], replace(statement(StatementKind.SPENT, (0, 0)), node=NODES[1]))

    needed = content_of(made, NODES[1])
    assert file("mine").digest not in needed
    assert outcome().stdout.digest in needed


def test_of_a_job_that_is_over_only_its_results_and_what_was_printed_are_needed() -> None:
    made = job()
    finish(made, (0, 0), 1, "between")
    finish(made, (1, 0), 1, "result")
    over(made)

    needed = content_of(made, NODES[1])
    assert file("between").digest not in needed
    assert {file("result").digest, outcome().stdout.digest} <= set(needed)


def test_what_is_short_is_not_let_go_though_somebody_has_called_it_large(store: Store) -> None:
    pins = Pins(store, NODES[1])
    short = store.add_bytes(b"short", "result", owner=JOB)

    assert pins.let_go(LetGo(JOB, (Digest(short.digest),))) == []
    assert store.read(short.digest) == b"short"


def over(made: Job) -> None:
    made.state.note(NODES[0], statement(StatementKind.CANCELLED, attempt=0))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Room for three small files, one of which an unfinished job has made here."""
    store = Store(tmp_path, 9, reserve_bytes=0)
    store.add_bytes(b"one", "one")
    return store


def made_here() -> Job:
    """The job is for it."""
    made = job()
    finish(made, (1, 0), 1)
    attempt = made.state.unit((1, 0)).attempts[(1, NODES[1])]
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
