import errno
import io
import os
import shutil
import stat
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.node.copying import remove_files
from pnode.node.download import Download, WrongContentError
from pnode.node.shelf import Shelf
from pnode.node.store import Store
from pnode.node.trouble import MissingContentError, StoreFullError
from pnode.protocol.ids import CHUNK_BYTES, chunk_digest, content_digest, digest_of
from pnode.protocol.jobspec import FileRef

from .soundness import is_sound


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def large(seed: int = 1) -> bytes:
    """Content of two whole chunks and a bit."""
    return bytes([seed]) * CHUNK_BYTES + bytes([seed + 1]) * CHUNK_BYTES + b"end"


def chunks_of(content: bytes) -> list[bytes]:
    return [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]


def list_of(content: bytes) -> bytes:
    return b"".join(chunk_digest(chunk) for chunk in chunks_of(content))


def files_in(store: Store) -> set[str]:
    return {path.name for path in store.root.rglob("*") if path.is_file()} - {"run", "naming"}


def ref(content: bytes, name: str = "file") -> FileRef:
    return FileRef(name, len(content), digest_of(content))


@pytest.mark.parametrize("content", [b"", b"x", bytes(CHUNK_BYTES), large()], ids=["empty", "one", "chunk", "large"])
def test_content_is_found_under_its_digest(store: Store, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "source").write_bytes(content)

    assert store.add_file(tmp_path / "source") == ref(content, "source")
    assert store.add_bytes(content, "other") == ref(content, "other")
    assert store.read(digest_of(content)) == content
    assert store.chunk_list(digest_of(content)) == list_of(content)
    assert store.used_bytes == store.size_bytes(digest_of(content)) == len(content)
    assert is_sound(store, digest_of(content))


def test_what_was_never_added_is_missing(store: Store, tmp_path: Path) -> None:
    digest = digest_of(b"never")

    assert not store.has(digest)
    assert not is_sound(store, digest)
    for call in (store.open, store.read, store.chunk_list, store.size_bytes):
        with pytest.raises(MissingContentError, match=f"content {digest.hex()[:16]} is not in the store"):
            call(digest)
    with pytest.raises(MissingContentError):
        store.materialise(digest, tmp_path / "target")


def test_a_file_that_was_added_may_change_afterwards(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"before")
    file = store.add_file(source)
    source.write_bytes(b"after!")

    assert store.read(file.digest) == b"before"


