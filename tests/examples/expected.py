"""What examples/stdlib must report, computed another way: from tokens, indentation and reachability.

The application itself works on syntax trees and visits the import graph; nothing is shared with it.
"""

import io
import itertools
import symtable
import tarfile
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import resolve_name
from pathlib import Path
from typing import TypedDict

SKIPPED = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER)


class Totals(TypedDict):
    """The part of the report that is quick to compute."""

    modules: int
    lines: int
    bytes: int
    functions: int


class Report(Totals):
    """stdlib_report.json."""

    unparsed: list[str]
    edges: int
    most_imported: list[list[object]]
    longest_functions: list[list[object]]
    longest_modules: list[list[object]]
    heaviest_imports: list[list[object]]
    circles: list[list[str]]


@dataclass
class Module:
    """What the tokens of one module say."""

    functions: list[list[object]] = field(default_factory=list)
    """[length, module, dotted name, first line]"""
    imports: set[tuple[str, bool]] = field(default_factory=set)
    """(what is named, whether loading the module runs it)"""
    tops: set[str] = field(default_factory=set)
    """The part before the first dot of everything imported."""


def expected_totals(archive: Path) -> Totals:
    """Totals of an archive that this Python understands, from the compiler's symbol tables."""
    sources = dict(read(archive))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = [symtable.symtable(source.decode(coding(source)), name, "exec") for name, source in sources.items()]
    return {
        "modules": len(sources),
        "lines": sum(map(count_lines, sources.values())),
        "bytes": sum(map(len, sources.values())),
        "functions": sum(map(count_functions, tables)),
    }


def expected_report(archive: Path) -> Report:
    """The whole report. About a second per megabyte of sources."""
    sources = dict(read(archive))
    modules, unparsed = {}, []
    for path, source in sources.items():
        if understood(source):
            modules[dotted(path)] = scan(path, source)
        else:
            unparsed.append(dotted(path))
    lengths = sorted(([dotted(path), count_lines(source)] for path, source in sources.items()), key=by_number)
    functions: list[list[object]] = [function for module in modules.values() for function in module.functions]
    edges = {name: loaded(name, module, modules) for name, module in modules.items()}
    reach = reachable(edges)
    users = Counter(
        top for name, module in modules.items() for top in module.tops if top != name.split(".", maxsplit=1)[0]
    )
    return {
        "modules": len(sources),
        "lines": sum(map(count_lines, sources.values())),
        "bytes": sum(map(len, sources.values())),
        "functions": len(functions),
        "unparsed": sorted(unparsed),
        "edges": sum(map(len, edges.values())),
        "most_imported": sorted(([top, count] for top, count in users.items()), key=by_number)[:20],
        "longest_functions": sorted(functions, key=lambda row: (-int(str(row[0])), *map(str, row[1:3])))[:20],
        "longest_modules": lengths[:20],
        "heaviest_imports": sorted(([name, len(reach[name] - {name})] for name in reach), key=by_number)[:20],
        "circles": circles(reach),
    }


def by_number(row: list[object]) -> tuple[int, str]:
    """The largest number first, then by name."""
    return -int(str(row[1])), str(row[0])


