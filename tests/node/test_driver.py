"""The driver: events in, effects carried out, replies after the rows before them."""

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from pnode.node.api import RefusedError
from pnode.node.driver import CROWD, DATAGRAMS_MAX, TURN_MAX, TURNS_MAX, Driver
from pnode.node.hands import Hands
from pnode.node.journal import Journal, JournalError, JournalFile
from pnode.node.sampling import Sampling
from pnode.node.transfer import FetchError, NoRoomError
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.effects import Cancel, Dial, Effect, Erase, Fetch, Notify, Reply, Run, Save, Send, Sync, Unit
from pnode.protocol.events import (
    DatagramReceived,
    Event,
    Fetched,
    FetchFailed,
    FindJobs,
    Leave,
    RunEnded,
    SessionClosed,
    Synced,
)
from pnode.protocol.ids import JobId, NodeId, digest_of, node_text
from pnode.protocol.jobspec import FileRef
from pnode.protocol.peer import Peer
from pnode.protocol.roster import State

ME = NodeId(b"m" * 32)
UNIT = Unit(JobId(b"j" * 16), "task", 0, 1)
FILE = FileRef("file", 1, digest_of(b"x"))
RUN = Run(UNIT, Task("task", (), Program(ProgramKind.COMMAND, ("true",))), ((),), None, ())


@dataclass
class FakeMembership:
    """Says of everybody the same."""

    state: State

    def state_of(self, node: NodeId) -> State:
        return self.state


class FakePeer:
    """Notes what it is told and answers with prepared effects."""

    def __init__(self, answers: dict[type[Event], list[Effect]] | None = None) -> None:
        self.answers = answers or {}
        self.heard: list[Event] = []
        self.ticks = 0
        self.ticked_after: list[int] = []
        """How much it had been told at each tick."""
        self.deadline = math.inf
        self.membership: FakeMembership | None = None

    def handle(self, event: Event, now: float) -> list[Effect]:
        self.heard.append(event)
        if isinstance(event, FindJobs):
            return [*self.answers.get(FindJobs, []), Reply(event.request, b"value", None)]
        return self.answers.get(type(event), [])

    def tick(self, now: float) -> list[Effect]:
        self.ticks += 1
        self.ticked_after.append(len(self.heard))
        self.deadline = math.inf
        return []


class NoSampling(Sampling):
    """Never looks at the machine."""

    def __init__(self) -> None:
        super().__init__(lambda: False)
        self.deadline = math.inf

    def look(self, now: float, due: float) -> None:
        return None


class FakeOutside:
    def __init__(self) -> None:
        self.performed: list[Effect] = []

    def perform(self, effect: Effect) -> None:
        self.performed.append(effect)


class SlowJournal(Journal):
    """Says when it has written, and waits for permission to."""

    def __init__(self, path: Path) -> None:
        super().__init__(JournalFile(path))
        self.may_write = trio.Event()

    async def save(self, changes: Iterable[tuple[str, bytes, bytes | None]]) -> None:
        await self.may_write.wait()
        await super().save(changes)


class FullJournal(Journal):
    """There is no room for a second commit."""

    commits = 0

    async def save(self, changes: Iterable[tuple[str, bytes, bytes | None]]) -> None:
        self.commits += 1
        if self.commits > 1:
            raise JournalError("the disk is full")
        await super().save(changes)


class FakeLine:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Unit]] = []

    def attach(self, deliver: Callable[[RunEnded], None], carry_out: Callable[[Run], None]) -> None:
        pass

    def announce(self, run: Run) -> bool:
        self.told.append(("announce", run.unit))
        return False

    def recall(self, unit: Unit) -> None:
        self.told.append(("recall", unit))

    def cancel(self, unit: Unit) -> None:
        self.told.append(("cancel", unit))

    def leave(self, unit: Unit) -> None:
        self.told.append(("leave", unit))


async def no_run(run: Run) -> RunEnded:
    await trio.sleep_forever()
    raise AssertionError


async def no_fetch(fetch: Fetch) -> Fetched:
    if fetch.file.name == "large":
        raise NoRoomError("the disk is full")
    raise FetchError("nobody has it")


