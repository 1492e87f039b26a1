"""imports: who imports whom, from the eight shares together."""

from parts import key_of, read_json, write_json


def task(files, pathin, pathout):
    """Eight files in, one out, for both children (FLAG true): `graph` follows its edges, `report` names the most
    imported modules."""
    modules, unparsed = {}, []
    for file in files:
        share = read_json(pathin, file)
        modules |= share["modules"]
        unparsed += share["unparsed"]
    table = {
        "modules": len(modules) + len(unparsed),
        "unparsed": sorted(unparsed),
        "importers": importers(modules),
        "loads": {name: loads(name, modules) for name in sorted(modules)},
    }
    return [write_json(pathout, f"{key_of(files[0])}_imports.json", table)]


def importers(modules):
    """[(module or package, how many modules outside it import it or something in it)], the most imported first."""
    users = {}
    for name, references in modules.items():
        for module, _, _ in references:
            top = module.split(".")[0]
            if top != name.split(".")[0]:
                users.setdefault(top, set()).add(name)
    return sorted(((top, len(names)) for top, names in users.items()), key=lambda row: (-row[1], row[0]))


def loads(name, modules):
    """Modules of the library that loading this one loads directly: its packages, and what it imports outside
    functions, with their packages. What may never run (`if`, `try`) counts."""
    wanted = [name]
    for module, taken, at_load in modules[name]:
        if at_load:
            wanted += [module, f"{module}.{taken}"]
    loaded = {prefix for module in wanted for prefix in prefixes(module) if prefix in modules}
    return sorted(loaded - {name})


def prefixes(module):
    """`email`, `email.mime` and `email.mime.base` for `email.mime.base`: importing the last imports them all."""
    names = module.split(".")
    return [".".join(names[:count]) for count in range(1, len(names) + 1)]