def read(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            content = opened.extractfile(member)
            assert content is not None
            yield member.name, content.read()


def dotted(path: str) -> str:
    return ".".join(part for part in path.removesuffix(".py").split("/") if part != "__init__")


def coding(source: bytes) -> str:
    return tokenize.detect_encoding(io.BytesIO(source).readline)[0]


def count_lines(source: bytes) -> int:
    return len(io.TextIOWrapper(io.BytesIO(source), encoding="latin-1", newline=None).readlines())


def count_functions(table: symtable.SymbolTable) -> int:
    made_by_the_compiler = {"lambda", "genexpr", "listcomp", "setcomp", "dictcomp"}
    own = table.get_type() == "function" and table.get_name() not in made_by_the_compiler
    return own + sum(map(count_functions, table.get_children()))


def understood(source: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "module", "exec", dont_inherit=True)
        except SyntaxError:
            return False
    return True


def scan(path: str, source: bytes) -> Module:
    """Read a module token by token: a `def` lasts until the indentation falls back to where it stood."""
    name = dotted(path)
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    found = Module()
    around: list[tuple[int, str, str, int]] = []  # (depth, "def" or "class", name, first line) of what we are in
    depth, last_line = 0, 0
    for statement in statements(source):
        if isinstance(statement, int):
            depth += statement
            while around and statement < 0 and around[-1][0] >= depth:
                close(around, last_line, name, found)
            continue
        words = [token.string for token in statement]
        while around and around[-1][0] >= depth and around[-1][3] <= last_line:  # `def f(): pass`, on one line
            close(around, last_line, name, found)
        last_line = statement[-1].end[0]
        kind = words[1] if words[0] == "async" else words[0]
        if kind in ("def", "class"):
            around.append((depth, kind, words[words.index(kind) + 1], statement[0].start[0]))
        at_load = not any(kind == "def" for _, kind, _, _ in around)
        for named in imported(words, package):
            found.imports.add((named, at_load))
            found.tops.add(named.split(".")[0])
    while around:
        close(around, last_line, name, found)
    return found


def close(around: list[tuple[int, str, str, int]], last_line: int, module: str, found: Module) -> None:
    """The innermost definition has ended on this line."""
    _, kind, _, first_line = around[-1]
    if kind == "def":
        qualified = ".".join(name for _, _, name, _ in around)
        found.functions.append([last_line - first_line + 1, module, qualified, first_line])
    around.pop()


def statements(source: bytes) -> Iterator[list[tokenize.TokenInfo] | int]:
    """Statements as lists of tokens, and between them +1 and -1 where the indentation changes."""
    statement: list[tokenize.TokenInfo] = []
    brackets = 0
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            yield 1 if token.type == tokenize.INDENT else -1
        elif token.type == tokenize.NEWLINE or (token.string == ";" and not brackets):
            if statement:
                yield statement
            statement = []
        elif token.type not in SKIPPED:
            brackets += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
            statement.append(token)


def imported(words: list[str], package: str) -> Iterator[str]:
    """Everything the import in a statement names: `a` and `a.b` for `from a import b`. It may follow a colon."""
    starts = [0, *(index + 1 for index, word in enumerate(words[:-1]) if word == ":")]
    for start in starts:
        rest = words[start:]
        if rest[0] == "import":
            for clause in split(rest[1:]):
                yield "".join(itertools.takewhile(lambda word: word != "as", clause))
        elif rest[0] == "from" and "import" in rest:
            middle = rest.index("import")
            module = "".join(rest[1:middle])
            module = resolve_name(module, package) if module.startswith(".") else module
            yield module
            for clause in split([word for word in rest[middle + 1 :] if word not in "()"]):
                yield f"{module}.{clause[0]}"


def split(words: list[str]) -> Iterator[list[str]]:
    for is_comma, clause in itertools.groupby(words, key=lambda word: word == ","):
        if not is_comma:
            yield list(clause)


def loaded(name: str, module: Module, modules: dict[str, Module]) -> set[str]:
    """Modules that loading this one loads directly, packages included."""
    wanted = {named for named, at_load in module.imports if at_load} | {name}
    for named in list(wanted):
        while "." in named:
            named = named.rpartition(".")[0]
            wanted.add(named)
    return wanted & modules.keys() - {name}


def reachable(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Everything that can be reached from each: Warshall's algorithm, a row of the matrix being one integer."""
    names = sorted(edges)
    place = {name: index for index, name in enumerate(names)}
    rows = [sum(1 << place[target] for target in edges[name]) for name in names]
    for middle, _ in enumerate(names):
        for index, row in enumerate(rows):
            if row >> middle & 1:
                rows[index] = row | rows[middle]
    return {
        name: {other for other in names if row >> place[other] & 1} for name, row in zip(names, rows, strict=True)
    }


def circles(reach: dict[str, set[str]]) -> list[list[str]]:
    """Modules that reach each other; alone only with itself is no circle."""
    sets = {tuple(sorted(other for other in reached if name in reach[other])) for name, reached in reach.items()}
    return [list(names) for names in sorted(sets, key=lambda names: (-len(names), names)) if len(names) > 1]
