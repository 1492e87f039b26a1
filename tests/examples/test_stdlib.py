"""The demo's application reports the truth, checked against a computation of another kind."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

from .bare import run
from .expected import Report, expected_report, expected_totals

STDLIB = Path(__file__).parents[2] / "examples" / "stdlib"
SOME = ("asyncio", "collections", "contextlib", "email", "importlib", "json", "re", "types", "unittest")
"""A tenth of the library, with deep packages, relative imports and circles in it."""


def make_input(directory: Path, *names: str) -> Path:
    directory.mkdir(exist_ok=True)
    subprocess.run([sys.executable, str(STDLIB / "make_input.py"), str(directory), *names], check=True)
    return directory / "stdlib.tar"


def archive_of(directory: Path, sources: dict[str, str]) -> Path:
    """A library of our own."""
    with tarfile.open(directory / "tiny.tar", "w") as archive:
        for path, source in sources.items():
            member = tarfile.TarInfo(path)
            member.size = len(source)
            archive.addfile(member, io.BytesIO(source.encode()))
    return directory / "tiny.tar"


def report_on(archive: Path, work: Path) -> Report:
    results = {path.name.partition("_")[2]: path for path in run(STDLIB / "dag.txt", [archive], work)}
    assert list(results) == ["report.json", "report.txt"]
    report: Report = json.loads(results["report.json"].read_text())
    return report


def test_the_graph_is_wide_and_comes_together_again() -> None:
    rows = [line.split() for line in (STDLIB / "dag.txt").read_text().splitlines()[1:]]

    assert len(rows) >= 12
    assert max(len(row[3:]) for row in rows) == 8
    assert max(int(row[1]) for row in rows) == 8


def test_the_input_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = make_input(tmp_path / "1", "json"), make_input(tmp_path / "2", "json")

    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        assert "json/decoder.py" in archive.getnames()
        assert all(name.startswith("json/") for name in archive.getnames())


def test_a_name_that_is_not_in_the_library_is_an_error(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(STDLIB / "make_input.py"), str(tmp_path), "no_such_module"],
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 1
    assert "found no module" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_report_equals_an_independent_computation(tmp_path: Path) -> None:
    archive = make_input(tmp_path, *SOME)

    report = report_on(archive, tmp_path / "work")

    assert report == expected_report(archive)
    assert report["modules"] > 50
    assert report["circles"]


def test_the_totals_of_the_whole_library_equal_the_compilers(tmp_path: Path) -> None:
    archive = make_input(tmp_path)

    report = report_on(archive, tmp_path / "work")

    totals = expected_totals(archive)
    assert {name: report[name] for name in totals} == totals  # type: ignore[literal-required]  # names of a TypedDict
    assert report["most_imported"][0][0] in ("sys", "os")


def test_the_order_in_which_shares_arrive_makes_no_difference(tmp_path: Path) -> None:
    archive = make_input(tmp_path, "json", "email")

    forwards = run(STDLIB / "dag.txt", [archive], tmp_path / "forwards", arrival=sorted)
    backwards = run(STDLIB / "dag.txt", [archive], tmp_path / "backwards", arrival=lambda files: sorted(files)[::-1])

    assert [path.read_bytes() for path in forwards] == [path.read_bytes() for path in backwards]


TINY = {
    "a.py": "import b\nimport sys\n\n\ndef one():\n    import c\n    return c\n",
    "b.py": "import a, pkg.inner\n",
    "c.py": "class C:\n    def two(self):\n        def three(): pass\n        return three\n",
    "pkg/__init__.py": "",
    "pkg/inner.py": "from . import outer\n",
    "pkg/outer.py": "if True: import sys; from a import one\n",
}


def test_a_library_of_six_modules_is_understood_to_the_last_line(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, TINY)

    report = report_on(archive, tmp_path / "work")

    assert report == expected_report(archive)
    assert report == {
        "modules": 6,
        "unparsed": [],
        "lines": 14,
        "bytes": sum(map(len, TINY.values())),
        "functions": 3,
        # a-b, b-a, b-pkg, b-pkg.inner, pkg.inner-pkg, pkg.inner-pkg.outer, pkg.outer-pkg, pkg.outer-a
        "edges": 8,
        "most_imported": [["a", 2], ["sys", 2], ["b", 1], ["c", 1], ["pkg", 1]],
        "longest_functions": [[3, "a", "one", 5], [3, "c", "C.two", 2], [1, "c", "C.two.three", 3]],
        "longest_modules": [["a", 7], ["c", 4], ["b", 1], ["pkg.inner", 1], ["pkg.outer", 1], ["pkg", 0]],
        "heaviest_imports": [["a", 4], ["b", 4], ["pkg.inner", 4], ["pkg.outer", 4], ["c", 0], ["pkg", 0]],
        "circles": [["a", "b", "pkg.inner", "pkg.outer"]],
    }


def test_a_module_that_this_python_does_not_understand_is_named_and_left_out(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {"new.py": "from the future import everything\n", "old.py": "import new\n"})

    report = report_on(archive, tmp_path / "work")

    assert report == expected_report(archive)
    assert report["unparsed"] == ["new"]
    assert report["modules"] == 2
