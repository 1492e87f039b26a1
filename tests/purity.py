"""Purity: that a module reads no clock, socket, file, environment or global randomness, and lets no order of a set
out. Read from its syntax tree, hence to the best of a reader's ability and no further.
"""

import ast
from collections.abc import Iterator

from .borders import HOMES, Source, imports

HARMLESS = (
    "abc", "array", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "graphlib", "hashlib", "heapq", "hmac", "ipaddress", "itertools",
    "json", "math", "numbers", "operator", "random", "re", "reprlib", "statistics", "string", "struct", "textwrap",
    "tomllib", "types", "typing", "unicodedata", "zlib",
)  # fmt: skip
"""What a pure module may import of the standard library: nothing here knows the world outside. A list of what is
allowed cannot be out of date the dangerous way. Of datetime and random only a part is harmless; see below."""

WORLDLY_CALLS = {
    "open": "opens a file",
    "print": "prints",
    "input": "reads the terminal",
    "breakpoint": "stops for a debugger",
    "exec": "runs text",
    "eval": "runs text",
    "__import__": "imports behind the reader's back",
    "hash": "depends on PYTHONHASHSEED for strings and bytes",
    "id": "depends on where memory was free",
}

COMPILERS = ("protocol/values.py",)
"""They run text that they have written themselves, from the names of fields, as `dataclasses` does."""

RANDOM_BINDINGS = (
    "randombytes",
    "random",
    "generate",
    "crypto_kx_keypair",
    "crypto_sign_keypair",
    "crypto_box_keypair",
)
"""PyNaCl's ways to draw randomness inside C."""

SET_TYPES = ("set", "frozenset", "Set", "AbstractSet", "MutableSet", "FrozenSet")
SET_METHODS = ("union", "intersection", "difference", "symmetric_difference")
SET_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
BLIND_TO_ORDER = ("sorted", "set", "frozenset", "any", "all", "len", "min", "max", "sum", "bool")
"""Their value does not depend on the order of what they are given. A `key` to sorted, min or max is the author's word
that it tells all members apart; a sum is taken to be of integers."""
LETS_ORDER_OUT = ("list", "tuple", "iter", "enumerate", "zip", "map", "filter", "reversed", "dict", "next", "deque")


def worldly_imports(source: Source) -> Iterator[str]:
    for found in imports(source.tree):
        if found.level or found.top in HARMLESS or found.top in HOMES or found.top in ("pnode", "__future__"):
            continue
        yield source.complaint(found.line, f"imports {found.module}, which is not on the list of harmless modules")


def worldly_calls(source: Source) -> Iterator[str]:
    in_hash = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for inner in ast.walk(node)
    }
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="exec")) if source.path in COMPILERS:
                continue
            case ast.Call(func=ast.Name(id=name)) if name in WORLDLY_CALLS and id(node) not in in_hash:
                yield source.complaint(node.lineno, f"calls {name}(), which {WORLDLY_CALLS[name]}")


def clocks(source: Source) -> Iterator[str]:
    """datetime may turn a number into text, but not ask what time it is, or where we are."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(
                value=ast.Name(id="datetime" | "date") | ast.Attribute(attr="datetime" | "date"),
                attr="now" | "utcnow" | "today" as attr,
            ):
                yield source.complaint(node.lineno, f"asks the clock by {attr}")
            case ast.Call(func=ast.Attribute(attr="fromtimestamp"), args=[_], keywords=[]):
                yield source.complaint(node.lineno, "asks the environment for the time zone by fromtimestamp")
            case ast.Call(func=ast.Attribute(attr="astimezone"), args=[], keywords=[]):
                yield source.complaint(node.lineno, "asks the environment for the time zone by astimezone")


def global_randomness(source: Source) -> Iterator[str]:
    """Only a generator that came in as an argument, or that is seeded here, may be drawn from."""
    for node in ast.walk(source.tree):
        match node:
            case ast.ImportFrom(module="random", names=names):
                for alias in names:
                    if alias.name != "Random":
                        yield source.complaint(
                            node.lineno, f"takes {alias.name} from random, which has one global state"
                        )
            case ast.Attribute(value=ast.Name(id="random"), attr=attr) if attr != "Random":
                yield source.complaint(
                    node.lineno, f"uses random.{attr}; draw from a generator that came in as argument"
                )
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="random"), attr="Random") | ast.Name(id="Random"), args=[]
            ):
                yield source.complaint(node.lineno, "seeds a generator from the operating system")
            case ast.ImportFrom(module=module) if (
                module and module.split(".")[0] == "nacl" and ".utils" in f".{module}"
            ):
                yield source.complaint(node.lineno, "imports nacl.utils, which draws randomness")
            case ast.Attribute(value=ast.Name(id="bindings" | "nacl" | "utils"), attr=attr) if (
                attr in RANDOM_BINDINGS
            ):
                yield source.complaint(node.lineno, f"draws randomness inside libsodium by {attr}")


def set_iteration(source: Source) -> Iterator[str]:
    """Places where the order of a set gets out. It differs between processes for strings and bytes."""
    tree = source.tree
    members = SetNames(tree)
    excused = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BLIND_TO_ORDER
        for argument in node.args
    }
    for scope in scopes(tree):
        names = members.in_scope(scope)
        for node in inside(scope):
            for iterated in iterations(node, excused):
                if is_set(iterated, names):
                    yield source.complaint(iterated.lineno, f"lets the order of a set out: {ast.unparse(iterated)}")


def iterations(node: ast.AST, excused: set[int]) -> Iterator[ast.expr]:
    """What this node goes through in order."""
    match node:
        case ast.For() | ast.AsyncFor():
            yield node.iter
        case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
            if id(node) not in excused:
                yield from (generator.iter for generator in node.generators)
        case ast.Starred() | ast.YieldFrom():
            yield node.value
        case ast.Assign(targets=[ast.Tuple() | ast.List()]):
            yield node.value
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in LETS_ORDER_OUT:
            yield from arguments
        case ast.Call(func=ast.Attribute(attr="join" | "extend" | "fromkeys" | "extendleft"), args=[argument, *_]):
            yield argument
        case ast.Call(func=ast.Attribute(attr="choice" | "sample" | "shuffle" | "choices"), args=[argument, *_]):
            yield argument
        case ast.Call(func=ast.Attribute(attr="pop", value=value), args=[]):
            yield value


Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def scopes(tree: ast.Module) -> Iterator[Scope]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node


def inside(scope: Scope) -> Iterator[ast.AST]:
    """Everything in a scope except what is in a scope of its own within it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