def make(
    peer: FakePeer,
    tmp_path: Path,
    *,
    journal: Journal | None = None,
    clock: Callable[[], float] = trio.current_time,
    run_unit: Callable[[Run], Awaitable[RunEnded]] = no_run,
    sampling: Sampling | None = None,
) -> tuple[Driver, FakeOutside]:
    outside = FakeOutside()
    journal = journal or Journal(JournalFile(tmp_path / "journal.db"))
    hands = Hands(run_unit, FakeLine(), no_fetch, keep=lambda _: None, let_go=lambda _: [], release=lambda _: None)
    return Driver(cast(Peer, peer), outside, journal, clock, hands, sampling or NoSampling()), outside


def drive(scenario: Callable[[Driver], Awaitable[None]], driver: Driver, begin: list[Effect] | None = None) -> None:
    async def main() -> None:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(driver.serve, lambda: begin or [])
                await scenario(driver)
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_deadline_that_passes_between_two_looks_at_the_clock_is_only_a_deadline(tmp_path: Path) -> None:
    peer = FakePeer()
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        if now == 1.0:
            peer.deadline = 1.5
        return now

    driver, _ = make(peer, tmp_path, clock=clock)

    async def scenario(driver: Driver) -> None:
        while not peer.ticks:
            driver.deliver(SessionClosed(ME, "", orderly=True))
            await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver)

    assert peer.ticks


def test_what_concerns_the_network_goes_to_the_transport_in_order(tmp_path: Path) -> None:
    effects: list[Effect] = [Dial((), None), Send(ME, b"1"), Send(ME, b"2")]
    driver, outside = make(FakePeer(), tmp_path)

    async def scenario(driver: Driver) -> None:
        await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver, effects)

    assert outside.performed == effects


def test_a_reply_waits_for_the_rows_saved_before_it(tmp_path: Path) -> None:
    journal = SlowJournal(tmp_path / "journal.db")
    peer = FakePeer({FindJobs: [Save("table", b"key", b"row")]})
    driver, _ = make(peer, tmp_path, journal=journal)
    values: list[bytes] = []

    async def scenario(driver: Driver) -> None:
        async def ask() -> None:
            values.append(await driver.ask(FindJobs))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            assert not values
            journal.may_write.set()

    drive(scenario, driver)

    assert values == [b"value"]
    assert journal.rows("table") == [(b"key", b"row")]


def test_rows_are_said_to_be_synced_when_they_are_on_the_disk_and_not_before(tmp_path: Path) -> None:
    journal = SlowJournal(tmp_path / "journal.db")
    peer = FakePeer()
    driver, _ = make(peer, tmp_path, journal=journal)

    async def scenario(driver: Driver) -> None:
        await trio.testing.wait_all_tasks_blocked()
        assert peer.heard == []
        journal.may_write.set()
        while not peer.heard:
            await trio.testing.wait_all_tasks_blocked()
        assert journal.rows("table") == [(b"key", b"row")]

    drive(scenario, driver, [Save("table", b"key", b"row"), Sync(7)])

    assert peer.heard == [Synced(7)]


def test_a_sync_with_nothing_to_save_is_answered_all_the_same(tmp_path: Path) -> None:
    peer = FakePeer()
    driver, _ = make(peer, tmp_path)

    async def scenario(driver: Driver) -> None:
        while not peer.heard:
            await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver, [Sync(1)])

    assert peer.heard == [Synced(1)]


def test_rows_are_saved_and_erased_in_the_order_in_which_the_core_said_so(tmp_path: Path) -> None:
    journal = Journal(JournalFile(tmp_path / "journal.db"))
    driver, _ = make(FakePeer(), tmp_path, journal=journal)
    effects: list[Effect] = [
        Save("t", b"a", b"1"), Save("t", b"b", b"1"), Erase("t", b"a"), Save("t", b"c", b"1"), Erase("t", b"b"),
        Save("t", b"a", b"2"),
    ]  # fmt: skip

    async def scenario(driver: Driver) -> None:
        await driver.written()

    drive(scenario, driver, effects)

    assert journal.rows("t") == [(b"c", b"1"), (b"a", b"2")]


