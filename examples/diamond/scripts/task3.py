"""task3: put the two tables of one text together on a page."""

import os

SHOWN = 5
"""So many of the most frequent words are named."""


def task(files, pathin, pathout):
    """NUM_INPUTS is 2, so a list comes in: one file of task1 and one of task2, in no order to rely on."""
    tables = {file.split("_")[1]: read(os.path.join(pathin, file)) for file in files}
    counts = [(word, int(count)) for word, count in tables["counts.txt"]]
    lengths = [(int(letters), int(count)) for letters, count in tables["lengths.txt"]]
    words = sum(count for _, count in counts)
    letters = sum(length * count for length, count in lengths)
    page = [f"{words} words, {len(counts)} different, {letters / max(words, 1):.2f} letters on average", ""]
    page += [f"{count:5}  {word}" for word, count in counts[:SHOWN]]
    page += ["", *(f"{count:5}  of {length:2} letters" for length, count in lengths)]
    key = files[0].split("_")[0]
    output = os.path.join(pathout, f"{key}_statistics.txt")
    with open(output, "w", encoding="utf-8") as report:
        report.write("\n".join(page) + "\n")
    return [output]


def read(path):
    """The rows of a table."""
    with open(path, encoding="utf-8") as table:
        return [line.rstrip("\n").split("\t") for line in table]
