"""That a name in a store is a promise: what is not, or not any more, what its name says is not offered, and what is
said to be on the disk is there."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pnode.node import store as store_module
from pnode.node.store import Store
from pnode.node.sweeping import chunks_path
from pnode.node.trouble import MissingContentError
from pnode.protocol.ids import digest_of

from .test_store import files_in, large, list_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize("damage", ["lost", "wrong"])
def test_a_lost_or_damaged_list_of_chunks_is_written_again(store: Store, damage: str) -> None:
    file = store.add_bytes(large(), "file")
    path = chunks_path(store.path(file.digest))
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(b"?" * 96)
    store.chunk_list(file.digest)

    assert path.read_bytes() == list_of(large())


def test_a_list_of_chunks_that_cannot_be_written_can_be_had(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    file = store.add_bytes(large(), "file")
    chunks_path(store.path(file.digest)).unlink()
    monkeypatch.setattr(Path, "write_bytes", _fails)

    assert store.chunk_list(file.digest) == list_of(large())


def _fails(*_: object) -> None:
    raise OSError("the disk fails")


@pytest.mark.parametrize("content", [b"small", large()], ids=["small", "large"])
@pytest.mark.parametrize("damage", [b"", b"?", b"SMALL"], ids=["emptied", "cut", "changed"])
def test_damaged_content_is_missing_as_soon_as_it_is_noticed(store: Store, content: bytes, damage: bytes) -> None:
    file = store.add_bytes(content, "file", owner=b"job")
    path = store.path(file.digest)
    path.chmod(0o600)
    path.write_bytes(damage)
    chunks_path(path).unlink(missing_ok=True)

    with pytest.raises(MissingContentError):
        store.chunk_list(file.digest)
    assert not store.has(file.digest)
    assert files_in(store) == set()
    store.add_bytes(content, "file")
    assert store.read(file.digest) == content


def add_passing(store: Store, content: bytes) -> None:
    with io.BytesIO(content) as source:
        store.add_open(source, "log", len(content), lasting=False)


def add_passing_anew(store: Store, content: bytes) -> None:
    store.remove(digest_of(content))
    add_passing(store, content)


def once_before(call: Callable[[int | Path], None], act: Callable[[], object]) -> Callable[[int | Path], None]:
    """The call, before the first of which something else happens, as if another thread did it."""
    acts = iter([act])

    def wrapped(what: int | Path) -> None:
        for first in acts:
            first()
        call(what)

    return wrapped


@pytest.mark.parametrize("when", ["its bytes", "its name"])
@pytest.mark.parametrize("other", [add_passing, add_passing_anew])
def test_what_is_to_last_does_when_the_same_comes_in_passing_meanwhile(
    store: Store, run: Path, monkeypatch: pytest.MonkeyPatch, when: str, other: Callable[[Store, bytes], None]
) -> None:
    """While `when` are being put on the disk."""
    digest = digest_of(b"result")
    store.path(digest).parent.mkdir()
    module, name = (os, "fsync") if when == "its bytes" else (store_module, "sync_directory")
    monkeypatch.setattr(module, name, once_before(getattr(module, name), lambda: other(store, b"result")))
    store.add_bytes(b"result", "result", owner=b"job")
    if other is add_passing_anew:  # what was to last was removed: who needs it says so again
        store.settle(digest)
    run.write_text("the second")

    assert Store(store.root).read(digest) == b"result"


def test_what_lasts_is_not_replaced_by_the_same_that_was_on_its_way_in_passing(
    store: Store, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_of(b"result")
    monkeypatch.setattr(os, "utime", once_before(os.utime, lambda: store.add_bytes(b"result", "result")))
    add_passing(store, b"result")
    run.write_text("the second")

    assert files_in(store) == {store.path(digest).name}
    assert Store(store.root).read(digest) == b"result"


def test_nobody_takes_for_settled_what_has_no_name_on_the_disk_yet(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_of(b"result")
    synced: list[int | Path] = []

    def settle_too() -> None:
        store.settle(digest)
        assert synced == [store.path(digest).parent]

    monkeypatch.setattr(store_module, "sync_directory", once_before(synced.append, settle_too))
    store.add_bytes(b"result", "result")

    assert synced == [store.path(digest).parent] * 2


@pytest.mark.parametrize("naming", [None, b"sha256"])
def test_what_is_named_in_another_way_goes_at_the_start(store: Store, naming: bytes | None) -> None:
    old = store.add_bytes(large(), "file")
    store.path(old.digest).with_name("notes.txt").write_bytes(b"not ours")
    if naming is None:  # there was none before there were two ways
        (store.root / "naming").unlink()
    else:
        (store.root / "naming").write_bytes(naming)
    later = Store(store.root)

    assert not later.has(old.digest)
    assert later.used_bytes == 0
    assert files_in(later) == {"notes.txt"}
    new = later.add_bytes(b"new", "file")
    assert Store(store.root).read(new.digest) == b"new"


def test_a_start_that_is_broken_off_leaves_nothing_that_is_named_in_another_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = store.add_bytes(b"old", "file")
    (store.root / "naming").write_bytes(b"sha256")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", _fails)
        with pytest.raises(OSError, match="the disk fails"):
            Store(store.root)

    assert not Store(store.root).has(old.digest)