def test_when_the_journal_fails_nothing_is_promised_any_more(tmp_path: Path) -> None:
    peer = FakePeer({FindJobs: [Save("t", b"k", b"v"), Sync(2)]})
    journal = FullJournal(JournalFile(tmp_path / "journal.db"))
    driver, _ = make(peer, tmp_path, journal=journal)

    async def scenario(driver: Driver) -> None:
        await driver.ask(FindJobs)
        for _ in range(2):
            with pytest.raises(RefusedError, match="the disk is full"):
                await driver.ask(FindJobs)
        with pytest.raises(RefusedError, match="the disk is full"):
            await driver.written()
        await driver.failed.wait()
        driver.deliver(Leave(99))  # it still hears what it is told, for the farewell
        while not isinstance(peer.heard[-1], Leave):
            await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver)

    assert [event for event in peer.heard if isinstance(event, Synced)] == [Synced(2)]
    assert str(driver.failure) == "the disk is full"
    assert journal.commits == 2, "after a commit that has failed there is none"


def test_a_request_that_nobody_waits_for_any_more_may_still_be_answered(tmp_path: Path) -> None:
    journal = SlowJournal(tmp_path / "journal.db")
    driver, _ = make(FakePeer({FindJobs: [Save("t", b"k", b"v")]}), tmp_path, journal=journal)

    async def scenario(driver: Driver) -> None:
        with driver.request(FindJobs) as request:
            await trio.testing.wait_all_tasks_blocked()
            assert not request.answered.is_set()
        journal.may_write.set()
        await driver.written()
        assert request.reply is None

    drive(scenario, driver)


def test_the_cores_refusal_reaches_whoever_asked(tmp_path: Path) -> None:
    class Refusing(FakePeer):
        def handle(self, event: Event, now: float) -> list[Effect]:
            assert isinstance(event, FindJobs)
            return [Reply(event.request, b"", "not now")]

    driver, _ = make(Refusing(), tmp_path)

    async def scenario(driver: Driver) -> None:
        with pytest.raises(RefusedError, match="not now"):
            await driver.ask(FindJobs)

    drive(scenario, driver)


def test_a_cancelled_unit_is_reported_as_ended(tmp_path: Path) -> None:
    peer = FakePeer({SessionClosed: [Cancel(UNIT)]})
    driver, _ = make(peer, tmp_path)

    async def scenario(driver: Driver) -> None:
        driver.deliver(SessionClosed(ME, "", orderly=True))
        while not any(isinstance(event, RunEnded) for event in peer.heard):
            await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver, [RUN])

    ended = peer.heard[-1]
    assert isinstance(ended, RunEnded)
    assert (ended.unit, ended.failure) == (UNIT, "cancelled")


def test_a_fetch_that_fails_is_an_event(tmp_path: Path) -> None:
    peer = FakePeer()
    driver, _ = make(peer, tmp_path)

    async def scenario(driver: Driver) -> None:
        while not peer.heard:
            await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver, [Fetch(FILE, (ME,))])

    assert peer.heard == [FetchFailed(FILE, "nobody has it")]


def test_a_fetch_for_which_there_is_no_room_blames_nobody_else(tmp_path: Path) -> None:
    peer, large = FakePeer(), replace(FILE, name="large")
    driver, _ = make(peer, tmp_path)

    async def scenario(driver: Driver) -> None:
        while not peer.heard:
            await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver, [Fetch(large, (ME,))])

    assert peer.heard == [FetchFailed(large, "the disk is full", ours=True)]


def test_whoever_waits_for_a_change_is_woken_by_it_and_by_nothing_else(tmp_path: Path) -> None:
    peer = FakePeer({SessionClosed: [Notify("job", b"a")]})
    driver, _ = make(peer, tmp_path)

    async def scenario(driver: Driver) -> None:
        one, other = driver.change("job", b"a"), driver.change("job", b"b")
        driver.deliver(SessionClosed(ME, "", orderly=True))
        await one.wait()

        assert not other.is_set()

    drive(scenario, driver)


def test_what_becomes_of_a_member_is_logged_and_that_its_record_is_new_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    peer = FakePeer({SessionClosed: [Notify("members", ME)]})
    driver, _ = make(peer, tmp_path)

    async def scenario(driver: Driver) -> None:
        for state in (State.ALIVE, State.ALIVE, State.SUSPECT):
            peer.membership = FakeMembership(state)
            changed = driver.change("members", ME)
            driver.deliver(SessionClosed(ME, "", orderly=True))
            await changed.wait()

    drive(scenario, driver)

    told = [record.message for record in caplog.records if record.message.startswith("member:")]
    assert told == [f"member: peer={node_text(ME)} state={state}" for state in ("alive", "suspect")]


