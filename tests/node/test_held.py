"""Held directories: nothing beyond them is touched. All that could be harmed lies in the test's own directory."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pnode.node.held import DisplacedError, HeldDirectory, open_regular, remove_tree


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.mkdir(mode=0o750)
    (path / "thesis").write_text("precious")
    return path


def test_a_held_directory_is_known_by_itself_and_not_by_its_name(tmp_path: Path, victim: Path) -> None:
    top = HeldDirectory.find(tmp_path)
    made = top.make("made")
    made.check()
    made.path.rmdir()
    with pytest.raises(DisplacedError, match="the directory made is gone: No such file"):
        made.check()
    made.path.symlink_to(victim)
    with pytest.raises(DisplacedError, match="the directory made is another one than was made"):
        made.check()
    made.path.unlink()
    made.path.mkdir()
    with pytest.raises(DisplacedError, match="another one"):
        made.check()


def test_nothing_is_made_over_or_through_what_is_there(tmp_path: Path, victim: Path) -> None:
    top = HeldDirectory.find(tmp_path)
    (tmp_path / "link").symlink_to(victim / "new")

    for make in (top.make, top.make_file):
        with pytest.raises(FileExistsError):
            make("link")
    assert [path.name for path in victim.iterdir()] == ["thesis"]


def test_only_regular_files_are_opened_and_links_are_not_followed(tmp_path: Path, victim: Path) -> None:
    top = HeldDirectory.find(victim)
    os.mkfifo(victim / "pipe")
    (victim / "link").symlink_to("thesis")
    (victim / "directory").mkdir()

    with open_regular("thesis", top.file) as file:
        assert file.read() == b"precious"
    with pytest.raises(DisplacedError, match="'pipe' is not a regular file"):
        open_regular("pipe", top.file)
    with pytest.raises(IsADirectoryError):
        open_regular("directory", top.file)
    with pytest.raises(OSError, match="symbolic links"):
        open_regular("link", top.file)
    with open_regular(victim / "link") as file:
        assert file.read() == b"precious"


def test_a_tree_is_removed_whole_and_what_its_links_point_to_stays(tmp_path: Path, victim: Path) -> None:
    root = tmp_path / "root"
    (root / "a" / "b" / "a").mkdir(parents=True)
    (root / "a" / "file").hardlink_to(victim / "thesis")
    (root / "a" / "b" / "link").symlink_to(victim)
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "a" / "b" / "a" / "pipe")
    remove_tree(root)

    assert not root.exists()
    assert (victim / "thesis").read_text() == "precious"
    assert victim.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to(path.parent / "victim"), lambda _: None])
def test_what_is_no_directory_is_removed_too(tmp_path: Path, victim: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "name")
    top = HeldDirectory.find(tmp_path)
    remove_tree("name", top.file)

    assert [path.name for path in tmp_path.iterdir()] == ["victim"]
    assert (victim / "thesis").exists()


def test_depth_and_modes_do_not_matter(tmp_path: Path) -> None:
    top = root = HeldDirectory.find(tmp_path).make("root")
    for _ in range(2000):  # a path of 4,000 bytes, twice as deep as Python may recurse
        root = root.make("d")
    os.fchmod(root.file, 0)
    os.fchmod(top.file, 0o500)
    remove_tree(top.path)

    assert list(tmp_path.iterdir()) == []


def test_a_mounted_directory_is_neither_entered_nor_given_a_mode(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is mounted here: the kernel's refusal to rename a mount point is played."""
    root = tmp_path / "root"
    (root / "other").mkdir(parents=True)
    victim.rename(root / "mounted")
    rename = os.rename

    def refuse(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if source == "mounted":
            raise OSError(errno.EBUSY, "busy")
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="busy"):
        remove_tree(root)

    assert [path.name for path in root.iterdir()] == ["mounted"]
    assert (root / "mounted").stat().st_mode & 0o777 == 0o750
    assert (root / "mounted" / "thesis").read_text() == "precious"
