"""Archives: the same files give the same bytes, and foreign bytes never leave their directory."""

import io
import os
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pnode.node import archive as archives
from pnode.node.archive import ArchiveError, ShippedFile, collect, is_inner_path, pack, unpack
from pnode.protocol.ids import digest_of


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mode & 0o777) for path in files}


def foreign(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def test_an_application_comes_out_as_it_went_in(tmp_path: Path) -> None:
    app = tree(
        tmp_path / "app", {"scripts/a": "print()", "scripts/data/b": "", "scripts/naïve file": "x" * 3_000_000}
    )
    (app / "scripts/a").chmod(0o700)
    files, notices = collect(app, app)

    size = pack(files, tmp_path / "app.tar")
    unpack(tmp_path / "app.tar", tmp_path / "out" / "deep")

    assert size == (tmp_path / "app.tar").stat().st_size
    assert notices == []
    assert contents(tmp_path / "out/deep") == {
        "scripts/a": (b"print()", 0o755),
        "scripts/data/b": (b"", 0o644),
        "scripts/naïve file": (b"x" * 3_000_000, 0o644),
    }


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for at, order in enumerate((("a", "b" * 150, "ü"), ("ü", "b" * 150, "a"))):
        app = tmp_path / f"app{at}"
        app.mkdir()
        for name in order:
            (app / name).write_text(name)
            os.utime(app / name, (at * 1000, at * 1000))
        (app / "a").chmod(0o755 if at else 0o700)
        files, _ = collect(app, app)
        pack(files[::-1] if at else files, tmp_path / "app.tar")
        digests.append(digest_of((tmp_path / "app.tar").read_bytes()))

    assert digests[0] == digests[1]


def test_an_archive_of_no_files_is_an_archive(tmp_path: Path) -> None:
    pack([], tmp_path / "app.tar")
    unpack(tmp_path / "app.tar", tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_part_of_an_application_stays_behind(tmp_path: Path) -> None:
    parts = ["task", "deep/er/data", "__pycache__/x", "deep/__pycache__/x", "sample_input/x", "results/x"]
    hidden = [".env", ".git/config", "deep/.cache/x"]
    app = tree(tmp_path / "app", dict.fromkeys(parts + hidden, ""))

    files, notices = collect(app, app)

    assert [file.name for file in files] == ["task", "deep/er/data"]
    assert notices == []


def test_only_links_within_the_application_are_followed(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", {"scripts/real": "content", "data/table": "numbers"})
    secret = tree(tmp_path, {"secret": "key"}) / "secret"
    (app / "scripts/inner").symlink_to("../data/table")
    (app / "scripts/outer").symlink_to(secret)
    (app / "scripts/broken").symlink_to("nowhere")
    (app / "scripts/folder").symlink_to(app / "data")
    os.mkfifo(app / "scripts/pipe")

    files, notices = collect(app, app / "scripts")
    pack(files, tmp_path / "app.tar")
    unpack(tmp_path / "app.tar", tmp_path / "out")

    assert contents(tmp_path / "out") == {
        "scripts/inner": (b"numbers", 0o644),
        "scripts/real": (b"content", 0o644),
    }
    assert notices == [
        "scripts/folder is a link to a directory and is not shipped",
        "scripts/broken is no regular file and is not shipped",
        "scripts/outer is a link out of the application and is not shipped",
        "scripts/pipe is no regular file and is not shipped",
    ]


def test_a_name_that_cannot_travel_is_left_behind_with_a_notice(tmp_path: Path) -> None:
    (tmp_path / "a\nb").write_text("")
    (tmp_path / os.fsdecode(b"\xff")).write_text("")

    files, notices = collect(tmp_path, tmp_path)

    assert files == []
    assert notices == [
        r"a\nb has a name that cannot travel and is not shipped",
        r"\udcff has a name that cannot travel and is not shipped",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_what_cannot_be_read_is_left_behind_with_a_notice(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", {"a": "", "sub/b": ""})
    (app / "a").chmod(0)
    (app / "sub").chmod(0)

    files, notices = collect(app, app)

    (app / "sub").chmod(0o700)
    assert files == []
    assert notices == ["a cannot be read and is not shipped", f"{app / 'sub'} cannot be read and is not shipped"]


def test_more_files_than_an_application_may_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FILES_MAX", 2)
    tree(tmp_path, {"a": "", "b": ""})
    assert len(collect(tmp_path, tmp_path)[0]) == 2
    tree(tmp_path, {"c": ""})

    with pytest.raises(
        ArchiveError, match="more than 2 files or 512 MiB: put the DAG file into a directory of its own"
    ):
        collect(tmp_path, tmp_path)


def test_more_bytes_than_an_application_may_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BYTES_MAX", 10)
    tree(tmp_path, {"a": "12345", "b": "67890"})
    assert len(collect(tmp_path, tmp_path)[0]) == 2
    tree(tmp_path, {"c": "1"})

    with pytest.raises(ArchiveError, match="more than 10000 files or 0 MiB"):
        collect(tmp_path, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "./a",
        "a/..",
        "../a",
        "a\\b",
        "a\0",
        "\x7f",
        "\udcff",
        "é" * 513,
        "b" * 256,
        "a/" * 64 + "a",
    ],
)
def test_a_path_that_leads_out_is_not_inner(name: str, tmp_path: Path) -> None:
    assert not is_inner_path(name)
    with pytest.raises(ArchiveError, match="expected a plain relative name"):
        pack([ShippedFile(name, tmp_path, False)], tmp_path / "app.tar")
    assert not (tmp_path / "app.tar").exists()


def test_a_file_that_shrinks_while_it_is_packed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"x" * 10)
    real_fstat = os.fstat

    def earlier(descriptor: int) -> os.stat_result:
        found = list(real_fstat(descriptor))
        found[6] = 20
        return os.stat_result(found)

    monkeypatch.setattr("pnode.node.archive.os.fstat", earlier)

    with pytest.raises(ArchiveError, match="a became shorter while it was packed"):
        pack([ShippedFile("a", source, False)], tmp_path / "app.tar")
    assert not (tmp_path / "app.tar").exists()


def test_a_file_that_is_gone_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pack([ShippedFile("a", tmp_path / "a", False)], tmp_path / "app.tar")

    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_exists_is_not_unpacked_into(tmp_path: Path) -> None:
    pack([], tmp_path / "app.tar")
    (tmp_path / "out").mkdir()

    with pytest.raises(FileExistsError):
        unpack(tmp_path / "app.tar", tmp_path / "out")


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ([(entry("../evil"), b"x")], "an entry '../evil' that is no regular file inside it"),
        ([(entry("/evil"), b"x")], "an entry '/evil' that is no regular file inside it"),
        ([(entry("a/../../evil"), b"x")], "that is no regular file inside it"),
        ([(entry("."), b"x")], "an entry '.' that is no regular file inside it"),
        ([(entry("link", type=tarfile.SYMTYPE, linkname="/etc"), b"")], "an entry 'link' that is no regular file"),
        ([(entry("link", type=tarfile.LNKTYPE, linkname="/etc/passwd"), b"")], "an entry 'link' that is no regular"),
        ([(entry("dir", type=tarfile.DIRTYPE), b"")], "an entry 'dir/' that is no regular file inside it"),
        ([(entry("pipe", type=tarfile.FIFOTYPE), b"")], "an entry 'pipe' that is no regular file inside it"),
        ([(entry("device", type=tarfile.CHRTYPE), b"")], "an entry 'device' that is no regular file inside it"),
        ([(entry("a"), b"1"), (entry("a"), b"2")], "two entries in one place: 'a'"),
        ([(entry("a"), b"1"), (entry("a/b"), b"2")], "two entries in one place: 'a/b'"),
        ([(entry("a/b"), b"1"), (entry("a"), b"2")], "two entries in one place: 'a'"),
    ],
)
def test_an_entry_that_is_not_a_file_of_its_own_is_refused(
    members: list[tuple[tarfile.TarInfo, bytes]], complaint: str, tmp_path: Path
) -> None:
    archive = foreign(tmp_path / "app.tar", *members)

    with pytest.raises(ArchiveError) as caught:
        unpack(archive, tmp_path / "out")

    assert complaint in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["app.tar"]


def test_an_archive_of_too_many_files_or_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = foreign(tmp_path / "app.tar", (entry("a"), b"1" * 6), (entry("b"), b"2" * 6))

    monkeypatch.setattr(archives, "FILES_MAX", 1)
    with pytest.raises(ArchiveError, match="the application has more than 1 files"):
        unpack(archive, tmp_path / "out")
    monkeypatch.setattr(archives, "FILES_MAX", 2)
    monkeypatch.setattr(archives, "BYTES_MAX", 11)
    with pytest.raises(ArchiveError, match="the application has more than 11 bytes"):
        unpack(archive, tmp_path / "out")
    monkeypatch.setattr(archives, "BYTES_MAX", 12)
    unpack(archive, tmp_path / "out")

    assert contents(tmp_path / "out") == {"a": (b"1" * 6, 0o644), "b": (b"2" * 6, 0o644)}


def cut(data: bytes) -> bytes:
    return data[:700]


def negative(data: bytes) -> bytes:
    return resized(data, b"\xff" * 12)


def resized(data: bytes, size: bytes) -> bytes:
    """The first header with another size and the checksum that goes with it."""
    header = bytearray(data[:512])
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


@pytest.mark.parametrize(
    "spoil",
    [lambda _: b"", lambda _: b"noise" * 300, cut, negative, lambda data: resized(data, b"00000077777\0")],
    ids=["nothing", "noise", "cut short", "a negative size", "a size beyond the end"],
)
def test_bytes_that_are_no_archive_leave_nothing_behind(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    whole = foreign(tmp_path / "app.tar", (entry("a"), b"1" * 900)).read_bytes()
    (tmp_path / "app.tar").write_bytes(spoil(whole))

    with pytest.raises(ArchiveError):
        unpack(tmp_path / "app.tar", tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_an_archive_with_any_bytes_changed_is_unpacked_inside_or_refused(tmp_path: Path) -> None:
    rng = random.Random(7)
    whole = foreign(
        tmp_path / "app.tar", (entry("scripts/a"), b"1" * 700), (entry("é" * 80), b"2"), (entry("b" * 120), b"3")
    ).read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(6000)] = rng.choice((0, 0xFF, 0x80, *b"07xLKS/.-", rng.randrange(256)))
        (tmp_path / "app.tar").write_bytes(data)
        try:
            unpack(tmp_path / "app.tar", tmp_path / "out")
        except ArchiveError:
            assert not (tmp_path / "out").exists()
        else:
            shutil.rmtree(tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir()] == ["app.tar"]


def raw(kind: bytes, size: int, name: bytes = b"a") -> bytes:
    """A header as another program might write it, with a good checksum."""
    header = bytearray(512)
    header[: len(name)] = name
    header[100:108], header[124:136], header[156:157], header[257:265] = (
        b"0000644\0",
        b"%011o\0" % size,
        kind,
        b"ustar\x0000",
    )
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def sparse(size: int) -> bytes:
    old = bytearray(raw(b"S", size))
    old[257:265] = b"ustar  \0"
    old[482] = 1
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old)
    return bytes(old)


@pytest.mark.parametrize(
    "data",
    [
        (raw(b"L", 2) + b"a\0".ljust(512, b"\0")) * 1500 + raw(b"0", 0) + bytes(1024),
        (raw(b"x", 10) + b"10 path=a\n".ljust(512, b"\0")) * 1500 + raw(b"0", 0) + bytes(1024),
        (raw(b"g", 10) + b"10 path=a\n".ljust(512, b"\0")) * 1500 + raw(b"0", 0) + bytes(1024),
        sparse(0),
        raw(b"x", 2**32),
        raw(b"x", 5000) + bytes(5120),
        raw(b"x", 12) + b"12 size=100\n".ljust(512, b"\0") + raw(b"0", 0) + bytes(1024),
        raw(b"x", 10) + b"99 path=a\n".ljust(512, b"\0") + raw(b"0", 0) + bytes(1024),
        raw(b"x", 10) + b"10 path=\xff\n".ljust(512, b"\0") + raw(b"0", 0) + bytes(1024),
        raw(b"0", 0, b"b" * 100) + raw(b"0", 0, b"\xff") + bytes(1024),
        raw(b"0", 0),
        raw(b"0", 1).replace(b"00000000001", b"0000000000\xb2"),
    ],
    ids=[
        "chained long names", "chained extended headers", "chained global headers", "a sparse header cut short",
        "a header of four gigabytes", "a long header", "a header that changes the size", "a wrong length",
        "a path that is no text", "a name that is no text", "no end", "no number",
    ],
)  # fmt: skip
def test_a_form_that_packing_does_not_write_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(data)

    with pytest.raises(ArchiveError):
        unpack(tmp_path / "app.tar", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["app.tar"]


def test_the_standard_library_reads_what_is_written(tmp_path: Path) -> None:
    names = ["a", "é", "b" * 100, "c" * 101, "d/" * 60 + "é" * 100]
    (tmp_path / "file").write_text("content")
    pack([ShippedFile(name, tmp_path / "file", False) for name in names], tmp_path / "app.tar")
    unpack(tmp_path / "app.tar", tmp_path / "out")

    with tarfile.open(tmp_path / "app.tar", "r:") as archive:
        assert sorted(archive.getnames()) == sorted(names)
    assert sorted(contents(tmp_path / "out")) == sorted(names)