class SetNames:
    """Names that are sets as far as annotations and assignments tell: `name` by scope, `.attribute` by module."""

    def __init__(self, tree: ast.Module) -> None:
        self._module = named_sets(tree, set())
        self._attributes: set[str] = set()
        others: set[str] = set()
        for scope in scopes(tree):
            names = named_sets(scope, self._module) - self._module
            if isinstance(scope, ast.ClassDef):  # a field declared in the body is an attribute elsewhere
                names = {f".{name}" for name in names}
                others |= {f".{name}" for name in declared(scope)} - names
            self._attributes |= {name for name in names if name.startswith(".")}
        self._attributes -= others  # two classes have it, one as something else: better silent than wrong

    def in_scope(self, scope: Scope) -> set[str]:
        return named_sets(scope, self._module | self._attributes)


def named_sets(scope: Scope, outer: set[str]) -> set[str]:
    names = set(outer)
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
        names -= {argument.arg for argument in arguments}
        names |= {argument.arg for argument in arguments if is_set_type(argument.annotation)}
    for _ in range(3):  # a = b where b = c where c is a set: three rounds find all but the absurd
        for node in inside(scope):
            match node:
                case ast.AnnAssign(target=target, annotation=annotation) if is_set_type(annotation):
                    names |= written(target)
                case ast.Assign(targets=[target], value=value) if is_set(value, names):
                    names |= written(target)
                case ast.NamedExpr(target=target, value=value) if is_set(value, names):
                    names |= written(target)
    return names


def declared(scope: ast.ClassDef) -> set[str]:
    """Fields of a class, by annotation."""
    return {
        node.target.id for node in scope.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def written(target: ast.expr) -> set[str]:
    match target:
        case ast.Name(id=name):
            return {name}
        case ast.Attribute(attr=name):
            return {f".{name}"}
    return set()


def is_set_type(annotation: ast.expr | None) -> bool:
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in SET_TYPES
        case ast.Subscript(value=value):
            return is_set_type(value)
        case ast.BinOp(left=left, right=right):  # set[int] | None
            return is_set_type(left) or is_set_type(right)
        case ast.Constant(value=str(text)):
            return is_set_type(ast.parse(text, mode="eval").body)
    return False


def is_set(node: ast.expr, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(attr=name):
            return f".{name}" in names
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Subscript(value=ast.Name(id="set" | "frozenset"))):
            return True
        case ast.Call(func=ast.Attribute(attr=name, value=value)):
            return name in SET_METHODS or (name == "copy" and is_set(value, names))
        case ast.BinOp(op=operator, left=left, right=right) if isinstance(operator, SET_OPERATORS):
            return any(is_set(side, names) or is_view(side) for side in (left, right))
        case ast.IfExp(body=body, orelse=orelse):
            return is_set(body, names) or is_set(orelse, names)
        case ast.BoolOp(values=values):
            return any(is_set(value, names) for value in values)
        case ast.NamedExpr(value=value):
            return is_set(value, names)
    return False


def is_view(node: ast.expr) -> bool:
    """`d.keys() - other` is a set, though `d.keys()` itself keeps the order of the dictionary."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")