def test_datagrams_are_dropped_when_too_much_waits_and_nothing_else_is(tmp_path: Path) -> None:
    peer = FakePeer()
    driver, _ = make(peer, tmp_path)
    for _ in range(DATAGRAMS_MAX + 5):
        driver.deliver(DatagramReceived(ME, b""))
    driver.deliver(SessionClosed(ME, "", orderly=True))

    async def scenario(driver: Driver) -> None:
        while not isinstance(peer.heard[-1] if peer.heard else None, SessionClosed):
            await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver)

    assert len(peer.heard) == DATAGRAMS_MAX + 1


def test_a_flood_does_not_keep_the_core_from_ticking(tmp_path: Path) -> None:
    """A node that does not tick answers no probe, and is given up."""
    peer = FakePeer()
    peer.deadline = 0.0
    driver, _ = make(peer, tmp_path)
    for _ in range(TURN_MAX * (TURNS_MAX + 1)):
        driver.deliver(SessionClosed(ME, "", orderly=True))

    async def scenario(driver: Driver) -> None:
        while not peer.ticks:
            await trio.lowlevel.checkpoint()

    drive(scenario, driver)

    assert peer.ticked_after[0] == TURN_MAX * TURNS_MAX


def test_who_reads_sessions_waits_while_too_much_waits(tmp_path: Path) -> None:
    peer = FakePeer()
    driver, _ = make(peer, tmp_path)
    for _ in range(CROWD + 1):
        driver.deliver(SessionClosed(ME, "", orderly=True))

    async def scenario(driver: Driver) -> None:
        await driver.room()
        assert 1 < len(peer.heard) <= CROWD + 1

    drive(scenario, driver)


def test_a_datagram_wakes_nobody_but_who_has_received_it(tmp_path: Path) -> None:
    peer = FakePeer({DatagramReceived: [Send(ME, b"answer")]})
    driver, outside = make(peer, tmp_path)

    async def scenario(driver: Driver) -> None:
        await trio.testing.wait_all_tasks_blocked()
        driver.deliver(DatagramReceived(ME, b"question"))
        assert outside.performed == [Send(ME, b"answer")], "though no other task has run meanwhile"

    drive(scenario, driver)

    assert len(peer.heard) == 1


def test_what_happens_while_a_datagram_is_handled_happens_after_it(tmp_path: Path) -> None:
    peer = FakePeer({DatagramReceived: [Send(ME, b"answer")]})
    driver, outside = make(peer, tmp_path)
    said: list[Effect | None] = []
    perform = outside.perform

    def answered(effect: Effect) -> None:
        perform(effect)
        driver.deliver(SessionClosed(ME, "", orderly=True))
        said.append(effect)

    outside.perform = answered  # type: ignore[method-assign]

    async def scenario(driver: Driver) -> None:
        await trio.testing.wait_all_tasks_blocked()
        driver.deliver(DatagramReceived(ME, b"question"))
        assert [type(event) for event in peer.heard] == [DatagramReceived]
        await trio.testing.wait_all_tasks_blocked()

    drive(scenario, driver)

    assert said == [Send(ME, b"answer")]
    assert [type(event) for event in peer.heard] == [DatagramReceived, SessionClosed]


def test_a_deadline_that_a_datagram_has_moved_counts(tmp_path: Path) -> None:
    peer = FakePeer()
    driver, _ = make(peer, tmp_path)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(driver.serve, list)
            await trio.testing.wait_all_tasks_blocked()
            peer.deadline = trio.current_time() + 3.0
            driver.deliver(DatagramReceived(ME, b""))
            await trio.sleep(2.75)
            assert not peer.ticks
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert peer.ticks == 1


def test_a_datagram_that_comes_when_all_is_over_does_no_harm(tmp_path: Path) -> None:
    peer = FakePeer({DatagramReceived: [RUN]})
    driver, _ = make(peer, tmp_path)

    drive(lambda _: trio.testing.wait_all_tasks_blocked(), driver)
    driver.deliver(DatagramReceived(ME, b""))

    assert not peer.heard
