"""report: one page for people, one file of the same for programs."""

import os

from parts import key_of, part_of, read_json, write_json

SHOWN = 10
"""Rows of each table on the page; the file has more of them."""


def task(files, pathin, pathout):
    """Four files in, in no order to rely on: their names say which is which."""
    inputs = {part_of(file): file for file in files}
    key = key_of(files[0])
    imports = read_json(pathin, inputs["imports.json"])
    functions = read_json(pathin, inputs["functions.json"])
    graph = read_json(pathin, inputs["graph.json"])
    lines = read_lines(os.path.join(pathin, inputs["lines.tsv"]))
    facts = {
        "modules": imports["modules"],
        "unparsed": imports["unparsed"],
        "lines": sum(row[1] for row in lines),
        "bytes": sum(row[2] for row in lines),
        "functions": functions["count"],
        "edges": graph["edges"],
        "most_imported": imports["importers"][: 2 * SHOWN],
        "longest_functions": functions["longest"],
        "longest_modules": [row[:2] for row in lines[: 2 * SHOWN]],
        "heaviest_imports": graph["pulls"][: 2 * SHOWN],
        "circles": graph["circles"],
    }
    output = os.path.join(pathout, f"{key}_report.txt")
    with open(output, "w", encoding="utf-8") as target:
        target.writelines(f"{line}\n" for line in page(facts))
    return [output, write_json(pathout, f"{key}_report.json", facts)]


def read_lines(path):
    """[(module, lines, bytes)]"""
    with open(path, encoding="utf-8") as table:
        rows = [line.rstrip("\n").split("\t") for line in table]
    return [(name, int(lines), int(size)) for name, lines, size in rows]


def page(facts):
    """The lines of the report."""
    yield f"{facts['modules']} modules, {facts['lines']} lines, {facts['functions']} functions"
    if facts["unparsed"]:
        yield f"not understood by this Python and left out: {', '.join(facts['unparsed'])}"
    yield from table("Most imported, by how many modules", ((count, name) for name, count in facts["most_imported"]))
    yield from table(
        "Longest functions, in lines",
        ((length, f"{module}.{name} (line {line})") for length, module, name, line in facts["longest_functions"]),
    )
    yield from table("Longest modules, in lines", ((lines, name) for name, lines in facts["longest_modules"]))
    yield from table("Heaviest imports, in modules loaded", ((n, name) for name, n in facts["heaviest_imports"]))
    circles = [(len(names), ", ".join(names)) for names in facts["circles"]]
    yield from table(f"Import circles ({len(circles)}), in modules", circles)


def table(title, rows):
    """A title and the first rows, numbers to the right; no row is wider than a terminal."""
    yield ""
    yield title
    for number, text in list(rows)[:SHOWN]:
        yield f"{number:6}  {text if len(text) <= 100 else text[:97] + '...'}"
