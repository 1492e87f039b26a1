"""Borders: who may import whom, and what a module may look like, read from syntax trees.

Every check takes one module and yields complaints; a module without complaints is within its borders.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "protocol": (),
    "mappers": ("protocol",),
    "profilers": ("protocol",),
    "node": ("protocol", "mappers", "profilers"),
    "sim": ("protocol", "mappers", "profilers"),
}
"""Only downwards. The two shells are strangers to each other, and so are the two kinds of arithmetic."""

HOMES: dict[str, tuple[str, ...]] = {
    "nacl": ("protocol/crypto.py", "protocol/exchange.py", "protocol/sealing.py", "protocol/datagram.py"),
    "msgpack": ("protocol/codec.py",),
    "cryptography": ("protocol/aes.py",),
    "blake3": ("protocol/ids.py",),
    "zeroconf": ("node/discovery.py",),
    "psutil": ("profilers/resources.py", "node/listening.py"),
    "numpy": ("mappers/", "profilers/", "sim/"),
    "scipy": ("mappers/", "profilers/", "sim/"),
    "cloudpickle": ("node/parcel.py", "node/callee.py"),
    "click": ("node/", "sim/study/"),
    "rich": ("node/", "sim/study/"),
    "trio": ("node/",),
    "yaml": ("sim/formats/",),
    "distributed": ("sim/study/cluster.py",),
    "pandas": ("sim/study/table.py",),
    "pyarrow": ("sim/study/table.py",),
}
"""Each library has one home, a module or a package: whoever replaces it has one place to look at. psutil has two,
since it knows two unrelated things: what the machine is doing, and which addresses it has."""

AWAITED: dict[str, str] = {}
"""Libraries whose home nobody lives in yet, each with its reason."""

SHELLS = ("node", "sim")
"""Only these may log: a machine never does, its driver logs what went in and what came out."""

DATACLASSES = ("protocol/values.py",)
"""What takes them from the standard library; all others take them from there."""

LINES_OF_MODULE_MAX = 400
LINES_OF_FUNCTION_MAX = 60
"""Twice what is usual here: beyond, there is a second noun in the module or a second verb in the function."""

UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")


@dataclass(frozen=True)
class Source:
    """A module as text and as a tree."""

    path: str
    """Relative to the root, with slashes: `protocol/ids.py`."""
    text: str

    @property
    def package(self) -> str:
        return self.path.split("/", maxsplit=1)[0]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def complaint(self, line: int, what: str) -> str:
        return f"{self.path}:{line}: {what}"


@dataclass(frozen=True)
class Import:
    """One imported module (`from a import b, c` is one; `import a, b` is two)."""

    line: int
    level: int
    """Number of leading dots."""
    module: str
    names: tuple[str, ...]
    at_load: bool
    """Whether loading the importing module loads it: outside functions and `if TYPE_CHECKING`."""

    @property
    def top(self) -> str:
        return self.module.split(".", maxsplit=1)[0]

    @property
    def package(self) -> str:
        """Of ours, when it crosses a border: `protocol` for `pnode.protocol.ids`."""
        root, package, *_ = [*self.module.split("."), *self.names, ""]
        return package if self.level == 0 and root == "pnode" else ""


def sources(*packages: str) -> list[Source]:
    """Every module of these packages that is in the tree now."""
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def imports(tree: ast.Module) -> Iterator[Import]:
    waiting: list[tuple[ast.AST, bool]] = [(tree, True)]
    while waiting:
        node, at_load = waiting.pop()
        match node:
            case ast.Import():
                yield from (Import(node.lineno, 0, alias.name, (), at_load) for alias in node.names)
            case ast.ImportFrom():
                names = tuple(alias.name for alias in node.names)
                yield Import(node.lineno, node.level, node.module or "", names, at_load)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += [(child, False) for child in node.body] + [(child, at_load) for child in node.orelse]
            case _:
                inside = at_load and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                waiting += [(child, inside) for child in ast.iter_child_nodes(node)]


def upward_imports(source: Source) -> Iterator[str]:
    """Imports of a package that is not below this one."""
    for found in imports(source.tree):
        if found.package and found.package != source.package and found.package not in MAY_IMPORT[source.package]:
            allowed = ", ".join(MAY_IMPORT[source.package]) or "none of the others"
            yield source.complaint(
                found.line, f"{source.package} imports pnode.{found.package}; it may import {allowed}"
            )


def crooked_imports(source: Source) -> Iterator[str]:
    """Inside a folder relative, with one dot; across folders absolute, through pnode."""
    for found in imports(source.tree):
        if found.package and source.folder in _folders(found):
            yield source.complaint(found.line, f"imports its own folder as {found.module}; write it relative")
        if found.level > 1:
            yield source.complaint(found.line, "goes upwards by dots; across packages imports are absolute")
        if found.level == 0 and found.top in MAY_IMPORT:
            yield source.complaint(found.line, f"imports {found.module}; it is installed as pnode.{found.module}")
        if found.level == 0 and found.module == "pnode" and not found.package:
            yield source.complaint(found.line, "imports the bare namespace pnode")
        if "*" in found.names:
            yield source.complaint(found.line, "imports everything there is; name what is used")


def _folders(found: Import) -> Iterator[str]:
    """Where the imported modules lie: `sim/schedule` for `from pnode.sim.schedule.scenario import Graph`."""
    base = found.module.split(".")[1:]
    for path in (base, *([*base, name] for name in found.names)):
        if (ROOT / ("/".join(path) + ".py")).exists():
            yield "/".join(path[:-1])
        if path and (ROOT / "/".join(path) / "__init__.py").exists():
            yield "/".join(path)


def homeless_imports(source: Source) -> Iterator[str]:
    """Libraries away from their home, and libraries that have none."""
    for found in imports(source.tree):
        if found.level or found.top == "pnode" or found.top in sys.stdlib_module_names:
            continue
        homes = HOMES.get(found.top)
        if homes is None:
            yield source.complaint(found.line, f"imports {found.top}, a library without a home in tests/borders.py")
        elif not source.path.startswith(homes):
            yield source.complaint(found.line, f"imports {found.top}, whose home is {', '.join(homes)}")


def logging_outside_shells(source: Source) -> Iterator[str]:
    for found in imports(source.tree):
        if found.top == "logging" and source.package not in SHELLS:
            yield source.complaint(found.line, "logs; only the shells do, for the machines they drive")


def heavy_at_start(start: str, modules: list[Source], heavy: tuple[str, ...]) -> Iterator[str]:
    """Heavy libraries that are loaded as soon as `start` is."""
    by_path = {source.path: source for source in modules}
    waiting, seen = [start], {start}
    while waiting:
        source = by_path[waiting.pop()]
        for found in imports(source.tree):
            if not found.at_load:
                continue
            if found.top in heavy and not found.level:
                yield source.complaint(
                    found.line, f"loads {found.top} as soon as {start} is; import it where it is used"
                )
            for path in loaded_paths(source, found):
                if path in by_path and path not in seen:
                    seen.add(path)
                    waiting.append(path)


def loaded_paths(source: Source, found: Import) -> Iterator[str]:
    """Files of ours that an import may load."""
    if found.level == 0 and found.top != "pnode":
        return
    below = found.module.split(".")[1:] if found.level == 0 else [*source.folder.split("/"), found.module]
    base = "/".join(part for part in below if part)
    for place in (base, *(f"{base}/{name}" if base else name for name in found.names)):
        yield f"{place}.py"
        yield f"{place}/__init__.py"


def eager_dataclasses(source: Source) -> Iterator[str]:
    for found in imports(source.tree):
        if found.module == "dataclasses" and "dataclass" in found.names and source.path not in DATACLASSES:
            yield source.complaint(found.line, "takes dataclass from dataclasses, not from protocol/values.py")


def without_docstring(source: Source) -> Iterator[str]:
    if not ast.get_docstring(source.tree):
        yield source.complaint(1, "has no docstring that says what its noun is")


def too_long(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines > LINES_OF_MODULE_MAX:
        yield source.complaint(1, f"has {lines} lines, more than {LINES_OF_MODULE_MAX}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LINES_OF_FUNCTION_MAX:
                yield source.complaint(
                    node.lineno, f"{node.name} has {length} lines, more than {LINES_OF_FUNCTION_MAX}"
                )


def unfinished(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield source.complaint(number, f"is not finished: {line.strip()}")


def broad_excepts(source: Source) -> Iterator[str]:
    """Handlers that catch everything and keep it; one that cleans up and raises again is fine."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and not raises_again(node):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            for kind in caught:
                if kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")):
                    yield source.complaint(node.lineno, "catches everything; catch by name what is expected")


def raises_again(handler: ast.ExceptHandler) -> bool:
    match handler.body[-1]:
        case ast.Raise(exc=None):
            return True
    return False
