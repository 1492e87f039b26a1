"""functions: the longest functions of the library, from the longest of each share."""

from parts import LONGEST, key_of, read_json, write_json


def task(files, pathin, pathout):
    """Eight files in, one out."""
    shares = [read_json(pathin, file) for file in files]
    longest = [row for share in shares for row in share["longest"]]
    longest.sort(key=lambda row: (-row[0], *row[1:]))
    table = {"count": sum(share["count"] for share in shares), "longest": longest[:LONGEST]}
    return [write_json(pathout, f"{key_of(files[0])}_functions.json", table)]
