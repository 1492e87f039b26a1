"""What downloads take of a store's room, and what becomes of them when their content comes in another way."""

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from pnode.node import store as store_module
from pnode.node.download import Download
from pnode.node.store import Store
from pnode.node.sweeping import chunks_path, part_path
from pnode.node.trouble import StoreFullError
from pnode.protocol.ids import CHUNK_BYTES, digest_of

from .soundness import is_sound
from .test_store import chunks_of, files_in, large, list_of, ref


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def begin(store: Store, content: bytes, chunks: int = 1) -> None:
    """A download that stops after so many chunks."""
    with Download(store, ref(content)) as download:
        go_on(download, content, chunks)


def go_on(download: Download, content: bytes, chunks: int | None = None) -> None:
    """So many chunks more, or all that are missing."""
    download.take_list(list_of(content))
    for chunk in chunks_of(content)[download.verified :][:chunks]:
        download.take_chunk(chunk)


def test_what_is_held_after_a_download_failed_is_no_obstacle_to_eviction(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", quota_bytes=30)
    content = b"result"
    begin(store, content, 0)

    def fill() -> None:
        store.hold(content, digest_of(content), b"job")
        for letter in (b"a", b"b", b"c"):
            store.add_bytes(letter * 12, "file")

    filling = threading.Thread(target=fill, daemon=True)
    filling.start()
    filling.join(5.0)

    assert not filling.is_alive()
    assert store.read(digest_of(content)) == content
    assert store.used_bytes == len(content) + 24


@pytest.mark.parametrize("how", ["held", "added"])
def test_content_that_comes_in_another_way_ends_its_paused_download(store: Store, how: str) -> None:
    content = large()
    begin(store, content)
    if how == "held":
        store.hold(content, digest_of(content), b"job")
    else:
        store.add_bytes(content, "file")

    assert not part_path(store.path(digest_of(content))).exists()
    assert store.used_bytes == len(content)
    assert is_sound(store, digest_of(content))


@pytest.mark.parametrize("finish", [False, True])
def test_content_that_comes_in_another_way_outlives_its_download(store: Store, finish: bool) -> None:
    content = large()
    with Download(store, ref(content)) as download:
        go_on(download, content)
        kept = store.add_bytes(content, "file")
        if finish:
            download.finish(lasting=True)
    name = store.path(kept.digest).name

    assert files_in(store) == {name, f"{name}.chunks"}
    assert store.used_bytes == len(content)
    assert is_sound(store, kept.digest)


def test_what_has_been_downloaded_takes_its_room_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while its name is being put on the disk."""
    content = large()
    used: list[int] = []
    with Download(store, ref(content)) as download:
        go_on(download, content)
        monkeypatch.setattr(store_module, "sync_directory", lambda _: used.append(store.used_bytes))
        download.finish(lasting=True)

    assert used == [len(content)]


def test_a_download_of_what_is_here_is_swept_up(store: Store) -> None:
    kept = store.add_bytes(large(), "file")
    part_path(store.path(kept.digest)).write_bytes(b"beginning")
    again = Store(store.root)

    assert not part_path(again.path(kept.digest)).exists()
    assert again.used_bytes == len(large())
    assert chunks_path(again.path(kept.digest)).exists()


@pytest.mark.parametrize("restart", [False, True])
def test_a_paused_download_takes_the_room_that_it_has_used(store: Store, restart: bool) -> None:
    begin(store, large())

    assert (Store(store.root) if restart else store).used_bytes == CHUNK_BYTES


@pytest.mark.parametrize("restart", [False, True])
def test_a_download_that_goes_on_takes_room_for_what_is_missing(tmp_path: Path, restart: bool) -> None:
    content = large()
    quota_bytes = len(content) + 10
    store = Store(tmp_path / "store", quota_bytes)
    begin(store, content)
    store = Store(store.root, quota_bytes) if restart else store
    other = store.add_bytes(b"o" * 11, "file", owner=b"job")

    with pytest.raises(StoreFullError, match=f"no room for {len(content) - CHUNK_BYTES} bytes"):
        Download(store, ref(content))
    assert store.used_bytes == CHUNK_BYTES + 11
    store.unpin(b"job")
    with Download(store, ref(content)) as download:
        assert not store.has(other.digest)
        assert download.verified == 1  # it was not evicted for its own sake
        assert store.used_bytes == len(content)
        go_on(download, content)
        download.finish(lasting=True)
    assert store.used_bytes == len(content)


def has_disk_of(store: Store, size_bytes: int, patch: pytest.MonkeyPatch) -> None:
    """From now on the store's disk has so much room in all."""

    def usage(root: Path) -> SimpleNamespace:
        return SimpleNamespace(
            free=size_bytes - sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        )

    patch.setattr(shutil, "disk_usage", usage)


def test_downloads_do_not_promise_each_other_the_same_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, first, second = Store(tmp_path / "store", reserve_bytes=CHUNK_BYTES), large(1), large(5)
    has_disk_of(store, 4 * CHUNK_BYTES, monkeypatch)
    with Download(store, ref(first)) as download:
        for chunks in (0, 1):
            go_on(download, first, chunks)
            with pytest.raises(StoreFullError, match="the disk that holds the store has no room"):
                Download(store, ref(second))
            with pytest.raises(StoreFullError):
                store.add_bytes(second, "file")


def test_downloads_need_no_more_of_the_disk_than_they_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, first, second = Store(tmp_path / "store", reserve_bytes=CHUNK_BYTES), large(1), large(5)
    begin(store, second)
    lists_bytes = 1024  # and the store's own notes
    has_disk_of(store, CHUNK_BYTES + len(first) + len(second) + lists_bytes, monkeypatch)
    with Download(store, ref(first)) as one:
        go_on(one, first, 1)
        with Download(store, ref(second)) as other:
            for download, content in ((one, first), (other, second)):
                go_on(download, content)
                download.finish(lasting=True)

    assert is_sound(store, digest_of(first))
    assert is_sound(store, digest_of(second))
