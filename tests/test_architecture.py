"""The borders hold: DESIGN's tree of packages, one home per library, a pure core. The checks can fail, too."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable

import pytest

from . import borders, purity
from .borders import HOMES, MAY_IMPORT, ROOT, Source, sources

Check = Callable[[Source], Iterable[str]]

MODULES = sources(*MAY_IMPORT)
PURE = sources("protocol", "mappers")

LONG_FOR_A_REASON: dict[str, str] = {}
"""Path of a module that may be long: why. Empty is best."""

EVERYWHERE: list[Check] = [
    borders.upward_imports,
    borders.crooked_imports,
    borders.homeless_imports,
    borders.logging_outside_shells,
    borders.eager_dataclasses,
    borders.without_docstring,
    borders.too_long,
    borders.unfinished,
    borders.broad_excepts,
]
IN_THE_CORE: list[Check] = [
    purity.worldly_imports,
    purity.worldly_calls,
    purity.clocks,
    purity.global_randomness,
    purity.set_iteration,
]


def complaints(check: Check, modules: Iterable[Source]) -> list[str]:
    return [complaint for source in modules for complaint in check(source)]


def short(value: Check | str) -> str:
    """What a test is called after."""
    return repr(value[:40]) if isinstance(value, str) else getattr(value, "__name__", "")


# The tree as it stands.


@pytest.mark.parametrize("check", EVERYWHERE, ids=short)
def test_no_module_crosses_a_border(check: Check) -> None:
    assert complaints(check, [source for source in MODULES if source.path not in LONG_FOR_A_REASON]) == []


@pytest.mark.parametrize("check", IN_THE_CORE, ids=short)
def test_the_core_is_pure(check: Check) -> None:
    assert complaints(check, PURE) == []


def test_every_package_is_looked_at() -> None:
    assert {source.package for source in MODULES} == set(MAY_IMPORT)
    assert {source.package for source in PURE} == {"protocol", "mappers"}


def test_an_exception_for_length_is_still_needed() -> None:
    long = {complaint.split(":")[0] for complaint in complaints(borders.too_long, MODULES)}

    assert LONG_FOR_A_REASON.keys() <= long
    assert all(LONG_FOR_A_REASON.values())


def test_every_home_is_lived_in() -> None:
    used = {
        (found.top, source.path) for source in MODULES for found in borders.imports(source.tree) if not found.level
    }

    for library, homes in HOMES.items():
        lived_in = any(top == library and path.startswith(homes) for top, path in used)
        assert lived_in != (library in borders.AWAITED), library


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    assert list(borders.heavy_at_start("node/cli.py", MODULES, ("scipy", "zeroconf", "numpy"))) == []


def test_the_command_line_does_start_without_the_heavy_libraries() -> None:
    names = "import json, sys, pnode.node.cli; print(json.dumps(sorted(sys.modules)))"

    loaded = json.loads(subprocess.run([sys.executable, "-c", names], capture_output=True, check=True).stdout)

    assert "pnode.node.cli" in loaded
    assert [name for name in loaded if name in ("scipy", "zeroconf", "numpy", "pnode.sim")] == []


def test_every_directory_of_tests_is_a_package() -> None:
    directories = sorted({path.parent for path in (ROOT / "tests").rglob("*.py")})

    assert [path for path in directories if not (path / "__init__.py").exists()] == []


def test_nothing_is_left_unfinished_in_tests_and_examples() -> None:
    modules = sources("tests", "examples")

    assert complaints(borders.unfinished, modules) == []
    assert complaints(borders.broad_excepts, modules) == []


# The checks can fail.


BAD: list[tuple[Check, str, str]] = [
    (borders.upward_imports, "protocol/x.py", "from pnode.node.store import Store"),
    (borders.upward_imports, "mappers/x.py", "import pnode.profilers.delay"),
    (borders.upward_imports, "profilers/x.py", "from pnode import mappers"),
    (borders.upward_imports, "node/x.py", "def f():\n    from pnode.sim import engine"),
    (borders.upward_imports, "sim/x.py", "if TYPE_CHECKING:\n    from pnode.node.store import Store"),
    (borders.crooked_imports, "node/x.py", "from pnode.node.store import Store"),
    (borders.crooked_imports, "node/x.py", "from pnode import node"),
    (borders.crooked_imports, "node/x.py", "from ..protocol import ids"),
    (borders.crooked_imports, "node/x.py", "from protocol.ids import NodeId"),
    (borders.crooked_imports, "node/x.py", "import pnode"),
    (borders.crooked_imports, "node/x.py", "from .store import *"),
    (borders.homeless_imports, "protocol/ids.py", "import msgpack"),
    (borders.homeless_imports, "node/x.py", "from nacl.signing import SigningKey"),
    (borders.homeless_imports, "sim/x.py", "import trio"),
    (borders.homeless_imports, "node/x.py", "def f():\n    import requests"),
    (borders.logging_outside_shells, "profilers/x.py", "import logging"),
    (borders.eager_dataclasses, "sim/x.py", "from dataclasses import dataclass, fields"),
    (borders.without_docstring, "node/x.py", "pass"),
    (borders.too_long, "node/x.py", "pass\n" * (borders.LINES_OF_MODULE_MAX + 1)),
    (borders.too_long, "node/x.py", "async def f():\n" + "    pass\n" * borders.LINES_OF_FUNCTION_MAX),
    (borders.unfinished, "node/x.py", "# TO" "DO: later"),
    (borders.unfinished, "node/x.py", "x = 1  # FIX" "ME"),
    (borders.broad_excepts, "node/x.py", "try: f()\nexcept: pass"),
    (borders.broad_excepts, "node/x.py", "try: f()\nexcept Exception as error: print(error)"),
    (borders.broad_excepts, "node/x.py", "try: f()\nexcept (OSError, BaseException): pass"),
    (purity.worldly_imports, "protocol/x.py", "import time"),
    (purity.worldly_imports, "protocol/x.py", "def f():\n    from os import environ"),
    (purity.worldly_imports, "mappers/x.py", "import concurrent.futures"),
    (purity.worldly_imports, "mappers/x.py", "from secrets import token_bytes"),
    (purity.worldly_calls, "protocol/x.py", "open('file')"),
    (purity.worldly_calls, "protocol/x.py", "print('hello')"),
    (purity.worldly_calls, "mappers/x.py", "rank = hash(name)"),
    (purity.worldly_calls, "protocol/x.py", "exec(text)"),
    (purity.clocks, "protocol/x.py", "datetime.now(UTC)"),
    (purity.clocks, "protocol/x.py", "datetime.date.today()"),
    (purity.clocks, "protocol/x.py", "datetime.fromtimestamp(now)"),
    (purity.global_randomness, "mappers/x.py", "random.shuffle(nodes)"),
    (purity.global_randomness, "mappers/x.py", "from random import choice"),
    (purity.global_randomness, "mappers/x.py", "rng = random.Random()"),
    (purity.global_randomness, "mappers/x.py", "from nacl.utils import random"),
    (purity.global_randomness, "protocol/x.py", "bindings.randombytes(32)"),
    (purity.set_iteration, "protocol/x.py", "for x in {1, 2}: pass"),
    (purity.set_iteration, "protocol/x.py", "names = [f(x) for x in set(y)]"),
    (purity.set_iteration, "protocol/x.py", "names = tuple(frozenset(y))"),
    (purity.set_iteration, "protocol/x.py", "s = set()\ndef f():\n    for x in s: pass"),
    (purity.set_iteration, "protocol/x.py", "def f(s: set[int] | None):\n    return list(s)"),
    (purity.set_iteration, "protocol/x.py", "def f(*, s: 'frozenset[int]'):\n    return ', '.join(s)"),
    (purity.set_iteration, "protocol/x.py", "def f(a):\n    b = a.keys() - {1}\n    c = b\n    return [*c]"),
    (purity.set_iteration, "protocol/x.py", "class C:\n  s: frozenset[int]\n  def f(self):\n    next(iter(self.s))"),
    (purity.set_iteration, "protocol/x.py", "def f(self):\n  self.s = {1}\ndef g(self):\n  yield from self.s"),
    (purity.set_iteration, "protocol/x.py", "s = {x for x in y}\nfirst, *rest = s"),
    (purity.set_iteration, "protocol/x.py", "s: set[int] = z()\nx = s.pop()"),
    (purity.set_iteration, "protocol/x.py", "rng.choice(list(a.union(b)))"),
    (purity.set_iteration, "protocol/x.py", "d = {k: 1 for k in (s := set(y))}"),
    (purity.set_iteration, "protocol/x.py", "d = dict.fromkeys({1} | other)"),
    (purity.set_iteration, "protocol/x.py", "f = lambda: [x for x in {1, 2}]"),
]  # fmt: skip

GOOD: list[tuple[Check, str, str]] = [
    (borders.upward_imports, "node/x.py", "from pnode.protocol.ids import NodeId\nfrom pnode.mappers import rank"),
    (borders.upward_imports, "node/x.py", "from .store import Store"),
    (borders.crooked_imports, "node/x.py", "from . import store\nfrom .store import Store"),
    (borders.crooked_imports, "node/x.py", "from pnode.protocol import ids"),
    (borders.homeless_imports, "protocol/codec.py", "import msgpack, struct\nfrom .ids import NodeId"),
    (borders.logging_outside_shells, "sim/x.py", "import logging"),
    (borders.eager_dataclasses, "sim/x.py", "from dataclasses import fields\nfrom .values import dataclass"),
    (borders.broad_excepts, "node/x.py", "try: f()\nexcept BaseException:\n    close()\n    raise"),
    (borders.broad_excepts, "node/x.py", "try: f()\nexcept (OSError, ValueError): pass"),
    (purity.worldly_imports, "protocol/x.py", "import heapq\nfrom collections.abc import Mapping\nfrom . import ids"),
    (purity.worldly_calls, "protocol/x.py", "class C:\n    def __hash__(self):\n        return hash(self.x)"),
    (purity.worldly_calls, "protocol/x.py", "self.open('door')"),
    (purity.worldly_calls, "protocol/values.py", "exec(text)"),
    (purity.clocks, "protocol/x.py", "datetime.fromtimestamp(now, UTC)\nself.now()"),
    (purity.global_randomness, "mappers/x.py", "def f(rng: random.Random):\n    return rng.choice([1])"),
    (purity.global_randomness, "mappers/x.py", "rng = random.Random(seed)"),
    (purity.set_iteration, "protocol/x.py", "for x in sorted({1, 2}): pass"),
    (purity.set_iteration, "protocol/x.py", "s = set(y)\nany(x > 1 for x in s)\nt = {f(x) for x in s}\n1 in s"),
    (purity.set_iteration, "protocol/x.py", "for x in a.keys(): pass"),
    (purity.set_iteration, "protocol/x.py", "s = set()\ndef f(s: list[int]):\n    return [x for x in s]"),
    (purity.set_iteration, "protocol/x.py", "x = a.pop()\ny = [z for z in d.values()]"),
    (purity.set_iteration, "protocol/x.py", "class A:\n  n: set[int]\nclass B:\n  n: list[int]\ndef f(b): list(b.n)"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "path", "text"), BAD, ids=short)
def test_a_check_sees_what_it_is_for(check: Check, path: str, text: str) -> None:
    found = list(check(Source(path, text)))

    assert len(found) == 1, found
    assert found[0].startswith(f"{path}:")


@pytest.mark.parametrize(("check", "path", "text"), GOOD, ids=short)
def test_a_check_lets_the_rest_be(check: Check, path: str, text: str) -> None:
    assert list(check(Source(path, text))) == []


def test_a_heavy_library_is_found_however_far_down_it_is_loaded() -> None:
    start = Source("node/cli.py", "from .terminal import show\n")
    modules = [
        start,
        Source("node/terminal.py", "from pnode.mappers import optimum\n"),
        Source("mappers/optimum.py", "from scipy.optimize import milp\n"),
        Source("mappers/lazy.py", "def f():\n    import scipy\n"),
    ]

    [found] = borders.heavy_at_start("node/cli.py", modules, ("scipy",))

    assert found.startswith("mappers/optimum.py:1: loads scipy")


def test_a_heavy_library_imported_where_it_is_used_does_no_harm() -> None:
    modules = [
        Source("node/cli.py", "def map():\n    from pnode.mappers import optimum\n"),
        Source("mappers/optimum.py", "import scipy\n"),
    ]

    assert list(borders.heavy_at_start("node/cli.py", modules, ("scipy",))) == []
