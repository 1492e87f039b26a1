"""graph: what the import graph says: circles, and how much each module pulls in."""

from parts import key_of, read_json, write_json


def task(file, pathin, pathout):
    """One table of who loads whom in, one of findings out."""
    loads = read_json(pathin, file)["loads"]
    pulls = sorted(((name, pulled_in(name, loads)) for name in loads), key=lambda row: (-row[1], row[0]))
    findings = {"edges": sum(len(names) for names in loads.values()), "circles": circles(loads), "pulls": pulls}
    return [write_json(pathout, f"{key_of(file)}_graph.json", findings)]


def pulled_in(name, loads):
    """How many other modules of the library one import of this module loads in the end."""
    seen, waiting = {name}, [name]
    while waiting:
        for module in loads[waiting.pop()]:
            if module not in seen:
                seen.add(module)
                waiting.append(module)
    return len(seen) - 1


def circles(loads):
    """Sets of modules that all load each other, the largest first.

    Kosaraju's algorithm: visit the graph and note the modules as they are finished, then visit it backwards from the
    last finished; what is reached that way for the first time is one set.
    """
    loaded_by = {name: [] for name in loads}
    for name, modules in loads.items():
        for module in modules:
            loaded_by[module].append(name)
    finished, seen = [], set()
    for name in loads:
        finished += visit(name, loads, seen)
    seen = set()
    sets = [sorted(visit(name, loaded_by, seen)) for name in reversed(finished)]
    return sorted((names for names in sets if len(names) > 1), key=lambda names: (-len(names), names))


def visit(start, edges, seen):
    """Everything not yet seen that can be reached from here, each after what it leads to. Adds it to `seen`."""
    if start in seen:
        return []
    seen.add(start)
    order, path = [], [(start, iter(edges[start]))]
    while path:
        name, ways = path[-1]
        onward = next((way for way in ways if way not in seen), None)
        if onward is None:
            order.append(name)
            path.pop()
        else:
            seen.add(onward)
            path.append((onward, iter(edges[onward])))
    return order
