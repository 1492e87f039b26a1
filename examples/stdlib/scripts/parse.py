"""parse: what each module of one share imports, which functions it has, and how long they are.

dag.txt has eight tasks of this kind, parse0 to parse7; config.json maps them all to this module.
"""

import ast
import os
import warnings

from parts import LONGEST, key_of, module_name, part_of, sources, write_json

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def task(file, pathin, pathout):
    """One share in, three files out, in the order of the children in dag.txt: FLAG is false, so that each of
    `imports`, `functions` and `lines` gets the one that is for it."""
    warnings.simplefilter("ignore")  # the library's own doubtful escapes are none of our business
    modules, functions, lines, unparsed = {}, [], [], []
    for path, source in sources(os.path.join(pathin, file)):
        name = module_name(path)
        lines.append(f"{name}\t{len(source.splitlines())}\t{len(source)}\n")
        try:
            tree = ast.parse(source)
        except SyntaxError:  # this node's Python may be older than the one the library belongs to
            unparsed.append(name)
            continue
        package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
        modules[name] = [[*reference, at_load] for reference, at_load in sorted(imports(tree, package))]
        functions += [(length, name, function, line) for length, function, line in lengths(tree)]
    functions.sort(key=lambda function: (-function[0], *function[1:]))
    key, index = key_of(file), part_of(file).removeprefix("share").removesuffix(".tar")
    return [
        write_json(pathout, f"{key}_imports{index}.json", {"modules": modules, "unparsed": unparsed}),
        write_json(
            pathout, f"{key}_functions{index}.json", {"count": len(functions), "longest": functions[:LONGEST]}
        ),
        write_table(pathout, f"{key}_lines{index}.tsv", lines),
    ]


def write_table(pathout, file, lines):
    """Lines of text for `lines`, a shell script: it knows tabs, not JSON."""
    path = os.path.join(pathout, file)
    with open(path, "w", encoding="utf-8") as table:
        table.writelines(lines)
    return path


def statements(body, names=(), in_function=False):
    """Every statement below `body` with the names of the definitions around it.

    Only statements are entered, not expressions: there can be no import and no `def` in one.
    """
    for statement in body:
        yield statement, names, in_function
        inner, inside = names, in_function
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            inner, inside = (*names, statement.name), in_function or isinstance(statement, FUNCTIONS)
        for below in ("body", "orelse", "finalbody"):
            yield from statements(getattr(statement, below, []), inner, inside)
        for branch in [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]:
            yield from statements(branch.body, inner, inside)


def imports(tree, package):
    """((module, name taken from it or ""), whether loading the module runs it), each once."""
    found = set()
    for statement, _, in_function in statements(tree.body):
        if isinstance(statement, ast.Import):
            found |= {((alias.name, ""), not in_function) for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            module = absolute(statement.module or "", statement.level, package)
            found |= {((module, alias.name), not in_function) for alias in statement.names}
    return found


def absolute(module, level, package):
    """`.base` in the package `email.mime` is `email.mime.base`; each further dot goes one package up."""
    if level == 0:
        return module
    above = package.split(".")[: len(package.split(".")) - (level - 1)]
    return ".".join([*above, *([module] if module else [])])


def lengths(tree):
    """(lines, dotted name, first line) of every `def`, methods and functions in functions included."""
    for statement, names, _ in statements(tree.body):
        if isinstance(statement, FUNCTIONS):
            length = statement.end_lineno - statement.lineno + 1
            yield length, ".".join((*names, statement.name)), statement.lineno
