"""Rooms in a real directory; the service that makes and removes them runs, unless a test says otherwise."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from pnode.node.held import HeldDirectory
from pnode.node.outputs import Ears
from pnode.node.processes import LINUX
from pnode.node.room import LIGHT_BYTES_MAX, LIGHT_ENTRIES_MAX, TICK_S, Room
from pnode.node.rooms import LEFT_MAX, READY, Rooms


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(HeldDirectory.find(tmp_path), "1-abcdef01", Ears())


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_room_is_empty_at_first_and_nothing_is_left_of_it(room: Room, tmp_path: Path) -> None:
    assert names(room.root.path) == ["here", "in", "inputs", "out", "stderr", "stdout"]
    assert room.is_bare
    assert room.is_light

    room.remove()
    room.close()

    assert names(tmp_path) == []


def test_what_was_printed_or_written_is_to_be_kept(tmp_path: Path) -> None:
    work, ears = HeldDirectory.find(tmp_path), Ears()
    printed, written = Room(work, "1-abcdef01", ears), Room(work, "2-abcdef01", ears)
    os.write(printed.logs[1].file, b"!")
    (written.outputs.path / "result").touch()

    assert not printed.is_bare
    assert not written.is_bare


@pytest.mark.parametrize("where", ["", "in", "out", "here"])
def test_a_room_with_much_in_it_is_heavy_wherever_that_is(room: Room, where: str, tmp_path: Path) -> None:
    place = room.root.path / where
    seen = []
    (place / "little").write_bytes(bytes(1000))
    seen.append(room.is_light)
    (place / "much").write_bytes(bytes(LIGHT_BYTES_MAX))
    seen.append(room.is_light)
    (place / "much").unlink()
    (place / "below").mkdir()
    seen.append(room.is_light)
    (place / "below").rmdir()
    for number in range(LIGHT_ENTRIES_MAX):
        (place / str(number)).touch()
    seen.append(room.is_light)

    room.remove()

    assert seen == [True, False, False, False]
    assert names(tmp_path) == []


def test_a_room_that_was_moved_away_is_left_alone_there(room: Room, tmp_path: Path) -> None:
    room.root.path.rename(tmp_path / "elsewhere")
    room.root.path.mkdir()
    (room.root.path / "instead").touch()

    room.remove()

    assert names(tmp_path) == ["elsewhere"]
    assert names(tmp_path / "elsewhere") == ["here", "in", "inputs", "out", "stderr", "stdout"]


def old(room: Room) -> Room:
    """A room that was made a while ago, as it is when a unit begins to work there."""
    time.sleep(2 * TICK_S)
    room.begin()
    return room


def test_a_room_is_untouched_as_long_as_nothing_was_done_there(room: Room) -> None:
    assert old(room).is_untouched

    assert room.is_untouched


@pytest.mark.parametrize(
    "change",
    [
        lambda room: (room.here.path / "file").touch(),
        lambda room: (room.outputs.path / "result").write_text("1"),
        lambda room: (room.inputs.path / "link").symlink_to("/"),
        lambda room: (room.root.path / "below").mkdir(),
        lambda room: os.write(room.logs[0].file, b"!"),
        lambda room: (room.root.path / "inputs").write_text("1"),
        lambda room: room.here.path.chmod(0o777),
        lambda room: os.utime(room.outputs.path),
        lambda room: (room.root.path / "stdout").rename(room.root.path / "stderr"),
        lambda room: (room.root.path.parent / "other").hardlink_to(room.root.path / "stdout"),
    ],
)
def test_whatever_was_done_in_a_room_it_is_not_untouched(room: Room, change: Callable[[Room], object]) -> None:
    old(room)
    change(room)

    assert not room.is_untouched


def test_what_was_done_in_a_room_and_undone_is_seen_too(room: Room) -> None:
    old(room)
    mark = room.here.path / "file"
    mark.touch()
    mark.unlink()

    assert not room.is_untouched


def test_of_a_room_that_was_just_made_nobody_can_tell_that_it_is_untouched(room: Room) -> None:
    room._made_s = time.monotonic()
    room.begin()

    assert not room.is_untouched


@asynccontextmanager
async def serving(work: Path, *, keep: bool = False) -> AsyncIterator[Rooms]:
    rooms = Rooms(HeldDirectory.find(work), keep=keep)
    async with trio.open_nursery() as nursery:
        await nursery.start(rooms.serve)
        yield rooms
        nursery.cancel_scope.cancel()


def in_trio(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with trio.fail_after(30):
            await test()

    trio.run(limited)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await trio.sleep(0.001)


def test_there_are_no_rooms_before_one_is_wanted_and_none_afterwards(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as rooms:
            await trio.testing.wait_all_tasks_blocked()
            assert names(tmp_path) == []
            taken = await rooms.take()
            await until(lambda: len(names(tmp_path)) == READY + 1)
            await rooms.leave(taken)
            await until(lambda: len(names(tmp_path)) == READY)

    in_trio(test)

    assert names(tmp_path) == []


def test_ready_rooms_are_taken_and_others_take_their_place_before_the_last_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as rooms:
            await rooms.take()
            await until(lambda: len(rooms._ready) == READY)
            ready = names(tmp_path)
            taken = [(await rooms.take()).name for _ in range(READY)]
            assert set(taken) < set(ready)
            await until(lambda: len(rooms._ready) == READY)

    in_trio(test)


def test_a_ready_room_that_was_tampered_with_is_not_given_away(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as rooms:
            first = await rooms.take()
            await until(lambda: len(rooms._ready) == READY)
            tampered = [path for path in tmp_path.iterdir() if path.name != first.name]
            for path in tampered:
                path.rename(path.with_name(f"gone-{path.name}"))
            found = await rooms.take()
            assert found.name not in [path.name for path in tampered]
            found.check()

    in_trio(test)


def test_an_untouched_room_is_taken_again_and_a_touched_one_is_removed(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as rooms:
            await rooms.leave(await rooms.take())
            await until(lambda: len(rooms._ready) == READY)
            await trio.sleep(2 * TICK_S)
            first = await rooms.take()
            await rooms.leave(first)
            again = await rooms.take()
            assert again is first
            (again.here.path / "little").touch()
            await rooms.leave(again)
            assert await rooms.take() is not first
            await until(lambda: first.name not in names(tmp_path))

    in_trio(test)


def test_a_heavy_room_is_gone_when_it_was_left_and_a_light_one_soon_after(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as rooms:
            heavy, light = await rooms.take(), await rooms.take()
            (heavy.here.path / "much").write_bytes(bytes(2 * LIGHT_BYTES_MAX))
            (light.here.path / "little").touch()
            await rooms.leave(heavy)
            assert heavy.name not in names(tmp_path)
            await rooms.leave(light)
            await until(lambda: light.name not in names(tmp_path))

    in_trio(test)


def test_rooms_that_wait_to_be_removed_are_few(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as rooms:
            taken = [await rooms.take() for _ in range(LEFT_MAX + 1)]
            for room in taken:
                (room.here.path / "little").touch()
            await trio.testing.wait_all_tasks_blocked(0.01)
            for room in taken[:-1]:
                await rooms.leave(room)
            await rooms.leave(taken[-1])
            assert taken[-1].name not in names(tmp_path)

    in_trio(test)


def test_without_the_service_a_room_is_made_when_it_is_taken_and_gone_when_it_was_left(tmp_path: Path) -> None:
    async def test() -> None:
        rooms = Rooms(HeldDirectory.find(tmp_path))
        taken = await rooms.take()
        assert names(tmp_path) == [taken.name]
        await rooms.leave(taken)

    in_trio(test)

    assert names(tmp_path) == []


def test_rooms_that_are_to_be_kept_stay(tmp_path: Path) -> None:
    async def test() -> None:
        rooms = Rooms(HeldDirectory.find(tmp_path), keep=True)
        await rooms.leave(await rooms.take())

    in_trio(test)

    assert len(names(tmp_path)) == 1


def test_rooms_that_nobody_wants_any_more_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.node.rooms.IDLE_S", 0.3)

    async def test() -> None:
        async with serving(tmp_path) as rooms:
            await rooms.leave(await rooms.take())
            await until(lambda: len(names(tmp_path)) == READY)
            await until(lambda: names(tmp_path) == [])

    in_trio(test)


def test_without_its_directory_there_is_no_room(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()

    async def test() -> None:
        async with serving(work) as rooms:
            await rooms.leave(await rooms.take())
            await until(lambda: len(names(work)) == READY)
            work.rename(tmp_path / "elsewhere")
            with pytest.raises(OSError, match="work is gone"):
                await rooms.take()
            (tmp_path / "elsewhere").rename(work)

    in_trio(test)


@pytest.mark.skipif(not LINUX, reason="only Linux shows the descriptors of a process")
def test_rooms_let_go_of_all_that_they_have_held(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as rooms:
            for _ in range(20):
                await rooms.leave(await rooms.take())

    in_trio(test)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    in_trio(test)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
