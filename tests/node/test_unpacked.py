import os
from pathlib import Path

import pytest
import trio

from pnode.node.archive import ShippedFile, pack
from pnode.node.held import remove_tree
from pnode.node.store import Store
from pnode.node.unpacked import UNPACKED_MAX, Unpacked, UnpackError
from pnode.protocol.jobspec import FileRef


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def application(store: Store, root: Path, content: str) -> FileRef:
    (root / "file").write_text(content)
    pack([ShippedFile("sub/file", root / "file", False)], root / "archive")
    return store.add_file(root / "archive", move=True)


def use(unpacked: Unpacked, *applications: FileRef) -> list[str]:
    """What the file of each application says, used one after the other."""
    seen = []

    async def main() -> None:
        for file in applications:
            async with unpacked.use(file) as directory:
                seen.append((directory / "sub" / "file").read_text())

    trio.run(main)
    return seen


def test_an_application_is_unpacked_once_for_all_who_use_it(store: Store, tmp_path: Path) -> None:
    file = application(store, tmp_path, "content")
    directories: list[tuple[Path, int]] = []

    async def main() -> None:
        unpacked = Unpacked(tmp_path / "apps", store)

        async def use_it() -> None:
            async with unpacked.use(file) as directory:
                directories.append((directory, directory.stat().st_ino))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(use_it)

    trio.run(main)
    again = use(Unpacked(tmp_path / "apps", store), file)

    assert len(directories) == 5
    assert len(set(directories)) == 1
    assert again == ["content"]


def test_an_application_that_is_gone_from_its_place_is_unpacked_again(store: Store, tmp_path: Path) -> None:
    file = application(store, tmp_path, "content")
    unpacked = Unpacked(tmp_path / "apps", store)

    async def main() -> None:
        for _ in range(3):
            async with unpacked.use(file) as directory:
                assert (directory / "sub" / "file").read_text() == "content"
            remove_tree(directory)

    trio.run(main)


def test_an_application_that_is_used_again_and_again_is_not_the_one_that_makes_room(
    store: Store, tmp_path: Path
) -> None:
    """Though that is not written down each time."""
    unpacked = Unpacked(tmp_path / "apps", store)
    files = [application(store, tmp_path, f"content {number}") for number in range(UNPACKED_MAX + 1)]
    use(unpacked, *files[:UNPACKED_MAX], files[0], files[UNPACKED_MAX])

    left = {path.name for path in (tmp_path / "apps").iterdir()}
    assert files[0].digest.hex() in left
    assert files[1].digest.hex() not in left


def test_an_unpacked_application_is_read_only(store: Store, tmp_path: Path) -> None:
    use(Unpacked(tmp_path / "apps", store), application(store, tmp_path, "content"))

    paths = list((tmp_path / "apps").rglob("*"))
    assert len(paths) == 3
    assert not any(path.stat().st_mode & 0o222 for path in paths)


def test_the_least_recently_used_applications_make_room(store: Store, tmp_path: Path) -> None:
    unpacked = Unpacked(tmp_path / "apps", store)
    files = [application(store, tmp_path, f"content {number}") for number in range(UNPACKED_MAX + 2)]
    for number, file in enumerate(files[:UNPACKED_MAX]):
        use(unpacked, file)
        os.utime(tmp_path / "apps" / file.digest.hex(), (number, number))
    use(unpacked, files[0], *files[UNPACKED_MAX:])

    left = {path.name for path in (tmp_path / "apps").iterdir()}
    assert files[0].digest.hex() in left
    assert left.isdisjoint(file.digest.hex() for file in files[1:3])
    assert len(left) == UNPACKED_MAX


def test_what_is_in_use_is_never_removed(store: Store, tmp_path: Path) -> None:
    unpacked = Unpacked(tmp_path / "apps", store)
    first = application(store, tmp_path, "first")
    others = [application(store, tmp_path, f"content {number}") for number in range(UNPACKED_MAX + 1)]

    async def main() -> None:
        async with unpacked.use(first) as directory:
            os.utime(directory, (0, 0))
            for file in others:
                async with unpacked.use(file):
                    pass

            assert (directory / "sub" / "file").read_text() == "first"

    trio.run(main)


def test_an_archive_that_is_none_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    unpacked = Unpacked(tmp_path / "apps", store)

    with pytest.raises(UnpackError, match=r"^cannot unpack the application noise: "):
        use(unpacked, store.add_bytes(b"noise" * 1000, "noise"))
    with pytest.raises(UnpackError, match="is not in the store"):
        use(unpacked, FileRef("lost", 1, bytes(32)))
    assert list((tmp_path / "apps").iterdir()) == []


def test_what_a_crash_left_half_unpacked_is_removed(store: Store, tmp_path: Path) -> None:
    file = application(store, tmp_path, "content")
    half = tmp_path / "apps" / f"{file.digest.hex()}.new"
    half.mkdir(parents=True)
    unpacked = Unpacked(tmp_path / "apps", store)

    assert not half.exists()
    assert use(unpacked, file) == ["content"]


def test_a_link_in_the_place_of_an_unpacked_application_is_replaced(store: Store, tmp_path: Path) -> None:
    file = application(store, tmp_path, "content")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis").write_text("precious")
    unpacked = Unpacked(tmp_path / "apps", store)
    (tmp_path / "apps" / file.digest.hex()).symlink_to(victim)

    assert use(unpacked, file) == ["content"]
    assert (victim / "thesis").read_text() == "precious"


def test_a_link_to_nowhere_among_the_applications_is_no_reason_to_fail(store: Store, tmp_path: Path) -> None:
    unpacked = Unpacked(tmp_path / "apps", store)
    (tmp_path / "apps" / "stray").symlink_to("nowhere")

    assert use(unpacked, application(store, tmp_path, "content")) == ["content"]