def test_a_file_that_is_moved_in_is_gone_from_its_place(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for content in (b"moved", b"moved"):  # the second time it is in the store already
        source.write_bytes(content)
        file = store.add_file(source, "name", move=True)

        assert file == ref(b"moved", "name")
        assert not source.exists()
    assert store.read(file.digest) == b"moved"


def test_a_file_with_another_hard_link_is_copied_though_it_could_be_moved(store: Store, tmp_path: Path) -> None:
    source, link = tmp_path / "source", tmp_path / "link"
    source.write_bytes(b"shared")
    link.hardlink_to(source)
    file = store.add_file(source, move=True)
    link.write_bytes(b"harmed")

    assert not source.exists()
    assert store.read(file.digest) == b"shared"


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs another file system")
def test_a_file_on_another_file_system_can_be_moved_in(store: Store) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        source = Path(directory, "source")
        source.write_bytes(large())
        file = store.add_file(source, move=True)

        assert not source.exists()
    assert store.read(file.digest) == large()


def test_a_file_that_cannot_be_read_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.add_file(tmp_path / "missing")
    (tmp_path / "directory").mkdir()
    with pytest.raises(IsADirectoryError):
        store.add_file(tmp_path / "directory")

    assert files_in(store) == set()


def test_a_copy_belongs_to_its_owner_and_the_store_stays_whole(store: Store, tmp_path: Path) -> None:
    file = store.add_bytes(large(), "file")
    target = tmp_path / "copy"
    store.materialise(file.digest, target)

    assert target.read_bytes() == large()
    assert target.stat().st_mode & stat.S_IWUSR
    target.write_bytes(b"overwritten")
    target.chmod(0)
    assert is_sound(store, file.digest)
    assert stat.S_IMODE(store.path(file.digest).stat().st_mode) == 0o444


def test_a_copy_replaces_nothing(store: Store, tmp_path: Path) -> None:
    file = store.add_bytes(b"content", "file")
    (tmp_path / "taken").write_bytes(b"mine")

    with pytest.raises(FileExistsError):
        store.materialise(file.digest, tmp_path / "taken")
    assert (tmp_path / "taken").read_bytes() == b"mine"


def test_copying_works_where_the_kernel_does_not_help(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = store.add_bytes(large(), "file")
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    store.materialise(file.digest, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == large()


def test_what_need_not_last_outlives_the_process_and_not_the_machine(tmp_path: Path, run: Path) -> None:
    store = Store(tmp_path / "store")
    lasting = store.add_bytes(b"lasting", "file")
    with io.BytesIO(b"passing") as content:
        passing = store.add_open(content, "file", 7, lasting=False)
    found = Store(store.root).read(passing.digest)
    run.write_text("the second")
    later = Store(store.root)

    assert found == b"passing"
    assert [later.has(file.digest) for file in (lasting, passing)] == [True, False]


def test_the_first_content_of_a_directory_can_be_found_by_the_name_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, synced = Store(tmp_path / "store"), []

    def note(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    path = store.path(store.add_bytes(b"content", "file").digest)

    assert {store.root, path.parent} <= set(synced)
    assert synced.index(store.root) < synced.index(path.parent)


def test_what_was_held_and_got_a_file_outlives_the_process_and_not_the_machine(tmp_path: Path, run: Path) -> None:
    store, digest = Store(tmp_path / "store"), digest_of(b"held")
    store.hold(b"held", digest, b"job")
    found = store.path(digest).read_bytes()
    again = Store(store.root)
    run.write_text("the second")

    assert found == again.read(digest) == b"held"
    assert not Store(store.root).has(digest)


@pytest.mark.parametrize("how", ["settled", "taken in"])
@pytest.mark.parametrize("has_file", [True, False])
def test_what_was_held_is_settled_when_it_is_to_last(tmp_path: Path, run: Path, has_file: bool, how: str) -> None:
    """Another job needs it that does not have it in its ledger."""
    store, digest = Store(tmp_path / "store"), digest_of(b"held")
    store.hold(b"held", digest, b"job")
    if has_file:
        store.path(digest)
    if how == "settled":
        store.settle(digest)
    else:
        store.add_bytes(b"held", "file", owner=b"another")
    run.write_text("the second")

    assert Store(store.root).read(digest) == b"held"


def test_what_is_held_stays_so_when_the_disk_takes_no_file_of_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_of(b"held")
    store.hold(b"held", digest, b"job")
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", _disk_is_full)
        with pytest.raises(StoreFullError):
            store.settle(digest)

    assert store.read(digest) == b"held"


def _disk_is_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_download_that_was_broken_off_at_its_end_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but root may write to a file that has been marked as being on the disk."""
    content = b"content"
    file = FileRef("file", len(content), digest_of(content))
    store = Store(tmp_path / "store")
    with monkeypatch.context() as broken, Download(store, file) as download:
        download.take_list(chunk_digest(content))
        download.take_chunk(content)
        broken.setattr(os, "fsync", _broken_off)
        with pytest.raises(InterruptedError):
            download.finish(lasting=True)
    with Download(store, file):
        (path,) = store.root.rglob("*.part")
        mode = stat.S_IMODE(path.stat().st_mode)

    assert mode == 0o600


def test_a_start_that_is_broken_off_leaves_nothing_to_be_believed(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    with io.BytesIO(b"passing") as content:
        passing = store.add_open(content, "file", 7, lasting=False)
    run.write_text("the second")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", _broken_off)
        with pytest.raises(InterruptedError):
            Store(store.root)

    assert not Store(store.root).has(passing.digest)


def _broken_off(*_: object) -> None:
    raise InterruptedError


def test_where_nobody_tells_whether_the_machine_was_off_it_was(tmp_path: Path, run: Path) -> None:
    store = Store(tmp_path / "store")
    with io.BytesIO(b"passing") as content:
        passing = store.add_open(content, "file", 7, lasting=False)
    run.unlink()

    assert not Store(store.root).has(passing.digest)


@pytest.mark.parametrize("how", ["settled", "again", "at the next start"])
def test_what_was_not_to_last_is_there_for_good_once_it_is(tmp_path: Path, run: Path, how: str) -> None:
    store = Store(tmp_path / "store")
    with io.BytesIO(b"content") as content:
        file = store.add_open(content, "file", 7, lasting=False)
    if how == "again":
        store.add_bytes(b"content", "file")
    elif how == "settled":
        store.settle(file.digest)
    else:
        Store(store.root).settle(file.digest)
    run.write_text("the second")

    assert Store(store.root).read(file.digest) == b"content"


def test_what_is_not_here_cannot_be_settled(store: Store) -> None:
    with io.BytesIO(b"content") as content:
        file = store.add_open(content, "file", 7, lasting=False)
    store.path(file.digest).unlink()

    with pytest.raises(MissingContentError):
        store.settle(file.digest)


def test_content_that_somebody_removed_by_hand_is_missing_from_then_on(store: Store) -> None:
    file = store.add_bytes(b"content", "file")
    store.path(file.digest).unlink()

    with pytest.raises(MissingContentError):
        store.open(file.digest)
    assert not store.has(file.digest)
    assert store.used_bytes == 0


@pytest.mark.parametrize("damage", ["lost", "wrong"])
def test_a_lost_or_damaged_list_of_chunks_is_made_again(store: Store, damage: str) -> None:
    file = store.add_bytes(large(), "file")
    path = store.path(file.digest)
    chunks = path.with_name(path.name + ".chunks")
    if damage == "lost":
        chunks.unlink()
    else:
        chunks.write_bytes(b"?" * 96)

    assert store.chunk_list(file.digest) == list_of(large())


def test_a_store_remembers_its_content_and_sweeps_up_after_a_crash(store: Store) -> None:
    kept = store.add_bytes(large(), "file")
    home = store.path(kept.digest).parent
    orphan = "0" * 62
    (store.root / "new" / "7").write_bytes(b"half")
    (home / f"{orphan}.part").write_bytes(b"no list")
    (home / f"{'1' * 62}.chunks").write_bytes(b"list of nothing")
    for name in (f"{'2' * 62}.part", f"{'2' * 62}.chunks"):
        (home / name).write_bytes(b"old")
        os.utime(home / name, (0, 0))
    (home / "notes.txt").write_bytes(b"not ours")
    again = Store(store.root)

    assert again.read(kept.digest) == large()
    assert again.used_bytes == len(large())
    name = store.path(kept.digest).name
    assert files_in(again) - {f"{'2' * 62}.chunks"} == {name, f"{name}.chunks", "notes.txt"}
    assert files_in(Store(store.root)) == {name, f"{name}.chunks", "notes.txt"}


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", quota_bytes=30)
    first, second, third = (store.add_bytes(letter * 10, "file") for letter in (b"a", b"b", b"c"))
    store.read(first.digest)
    store.add_bytes(b"d" * 15, "file")

    assert [store.has(file.digest) for file in (first, second, third)] == [True, False, False]
    assert store.used_bytes == 25


def test_the_order_of_use_outlives_the_process(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", quota_bytes=30)
    files = [store.add_bytes(letter * 10, "file") for letter in (b"a", b"b", b"c")]
    for age, file in zip((100, 300, 200), files, strict=True):
        os.utime(store.path(file.digest), (time.time() - age,) * 2)
    store.read(files[1].digest)  # long enough ago to be noted on the disk
    again = Store(tmp_path / "store", quota_bytes=30)
    again.add_bytes(b"d" * 10, "file")

    assert [again.has(file.digest) for file in files] == [True, True, False]


def test_what_is_pinned_is_never_evicted(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", quota_bytes=30)
    mine = store.add_bytes(b"a" * 10, "file", owner=b"job")
    shared = store.add_bytes(b"b" * 10, "file")
    store.pin(b"job", [shared.digest])
    store.pin(b"other job", [shared.digest])
    cached = store.add_bytes(b"c" * 10, "file")

    with pytest.raises(StoreFullError, match="no room for 11 bytes: 30 of 30 are in use"):
        store.add_bytes(b"d" * 11, "file")
    assert store.has(cached.digest)  # it would not have helped
    store.unpin(b"job")
    store.add_bytes(b"d" * 20, "file")
    assert [store.has(file.digest) for file in (mine, shared, cached)] == [False, True, False]


def test_content_that_is_here_already_needs_no_room(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", quota_bytes=10)
    store.add_bytes(b"a" * 10, "file")
    again = store.add_bytes(b"a" * 10, "again", owner=b"job")

    assert again.name == "again"
    with pytest.raises(StoreFullError):
        store.add_bytes(b"b", "file")


def test_a_full_disk_is_a_stated_error(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StoreFullError, match="disk that holds the store is full"):
        store.add_bytes(b"content", "file")
    assert files_in(store) == set()


def test_the_last_of_the_disk_is_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store", quota_bytes=1000, reserve_bytes=100)
    mine = store.add_bytes(b"a" * 10, "file", owner=b"job")
    cached = store.add_bytes(b"b" * 10, "file")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))

    with pytest.raises(StoreFullError, match="the disk that holds the store has no room for 11 bytes and some to"):
        store.add_bytes(b"c" * 11, "file")
    assert store.has(cached.digest)  # it would not have helped
    store.add_bytes(b"d" * 10, "file")

    assert [store.has(file.digest) for file in (mine, cached)] == [True, False]


def test_what_is_empty_needs_no_room_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))

    assert store.has(store.add_bytes(b"", "nothing").digest)


def test_what_is_let_go_is_gone_at_once_and_its_file_soon(store: Store) -> None:
    kept = store.add_bytes(b"content", "a", owner=b"job")

    (path,) = store.let_go(b"job", [kept.digest])

    assert not store.has(kept.digest)
    assert not store.path(kept.digest).exists()
    assert path.read_bytes() == b"content"


def test_what_is_held_can_be_let_go(store: Store) -> None:
    digest = digest_of(b"short")
    store.hold(b"short", digest, b"job")

    letting_go = threading.Thread(target=store.let_go, args=(b"job", [digest]), daemon=True)
    letting_go.start()
    letting_go.join(5.0)

    assert not letting_go.is_alive()
    assert not store.has(digest)


def test_what_another_owner_has_pinned_is_not_let_go(store: Store) -> None:
    kept = store.add_bytes(b"content", "a", owner=b"job")
    store.pin(b"other", [kept.digest])

    assert store.let_go(b"job", [kept.digest]) == []
    assert store.read(kept.digest) == b"content"


def test_what_has_been_added_twice_is_not_let_go_with_the_first(store: Store) -> None:
    """A second task has written the same, which whoever leads has still to hear of."""
    first = store.add_bytes(b"content", "a", owner=b"job")
    store.add_bytes(b"content", "b", owner=b"job")

    assert store.let_go(b"job", [first.digest]) == []
    assert store.read(first.digest) == b"content"
    store.unpin(b"job")
    store.add_bytes(b"content", "a", owner=b"job")
    assert store.let_go(b"job", [first.digest]) != []


def test_what_comes_in_while_it_is_let_go_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its name before the store knows of it."""
    digest = digest_of(b"content")
    store.pin(b"job", [digest])
    put = Shelf.put

    def put_after(shelf: Shelf, digest: bytes, size_bytes: int) -> None:
        store._lock.release()
        assert store.let_go(b"job", [digest]) == []
        store._lock.acquire()
        put(shelf, digest, size_bytes)

    monkeypatch.setattr(Shelf, "put", put_after)
    store.add_bytes(b"content", "a", owner=b"job")

    assert store.read(digest) == b"content"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.sampled_from(["put", "pin", "unpin", "touch"]))))
def test_a_shelf_counts_what_it_holds_and_keeps_what_is_pinned(steps: list[tuple[int, int, str]]) -> None:
    shelf = Shelf(quota_bytes=20)
    held: dict[bytes, int] = {}
    pinned: set[bytes] = set()
    for number, size, step in steps:
        digest = bytes([number])
        if step == "put" and digest not in held:
            victims = shelf.victims(size, free_bytes=1000)
            if victims is None:
                assert sum(held[pin] for pin in pinned if pin in held) + size > 20
                continue
            for victim in victims[1]:
                assert victim not in pinned
                shelf.take(victim)
                del held[victim]
            shelf.put(digest, size)
            held[digest] = size
        elif step == "pin":
            shelf.pin(digest, [digest])
            pinned.add(digest)
        elif step == "unpin":
            shelf.unpin(digest)
            pinned.discard(digest)
        elif step == "touch":
            assert shelf.touch(digest) == (digest in held)
        assert shelf.used_bytes == sum(held.values()) <= 20


def test_a_download_becomes_content(store: Store) -> None:
    content = large()
    with Download(store, ref(content)) as download:
        assert store.used_bytes == len(content)
        download.take_list(list_of(content))
        for chunk in chunks_of(content):
            assert not download.complete
            download.take_chunk(chunk)
        download.finish(lasting=True)

    assert is_sound(store, digest_of(content))
    assert store.used_bytes == len(content)
    assert store.chunk_list(digest_of(content)) == list_of(content)
    assert {path.suffix for path in store.root.rglob("*") if path.is_file()} == {"", ".chunks"}


@pytest.mark.parametrize("content", [b"", b"small"])
def test_a_download_of_little_or_nothing_becomes_content(store: Store, content: bytes) -> None:
    with Download(store, ref(content)) as download:
        assert not download.complete
        download.take_list(list_of(content))
        for chunk in chunks_of(content):
            download.take_chunk(chunk)
        download.finish(lasting=True)

    assert store.read(digest_of(content)) == content


@pytest.mark.parametrize("restart", [False, True])
def test_a_download_goes_on_where_it_stopped(store: Store, restart: bool) -> None:
    content = large()
    with Download(store, ref(content)) as download:
        download.take_list(list_of(content))
        download.take_chunk(chunks_of(content)[0])
    store = Store(store.root) if restart else store
    with Download(store, ref(content)) as download:
        assert download.verified == 1
        for chunk in chunks_of(content)[1:]:
            download.take_chunk(chunk)
        download.finish(lasting=True)

    assert is_sound(store, digest_of(content))
    assert store.used_bytes == len(content)


def test_what_an_earlier_attempt_left_is_not_believed_unseen(store: Store) -> None:
    content = large()
    with Download(store, ref(content)) as download:
        download.take_list(list_of(content))
        for chunk in chunks_of(content)[:2]:
            download.take_chunk(chunk)
    path = store.path(digest_of(content))
    with path.with_name(path.name + ".part").open("r+b") as part:
        part.seek(CHUNK_BYTES + 5)
        part.write(b"?")
    with Download(store, ref(content)) as download:
        assert download.verified == 1
        for chunk in chunks_of(content)[1:]:
            download.take_chunk(chunk)
        download.finish(lasting=True)

    assert is_sound(store, digest_of(content))


def test_a_download_that_had_everything_needs_only_to_be_finished(store: Store) -> None:
    content = large()
    with Download(store, ref(content)) as download:
        download.take_list(list_of(content))
        for chunk in chunks_of(content):
            download.take_chunk(chunk)
    with Download(Store(store.root), ref(content)) as download:
        assert download.complete
        download.finish(lasting=True)

    assert is_sound(Store(store.root), digest_of(content))


def test_wrong_lists_and_wrong_chunks_are_refused_and_do_no_harm(store: Store) -> None:
    content = large()
    first, second, _ = chunks_of(content)
    with Download(store, ref(content)) as download:
        for wrong in (b"", list_of(content)[:-1], list_of(large(9)), list_of(content) + bytes(32)):
            with pytest.raises(WrongContentError, match="list of chunks that does not belong"):
                download.take_list(wrong)
        download.take_list(list_of(content))
        download.take_chunk(first)
        for chunk in (first, second[:-1], b"", second + b"x"):
            with pytest.raises(WrongContentError, match="chunk 1 of 3"):
                download.take_chunk(chunk)
        download.take_chunk(second)

        assert download.verified == 2


def test_an_empty_file_of_another_digest_is_refused(store: Store) -> None:
    with Download(store, FileRef("file", 0, b"?" * 32)) as download, pytest.raises(WrongContentError):
        download.take_list(b"")
    assert content_digest(0, b"") != b"?" * 32


def test_a_download_that_nobody_continues_is_the_first_to_go(tmp_path: Path) -> None:
    content = large()
    store = Store(tmp_path / "store", quota_bytes=len(content) + 10)
    cached = store.add_bytes(b"c" * 10, "file")
    with Download(store, ref(content)) as download:
        download.take_list(list_of(content))
        download.take_chunk(chunks_of(content)[0])
        with pytest.raises(StoreFullError):
            store.add_bytes(b"d" * 20, "file")  # it is being worked at
    store._shelf.quota_bytes = CHUNK_BYTES
    store.add_bytes(b"d" * 10, "file")

    assert store.has(cached.digest)
    assert store.used_bytes == 20
    assert not list(store.root.rglob("*.part"))
    assert not list(store.root.rglob("*.chunks"))


def test_a_download_that_does_not_fit_is_refused_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", quota_bytes=10)

    with pytest.raises(StoreFullError):
        Download(store, FileRef("file", 11, bytes(32)))
    assert store.used_bytes == 0
    store.add_bytes(b"a" * 10, "file")


def test_what_cannot_be_removed_is_passed_over(tmp_path: Path) -> None:
    """A directory stands for what a failing disk does not let go."""
    stays, goes = tmp_path / "stays", tmp_path / "goes"
    stays.mkdir()
    goes.write_bytes(b"x")

    remove_files([stays, tmp_path / "gone", goes])

    assert sorted(tmp_path.iterdir()) == [stays]
